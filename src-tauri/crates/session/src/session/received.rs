//! What the server says, and what follows from it.

use std::time::Instant;

use protocol::{ApiError, ClientEvent, EngineState, Item, Response, ResponseStatus, Role, ServerEvent};

use super::{LINK, MODELS, PREVIEW, Session};
use crate::{
    ItemState, LinkEnd, LoadingView, NoticeAction, Output, Phase, Severity, Speaker, ViewEvent, conversation::Place,
    responses::Say,
};

/// Errors that another try would only repeat (protocol: errors, "fatal").
const FATAL: &[&str] = &[
    "invalid_api_key",
    "insufficient_quota",
    "account_deactivated",
    "billing_hard_limit_reached",
    "invalid_model",
    "model_not_found",
    "beta_api_shape_disabled",
];

impl Session {
    pub(super) fn handle_received(&mut self, now: Instant, event: ServerEvent) {
        if matches!(self.connection.phase, Phase::Idle | Phase::Reconnecting) {
            return;
        }
        if is_proof(&event) {
            self.connection.handle_proof();
        }
        match event {
            ServerEvent::SessionCreated { .. } => {
                if self.connection.phase == Phase::Connecting {
                    self.connection.handle_first_frame(now);
                    self.send_config();
                }
            }
            ServerEvent::SessionUpdated { .. } => {
                if self.connection.phase == Phase::Configuring {
                    self.go_live(now);
                }
            }
            ServerEvent::Error { error } => self.handle_error(now, error),
            ServerEvent::EngineStatus { state } => self.handle_engine(now, state),
            ServerEvent::SpeechStarted { item_id, .. } => {
                self.user_speaking = true;
                self.silence();
                if let Some(id) = self.preview.cancel() {
                    self.cancel_named(&id);
                }
                let views = self.conversation.add(&item_id, Speaker::User, Place::End);
                self.show_items(views);
            }
            ServerEvent::SpeechStopped { .. } => {
                self.user_speaking = false;
                self.latency.handle_end_of_turn(now);
            }
            ServerEvent::Committed { item_id, previous_item_id } => {
                self.user_speaking = false;
                self.awaiting_answer = true;
                self.place(&item_id, Speaker::User, previous_item_id.as_deref());
            }
            ServerEvent::Cleared => self.user_speaking = false,
            ServerEvent::ItemAdded { previous_item_id, item } => {
                if let (Some(id), Some(speaker)) = (&item.id, speaker(&item)) {
                    self.place(id, speaker, previous_item_id.as_deref());
                }
            }
            ServerEvent::ItemDeleted { item_id } => {
                if self.conversation.remove(&item_id) {
                    self.awaiting_answer = false;
                    self.out.push_back(Output::View(ViewEvent::ItemRemoved { id: item_id }));
                }
            }
            ServerEvent::ItemTruncated { item_id, transcript, .. } => {
                if let Some(kept) = transcript {
                    let view = self.conversation.cut(&item_id, kept.chars().count());
                    self.show_items(view);
                }
            }
            ServerEvent::InputTranscriptionDelta { item_id, delta, .. } => {
                let view = self.conversation.append(&item_id, &delta);
                self.show_items(view);
            }
            ServerEvent::InputTranscriptionCompleted { item_id, transcript, .. } => {
                let view = self.conversation.complete(&item_id, transcript.trim());
                self.show_items(view);
            }
            ServerEvent::InputTranscriptionFailed { item_id, error, .. } => {
                self.awaiting_answer = false;
                let view = self.conversation.settle(&item_id, ItemState::Failed);
                self.show_items(view);
                let words = format!("What you said could not be written down: {}", error.message);
                self.notify("transcription", Severity::Warning, words, NoticeAction::Dismiss);
            }
            ServerEvent::ResponseCreated { response } => self.handle_response_created(now, &response),
            ServerEvent::ResponseDone { response } => self.handle_response_done(now, &response),
            ServerEvent::OutputItemAdded { response_id, item, .. } => {
                if !self.preview.is(&response_id)
                    && let (Some(id), Some(speaker)) = (&item.id, speaker(&item))
                {
                    let views = self.conversation.add(id, speaker, Place::End);
                    self.show_items(views);
                }
            }
            ServerEvent::OutputTextDelta { at, delta } | ServerEvent::OutputTranscriptDelta { at, delta } => {
                if !self.playout.is_dead(&at) {
                    let view = self.conversation.append(&at.item_id, &delta);
                    self.show_items(view);
                }
            }
            ServerEvent::OutputTextDone { at, text } | ServerEvent::OutputTranscriptDone { at, transcript: text } => {
                if !self.playout.is_dead(&at) {
                    let view = self.conversation.complete(&at.item_id, &text);
                    self.show_items(view);
                }
            }
            ServerEvent::OutputAudioDelta { at, delta } => {
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
            ServerEvent::ConversationCreated { .. }
            | ServerEvent::InputTranscriptionUpdated { .. }
            | ServerEvent::InputTranscriptionSegment { .. }
            | ServerEvent::TimeoutTriggered { .. }
            | ServerEvent::DtmfReceived { .. }
            | ServerEvent::FunctionCallArgumentsDelta { .. }
            | ServerEvent::FunctionCallArgumentsDone { .. }
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
            | ServerEvent::ItemDone { .. }
            | ServerEvent::ItemRetrieved { .. }
            | ServerEvent::OutputItemDone { .. }
            | ServerEvent::ContentPartAdded { .. }
            | ServerEvent::ContentPartDone { .. }
            | ServerEvent::Unknown(_) => {}
        }
    }

    fn go_live(&mut self, now: Instant) {
        self.connection.handle_configured(now);
        self.hide_notice(LINK);
        for item in self.conversation.replay() {
            self.send(ClientEvent::ConversationItemCreate { previous_item_id: None, item });
        }
        if self.conversation.awaits_answer() {
            self.awaiting_answer = true;
            let say = self.responses.request(now);
            self.say(say);
        }
        if let Some(voice) = self.preview.take_waiting() {
            self.ask_preview(now, voice);
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

    fn handle_error(&mut self, now: Instant, error: ApiError) {
        match error.code_or_kind() {
            "response_cancel_not_active" => {
                let say = self.responses.handle_nothing_to_cancel(now);
                self.say(say);
            }
            "input_audio_buffer_commit_empty" | "unsupported_content_type" => {}
            "conversation_already_has_active_response" => self.responses.handle_already_active(),
            code if FATAL.contains(&code) => {
                self.out.push_back(Output::Disconnect);
                self.handle_link_closed(now, LinkEnd::Refused(error.message));
            }
            _ => {
                if self.connection.phase == Phase::Configuring {
                    self.out.push_back(Output::Disconnect);
                    let words = format!("The server refused the settings: {}", error.message);
                    self.handle_link_closed(now, LinkEnd::Refused(words));
                    return;
                }
                self.notify("server", Severity::Warning, error.message, NoticeAction::Dismiss);
            }
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
        self.awaiting_answer = false;
        self.latency.handle_response(now);
        if self.responses.handle_created(&response.id, now) == Say::Cancel {
            self.cancel_named(&response.id);
        }
    }

    fn handle_response_done(&mut self, now: Instant, response: &Response) {
        for id in response.output.iter().filter_map(|item| item.id.as_deref()) {
            if self.conversation.text(id).is_some_and(str::is_empty) && self.conversation.remove(id) {
                // An answer that never got a word is no line of the conversation.
                self.out.push_back(Output::View(ViewEvent::ItemRemoved { id: id.to_owned() }));
            } else {
                let view = self.conversation.settle(id, ItemState::Final);
                self.show_items(view);
            }
        }
        if is_preview(response) {
            self.preview.handle_done(&response.id);
        } else {
            let say = self.responses.handle_done(&response.id, now);
            self.say(say);
        }
        if response.status == ResponseStatus::Failed {
            let message = response.status_details.as_ref().and_then(|d| d.error.as_ref()).map(|e| e.message.clone());
            let words = message.unwrap_or_else(|| "The server gave no reason.".into());
            self.notify("response", Severity::Error, format!("No answer: {words}"), NoticeAction::Dismiss);
        }
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
        | ServerEvent::InputTranscriptionUpdated { .. }
        | ServerEvent::InputTranscriptionSegment { .. }
        | ServerEvent::TimeoutTriggered { .. }
        | ServerEvent::DtmfReceived { .. }
        | ServerEvent::FunctionCallArgumentsDelta { .. }
        | ServerEvent::FunctionCallArgumentsDone { .. }
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
