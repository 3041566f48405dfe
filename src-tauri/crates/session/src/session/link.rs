//! The link's life: opening, configuring, losing, renewing.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use protocol::{
    AudioConfig, ClientEvent, Codec, Eagerness, InputAudioConfig, Modality, OutputAudioConfig, Pcm16, SessionKind,
    Tool, ToolChoice, Transcription, TurnDetection, Voice,
};

use super::{LINK, QUIET, Session, actions::Key};
use crate::{LinkEnd, NoticeAction, Output, Phase, Severity, ToolSpec, Turns, connection::AfterLoss};

/// Microphone audio that a renewal may hold up: what is older is stale.
const HELD_MS: u64 = 4000;
/// What a server may not have taken for speech yet when another takes its place; its own prefix padding is as long.
const ONSET_MS: u64 = 300;
/// A server that counts messages alone gets one after so long without (Qwen closes after 300 s).
const PING_EVERY: Duration = Duration::from_secs(60);

/// Microphone audio for the link that takes the place of another: the last moment of the old one, and what is said since.
#[derive(Debug, Default)]
pub(super) struct HeldMic(VecDeque<i16>);

impl HeldMic {
    /// Takes what the link in use was sent as well.
    pub fn pass(&mut self, pcm: &Pcm16) {
        self.0.extend(&pcm.0);
        let most = Pcm16::frames_in(ONSET_MS) as usize;
        self.0.drain(..self.0.len().saturating_sub(most));
    }

    /// Takes what no link could be sent.
    pub fn hold(&mut self, pcm: &Pcm16) {
        if Pcm16::ms_in(self.0.len() as u64) < HELD_MS {
            self.0.extend(&pcm.0);
        }
    }

    pub fn take(&mut self) -> Pcm16 {
        Pcm16(std::mem::take(&mut self.0).into())
    }
}

impl Session {
    pub(super) fn want_link(&mut self, now: Instant) {
        if self.connection.phase == Phase::Idle {
            self.hide_notice(LINK);
            self.hide_notice(QUIET);
            self.connection.open(now);
            self.out.push_back(Output::Connect);
        }
    }

    pub(super) fn handle_link_overdue(&mut self, now: Instant) {
        match self.connection.phase {
            Phase::Reconnecting => {
                self.connection.open(now);
                self.out.push_back(Output::Connect);
            }
            Phase::Connecting | Phase::Configuring => {
                self.out.push_back(Output::Disconnect);
                let end = match self.connection.take_refusal() {
                    Some(words) => LinkEnd::Refused {
                        words: format!("The server refused the settings: {words}"),
                        helps: NoticeAction::OpenSettings,
                    },
                    None => LinkEnd::Lost("the server did not answer".into()),
                };
                self.handle_link_closed(now, end);
            }
            Phase::Idle | Phase::Live => {}
        }
    }

    pub(super) fn handle_link_closed(&mut self, now: Instant, end: LinkEnd) {
        if self.connection.phase == Phase::Idle {
            return;
        }
        let settled = self.is_quiet();
        let unwritten = self.conversation.has_unwritten() && !matches!(self.key, Key::Told { .. });
        let spare = self.connection.has_spare() && !matches!(end, LinkEnd::Refused { .. });
        if spare {
            self.use_spare(now);
        } else {
            self.forget_link();
        }
        if unwritten {
            let words = "The connection was lost before your last words were written down. Please say them again.";
            self.notify("unwritten", Severity::Warning, words.into(), NoticeAction::Dismiss);
        }
        match end {
            LinkEnd::Lost(_) | LinkEnd::Expired if spare => {}
            LinkEnd::Lost(why) => match self.connection.handle_loss(now) {
                AfterLoss::Nothing => {}
                AfterLoss::WillRetry => self.notify(
                    LINK,
                    Severity::Warning,
                    format!("The connection was lost ({why}). Connecting again; nothing you said is lost."),
                    NoticeAction::Retry,
                ),
                AfterLoss::GaveUp => {
                    self.give_up(format!("The connection could not be made again ({why})."), NoticeAction::Retry);
                }
            },
            LinkEnd::Refused { words, helps } => {
                self.connection.close();
                self.give_up(words, helps);
            }
            // One that expires before it has begun would do so again.
            LinkEnd::Expired if self.connection.phase != Phase::Live => {
                self.handle_link_closed(now, LinkEnd::Lost("the session had no time left".into()));
            }
            LinkEnd::Expired => {
                self.settled = settled;
                self.connection.renew(now);
                self.out.push_back(Output::Connect);
            }
        }
    }

    fn give_up(&mut self, words: String, helps: NoticeAction) {
        self.preview.cancel();
        if std::mem::take(&mut self.mic_open) {
            self.out.push_back(Output::Mic { open: false });
        }
        self.notify(LINK, Severity::Error, words, helps);
    }

    pub(super) fn forget_link(&mut self) {
        self.responses.reset();
        self.preview.handle_loss();
        let ended = self.playout.handle_loss();
        self.out.extend(ended.into_iter().map(|segment| Output::EndSegment { segment }));
        let dropped = self.calls.handle_loss();
        self.show_dropped(dropped);
        let views = self.conversation.handle_loss();
        self.show_all(views);
        self.user_speaking = false;
        self.barge_in.handle_loss();
        self.await_answer(None);
        self.retry_at = None;
        self.held_mic = HeldMic::default();
        self.link_voice = None;
        self.link_spoke = false;
        self.settled = false;
        self.unwanted = false;
        self.told.clear();
        self.key.handle_loss();
        self.ping_at = None;
        self.loading = None;
    }

    pub(super) fn go_live(&mut self, now: Instant) {
        self.connection.handle_configured(now);
        self.hide_notice(LINK);
        self.ping_at = self.config.profile.needs_app_ping.then(|| now + PING_EVERY);
        // What tools have answered meanwhile goes with the rest; what they will answer follows.
        self.calls.take_answers();
        let replay = self.conversation.replay(|id| self.calls.holds(id));
        for item in replay {
            self.send(ClientEvent::ConversationItemCreate { previous_item_id: None, item });
        }
        let held = self.held_mic.take();
        if !held.0.is_empty() {
            self.append(now, &held);
        }
        let settled = std::mem::take(&mut self.settled);
        let untold = matches!(self.key, Key::Untold { .. });
        self.tell_untold(now);
        let owed = self.conversation.awaits_answer() && !self.calls.is_busy();
        if owed && !settled && !untold && !self.key.is_down() {
            self.awaiting_answer = true;
            self.ask(now);
        }
        if let Some(voice) = self.preview.take_waiting() {
            self.ask_preview(now, voice);
        }
    }

    pub(super) fn append(&mut self, now: Instant, pcm: &Pcm16) {
        if self.ping_at.is_some() {
            self.ping_at = Some(now + PING_EVERY);
        }
        self.send(ClientEvent::InputAudioBufferAppend { audio: pcm.to_bytes() });
    }

    /// Says nothing, audibly, to a server that hangs up on the silent.
    pub(super) fn fill_silence(&mut self, now: Instant) {
        let silence = Pcm16(vec![0; Pcm16::frames_in(20) as usize]);
        self.append(now, &silence);
    }

    /// Another server takes the place of the one that was talked with, or tried.
    pub(super) fn change_server(&mut self, now: Instant) {
        self.hide_notice(LINK);
        match self.connection.phase {
            Phase::Idle => {}
            Phase::Reconnecting => {
                self.connection.close();
                self.want_link(now);
            }
            Phase::Connecting | Phase::Configuring | Phase::Live => {
                self.silence();
                self.renew(now);
            }
        }
    }

    pub(super) fn handle_expiry(&mut self, now: Instant, at: Instant) {
        if self.config.profile.expires {
            self.connection.handle_expiry(now, at);
        }
    }

    /// Returns whether nobody would notice another link taking this one's place.
    pub(super) fn is_quiet(&self) -> bool {
        !self.is_user_speaking() && !self.is_thinking() && !self.playout.is_playing() && !self.preview.is_busy()
    }

    pub(super) fn renew_if_quiet(&mut self, now: Instant) {
        if !self.is_quiet() {
            return;
        }
        if self.connection.has_spare() {
            self.use_spare(now);
        } else if self.connection.wants_spare(now) {
            self.connection.open_spare();
            self.out.push_back(Output::OpenSpare);
        } else if self.connection.wants_renewal() {
            self.renew(now);
        }
    }

    /// Renews whatever goes on, before the server cuts it off.
    pub(super) fn renew_at_last(&mut self, now: Instant) {
        if self.connection.has_spare() {
            self.use_spare(now);
        } else {
            self.renew(now);
        }
    }

    /// The link beside the one in use takes its place.
    fn use_spare(&mut self, now: Instant) {
        self.take_place(now, [Output::UseSpare]);
    }

    /// Lets another link take this one's place; the conversation goes with it.
    pub(super) fn renew(&mut self, now: Instant) {
        self.take_place(now, [Output::Disconnect, Output::Connect]);
    }

    fn take_place(&mut self, now: Instant, how: impl IntoIterator<Item = Output>) {
        let settled = self.is_quiet();
        self.out.extend(how);
        let held = std::mem::take(&mut self.held_mic);
        self.forget_link();
        self.held_mic = held;
        self.settled = settled;
        self.connection.renew(now);
    }

    pub(super) fn send_config(&mut self) {
        let profile = &self.config.profile;
        let transcription = Transcription {
            model: profile.transcription_model.clone(),
            language: self.config.language.clone(),
            ..Transcription::default()
        };
        let format = |codec: Codec| (codec != Codec::default()).then(|| codec.format());
        let (input_codec, output_codec) = profile.codecs(self.config.codec);
        let input = InputAudioConfig {
            format: format(input_codec),
            transcription: Some(Some(transcription)),
            turn_detection: Some(self.turn_detection()),
            ..InputAudioConfig::default()
        };
        // The same voice once more, after it has spoken, is an error on some servers (protocol: voices).
        let voice = self.config.voice.clone();
        let fixed = self.link_spoke && !profile.supports_voice_change;
        let voice = (!fixed && self.link_voice.as_ref() != Some(&voice) && !voice.is_empty()).then_some(voice);
        if voice.is_some() {
            self.link_voice.clone_from(&voice);
        }
        let output = OutputAudioConfig { format: format(output_codec), voice: voice.map(Voice::Name), speed: None };
        let tools = self.config.tools.iter().map(tool).collect();
        let session = protocol::Session {
            kind: Some(SessionKind::Realtime),
            output_modalities: Some(vec![Modality::Audio]),
            instructions: Some(self.config.instructions.clone()),
            tools: Some(tools),
            tool_choice: Some(ToolChoice::auto()),
            audio: Some(AudioConfig { input: Some(input), output: Some(output) }),
            ..protocol::Session::default()
        };
        self.send(ClientEvent::SessionUpdate { session: Box::new(session) });
    }

    /// Every field that matters is said: partial objects have made servers jumpy (protocol: turn detection).
    fn turn_detection(&self) -> Option<TurnDetection> {
        // Where words decide, one policy decides: ours.
        let own = !self.asks_itself();
        let semantic = |eagerness| TurnDetection::SemanticVad {
            eagerness: Some(eagerness),
            create_response: Some(own),
            interrupt_response: Some(own),
        };
        let by_silence = |silence_duration_ms| TurnDetection::ServerVad {
            threshold: Some(0.5),
            prefix_padding_ms: Some(300),
            silence_duration_ms: Some(silence_duration_ms),
            idle_timeout_ms: None,
            create_response: Some(own),
            interrupt_response: Some(own),
        };
        match (self.config.turns, self.config.profile.semantic_vad) {
            (Turns::PushToTalk, _) => None,
            (Turns::Semantic, true) => Some(semantic(Eagerness::Auto)),
            (Turns::Patient, true) => Some(semantic(Eagerness::Low)),
            (Turns::Silence, _) | (Turns::Semantic, false) => Some(by_silence(500)),
            (Turns::Patient, false) => Some(by_silence(1200)),
        }
    }
}

fn tool(spec: &ToolSpec) -> Tool {
    Tool::Function {
        name: spec.name.clone(),
        description: Some(spec.description.clone()),
        parameters: Some(spec.parameters.clone()),
    }
}
