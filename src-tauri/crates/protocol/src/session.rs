use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{MaxTokens, Modality, Tool, ToolChoice, json::tri_state};

/// Which kind of session: set at connection, required in every update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionKind {
    /// Speech to speech.
    Realtime,
    /// Speech to text only.
    Transcription,
}

/// The session object: an update where fields are absent, the server's full echo where they are not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Session {
    /// Required in `session.update`; some servers leave it out of their echo.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<SessionKind>,
    /// `realtime.session` in echoes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Server's id, `sess_…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Model name, an open string.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Audio with transcript, or text alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_modalities: Option<Vec<Modality>>,
    /// System prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// Replaced as a whole; empty to clear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<Tool>>,
    /// Whether and which tool is to be called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
    /// Whether one response may make several calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel_tool_calls: Option<bool>,
    /// Most tokens of one response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<MaxTokens>,
    /// For models that reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Reasoning>,
    /// What happens when the conversation outgrows the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncation: Option<Truncation>,
    /// A stored prompt, retired on OpenAI; null for none.
    #[serde(with = "tri_state", skip_serializing_if = "Option::is_none")]
    pub prompt: Option<Option<Value>>,
    /// Extra fields to include in events, null for none.
    #[serde(with = "tri_state", skip_serializing_if = "Option::is_none")]
    pub include: Option<Option<Vec<String>>>,
    /// Tracing configuration, null for off.
    #[serde(with = "tri_state", skip_serializing_if = "Option::is_none")]
    pub tracing: Option<Option<Value>>,
    /// End of the session, Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// Audio of both directions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<AudioConfig>,
}

/// Audio configuration of both directions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AudioConfig {
    /// What the client sends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<InputAudioConfig>,
    /// What the server sends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputAudioConfig>,
}

/// What the client sends, and what the server does with it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct InputAudioConfig {
    /// Encoding and rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<AudioFormat>,
    /// Transcription of the user, null for none.
    #[serde(with = "tri_state", skip_serializing_if = "Option::is_none")]
    pub transcription: Option<Option<Transcription>>,
    /// Before detection and model, null for none.
    #[serde(with = "tri_state", skip_serializing_if = "Option::is_none")]
    pub noise_reduction: Option<Option<NoiseReduction>>,
    /// Who ends a turn, null for the client.
    #[serde(with = "tri_state", skip_serializing_if = "Option::is_none")]
    pub turn_detection: Option<Option<TurnDetection>>,
}

/// What the server sends.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OutputAudioConfig {
    /// Encoding and rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<AudioFormat>,
    /// Built-in or custom voice; locked after the first audio on OpenAI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice: Option<Voice>,
    /// 0.25 to 1.5, 1 is natural.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<f32>,
}

/// Encoding of audio on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioFormat {
    /// `audio/pcm`, `audio/pcmu` or `audio/pcma`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Frames per second; PCM only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
}

impl AudioFormat {
    /// Returns the format of [`crate::Pcm16`].
    pub fn pcm() -> Self {
        Self { kind: "audio/pcm".into(), rate: Some(crate::SAMPLE_RATE) }
    }
}

/// Transcription of the user's speech.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Transcription {
    /// Transcription model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// ISO-639-1 code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Words to expect, as free text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Words to expect, one by one (`gpt-transcribe`, `gpt-live-transcribe`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keywords: Option<Vec<String>>,
    /// ISO-639-1 codes (`gpt-transcribe`, `gpt-live-transcribe`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub languages: Option<Vec<String>>,
    /// `minimal` to `xhigh` (`gpt-realtime-whisper`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<String>,
}

/// Noise reduction by the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoiseReduction {
    /// `near_field` or `far_field`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Default 1; absent keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strength: Option<f32>,
}

/// How long a model thinks before it speaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reasoning {
    /// `minimal`, `low`, `medium`, `high`, `xhigh`; xAI has `none`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effort: Option<String>,
}

/// What happens when the conversation outgrows the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Truncation {
    /// `auto` drops the oldest items, `disabled` fails.
    Word(String),
    /// Drops a block at once, so that the cache survives more turns.
    Ratio {
        /// `retention_ratio`.
        #[serde(rename = "type")]
        kind: String,
        /// Part that stays, 0 to 1.
        retention_ratio: f32,
        /// A lower ceiling.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token_limits: Option<TokenLimits>,
    },
}

/// A ceiling below the model's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenLimits {
    /// Tokens of conversation after the instructions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_instructions: Option<u32>,
}

/// How the server finds the end of a turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TurnDetection {
    /// By silence after speech.
    ServerVad {
        /// 0 to 1, default 0.5.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        threshold: Option<f32>,
        /// Audio kept from before the onset, default 300.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prefix_padding_ms: Option<u64>,
        /// Silence that ends a turn, default 500.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        silence_duration_ms: Option<u64>,
        /// Prompts the model after so long without speech.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        idle_timeout_ms: Option<u64>,
        /// Whether the end of a turn asks for a response, default true.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        create_response: Option<bool>,
        /// Whether speech cancels a running response, default true.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        interrupt_response: Option<bool>,
    },
    /// By what was said and how.
    SemanticVad {
        /// How soon to take the turn, default auto.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        eagerness: Option<Eagerness>,
        /// Whether the end of a turn asks for a response, default true.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        create_response: Option<bool>,
        /// Whether speech cancels a running response, default true.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        interrupt_response: Option<bool>,
    },
}

/// How soon semantic turn detection takes the turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Eagerness {
    /// Waits up to 8 s.
    Low,
    /// Waits up to 4 s.
    Medium,
    /// Waits up to 2 s.
    High,
    /// The server chooses; medium on OpenAI.
    #[default]
    Auto,
}

/// A voice by name, or a custom voice by id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Voice {
    /// A built-in voice; an open string.
    Name(String),
    /// A custom voice.
    Custom {
        /// `voice_…`.
        id: String,
    },
}

impl Voice {
    /// Returns the name or the id.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Custom { id } => id,
        }
    }
}

impl Session {
    /// Takes over every field that `update` has; nested objects merge field by field.
    pub fn merge(&mut self, update: &Self) {
        fn take<T: Clone>(into: &mut Option<T>, from: &Option<T>) {
            if let Some(value) = from {
                *into = Some(value.clone());
            }
        }
        take(&mut self.kind, &update.kind);
        take(&mut self.model, &update.model);
        take(&mut self.output_modalities, &update.output_modalities);
        take(&mut self.instructions, &update.instructions);
        take(&mut self.tools, &update.tools);
        take(&mut self.tool_choice, &update.tool_choice);
        take(&mut self.parallel_tool_calls, &update.parallel_tool_calls);
        take(&mut self.max_output_tokens, &update.max_output_tokens);
        take(&mut self.reasoning, &update.reasoning);
        take(&mut self.truncation, &update.truncation);
        take(&mut self.prompt, &update.prompt);
        take(&mut self.include, &update.include);
        take(&mut self.tracing, &update.tracing);
        let Some(audio) = &update.audio else { return };
        let mine = self.audio.get_or_insert_default();
        if let Some(input) = &audio.input {
            let mine = mine.input.get_or_insert_default();
            take(&mut mine.format, &input.format);
            take(&mut mine.transcription, &input.transcription);
            take(&mut mine.noise_reduction, &input.noise_reduction);
            take(&mut mine.turn_detection, &input.turn_detection);
        }
        if let Some(output) = &audio.output {
            let mine = mine.output.get_or_insert_default();
            take(&mut mine.format, &output.format);
            take(&mut mine.voice, &output.voice);
            take(&mut mine.speed, &output.speed);
        }
    }
}
