mod parts;
mod reading;

pub use parts::{At, CallAt, EngineState, RateLimit, StreamPart, TranscriptionError, TranscriptionUsage};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ApiError, AudioBytes, Item, Response, Session};

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
