use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AudioBytes, Item, ParseError, ResponseConfig, Session, json};

/// What a client says to a server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum ClientEvent {
    /// Changes the fields that are present; answered by `session.updated` or an error.
    #[serde(rename = "session.update")]
    SessionUpdate {
        /// The fields to change; `type` is required.
        session: Box<Session>,
    },
    /// More speech; never answered.
    #[serde(rename = "input_audio_buffer.append")]
    InputAudioBufferAppend {
        /// Up to 15 MiB.
        audio: AudioBytes,
    },
    /// Makes a user item of what was appended.
    #[serde(rename = "input_audio_buffer.commit")]
    InputAudioBufferCommit,
    /// Forgets what was appended.
    #[serde(rename = "input_audio_buffer.clear")]
    InputAudioBufferClear,
    /// Adds an item; never starts a response.
    #[serde(rename = "conversation.item.create")]
    ConversationItemCreate {
        /// Absent to append, `root` for the front, or the item to stand behind.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous_item_id: Option<String>,
        /// The item.
        item: Item,
    },
    /// Asks for an item with its audio.
    #[serde(rename = "conversation.item.retrieve")]
    ConversationItemRetrieve {
        /// The item.
        item_id: String,
    },
    /// Cuts an assistant's audio to what was heard.
    #[serde(rename = "conversation.item.truncate")]
    ConversationItemTruncate {
        /// The item.
        item_id: String,
        /// The part, 0.
        content_index: u32,
        /// Whole milliseconds, no more than the server holds.
        audio_end_ms: u64,
    },
    /// Removes an item.
    #[serde(rename = "conversation.item.delete")]
    ConversationItemDelete {
        /// The item.
        item_id: String,
    },
    /// Asks for a response.
    #[serde(rename = "response.create")]
    ResponseCreate {
        /// Overrides for this response.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        response: Option<Box<ResponseConfig>>,
    },
    /// Stops a response.
    #[serde(rename = "response.cancel")]
    ResponseCancel {
        /// Absent for the one that runs in the conversation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        response_id: Option<String>,
    },
    /// WebRTC alone: empties the server's own playback.
    #[serde(rename = "output_audio_buffer.clear")]
    OutputAudioBufferClear,
    /// An event this crate does not know.
    #[serde(skip)]
    Unknown(Value),
}

const KINDS: &[&str] = &[
    "session.update",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "conversation.item.create",
    "conversation.item.retrieve",
    "conversation.item.truncate",
    "conversation.item.delete",
    "response.create",
    "response.cancel",
    "output_audio_buffer.clear",
];

impl ClientEvent {
    /// Reads a client's message strictly: a field that the protocol does not have is an error, as on OpenAI.
    ///
    /// Returns the event with the client's own `event_id`.
    ///
    /// # Errors
    /// The client's fault; answer with [`ParseError::to_api_error`] and keep the connection.
    pub fn parse(text: &str) -> Result<(Option<String>, Self), ParseError> {
        let raw = json::raw(text)?;
        if !KINDS.contains(&raw.kind.as_str()) {
            return Ok((raw.event_id, Self::Unknown(raw.value)));
        }
        let event: Self = json::typed(&raw)?;
        let mut sent = raw.value;
        if let Some(object) = sent.as_object_mut() {
            object.remove("event_id");
        }
        let understood = event.value();
        match json::lost_field(&sent, &understood, "") {
            Some(path) => Err(ParseError::UnknownParameter { event_id: raw.event_id, path }),
            None => Ok((raw.event_id, event)),
        }
    }

    /// Returns the message, with `event_id` where given.
    pub fn to_json(&self, event_id: Option<&str>) -> String {
        json::write(self.value(), event_id)
    }

    /// Returns the message with audio replaced by its byte count, for logs.
    pub fn without_audio(&self) -> Value {
        json::without_audio(self.value(), "audio")
    }

    pub(crate) fn value(&self) -> Value {
        if let Self::Unknown(raw) = self { raw.clone() } else { serde_json::to_value(self).unwrap_or_default() }
    }
}
