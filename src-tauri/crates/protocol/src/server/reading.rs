//! Reading an event, writing it, and what it is about.

use serde::Deserialize;
use serde_json::Value;

use super::{At, ServerEvent};
use crate::{ApiError, AudioBytes, ParseError, dialect, json};

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

    /// Returns the response that the event is of.
    pub fn response_id(&self) -> Option<&str> {
        match self {
            Self::ResponseCreated { response } | Self::ResponseDone { response } => Some(&response.id),
            Self::OutputItemAdded { response_id, .. }
            | Self::OutputItemDone { response_id, .. }
            | Self::OutputAudioBufferStarted { response_id }
            | Self::OutputAudioBufferStopped { response_id }
            | Self::OutputAudioBufferCleared { response_id } => Some(response_id),
            Self::ContentPartAdded { at, .. }
            | Self::ContentPartDone { at, .. }
            | Self::OutputTextDelta { at, .. }
            | Self::OutputTextDone { at, .. }
            | Self::OutputAudioDelta { at, .. }
            | Self::OutputAudioDone { at }
            | Self::OutputTranscriptDelta { at, .. }
            | Self::OutputTranscriptDone { at, .. } => Some(&at.response_id),
            Self::FunctionCallArgumentsDelta { at, .. }
            | Self::FunctionCallArgumentsDone { at, .. }
            | Self::McpCallArgumentsDelta { at, .. }
            | Self::McpCallArgumentsDone { at, .. }
            | Self::McpCallInProgress { at }
            | Self::McpCallCompleted { at }
            | Self::McpCallFailed { at } => Some(&at.response_id),
            Self::SessionCreated { .. }
            | Self::SessionUpdated { .. }
            | Self::ConversationCreated { .. }
            | Self::Error { .. }
            | Self::SpeechStarted { .. }
            | Self::SpeechStopped { .. }
            | Self::Committed { .. }
            | Self::Cleared
            | Self::TimeoutTriggered { .. }
            | Self::DtmfReceived { .. }
            | Self::ItemAdded { .. }
            | Self::ItemDone { .. }
            | Self::ItemRetrieved { .. }
            | Self::ItemTruncated { .. }
            | Self::ItemDeleted { .. }
            | Self::InputTranscriptionDelta { .. }
            | Self::InputTranscriptionCompleted { .. }
            | Self::InputTranscriptionUpdated { .. }
            | Self::InputTranscriptionSegment { .. }
            | Self::InputTranscriptionFailed { .. }
            | Self::McpListToolsInProgress { .. }
            | Self::McpListToolsCompleted { .. }
            | Self::McpListToolsFailed { .. }
            | Self::RateLimitsUpdated { .. }
            | Self::EngineStatus { .. }
            | Self::Unknown(_) => None,
        }
    }

    /// Returns the fault that the event tells of: the server's own, or that of a response that failed.
    pub fn fault(&self) -> Option<&ApiError> {
        if let Self::Error { error } = self {
            return Some(error);
        }
        let Self::ResponseDone { response } = self else { return None };
        response.status_details.as_ref()?.error.as_ref()
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
