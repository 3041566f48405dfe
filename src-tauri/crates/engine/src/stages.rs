//! What the core needs done, as traits: real models and scripts implement them. All calls block, each on its stage's thread.

use protocol::{Pcm16, Tool, ToolChoice};

/// Why a stage could not do its work, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StageError(pub String);

impl StageError {
    /// Returns an error that says what failed and why.
    pub fn new(what: &str, why: impl std::fmt::Display) -> Self {
        Self(format!("{what}: {why}"))
    }
}

/// Finds speech.
pub trait SpeechDetector {
    /// Takes audio; returns the probability of speech for each window that it completes, with the window's end
    /// in frames at 24 kHz counted from the first call.
    ///
    /// # Errors
    /// The model's fault.
    fn listen(&mut self, pcm: &Pcm16) -> Result<Vec<(u64, f32)>, StageError>;

    /// Begins anew, as for another speaker: frames count from 0 again.
    fn reset(&mut self);
}

/// Tells a pause from the end of a turn.
pub trait TurnJudge {
    /// Returns the probability that the speaker of `pcm` (a turn so far, its closing silence included) has finished.
    ///
    /// # Errors
    /// The model's fault.
    fn judge(&mut self, pcm: &Pcm16) -> Result<f32, StageError>;
}

/// Writes down speech.
pub trait Transcriber {
    /// Returns the words of up to 20 s of speech.
    ///
    /// # Errors
    /// The model's fault.
    fn transcribe(&mut self, pcm: &Pcm16) -> Result<String, StageError>;
}

/// Who says a message of the prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// Instructions.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// A tool that the model has called.
    Tool,
}

/// A message of the prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who.
    pub author: Author,
    /// What.
    pub text: String,
    /// Tools that the model calls in it.
    pub calls: Vec<Call>,
    /// Of a tool: the call that it answers.
    pub call_id: String,
}

impl Message {
    /// Returns a message of words alone.
    pub fn new(author: Author, text: impl Into<String>) -> Self {
        Self { author, text: text.into(), calls: Vec::new(), call_id: String::new() }
    }
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What its answer refers to.
    pub call_id: String,
    /// The tool.
    pub name: String,
    /// JSON text.
    pub arguments: String,
}

/// What is to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The prompt.
    pub messages: Vec<Message>,
    /// What may be called.
    pub tools: Vec<Tool>,
    /// Whether and which of them is to be called.
    pub tool_choice: ToolChoice,
    /// The client's limit.
    pub max_tokens: Option<u32>,
}

impl Request {
    /// Returns a request without tools.
    pub fn new(messages: Vec<Message>, max_tokens: u32) -> Self {
        Self { messages, tools: Vec::new(), tool_choice: ToolChoice::auto(), max_tokens: Some(max_tokens) }
    }
}

/// A piece of an answer that is being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// More words.
    Text(String),
    /// More of a call; calls of one answer are told apart by their index.
    Call {
        /// Which call, from 0.
        index: usize,
        /// The tool, in the first piece.
        name: String,
        /// More of its arguments.
        arguments: String,
    },
}

/// How a generation ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Finish {
    /// Whether the limit cut it.
    pub truncated: bool,
    /// Tokens of the prompt.
    pub prompt_tokens: u64,
    /// Of these, tokens found in the cache.
    pub cached_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
}

/// Writes answers.
pub trait LanguageModel {
    /// Writes the next assistant message, piece by piece; stops soon after `cancelled` turns true.
    ///
    /// # Errors
    /// The model's fault.
    fn generate(
        &mut self,
        request: &Request,
        cancelled: &dyn Fn() -> bool,
        on_written: &mut dyn FnMut(Written),
    ) -> Result<Finish, StageError>;

    /// Reads `messages` ahead of time, so that a generation that begins with them starts sooner. The last message may
    /// still grow.
    ///
    /// # Errors
    /// The model's fault.
    fn prefill(&mut self, messages: &[Message], cancelled: &dyn Fn() -> bool) -> Result<(), StageError>;
}

/// Speaks.
pub trait Synthesizer {
    /// Speaks `text` in a voice; `speed` 1 is natural. Gives away what it has as it goes, and returns the rest. Stops
    /// soon after `cancelled` turns true, where the work can be stopped.
    ///
    /// # Errors
    /// The model's fault, or the voice is not installed; what was given away stays.
    fn stream(
        &mut self,
        text: &str,
        voice: &str,
        speed: f32,
        cancelled: &dyn Fn() -> bool,
        on_speech: &mut dyn FnMut(Pcm16),
    ) -> Result<Pcm16, StageError>;

    /// Returns `text` spoken, whole.
    ///
    /// # Errors
    /// As [`Self::stream`].
    fn speak(&mut self, text: &str, voice: &str, speed: f32) -> Result<Pcm16, StageError> {
        let mut all = Vec::new();
        let rest = self.stream(text, voice, speed, &|| false, &mut |pcm| all.extend(pcm.0))?;
        all.extend(rest.0);
        Ok(Pcm16(all))
    }
}
