use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ApiError, AudioBytes, Item, ParseError, Response, Session, TokenDetails, dialect, json};

/// What a server says to a client. Old (beta) event names are read as their successors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum ServerEvent {
    /// Always the first frame.
    #[serde(rename = "session.created")]
    SessionCreated {
        /// The effective configuration.
        #[serde(default)]
        session: Box<Session>,
    },
    /// Answers `session.update`.
    #[serde(rename = "session.updated")]
    SessionUpdated {
        /// The effective configuration.
        #[serde(default)]
        session: Box<Session>,
    },
    /// A conversation exists; xAI greets with it, in place of `session.created`.
    #[serde(rename = "conversation.created")]
    ConversationCreated {
        /// With its id.
        #[serde(default)]
        conversation: Value,
    },
    /// Something the client asked for was wrong, or the server failed; most leave the session open.
    #[serde(rename = "error")]
    Error {
        /// What.
        error: ApiError,
    },
    /// Speech began; the item is made when the turn ends.
    #[serde(rename = "input_audio_buffer.speech_started")]
    SpeechStarted {
        /// The user item to be.
        #[serde(default)]
        item_id: String,
        /// On the clock of appended audio, prefix padding included.
        #[serde(default)]
        audio_start_ms: u64,
    },
    /// Speech ended.
    #[serde(rename = "input_audio_buffer.speech_stopped")]
    SpeechStopped {
        /// The user item to be.
        #[serde(default)]
        item_id: String,
        /// On the clock of appended audio, closing silence included.
        #[serde(default)]
        audio_end_ms: u64,
    },
    /// The buffer became a user item.
    #[serde(rename = "input_audio_buffer.committed")]
    Committed {
        /// The user item.
        #[serde(default)]
        item_id: String,
        /// The item it stands behind.
        #[serde(default)]
        previous_item_id: Option<String>,
    },
    /// The buffer was emptied.
    #[serde(rename = "input_audio_buffer.cleared")]
    Cleared,
    /// Nobody has spoken for `idle_timeout_ms`; the silence became a user item.
    #[serde(rename = "input_audio_buffer.timeout_triggered")]
    TimeoutTriggered {
        /// The user item.
        #[serde(default)]
        item_id: String,
        /// On the clock of appended audio.
        #[serde(default)]
        audio_start_ms: u64,
        /// On the clock of appended audio.
        #[serde(default)]
        audio_end_ms: u64,
    },
    /// A telephone key; the one event without an `event_id`.
    #[serde(rename = "input_audio_buffer.dtmf_event_received")]
    DtmfReceived {
        /// The key.
        #[serde(default)]
        event: String,
        /// Unix seconds.
        #[serde(default)]
        received_at: u64,
    },
    /// An item entered the conversation.
    #[serde(rename = "conversation.item.added", alias = "conversation.item.created")]
    ItemAdded {
        /// The item it stands behind.
        #[serde(default)]
        previous_item_id: Option<String>,
        /// The item, an assistant's still empty.
        item: Item,
    },
    /// An item is final.
    #[serde(rename = "conversation.item.done")]
    ItemDone {
        /// The item it stands behind.
        #[serde(default)]
        previous_item_id: Option<String>,
        /// The item without audio bytes.
        item: Item,
    },
    /// Answers `conversation.item.retrieve`.
    #[serde(rename = "conversation.item.retrieved")]
    ItemRetrieved {
        /// The item.
        item: Item,
    },
    /// Answers `conversation.item.truncate`.
    #[serde(rename = "conversation.item.truncated")]
    ItemTruncated {
        /// The item.
        item_id: String,
        /// The part.
        #[serde(default)]
        content_index: u32,
        /// As asked.
        #[serde(default)]
        audio_end_ms: u64,
        /// The words that stay; only the engine of this project sends it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        transcript: Option<String>,
    },
    /// Answers `conversation.item.delete`.
    #[serde(rename = "conversation.item.deleted")]
    ItemDeleted {
        /// The item.
        item_id: String,
    },
    /// More of the user's words; append only.
    #[serde(rename = "conversation.item.input_audio_transcription.delta")]
    InputTranscriptionDelta {
        /// The user item.
        item_id: String,
        /// The part.
        #[serde(default)]
        content_index: u32,
        /// The words.
        #[serde(default)]
        delta: String,
    },
    /// All of the user's words.
    #[serde(rename = "conversation.item.input_audio_transcription.completed")]
    InputTranscriptionCompleted {
        /// The user item.
        item_id: String,
        /// The part.
        #[serde(default)]
        content_index: u32,
        /// The words.
        #[serde(default)]
        transcript: String,
        /// What it cost; billed apart from responses.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usage: Option<TranscriptionUsage>,
    },
    /// All of the user's words so far, in place of deltas (xAI).
    #[serde(rename = "conversation.item.input_audio_transcription.updated")]
    InputTranscriptionUpdated {
        /// The user item.
        item_id: String,
        /// The part.
        #[serde(default)]
        content_index: u32,
        /// The words so far.
        #[serde(default)]
        transcript: String,
    },
    /// A stretch of one speaker's words, from models that tell speakers apart.
    #[serde(rename = "conversation.item.input_audio_transcription.segment")]
    InputTranscriptionSegment {
        /// The user item.
        item_id: String,
        /// The part.
        #[serde(default)]
        content_index: u32,
        /// The segment.
        #[serde(default)]
        id: String,
        /// Its words.
        #[serde(default)]
        text: String,
        /// Who.
        #[serde(default)]
        speaker: Option<String>,
        /// Seconds into the audio.
        #[serde(default)]
        start: f64,
        /// Seconds into the audio.
        #[serde(default)]
        end: f64,
    },
    /// The user's words could not be had.
    #[serde(rename = "conversation.item.input_audio_transcription.failed")]
    InputTranscriptionFailed {
        /// The user item.
        item_id: String,
        /// The part.
        #[serde(default)]
        content_index: u32,
        /// Why.
        #[serde(default)]
        error: TranscriptionError,
    },
    /// A response began.
    #[serde(rename = "response.created")]
    ResponseCreated {
        /// In progress, empty.
        response: Box<Response>,
    },
    /// A response ended; exactly one for each created.
    #[serde(rename = "response.done")]
    ResponseDone {
        /// With status, items and usage.
        response: Box<Response>,
    },
    /// A response begins an item.
    #[serde(rename = "response.output_item.added")]
    OutputItemAdded {
        /// The response.
        #[serde(default)]
        response_id: String,
        /// Its place in the response.
        #[serde(default)]
        output_index: u32,
        /// The item.
        item: Item,
    },
    /// A response ends an item.
    #[serde(rename = "response.output_item.done")]
    OutputItemDone {
        /// The response.
        #[serde(default)]
        response_id: String,
        /// Its place in the response.
        #[serde(default)]
        output_index: u32,
        /// The item.
        item: Item,
    },
    /// A response begins a part of an item.
    #[serde(rename = "response.content_part.added")]
    ContentPartAdded {
        /// Where.
        #[serde(flatten)]
        at: At,
        /// The part.
        part: StreamPart,
    },
    /// A response ends a part of an item.
    #[serde(rename = "response.content_part.done")]
    ContentPartDone {
        /// Where.
        #[serde(flatten)]
        at: At,
        /// The part.
        part: StreamPart,
    },
    /// More text.
    #[serde(rename = "response.output_text.delta", alias = "response.text.delta")]
    OutputTextDelta {
        /// Where.
        #[serde(flatten)]
        at: At,
        /// The text.
        delta: String,
    },
    /// All of the text.
    #[serde(rename = "response.output_text.done", alias = "response.text.done")]
    OutputTextDone {
        /// Where.
        #[serde(flatten)]
        at: At,
        /// The text.
        text: String,
    },
    /// More speech.
    #[serde(rename = "response.output_audio.delta", alias = "response.audio.delta")]
    OutputAudioDelta {
        /// Where.
        #[serde(flatten)]
        at: At,
        /// In the session's output format.
        delta: AudioBytes,
    },
    /// No more speech for this part.
    #[serde(rename = "response.output_audio.done", alias = "response.audio.done")]
    OutputAudioDone {
        /// Where.
        #[serde(flatten)]
        at: At,
    },
    /// More of what is said.
    #[serde(rename = "response.output_audio_transcript.delta", alias = "response.audio_transcript.delta")]
    OutputTranscriptDelta {
        /// Where.
        #[serde(flatten)]
        at: At,
        /// The words.
        delta: String,
    },
    /// All of what is said.
    #[serde(rename = "response.output_audio_transcript.done", alias = "response.audio_transcript.done")]
    OutputTranscriptDone {
        /// Where.
        #[serde(flatten)]
        at: At,
        /// The words.
        transcript: String,
    },
    /// More of a tool call's arguments, a piece of JSON text.
    #[serde(rename = "response.function_call_arguments.delta")]
    FunctionCallArgumentsDelta {
        /// Where.
        #[serde(flatten)]
        at: CallAt,
        /// The call.
        #[serde(default)]
        call_id: String,
        /// The piece.
        #[serde(default)]
        delta: String,
    },
    /// A tool call's arguments are whole.
    #[serde(rename = "response.function_call_arguments.done")]
    FunctionCallArgumentsDone {
        /// Where.
        #[serde(flatten)]
        at: CallAt,
        /// The call.
        #[serde(default)]
        call_id: String,
        /// The tool; older servers name it in the item alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// JSON text.
        #[serde(default)]
        arguments: String,
    },
    /// More of the arguments of a tool that the server runs.
    #[serde(rename = "response.mcp_call_arguments.delta")]
    McpCallArgumentsDelta {
        /// Where.
        #[serde(flatten)]
        at: CallAt,
        /// The piece.
        #[serde(default)]
        delta: String,
    },
    /// The arguments of a tool that the server runs are whole.
    #[serde(rename = "response.mcp_call_arguments.done")]
    McpCallArgumentsDone {
        /// Where.
        #[serde(flatten)]
        at: CallAt,
        /// JSON text.
        #[serde(default)]
        arguments: String,
    },
    /// The server runs a tool.
    #[serde(rename = "response.mcp_call.in_progress")]
    McpCallInProgress {
        /// Where; without a response.
        #[serde(flatten)]
        at: CallAt,
    },
    /// The server has run a tool.
    #[serde(rename = "response.mcp_call.completed")]
    McpCallCompleted {
        /// Where; without a response.
        #[serde(flatten)]
        at: CallAt,
    },
    /// A tool that the server ran has failed.
    #[serde(rename = "response.mcp_call.failed")]
    McpCallFailed {
        /// Where; without a response.
        #[serde(flatten)]
        at: CallAt,
    },
    /// The server asks an MCP server for its tools.
    #[serde(rename = "mcp_list_tools.in_progress")]
    McpListToolsInProgress {
        /// The list's item.
        #[serde(default)]
        item_id: String,
    },
    /// An MCP server's tools can be used.
    #[serde(rename = "mcp_list_tools.completed")]
    McpListToolsCompleted {
        /// The list's item.
        #[serde(default)]
        item_id: String,
    },
    /// An MCP server's tools could not be had.
    #[serde(rename = "mcp_list_tools.failed")]
    McpListToolsFailed {
        /// The list's item.
        #[serde(default)]
        item_id: String,
    },
    /// What is left of the limits, near the beginning of a response.
    #[serde(rename = "rate_limits.updated")]
    RateLimitsUpdated {
        /// Requests and tokens.
        #[serde(default)]
        rate_limits: Vec<RateLimit>,
    },
    /// WebRTC alone: the server's own playback began.
    #[serde(rename = "output_audio_buffer.started")]
    OutputAudioBufferStarted {
        /// Of this response.
        #[serde(default)]
        response_id: String,
    },
    /// WebRTC alone: the server's own playback ended.
    #[serde(rename = "output_audio_buffer.stopped")]
    OutputAudioBufferStopped {
        /// Of this response.
        #[serde(default)]
        response_id: String,
    },
    /// WebRTC alone: the server's own playback was emptied.
    #[serde(rename = "output_audio_buffer.cleared")]
    OutputAudioBufferCleared {
        /// Of this response.
        #[serde(default)]
        response_id: String,
    },
    /// How far the engine of this project has come in loading; no other server sends it.
    #[serde(rename = "vivavoce.engine.status")]
    EngineStatus {
        /// Loading, ready or broken.
        #[serde(flatten)]
        state: EngineState,
    },
    /// An event this crate does not know, kept.
    #[serde(skip)]
    Unknown(Value),
}

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

const KINDS: &[&str] = &[
    "session.created",
    "session.updated",
    "error",
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "input_audio_buffer.cleared",
    "conversation.item.added",
    "conversation.item.created",
    "conversation.item.done",
    "conversation.item.retrieved",
    "conversation.item.truncated",
    "conversation.item.deleted",
    "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.completed",
    "conversation.item.input_audio_transcription.failed",
    "response.created",
    "response.done",
    "response.output_item.added",
    "response.output_item.done",
    "response.content_part.added",
    "response.content_part.done",
    "response.output_text.delta",
    "response.text.delta",
    "response.output_text.done",
    "response.text.done",
    "response.output_audio.delta",
    "response.audio.delta",
    "response.output_audio.done",
    "response.audio.done",
    "response.output_audio_transcript.delta",
    "response.audio_transcript.delta",
    "response.output_audio_transcript.done",
    "response.audio_transcript.done",
    "conversation.created",
    "input_audio_buffer.timeout_triggered",
    "input_audio_buffer.dtmf_event_received",
    "conversation.item.input_audio_transcription.updated",
    "conversation.item.input_audio_transcription.segment",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.mcp_call_arguments.delta",
    "response.mcp_call_arguments.done",
    "response.mcp_call.in_progress",
    "response.mcp_call.completed",
    "response.mcp_call.failed",
    "mcp_list_tools.in_progress",
    "mcp_list_tools.completed",
    "mcp_list_tools.failed",
    "rate_limits.updated",
    "output_audio_buffer.started",
    "output_audio_buffer.stopped",
    "output_audio_buffer.cleared",
    "vivavoce.engine.status",
];

impl ServerEvent {
    /// Reads a server's message leniently: fields that this crate does not know are passed over.
    ///
    /// # Errors
    /// The server's fault; the connection lives on.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        if let Some(event) = audio_delta(text) {
            return Ok(event);
        }
        let mut raw = json::raw(text)?;
        dialect::lift(&raw.kind, &mut raw.value);
        if KINDS.contains(&raw.kind.as_str()) { json::typed(&raw) } else { Ok(Self::Unknown(raw.value)) }
    }

    /// Returns the message, with `event_id` where given.
    pub fn to_json(&self, event_id: Option<&str>) -> String {
        json::write(self.value(), event_id)
    }

    /// Returns the message with audio replaced by its byte count, for logs.
    pub fn without_audio(&self) -> Value {
        json::without_audio(self.value(), "delta")
    }

    fn value(&self) -> Value {
        if let Self::Unknown(raw) = self { raw.clone() } else { serde_json::to_value(self).unwrap_or_default() }
    }
}

/// Reads an audio delta, which comes by the hundred, without a copy of its text; none if the message is another, or not
/// plain enough, and wants the long way.
fn audio_delta(text: &str) -> Option<ServerEvent> {
    #[derive(Deserialize)]
    struct AudioDelta<'a> {
        #[serde(rename = "type")]
        kind: &'a str,
        #[serde(default)]
        response_id: String,
        #[serde(default)]
        item_id: String,
        #[serde(default)]
        output_index: u32,
        #[serde(default)]
        content_index: u32,
        delta: &'a str,
    }
    // Short ones are no burden, and the type of a long one stands near its front or its end.
    if text.len() < 512 {
        return None;
    }
    let read: AudioDelta<'_> = serde_json::from_str(text).ok()?;
    if !matches!(read.kind, "response.output_audio.delta" | "response.audio.delta") {
        return None;
    }
    let at = At {
        response_id: read.response_id,
        item_id: read.item_id,
        output_index: read.output_index,
        content_index: read.content_index,
    };
    Some(ServerEvent::OutputAudioDelta { at, delta: AudioBytes::from_base64(read.delta)? })
}
