//! What survives a restart: settings, keys, what is remembered, and where every file of the program lies. No network,
//! no UI.

mod keychain;
mod memory;
mod paths;
mod settings;

pub use keychain::{KeychainError, clear_key, read_key, write_key};
pub use memory::{Memories, Memory, MemoryError};
pub use paths::Paths;
pub use settings::{
    EchoChoice, EngineChoice, FoundProfile, InterruptChoice, Settings, SettingsError, StageChoice, StageServer,
    TurnChoice,
};
