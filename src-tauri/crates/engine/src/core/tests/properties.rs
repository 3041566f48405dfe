//! Everything that can happen, in any order; what a client may rely on after each step, and at the end.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Speech(usize),
    Silence(usize),
    Manual(u64),
    Commit,
    Clear,
    Text,
    Create,
    Beside,
    Cancel(bool),
    Truncate(u64),
    Delete(bool),
    Turns(bool),
    /// A stage answers the piece of work that waits at this place; well or not.
    Answer(usize, Quality),
}

#[derive(Clone, Copy, Debug)]
enum Quality {
    Good,
    Empty,
    Failed,
    /// More is to come, where more can come.
    Part,
}

fn op() -> impl Strategy<Value = Op> {
    let quality = prop_oneof![
        6 => Just(Quality::Good),
        1 => Just(Quality::Empty),
        1 => Just(Quality::Failed),
        2 => Just(Quality::Part)
    ];
    prop_oneof![
        6 => (1usize..12).prop_map(Op::Speech),
        6 => (1usize..30).prop_map(Op::Silence),
        1 => (10u64..400).prop_map(Op::Manual),
        2 => Just(Op::Commit),
        1 => Just(Op::Clear),
        3 => Just(Op::Text),
        3 => Just(Op::Create),
        1 => Just(Op::Beside),
        2 => any::<bool>().prop_map(Op::Cancel),
        2 => (0u64..3000).prop_map(Op::Truncate),
        1 => any::<bool>().prop_map(Op::Delete),
        1 => any::<bool>().prop_map(Op::Turns),
        14 => (0usize..6, quality).prop_map(|(place, quality)| Op::Answer(place, quality)),
    ]
}

/// What the wire has told a client.
#[derive(Default)]
struct Client {
    /// Open responses, and whether they belong to the conversation.
    open: HashMap<String, bool>,
    ended: HashSet<String>,
    committed: HashSet<String>,
    /// Committed items whose words have come, or never will.
    written: HashSet<String>,
    items: Vec<String>,
    last_response: Option<String>,
    assistant: Option<String>,
}

impl Client {
    fn see(&mut self, event: &ServerEvent) {
        match event {
            ServerEvent::ResponseCreated { response } => {
                let inside = response.conversation_id.is_some();
                let busy = self.open.values().any(|inside| *inside);
                assert!(!(inside && busy), "two responses of the conversation at once");
                assert!(!self.ended.contains(&response.id), "{} was created again", response.id);
                assert!(self.open.insert(response.id.clone(), inside).is_none(), "{} was created twice", response.id);
                self.last_response = Some(response.id.clone());
            }
            ServerEvent::ResponseDone { response } => {
                assert!(self.open.remove(&response.id).is_some(), "{} is done and was never open", response.id);
                self.ended.insert(response.id.clone());
            }
            ServerEvent::OutputAudioDelta { at, .. }
            | ServerEvent::OutputAudioDone { at }
            | ServerEvent::OutputTranscriptDelta { at, .. }
            | ServerEvent::OutputTranscriptDone { at, .. }
            | ServerEvent::OutputTextDelta { at, .. } => {
                assert!(self.open.contains_key(&at.response_id), "{event:?} outside its response");
            }
            ServerEvent::OutputItemAdded { response_id, item, .. } => {
                assert!(self.open.contains_key(response_id), "an item outside its response");
                self.assistant = item.id.clone();
            }
            ServerEvent::Committed { item_id, .. } => {
                assert!(self.committed.insert(item_id.clone()), "{item_id} was committed twice");
                self.items.push(item_id.clone());
            }
            ServerEvent::InputTranscriptionDelta { item_id, .. } => {
                assert!(!self.written.contains(item_id), "words after the last word of {item_id}");
            }
            ServerEvent::InputTranscriptionCompleted { item_id, .. } => {
                assert!(self.committed.contains(item_id), "words of {item_id}, which was not committed");
                assert!(self.written.insert(item_id.clone()), "{item_id} was completed twice");
            }
            ServerEvent::InputTranscriptionFailed { item_id, .. } => {
                assert!(self.written.insert(item_id.clone()), "{item_id} ended twice");
            }
            ServerEvent::ItemDeleted { item_id } => {
                self.items.retain(|i| i != item_id);
            }
            _ => {}
        }
    }
}

struct World {
    rig: Rig,
    client: Client,
}

impl World {
    fn observe(&mut self) {
        for event in self.rig.events.drain(..) {
            self.client.see(&event);
        }
    }

    fn run(&mut self, op: Op) {
        match op {
            Op::Speech(windows) => self.rig.hear(&vec![0.9; windows]),
            Op::Silence(windows) => self.rig.hear(&vec![0.0; windows]),
            Op::Manual(ms) => {
                let bytes = Pcm16::frames_in(ms) as usize * 2;
                self.rig.client(ClientEvent::InputAudioBufferAppend { audio: AudioBytes(vec![0; bytes]) });
            }
            Op::Commit => self.rig.client(ClientEvent::InputAudioBufferCommit),
            Op::Clear => self.rig.client(ClientEvent::InputAudioBufferClear),
            Op::Text => self.rig.client(text_item("Hello")),
            Op::Create => self.rig.client(ClientEvent::ResponseCreate { response: None }),
            Op::Beside => {
                let response = ResponseConfig {
                    conversation: Some("none".into()),
                    output_modalities: Some(vec![Modality::Text]),
                    ..ResponseConfig::default()
                };
                self.rig.client(ClientEvent::ResponseCreate { response: Some(Box::new(response)) });
            }
            Op::Cancel(named) => {
                let response_id = self.client.last_response.clone().filter(|_| named);
                self.rig.client(ClientEvent::ResponseCancel { response_id });
            }
            Op::Truncate(audio_end_ms) => {
                if let Some(item_id) = self.client.assistant.clone() {
                    self.rig.client(ClientEvent::ConversationItemTruncate { item_id, content_index: 0, audio_end_ms });
                }
            }
            Op::Delete(users) => {
                let id = if users { self.client.items.last().cloned() } else { self.client.assistant.clone() };
                if let Some(item_id) = id {
                    self.rig.client(ClientEvent::ConversationItemDelete { item_id });
                }
            }
            Op::Turns(on) => {
                let semantic =
                    TurnDetection::SemanticVad { eagerness: None, create_response: None, interrupt_response: None };
                self.rig.update(on.then_some(semantic));
            }
            Op::Answer(place, quality) => self.answer(place, quality),
        }
        self.observe();
    }

    /// Does a piece of the work that waits, as a stage would.
    fn answer(&mut self, place: usize, quality: Quality) {
        self.rig.work.retain(|w| !matches!(w, Output::Listen(_) | Output::Prefill { .. } | Output::Cancel { .. }));
        if self.rig.work.is_empty() {
            return;
        }
        let Some(work) = self.rig.work.remove(place % self.rig.work.len()) else { return };
        match work {
            Output::Judge { job, .. } => {
                let probability = if matches!(quality, Quality::Good) { 0.9 } else { 0.1 };
                self.rig.stage(StageReport::Judged { job, probability });
            }
            Output::Transcribe { job, .. } => {
                let result = match quality {
                    Quality::Good | Quality::Part => Ok("some words".to_owned()),
                    Quality::Empty => Ok(String::new()),
                    Quality::Failed => failed(),
                };
                self.rig.stage(StageReport::Transcribed { job, result });
            }
            Output::Generate { job, request } => match quality {
                Quality::Good => self.rig.write(job, "One thing. And another."),
                Quality::Empty => self.rig.stage(StageReport::TextDone { job, result: Ok(Finish::default()) }),
                Quality::Failed => self.rig.stage(StageReport::TextDone { job, result: failed() }),
                Quality::Part => {
                    self.rig.stage(StageReport::Written { job, written: Written::Text("Some words of ".into()) });
                    self.rig.work.push_back(Output::Generate { job, request });
                }
            },
            Output::Speak { job, piece, .. } => {
                let frames = Pcm16::frames_in(500) as usize;
                let result = match quality {
                    Quality::Good | Quality::Part => Ok(Pcm16(vec![1; frames])),
                    Quality::Empty => Ok(Pcm16::default()),
                    Quality::Failed => failed(),
                };
                self.rig.stage(StageReport::Spoken { job, piece, result });
            }
            Output::Send(_) | Output::Listen(_) | Output::Prefill { .. } | Output::Cancel { .. } => {}
        }
    }
}

fn failed<T>() -> Result<T, StageError> {
    Err(StageError("out of luck".into()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_events_breaks_what_a_client_relies_on(ops in prop::collection::vec(op(), 1..80)) {
        let mut world = World { rig: Rig::new(), client: Client::default() };
        for op in ops {
            world.run(op);
        }
        // Once nobody speaks and every stage has done its work, nothing is left open.
        world.run(Op::Silence(90));
        for _ in 0..2000 {
            world.run(Op::Answer(0, Quality::Good));
            if world.rig.work.is_empty() {
                break;
            }
        }
        prop_assert!(world.rig.work.is_empty(), "work without end: {:?}", world.rig.work);
        prop_assert!(world.client.open.is_empty(), "open for ever: {:?}", world.client.open);
        let silent: Vec<_> = world.client.committed.difference(&world.client.written).collect();
        prop_assert!(silent.is_empty(), "committed, and never written down: {silent:?}");
    }
}
