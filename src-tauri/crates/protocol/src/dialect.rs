//! The dialects of the protocol as one table: how each writes what the GA dialect says, and how all are read.
//!
//! Reading needs no choice: old names are aliases, and flat sessions are lifted to their GA places ([`lift`]).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::ClientEvent;

/// How a server wants to be spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// OpenAI since 2025: LocalAI, Hugging Face speech-to-speech, Azure's `/openai/v1`, this project's engine.
    #[default]
    Ga,
    /// The flat session of 2024: speaches, GLM, StepFun.
    BetaFlat,
    /// Azure's dated previews: flat, with formats by name.
    AzurePreview,
    /// Alibaba's: flat, `pcm` by name, tools nested.
    Qwen,
    /// GA events; voice and turn detection at the session's top.
    Xai,
}

/// What sets a dialect apart.
struct Rules {
    session: Shape,
    /// `text` and `audio` in place of `output_text` and `output_audio`.
    old_content: bool,
    /// Tools as `{"type":"function","function":{…}}`.
    nested_tools: bool,
    /// What 24 kHz PCM is called; none to leave the default unsaid.
    pcm: Option<&'static str>,
}

#[derive(PartialEq)]
enum Shape {
    Nested,
    Flat,
    /// Nested, with some fields at the top as well.
    Mixed,
}

impl Dialect {
    const fn rules(self) -> Rules {
        match self {
            Self::Ga => Rules { session: Shape::Nested, old_content: false, nested_tools: false, pcm: None },
            Self::BetaFlat => Rules { session: Shape::Flat, old_content: true, nested_tools: false, pcm: None },
            Self::AzurePreview => {
                Rules { session: Shape::Flat, old_content: true, nested_tools: false, pcm: Some("pcm16") }
            }
            Self::Qwen => Rules { session: Shape::Flat, old_content: true, nested_tools: true, pcm: Some("pcm") },
            Self::Xai => Rules { session: Shape::Mixed, old_content: false, nested_tools: false, pcm: None },
        }
    }

    /// Tells the dialect by a server's first frame; none if it says nothing of it.
    pub fn detect(first_frame: &str) -> Option<Self> {
        let frame: Value = serde_json::from_str(first_frame).ok()?;
        match frame.get("type")?.as_str()? {
            "conversation.created" => Some(Self::Xai),
            "session.created" => {
                let session = frame.get("session")?;
                let has = |keys: &[&str]| keys.iter().any(|key| session.get(key).is_some());
                if has(&["audio", "output_modalities"]) {
                    Some(Self::Ga)
                } else if session.get("input_audio_format").is_some_and(|f| f == "pcm") {
                    Some(Self::Qwen)
                } else if has(&["modalities", "input_audio_format", "output_audio_format"]) {
                    Some(Self::BetaFlat)
                } else {
                    None
                }
            }
            _ => None,
        }
    }

    /// Returns the message as this dialect has it.
    pub fn write(self, event: &ClientEvent, event_id: Option<&str>) -> String {
        let rules = self.rules();
        let mut value = event.value();
        match event {
            ClientEvent::SessionUpdate { .. } => {
                if let Some(session) = value.get_mut("session") {
                    *session = rules.session(session.take());
                }
            }
            ClientEvent::ResponseCreate { .. } if rules.session == Shape::Flat => {
                if let Some(response) = value.get_mut("response") {
                    *response = rules.flat(response.take());
                }
            }
            ClientEvent::ConversationItemCreate { .. } if rules.old_content => {
                for part in value.pointer_mut("/item/content").and_then(Value::as_array_mut).into_iter().flatten() {
                    rename_content(part);
                }
            }
            ClientEvent::ResponseCreate { .. }
            | ClientEvent::ConversationItemCreate { .. }
            | ClientEvent::InputAudioBufferAppend { .. }
            | ClientEvent::InputAudioBufferCommit
            | ClientEvent::InputAudioBufferClear
            | ClientEvent::ConversationItemRetrieve { .. }
            | ClientEvent::ConversationItemTruncate { .. }
            | ClientEvent::ConversationItemDelete { .. }
            | ClientEvent::ResponseCancel { .. }
            | ClientEvent::OutputAudioBufferClear
            | ClientEvent::Unknown(_) => {}
        }
        crate::json::write(value, event_id)
    }
}

impl Rules {
    fn session(&self, session: Value) -> Value {
        match self.session {
            Shape::Nested => session,
            Shape::Flat => self.flat(session),
            Shape::Mixed => {
                let mut session = session;
                for (top, nested) in
                    [("voice", "/audio/output/voice"), ("turn_detection", "/audio/input/turn_detection")]
                {
                    if let Some(value) = session.pointer(nested).cloned() {
                        session[top] = value;
                    }
                }
                session
            }
        }
    }

    /// Returns a session or a response's configuration with everything at its top, under the old names.
    fn flat(&self, value: Value) -> Value {
        let Value::Object(from) = value else { return value };
        let mut to = Map::new();
        for (key, value) in from {
            match key.as_str() {
                // Fields of later years.
                "type" | "reasoning" | "truncation" | "parallel_tool_calls" | "prompt" | "include" => {}
                "output_modalities" => {
                    let text_only = value.as_array().is_some_and(|m| m.iter().all(|m| m == "text"));
                    let both = if text_only { json!(["text"]) } else { json!(["text", "audio"]) };
                    to.insert("modalities".into(), both);
                }
                "max_output_tokens" => {
                    to.insert("max_response_output_tokens".into(), value);
                }
                "tools" if self.nested_tools => {
                    to.insert(key, nest_tools(value));
                }
                "audio" => self.flat_audio(&value, &mut to),
                "input" if self.old_content => {
                    let mut items = value;
                    for part in items.as_array_mut().into_iter().flatten() {
                        for part in part.get_mut("content").and_then(Value::as_array_mut).into_iter().flatten() {
                            rename_content(part);
                        }
                    }
                    to.insert(key, items);
                }
                _ => {
                    to.insert(key, value);
                }
            }
        }
        Value::Object(to)
    }

    fn flat_audio(&self, audio: &Value, to: &mut Map<String, Value>) {
        let moves = [
            ("/input/transcription", "input_audio_transcription"),
            ("/input/noise_reduction", "input_audio_noise_reduction"),
            ("/input/turn_detection", "turn_detection"),
            ("/output/voice", "voice"),
            ("/output/speed", "speed"),
        ];
        for (from, name) in moves {
            if let Some(value) = audio.pointer(from) {
                to.insert(name.into(), value.clone());
            }
        }
        for (from, name) in [("/input/format", "input_audio_format"), ("/output/format", "output_audio_format")] {
            let kind = audio.pointer(from).and_then(|f| f.get("type")).and_then(Value::as_str);
            let named = match kind {
                Some("audio/pcmu") => Some("g711_ulaw"),
                Some("audio/pcma") => Some("g711_alaw"),
                Some(_) => self.pcm,
                None => None,
            };
            if let Some(named) = named {
                to.insert(name.into(), named.into());
            }
        }
    }
}

fn rename_content(part: &mut Value) {
    let old = match part.get("type").and_then(Value::as_str) {
        Some("output_text") => "text",
        Some("output_audio") => "audio",
        _ => return,
    };
    part["type"] = old.into();
}

fn nest_tools(mut tools: Value) -> Value {
    for tool in tools.as_array_mut().into_iter().flatten() {
        if let Some(function) = tool.as_object_mut()
            && function.get("type").is_some_and(|t| t == "function")
        {
            function.remove("type");
            *tool = json!({ "type": "function", "function": function });
        }
    }
    tools
}

/// Puts the fields of a flat session or response, as old servers send them, where the GA dialect has them.
pub(crate) fn lift(kind: &str, event: &mut Value) {
    let key = match kind {
        "session.created" | "session.updated" => "session",
        "response.created" | "response.done" => "response",
        _ => return,
    };
    let Some(object) = event.get_mut(key).and_then(Value::as_object_mut) else { return };
    let mut take = |old: &str| object.remove(old);
    let nested = [
        ("input", "transcription", take("input_audio_transcription")),
        ("input", "noise_reduction", take("input_audio_noise_reduction")),
        ("input", "turn_detection", take("turn_detection")),
        ("input", "format", take("input_audio_format").map(format_object)),
        ("output", "format", take("output_audio_format").map(format_object)),
        ("output", "voice", take("voice")),
        ("output", "speed", take("speed")),
    ];
    let modalities = take("modalities");
    let limit = take("max_response_output_tokens");
    for (direction, name, value) in nested {
        if let Some(value) = value {
            let audio = object.entry("audio").or_insert_with(|| json!({})).as_object_mut();
            let place = audio.map(|a| a.entry(direction).or_insert_with(|| json!({})));
            if let Some(place) = place.and_then(Value::as_object_mut) {
                place.entry(name).or_insert(value);
            }
        }
    }
    if let Some(Value::Array(modalities)) = modalities {
        let one = if modalities.iter().any(|m| m == "audio") { "audio" } else { "text" };
        object.entry("output_modalities").or_insert_with(|| json!([one]));
    }
    if let Some(limit) = limit {
        object.entry("max_output_tokens").or_insert(limit);
    }
}

fn format_object(name: Value) -> Value {
    match name.as_str() {
        Some("g711_ulaw") => json!({ "type": "audio/pcmu" }),
        Some("g711_alaw") => json!({ "type": "audio/pcma" }),
        Some(_) => json!({ "type": "audio/pcm" }),
        None => name,
    }
}
