//! Tools: calls on the wire, and what the language model is told of them; and speech that comes in parts.

use protocol::{Tool, ToolChoice};
use serde_json::json;

use super::*;
use crate::stages::{Author, Call};

fn tools() -> Vec<Tool> {
    vec![Tool::Function { name: "f".into(), description: None, parameters: Some(json!({ "type": "object" })) }]
}

fn with_tools() -> Rig {
    let mut rig = Rig::new();
    let session = Session { kind: Some(SessionKind::Realtime), tools: Some(tools()), ..Session::default() };
    rig.client(ClientEvent::SessionUpdate { session: Box::new(session) });
    rig.client(text_item("What is it?"));
    rig.client(ClientEvent::ResponseCreate { response: None });
    rig.events.clear();
    rig
}

fn request(rig: &mut Rig) -> (Job, crate::stages::Request) {
    rig.take(|o| if let Output::Generate { job, request } = o { Some((*job, request.clone())) } else { None })
}

fn piece(index: usize, name: &str, arguments: &str) -> Written {
    Written::Call { index, name: name.into(), arguments: arguments.into() }
}

fn ids(rig: &Rig) -> Vec<(String, String)> {
    let call = |e: &ServerEvent| match e {
        ServerEvent::OutputItemDone { item, .. } if item.is_call() => {
            Some((item.call_id.clone().unwrap(), item.arguments.clone().unwrap()))
        }
        _ => None,
    };
    rig.events.iter().filter_map(call).collect()
}

#[test]
fn a_response_of_calls_alone_has_no_message_and_its_arguments_stream() {
    let mut rig = with_tools();
    let (job, asked) = request(&mut rig);
    assert_eq!((asked.tools, asked.tool_choice), (tools(), ToolChoice::auto()));
    for written in [piece(0, "f", ""), piece(0, "", "{\"x\":"), piece(1, "f", "{}"), piece(0, "", "1}")] {
        rig.stage(StageReport::Written { job, written });
    }
    rig.stage(StageReport::TextDone { job, result: Ok(Finish::default()) });
    let expected = [
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.function_call_arguments.done",
        "conversation.item.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ];
    assert_eq!(rig.kinds(), expected);
    let calls = ids(&rig);
    assert_eq!(calls.iter().map(|(_, a)| a.as_str()).collect::<Vec<_>>(), ["{\"x\":1}", "{}"]);
    assert!(calls.iter().all(|(id, _)| id.len() <= 32) && calls[0].0 != calls[1].0);
}

#[test]
fn the_model_is_told_calls_with_their_answers_and_never_one_without_the_other() {
    let mut rig = with_tools();
    let (job, _) = request(&mut rig);
    rig.stage(StageReport::Written { job, written: Written::Text("Let me see.".into()) });
    rig.stage(StageReport::Written { job, written: piece(0, "f", "{}") });
    rig.stage(StageReport::TextDone { job, result: Ok(Finish::default()) });
    rig.speak_all(200);
    let calls = ids(&rig);
    // Not answered yet: the model is told of no call.
    rig.client(ClientEvent::ResponseCreate { response: None });
    let (_, asked) = request(&mut rig);
    assert!(asked.messages.iter().all(|m| m.calls.is_empty()), "{:?}", asked.messages);
    rig.client(ClientEvent::ResponseCancel { response_id: None });
    rig.client(ClientEvent::ConversationItemCreate { previous_item_id: None, item: Item::output(&calls[0].0, "7") });
    rig.client(ClientEvent::ConversationItemCreate { previous_item_id: None, item: Item::output("nobody", "8") });
    rig.client(ClientEvent::ResponseCreate { response: None });
    let (_, asked) = request(&mut rig);
    let told = &asked.messages[asked.messages.len() - 2..];
    let call = Call { call_id: calls[0].0.clone(), name: "f".into(), arguments: "{}".into() };
    assert_eq!((told[0].text.as_str(), &told[0].calls), ("Let me see.", &vec![call]));
    assert_eq!((told[1].author, told[1].text.as_str(), &told[1].call_id), (Author::Tool, "7", &calls[0].0));
}

#[test]
fn a_call_that_is_cut_off_is_incomplete_and_forgotten() {
    let mut rig = with_tools();
    let (job, _) = request(&mut rig);
    rig.stage(StageReport::Written { job, written: piece(0, "f", "{\"x\":") });
    rig.client(ClientEvent::ResponseCancel { response_id: None });
    assert!(!rig.kinds().contains(&"response.function_call_arguments.done".to_owned()));
    let status = rig.events.iter().find_map(|e| match e {
        ServerEvent::OutputItemDone { item, .. } => item.status.clone(),
        _ => None,
    });
    assert_eq!(status.as_deref(), Some("incomplete"));
}

#[test]
fn a_response_may_be_denied_the_sessions_tools() {
    let mut rig = with_tools();
    rig.client(ClientEvent::ResponseCancel { response_id: None });
    let config = protocol::ResponseConfig { tool_choice: Some(ToolChoice::Word("none".into())), ..Default::default() };
    rig.work.clear();
    rig.client(ClientEvent::ResponseCreate { response: Some(Box::new(config)) });
    assert_eq!(request(&mut rig).1.tools, []);
}

#[test]
fn speech_that_comes_in_parts_goes_out_as_it_comes_and_in_order() {
    let mut rig = with_tools();
    let (job, _) = request(&mut rig);
    rig.stage(StageReport::Written { job, written: Written::Text("One two three. Four five six.".into()) });
    rig.stage(StageReport::TextDone { job, result: Ok(Finish::default()) });
    let pcm = |ms| Pcm16(vec![1; Pcm16::frames_in(ms) as usize]);
    let audio = |rig: &Rig| rig.kinds().iter().filter(|k| *k == "response.output_audio.delta").count();
    // The second piece has to wait for the first to end.
    rig.stage(StageReport::Speech { job, piece: 1, pcm: pcm(100) });
    assert_eq!(audio(&rig), 0);
    rig.stage(StageReport::Speech { job, piece: 0, pcm: pcm(100) });
    assert_eq!(audio(&rig), 1);
    rig.stage(StageReport::Spoken { job, piece: 0, result: Ok(pcm(100)) });
    assert_eq!(audio(&rig), 3);
    rig.stage(StageReport::Spoken { job, piece: 1, result: Ok(Pcm16::default()) });
    assert_eq!(rig.kinds().last().unwrap(), "response.done");
    let words: Vec<String> = rig
        .events
        .iter()
        .filter_map(|e| match e {
            ServerEvent::OutputTranscriptDelta { delta, .. } => Some(delta.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(words.concat(), "One two three. Four five six.");
}
