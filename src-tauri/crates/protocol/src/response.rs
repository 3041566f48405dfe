use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::{ApiError, AudioFormat, Item, Reasoning, Tool, ToolChoice, Voice};

/// What a response is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Modality {
    /// Speech with its transcript.
    Audio,
    /// Text alone.
    Text,
}

/// A count of tokens, or no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxTokens {
    /// 1 to 4096.
    Count(u32),
    /// `"inf"`.
    Inf,
}

impl Serialize for MaxTokens {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => serializer.serialize_u32(*count),
            Self::Inf => serializer.serialize_str("inf"),
        }
    }
}

impl<'de> Deserialize<'de> for MaxTokens {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        match value.as_u64().and_then(|n| u32::try_from(n).ok()) {
            Some(count) => Ok(Self::Count(count)),
            None if value == "inf" => Ok(Self::Inf),
            None => Err(serde::de::Error::custom(format!("expected a number of tokens or \"inf\", got {value}"))),
        }
    }
}

/// What `response.create` asks for; absent fields are the session's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResponseConfig {
    /// Audio or text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_modalities: Option<Vec<Modality>>,
    /// Instead of the session's instructions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// Instead of the session's tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<Tool>>,
    /// Instead of the session's choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
    /// Whether this response may make several calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel_tool_calls: Option<bool>,
    /// Instead of the session's effort.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Reasoning>,
    /// Instead of the session's limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<MaxTokens>,
    /// Voice and format of this response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<ResponseAudio>,
    /// `auto` (default), or `none` for a response beside the conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<String>,
    /// Echoed with the response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<BTreeMap<String, String>>,
    /// Context in place of the conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Vec<Item>>,
}

/// Audio of one response.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResponseAudio {
    /// What the server sends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<ResponseAudioOutput>,
}

/// Output audio of one response.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResponseAudioOutput {
    /// Encoding and rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<AudioFormat>,
    /// Voice of this response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice: Option<Voice>,
}

/// Where a response stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseStatus {
    /// Being made.
    #[default]
    InProgress,
    /// Finished as meant.
    Completed,
    /// Stopped by the client or by the user's speech.
    Cancelled,
    /// Cut by a limit or a filter.
    Incomplete,
    /// The server could not.
    Failed,
}

/// Why a response ended as it did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StatusDetails {
    /// Repeats the status.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// `turn_detected`, `client_cancelled`, `max_output_tokens`, `content_filter`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Of a failed response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ApiError>,
}

impl<'de> Deserialize<'de> for StatusDetails {
    /// Accepts the object, or a bare string as some servers send.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if let Value::String(reason) = value {
            return Ok(Self { reason: Some(reason), ..Self::default() });
        }
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        Ok(Self {
            kind: text("type"),
            reason: text("reason"),
            error: value.get("error").and_then(|e| ApiError::deserialize(e).ok()),
        })
    }
}

/// A response, from `response.created` to `response.done`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Response {
    /// `resp_…`; empty on servers that send none.
    pub id: String,
    /// `realtime.response`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Where it stands.
    pub status: ResponseStatus,
    /// Why it ended.
    pub status_details: Option<StatusDetails>,
    /// Items, without audio bytes.
    pub output: Vec<Item>,
    /// Null for a response beside the conversation.
    pub conversation_id: Option<String>,
    /// Audio or text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_modalities: Option<Vec<Modality>>,
    /// As given in `response.create`.
    pub metadata: Option<BTreeMap<String, String>>,
    /// Tokens; absent until done.
    pub usage: Option<Usage>,
}

/// Tokens of one response. Cached tokens are part of the input tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// Input and output.
    pub total_tokens: u64,
    /// Read, cached included.
    pub input_tokens: u64,
    /// Written.
    pub output_tokens: u64,
    /// Of the input, by kind.
    pub input_token_details: TokenDetails,
    /// Of the output, by kind.
    pub output_token_details: TokenDetails,
}

/// Tokens by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenDetails {
    /// Of text.
    pub text_tokens: u64,
    /// Of audio.
    pub audio_tokens: u64,
    /// Of pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_tokens: Option<u64>,
    /// Read from the prompt cache; part of the input tokens, not beside them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u64>,
    /// The cached tokens by kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_tokens_details: Option<CachedTokens>,
}

/// Cached tokens by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CachedTokens {
    /// Of text.
    pub text_tokens: u64,
    /// Of audio.
    pub audio_tokens: u64,
    /// Of pictures.
    pub image_tokens: u64,
}
