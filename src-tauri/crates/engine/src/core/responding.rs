//! Which response runs: asked for, begun ahead of the turn's end, interrupted.

use std::collections::VecDeque;

use protocol::{ApiError, MaxTokens, Modality, ResponseConfig, ToolChoice};

use super::{
    EngineCore, Job, Output,
    context::prompt,
    response::{End, Plan, Running},
};
use crate::stages::{Finish, Message, Request};

/// Asks for words as they are; the API's own idiom for speech without a language model (protocol: speech).
const VERBATIM: &str = "Read aloud exactly, verbatim: ";

impl EngineCore {
    pub(super) fn create_response(
        &mut self,
        event_id: Option<String>,
        config: Box<ResponseConfig>,
    ) -> Result<(), ApiError> {
        let beside = config.conversation.as_deref() == Some("none");
        if !beside {
            if let Some(active) = &self.running {
                let words = format!(
                    "Conversation already has an active response in progress: {}. Wait until the response is finished before creating a new one.",
                    active.plan.response_id
                );
                return Err(ApiError::invalid_request("conversation_already_has_active_response", words));
            }
            if self.hearing.is_waiting() {
                // The words of the turn before are on their way.
                self.queued_create = Some((event_id, config));
                return Ok(());
            }
            self.drop_speculation();
        }
        let items = match &config.input {
            Some(input) => self.context.resolve(input),
            None => Vec::new(),
        };
        let instructions = config.instructions.clone().unwrap_or_else(|| self.instructions().to_owned());
        let plan = self.plan(&config);
        let job = self.job();
        let mut running = Running::new(job, plan);
        running.begin(&mut self.out);
        if let Some(text) = instructions.strip_prefix(VERBATIM) {
            running.handle_text(text, &mut self.out);
            running.handle_text_done(Ok(Finish::default()), &mut self.out);
        } else {
            let messages =
                if config.input.is_some() { prompt(&instructions, &items) } else { self.context.prompt(&instructions) };
            self.generate(job, messages, &config);
        }
        if beside {
            self.beside.push(running);
        } else {
            self.running = Some(running);
        }
        // Nothing to say is said at once.
        self.finish_ended();
        Ok(())
    }

    /// Runs a request that waited for the user's words.
    pub(super) fn create_queued(&mut self) {
        if self.hearing.is_waiting() || self.running.is_some() {
            return;
        }
        if let Some((event_id, config)) = self.queued_create.take()
            && let Err(error) = self.create_response(event_id.clone(), config)
        {
            self.send(protocol::ServerEvent::Error { error: ApiError { event_id, ..error } });
        }
    }

    /// Ends a request that waited for words and got none: an answer would be one to what was said before.
    pub(super) fn answer_nothing(&mut self) {
        let Some((_, config)) = self.queued_create.take() else { return };
        if self.running.is_some() {
            return;
        }
        let plan = self.plan(&config);
        let job = self.job();
        let mut running = Running::new(job, plan);
        running.begin(&mut self.out);
        running.handle_text_done(Ok(Finish::default()), &mut self.out);
        self.end(running, &End::Completed);
    }

    /// Begins an answer in the closing silence of a turn, ahead of the decision that it is over.
    pub(super) fn speculate(&mut self, words: &str) {
        let (create, _) = self.create_and_interrupt();
        if !self.ahead.answer
            || !create
            || words.trim().is_empty()
            || self.running.is_some()
            || self.speculation.is_some()
        {
            return;
        }
        let messages = self.context.prompt_with(self.instructions(), words.trim());
        let plan = self.plan(&ResponseConfig::default());
        let job = self.job();
        let mut running = Running::new(job, plan);
        running.hold(words.trim().to_owned());
        running.begin(&mut self.out);
        self.generate(job, messages, &ResponseConfig::default());
        self.speculation = Some(running);
    }

    /// Answers a committed turn: with what was begun ahead if it fits, else anew.
    pub(super) fn answer(&mut self, words: &str) {
        if self.running.is_some() {
            self.drop_speculation();
            self.queued_create = Some((None, Box::default()));
            return;
        }
        match self.speculation.take() {
            Some(mut running) if running.answers.as_deref() == Some(words) => {
                running.release(self.context.last_id(), &mut self.out);
                self.running = Some(running);
                self.finish_ended();
            }
            other => {
                self.speculation = other;
                self.drop_speculation();
                // Free to run: checked above.
                let _ = self.create_response(None, Box::default());
            }
        }
    }

    pub(super) fn drop_speculation(&mut self) {
        if let Some(dropped) = self.speculation.take() {
            self.out.push_back(Output::Cancel { job: dropped.job });
        }
    }

    /// The user speaks: the answer that runs is of no use any more.
    pub(super) fn interrupt(&mut self) {
        self.drop_speculation();
        self.queued_create = None;
        if let Some(running) = self.running.take() {
            self.end(running, &End::Cancelled { reason: "turn_detected" });
        }
    }

    pub(super) fn cancel_response(&mut self, id: Option<&str>) -> Result<(), ApiError> {
        let fits = |r: &Running| id.is_none_or(|id| r.plan.response_id == id);
        let end = End::Cancelled { reason: "client_cancelled" };
        if let Some(running) = self.running.take_if(|r| fits(r)) {
            self.end(running, &end);
            return Ok(());
        }
        if let Some(index) = self.beside.iter().position(|r| id.is_some() && fits(r)) {
            let running = self.beside.remove(index);
            self.end(running, &end);
            return Ok(());
        }
        if self.queued_create.take().is_some() {
            return Ok(());
        }
        let words = "Cancellation failed: no active response found";
        Err(ApiError::invalid_request("response_cancel_not_active", words))
    }

    /// Lets a response take in what a stage reports, and ends it when all of it has been said.
    pub(super) fn with_response(&mut self, job: Job, handle: impl FnOnce(&mut Running, &mut VecDeque<Output>)) {
        let running =
            self.running.iter_mut().chain(&mut self.speculation).chain(&mut self.beside).find(|r| r.job == job);
        if let Some(running) = running {
            handle(running, &mut self.out);
            self.finish_ended();
        }
    }

    fn finish_ended(&mut self) {
        if let Some(running) = self.running.take_if(|r| r.end().is_some()) {
            let end = running.end().unwrap_or(End::Completed);
            self.end(running, &end);
        }
        while let Some(index) = self.beside.iter().position(|r| r.end().is_some()) {
            let running = self.beside.remove(index);
            let end = running.end().unwrap_or(End::Completed);
            self.end(running, &end);
        }
        if self.running.is_none() {
            self.create_queued();
        }
    }

    fn end(&mut self, running: Running, end: &End) {
        debug_assert!(!running.is_held(), "a held response is dropped, never ended");
        if !matches!(end, End::Completed) {
            self.out.push_back(Output::Cancel { job: running.job });
        }
        let in_conversation = running.plan.conversation_id.is_some();
        for (item, spoken) in running.finish(end, &mut self.out) {
            // A call that was cut off will never be answered.
            if !in_conversation || item.is_call() && item.status.as_deref() != Some("completed") {
                continue;
            }
            self.context.push(item);
            if let Some(entry) = self.context.last_id().and_then(|id| self.context.get_mut(&id)) {
                entry.spoken = spoken;
            }
        }
    }

    fn generate(&mut self, job: Job, messages: Vec<Message>, config: &ResponseConfig) {
        if let Some(prefill) = self.prefilling.take() {
            self.out.push_back(Output::Cancel { job: prefill });
        }
        let session = &self.session;
        let max_tokens = match config.max_output_tokens.or(session.max_output_tokens) {
            Some(MaxTokens::Count(n)) => Some(n),
            Some(MaxTokens::Inf) | None => None,
        };
        let choice = config.tool_choice.as_ref().or(session.tool_choice.as_ref());
        let tool_choice = choice.cloned().unwrap_or_else(ToolChoice::auto);
        let none = tool_choice == ToolChoice::Word("none".into());
        let tools = config.tools.as_ref().or(session.tools.as_ref()).filter(|_| !none).cloned().unwrap_or_default();
        self.out.push_back(Output::Generate { job, request: Request { messages, tools, tool_choice, max_tokens } });
    }

    fn plan(&mut self, config: &ResponseConfig) -> Plan {
        let modalities = config.output_modalities.as_ref().or(self.session.output_modalities.as_ref());
        let text = modalities.is_some_and(|m| m.contains(&Modality::Text) && !m.contains(&Modality::Audio));
        let modality = if text { Modality::Text } else { Modality::Audio };
        let output = self.session.audio.as_ref().and_then(|a| a.output.as_ref());
        let asked = config.audio.as_ref().and_then(|a| a.output.as_ref()).and_then(|o| o.voice.as_ref());
        let voice = asked.or(output.and_then(|o| o.voice.as_ref()));
        let voice = voice.map_or(crate::voices::DEFAULT, |v| v.as_str()).to_owned();
        let speed = output.and_then(|o| o.speed).unwrap_or(1.0);
        let beside = config.conversation.as_deref() == Some("none");
        Plan {
            response_id: self.name("resp"),
            item_id: self.name("item"),
            conversation_id: (!beside).then(|| format!("conv_{}", self.seed)),
            modality,
            voice,
            speed,
            metadata: config.metadata.clone(),
            previous_item_id: if beside { None } else { self.context.last_id() },
        }
    }
}
