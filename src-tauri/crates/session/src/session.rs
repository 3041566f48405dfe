mod actions;
mod barge_in;
mod calls;
mod failures;
mod link;
mod received;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use protocol::{ClientEvent, Pcm16};

use crate::{
    AgentState, Config, Input, LatencyView, LoadingView, NoticeAction, NoticeView, Output, Phase, Severity, Speaker,
    StatusView, View, ViewEvent,
    connection::Connection,
    conversation::{Conversation, Place},
    echo_ladder::EchoLadder,
    latency::Latency,
    playout::{Cut, Playout, heard_chars},
    preview::Preview,
    responses::{ResponseSequencer, Say},
    tools::Calls,
    usage::Meter,
};
use actions::Key;
use barge_in::BargeIn;
pub use barge_in::UNCONFIRMED;
use link::HeldMic;

/// `metadata` key of a response that reads a sample in a voice: the sample's number.
const PREVIEW: &str = "vivavoce_preview";
/// Notice about the link.
const LINK: &str = "link";
/// Notice about the models.
const MODELS: &str = "models";
/// Notice about a talk that has ended by itself.
const QUIET: &str = "quiet";
/// Notice about an answer that did not come.
const RESPONSE: &str = "response";

/// One conversation with one user, over as many links as it takes.
///
/// The owner feeds [`Session::handle`], then drains [`Session::poll`] to `None`, and comes back with
/// [`Input::Timeout`] at [`Session::deadline`].
#[derive(Debug)]
pub struct Session {
    config: Config,
    connection: Connection,
    responses: ResponseSequencer,
    playout: Playout,
    conversation: Conversation,
    calls: Calls,
    latency: Latency,
    last_latency: Option<LatencyView>,
    echo: EchoLadder,
    sound_check: Option<crate::SoundCheckView>,
    meter: Meter,
    voice_delays: BTreeMap<String, u32>,
    notices: BTreeMap<String, NoticeView>,
    mic_open: bool,
    is_recording: bool,
    muted: bool,
    mic_works: bool,
    speaker_works: bool,
    user_speaking: bool,
    barge_in: BargeIn,
    /// The server owes an answer; with a time when it asks for one itself.
    awaiting_answer: bool,
    answer_due: Option<Instant>,
    /// An answer failed for a passing reason and is asked for once more then.
    retry_at: Option<Instant>,
    retried: bool,
    /// The server said so long ago how long a limit lasts.
    limit_reset: Option<std::time::Duration>,
    key: Key,
    held_mic: HeldMic,
    /// The voice that the present link was told, and whether it has spoken.
    link_voice: Option<String>,
    link_spoke: bool,
    /// The model that the server says it is.
    model: Option<String>,
    /// A renewal in a quiet moment: the next link is not asked for an answer.
    settled: bool,
    /// The answer that the server owes is cancelled as soon as it begins.
    unwanted: bool,
    /// Responses that have ended; servers tell of some twice.
    finished: VecDeque<String>,
    /// Items told to the server whose echo is to come.
    told: VecDeque<String>,
    /// When silence must be filled on a server that wants messages.
    ping_at: Option<Instant>,
    /// Since when the microphone is open and nobody says anything.
    quiet_since: Option<Instant>,
    loading: Option<LoadingView>,
    shown: Option<StatusView>,
    typed: u32,
    preview: Preview,
    out: VecDeque<Output>,
}

impl Session {
    /// Returns a session that does nothing yet.
    pub fn new(config: Config) -> Self {
        Self {
            meter: Meter::new(config.prices.clone()),
            config,
            connection: Connection::new(),
            responses: ResponseSequencer::default(),
            playout: Playout::default(),
            conversation: Conversation::default(),
            calls: Calls::default(),
            latency: Latency::default(),
            last_latency: None,
            echo: EchoLadder::default(),
            sound_check: None,
            voice_delays: BTreeMap::new(),
            notices: BTreeMap::new(),
            mic_open: false,
            is_recording: false,
            muted: false,
            mic_works: true,
            speaker_works: true,
            user_speaking: false,
            barge_in: BargeIn::default(),
            awaiting_answer: false,
            answer_due: None,
            retry_at: None,
            retried: false,
            limit_reset: None,
            key: Key::Up,
            held_mic: HeldMic::default(),
            link_voice: None,
            link_spoke: false,
            model: None,
            settled: false,
            unwanted: false,
            finished: VecDeque::new(),
            told: VecDeque::new(),
            ping_at: None,
            quiet_since: None,
            loading: None,
            shown: None,
            typed: 0,
            preview: Preview::default(),
            out: VecDeque::new(),
        }
    }

    /// Takes in what happened at `now`.
    pub fn handle(&mut self, now: Instant, input: Input) {
        match input {
            Input::Action(action) => self.handle_action(now, action),
            Input::LinkClosed(end) => self.handle_link_closed(now, end),
            Input::Received(event) => self.handle_received(now, *event),
            Input::SpareReady => self.connection.handle_spare_ready(),
            Input::SpareLost => self.connection.handle_spare_lost(now),
            Input::ServerChanged => self.change_server(now),
            Input::Expires { at } => self.handle_expiry(now, at),
            Input::ToolResult { call_id, result } => self.handle_tool_result(now, &call_id, result),
            Input::Mic(pcm) => self.handle_mic(now, pcm),
            Input::Heard { segment, frames } => self.handle_heard(now, segment, frames),
            Input::Flushed { generation } => self.handle_flushed(generation),
            Input::Microphone { works } => self.handle_microphone(works),
            Input::Speaker { works } => {
                self.speaker_works = works;
                if !works {
                    let cuts = self.playout.handle_speaker_lost();
                    cuts.into_iter().for_each(|cut| self.truncate(cut));
                }
            }
            Input::Notice(notice) => self.show_notice(notice),
            Input::NoticeGone { id } => self.hide_notice(&id),
            Input::MicDelay { delay } => self.latency.handle_mic_delay(delay),
            Input::Echo(echo) => {
                if self.echo.handle_measure(echo) {
                    self.show_echo();
                }
            }
            Input::SoundCheck(check) => {
                self.sound_check.clone_from(&check);
                self.out.push_back(Output::View(ViewEvent::SoundCheck { check }));
            }
            Input::EchoAnew => self.start_echo_anew(),
            Input::Recording(is_recording) => self.is_recording = is_recording,
            Input::Voice(voice) => self.handle_voice(now, voice),
            Input::Timeout => self.handle_timeout(now),
        }
        self.restore_loudness();
        let quiet = self.mic_open && self.is_quiet();
        self.quiet_since = quiet.then(|| self.quiet_since.unwrap_or(now));
        self.renew_if_quiet(now);
        self.show_status();
    }

    /// Changes voice, tone, tools or turn taking at `now`; tells the server if one listens.
    pub fn configure(&mut self, now: Instant, config: Config) {
        if config == self.config {
            return;
        }
        if config.prices != self.config.prices {
            self.meter = Meter::new(config.prices.clone());
        }
        let other_voice = config.voice != self.config.voice;
        let other_wire = config.profile != self.config.profile || config.codec != self.config.codec;
        self.config = config;
        if other_wire && self.connection.phase == Phase::Live {
            self.renew(now);
        } else if self.connection.phase == Phase::Live {
            if other_voice && self.link_spoke && !self.config.profile.supports_voice_change {
                // The voice is fixed once it has spoken: another session takes over, with the conversation.
                self.connection.want_renewal();
            } else {
                self.send_config();
            }
        }
        self.renew_if_quiet(now);
        self.show_status();
    }

    /// Returns the next thing to be done.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// Returns when [`Input::Timeout`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        let renewal = self.is_quiet().then(|| self.connection.renewal_deadline()).flatten();
        let due = [
            self.connection.deadline(),
            self.connection.last_moment(),
            renewal,
            self.responses.deadline(),
            self.calls.deadline(),
            self.answer_due,
            self.retry_at,
            self.ping_at,
            self.quiet_end(),
            self.barge_in.deadline(),
        ];
        due.into_iter().flatten().min()
    }

    /// Returns all that a window shows that has just opened.
    pub fn view(&self) -> View {
        View {
            status: self.status(),
            items: self.conversation.items(),
            tools: self.conversation.tools(),
            notices: self.notices.values().cloned().collect(),
            latency: self.last_latency.clone(),
            echo: self.echo.view(),
            sound_check: self.sound_check.clone(),
            voice_delays: self.voice_delays.clone(),
            usage: self.meter.view(),
        }
    }

    fn handle_heard(&mut self, now: Instant, segment: crate::SegmentId, frames: u64) {
        let Some(progress) = self.playout.handle_heard(segment, frames) else { return };
        if progress.first
            && let Some(latency) = self.latency.handle_heard(now)
        {
            self.last_latency = Some(latency.clone());
            self.out.push_back(Output::View(ViewEvent::Latency { latency }));
        }
    }

    fn handle_flushed(&mut self, generation: u32) {
        for cut in self.playout.handle_flushed(generation) {
            self.truncate(cut);
        }
    }

    /// Tells the server what was heard, and shows it.
    fn truncate(&mut self, cut: Cut) {
        let heard_ms = Pcm16::ms_in(cut.heard);
        let Some(text) = self.conversation.text(&cut.item_id) else { return };
        let chars = heard_chars(text, cut.heard, cut.received);
        let view = self.conversation.cut(&cut.item_id, chars);
        self.show_all(view);
        if self.connection.phase != Phase::Live || !self.config.profile.supports_truncate {
            return;
        }
        if heard_ms == 0 {
            self.send(ClientEvent::ConversationItemDelete { item_id: cut.item_id });
        } else {
            let (item_id, content_index) = (cut.item_id, cut.content_index);
            self.send(ClientEvent::ConversationItemTruncate { item_id, content_index, audio_end_ms: heard_ms });
        }
    }

    /// Silences the answer and stops its making.
    fn interrupt(&mut self, now: Instant) {
        self.silence();
        let active = self.responses.active().map(str::to_owned);
        if self.responses.cancel(now) == Say::Cancel {
            self.await_answer(None);
            let named = active.is_some();
            self.cancel_response(active.filter(|id| !id.is_empty()));
            if named && !self.config.profile.supports_cancel {
                // The next request stops it.
                self.responses.reset();
            }
        }
        self.retry_at = None;
        if let Some(id) = self.preview.cancel() {
            self.cancel_named(&id);
        }
    }

    /// Stops the making of a response, and drops what of it is still on its way.
    fn cancel_named(&mut self, id: &str) {
        self.playout.bury(id.to_owned());
        self.cancel_response((!id.is_empty()).then(|| id.to_owned()));
    }

    fn cancel_response(&mut self, response_id: Option<String>) {
        if self.config.profile.supports_cancel {
            self.send(ClientEvent::ResponseCancel { response_id });
        }
    }

    /// Silences the answer; the server stops its making by itself when it hears speech.
    fn silence(&mut self) {
        let active = self.responses.active().map(str::to_owned);
        if let Some(generation) = self.playout.interrupt(active.as_deref()) {
            self.out.push_back(Output::Flush { generation });
        }
    }

    /// The server owes an answer, and is asked for it if none has begun at `due`; or it owes none any more.
    fn await_answer(&mut self, due: Option<Instant>) {
        self.awaiting_answer = due.is_some();
        self.answer_due = due;
    }

    /// Asks for an answer, now or when the one that runs has ended.
    fn ask(&mut self, now: Instant) {
        self.answer_due = None;
        self.retry_at = None;
        // Without a link, the replay to the next server asks.
        if self.connection.phase == Phase::Live {
            let say = self.responses.request(now);
            self.say(say);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if due(self.connection.deadline()) {
            self.handle_link_overdue(now);
        }
        if due(self.connection.last_moment()) {
            self.renew_at_last(now);
        }
        if let Some(id) = self.responses.stalled(now).map(str::to_owned) {
            self.cancel_named(&id);
            let words = "The answer broke off: the server has said nothing more of it.".to_owned();
            self.notify(RESPONSE, Severity::Warning, words, NoticeAction::Retry);
        }
        let say = self.responses.handle_timeout(now);
        if say == Say::GaveUp {
            self.await_answer(None);
        }
        self.say(say);
        if due(self.answer_due) || due(self.retry_at) {
            self.ask(now);
        }
        self.handle_overdue_tools(now);
        if due(self.barge_in.deadline()) {
            self.handle_barge_in_over(now);
        }
        if due(self.ping_at) {
            self.fill_silence(now);
        }
        if due(self.quiet_end()) {
            self.stop();
            let words = "Nobody has said anything for a long time, so the talk has ended and the microphone is closed.";
            self.notify(QUIET, Severity::Info, words.into(), NoticeAction::Dismiss);
        }
    }

    /// Returns when the talk ends if nobody says anything until then.
    fn quiet_end(&self) -> Option<Instant> {
        Some(self.quiet_since? + self.config.quiet_limit?)
    }

    fn place(&mut self, id: &str, speaker: Speaker, previous: Option<&str>) {
        let place = previous.map_or(Place::End, Place::Behind);
        let views = self.conversation.add(id, speaker, place);
        self.show_all(views);
        if let Some(previous) = previous {
            let views = self.conversation.reorder(id, previous);
            self.show_all(views);
        }
    }

    fn say(&mut self, say: Say) {
        match say {
            Say::Create => self.send(ClientEvent::ResponseCreate { response: None }),
            Say::GaveUp => {
                let words = "The server took the question and did not answer.".to_owned();
                self.notify(RESPONSE, Severity::Error, words, NoticeAction::Retry);
            }
            Say::Cancel | Say::Nothing => {}
        }
    }

    fn send(&mut self, event: ClientEvent) {
        if let ClientEvent::ConversationItemCreate { item: protocol::Item { id: Some(id), .. }, .. } = &event {
            self.told.push_back(id.clone());
        }
        self.out.push_back(Output::Send(Box::new(event)));
    }

    fn notify(&mut self, id: &str, severity: Severity, text: String, action: NoticeAction) {
        self.show_notice(NoticeView { id: id.to_owned(), severity, text, action });
    }

    fn show_notice(&mut self, notice: NoticeView) {
        if self.notices.get(&notice.id) != Some(&notice) {
            self.notices.insert(notice.id.clone(), notice.clone());
            self.out.push_back(Output::View(ViewEvent::Notice { notice }));
        }
    }

    fn hide_notice(&mut self, id: &str) {
        if self.notices.remove(id).is_some() {
            self.out.push_back(Output::View(ViewEvent::NoticeGone { id: id.to_owned() }));
        }
    }

    fn show_all(&mut self, views: impl IntoIterator<Item = ViewEvent>) {
        self.out.extend(views.into_iter().map(Output::View));
    }

    fn show_status(&mut self) {
        let status = self.status();
        if self.shown.as_ref() != Some(&status) {
            self.shown = Some(status.clone());
            self.out.push_back(Output::View(ViewEvent::Status { status }));
        }
    }

    fn status(&self) -> StatusView {
        let agent = if self.playout.is_playing() {
            AgentState::Speaking
        } else if self.connection.phase == Phase::Idle {
            AgentState::Idle
        } else if !self.is_user_speaking() && self.is_thinking() {
            AgentState::Thinking
        } else if self.mic_open && self.mic_works {
            AgentState::Listening
        } else {
            AgentState::Idle
        };
        // A renewal is nobody's business but ours.
        let phase = if self.connection.is_renewing() { Phase::Live } else { self.connection.phase };
        StatusView {
            phase,
            agent,
            mic_open: self.mic_open,
            is_recording: self.is_recording,
            muted: self.muted,
            user_speaking: self.is_user_speaking(),
            talk_key: self.key.is_down(),
            loading: self.loading.clone(),
        }
    }

    fn is_user_speaking(&self) -> bool {
        self.user_speaking || self.key.is_down()
    }

    fn is_thinking(&self) -> bool {
        self.responses.is_busy() || self.awaiting_answer || self.retry_at.is_some() || self.calls.is_busy()
    }

    /// Panics if the session contradicts itself. For tests.
    #[cfg(test)]
    pub(crate) fn verify_invariants(&self, now: Instant) {
        self.playout.verify_invariants();
        if self.connection.phase == Phase::Idle {
            assert!(!self.responses.is_busy(), "an idle session waits for no answer");
            assert!(self.connection.deadline().is_none(), "an idle link has no deadline");
        }
        let dues = [
            self.connection.deadline(),
            self.connection.last_moment(),
            self.connection.renewal_deadline(),
            self.responses.deadline(),
            self.calls.deadline(),
            self.answer_due,
            self.retry_at,
            self.ping_at,
            self.quiet_end(),
            self.barge_in.deadline(),
        ];
        let late = dues.map(|due| due.is_some_and(|due| due <= now));
        assert!(self.deadline().is_none_or(|due| due > now), "deadline in the past: {late:?}, {:?}", self.connection);
    }
}
