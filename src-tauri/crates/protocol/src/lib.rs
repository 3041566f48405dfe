//! The OpenAI Realtime wire format, both directions: what a client and a server must agree on.
//!
//! Types and their JSON, nothing else: no clock, no socket, no rule of conversation. Start reading at
//! [`ClientEvent`] and [`ServerEvent`]. Events that this crate does not know are kept whole as
//! `Unknown`; events that it knows and cannot read are a [`ParseError`] that says where.

mod audio;
mod client;
mod codec;
mod dialect;
mod error;
mod item;
mod json;
mod profile;
mod response;
mod server;
mod session;
mod tool;

pub use audio::{AudioBytes, Pcm16, PcmCarry, SAMPLE_RATE};
pub use client::ClientEvent;
pub use codec::{Codec, alaw_decode, alaw_encode, mulaw_decode, mulaw_encode};
pub use dialect::Dialect;
pub use error::{ApiError, ParseError};
pub use item::{ContentPart, Item, Role};
pub use profile::{Auth, PROFILES, Profile, profile, provider_of};
pub use response::{
    CachedTokens, MaxTokens, Modality, Response, ResponseAudio, ResponseAudioOutput, ResponseConfig, ResponseStatus,
    StatusDetails, TokenDetails, Usage,
};
pub use server::{At, CallAt, EngineState, RateLimit, ServerEvent, StreamPart, TranscriptionError, TranscriptionUsage};
pub use session::{
    AudioConfig, AudioFormat, Eagerness, InputAudioConfig, NoiseReduction, OutputAudioConfig, Reasoning, Session,
    SessionKind, TokenLimits, Transcription, Truncation, TurnDetection, Voice,
};
pub use tool::{Tool, ToolChoice};

#[cfg(test)]
mod tests;
