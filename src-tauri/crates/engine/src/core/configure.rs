use protocol::{
    ApiError, AudioConfig, AudioFormat, InputAudioConfig, MaxTokens, Modality, OutputAudioConfig, ServerEvent, Session,
    SessionKind, TurnDetection, Voice,
};

use super::{EngineCore, Output, context::prompt};
use crate::voices;

const DEFAULT_INSTRUCTIONS: &str = "You are a helpful voice assistant. Answer in one to three short spoken sentences.";

/// Returns the session of a client that has not said what it wants, every field as the API's echo has it.
pub(super) fn defaults(id: String, expires_at: u64) -> Session {
    let turn_detection = TurnDetection::ServerVad {
        threshold: Some(0.5),
        prefix_padding_ms: Some(300),
        silence_duration_ms: Some(500),
        idle_timeout_ms: None,
        create_response: Some(true),
        interrupt_response: Some(true),
    };
    let input = InputAudioConfig {
        format: Some(AudioFormat::pcm()),
        transcription: Some(None),
        noise_reduction: Some(None),
        turn_detection: Some(Some(turn_detection)),
    };
    let output = OutputAudioConfig {
        format: Some(AudioFormat::pcm()),
        voice: Some(Voice::Name(voices::DEFAULT.into())),
        speed: Some(1.0),
    };
    Session {
        kind: Some(SessionKind::Realtime),
        object: Some("realtime.session".into()),
        id: Some(id),
        model: Some("vivavoce-on-device".into()),
        output_modalities: Some(vec![Modality::Audio]),
        instructions: Some(DEFAULT_INSTRUCTIONS.into()),
        tools: Some(Vec::new()),
        tool_choice: Some(protocol::ToolChoice::auto()),
        parallel_tool_calls: None,
        max_output_tokens: Some(MaxTokens::Inf),
        reasoning: None,
        truncation: Some(protocol::Truncation::Word("auto".into())),
        include: Some(None),
        prompt: Some(None),
        tracing: Some(None),
        expires_at: Some(expires_at),
        audio: Some(AudioConfig { input: Some(input), output: Some(output) }),
    }
}

impl EngineCore {
    pub(super) fn handle_update(&mut self, update: &Session) -> Result<(), ApiError> {
        check(update)?;
        let before = self.session.instructions.clone();
        self.session.merge(update);
        match self.turn_detection().cloned() {
            Some(config) => self.hearing.configure(&config),
            None => self.hearing.disable(),
        }
        let session = Box::new(self.session.clone());
        self.send(ServerEvent::SessionUpdated { session });
        if self.session.instructions != before {
            let messages = prompt(self.instructions(), &[]);
            self.prefill(messages);
        }
        Ok(())
    }

    pub(super) fn instructions(&self) -> &str {
        self.session.instructions.as_deref().unwrap_or_default()
    }

    pub(super) fn turn_detection(&self) -> Option<&TurnDetection> {
        self.session.audio.as_ref()?.input.as_ref()?.turn_detection.as_ref()?.as_ref()
    }

    pub(super) fn wants_transcripts(&self) -> bool {
        let input = self.session.audio.as_ref().and_then(|a| a.input.as_ref());
        input.and_then(|i| i.transcription.as_ref()).is_some_and(Option::is_some)
    }

    pub(super) fn create_and_interrupt(&self) -> (bool, bool) {
        match self.turn_detection() {
            Some(
                TurnDetection::ServerVad { create_response, interrupt_response, .. }
                | TurnDetection::SemanticVad { create_response, interrupt_response, .. },
            ) => (create_response.unwrap_or(true), interrupt_response.unwrap_or(true)),
            None => (false, false),
        }
    }

    /// Lets the language model read ahead, unless it is at work on an answer.
    pub(super) fn prefill(&mut self, messages: Vec<crate::stages::Message>) {
        if self.running.is_some() || self.speculation.is_some() {
            return;
        }
        let job = self.job();
        self.prefilling = Some(job);
        self.out.push_back(Output::Prefill { job, messages });
    }
}

/// Finds what this engine cannot do; nothing of an update is applied unless all of it can be.
fn check(update: &Session) -> Result<(), ApiError> {
    let wrong = |code: &str, param: &str, message: String| {
        Err(ApiError { param: Some(param.into()), ..ApiError::invalid_request(code, message) })
    };
    match update.kind {
        None => {
            return wrong(
                "missing_required_parameter",
                "session.type",
                "Missing required parameter: 'session.type'.".into(),
            );
        }
        Some(SessionKind::Transcription) => {
            let words = "Passing a transcription session update event to a realtime session is not allowed.";
            return wrong("invalid_parameter", "session.type", words.into());
        }
        Some(SessionKind::Realtime) => {}
    }
    let Some(audio) = &update.audio else { return Ok(()) };
    let formats = [
        ("session.audio.input.format", audio.input.as_ref().and_then(|i| i.format.as_ref())),
        ("session.audio.output.format", audio.output.as_ref().and_then(|o| o.format.as_ref())),
    ];
    for (param, format) in formats {
        if let Some(format) = format
            && (format.kind != "audio/pcm" || format.rate.is_some_and(|r| r != protocol::SAMPLE_RATE))
        {
            return wrong("invalid_value", param, "This server takes and gives audio/pcm at 24000 Hz.".into());
        }
    }
    let output = audio.output.as_ref();
    if let Some(speed) = output.and_then(|o| o.speed)
        && !(0.25..=1.5).contains(&speed)
    {
        return wrong("invalid_value", "session.audio.output.speed", "Speed is from 0.25 to 1.5.".into());
    }
    Ok(())
}
