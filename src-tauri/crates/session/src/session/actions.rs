//! What the user does, and what follows from it.

use std::{collections::BTreeMap, time::Instant};

use protocol::{
    ClientEvent, ContentPart, Item, Modality, Pcm16, ResponseAudio, ResponseAudioOutput, ResponseConfig, Role, Voice,
};

use super::{LINK, MODELS, PREVIEW, RESPONSE, Session};
use crate::{Action, Interrupt, NoticeAction, Output, Phase, Severity, Speaker, Turns, ViewEvent, conversation::Place};

/// Notice about the talk key.
const KEY: &str = "talk-key";
/// A shorter press is a slip, and a server would refuse it (protocol: commit of at least 100 ms).
const SHORTEST_MS: u64 = 100;
/// An utterance that is kept for a link that is not there yet: two minutes.
const LONGEST_MS: u64 = 120_000;

/// The talk key, and what was said while it was held.
#[derive(Debug, Default)]
pub(super) enum Key {
    #[default]
    Up,
    Down {
        /// Kept until it is told; a lost link must not lose it.
        said: Vec<i16>,
    },
    /// Let go, and not told to any server yet.
    Untold { said: Vec<i16> },
    /// Told, and not answered yet: a link that was dead already has lost it.
    Told { said: Vec<i16> },
}

/// Between two utterances that are told as one.
const GAP_MS: u64 = 400;

impl Key {
    pub fn is_down(&self) -> bool {
        match self {
            Self::Down { .. } => true,
            Self::Up | Self::Untold { .. } | Self::Told { .. } => false,
        }
    }

    /// The server has begun to answer what it was told.
    pub fn handle_answered(&mut self) {
        if matches!(self, Self::Told { .. }) {
            *self = Self::Up;
        }
    }

    /// The link is gone, and with it what was told over it.
    pub fn handle_loss(&mut self) {
        *self = match std::mem::take(self) {
            Self::Told { said } => Self::Untold { said },
            other @ (Self::Up | Self::Down { .. } | Self::Untold { .. }) => other,
        };
    }
}

impl Session {
    pub(super) fn handle_action(&mut self, now: Instant, action: Action) {
        match action {
            Action::StartTalk => {
                if !self.mic_open {
                    self.start_echo_anew();
                }
                self.open_mic();
                self.want_link(now);
            }
            Action::StopTalk => self.stop(),
            Action::Interrupt => {
                // An answer that the server owes and has not begun is not wanted either.
                self.unwanted = self.awaiting_answer && !self.responses.is_busy();
                self.await_answer(None);
                self.interrupt(now);
            }
            Action::SetMuted { muted } => self.muted = muted,
            Action::PressTalk => self.press(now),
            Action::ReleaseTalk => self.release(now),
            Action::ToggleTalk if self.status().talk_key => self.release(now),
            Action::ToggleTalk => self.press(now),
            Action::SendText { text } => self.send_text(now, &text),
            Action::NewConversation => self.start_over(now),
            Action::Retry => self.retry(now),
            Action::DismissNotice { id } => self.hide_notice(&id),
            Action::PreviewVoice { voice } => self.preview(now, voice),
        }
    }

    fn open_mic(&mut self) {
        if !self.mic_open {
            self.mic_open = true;
            self.out.push_back(Output::Mic { open: true });
        }
    }

    pub(super) fn stop(&mut self) {
        if std::mem::take(&mut self.mic_open) {
            self.out.push_back(Output::Mic { open: false });
        }
        self.silence();
        if self.connection.phase != Phase::Idle {
            self.out.push_back(Output::Disconnect);
        }
        self.connection.close();
        self.forget_link();
        self.key = Key::Up;
        self.preview.cancel();
    }

    fn start_over(&mut self, now: Instant) {
        let wanted = self.connection.phase != Phase::Idle;
        self.silence();
        self.forget_link();
        self.key = Key::Up;
        for call_id in self.calls.clear() {
            self.out.push_back(Output::CancelTool { call_id });
        }
        self.conversation.clear();
        self.meter.clear();
        self.preview.cancel();
        self.out.push_back(Output::View(ViewEvent::Cleared));
        if wanted {
            self.out.push_back(Output::Disconnect);
            self.connection.close();
            self.want_link(now);
        }
    }

    fn retry(&mut self, now: Instant) {
        self.hide_notice(LINK);
        self.hide_notice(MODELS);
        self.hide_notice(RESPONSE);
        match self.connection.phase {
            Phase::Idle | Phase::Reconnecting => {
                self.connection.close();
                self.want_link(now);
            }
            Phase::Live if self.conversation.awaits_answer() && !self.responses.is_busy() => self.ask(now),
            Phase::Connecting | Phase::Configuring | Phase::Live => {}
        }
    }

    fn press(&mut self, now: Instant) {
        if self.key.is_down() {
            return;
        }
        self.hide_notice(KEY);
        self.interrupt(now);
        self.open_mic();
        let mut said = match std::mem::take(&mut self.key) {
            Key::Untold { said } => said,
            Key::Up | Key::Down { .. } | Key::Told { .. } => Vec::new(),
        };
        if !said.is_empty() {
            said.resize(said.len() + Pcm16::frames_in(GAP_MS) as usize, 0);
        }
        self.key = Key::Down { said };
        if self.connection.phase == Phase::Live && self.config.turns == Turns::PushToTalk {
            self.send(ClientEvent::InputAudioBufferClear);
        }
        self.want_link(now);
    }

    fn release(&mut self, now: Instant) {
        if !self.key.is_down() {
            return;
        }
        let Key::Down { said } = std::mem::take(&mut self.key) else { return };
        if self.config.turns != Turns::PushToTalk {
            return;
        }
        if Pcm16::ms_in(said.len() as u64) < SHORTEST_MS {
            if self.connection.phase == Phase::Live {
                self.send(ClientEvent::InputAudioBufferClear);
            }
            let words = "Hold the key while you speak, and let go when you have finished.".to_owned();
            self.notify(KEY, Severity::Info, words, NoticeAction::Dismiss);
            // What a tool answered meanwhile still wants to be told.
            if self.conversation.ends_with_output() && !self.calls.is_busy() {
                self.ask(now);
            }
            return;
        }
        self.latency.handle_end_of_turn(now);
        if self.connection.phase == Phase::Live {
            self.key = Key::Told { said };
            self.commit(now);
        } else {
            self.settled = false;
            self.key = Key::Untold { said };
        }
    }

    fn commit(&mut self, now: Instant) {
        self.send(ClientEvent::InputAudioBufferCommit);
        self.ask(now);
    }

    /// Tells a new server what was said with the key while there was none.
    pub(super) fn tell_untold(&mut self, now: Instant) {
        if self.config.turns != Turns::PushToTalk {
            self.key = Key::Up;
            return;
        }
        let (said, over) = match std::mem::take(&mut self.key) {
            Key::Untold { said } => (said, true),
            Key::Down { said } => (said, false),
            other @ (Key::Up | Key::Told { .. }) => {
                self.key = other;
                return;
            }
        };
        for pcm in said.chunks(Pcm16::frames_in(1000) as usize) {
            self.send(ClientEvent::InputAudioBufferAppend { audio: Pcm16(pcm.to_vec()).to_bytes() });
        }
        if over {
            self.key = Key::Told { said };
            self.commit(now);
        } else {
            self.key = Key::Down { said };
        }
    }

    pub(super) fn handle_mic(&mut self, now: Instant, pcm: Pcm16) {
        if !self.mic_open {
            return;
        }
        let by_key = self.config.turns == Turns::PushToTalk;
        if by_key && !self.key.is_down() {
            return;
        }
        // A turn that was begun must be able to end: while muted, the server hears silence.
        let deaf = self.config.interrupt == Interrupt::OnlyKey && !by_key && self.playout.is_playing();
        let pcm = if self.muted || deaf { Pcm16(vec![0; pcm.0.len()]) } else { pcm };
        if let Key::Down { said } = &mut self.key
            && by_key
            && Pcm16::ms_in(said.len() as u64) < LONGEST_MS
        {
            said.extend_from_slice(&pcm.0);
        }
        self.latency.handle_mic(&pcm, now);
        if self.connection.phase == Phase::Live {
            self.held_mic.pass(&pcm);
            self.append(now, &pcm);
        } else if self.connection.is_renewing() && !by_key {
            self.held_mic.hold(&pcm);
        }
    }

    pub(super) fn handle_microphone(&mut self, works: bool) {
        self.mic_works = works;
        if !works && self.user_speaking && self.connection.phase == Phase::Live {
            // No more of this turn will come, so the server would wait for its end.
            self.user_speaking = false;
            self.send(ClientEvent::InputAudioBufferCommit);
        }
    }

    fn send_text(&mut self, now: Instant, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        self.interrupt(now);
        self.hide_notice(RESPONSE);
        self.retried = false;
        self.typed += 1;
        let id = format!("item_typed{}", self.typed);
        let views = self.conversation.add(&id, Speaker::User, Place::End);
        self.show_all(views);
        let view = self.conversation.complete(&id, text);
        self.show_all(view);
        self.latency.handle_text(now);
        self.awaiting_answer = true;
        if self.connection.phase == Phase::Live {
            let part = ContentPart::InputText { text: text.to_owned() };
            let item = Item { id: Some(id), ..Item::message(Role::User, part) };
            self.send(ClientEvent::ConversationItemCreate { previous_item_id: None, item });
            self.ask(now);
        } else {
            // The replay that follows a new link carries the text, and asks for the answer.
            self.settled = false;
            self.want_link(now);
        }
    }

    fn preview(&mut self, now: Instant, voice: String) {
        self.interrupt(now);
        if self.connection.phase == Phase::Live {
            self.ask_preview(now, voice);
        } else {
            self.preview.wait(voice);
            self.want_link(now);
        }
    }

    pub(super) fn ask_preview(&mut self, now: Instant, voice: String) {
        if !self.config.profile.supports_out_of_band {
            let words = "This server cannot give a sample of a voice; choose it, and it speaks in its answers.";
            self.notify("preview", Severity::Info, words.into(), NoticeAction::Dismiss);
            return;
        }
        let text = format!("Hello, I am {}. This is how I sound.", voice_name(&voice));
        let number = self.preview.handle_asked(voice.clone(), now);
        let output = ResponseAudioOutput { format: None, voice: Some(Voice::Name(voice)) };
        let response = ResponseConfig {
            conversation: Some("none".into()),
            output_modalities: Some(vec![Modality::Audio]),
            instructions: Some(format!("Read aloud exactly, verbatim: {text}")),
            input: Some(Vec::new()),
            metadata: Some(BTreeMap::from([(PREVIEW.to_owned(), number.to_string())])),
            audio: Some(ResponseAudio { output: Some(output) }),
            ..ResponseConfig::default()
        };
        self.send(ClientEvent::ResponseCreate { response: Some(Box::new(response)) });
    }
}

/// Returns a voice's own name: `af_heart` is Heart.
fn voice_name(voice: &str) -> String {
    let name = voice.rsplit('_').next().unwrap_or(voice);
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
