//! What users complain about in other apps' tools, each as a scenario; the numbers are those of our notes on users.

use std::time::Duration;

use serde_json::{Value, json};
use session::{Config, Input, Output, ToolState};
use support::client::{Client, call, created, done, tool, types};

fn with_tools() -> Client {
    Client::live_with(Config { tools: vec![tool("f", 5), tool("g", 60)], ..Client::config() })
}

fn two_calls(client: &mut Client) {
    client.hears(created("r1"));
    for (item, id, name) in [("i1", "c1", "f"), ("i2", "c2", "g")] {
        client.hears(call("added", "r1", item, id, name, "", "in_progress"));
        client.hears(call("done", "r1", item, id, name, "{\"x\":1}", "completed"));
    }
}

fn runs(client: &Client) -> Vec<&str> {
    client
        .did
        .iter()
        .filter_map(|o| if let Output::RunTool { name, .. } = o { Some(name.as_str()) } else { None })
        .collect()
}

fn result(client: &mut Client, id: &str, output: &str) -> Vec<Value> {
    client.step(Input::ToolResult { call_id: id.into(), result: Ok(output.into()) })
}

/// 48, 52.
#[test]
fn a_tools_answer_is_used_and_reaches_the_model_as_the_tool_wrote_it() {
    let mut client = with_tools();
    client.hears(created("r1"));
    client.hears(call("done", "r1", "i1", "c1", "f", "{}", "completed"));
    client.hears(done("r1", "completed"));
    let sent = result(&mut client, "c1", "{\"degrees\":7}");
    assert_eq!(sent[0]["item"]["output"], json!("{\"degrees\":7}"));
    assert_eq!(sent[1], json!({ "type": "response.create" }));
}

#[test]
fn arguments_are_seen_as_they_are_written() {
    let mut client = with_tools();
    client.hears(created("r1"));
    client.hears(call("added", "r1", "i1", "c1", "f", "", "in_progress"));
    let mut seen = Vec::new();
    for delta in ["{\"moons\":", "[\"Io\",", "\"Europa\"]}"] {
        client.hears(json!({ "type": "response.function_call_arguments.delta", "response_id": "r1", "item_id": "i1",
            "call_id": "c1", "delta": delta }));
        seen.push(client.view().tools[0].arguments.clone());
    }
    assert_eq!(seen, ["{\"moons\":", "{\"moons\":[\"Io\",", "{\"moons\":[\"Io\",\"Europa\"]}"]);
    assert_eq!(client.view().tools[0].state, ToolState::Streaming);
}

#[test]
fn several_calls_run_in_order_are_answered_together_and_asked_about_once() {
    let mut client = with_tools();
    two_calls(&mut client);
    assert!(runs(&client).is_empty(), "before the response is complete");
    client.hears(done("r1", "completed"));
    assert_eq!(runs(&client), ["f"]);
    assert_eq!(types(&result(&mut client, "c1", "one")), [""; 0]);
    assert_eq!(runs(&client), ["f", "g"]);
    let sent = result(&mut client, "c2", "two");
    assert_eq!(types(&sent), ["conversation.item.create", "conversation.item.create", "response.create"]);
    let outputs: Vec<(&Value, &Value)> =
        sent[..2].iter().map(|e| (&e["item"]["call_id"], &e["item"]["output"])).collect();
    assert_eq!(outputs, [(&json!("c1"), &json!("one")), (&json!("c2"), &json!("two"))]);
    assert_eq!(types(&result(&mut client, "c2", "again")), [""; 0], "an answer counts once");
}

#[test]
fn a_call_that_was_cut_off_is_never_run() {
    // By its item.
    let mut client = with_tools();
    client.hears(created("r1"));
    client.hears(call("added", "r1", "i1", "c1", "f", "", "in_progress"));
    client.hears(call("done", "r1", "i1", "c1", "f", "{\"city\":\"Ber", "incomplete"));
    client.hears(done("r1", "completed"));
    assert!(runs(&client).is_empty());
    assert_eq!(client.view().tools[0].state, ToolState::Dropped);
    // By its response.
    let mut client = with_tools();
    two_calls(&mut client);
    client.hears(done("r1", "cancelled"));
    assert!(runs(&client).is_empty());
    // By its link.
    let mut client = with_tools();
    two_calls(&mut client);
    client.loses_link();
    assert_eq!(client.view().tools[0].state, ToolState::Dropped);
}

/// 49, 50.
#[test]
fn a_tool_that_outlives_an_interruption_still_delivers() {
    let mut client = with_tools();
    two_calls(&mut client);
    client.hears(done("r1", "completed"));
    client.hears(json!({ "type": "input_audio_buffer.speech_started", "item_id": "u1", "audio_start_ms": 0 }));
    result(&mut client, "c1", "one");
    let sent = result(&mut client, "c2", "two");
    // Who speaks will be answered anyway.
    assert_eq!(types(&sent), ["conversation.item.create", "conversation.item.create"]);
}

#[test]
fn a_tool_that_outlives_its_link_is_told_to_the_next_server_call_and_all() {
    let mut client = with_tools();
    two_calls(&mut client);
    client.hears(done("r1", "completed"));
    result(&mut client, "c1", "one");
    client.loses_link();
    client.wait();
    client.connect();
    let sent = result(&mut client, "c2", "two");
    let kinds: Vec<&Value> = sent.iter().filter_map(|e| e["item"].get("type")).collect();
    assert!(kinds.contains(&&json!("function_call")), "{sent:?}");
    assert_eq!(sent.last().unwrap()["type"], "response.create");
    // Answered while there was no link: the replay has both halves.
    let mut client = with_tools();
    client.hears(created("r1"));
    client.hears(call("done", "r1", "i1", "c1", "f", "{}", "completed"));
    client.hears(done("r1", "completed"));
    client.loses_link();
    assert_eq!(types(&result(&mut client, "c1", "one")), [""; 0]);
    client.wait();
    client.hears(json!({ "type": "session.created", "session": {} }));
    let sent = client.hears(json!({ "type": "session.updated", "session": {} }));
    assert_eq!(types(&sent), ["conversation.item.create", "conversation.item.create", "response.create"]);
    assert_eq!((&sent[0]["item"]["call_id"], &sent[1]["item"]["call_id"]), (&json!("c1"), &json!("c1")));
}

/// 49, 50.
#[test]
fn a_slow_tool_is_given_up_honestly_and_an_unknown_one_is_said_to_be() {
    let mut client = with_tools();
    client.hears(created("r1"));
    client.hears(call("done", "r1", "i1", "c1", "f", "{}", "completed"));
    client.hears(done("r1", "completed"));
    let sent = client.wait_for(Duration::from_secs(6));
    assert_eq!(types(&sent), ["conversation.item.create", "response.create"]);
    assert!(sent[0]["item"]["output"].as_str().unwrap().contains("No result within 5 seconds"));
    assert_eq!(client.count(|o| matches!(o, Output::CancelTool { .. })), 1);
    assert_eq!(types(&result(&mut client, "c1", "late")), [""; 0]);

    let mut client = with_tools();
    client.hears(created("r1"));
    client.hears(call("done", "r1", "i1", "c1", "fly", "{}", "completed"));
    let sent = client.hears(done("r1", "completed"));
    assert!(runs(&client).is_empty());
    let output: Value = serde_json::from_str(sent[0]["item"]["output"].as_str().unwrap()).unwrap();
    assert_eq!(output, json!({ "error": "There is no tool \"fly\".", "tools": ["f", "g"] }));
}

#[test]
fn a_call_that_a_server_tells_of_in_one_event_alone_is_run_once() {
    let mut client = with_tools();
    client.hears(created("r1"));
    client.hears(json!({ "type": "response.function_call_arguments.done", "response_id": "r1", "item_id": "i1",
        "call_id": "c1", "name": "f", "arguments": "{}" }));
    let item = json!({ "id": "i1", "type": "function_call", "status": "completed", "call_id": "c1", "name": "f",
        "arguments": "{}" });
    client.hears(json!({ "type": "response.done",
        "response": { "id": "r1", "status": "completed", "output": [item] } }));
    assert_eq!(runs(&client), ["f"]);
    assert_eq!(client.view().tools.len(), 1);
}
