//! Two things at once: each was a way to silence, to an answer twice, or to words lost.

use std::time::Duration;

use serde_json::json;
use session::{Action, Config, Input, LinkEnd, Output, Phase, Turns};
use support::client::{Client, audio, begun, call, created, done, tool, types, words};

fn push_to_talk() -> Client {
    Client::live_with(Config { turns: Turns::PushToTalk, ..Client::config() })
}

fn greets(client: &mut Client) -> Vec<serde_json::Value> {
    client.hears(json!({ "type": "session.created", "session": {} }));
    client.hears(json!({ "type": "session.updated", "session": {} }))
}

#[test]
fn what_is_typed_while_a_session_is_renewed_is_answered() {
    let mut client = Client::live("openai");
    client.hears(audio("r0", "a0", 20));
    client.plays(20);
    client.hears(json!({ "type": "response.output_audio.done", "response_id": "r0", "item_id": "a0" }));
    client.session.configure(client.after(Duration::ZERO), Config { voice: "cedar".into(), ..Client::config() });
    client.step(Input::Timeout);
    client.act(Action::SendText { text: "Hi".into() });
    let sent = greets(&mut client);
    assert_eq!(types(&sent), ["conversation.item.create", "response.create"]);
}

#[test]
fn a_key_let_go_twice_loses_nothing() {
    let mut client = push_to_talk();
    client.loses_link();
    client.act(Action::PressTalk);
    client.speaks(500);
    client.act(Action::ReleaseTalk);
    client.act(Action::ReleaseTalk);
    // A second utterance before there is a link goes behind the first.
    client.act(Action::PressTalk);
    client.speaks(300);
    client.act(Action::ReleaseTalk);
    client.wait();
    let sent = greets(&mut client);
    let bytes: usize = sent.iter().filter_map(|e| e["audio"].as_str()).map(|a| a.len() / 4 * 3).sum();
    assert!(bytes >= 800 * 48, "{bytes}");
    let rest: Vec<&str> = types(&sent).into_iter().filter(|t| *t != "input_audio_buffer.append").collect();
    assert_eq!(rest, ["input_audio_buffer.commit", "response.create"]);
}

#[test]
fn what_was_told_to_a_link_that_was_dead_already_is_told_to_the_next() {
    let mut client = push_to_talk();
    client.act(Action::PressTalk);
    client.speaks(500);
    client.act(Action::ReleaseTalk);
    client.loses_link();
    client.wait();
    let sent = greets(&mut client);
    let bytes: usize = sent.iter().filter_map(|e| e["audio"].as_str()).map(|a| a.len() / 4 * 3).sum();
    assert_eq!(bytes, 500 * 48);
    // Once the answer has begun, it is not told again.
    client.hears(created("r1"));
    client.loses_link();
    client.wait();
    assert!(!types(&greets(&mut client)).contains(&"input_audio_buffer.append"));
}

#[test]
fn words_that_were_lost_before_they_were_written_down_are_asked_for_again() {
    let mut client = Client::live("openai");
    client.hears(json!({ "type": "input_audio_buffer.committed", "item_id": "u1" }));
    client.loses_link();
    assert!(client.notices().iter().any(|n| n.contains("Please say them again.")), "{:?}", client.notices());
}

#[test]
fn another_server_takes_over_at_once_and_the_old_one_hears_nothing_more() {
    let mut client = Client::live("openai");
    client.did.clear();
    client.step(Input::ServerChanged);
    assert_eq!(client.did[..2], [Output::Disconnect, Output::Connect]);
    let now = client.after(Duration::ZERO);
    client.session.configure(now, Config { profile: protocol::Profile::on_device(), ..Client::config() });
    assert!(client.speaks(100).is_empty());
    let sent = greets(&mut client);
    assert_eq!(types(&sent), ["input_audio_buffer.append"], "and what was said meanwhile is heard by the new one");
    // One that is not there is tried, too.
    let mut client = Client::live("openai");
    client.loses_link();
    client.did.clear();
    client.step(Input::ServerChanged);
    assert_eq!(client.count(|o| *o == Output::Connect), 1);
}

#[test]
fn stop_counts_before_the_answer_has_begun() {
    let mut client = Client::live("openai");
    client.hears(json!({ "type": "input_audio_buffer.committed", "item_id": "u1" }));
    client.act(Action::Interrupt);
    let sent = client.hears(created("r1"));
    assert_eq!(types(&sent), ["response.cancel"]);
    client.hears(audio("r1", "a1", 500));
    assert_eq!(client.played_ms(), 0);
    client.hears(done("r1", "cancelled"));
    // The next turn is answered.
    client.hears(json!({ "type": "input_audio_buffer.committed", "item_id": "u2" }));
    client.hears(created("r2"));
    client.hears(audio("r2", "a2", 500));
    assert_eq!(client.played_ms(), 500);
}

fn with_tool() -> Client {
    Client::live_with(Config { tools: vec![tool("f", 5)], ..Client::config() })
}

#[test]
fn a_response_told_of_twice_runs_its_tools_once_and_costs_once() {
    let mut client = with_tool();
    client.hears(created("r1"));
    let item = json!({ "id": "i1", "type": "function_call", "status": "completed", "call_id": "c1", "name": "f", "arguments": "{}" });
    let usage = json!({ "total_tokens": 3, "input_tokens": 2, "output_tokens": 1 });
    let ended = json!({ "type": "response.done",
        "response": { "id": "r1", "status": "completed", "output": [item], "usage": usage } });
    client.hears(ended.clone());
    client.step(Input::ToolResult { call_id: "c1".into(), result: Ok("7".into()) });
    client.hears(ended);
    client.hears(call("done", "r1", "i1", "c1", "f", "{}", "completed"));
    assert_eq!(client.count(|o| matches!(o, Output::RunTool { .. })), 1);
    assert_eq!(client.view().usage.unwrap().responses, 1);
}

#[test]
fn a_call_whose_events_name_no_response_runs_when_its_response_is_done() {
    let mut client = with_tool();
    client.hears(created("r1"));
    client.hears(json!({ "type": "response.function_call_arguments.done", "item_id": "i1", "call_id": "c1",
        "name": "f", "arguments": "{}" }));
    let item = json!({ "id": "i1", "type": "function_call", "status": "completed", "call_id": "c1", "name": "f", "arguments": "{}" });
    client
        .hears(json!({ "type": "response.done", "response": { "id": "r1", "status": "completed", "output": [item] } }));
    assert_eq!(client.count(|o| matches!(o, Output::RunTool { .. })), 1);
}

#[test]
fn a_tools_answer_that_comes_while_another_is_asked_about_is_asked_about_too() {
    let mut client = with_tool();
    for (response, item, id) in [("r1", "i1", "c1"), ("r2", "i2", "c2")] {
        client.hears(created(response));
        client.hears(call("done", response, item, id, "f", "{}", "completed"));
        client.hears(done(response, "completed"));
    }
    let sent = client.step(Input::ToolResult { call_id: "c1".into(), result: Ok("1".into()) });
    assert_eq!(types(&sent), ["conversation.item.create", "response.create"]);
    let sent = client.step(Input::ToolResult { call_id: "c2".into(), result: Ok("2".into()) });
    assert_eq!(types(&sent), ["conversation.item.create"]);
    client.hears(created("r3"));
    assert_eq!(types(&client.hears(done("r3", "completed"))), ["response.create"]);
}

#[test]
fn a_response_of_which_nothing_more_comes_is_given_up_in_words() {
    let mut client = Client::live("openai");
    client.hears(created("r1"));
    client.hears(begun("r1", "a1"));
    client.wait_for(Duration::from_secs(50));
    client.hears(words("r1", "a1", "Well"));
    client.wait_for(Duration::from_secs(50));
    assert!(client.notices().is_empty());
    let sent = client.wait_for(Duration::from_secs(20));
    assert_eq!(types(&sent), ["response.cancel"]);
    assert_eq!(client.notices(), ["The answer broke off: the server has said nothing more of it."]);
}

#[test]
fn a_server_with_names_of_its_own_does_not_double_the_transcript() {
    let mut client = Client::live("localai");
    client.act(Action::SendText { text: "Hi".into() });
    let item = json!({ "id": "srv_1", "type": "message", "role": "user", "status": "completed",
        "content": [{ "type": "input_text", "text": "Hi" }] });
    client.hears(json!({ "type": "conversation.item.added", "previous_item_id": null, "item": item }));
    assert_eq!(client.lines(), ["User: Hi"]);
}

#[test]
fn a_voice_chosen_in_mid_answer_is_not_said_to_a_session_that_would_refuse_it() {
    let mut client = Client::live("openai");
    client.hears(created("r1"));
    client.hears(audio("r1", "a1", 500));
    let cedar = Config { voice: "cedar".into(), ..Client::config() };
    client.session.configure(client.after(Duration::ZERO), cedar.clone());
    client.session.configure(client.after(Duration::ZERO), Config { instructions: "Be long.".into(), ..cedar });
    let sent = client.step(Input::Timeout);
    assert!(sent.iter().all(|e| e["session"]["audio"]["output"].get("voice").is_none()), "{sent:?}");
    assert_eq!(client.view().status.phase, Phase::Live);
    // Refused links still say so.
    client.step(Input::LinkClosed(LinkEnd::Lost("x".into())));
    assert_eq!(client.view().status.phase, Phase::Reconnecting);
}
