#![allow(clippy::wildcard_enum_match_arm, clippy::disallowed_methods, reason = "tests pick what they look at")]

mod properties;
mod tools;

use std::collections::VecDeque;

use protocol::{
    AudioBytes, ClientEvent, ContentPart, Item, Modality, Pcm16, ResponseConfig, ResponseStatus, Role, ServerEvent,
    Session, SessionKind, TurnDetection,
};

use super::*;

const WINDOW: u64 = 768;

/// A core whose stages answer by hand.
struct Rig {
    core: EngineCore,
    work: VecDeque<Output>,
    events: Vec<ServerEvent>,
    end: u64,
}

impl Rig {
    fn new() -> Self {
        let mut rig = Self { core: EngineCore::new("seed", 99), work: VecDeque::new(), events: Vec::new(), end: 0 };
        rig.drain();
        let turns = TurnDetection::SemanticVad { eagerness: None, create_response: None, interrupt_response: None };
        rig.update(Some(turns));
        rig.events.clear();
        rig.work.clear();
        rig
    }

    fn update(&mut self, turns: Option<TurnDetection>) {
        let input = protocol::InputAudioConfig {
            transcription: Some(Some(protocol::Transcription::default())),
            turn_detection: Some(turns),
            ..Default::default()
        };
        let session = Session {
            kind: Some(SessionKind::Realtime),
            instructions: Some("Be brief.".into()),
            audio: Some(protocol::AudioConfig { input: Some(input), output: None }),
            ..Session::default()
        };
        self.client(ClientEvent::SessionUpdate { session: Box::new(session) });
    }

    fn drain(&mut self) {
        while let Some(output) = self.core.poll() {
            match output {
                Output::Send(event) => self.events.push(*event),
                other => self.work.push_back(other),
            }
        }
    }

    fn client(&mut self, event: ClientEvent) {
        self.core.handle(Input::Client(Ok((Some("c1".into()), event))));
        self.drain();
    }

    fn stage(&mut self, report: StageReport) {
        self.core.handle(Input::Stage(report));
        self.drain();
    }

    fn hear(&mut self, windows: &[f32]) {
        for probability in windows {
            let audio = AudioBytes(vec![0; WINDOW as usize * 2]);
            self.client(ClientEvent::InputAudioBufferAppend { audio });
            // Without turn detection nobody listens.
            if self.work.pop_back_if(|w| matches!(w, Output::Listen(_))).is_some() {
                self.end += WINDOW;
                self.stage(StageReport::Window { end: self.end, probability: *probability });
            }
        }
    }

    /// Takes the first piece of work of a kind off the queue, others before it are forgotten.
    fn take<T>(&mut self, pick: impl Fn(&Output) -> Option<T>) -> T {
        while let Some(output) = self.work.pop_front() {
            if let Some(found) = pick(&output) {
                return found;
            }
        }
        panic!("no such work; events: {:?}", self.kinds());
    }

    fn transcribed(&mut self, words: &str) {
        let job = self.take(|o| if let Output::Transcribe { job, .. } = o { Some(*job) } else { None });
        self.stage(StageReport::Transcribed { job, result: Ok(words.into()) });
    }

    fn generating(&mut self) -> (Job, Vec<Message>) {
        self.take(
            |o| if let Output::Generate { job, request } = o { Some((*job, request.messages.clone())) } else { None },
        )
    }

    fn write(&mut self, job: Job, text: &str) {
        self.stage(StageReport::Written { job, written: Written::Text(text.into()) });
        self.stage(StageReport::TextDone { job, result: Ok(Finish::default()) });
    }

    fn speak_all(&mut self, ms: u64) {
        let pieces: Vec<(Job, usize)> = self
            .work
            .iter()
            .filter_map(|o| if let Output::Speak { job, piece, .. } = o { Some((*job, *piece)) } else { None })
            .collect();
        for (job, piece) in pieces {
            let pcm = Pcm16(vec![1; Pcm16::frames_in(ms) as usize]);
            self.stage(StageReport::Spoken { job, piece, result: Ok(pcm) });
        }
        self.work.retain(|o| !matches!(o, Output::Speak { .. }));
    }

    fn kinds(&self) -> Vec<String> {
        self.events.iter().map(|e| e.without_audio()["type"].as_str().unwrap_or_default().to_owned()).collect()
    }

    fn has_work(&self, pick: impl Fn(&Output) -> bool) -> bool {
        self.work.iter().any(pick)
    }

    /// Brings a whole answer of one second onto the wire; returns the id of its item.
    fn answered(&mut self) -> String {
        self.client(text_item("Hello"));
        self.client(ClientEvent::ResponseCreate { response: None });
        let (job, _) = self.generating();
        self.write(job, "One two three four.");
        self.speak_all(1000);
        let item = self
            .events
            .iter()
            .find_map(|e| if let ServerEvent::OutputItemDone { item, .. } = e { item.id.clone() } else { None });
        self.events.clear();
        item.unwrap()
    }
}

fn text_item(text: &str) -> ClientEvent {
    let item = Item::message(Role::User, ContentPart::InputText { text: text.into() });
    ClientEvent::ConversationItemCreate { previous_item_id: None, item }
}

const SPEECH: [f32; 10] = [0.9; 10];

#[test]
fn greets_with_the_whole_session() {
    let mut core = EngineCore::new("seed", 99);
    let Some(Output::Send(event)) = core.poll() else { panic!() };
    let ServerEvent::SessionCreated { session } = *event else { panic!("{event:?}") };
    assert!(session.id.as_ref().is_some_and(|id| id.starts_with("sess_")));
    assert_eq!((session.expires_at, session.kind), (Some(99), Some(SessionKind::Realtime)));
    assert!(session.audio.unwrap().input.unwrap().turn_detection.unwrap().is_some());
}

#[test]
fn a_turn_and_its_answer_come_in_the_order_of_the_api() {
    let mut rig = Rig::new();
    rig.hear(&SPEECH);
    rig.hear(&[0.0; 5]);
    rig.transcribed("What time is it?");
    let judge = rig.work.iter().find_map(|o| if let Output::Judge { job, .. } = o { Some(*job) } else { None });
    let (job, messages) = rig.generating();
    assert_eq!(messages.last().unwrap().text, "What time is it?", "begun before the turn is over");
    rig.write(job, "It is noon.");
    assert_eq!(rig.kinds(), ["input_audio_buffer.speech_started"], "and not a word of it said");

    rig.work.retain(|o| matches!(o, Output::Speak { .. }));
    rig.speak_all(500);
    let _ = judge;
    rig.hear(&[0.0; 60]);
    assert_eq!(
        rig.kinds(),
        [
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            "conversation.item.input_audio_transcription.delta",
            "conversation.item.input_audio_transcription.completed",
            "response.created",
            "response.output_item.added",
            "conversation.item.added",
            "response.content_part.added",
            "response.output_audio_transcript.delta",
            "response.output_audio.delta",
            "response.output_audio.delta",
            "response.output_audio.delta",
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "conversation.item.done",
            "response.output_item.done",
            "response.done",
        ]
    );
}

#[test]
fn a_judgement_of_finished_ends_the_turn_at_once() {
    let mut rig = Rig::new();
    rig.hear(&SPEECH);
    rig.hear(&[0.0; 5]);
    let job = rig.take(|o| if let Output::Judge { job, .. } = o { Some(*job) } else { None });
    rig.stage(StageReport::Judged { job, probability: 0.9 });
    rig.hear(&[0.0; 2]);
    assert!(rig.kinds().contains(&"input_audio_buffer.committed".into()));
}

#[test]
fn an_answer_begun_too_soon_is_thrown_away_unheard() {
    let mut rig = Rig::new();
    rig.hear(&SPEECH);
    rig.hear(&[0.0; 5]);
    rig.transcribed("What is the");
    let (job, _) = rig.generating();
    rig.hear(&[0.9; 3]);
    assert!(rig.has_work(|o| *o == Output::Cancel { job }));
    rig.write(job, "Nothing of this.");
    assert_eq!(rig.kinds(), ["input_audio_buffer.speech_started"]);

    rig.hear(&[0.0; 5]);
    rig.transcribed("What is the time?");
    let (_, messages) = rig.generating();
    assert_eq!(messages.last().unwrap().text, "What is the time?");
}

#[test]
fn a_cough_leaves_no_trace_and_gets_no_answer() {
    let mut rig = Rig::new();
    rig.hear(&[0.9; 4]);
    rig.hear(&[0.0; 5]);
    rig.transcribed("");
    rig.hear(&[0.0; 70]);
    assert_eq!(rig.kinds().last().map(String::as_str), Some("conversation.item.deleted"));
    assert!(!rig.has_work(|o| matches!(o, Output::Generate { .. })));
}

#[test]
fn words_that_come_after_the_turn_is_over_still_get_their_answer() {
    let mut rig = Rig::new();
    rig.hear(&SPEECH);
    rig.hear(&[0.0; 70]);
    assert!(rig.kinds().contains(&"input_audio_buffer.committed".into()));
    rig.transcribed("What time is it?");
    let (_, messages) = rig.generating();
    assert_eq!(messages.last().unwrap().text, "What time is it?");
}

#[test]
fn speech_stops_the_answer_and_the_model() {
    let mut rig = Rig::new();
    rig.client(text_item("Hello"));
    rig.client(ClientEvent::ResponseCreate { response: None });
    let (job, _) = rig.generating();
    rig.stage(StageReport::Written { job, written: Written::Text("One two three. Four".into()) });
    rig.speak_all(700);
    rig.hear(&[0.9; 3]);
    assert!(rig.has_work(|o| *o == Output::Cancel { job }));
    let Some(ServerEvent::ResponseDone { response }) = rig.events.last() else { panic!("{:?}", rig.kinds()) };
    assert_eq!(response.status, ResponseStatus::Cancelled);
    assert_eq!(response.status_details.as_ref().unwrap().reason.as_deref(), Some("turn_detected"));
    assert_eq!(
        (response.output[0].status.as_deref(), response.output[0].text()),
        (Some("incomplete"), "One two three.".into())
    );
}

#[test]
fn the_context_keeps_exactly_the_words_that_were_heard() {
    let mut rig = Rig::new();
    let item_id = rig.answered();
    rig.client(ClientEvent::ConversationItemTruncate { item_id: item_id.clone(), content_index: 0, audio_end_ms: 500 });
    let Some(ServerEvent::ItemTruncated { transcript, .. }) = rig.events.last() else { panic!("{:?}", rig.events) };
    assert_eq!(transcript.as_deref(), Some("One two"));

    rig.client(text_item("Go on"));
    rig.client(ClientEvent::ResponseCreate { response: None });
    let (_, messages) = rig.generating();
    let texts: Vec<&str> = messages.iter().map(|m| m.text.as_str()).collect();
    assert_eq!(texts, ["Be brief.", "Hello", "One two", "Go on"]);
}

#[test]
fn a_truncation_past_the_end_is_refused_in_the_apis_words() {
    let mut rig = Rig::new();
    let item_id = rig.answered();
    rig.client(ClientEvent::ConversationItemTruncate { item_id, content_index: 0, audio_end_ms: 1001 });
    let Some(ServerEvent::Error { error }) = rig.events.last() else { panic!() };
    assert_eq!(error.message, "Audio content of 1000ms is already shorter than 1001ms");
    assert_eq!(error.event_id.as_deref(), Some("c1"));
}

#[test]
fn a_second_response_is_refused_while_one_runs() {
    let mut rig = Rig::new();
    rig.client(text_item("Hello"));
    rig.client(ClientEvent::ResponseCreate { response: None });
    rig.client(ClientEvent::ResponseCreate { response: None });
    let Some(ServerEvent::Error { error }) = rig.events.last() else { panic!() };
    assert_eq!(error.code.as_deref(), Some("conversation_already_has_active_response"));
}

#[test]
fn a_response_beside_the_conversation_runs_in_parallel_and_leaves_it_alone() {
    let mut rig = Rig::new();
    rig.client(text_item("Hello"));
    rig.client(ClientEvent::ResponseCreate { response: None });
    let (job, _) = rig.generating();
    let config = ResponseConfig {
        conversation: Some("none".into()),
        instructions: Some("Read aloud exactly, verbatim: I am Heart.".into()),
        input: Some(Vec::new()),
        ..ResponseConfig::default()
    };
    rig.client(ClientEvent::ResponseCreate { response: Some(Box::new(config)) });
    rig.speak_all(300);
    let Some(ServerEvent::ResponseDone { response }) = rig.events.last() else { panic!("{:?}", rig.kinds()) };
    assert_eq!((response.conversation_id.clone(), response.output[0].text()), (None, "I am Heart.".into()));
    rig.write(job, "Hi.");
    rig.speak_all(300);
    let Some(ServerEvent::ResponseDone { response }) = rig.events.last() else { panic!("{:?}", rig.kinds()) };
    assert_eq!(response.output[0].text(), "Hi.");
}

#[test]
fn a_text_response_has_text_events_and_no_sound() {
    let mut rig = Rig::new();
    rig.client(text_item("Hello"));
    let config = ResponseConfig { output_modalities: Some(vec![Modality::Text]), ..ResponseConfig::default() };
    rig.client(ClientEvent::ResponseCreate { response: Some(Box::new(config)) });
    let (job, _) = rig.generating();
    rig.write(job, "Hi.");
    let kinds = rig.kinds();
    assert!(kinds.contains(&"response.output_text.done".into()) && !kinds.iter().any(|k| k.contains("audio")));
}

#[test]
fn push_to_talk_waits_for_the_words_before_it_answers() {
    let mut rig = Rig::new();
    rig.update(None);
    rig.events.clear();
    rig.client(ClientEvent::InputAudioBufferAppend { audio: AudioBytes(vec![0; 24_000]) });
    rig.client(ClientEvent::InputAudioBufferCommit);
    rig.client(ClientEvent::ResponseCreate { response: None });
    assert!(!rig.has_work(|o| matches!(o, Output::Generate { .. })));
    rig.transcribed("Hello");
    assert_eq!(rig.generating().1.last().unwrap().text, "Hello");
}

#[test]
fn a_commit_of_almost_nothing_is_refused() {
    let mut rig = Rig::new();
    rig.update(None);
    rig.client(ClientEvent::InputAudioBufferAppend { audio: AudioBytes(vec![0; 960]) });
    rig.client(ClientEvent::InputAudioBufferCommit);
    let Some(ServerEvent::Error { error }) = rig.events.last() else { panic!() };
    assert_eq!(error.code.as_deref(), Some("input_audio_buffer_commit_empty"));
}

#[test]
fn a_turn_of_a_minute_is_written_down_in_pieces() {
    let mut rig = Rig::new();
    for n in 0..6 {
        rig.hear(&[0.9; 320]);
        let mut pieces = 0;
        while let Some(index) = rig.work.iter().position(|o| matches!(o, Output::Transcribe { .. })) {
            let Some(Output::Transcribe { job, pcm }) = rig.work.remove(index) else { unreachable!() };
            assert!(pcm.frames() <= Pcm16::frames_in(20_000), "{} ms at once", Pcm16::ms_in(pcm.frames()));
            rig.stage(StageReport::Transcribed { job, result: Ok(format!("part {n}")) });
            pieces += 1;
        }
        assert!(pieces > 0);
    }
    rig.hear(&[0.0; 70]);
    while let Some(index) = rig.work.iter().position(|o| matches!(o, Output::Transcribe { .. })) {
        let Some(Output::Transcribe { job, .. }) = rig.work.remove(index) else { unreachable!() };
        rig.stage(StageReport::Transcribed { job, result: Ok("the end".into()) });
    }
    let words = rig.events.iter().find_map(|e| match e {
        ServerEvent::InputTranscriptionCompleted { transcript, .. } => Some(transcript.clone()),
        _ => None,
    });
    assert!(words.as_ref().is_some_and(|w| w.starts_with("part") && w.ends_with("the end")), "{words:?}");
}

#[test]
fn words_of_an_earlier_pause_are_not_taken_for_all() {
    let mut rig = Rig::new();
    rig.hear(&SPEECH);
    rig.hear(&[0.0; 4]);
    let job = rig.take(|o| if let Output::Transcribe { job, .. } = o { Some(*job) } else { None });
    rig.hear(&[0.9; 6]);
    rig.hear(&[0.0; 4]);
    rig.stage(StageReport::Transcribed { job, result: Ok("What is".into()) });
    rig.transcribed("What is the time?");
    assert_eq!(rig.generating().1.last().unwrap().text, "What is the time?");
}

#[test]
fn a_pause_whose_words_come_after_the_turn_is_over_is_written_down_once() {
    let mut rig = Rig::new();
    rig.hear(&SPEECH);
    rig.hear(&[0.0; 70]);
    rig.transcribed("What time is it?");
    assert!(!rig.has_work(|o| matches!(o, Output::Transcribe { .. })));
    assert_eq!(rig.generating().1.last().unwrap().text, "What time is it?");
}

#[test]
fn a_user_who_speaks_again_is_not_talked_over() {
    let mut rig = Rig::new();
    rig.hear(&SPEECH);
    rig.hear(&[0.0; 70]);
    rig.hear(&SPEECH);
    rig.transcribed("What time is it");
    assert!(!rig.has_work(|o| matches!(o, Output::Generate { .. })), "begun while the user speaks");
    rig.hear(&[0.0; 5]);
    rig.transcribed("in Paris?");
    assert_eq!(rig.generating().1.last().unwrap().text, "What time is it in Paris?");
}

#[test]
fn an_answer_begun_ahead_stands_behind_its_question() {
    let mut rig = Rig::new();
    rig.answered();
    rig.hear(&SPEECH);
    rig.hear(&[0.0; 5]);
    rig.transcribed("What time is it?");
    let (job, _) = rig.generating();
    rig.write(job, "It is noon.");
    rig.hear(&[0.0; 60]);
    let added: Vec<_> = rig
        .events
        .iter()
        .filter_map(|e| {
            if let ServerEvent::ItemAdded { previous_item_id, item } = e {
                Some((previous_item_id, item))
            } else {
                None
            }
        })
        .collect();
    assert_eq!(added[1].0, &added[0].1.id);
}

#[test]
fn speech_that_could_not_be_written_down_is_said_to_be_so() {
    let mut rig = Rig::new();
    rig.hear(&SPEECH);
    rig.hear(&[0.0; 5]);
    let job = rig.take(|o| if let Output::Transcribe { job, .. } = o { Some(*job) } else { None });
    rig.stage(StageReport::Transcribed { job, result: Err(StageError("broken".into())) });
    rig.hear(&[0.0; 70]);
    assert_eq!(rig.kinds().last().map(String::as_str), Some("conversation.item.input_audio_transcription.failed"));
}

#[test]
fn words_that_come_one_by_one_keep_their_spaces() {
    let mut rig = Rig::new();
    rig.client(text_item("Hello"));
    rig.client(ClientEvent::ResponseCreate { response: None });
    let (job, _) = rig.generating();
    for delta in [" ", "It", " is", " noon", "."] {
        rig.stage(StageReport::Written { job, written: Written::Text(delta.into()) });
    }
    rig.stage(StageReport::TextDone { job, result: Ok(Finish::default()) });
    rig.speak_all(300);
    let Some(ServerEvent::ResponseDone { response }) = rig.events.last() else { panic!("{:?}", rig.kinds()) };
    assert_eq!(response.output[0].text(), "It is noon.");
}

#[test]
fn a_stage_that_fails_fails_its_work_and_nothing_else() {
    let mut rig = Rig::new();
    rig.hear(&SPEECH);
    rig.hear(&[0.0; 70]);
    let job = rig.take(|o| if let Output::Transcribe { job, .. } = o { Some(*job) } else { None });
    rig.stage(StageReport::Transcribed { job, result: Err(StageError("broken".into())) });
    assert_eq!(rig.kinds().last().map(String::as_str), Some("conversation.item.input_audio_transcription.failed"));

    rig.client(text_item("Hello"));
    rig.client(ClientEvent::ResponseCreate { response: None });
    let (job, _) = rig.generating();
    rig.stage(StageReport::TextDone { job, result: Err(StageError("broken".into())) });
    let Some(ServerEvent::ResponseDone { response }) = rig.events.last() else { panic!("{:?}", rig.kinds()) };
    assert_eq!(response.status, ResponseStatus::Failed);
}

#[test]
fn wrong_requests_are_answered_and_the_session_lives_on() {
    let mut rig = Rig::new();
    let unknown = "item_none".to_owned();
    rig.client(ClientEvent::ConversationItemDelete { item_id: unknown.clone() });
    rig.client(ClientEvent::ConversationItemRetrieve { item_id: unknown });
    rig.client(ClientEvent::ResponseCancel { response_id: None });
    rig.client(ClientEvent::SessionUpdate { session: Box::default() });
    rig.core.handle(Input::Client(ClientEvent::parse("{")));
    rig.drain();
    let codes: Vec<&str> = rig
        .events
        .iter()
        .map(|e| if let ServerEvent::Error { error } = e { error.code_or_kind() } else { "not an error" })
        .collect();
    assert_eq!(
        codes,
        [
            "item_delete_invalid_item_id",
            "item_retrieve_invalid_item_id",
            "response_cancel_not_active",
            "missing_required_parameter",
            "invalid_event"
        ]
    );
}

#[test]
fn times_stay_true_over_a_stretch_without_turn_detection() {
    let mut rig = Rig::new();
    rig.hear(&[0.0; 10]);
    rig.update(None);
    let audio = AudioBytes(vec![0; Pcm16::frames_in(1000) as usize * 2]);
    rig.client(ClientEvent::InputAudioBufferAppend { audio });
    rig.update(Some(TurnDetection::SemanticVad { eagerness: None, create_response: None, interrupt_response: None }));
    rig.stage(StageReport::Window { end: rig.end, probability: 0.9 });
    rig.events.clear();
    rig.hear(&[0.0, 0.9, 0.9, 0.9]);
    let started = rig.events.iter().find_map(|e| match e {
        ServerEvent::SpeechStarted { audio_start_ms, .. } => Some(*audio_start_ms),
        _ => None,
    });
    // Ten windows, the second that nobody looked at, one window of silence; 300 ms of prefix come off.
    assert_eq!(started, Some(10 * 32 + 1000 + 32 - 300));
}
