//! The tokio shell: one loop that carries the session's outputs out and the world's inputs in. It decides nothing.
//!
//! Start reading at [`Assistant`] (the loop), then `link` (the ways to a server) and `models` (their installation).

mod coalesce;
mod controller;
mod link;
pub mod models;

pub use controller::{Assistant, Observed, Observer, Setup};
pub use link::Server;

/// What the window and the terminal need of the crates below.
pub mod prelude {
    pub use audio::{AudioError, Backend, CpalBackend, DeviceInfo, Direction, FileBackend, FileClock, devices};
    pub use engine::{VOICES, VoiceInfo, VoiceModel};
    pub use session::*;
    pub use store::{EngineChoice, Paths, Settings, SettingsError};
}
