//! What the events of a server are made of.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::TokenDetails;

/// Where in a response an event belongs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct At {
    /// The response; empty on servers that send none.
    pub response_id: String,
    /// The item; empty on servers that send none.
    pub item_id: String,
    /// The item's place in the response.
    pub output_index: u32,
    /// The part's place in the item.
    pub content_index: u32,
}

/// Where in a response a call belongs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CallAt {
    /// The response; empty on servers that send none, and in `mcp_call` events.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub response_id: String,
    /// The call's item.
    pub item_id: String,
    /// The item's place in the response.
    pub output_index: u32,
}

/// A part of an item that a response begins or ends; its type is `text` or `audio`, unlike in items.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamPart {
    /// `text` or `audio`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Of text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Of audio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transcript: Option<String>,
}

/// Why a transcription failed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TranscriptionError {
    /// Machine-readable name.
    pub code: Option<String>,
    /// Words.
    pub message: String,
}

/// What a transcription cost, by tokens or by the second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TranscriptionUsage {
    /// Billed by the token.
    Tokens {
        /// Read, by kind in the details.
        #[serde(default)]
        input_tokens: u64,
        /// Written.
        #[serde(default)]
        output_tokens: u64,
        /// Both.
        #[serde(default)]
        total_tokens: u64,
        /// Text and audio read.
        #[serde(default)]
        input_token_details: TokenDetails,
    },
    /// Billed by the second.
    Duration {
        /// Of audio.
        seconds: f64,
    },
    /// Anything else, kept.
    #[serde(untagged)]
    Other(Value),
}

/// One of the limits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RateLimit {
    /// `requests` or `tokens`.
    pub name: String,
    /// In a period.
    pub limit: u64,
    /// Left in this period.
    pub remaining: u64,
    /// Until the period ends.
    pub reset_seconds: f64,
}

/// How far an on-device engine has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum EngineState {
    /// Reading a model into memory.
    Loading {
        /// The model's part, in words.
        what: String,
        /// Parts loaded.
        done: u32,
        /// Parts in all.
        total: u32,
    },
    /// Answers from now on.
    Ready,
    /// A model is missing or unreadable; the engine stays up to say so.
    Broken {
        /// The model's part, in words.
        what: String,
        /// What is wrong, in words.
        message: String,
    },
}
