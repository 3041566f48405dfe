//! The OpenAI Realtime wire format, both directions: what a client and a server must agree on.
//!
//! Types and their JSON, nothing else: no clock, no socket, no rule of conversation. Start reading at
//! [`ClientEvent`] and [`ServerEvent`]. Events that this crate does not know are kept whole as
//! `Unknown`; events that it knows and cannot read are a [`ParseError`] that says where.

mod audio;
mod client;
mod error;
mod item;
mod json;
mod response;
mod server;
mod session;

pub use audio::{AudioBytes, Pcm16, PcmCarry, SAMPLE_RATE};
pub use client::ClientEvent;
pub use error::{ApiError, ParseError};
pub use item::{ContentPart, Item, Role};
pub use response::{
    MaxTokens, Modality, Response, ResponseAudio, ResponseAudioOutput, ResponseConfig, ResponseStatus, StatusDetails,
    TokenDetails, Usage,
};
pub use server::{At, EngineState, ServerEvent, TranscriptionError};
pub use session::{
    AudioConfig, AudioFormat, Eagerness, InputAudioConfig, OutputAudioConfig, Session, SessionKind, Transcription,
    TurnDetection, Voice,
};

#[cfg(test)]
mod tests;
