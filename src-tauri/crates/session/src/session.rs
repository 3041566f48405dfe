mod received;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use protocol::{
    AudioConfig, ClientEvent, ContentPart, InputAudioConfig, Item, Modality, OutputAudioConfig, Pcm16, ResponseAudio,
    ResponseAudioOutput, ResponseConfig, Role, SessionKind, Transcription, TurnDetection, Voice,
};

use crate::{
    Action, AgentState, Config, Input, ItemView, LatencyView, LinkEnd, LoadingView, NoticeAction, NoticeView, Output,
    Phase, Severity, Speaker, StatusView, View, ViewEvent,
    connection::{AfterLoss, Connection},
    conversation::{Conversation, Place},
    latency::Latency,
    playout::{Cut, Playout, heard_chars},
    preview::Preview,
    responses::{ResponseSequencer, Say},
};

/// `metadata` key of a response that reads a sample in a voice: the sample's number.
const PREVIEW: &str = "vivavoce_preview";
/// Notice about the link.
const LINK: &str = "link";
/// Notice about the models.
const MODELS: &str = "models";

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
    latency: Latency,
    last_latency: Option<LatencyView>,
    voice_delays: BTreeMap<String, u32>,
    notices: BTreeMap<String, NoticeView>,
    mic_open: bool,
    muted: bool,
    mic_works: bool,
    speaker_works: bool,
    user_speaking: bool,
    awaiting_answer: bool,
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
            config,
            connection: Connection::new(),
            responses: ResponseSequencer::default(),
            playout: Playout::default(),
            conversation: Conversation::default(),
            latency: Latency::default(),
            last_latency: None,
            voice_delays: BTreeMap::new(),
            notices: BTreeMap::new(),
            mic_open: false,
            muted: false,
            mic_works: true,
            speaker_works: true,
            user_speaking: false,
            awaiting_answer: false,
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
            Input::Timeout => self.handle_timeout(now),
        }
        self.show_status();
    }

    /// Changes voice, tone or transcription; tells the server if one listens.
    pub fn configure(&mut self, config: Config) {
        if config == self.config {
            return;
        }
        self.config = config;
        if self.connection.phase == Phase::Live {
            self.send_config();
        }
    }

    /// Returns the next thing to be done.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// Returns when [`Input::Timeout`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        [self.connection.deadline(), self.responses.deadline()].into_iter().flatten().min()
    }

    /// Returns all that a window shows that has just opened.
    pub fn view(&self) -> View {
        View {
            status: self.status(),
            items: self.conversation.views(),
            notices: self.notices.values().cloned().collect(),
            latency: self.last_latency.clone(),
            voice_delays: self.voice_delays.clone(),
        }
    }

    fn handle_action(&mut self, now: Instant, action: Action) {
        match action {
            Action::StartTalk => {
                if !self.mic_open {
                    self.mic_open = true;
                    self.out.push_back(Output::Mic { open: true });
                }
                self.want_link(now);
            }
            Action::StopTalk => self.stop(),
            Action::Interrupt => self.interrupt(now),
            Action::SetMuted { muted } => self.muted = muted,
            Action::SendText { text } => self.send_text(now, &text),
            Action::NewConversation => self.start_over(now),
            Action::Retry => {
                self.hide_notice(LINK);
                self.hide_notice(MODELS);
                if matches!(self.connection.phase, Phase::Idle | Phase::Reconnecting) {
                    self.connection.close();
                    self.want_link(now);
                }
            }
            Action::DismissNotice { id } => self.hide_notice(&id),
            Action::PreviewVoice { voice } => self.preview(now, voice),
        }
    }

    fn stop(&mut self) {
        if std::mem::take(&mut self.mic_open) {
            self.out.push_back(Output::Mic { open: false });
        }
        self.silence();
        if self.connection.phase != Phase::Idle {
            self.out.push_back(Output::Disconnect);
        }
        self.connection.close();
        self.forget_link();
        self.preview.cancel();
    }

    fn start_over(&mut self, now: Instant) {
        let wanted = self.connection.phase != Phase::Idle;
        self.silence();
        self.forget_link();
        self.conversation.clear();
        self.preview.cancel();
        self.out.push_back(Output::View(ViewEvent::Cleared));
        if wanted {
            self.out.push_back(Output::Disconnect);
            self.connection.close();
            self.want_link(now);
        }
    }

    fn send_text(&mut self, now: Instant, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        self.interrupt(now);
        self.typed += 1;
        let id = format!("item_typed{}", self.typed);
        let views = self.conversation.add(&id, Speaker::User, Place::End);
        self.show_items(views);
        let view = self.conversation.complete(&id, text);
        self.show_items(view);
        self.latency.handle_text(now);
        self.awaiting_answer = true;
        if self.connection.phase == Phase::Live {
            let part = ContentPart::InputText { text: text.to_owned() };
            let item = Item { id: Some(id), ..Item::message(Role::User, part) };
            self.send(ClientEvent::ConversationItemCreate { previous_item_id: None, item });
            let say = self.responses.request(now);
            self.say(say);
        } else {
            // The replay that follows a new link carries the text, and asks for the answer.
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

    fn ask_preview(&mut self, now: Instant, voice: String) {
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

    fn want_link(&mut self, now: Instant) {
        if self.connection.phase == Phase::Idle {
            self.hide_notice(LINK);
            self.connection.open(now);
            self.out.push_back(Output::Connect);
        }
    }

    fn handle_link_closed(&mut self, now: Instant, end: LinkEnd) {
        if self.connection.phase == Phase::Idle {
            return;
        }
        self.forget_link();
        let views = self.conversation.handle_loss();
        self.show_items(views);
        match end {
            LinkEnd::Lost(why) => match self.connection.handle_loss(now) {
                AfterLoss::Nothing => {}
                AfterLoss::WillRetry => self.notify(
                    LINK,
                    Severity::Warning,
                    format!("The connection was lost ({why}). Connecting again; nothing you said is lost."),
                    NoticeAction::Retry,
                ),
                AfterLoss::GaveUp => self.give_up(format!("The connection could not be made again ({why}).")),
            },
            LinkEnd::Refused(why) => {
                self.connection.close();
                self.give_up(why);
            }
        }
    }

    fn handle_microphone(&mut self, works: bool) {
        self.mic_works = works;
        if !works && self.user_speaking && self.connection.phase == Phase::Live {
            // No more of this turn will come, so the server would wait for its end.
            self.user_speaking = false;
            self.send(ClientEvent::InputAudioBufferCommit);
        }
    }

    fn give_up(&mut self, words: String) {
        self.preview.cancel();
        if std::mem::take(&mut self.mic_open) {
            self.out.push_back(Output::Mic { open: false });
        }
        self.notify(LINK, Severity::Error, words, NoticeAction::Retry);
    }

    fn forget_link(&mut self) {
        self.responses.reset();
        self.preview.handle_loss();
        let ended = self.playout.handle_loss();
        self.out.extend(ended.into_iter().map(|segment| Output::EndSegment { segment }));
        self.user_speaking = false;
        self.awaiting_answer = false;
        self.loading = None;
    }

    fn handle_mic(&mut self, now: Instant, pcm: Pcm16) {
        if self.connection.phase != Phase::Live || !self.mic_open {
            return;
        }
        // A turn that was begun must be able to end: while muted, the server hears silence.
        let pcm = if self.muted { Pcm16(vec![0; pcm.0.len()]) } else { pcm };
        self.latency.handle_mic(&pcm, now);
        self.send(ClientEvent::InputAudioBufferAppend { audio: pcm.to_bytes() });
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
        self.show_items(view);
        if self.connection.phase != Phase::Live {
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
            self.awaiting_answer = false;
            self.send(ClientEvent::ResponseCancel { response_id: active.filter(|id| !id.is_empty()) });
        }
        if let Some(id) = self.preview.cancel() {
            self.cancel_named(&id);
        }
    }

    /// Stops the making of a response, and drops what of it is still on its way.
    fn cancel_named(&mut self, id: &str) {
        self.playout.bury(id.to_owned());
        self.send(ClientEvent::ResponseCancel { response_id: (!id.is_empty()).then(|| id.to_owned()) });
    }

    /// Silences the answer; the server stops its making by itself when it hears speech.
    fn silence(&mut self) {
        let active = self.responses.active().map(str::to_owned);
        if let Some(generation) = self.playout.interrupt(active.as_deref()) {
            self.out.push_back(Output::Flush { generation });
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.connection.deadline().is_some_and(|due| due <= now) {
            match self.connection.phase {
                Phase::Reconnecting => {
                    self.connection.open(now);
                    self.out.push_back(Output::Connect);
                }
                Phase::Connecting | Phase::Configuring => {
                    self.out.push_back(Output::Disconnect);
                    self.handle_link_closed(now, LinkEnd::Lost("the server did not answer".into()));
                }
                Phase::Idle | Phase::Live => {}
            }
        }
        let busy = self.responses.is_busy();
        let say = self.responses.handle_timeout(now);
        if busy && !self.responses.is_busy() {
            self.awaiting_answer = false;
        }
        self.say(say);
    }

    fn send_config(&mut self) {
        let transcription =
            Transcription { model: self.config.transcription_model.clone(), ..Transcription::default() };
        let turns = TurnDetection::SemanticVad {
            eagerness: Some(protocol::Eagerness::Auto),
            create_response: Some(true),
            interrupt_response: Some(true),
        };
        let input = InputAudioConfig {
            transcription: Some(Some(transcription)),
            turn_detection: Some(Some(turns)),
            ..InputAudioConfig::default()
        };
        let output =
            OutputAudioConfig { voice: Some(Voice::Name(self.config.voice.clone())), ..OutputAudioConfig::default() };
        let session = protocol::Session {
            kind: Some(SessionKind::Realtime),
            output_modalities: Some(vec![Modality::Audio]),
            instructions: Some(self.config.instructions.clone()),
            audio: Some(AudioConfig { input: Some(input), output: Some(output) }),
            ..protocol::Session::default()
        };
        self.send(ClientEvent::SessionUpdate { session: Box::new(session) });
    }

    fn place(&mut self, id: &str, speaker: Speaker, previous: Option<&str>) {
        let place = previous.map_or(Place::End, Place::Behind);
        let views = self.conversation.add(id, speaker, place);
        self.show_items(views);
        if let Some(previous) = previous {
            let views = self.conversation.reorder(id, previous);
            self.show_items(views);
        }
    }

    fn say(&mut self, say: Say) {
        match say {
            Say::Create => self.send(ClientEvent::ResponseCreate { response: None }),
            Say::Cancel | Say::Nothing => {}
        }
    }

    fn send(&mut self, event: ClientEvent) {
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

    fn show_items(&mut self, views: impl IntoIterator<Item = ItemView>) {
        self.out.extend(views.into_iter().map(|item| Output::View(ViewEvent::Item { item })));
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
        } else if !self.user_speaking && (self.responses.is_busy() || self.awaiting_answer) {
            AgentState::Thinking
        } else if self.mic_open && self.mic_works {
            AgentState::Listening
        } else {
            AgentState::Idle
        };
        StatusView {
            phase: self.connection.phase,
            agent,
            mic_open: self.mic_open,
            muted: self.muted,
            user_speaking: self.user_speaking,
            loading: self.loading.clone(),
        }
    }

    /// Panics if the session contradicts itself. For tests.
    #[cfg(test)]
    pub(crate) fn verify_invariants(&self, now: Instant) {
        self.playout.verify_invariants();
        if self.connection.phase == Phase::Idle {
            assert!(!self.responses.is_busy(), "an idle session waits for no answer");
            assert!(self.connection.deadline().is_none(), "an idle link has no deadline");
        }
        assert!(self.deadline().is_none_or(|due| due > now), "deadline in the past: {self:?}");
    }
}

/// Returns a voice's own name: `af_heart` is Heart.
fn voice_name(voice: &str) -> String {
    let name = voice.rsplit('_').next().unwrap_or(voice);
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
