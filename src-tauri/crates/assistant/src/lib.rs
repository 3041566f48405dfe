//! The tokio shell: one loop that carries the session's outputs out and the world's inputs in. It decides nothing.
//!
//! Start reading at [`Assistant`] (the loop), then `link` (the ways to a server) and `models` (their installation).

mod coalesce;
pub mod compose;
mod controller;
mod keys;
mod link;
mod logging;
pub mod models;
mod probe;
mod sound_check;
mod tools;

pub use controller::{Assistant, EchoModes, Observed, Observer, Setup};
pub use keys::{Keep, KeyError, KeyKept, KeySource, KeyState, Vault, variable};
pub use link::{Remote, Server, Stitched};
pub use logging::log_filter;
pub use probe::{Check, ProbeReport, Verdict, probe};
pub use sound_check::{CheckLine, check_for_parent, check_sound};
pub use tools::shipped_tools;

/// What the window and the terminal need of the crates below.
pub mod prelude {
    pub use audio::{
        AudioError, Backend, CpalBackend, DeviceInfo, Direction, EchoMode, FileBackend, FileClock, devices,
    };
    pub use engine::{VOICES, VoiceInfo, VoiceModel};
    pub use protocol::{Codec, PROFILES, Profile, profile};
    pub use session::*;
    pub use store::{
        EchoChoice, EngineChoice, FoundProfile, InterruptChoice, Paths, Settings, SettingsError, StageChoice,
        StageServer, TurnChoice,
    };
}
