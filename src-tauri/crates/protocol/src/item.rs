use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::AudioBytes;

/// Who speaks in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The person.
    User,
    /// The model.
    Assistant,
    /// Instructions in mid-conversation.
    System,
}

/// A conversation item: a message, a tool call, a tool's output, or another kind kept by its name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Item {
    /// Up to 32 characters; the server gives one where the client does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `realtime.item` in echoes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// `message`, `function_call`, `function_call_output`, `mcp_…`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `completed`, `incomplete` or `in_progress`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Of a message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Of a message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Vec<ContentPart>>,
    /// Of a call and its output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// Of a call: the tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Of a call: JSON text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<String>,
    /// Of a call's output: any text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// Of `mcp_…` items: the server that has the tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_label: Option<String>,
    /// Of `mcp_list_tools`: the tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<Value>,
    /// Of `mcp_call`: why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
    /// Of `mcp_call` and `mcp_approval_response`: the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval_request_id: Option<String>,
    /// Of `mcp_approval_response`: whether the call may run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approve: Option<bool>,
    /// Of `mcp_approval_response`: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Item {
    /// Returns a message with one part.
    pub fn message(role: Role, part: ContentPart) -> Self {
        Self { kind: "message".into(), role: Some(role), content: Some(vec![part]), ..Self::default() }
    }

    /// Returns a tool's output for a call.
    pub fn output(call_id: impl Into<String>, output: impl Into<String>) -> Self {
        Self {
            kind: "function_call_output".into(),
            call_id: Some(call_id.into()),
            output: Some(output.into()),
            ..Self::default()
        }
    }

    /// Returns whether this is a call of one of the client's tools.
    pub fn is_call(&self) -> bool {
        self.kind == "function_call"
    }

    /// Returns what was written or said in a message, parts joined by a space.
    pub fn text(&self) -> String {
        let parts = self.content.iter().flatten().filter_map(ContentPart::text);
        parts.collect::<Vec<_>>().join(" ")
    }
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ContentPart {
    /// Text by the user or the system.
    InputText {
        /// The text.
        text: String,
    },
    /// Speech by the user.
    InputAudio {
        /// In the session's input format; absent in echoes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        audio: Option<AudioBytes>,
        /// Null until transcribed.
        #[serde(default)]
        transcript: Option<String>,
    },
    /// A picture by the user.
    InputImage {
        /// A data URI.
        image_url: String,
        /// `auto`, `low` or `high`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// Text by the assistant; `text` on old servers and in content parts.
    #[serde(alias = "text")]
    OutputText {
        /// The text.
        #[serde(default)]
        text: String,
    },
    /// Speech by the assistant; `audio` on old servers and in content parts.
    #[serde(alias = "audio")]
    OutputAudio {
        /// What is said.
        #[serde(default)]
        transcript: Option<String>,
        /// In `conversation.item.retrieved` alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        audio: Option<AudioBytes>,
    },
    /// Anything else, kept.
    #[serde(untagged)]
    Other(Value),
}

impl ContentPart {
    /// Returns speech by the assistant, as its words.
    pub fn output_audio(transcript: impl Into<String>) -> Self {
        Self::OutputAudio { transcript: Some(transcript.into()), audio: None }
    }

    /// Returns the written or spoken words, if it has any.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::InputText { text } | Self::OutputText { text } => Some(text),
            Self::InputAudio { transcript, .. } | Self::OutputAudio { transcript, .. } => transcript.as_deref(),
            Self::InputImage { .. } | Self::Other(_) => None,
        }
    }
}
