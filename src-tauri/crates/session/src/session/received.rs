//! What the server says, and what follows from it.

use std::time::{Duration, Instant};

use protocol::{EngineState, Item, Response, ResponseStatus, Role, ServerEvent};

use super::{MODELS, PREVIEW, RESPONSE, Session, barge_in::Heard};
use crate::{
    ItemState, LoadingView, NoticeAction, Output, Phase, Severity, Speaker, Turns, UsageView, ViewEvent, responses::Say,
};

/// A server that takes a turn and does not begin an answer within this is asked for one (protocol: watchdogs).
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// Responses that have ended and are still known, to be known again.
const FINISHED_KEPT: usize = 32;

impl Session {
    pub(super) fn handle_received(&mut self, now: Instant, event: ServerEvent) {
        if matches!(self.connection.phase, Phase::Idle | Phase::Reconnecting) {
            return;
        }
        if is_proof(&event) {
            self.connection.handle_proof();
        }
        if let Some(response_id) = event.response_id() {
            self.responses.handle_progress(response_id, now);
        }
        match event {
            ServerEvent::ConversationCreated { .. } => self.handle_first_frame(now),
            ServerEvent::SessionCreated { session } => {
                self.model.clone_from(&session.model);
                self.handle_first_frame(now);
            }
            ServerEvent::SessionUpdated { .. } => {
                if self.connection.phase == Phase::Configuring {
                    self.go_live(now);
                }
            }
            ServerEvent::Error { error } => self.handle_error(now, error),
            ServerEvent::EngineStatus { state } => self.handle_engine(now, state),
            ServerEvent::SpeechStarted { item_id, .. } => {
                self.unwanted = false;
                self.user_speaking = true;
                self.retry_at = None;
                if self.may_interrupt(&item_id) {
                    self.silence();
                }
                if let Some(id) = self.preview.cancel() {
                    self.cancel_named(&id);
                }
                let views = self.conversation.add(&item_id, Speaker::User, crate::conversation::Place::End);
                self.show_all(views);
            }
            ServerEvent::SpeechStopped { .. } => {
                self.user_speaking = false;
                self.latency.handle_end_of_turn(now);
            }
            ServerEvent::Committed { item_id, previous_item_id } => {
                self.user_speaking = false;
                self.unwanted = false;
                self.retried = false;
                self.latency.handle_commit(now);
                let decided = !self.is_undecided(&item_id);
                if !decided {
                    self.await_words(now);
                } else if self.asks_itself() {
                    self.ask(now);
                } else if self.config.turns != Turns::PushToTalk {
                    self.awaiting_answer = true;
                    self.answer_due = (!self.config.profile.accounts_for_turns).then(|| now + ANSWER_LIMIT);
                }
                self.place(&item_id, Speaker::User, previous_item_id.as_deref());
            }
            ServerEvent::Cleared => self.user_speaking = false,
            ServerEvent::ItemAdded { previous_item_id, item } => {
                self.recognize(&item);
                if let (Some(id), Some(speaker)) = (&item.id, speaker(&item)) {
                    self.place(id, speaker, previous_item_id.as_deref());
                }
            }
            ServerEvent::ItemDeleted { item_id } => {
                if self.conversation.remove(&item_id) {
                    self.await_answer(None);
                    self.out.push_back(Output::View(ViewEvent::ItemRemoved { id: item_id }));
                }
            }
            ServerEvent::ItemTruncated { item_id, transcript, .. } => {
                if let Some(kept) = transcript {
                    let view = self.conversation.cut(&item_id, kept.chars().count());
                    self.show_all(view);
                }
            }
            ServerEvent::InputTranscriptionDelta { item_id, delta, .. } => {
                let view = self.conversation.append(&item_id, &delta);
                self.show_all(view);
                self.weigh_words(now, &item_id, Heard::InPart);
            }
            ServerEvent::InputTranscriptionUpdated { item_id, transcript, .. } => {
                let view = self.conversation.grow(&item_id, transcript.trim());
                self.show_all(view);
                self.weigh_words(now, &item_id, Heard::InPart);
            }
            ServerEvent::InputTranscriptionCompleted { item_id, transcript, usage, .. } => {
                let view = self.conversation.complete(&item_id, transcript.trim());
                self.show_all(view);
                self.weigh_words(now, &item_id, Heard::Whole);
                let model = self.config.profile.transcription_model.as_deref().unwrap_or_default();
                let usage = usage.and_then(|usage| self.meter.handle_transcription(model, &usage));
                self.show_usage(usage);
            }
            ServerEvent::InputTranscriptionFailed { item_id, error, .. } => {
                // Elsewhere an answer may come all the same: the model hears for itself.
                if self.config.profile.accounts_for_turns {
                    self.await_answer(None);
                }
                self.forget_interruption(&item_id);
                self.weigh_words(now, &item_id, Heard::Whole);
                let view = self.conversation.settle(&item_id, ItemState::Failed);
                self.show_all(view);
                let words = format!("What you said could not be written down: {}", error.message);
                self.notify("transcription", Severity::Warning, words, NoticeAction::Dismiss);
            }
            ServerEvent::ResponseCreated { response } => self.handle_response_created(now, &response),
            ServerEvent::ResponseDone { response } => self.handle_response_done(now, &response),
            ServerEvent::OutputItemAdded { response_id, item, .. } => {
                if self.preview.is(&response_id) {
                    return;
                }
                self.begin_call(&response_id, &item);
                if let (Some(id), Some(speaker)) = (&item.id, speaker(&item)) {
                    let views = self.conversation.add(id, speaker, crate::conversation::Place::End);
                    self.show_all(views);
                }
            }
            ServerEvent::OutputItemDone { response_id, item, .. } => {
                if !self.preview.is(&response_id) {
                    self.complete_call(&response_id, &item);
                }
                if !self.config.profile.supports_cancel_done {
                    let say = self.responses.handle_item_done(&response_id, now);
                    self.say(say);
                }
            }
            ServerEvent::FunctionCallArgumentsDelta { at, delta, .. } => self.grow_call(&at.item_id, &delta),
            ServerEvent::FunctionCallArgumentsDone { at, call_id, name, arguments } => {
                // Some servers tell of a call in this event alone.
                let item = Item {
                    id: Some(at.item_id.clone()),
                    kind: "function_call".into(),
                    call_id: Some(call_id),
                    name,
                    arguments: Some(arguments),
                    ..Item::default()
                };
                self.complete_call(&at.response_id, &item);
            }
            ServerEvent::OutputTextDelta { at, delta } | ServerEvent::OutputTranscriptDelta { at, delta } => {
                if !self.playout.is_dead(&at) {
                    let view = self.conversation.append(&at.item_id, &delta);
                    self.show_all(view);
                }
            }
            ServerEvent::OutputTextDone { at, text } | ServerEvent::OutputTranscriptDone { at, transcript: text } => {
                if !self.playout.is_dead(&at) {
                    let view = self.conversation.complete(&at.item_id, &text);
                    self.show_all(view);
                }
            }
            ServerEvent::OutputAudioDelta { at, delta } => {
                self.link_spoke = true;
                if let Some((voice, ms)) = self.preview.handle_audio(&at.response_id, now) {
                    self.voice_delays.insert(voice.clone(), ms);
                    self.out.push_back(Output::View(ViewEvent::VoiceDelay { voice, ms }));
                }
                if self.speaker_works
                    && let Some((segment, pcm)) = self.playout.receive(&at, &delta)
                {
                    self.latency.handle_audio(now);
                    self.out.push_back(Output::Play { segment, pcm });
                }
            }
            ServerEvent::OutputAudioDone { at } => {
                if let Some(segment) = self.playout.finish(&at) {
                    self.out.push_back(Output::EndSegment { segment });
                }
            }
            ServerEvent::RateLimitsUpdated { rate_limits } => self.handle_limits(&rate_limits),
            ServerEvent::ItemDone { .. }
            | ServerEvent::ItemRetrieved { .. }
            | ServerEvent::ContentPartAdded { .. }
            | ServerEvent::ContentPartDone { .. }
            | ServerEvent::InputTranscriptionSegment { .. }
            | ServerEvent::TimeoutTriggered { .. }
            | ServerEvent::DtmfReceived { .. }
            | ServerEvent::McpCallArgumentsDelta { .. }
            | ServerEvent::McpCallArgumentsDone { .. }
            | ServerEvent::McpCallInProgress { .. }
            | ServerEvent::McpCallCompleted { .. }
            | ServerEvent::McpCallFailed { .. }
            | ServerEvent::McpListToolsInProgress { .. }
            | ServerEvent::McpListToolsCompleted { .. }
            | ServerEvent::McpListToolsFailed { .. }
            | ServerEvent::OutputAudioBufferStarted { .. }
            | ServerEvent::OutputAudioBufferStopped { .. }
            | ServerEvent::OutputAudioBufferCleared { .. }
            | ServerEvent::Unknown(_) => {}
        }
    }

    fn handle_first_frame(&mut self, now: Instant) {
        if self.connection.phase == Phase::Connecting {
            self.connection.handle_first_frame(now);
            if let Some(cap) = self.config.profile.session_cap {
                self.handle_expiry(now, now + Duration::from_secs(cap.into()));
            }
            self.send_config();
        }
    }

    fn handle_engine(&mut self, now: Instant, state: EngineState) {
        match state {
            EngineState::Loading { what, done, total } => {
                self.connection.handle_loading();
                self.loading = Some(LoadingView { what, done, total });
            }
            EngineState::Ready => {
                self.connection.handle_ready(now);
                self.preview.handle_ready(now);
                self.loading = None;
                self.hide_notice(MODELS);
            }
            EngineState::Broken { what, message } => {
                self.loading = None;
                let words = format!("The {what} cannot be used: {message}");
                self.notify(MODELS, Severity::Error, words, NoticeAction::InstallModels);
            }
        }
    }

    /// A server may give what it is told names of its own: its echoes come in the order of the telling.
    fn recognize(&mut self, item: &Item) {
        let Some(id) = &item.id else { return };
        if self.conversation.knows(id) {
            self.told.retain(|told| told != id);
            return;
        }
        let ours = matches!(item.kind.as_str(), "function_call" | "function_call_output") || item.role.is_some();
        let in_progress = item.status.as_deref() == Some("in_progress");
        if ours
            && !in_progress
            && let Some(told) = self.told.pop_front()
        {
            let views = self.conversation.rename(&told, id);
            self.show_all(views);
        }
    }

    fn handle_response_created(&mut self, now: Instant, response: &Response) {
        if is_preview(response) {
            let number = response.metadata.as_ref().and_then(|m| m.get(PREVIEW)?.parse().ok());
            if self.preview.handle_created(&response.id, number) == Say::Cancel {
                self.cancel_named(&response.id);
            }
            return;
        }
        self.await_answer(None);
        self.key.handle_answered();
        self.hide_notice(RESPONSE);
        self.latency.handle_response(now);
        if std::mem::take(&mut self.unwanted) && !self.responses.is_busy() {
            self.responses.handle_created(&response.id, now);
            self.interrupt(now);
            self.playout.bury(response.id.clone());
            return;
        }
        if self.responses.handle_created(&response.id, now) == Say::Cancel {
            self.cancel_named(&response.id);
            if !self.config.profile.supports_cancel {
                let say = self.responses.handle_nothing_to_cancel(now);
                self.say(say);
            }
        }
    }

    fn handle_response_done(&mut self, now: Instant, response: &Response) {
        let preview = is_preview(response);
        if !response.id.is_empty() {
            if self.finished.contains(&response.id) {
                return;
            }
            self.finished.push_back(response.id.clone());
            if self.finished.len() > FINISHED_KEPT {
                self.finished.pop_front();
            }
        }
        let spoke = self.playout.has_of(&response.id)
            || response
                .output
                .iter()
                .any(|i| i.id.as_deref().and_then(|id| self.conversation.text(id)).is_some_and(|t| !t.is_empty()));
        if let Some(usage) = &response.usage {
            let model = self.model.as_deref().or(self.config.profile.model.as_deref()).unwrap_or_default();
            let usage = self.meter.handle_response(model, usage);
            self.show_usage(Some(usage));
        }
        for item in response.output.iter().filter(|item| !preview && item.is_call()) {
            self.complete_call(&response.id, item);
        }
        for id in response.output.iter().filter_map(|item| item.id.as_deref()) {
            if self.conversation.text(id).is_some_and(str::is_empty) && self.conversation.remove(id) {
                // An answer that never got a word is no line of the conversation.
                self.out.push_back(Output::View(ViewEvent::ItemRemoved { id: id.to_owned() }));
            } else {
                let view = self.conversation.settle(id, ItemState::Final);
                self.show_all(view);
            }
        }
        if preview {
            self.preview.handle_done(&response.id);
            return self.tell_failure(now, response, false);
        }
        let wanted = self.responses.active() == Some(response.id.as_str());
        let say = self.responses.handle_done(&response.id, now);
        self.say(say);
        if response.status == ResponseStatus::Completed {
            self.release_calls(now, &response.id);
        } else {
            self.drop_calls(&response.id);
        }
        // What has been said in part would be said again.
        self.tell_failure(now, response, wanted && !spoke);
    }

    fn show_usage(&mut self, usage: Option<UsageView>) {
        self.out.extend(usage.map(|usage| Output::View(ViewEvent::Usage { usage })));
    }
}

fn speaker(item: &Item) -> Option<Speaker> {
    match (item.kind.as_str(), item.role) {
        ("message", Some(Role::User)) => Some(Speaker::User),
        ("message", Some(Role::Assistant)) => Some(Speaker::Assistant),
        _ => None,
    }
}

/// Returns whether a server that says this does more than greet and promise: it has heard or answered.
fn is_proof(event: &ServerEvent) -> bool {
    match event {
        ServerEvent::ConversationCreated { .. }
        | ServerEvent::TimeoutTriggered { .. }
        | ServerEvent::DtmfReceived { .. }
        | ServerEvent::McpCallArgumentsDelta { .. }
        | ServerEvent::McpCallArgumentsDone { .. }
        | ServerEvent::McpCallInProgress { .. }
        | ServerEvent::McpCallCompleted { .. }
        | ServerEvent::McpCallFailed { .. }
        | ServerEvent::McpListToolsInProgress { .. }
        | ServerEvent::McpListToolsCompleted { .. }
        | ServerEvent::McpListToolsFailed { .. }
        | ServerEvent::RateLimitsUpdated { .. }
        | ServerEvent::OutputAudioBufferStarted { .. }
        | ServerEvent::OutputAudioBufferStopped { .. }
        | ServerEvent::OutputAudioBufferCleared { .. }
        | ServerEvent::EngineStatus { .. }
        | ServerEvent::SessionCreated { .. }
        | ServerEvent::SessionUpdated { .. }
        | ServerEvent::Error { .. }
        | ServerEvent::ItemAdded { .. }
        | ServerEvent::ItemDone { .. }
        | ServerEvent::ItemDeleted { .. }
        | ServerEvent::ItemRetrieved { .. }
        | ServerEvent::ItemTruncated { .. }
        | ServerEvent::Cleared
        | ServerEvent::ResponseCreated { .. }
        | ServerEvent::OutputItemAdded { .. }
        | ServerEvent::ContentPartAdded { .. }
        | ServerEvent::Unknown(_) => false,
        ServerEvent::SpeechStarted { .. }
        | ServerEvent::SpeechStopped { .. }
        | ServerEvent::Committed { .. }
        | ServerEvent::InputTranscriptionDelta { .. }
        | ServerEvent::InputTranscriptionCompleted { .. }
        | ServerEvent::InputTranscriptionFailed { .. }
        | ServerEvent::InputTranscriptionUpdated { .. }
        | ServerEvent::InputTranscriptionSegment { .. }
        | ServerEvent::FunctionCallArgumentsDelta { .. }
        | ServerEvent::FunctionCallArgumentsDone { .. }
        | ServerEvent::ResponseDone { .. }
        | ServerEvent::OutputItemDone { .. }
        | ServerEvent::ContentPartDone { .. }
        | ServerEvent::OutputTextDelta { .. }
        | ServerEvent::OutputTextDone { .. }
        | ServerEvent::OutputTranscriptDelta { .. }
        | ServerEvent::OutputTranscriptDone { .. }
        | ServerEvent::OutputAudioDelta { .. }
        | ServerEvent::OutputAudioDone { .. } => true,
    }
}

fn is_preview(response: &Response) -> bool {
    response.metadata.as_ref().is_some_and(|m| m.contains_key(PREVIEW))
}
