//! What survives a restart: settings, and where every file of the program lies. No network, no UI.

mod paths;
mod settings;

pub use paths::Paths;
pub use settings::{EngineChoice, Settings, SettingsError};
