//! Stages that follow a script: the tests' server is the real engine with these.
//!
//! Sound is a code here: a block whose first sample is loud is speech, and the script says what words it means.

use protocol::Pcm16;

use crate::{
    StageLoaders,
    stages::{
        Author, Finish, LanguageModel, Message, Request, SpeechDetector, StageError, Synthesizer, Transcriber,
        TurnJudge, Written,
    },
};

/// What the scripted stages do.
#[derive(Clone, Debug)]
pub struct Script {
    /// What every utterance is heard as.
    pub heard: String,
    /// What the first utterances are heard as, one after the other, before `heard`.
    pub heard_first: Vec<String>,
    /// What is answered to a user message that contains the key; else "You said: …".
    pub answers: Vec<(String, String)>,
    /// What is called, with which arguments, for a user message that contains the key.
    pub calls: Vec<(String, String, String)>,
    /// Audio for each character of an answer.
    pub ms_per_char: u64,
    /// How long the language model takes for a word.
    pub ms_per_word: u64,
    /// A stage that fails to load, by its name.
    pub broken: Option<&'static str>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            heard: "Hello there.".into(),
            heard_first: Vec::new(),
            answers: Vec::new(),
            calls: Vec::new(),
            ms_per_char: 50,
            ms_per_word: 0,
            broken: None,
        }
    }
}

/// Samples at least this loud are speech.
const LOUD: u16 = 1000;
/// Frames in a window, as the real detector's.
const WINDOW: usize = 768;

struct ScriptedDetector {
    pending: Vec<i16>,
    end: u64,
}

impl SpeechDetector for ScriptedDetector {
    fn listen(&mut self, pcm: &Pcm16) -> Result<Vec<(u64, f32)>, StageError> {
        self.pending.extend_from_slice(&pcm.0);
        let mut windows = Vec::new();
        while self.pending.len() >= WINDOW {
            let loud = self.pending.drain(..WINDOW).any(|s| s.unsigned_abs() >= LOUD);
            self.end += WINDOW as u64;
            windows.push((self.end, if loud { 0.9 } else { 0.02 }));
        }
        Ok(windows)
    }

    fn reset(&mut self) {
        *self = Self { pending: Vec::new(), end: 0 };
    }
}

struct ScriptedJudge;

impl TurnJudge for ScriptedJudge {
    fn judge(&mut self, _pcm: &Pcm16) -> Result<f32, StageError> {
        Ok(0.9)
    }
}

struct ScriptedTranscriber {
    heard: String,
    first: std::collections::VecDeque<String>,
    /// Longest piece of the utterance so far: a shorter one begins another.
    length: usize,
}

impl Transcriber for ScriptedTranscriber {
    fn transcribe(&mut self, pcm: &Pcm16) -> Result<String, StageError> {
        if pcm.0.len() < self.length {
            self.first.pop_front();
        }
        self.length = pcm.0.len();
        Ok(self.first.front().unwrap_or(&self.heard).clone())
    }
}

struct ScriptedModel {
    answers: Vec<(String, String)>,
    calls: Vec<(String, String, String)>,
    ms_per_word: u64,
}

impl LanguageModel for ScriptedModel {
    fn generate(
        &mut self,
        request: &Request,
        cancelled: &dyn Fn() -> bool,
        on_written: &mut dyn FnMut(Written),
    ) -> Result<Finish, StageError> {
        let messages = &request.messages;
        let asked = messages.last().map(|m| m.text.as_str()).unwrap_or_default();
        let by_user = messages.last().is_some_and(|m| m.author == Author::User);
        let call = self.calls.iter().find(|(key, ..)| by_user && asked.contains(key.as_str()));
        if let Some((_, name, arguments)) = call {
            // In small pieces, as a model writes them.
            let chars: Vec<char> = arguments.chars().collect();
            on_written(Written::Call { index: 0, name: name.clone(), arguments: String::new() });
            for piece in chars.chunks(5) {
                let arguments = piece.iter().collect();
                on_written(Written::Call { index: 0, name: String::new(), arguments });
            }
            return Ok(Finish { output_tokens: 1, prompt_tokens: messages.len() as u64, ..Finish::default() });
        }
        let scripted =
            self.answers.iter().find(|(key, _)| asked.contains(key.as_str())).map(|(_, answer)| answer.clone());
        let answer = scripted.unwrap_or_else(|| format!("You said: {asked}"));
        let mut written = 0;
        for word in answer.split_inclusive(' ') {
            if cancelled() {
                break;
            }
            #[expect(clippy::disallowed_methods, reason = "a model that takes its time is what the script is for")]
            std::thread::sleep(std::time::Duration::from_millis(self.ms_per_word));
            on_written(Written::Text(word.to_owned()));
            written += 1;
        }
        Ok(Finish { truncated: false, prompt_tokens: messages.len() as u64, cached_tokens: 0, output_tokens: written })
    }

    fn prefill(&mut self, _messages: &[Message], _cancelled: &dyn Fn() -> bool) -> Result<(), StageError> {
        Ok(())
    }
}

struct ScriptedVoice {
    ms_per_char: u64,
}

impl Synthesizer for ScriptedVoice {
    fn stream(
        &mut self,
        text: &str,
        _voice: &str,
        _speed: f32,
        _: &dyn Fn() -> bool,
        _: &mut dyn FnMut(Pcm16),
    ) -> Result<Pcm16, StageError> {
        let frames = Pcm16::frames_in(self.ms_per_char * text.chars().count() as u64) as usize;
        Ok(Pcm16((0..frames).map(|n| if n % 48 < 24 { 3000 } else { -3000 }).collect()))
    }
}

/// Returns loaders of stages that follow `script`.
pub fn loaders(script: Script) -> StageLoaders {
    let broken = script.broken;
    let check = move |what: &str| {
        if broken == Some(what) { Err(StageError(format!("the {what} is broken by the script"))) } else { Ok(()) }
    };
    let Script { heard, heard_first, answers, calls, ms_per_char, ms_per_word, .. } = script;
    StageLoaders {
        detector: Box::new(move || {
            check("speech detector").map(|()| Box::new(ScriptedDetector { pending: Vec::new(), end: 0 }) as _)
        }),
        judge: Box::new(move || check("end-of-turn model").map(|()| Box::new(ScriptedJudge) as _)),
        transcriber: Box::new(move || {
            check("transcriber")
                .map(|()| Box::new(ScriptedTranscriber { heard, first: heard_first.into(), length: 0 }) as _)
        }),
        language_model: Box::new(move || {
            check("language model").map(|()| Box::new(ScriptedModel { answers, calls, ms_per_word }) as _)
        }),
        synthesizer: Box::new(move || check("voice").map(|()| Box::new(ScriptedVoice { ms_per_char }) as _)),
        ahead: crate::Ahead::default(),
    }
}
