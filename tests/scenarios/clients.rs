//! Clients that others wrote, pinned: they drive our server, and their types judge what our client sends.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use engine::scripted::{Script, loaders};
use serde_json::{Value, json};
use session::{Action, Config, Input, Turns};
use support::client::{Client, audio, begun, call, created, done, tool, words};

/// `cargo xtask test` installs them there.
fn packages() -> PathBuf {
    std::env::var_os("VIVAVOCE_CLIENTS").map(PathBuf::from).expect("`cargo xtask test` names where the clients are")
}

fn script() -> Script {
    let story = "Once upon a time there was a very small planet with a very long story. ".repeat(20);
    Script {
        heard: "Hello there.".into(),
        answers: vec![("story".into(), story)],
        calls: vec![("weather".into(), "get_weather".into(), r#"{"city":"Oslo"}"#.into())],
        ms_per_word: 10,
        ..Script::default()
    }
}

async fn drive(program: &str, arguments: &[&Path], environment: &[(&str, PathBuf)]) {
    let server = engine::serve::Server::bind(0, "token", loaders(script())).await.unwrap();
    let port = server.address().port().to_string();
    tokio::spawn(server.run());
    let mut command = tokio::process::Command::new(program);
    command.arg(arguments[0]).args([&port, "token"]).args(&arguments[1..]);
    command.envs(environment.iter().map(|(k, v)| (*k, v))).kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_secs(120), command.output()).await.expect("the client ends");
    let output = output.unwrap_or_else(|e| panic!("{program}: {e}"));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.contains("all turns were answered"), "{said}");
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(path)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the openai package"]
async fn the_openai_package_talks_with_our_server() {
    drive("python3", &[&here("python/talk.py")], &[("PYTHONPATH", packages().join("python"))]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the agents package"]
async fn the_agents_package_talks_with_our_server() {
    let folder = packages().join("js");
    let node = std::env::var("VIVAVOCE_NODE").unwrap_or_else(|_| "node".into());
    drive(&node, &[&here("js/talk.mjs"), &folder], &[]).await;
}

/// Everything our client ever says, by everything that makes it say something.
fn everything() -> Vec<Value> {
    let tools = vec![tool("f", 5)];
    let mut sent = Vec::new();
    for (turns, codec) in [
        (Turns::Semantic, None),
        (Turns::Patient, Some(protocol::Codec::Mulaw)),
        (Turns::Silence, Some(protocol::Codec::Alaw)),
        (Turns::PushToTalk, None),
    ] {
        let mut client = Client::new(Config { tools: tools.clone(), turns, codec, ..Client::config() });
        client.act(Action::StartTalk);
        sent.extend(client.hears(json!({ "type": "session.created", "session": {} })));
        sent.extend(client.hears(json!({ "type": "session.updated", "session": {} })));
        sent.extend(client.act(Action::PressTalk));
        sent.extend(client.speaks(200));
        sent.extend(client.act(Action::ReleaseTalk));
        client.hears(created("r1"));
        client.hears(begun("r1", "a1"));
        client.hears(words("r1", "a1", "One two three."));
        client.hears(audio("r1", "a1", 1000));
        client.hears(begun("r1", "a2"));
        client.hears(audio("r1", "a2", 1000));
        let first = client.did.iter().find_map(|o| match o {
            session::Output::Play { segment, .. } => Some(*segment),
            _ => None,
        });
        sent.extend(client.step(Input::Heard { segment: first.unwrap(), frames: 12_000 }));
        sent.extend(client.act(Action::SendText { text: "Hi".into() }));
        sent.extend(client.hears(done("r1", "cancelled")));
        client.hears(created("r2"));
        client.hears(call("done", "r2", "i1", "c1", "f", "{}", "completed"));
        client.hears(done("r2", "completed"));
        sent.extend(client.step(Input::ToolResult { call_id: "c1".into(), result: Err("no".into()) }));
        sent.extend(client.act(Action::PreviewVoice { voice: "cedar".into() }));
        sent.extend(client.act(Action::Interrupt));
        client.loses_link();
        client.wait();
        sent.extend(client.hears(json!({ "type": "session.created", "session": {} })));
        sent.extend(client.hears(json!({ "type": "session.updated", "session": {} })));
    }
    sent
}

#[test]
#[ignore = "needs the openai package"]
fn every_event_that_our_client_sends_is_one_to_the_openai_packages_types() {
    let events = everything();
    let mut kinds: Vec<&str> = events.iter().filter_map(|e| e["type"].as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let expected = [
        "conversation.item.create",
        "conversation.item.delete",
        "conversation.item.truncate",
        "input_audio_buffer.append",
        "input_audio_buffer.clear",
        "input_audio_buffer.commit",
        "response.cancel",
        "response.create",
        "session.update",
    ];
    assert_eq!(kinds, expected);
    let mut python = Command::new("python3")
        .arg(here("python/check.py"))
        .env("PYTHONPATH", packages().join("python"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = python.stdin.take().unwrap();
    for event in &events {
        writeln!(lines, "{event}").unwrap();
    }
    drop(lines);
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
