//! The server end of a Realtime conversation: answers like a Realtime server, from models on this device.
//!
//! [`EngineCore`] holds the rules, without I/O; stages behind [`stages`]' traits hear, write, think and speak, each on
//! its own thread under [`Host`]; [`serve`] puts a host behind standard streams, a loopback WebSocket or a pair of
//! channels. Start reading at [`EngineCore`].

mod core;
mod help;
mod host;
pub mod http;
pub mod models;
#[cfg(feature = "on-device")]
pub mod on_device;
pub mod scripted;
pub mod serve;
pub mod speech_text;
pub mod stages;
mod voices;

pub use crate::core::{Ahead, EngineCore, Input, Job, Output, StageReport};
pub use crate::host::{Host, StageLoaders};
pub use crate::voices::{VOICES, VoiceInfo, VoiceModel, voice};
