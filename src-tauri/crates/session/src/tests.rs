#![allow(clippy::wildcard_enum_match_arm, clippy::disallowed_methods, reason = "tests pick what they look at")]

mod properties;

use std::time::{Duration, Instant};

use protocol::{
    At, AudioBytes, ClientEvent, ContentPart, EngineState, Item, Pcm16, Response, ResponseStatus, Role, ServerEvent,
    StatusDetails,
};

use crate::*;

/// A session with its clock; every step drains the outputs.
struct Rig {
    session: Session,
    now: Instant,
}

impl Rig {
    fn new() -> Self {
        let config = Config { instructions: "Be brief.".into(), voice: "heart".into(), ..Config::default() };
        Self { session: Session::new(config), now: Instant::now() }
    }

    fn live() -> Self {
        let mut rig = Self::new();
        rig.act(Action::StartTalk);
        rig.receive(ServerEvent::SessionCreated { session: Box::default() });
        rig.receive(ServerEvent::SessionUpdated { session: Box::default() });
        rig
    }

    fn speaking() -> Self {
        let mut rig = Self::live();
        rig.receive(created("resp_1"));
        rig.receive(ServerEvent::OutputItemAdded {
            response_id: "resp_1".into(),
            output_index: 0,
            item: assistant("item_A1"),
        });
        rig.receive(ServerEvent::OutputTranscriptDelta { at: at(), delta: "One two three four.".into() });
        rig.receive(audio(1000));
        rig
    }

    fn step(&mut self, input: Input) -> Vec<Output> {
        let now = self.now + Duration::from_millis(1);
        // What is due in between comes first, as its owner sees to it.
        let mut outputs = Vec::new();
        while self.session.deadline().is_some_and(|due| due <= now) {
            outputs.extend(self.wait());
        }
        self.now = now;
        self.session.handle(self.now, input);
        outputs.extend(std::iter::from_fn(|| self.session.poll()));
        outputs
    }

    fn act(&mut self, action: Action) -> Vec<Output> {
        self.step(Input::Action(action))
    }

    fn receive(&mut self, event: ServerEvent) -> Vec<Output> {
        self.step(Input::Received(Box::new(event)))
    }

    fn wait(&mut self) -> Vec<Output> {
        self.now = self.session.deadline().unwrap();
        self.session.handle(self.now, Input::Timeout);
        std::iter::from_fn(|| self.session.poll()).collect()
    }

    fn agent(&self) -> AgentState {
        self.session.view().status.agent
    }
}

fn at() -> At {
    At { response_id: "resp_1".into(), item_id: "item_A1".into(), output_index: 0, content_index: 0 }
}

fn audio(ms: u64) -> ServerEvent {
    let bytes = AudioBytes(vec![1; Pcm16::frames_in(ms) as usize * 2]);
    ServerEvent::OutputAudioDelta { at: at(), delta: bytes }
}

fn assistant(id: &str) -> Item {
    Item {
        id: Some(id.into()),
        ..Item::message(Role::Assistant, ContentPart::OutputAudio { transcript: None, audio: None })
    }
}

fn created(id: &str) -> ServerEvent {
    ServerEvent::ResponseCreated { response: Box::new(Response { id: id.into(), ..Response::default() }) }
}

fn done(id: &str, status: ResponseStatus) -> ServerEvent {
    ServerEvent::ResponseDone { response: Box::new(Response { id: id.into(), status, ..Response::default() }) }
}

fn speech_started(id: &str) -> ServerEvent {
    ServerEvent::SpeechStarted { item_id: id.into(), audio_start_ms: 0 }
}

fn sent(outputs: &[Output]) -> Vec<ClientEvent> {
    let events =
        outputs.iter().filter_map(|o| if let Output::Send(event) = o { Some((**event).clone()) } else { None });
    events.collect()
}

fn flushes(outputs: &[Output]) -> Vec<u32> {
    outputs.iter().filter_map(|o| if let Output::Flush { generation } = o { Some(*generation) } else { None }).collect()
}

#[test]
fn talk_opens_the_microphone_and_the_link_then_configures() {
    let mut rig = Rig::new();
    let outputs = rig.act(Action::StartTalk);
    assert_eq!(outputs[..2], [Output::Mic { open: true }, Output::Connect]);

    let outputs = rig.receive(ServerEvent::SessionCreated { session: Box::default() });
    assert!(matches!(sent(&outputs)[..], [ClientEvent::SessionUpdate { .. }]));
    rig.receive(ServerEvent::SessionUpdated { session: Box::default() });
    assert_eq!((rig.session.view().status.phase, rig.agent()), (Phase::Live, AgentState::Listening));
}

#[test]
fn truncates_to_what_was_heard_not_to_what_was_received() {
    let mut rig = Rig::speaking();
    rig.step(Input::Heard { segment: SegmentId(0), frames: Pcm16::frames_in(400) });
    assert_eq!(rig.agent(), AgentState::Speaking);

    let outputs = rig.receive(speech_started("item_U2"));
    assert_eq!(flushes(&outputs), [1]);
    assert!(sent(&outputs).is_empty(), "nothing is said before the speaker reports");

    rig.step(Input::Heard { segment: SegmentId(0), frames: Pcm16::frames_in(420) });
    let outputs = rig.step(Input::Flushed { generation: 1 });
    let truncate =
        ClientEvent::ConversationItemTruncate { item_id: "item_A1".into(), content_index: 0, audio_end_ms: 420 };
    assert_eq!(sent(&outputs), [truncate]);
    let item = rig.session.view().items[0].clone();
    assert_eq!((item.state, item.heard_chars), (ItemState::Interrupted, Some(7)));
}

#[test]
fn drops_late_audio_and_words_of_an_interrupted_response() {
    let mut rig = Rig::speaking();
    rig.receive(speech_started("item_U2"));
    rig.step(Input::Flushed { generation: 1 });

    assert!(rig.receive(audio(100)).is_empty());
    assert!(rig.receive(ServerEvent::OutputTranscriptDelta { at: at(), delta: " Five.".into() }).is_empty());
}

#[test]
fn deletes_an_answer_of_which_nothing_was_heard() {
    let mut rig = Rig::speaking();
    rig.receive(speech_started("item_U2"));
    let outputs = rig.step(Input::Flushed { generation: 1 });
    assert_eq!(sent(&outputs), [ClientEvent::ConversationItemDelete { item_id: "item_A1".into() }]);
}

#[test]
fn says_nothing_about_an_answer_that_was_heard_to_its_end() {
    let mut rig = Rig::speaking();
    rig.receive(ServerEvent::OutputAudioDone { at: at() });
    rig.receive(done("resp_1", ResponseStatus::Completed));
    rig.step(Input::Heard { segment: SegmentId(0), frames: Pcm16::frames_in(1000) });
    assert_eq!(rig.agent(), AgentState::Listening);

    let outputs = rig.receive(speech_started("item_U2"));
    assert!(flushes(&outputs).is_empty() && sent(&outputs).is_empty());
}

#[test]
fn silences_an_answer_that_the_server_has_finished_and_the_user_still_hears() {
    let mut rig = Rig::speaking();
    rig.receive(ServerEvent::OutputAudioDone { at: at() });
    rig.receive(done("resp_1", ResponseStatus::Completed));
    assert_eq!(flushes(&rig.receive(speech_started("item_U2"))), [1]);
}

#[test]
fn typed_text_interrupts_and_waits_for_the_cancelled_response() {
    let mut rig = Rig::speaking();
    let outputs = rig.act(Action::SendText { text: " And Mars? ".into() });
    assert_eq!(flushes(&outputs), [1]);
    let events = sent(&outputs);
    assert_eq!(events[0], ClientEvent::ResponseCancel { response_id: Some("resp_1".into()) });
    assert!(matches!(&events[1..], [ClientEvent::ConversationItemCreate { item, .. }] if item.text() == "And Mars?"));

    let outputs = rig.receive(done("resp_1", ResponseStatus::Cancelled));
    assert_eq!(sent(&outputs), [ClientEvent::ResponseCreate { response: None }]);
}

#[test]
fn a_user_turn_keeps_its_place_when_its_words_come_late() {
    let mut rig = Rig::live();
    rig.receive(speech_started("item_U1"));
    rig.receive(ServerEvent::Committed { item_id: "item_U1".into(), previous_item_id: None });
    rig.receive(created("resp_1"));
    rig.receive(ServerEvent::OutputItemAdded {
        response_id: "resp_1".into(),
        output_index: 0,
        item: assistant("item_A1"),
    });
    rig.receive(ServerEvent::InputTranscriptionCompleted {
        item_id: "item_U1".into(),
        content_index: 0,
        transcript: "Hello?".into(),
        usage: None,
    });
    let items = rig.session.view().items;
    assert_eq!(items.iter().map(|i| i.id.as_str()).collect::<Vec<_>>(), ["item_U1", "item_A1"]);
    assert_eq!(items[0].text, "Hello?");
}

#[test]
fn a_lost_link_is_made_again_and_told_what_was_said_and_heard() {
    let mut rig = Rig::live();
    rig.act(Action::SendText { text: "Hi".into() });
    rig.receive(created("resp_1"));
    rig.receive(ServerEvent::OutputItemAdded {
        response_id: "resp_1".into(),
        output_index: 0,
        item: assistant("item_A1"),
    });
    rig.receive(ServerEvent::OutputTranscriptDone { at: at(), transcript: "Hello there.".into() });
    rig.step(Input::LinkClosed(LinkEnd::Lost("gone".into())));
    assert_eq!(rig.session.view().status.phase, Phase::Reconnecting);

    assert!(rig.wait().contains(&Output::Connect));
    rig.receive(ServerEvent::SessionCreated { session: Box::default() });
    let outputs = rig.receive(ServerEvent::SessionUpdated { session: Box::default() });

    let texts: Vec<_> = sent(&outputs)
        .iter()
        .map(|e| match e {
            ClientEvent::ConversationItemCreate { item, .. } => (item.role, item.text()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(texts, [(Some(Role::User), "Hi".into()), (Some(Role::Assistant), "Hello there.".into())]);
    assert!(rig.session.view().notices.is_empty());
}

#[test]
fn a_question_that_the_lost_link_left_open_is_asked_again() {
    let mut rig = Rig::live();
    rig.act(Action::SendText { text: "Hi".into() });
    rig.step(Input::LinkClosed(LinkEnd::Lost("gone".into())));
    rig.wait();
    rig.receive(ServerEvent::SessionCreated { session: Box::default() });
    let outputs = rig.receive(ServerEvent::SessionUpdated { session: Box::default() });
    assert_eq!(sent(&outputs).last(), Some(&ClientEvent::ResponseCreate { response: None }));
}

#[test]
fn gives_up_after_five_tries_in_words_with_a_button() {
    let mut rig = Rig::live();
    for _ in 0..5 {
        rig.step(Input::LinkClosed(LinkEnd::Lost("gone".into())));
        rig.wait();
    }
    rig.step(Input::LinkClosed(LinkEnd::Lost("gone".into())));
    let view = rig.session.view();
    assert_eq!((view.status.phase, view.status.mic_open), (Phase::Idle, false));
    assert_eq!((view.notices[0].severity, view.notices[0].action), (Severity::Error, NoticeAction::Retry));
}

#[test]
fn an_engine_that_dies_while_it_loads_is_not_started_for_ever() {
    let mut rig = Rig::live();
    let mut starts = 0;
    while rig.session.view().status.phase != Phase::Idle {
        let state = EngineState::Loading { what: "models".into(), done: 1, total: 5 };
        rig.receive(ServerEvent::EngineStatus { state });
        rig.receive(ServerEvent::EngineStatus { state: EngineState::Ready });
        rig.step(Input::LinkClosed(LinkEnd::Lost("the engine's process ended".into())));
        if rig.session.deadline().is_some() {
            rig.wait();
            rig.receive(ServerEvent::SessionCreated { session: Box::default() });
            rig.receive(ServerEvent::SessionUpdated { session: Box::default() });
        }
        starts += 1;
        assert!(starts < 10, "started again and again");
    }
    assert_eq!(rig.session.view().notices[0].action, NoticeAction::Retry);
}

#[test]
fn losses_of_a_link_that_had_worked_are_forgiven() {
    let mut rig = Rig::live();
    for _ in 0..20 {
        rig.receive(speech_started("item_U1"));
        rig.step(Input::LinkClosed(LinkEnd::Lost("gone".into())));
        rig.wait();
        rig.receive(ServerEvent::SessionCreated { session: Box::default() });
        rig.receive(ServerEvent::SessionUpdated { session: Box::default() });
        assert_eq!(rig.session.view().status.phase, Phase::Live);
    }
    for _ in 0..20 {
        rig.now += Duration::from_secs(61);
        rig.step(Input::LinkClosed(LinkEnd::Lost("gone".into())));
        rig.wait();
        rig.receive(ServerEvent::SessionCreated { session: Box::default() });
        rig.receive(ServerEvent::SessionUpdated { session: Box::default() });
        assert_eq!(rig.session.view().status.phase, Phase::Live);
    }
}

#[test]
fn a_question_refused_for_a_response_that_began_first_is_asked_when_that_ends() {
    let mut rig = Rig::live();
    rig.act(Action::SendText { text: "Hi".into() });
    rig.receive(created("resp_server"));
    let error = protocol::ApiError::invalid_request("conversation_already_has_active_response", "Busy.");
    rig.receive(ServerEvent::Error { error });
    let outputs = rig.receive(done("resp_server", ResponseStatus::Completed));
    assert_eq!(sent(&outputs), [ClientEvent::ResponseCreate { response: None }]);
}

#[test]
fn an_answer_cancelled_before_it_had_a_name_is_not_heard() {
    let mut rig = Rig::live();
    rig.act(Action::SendText { text: "Hi".into() });
    rig.act(Action::Interrupt);
    let outputs = rig.receive(created("resp_1"));
    assert_eq!(sent(&outputs), [ClientEvent::ResponseCancel { response_id: Some("resp_1".into()) }]);
    assert!(rig.receive(audio(100)).iter().all(|o| !matches!(o, Output::Play { .. })));
}

fn preview(id: &str, number: u32) -> ServerEvent {
    let metadata = Some([("vivavoce_preview".to_owned(), number.to_string())].into());
    ServerEvent::ResponseCreated { response: Box::new(Response { id: id.into(), metadata, ..Response::default() }) }
}

#[test]
fn of_two_samples_of_voices_the_later_is_heard_and_the_earlier_is_not_made() {
    let mut rig = Rig::live();
    rig.act(Action::PreviewVoice { voice: "af_heart".into() });
    rig.act(Action::PreviewVoice { voice: "bm_george".into() });
    let cancel = |id: &str| [ClientEvent::ResponseCancel { response_id: Some(id.into()) }];
    assert_eq!(sent(&rig.receive(preview("resp_p1", 1))), cancel("resp_p1"));
    assert_eq!(sent(&rig.receive(preview("resp_1", 2))), []);
    assert!(rig.receive(audio(100)).iter().any(|o| matches!(o, Output::Play { .. })));

    let outputs = rig.act(Action::Interrupt);
    assert_eq!(flushes(&outputs).len(), 1);
    assert_eq!(sent(&outputs), cancel("resp_1"));
    assert!(sent(&rig.act(Action::Interrupt)).is_empty());
}

#[test]
fn a_sample_says_what_its_voice_costs_here_and_waits_for_a_link() {
    let mut rig = Rig::new();
    rig.act(Action::PreviewVoice { voice: "af_heart".into() });
    rig.receive(ServerEvent::SessionCreated { session: Box::default() });
    rig.step(Input::LinkClosed(LinkEnd::Lost("gone".into())));
    rig.wait();
    rig.receive(ServerEvent::SessionCreated { session: Box::default() });
    let outputs = rig.receive(ServerEvent::SessionUpdated { session: Box::default() });
    assert!(matches!(&sent(&outputs)[..], [ClientEvent::ResponseCreate { response: Some(_) }]), "{outputs:?}");
    rig.now += Duration::from_secs(8);
    rig.receive(ServerEvent::EngineStatus { state: EngineState::Ready });
    rig.receive(preview("resp_1", 1));
    rig.now += Duration::from_millis(698);
    rig.receive(audio(100));
    rig.receive(audio(100));
    assert_eq!(rig.session.view().voice_delays, [("af_heart".to_owned(), 700)].into());
}

#[test]
fn speech_stops_a_sample_that_has_not_sounded() {
    let mut rig = Rig::live();
    rig.act(Action::PreviewVoice { voice: "af_heart".into() });
    rig.receive(preview("resp_1", 1));
    let outputs = rig.receive(speech_started("item_U1"));
    assert_eq!(sent(&outputs), [ClientEvent::ResponseCancel { response_id: Some("resp_1".into()) }]);
    assert!(rig.receive(audio(100)).iter().all(|o| !matches!(o, Output::Play { .. })));
}

#[test]
fn a_speaker_changed_in_mid_answer_counts_on_where_the_old_one_was() {
    let mut rig = Rig::speaking();
    rig.step(Input::Heard { segment: SegmentId(0), frames: Pcm16::frames_in(400) });
    rig.step(Input::Speaker { works: false });
    rig.step(Input::Speaker { works: true });
    let outputs = rig.receive(audio(500));
    let segment = outputs.iter().find_map(|o| if let Output::Play { segment, .. } = o { Some(*segment) } else { None });
    rig.step(Input::Heard { segment: segment.unwrap(), frames: Pcm16::frames_in(200) });
    let flush = flushes(&rig.receive(speech_started("item_U1")));
    let outputs = rig.step(Input::Flushed { generation: flush[0] });
    assert!(
        matches!(&sent(&outputs)[..], [ClientEvent::ConversationItemTruncate { audio_end_ms: 1200, .. }]),
        "{outputs:?}"
    );
}

#[test]
fn a_microphone_lost_in_mid_turn_ends_the_turn() {
    let mut rig = Rig::live();
    rig.receive(speech_started("item_U1"));
    let outputs = rig.step(Input::Microphone { works: false });
    assert_eq!(sent(&outputs), [ClientEvent::InputAudioBufferCommit]);
    assert!(!rig.session.view().status.user_speaking);
}

#[test]
fn a_speaker_that_dies_in_an_interruption_leaves_the_server_knowing_what_was_heard() {
    let mut rig = Rig::speaking();
    rig.step(Input::Heard { segment: SegmentId(0), frames: Pcm16::frames_in(400) });
    rig.receive(speech_started("item_U1"));
    let outputs = rig.step(Input::Speaker { works: false });
    assert!(
        matches!(&sent(&outputs)[..], [ClientEvent::ConversationItemTruncate { audio_end_ms: 400, .. }]),
        "{outputs:?}"
    );
}

#[test]
fn a_rejected_key_is_not_tried_again() {
    let mut rig = Rig::live();
    let mut error = protocol::ApiError::invalid_request("invalid_api_key", "The key was rejected.");
    error.kind = "invalid_request_error".into();
    rig.receive(ServerEvent::Error { error });
    assert_eq!((rig.session.view().status.phase, rig.session.deadline()), (Phase::Idle, None));
}

#[test]
fn a_response_that_is_never_created_is_asked_for_once_more_and_then_given_up_in_words() {
    let mut rig = Rig::live();
    rig.act(Action::SendText { text: "Hi".into() });
    assert_eq!(rig.agent(), AgentState::Thinking);
    assert_eq!(sent(&rig.wait()), [ClientEvent::ResponseCreate { response: None }]);
    assert_eq!(sent(&rig.wait()), []);
    assert_eq!(rig.session.view().notices[0].text, "The server took the question and did not answer.");
    assert_eq!(rig.agent(), AgentState::Listening);
    let outputs = rig.act(Action::SendText { text: "Hello?".into() });
    assert!(sent(&outputs).contains(&ClientEvent::ResponseCreate { response: None }));
    assert_eq!(rig.session.view().notices, []);
}

#[test]
fn a_failed_response_is_asked_for_once_more_and_then_says_why() {
    let mut rig = Rig::live();
    rig.receive(created("resp_1"));
    let failed = |id: &str| {
        let error = protocol::ApiError::server("server_error", "Out of memory.");
        let details = StatusDetails { error: Some(error), ..StatusDetails::default() };
        let status_details = Some(details);
        let response =
            Response { id: id.into(), status: ResponseStatus::Failed, status_details, ..Response::default() };
        ServerEvent::ResponseDone { response: Box::new(response) }
    };
    rig.receive(failed("resp_1"));
    assert_eq!(rig.session.view().notices, []);
    assert_eq!(sent(&rig.wait()), [ClientEvent::ResponseCreate { response: None }]);
    rig.receive(created("resp_2"));
    rig.receive(failed("resp_2"));
    assert_eq!(rig.session.view().notices[0].text, "No answer: Out of memory.");
    // What was heard in part is not said again.
    let mut rig = Rig::speaking();
    rig.receive(failed("resp_1"));
    assert_eq!(rig.session.view().notices[0].text, "No answer: Out of memory.");
}

#[test]
fn without_a_microphone_nobody_is_said_to_listen() {
    let mut rig = Rig::live();
    rig.step(Input::Microphone { works: false });
    assert_eq!(rig.agent(), AgentState::Idle);
    rig.step(Input::Microphone { works: true });
    assert_eq!(rig.agent(), AgentState::Listening);
}

#[test]
fn muted_the_server_hears_silence() {
    let mut rig = Rig::live();
    rig.act(Action::SetMuted { muted: true });
    let outputs = rig.step(Input::Mic(Pcm16(vec![900; 480])));
    assert_eq!(sent(&outputs), [ClientEvent::InputAudioBufferAppend { audio: AudioBytes(vec![0; 960]) }]);
}

#[test]
fn microphone_audio_of_before_the_link_is_not_sent() {
    let mut rig = Rig::new();
    rig.act(Action::StartTalk);
    assert!(rig.step(Input::Mic(Pcm16(vec![900; 480]))).is_empty());
}

#[test]
fn measures_from_the_last_loud_sample_to_the_first_sound() {
    let mut rig = Rig::live();
    rig.step(Input::Mic(Pcm16(vec![5000; 480])));
    rig.now += Duration::from_millis(299);
    rig.receive(ServerEvent::SpeechStopped { item_id: "item_U1".into(), audio_end_ms: 0 });
    rig.receive(created("resp_1"));
    rig.receive(audio(100));
    rig.step(Input::Heard { segment: SegmentId(0), frames: 240 });
    let latency = rig.session.view().latency.unwrap();
    assert_eq!((latency.end_of_turn_ms, latency.first_heard_ms), (300, 303));
}

#[test]
fn a_window_that_opens_late_sees_what_events_would_have_told_it() {
    let mut rig = Rig::speaking();
    let outputs = rig.act(Action::SendText { text: "And Mars?".into() });
    let shown = outputs.iter().rev().find_map(|o| match o {
        Output::View(ViewEvent::Status { status }) => Some(status.clone()),
        _ => None,
    });
    assert_eq!(shown, Some(rig.session.view().status));
}
