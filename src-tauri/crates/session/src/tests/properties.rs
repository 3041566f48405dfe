//! Everything that can happen, in any order; the invariants after each step.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Op {
    Act(Action),
    LinkLost,
    LinkRefused,
    Receive(ServerEvent),
    Mic,
    Voice(Voice),
    Heard(u32, u64),
    FlushAnswered,
    Speaker(bool),
    Microphone(bool),
    Expires(u64),
    SpareReady,
    SpareLost,
    ToolResult(&'static str, bool),
    Timeout,
}

fn op() -> impl Strategy<Value = Op> {
    let response = prop_oneof![Just("resp_1"), Just("resp_2"), Just("")];
    let item = prop_oneof![Just("item_A1"), Just("item_A2"), Just("item_U1"), Just("item_U2")];
    let place = (response, item).prop_map(|(r, i)| At {
        response_id: r.into(),
        item_id: i.into(),
        output_index: 0,
        content_index: 0,
    });
    let status = prop_oneof![
        Just(ResponseStatus::Completed),
        Just(ResponseStatus::Cancelled),
        Just(ResponseStatus::Failed),
        Just(ResponseStatus::Incomplete)
    ];
    let code = prop_oneof![
        Just("response_cancel_not_active"),
        Just("conversation_already_has_active_response"),
        Just("invalid_api_key"),
        Just("session_expired"),
        Just("nonsense")
    ];
    let calls = prop_oneof![Just("call_1"), Just("call_2"), Just("call_3")];
    let action = prop_oneof![
        4 => Just(Action::StartTalk),
        1 => Just(Action::StopTalk),
        2 => Just(Action::Interrupt),
        1 => any::<bool>().prop_map(|muted| Action::SetMuted { muted }),
        3 => Just(Action::SendText { text: "Hi".into() }),
        1 => Just(Action::NewConversation),
        1 => Just(Action::Retry),
        1 => Just(Action::PreviewVoice { voice: "af_heart".into() }),
        2 => Just(Action::PressTalk),
        2 => Just(Action::ReleaseTalk),
        1 => Just(Action::ToggleTalk),
    ];
    let event = prop_oneof![
        3 => Just(ServerEvent::SessionCreated { session: Box::default() }),
        3 => Just(ServerEvent::SessionUpdated { session: Box::default() }),
        1 => code.prop_map(|c| ServerEvent::Error { error: protocol::ApiError::invalid_request(c, "words") }),
        2 => place.clone().prop_map(|p| speech_started(&p.item_id)),
        1 => place.clone().prop_map(|p| ServerEvent::SpeechStopped { item_id: p.item_id, audio_end_ms: 0 }),
        2 => place.clone().prop_map(|p| ServerEvent::Committed { item_id: p.item_id, previous_item_id: Some("item_U2".into()) }),
        1 => place.clone().prop_map(|p| ServerEvent::ItemDeleted { item_id: p.item_id }),
        2 => place.clone().prop_map(|p| ServerEvent::InputTranscriptionCompleted { item_id: p.item_id, content_index: 0, transcript: "words".into(), usage: None }),
        3 => place.clone().prop_map(|p| created(&p.response_id)),
        3 => (place.clone(), status).prop_map(|(p, s)| done(&p.response_id, s)),
        2 => place.clone().prop_map(|p| ServerEvent::OutputItemAdded { response_id: p.response_id, output_index: 0, item: assistant(&p.item_id) }),
        2 => place.clone().prop_map(|p| ServerEvent::OutputTranscriptDelta { at: p, delta: "some words".into() }),
        6 => (place.clone(), 0usize..3000).prop_map(|(p, n)| ServerEvent::OutputAudioDelta { at: p, delta: AudioBytes(vec![3; n]) }),
        2 => place.clone().prop_map(|at| ServerEvent::OutputAudioDone { at }),
        3 => (place.clone(), calls.clone()).prop_map(|(p, c)| ServerEvent::OutputItemAdded { response_id: p.response_id, output_index: 0, item: called(c, "in_progress") }),
        2 => (place.clone(), calls.clone(), prop_oneof![Just("completed"), Just("incomplete")])
            .prop_map(|(p, c, s)| ServerEvent::OutputItemDone { response_id: p.response_id, output_index: 0, item: called(c, s) }),
        2 => (place, calls.clone()).prop_map(|(p, c)| ServerEvent::FunctionCallArgumentsDone {
            at: protocol::CallAt { response_id: p.response_id, item_id: format!("item_{c}"), output_index: 0 },
            call_id: c.into(), name: Some("f".into()), arguments: "{}".into() }),
    ];
    prop_oneof![
        4 => action.prop_map(Op::Act),
        1 => Just(Op::LinkLost),
        1 => Just(Op::LinkRefused),
        16 => event.prop_map(Op::Receive),
        2 => Just(Op::Mic),
        4 => prop_oneof![Just(Voice::Onset), Just(Voice::Confirmed), Just(Voice::Over)].prop_map(Op::Voice),
        6 => (0u32..8, 0u64..2000).prop_map(|(s, f)| Op::Heard(s, f)),
        4 => Just(Op::FlushAnswered),
        1 => any::<bool>().prop_map(Op::Speaker),
        1 => any::<bool>().prop_map(Op::Microphone),
        1 => (0u64..400).prop_map(Op::Expires),
        2 => Just(Op::SpareReady),
        1 => Just(Op::SpareLost),
        4 => (calls, any::<bool>()).prop_map(|(c, ok)| Op::ToolResult(c, ok)),
        3 => Just(Op::Timeout),
    ]
}

/// A call of a tool, known or not.
fn called(call: &str, status: &str) -> Item {
    Item {
        id: Some(format!("item_{call}")),
        kind: "function_call".into(),
        status: Some(status.into()),
        call_id: Some(call.into()),
        name: Some(if call == "call_3" { "nobody" } else { "f" }.into()),
        arguments: Some("{}".into()),
        ..Item::default()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spare {
    Opening,
    Ready,
}

/// What must hold between the session and the world, seen from the world.
#[derive(Default)]
struct World {
    asked: u32,
    loudness: Loudness,
    /// A link beside the one in use: being opened, or open.
    spare: Option<Spare>,
    flush_open: Option<u32>,
    silenced: std::collections::HashSet<u32>,
    played: std::collections::HashMap<u32, u64>,
    /// Calls that run, and calls answered on this link.
    running: std::collections::HashSet<String>,
    answered: std::collections::HashMap<String, u32>,
    run: std::collections::HashMap<String, u32>,
}

impl World {
    fn observe(&mut self, outputs: &[Output]) {
        for output in outputs {
            match output {
                Output::Play { segment, pcm } => {
                    assert!(!self.silenced.contains(&segment.0), "played {segment:?} after it was interrupted");
                    *self.played.entry(segment.0).or_default() += pcm.frames();
                }
                Output::Flush { generation } => {
                    self.flush_open = Some(*generation);
                    self.silenced.extend(self.played.keys());
                }
                Output::Send(event) => match &**event {
                    ClientEvent::ConversationItemCreate { item, .. } if item.kind == "function_call_output" => {
                        let call = item.call_id.clone().unwrap_or_default();
                        let times = self.answered.entry(call.clone()).or_default();
                        *times += 1;
                        let most = self.run.get(&call).copied().unwrap_or(0).max(1);
                        assert!(*times <= most, "{call} was answered {times} times on one link");
                        assert!(!self.running.contains(&call), "{call} was answered while it runs");
                    }
                    ClientEvent::ResponseCreate { response: None } => {
                        self.asked += 1;
                        assert!(self.asked <= 1, "two responses asked at once");
                    }
                    ClientEvent::ConversationItemTruncate { audio_end_ms, .. } => {
                        let most = self.played.values().max().copied().unwrap_or(0);
                        assert!(
                            *audio_end_ms > 0 && Pcm16::frames_in(*audio_end_ms) <= most,
                            "heard more than received"
                        );
                    }
                    _ => {}
                },
                Output::OpenSpare => assert!(self.spare.replace(Spare::Opening).is_none(), "two links beside one"),
                Output::UseSpare | Output::Connect | Output::Disconnect => {
                    let spare = self.spare.take();
                    if *output == Output::UseSpare {
                        assert_eq!(spare, Some(Spare::Ready), "a link that is not there");
                    }
                    self.asked = 0;
                    self.answered.clear();
                    self.run.clear();
                }
                Output::RunTool { call_id, name, .. } => {
                    assert_eq!(name, "f", "only known tools run");
                    assert!(self.running.is_empty(), "one tool at a time");
                    self.running.insert(call_id.clone());
                    *self.run.entry(call_id.clone()).or_default() += 1;
                }
                Output::CancelTool { call_id } => assert!(self.running.remove(call_id), "{call_id} does not run"),
                Output::Loudness(loudness) => {
                    assert_ne!(self.loudness, *loudness, "said twice");
                    self.loudness = *loudness;
                }
                Output::Deaf(_) | Output::Mic { .. } | Output::EndSegment { .. } | Output::View(_) => {}
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_events_breaks_the_rules(
        ops in prop::collection::vec(op(), 1..60),
        turns in prop_oneof![Just(Turns::Semantic), Just(Turns::PushToTalk)],
        profile in prop_oneof![Just("openai"), Just("qwen"), Just("speaches")],
        interrupt in prop_oneof![Just(Interrupt::AtOnce), Just(Interrupt::WithWords), Just(Interrupt::OnlyKey)],
        quiet in prop_oneof![Just(None), Just(Some(Duration::from_secs(20)))],
    ) {
        let tool = ToolSpec {
            name: "f".into(),
            description: String::new(),
            parameters: serde_json::Value::Null,
            limit: Duration::from_secs(3),
        };
        let mut rig = Rig::new();
        let config = Config { tools: vec![tool], turns, interrupt, quiet_limit: quiet, profile: protocol::profile(profile), ..Config::default() };
        rig.session = Session::new(config);
        let mut world = World::default();
        for op in ops {
            let outputs = match op {
                Op::Act(action) => rig.act(action),
                Op::LinkLost => { world.asked = 0; rig.step(Input::LinkClosed(LinkEnd::Lost("gone".into()))) }
                Op::LinkRefused => { world.asked = 0; rig.step(Input::LinkClosed(LinkEnd::Refused { words: "no".into(), helps: NoticeAction::Retry })) }
                Op::Receive(event) => {
                    // A server that answers, refuses or ends frees the line; only then may another be asked for.
                    if matches!(event, ServerEvent::ResponseCreated { .. } | ServerEvent::ResponseDone { .. } | ServerEvent::Error { .. }) {
                        world.asked = 0;
                    }
                    rig.receive(event)
                }
                Op::Mic => rig.step(Input::Mic(Pcm16(vec![100; 480]))),
                Op::Voice(voice) => rig.step(Input::Voice(voice)),
                Op::Heard(segment, frames) => rig.step(Input::Heard { segment: SegmentId(segment), frames }),
                Op::FlushAnswered => match world.flush_open.take() {
                    Some(generation) => rig.step(Input::Flushed { generation }),
                    None => Vec::new(),
                },
                Op::Speaker(works) => rig.step(Input::Speaker { works }),
                Op::Microphone(works) => rig.step(Input::Microphone { works }),
                Op::Expires(seconds) => {
                    let at = rig.now + Duration::from_secs(seconds);
                    rig.step(Input::Expires { at })
                }
                Op::ToolResult(call, ok) => {
                    world.running.remove(call);
                    let result = if ok { Ok("{}".to_owned()) } else { Err("it broke".to_owned()) };
                    rig.step(Input::ToolResult { call_id: call.into(), result })
                }
                Op::SpareReady if world.spare == Some(Spare::Opening) => {
                    world.spare = Some(Spare::Ready);
                    rig.step(Input::SpareReady)
                }
                Op::SpareLost if world.spare.take().is_some() => rig.step(Input::SpareLost),
                Op::SpareReady | Op::SpareLost => Vec::new(),
                Op::Timeout => match rig.session.deadline() {
                    Some(_) => { world.asked = 0; rig.wait() }
                    None => Vec::new(),
                },
            };
            world.observe(&outputs);
            rig.session.verify_invariants(rig.now);
        }
        world.observe(&rig.act(Action::StopTalk));
        let status = rig.session.view().status;
        prop_assert_eq!((status.phase, status.mic_open), (Phase::Idle, false));
        prop_assert_eq!(world.loudness, Loudness::Full);
        // A tool that runs may go on; its limit is all that is still due.
        prop_assert_eq!(rig.session.deadline().is_some(), !world.running.is_empty());
    }
}
