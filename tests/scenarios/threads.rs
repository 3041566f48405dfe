//! What users of other clients have reported, each as a scenario: the numbers are those of the list in the protocol
//! notes' section 6, the threads are named there and here.

use std::time::Duration;

use protocol::Dialect;
use serde_json::json;
use session::{Action, Config, Input, ItemState, LinkEnd, NoticeAction, Output, Phase, Turns};
use support::client::{Client, audio, begun, call, created, done, error, tool, types, words};

fn answer(client: &mut Client, ms: u64) {
    client.hears(created("r1"));
    client.hears(begun("r1", "a1"));
    client.hears(words("r1", "a1", "One two three four five six seven eight."));
    client.hears(audio("r1", "a1", ms));
}

fn with_tools() -> Client {
    Client::live_with(Config { tools: vec![tool("f", 5), tool("g", 5)], ..Client::config() })
}

/// 1: pickle-com/glass#220.
#[test]
fn a_server_that_refuses_the_old_dialect_is_not_asked_again() {
    let mut client = Client::live("openai");
    client.hears(error("beta_api_shape_disabled", "The beta shape is disabled."));
    assert_eq!((client.view().status.phase, client.session.deadline()), (Phase::Idle, None));
    assert_eq!(client.view().notices[0].action, NoticeAction::OpenSettings);
}

/// 2: TanStack/ai#586. And 4 (TEN-framework/ten-framework#2261), 6 (openai/openai-python#2638): GA shapes, no beta key.
#[test]
fn every_update_names_its_type_and_has_no_key_of_another_dialect() {
    let mut client = Client::new(Client::config());
    client.act(Action::StartTalk);
    let sent = client.hears(json!({ "type": "session.created", "session": {} }));
    let session = &sent[0]["session"];
    assert_eq!((sent[0]["type"].as_str(), session["type"].as_str()), (Some("session.update"), Some("realtime")));
    let known = ["type", "output_modalities", "instructions", "tools", "tool_choice", "audio"];
    let keys: Vec<&String> = session.as_object().unwrap().keys().collect();
    assert!(keys.iter().all(|k| known.contains(&k.as_str())), "{keys:?}");
    let codec = Config { codec: Some(protocol::Codec::Mulaw), ..Client::config() };
    let mut client = Client::new(codec);
    client.act(Action::StartTalk);
    let sent = client.hears(json!({ "type": "session.created", "session": {} }));
    assert_eq!(sent[0]["session"]["audio"]["input"]["format"], json!({ "type": "audio/pcmu" }));
}

/// 3: hkjarral/AVA-AI-Voice-Agent-for-Asterisk#190.
#[test]
fn what_follows_a_tool_is_asked_for_without_a_key_that_would_be_refused() {
    let mut client = with_tools();
    client.hears(created("r1"));
    client.hears(call("added", "r1", "i1", "c1", "f", "", "in_progress"));
    client.hears(call("done", "r1", "i1", "c1", "f", "{}", "completed"));
    client.hears(done("r1", "completed"));
    let sent = client.step(Input::ToolResult { call_id: "c1".into(), result: Ok("7".into()) });
    assert_eq!(sent[1], json!({ "type": "response.create" }));
}

/// 5: crmitchelmore/justspeaktoit#427.
#[test]
fn a_transcription_session_is_never_asked_of_a_conversation() {
    let mut client = Client::new(Client::config());
    client.act(Action::StartTalk);
    let sent = client.hears(json!({ "type": "session.created", "session": { "type": "realtime" } }));
    assert!(types(&sent).iter().all(|t| *t == "session.update"));
    assert_ne!(sent[0]["session"]["type"], "transcription");
}

/// 7: openai/openai-agents-python#1661.
#[test]
fn a_voice_is_told_once_and_another_one_after_audio_renews_the_session_with_the_conversation() {
    let mut client = Client::live("openai");
    answer(&mut client, 500);
    client.hears(done("r1", "completed"));
    client.plays(500);
    client.hears(json!({ "type": "response.output_audio.done", "response_id": "r1", "item_id": "a1" }));
    let now = client.after(Duration::ZERO);
    // Another tone: the voice is not said again.
    let config = Config { instructions: "Be long.".into(), ..Client::config() };
    client.session.configure(now, config.clone());
    let sent = client.step(Input::Timeout);
    assert_eq!(types(&sent), ["session.update"]);
    assert!(sent[0]["session"]["audio"]["output"].get("voice").is_none());
    // Another voice: another session.
    client.did.clear();
    client.session.configure(client.after(Duration::ZERO), Config { voice: "cedar".into(), ..config });
    client.step(Input::Timeout);
    assert!(client.did.contains(&Output::Disconnect) && client.did.contains(&Output::Connect));
    assert_eq!(client.view().status.phase, Phase::Live, "nobody need know");
    let update = client.hears(json!({ "type": "session.created", "session": {} }));
    assert_eq!(update[0]["session"]["audio"]["output"]["voice"], "cedar");
    let replay = client.hears(json!({ "type": "session.updated", "session": {} }));
    assert_eq!(types(&replay), ["conversation.item.create"], "and nothing is asked for");
    assert_eq!(replay[0]["item"]["content"][0]["type"], "output_text");
}

/// 8: openai/openai-agents-python#2370.
#[test]
fn a_truncation_never_goes_beyond_what_was_received() {
    let mut client = Client::live("openai");
    answer(&mut client, 1000);
    client.plays(5000);
    client.hears(audio("r1", "a1", 500));
    client.plays(1200);
    let sent = client.act(Action::Interrupt);
    let cut = sent.iter().find(|e| e["type"] == "conversation.item.truncate").unwrap();
    assert_eq!((cut["audio_end_ms"].as_u64(), cut["content_index"].as_u64()), (Some(1200), Some(0)));
    client.hears(error("", "Audio content of 1000ms is already shorter than 1200ms"));
    assert!(client.notices().is_empty());
}

/// 9: livekit/agents#6157.
#[test]
fn an_answer_without_a_sound_is_not_truncated() {
    let mut client = Client::live("openai");
    client.hears(created("r1"));
    client.hears(begun("r1", "a1"));
    client.hears(json!({ "type": "response.content_part.added", "response_id": "r1", "item_id": "a1",
        "part": { "type": "audio", "transcript": "" } }));
    let sent = client.act(Action::Interrupt);
    assert_eq!(types(&sent), ["response.cancel"]);
    client.hears(error("unsupported_content_type", "Only model output audio messages can be truncated"));
    assert!(client.notices().is_empty());
}

/// 10: openai/openai-agents-python#2009.
#[test]
fn the_server_is_told_what_was_heard_and_the_window_keeps_both() {
    let mut client = Client::live("openai");
    answer(&mut client, 4000);
    client.hears(done("r1", "completed"));
    client.plays(2000);
    let sent =
        client.hears(json!({ "type": "input_audio_buffer.speech_started", "item_id": "u1", "audio_start_ms": 0 }));
    assert_eq!(types(&sent), ["conversation.item.truncate"]);
    assert_eq!(sent[0]["audio_end_ms"], 2000);
    let item = &client.view().items[0];
    assert_eq!((item.state, item.text.as_str()), (ItemState::Interrupted, "One two three four five six seven eight."));
    let heard: String = item.text.chars().take(item.heard_chars.unwrap() as usize).collect();
    assert_eq!(heard, "One two three four");
}

/// 11: openai/openai-realtime-api-beta#48. The echo itself is another issue's; while muted the server hears silence.
#[test]
fn a_muted_microphone_sends_silence_that_lets_a_turn_end() {
    let mut client = Client::live("openai");
    client.act(Action::SetMuted { muted: true });
    let sent = client.speaks(20);
    assert_eq!(types(&sent), ["input_audio_buffer.append"]);
    assert!(sent[0]["audio"].as_str().unwrap().chars().all(|c| c == 'A' || c == '='));
}

/// 12: openai/openai-agents-python#4135, Azure/azure-sdk-for-python#48965.
#[test]
fn nothing_of_an_interrupted_answer_is_played_although_more_of_it_comes() {
    let mut client = Client::live("openai");
    answer(&mut client, 1000);
    client.plays(100);
    client.hears(json!({ "type": "input_audio_buffer.speech_started", "item_id": "u1", "audio_start_ms": 0 }));
    assert_eq!(client.count(|o| matches!(o, Output::Flush { .. })), 1);
    let before = client.played_ms();
    client.hears(audio("r1", "a1", 1000));
    client.hears(words("r1", "a1", " Nine."));
    client.hears(done("r1", "cancelled"));
    client.hears(audio("r1", "a1", 1000));
    assert_eq!(client.played_ms(), before);
    assert!(!client.lines()[0].contains("Nine"));
    // The next answer is heard.
    client.hears(created("r2"));
    client.hears(audio("r2", "a2", 300));
    assert_eq!(client.played_ms(), before + 300);
}

/// 13: block/berd#318.
#[test]
fn nothing_to_cancel_is_no_error_to_anybody() {
    let mut client = Client::live("openai");
    client.act(Action::SendText { text: "Hi".into() });
    client.act(Action::Interrupt);
    client.hears(error("response_cancel_not_active", "Cancellation failed: no active response found"));
    assert!(client.notices().is_empty());
    let sent = client.act(Action::SendText { text: "Hello?".into() });
    assert_eq!(types(&sent), ["conversation.item.create", "response.create"]);
}

/// 14: openai/openai-agents-python#1168, #3405: the error names no event.
#[test]
fn a_request_refused_because_another_runs_is_made_again_when_that_one_ends() {
    let mut client = with_tools();
    client.act(Action::SendText { text: "Hi".into() });
    let refused = error("conversation_already_has_active_response", "Conversation already has an active response");
    assert_eq!(types(&client.hears(refused)), [""; 0]);
    client.hears(created("r0"));
    assert_eq!(types(&client.hears(done("r0", "completed"))), ["response.create"]);
    // Once, and not for ever.
    client.hears(created("r1"));
    assert_eq!(types(&client.hears(done("r1", "completed"))), [""; 0]);
}

/// 15: livekit/agents#6579.
#[test]
fn a_question_stands_above_its_answer_although_its_words_come_later() {
    let mut client = Client::live("openai");
    client.hears(json!({ "type": "input_audio_buffer.committed", "item_id": "u1", "previous_item_id": null }));
    answer(&mut client, 100);
    client.hears(json!({ "type": "input_audio_buffer.committed", "item_id": "u2", "previous_item_id": "a1" }));
    let t = "conversation.item.input_audio_transcription.completed";
    client.hears(json!({ "type": t, "item_id": "u2", "transcript": "Second." }));
    client.hears(json!({ "type": t, "item_id": "u1", "transcript": "First." }));
    let lines = client.lines();
    assert_eq!(lines[0], "User: First.");
    assert!(lines[1].starts_with("Assistant: One"));
    assert_eq!(lines[2], "User: Second.");
}

/// 16: openai/openai-agents-js#1341.
#[test]
fn transcripts_are_asked_for_without_being_asked() {
    for (profile, model) in [("openai", json!({ "model": "gpt-transcribe" })), ("other", json!({}))] {
        let mut client = Client::new(Config { profile: protocol::profile(profile), ..Client::config() });
        client.act(Action::StartTalk);
        let sent = client.hears(json!({ "type": "session.created", "session": {} }));
        assert_eq!(sent[0]["session"]["audio"]["input"]["transcription"], model, "{profile}");
    }
}

/// 17: betalgo/openai#674.
#[test]
fn a_tap_on_the_talk_key_is_a_hint_and_never_an_error() {
    let mut client = Client::live_with(Config { turns: Turns::PushToTalk, ..Client::config() });
    assert_eq!(types(&client.act(Action::PressTalk)), ["input_audio_buffer.clear"]);
    client.speaks(80);
    assert_eq!(types(&client.act(Action::ReleaseTalk)), ["input_audio_buffer.clear"]);
    assert_eq!(client.notices(), ["Hold the key while you speak, and let go when you have finished."]);
    client.act(Action::PressTalk);
    assert!(client.notices().is_empty());
    client.speaks(100);
    assert_eq!(types(&client.act(Action::ReleaseTalk)), ["input_audio_buffer.commit", "response.create"]);
    client.hears(error("input_audio_buffer_commit_empty", "buffer too small"));
    assert!(client.notices().is_empty());
}

/// 18: pipecat-ai/pipecat#4465.
#[test]
fn two_items_of_one_answer_are_played_in_order_and_cut_each_for_itself() {
    let mut client = Client::live("openai");
    client.hears(created("r1"));
    for item in ["a1", "a2"] {
        client.hears(begun("r1", item));
        client.hears(words("r1", item, "One two three."));
        client.hears(audio("r1", item, 1000));
    }
    client.hears(json!({ "type": "response.output_audio.done", "response_id": "r1", "item_id": "a1" }));
    client.hears(done("r1", "completed"));
    let segments: Vec<_> = client
        .did
        .iter()
        .filter_map(|o| if let Output::Play { segment, .. } = o { Some(*segment) } else { None })
        .collect();
    assert_eq!(segments.len(), 2);
    client.step(Input::Heard { segment: segments[0], frames: 12_000 });
    let sent = client.act(Action::Interrupt);
    let expected = [
        json!({ "type": "conversation.item.truncate", "item_id": "a1", "content_index": 0, "audio_end_ms": 500 }),
        json!({ "type": "conversation.item.delete", "item_id": "a2" }),
    ];
    assert_eq!(sent, expected);
}

/// 19: pollen-robotics/reachy_mini_conversation_app#134.
#[test]
fn an_hour_is_no_end_the_session_is_renewed_before_in_a_quiet_moment_and_nothing_said_is_lost() {
    let mut client = Client::live("openai");
    client.step(Input::Expires { at: client.after(Duration::from_secs(3600)) });
    answer(&mut client, 1000);
    client.hears(done("r1", "completed"));
    client.plays(1000);
    client.hears(json!({ "type": "response.output_audio.done", "response_id": "r1", "item_id": "a1" }));
    client.did.clear();
    client.wait_for(Duration::from_secs(3600 - 200));
    assert_eq!(client.count(|o| *o == Output::OpenSpare), 0);
    client.wait_for(Duration::from_secs(82));
    assert_eq!(client.count(|o| *o == Output::OpenSpare), 1);
    // The old link is in use until the new one is open, and what it was sent last is told to both.
    let sent = client.speaks(100);
    assert_eq!(types(&sent), ["input_audio_buffer.append"; 5]);
    client.step(Input::SpareReady);
    assert_eq!(client.count(|o| *o == Output::UseSpare), 1);
    assert_eq!(client.count(|o| matches!(o, Output::Connect | Output::Disconnect)), 0);
    assert_eq!(client.view().status.phase, Phase::Live);
    // What is said in the meantime is told to the next server, after the conversation.
    client.speaks(100);
    client.hears(json!({ "type": "session.created", "session": {} }));
    let sent = client.hears(json!({ "type": "session.updated", "session": {} }));
    assert_eq!(types(&sent), ["conversation.item.create", "input_audio_buffer.append"]);
    assert_eq!(sent[1]["audio"].as_str().unwrap().len(), (480 * 10 * 2usize).div_ceil(3) * 4);
    // A server that ends the session itself is followed by another one at once, and without a word about it.
    client.did.clear();
    client.hears(error("session_expired", "Your session hit the maximum duration of 60 minutes."));
    assert_eq!(client.count(|o| *o == Output::Connect), 1);
    assert!(client.notices().is_empty());
}

/// 19, in mid-answer: it waits until the answer has been heard, but not beyond the end.
#[test]
fn a_renewal_waits_for_the_answer_to_end_but_not_for_ever() {
    let mut client = Client::live("openai");
    answer(&mut client, 30_000);
    client.hears(done("r1", "completed"));
    client.step(Input::Expires { at: client.after(Duration::from_secs(90)) });
    client.did.clear();
    client.wait_for(Duration::from_secs(80));
    assert_eq!(client.count(|o| matches!(o, Output::Connect | Output::OpenSpare)), 0, "in mid-answer");
    client.wait_for(Duration::from_secs(6));
    assert_eq!(client.count(|o| *o == Output::Connect), 1, "a moment before the server would end it");
}

/// 19, where the next link cannot be had: the one in use stays in use, and another is tried until the end.
#[test]
fn a_link_that_cannot_be_renewed_is_used_to_its_end() {
    let mut client = Client::live("openai");
    client.step(Input::Expires { at: client.after(Duration::from_secs(90)) });
    client.did.clear();
    client.wait_for(Duration::from_secs(81));
    assert_eq!(client.count(|o| *o == Output::OpenSpare), 1);
    client.step(Input::SpareLost);
    assert_eq!((client.speaks(20).len(), client.view().status.phase), (1, Phase::Live));
    client.wait_for(Duration::from_secs(5));
    assert_eq!(client.count(|o| matches!(o, Output::Connect | Output::UseSpare)), 1, "at the last moment");
    // One that is there is used at once when the other is lost, and nobody need know.
    let mut client = Client::live("openai");
    client.step(Input::Expires { at: client.after(Duration::from_secs(3600)) });
    client.wait_for(Duration::from_secs(3482));
    answer(&mut client, 1000);
    client.step(Input::SpareReady);
    client.did.clear();
    client.step(Input::LinkClosed(LinkEnd::Lost("reset".into())));
    assert_eq!(client.did.iter().filter(|o| !matches!(o, Output::View(_) | Output::EndSegment { .. })).count(), 1);
    assert_eq!(client.count(|o| *o == Output::UseSpare), 1);
    assert!(client.notices().is_empty(), "{:?}", client.notices());
}

/// 20: openai/openai-realtime-console#35.
#[test]
fn turn_detection_is_told_whole() {
    for (turns, profile, expected) in [
        (
            Turns::Semantic,
            "openai",
            json!({ "type": "semantic_vad", "eagerness": "auto", "create_response": true, "interrupt_response": true }),
        ),
        (
            Turns::Semantic,
            "speaches",
            json!({ "type": "server_vad", "threshold": 0.5, "prefix_padding_ms": 300, "silence_duration_ms": 500,
                "create_response": true, "interrupt_response": true }),
        ),
        (
            Turns::Patient,
            "openai",
            json!({ "type": "semantic_vad", "eagerness": "low", "create_response": true, "interrupt_response": true }),
        ),
        (Turns::PushToTalk, "openai", json!(null)),
    ] {
        let mut client = Client::new(Config { turns, profile: protocol::profile(profile), ..Client::config() });
        client.act(Action::StartTalk);
        let sent = client.hears(json!({ "type": "session.created", "session": {} }));
        let input = &sent[0]["session"]["audio"]["input"];
        assert!(input.as_object().unwrap().contains_key("turn_detection"));
        assert_eq!(input["turn_detection"], expected, "{turns:?} at {profile}");
    }
}

/// 21: openai/openai-realtime-api-beta#25.
#[test]
fn where_an_answer_was_cut_is_an_estimate_at_a_words_end_unless_the_server_knows() {
    let mut client = Client::live("openai");
    answer(&mut client, 4000);
    client.plays(2300);
    client.act(Action::Interrupt);
    let heard = |client: &Client| client.view().items[0].heard_chars.unwrap() as usize;
    let text = client.view().items[0].text.clone();
    assert!(text[..heard(&client)].ends_with(|c: char| c.is_alphanumeric()), "{:?}", &text[..heard(&client)]);
    client.hears(json!({ "type": "conversation.item.truncated", "item_id": "a1", "content_index": 0,
        "audio_end_ms": 2300, "transcript": "One two" }));
    assert_eq!(heard(&client), 7);
}

/// 22: LiveKit maps `.created` to `.added`; mixed servers send all five.
#[test]
fn an_item_told_of_five_times_is_one_item() {
    let mut client = Client::live("openai");
    let item = json!({ "id": "a1", "type": "message", "role": "assistant", "content": [] });
    client.hears(created("r1"));
    for kind in ["conversation.item.created", "conversation.item.added", "conversation.item.done"] {
        client.hears(json!({ "type": kind, "previous_item_id": null, "item": item }));
    }
    for kind in ["response.output_item.added", "response.output_item.done"] {
        client.hears(json!({ "type": kind, "response_id": "r1", "item": item }));
    }
    assert_eq!(client.view().items.len(), 1);
}

/// 23: openai/openai-agents-python#2760.
#[test]
fn a_request_after_a_cancel_waits_for_the_end_of_the_cancelled_one() {
    let mut client = Client::live("openai");
    client.hears(created("r1"));
    let sent = client.act(Action::SendText { text: "Stop. What is two and two?".into() });
    assert_eq!(types(&sent), ["response.cancel", "conversation.item.create"]);
    assert_eq!(types(&client.hears(done("r1", "cancelled"))), ["response.create"]);
}

/// 23, on a server that never says that a cancelled response is done (Qwen): the end of its item, or five seconds.
#[test]
fn a_cancelled_response_without_an_end_does_not_block_the_next() {
    let mut client = Client::live("qwen");
    client.hears(created("r1"));
    client.hears(begun("r1", "a1"));
    client.act(Action::SendText { text: "Stop.".into() });
    let item = json!({ "id": "a1", "type": "message", "role": "assistant", "status": "incomplete", "content": [] });
    let ended = json!({ "type": "response.output_item.done", "response_id": "r1", "item": item });
    assert_eq!(types(&client.hears(ended)), ["response.create"]);
    let mut client = Client::live("qwen");
    client.hears(created("r1"));
    client.act(Action::SendText { text: "Stop.".into() });
    assert_eq!(types(&client.wait_for(Duration::from_secs(5))), ["response.create"]);
}

/// 24: pipecat's `llm.py`.
#[test]
fn an_item_is_never_asked_back_for() {
    let mut client = Client::live("openai");
    client.hears(json!({ "type": "input_audio_buffer.committed", "item_id": "u1" }));
    let sent = client.hears(json!({ "type": "conversation.item.input_audio_transcription.completed",
        "item_id": "u1", "transcript": "Hi." }));
    assert_eq!(types(&sent), [""; 0]);
    client.hears(error("item_retrieve_invalid_item_id", "There is no item."));
    assert_eq!(client.view().status.phase, Phase::Live);
}

/// 25: Azure-Samples/aoai-realtime-audio-sdk#132.
#[test]
fn tools_are_flat_on_the_wire_and_nested_only_where_a_dialect_says_so() {
    let mut client = Client::new(Config { tools: vec![tool("f", 5)], ..Client::config() });
    client.act(Action::StartTalk);
    let sent = client.hears(json!({ "type": "session.created", "session": {} }));
    let session = &sent[0]["session"];
    let flat = json!({ "type": "function", "name": "f", "description": "Does it.", "parameters": { "type": "object", "properties": {} } });
    assert_eq!((&session["tools"][0], &session["tool_choice"]), (&flat, &json!("auto")));
    let (_, event) = protocol::ClientEvent::parse(&sent[0].to_string()).unwrap();
    let qwen: serde_json::Value = serde_json::from_str(&Dialect::Qwen.write(&event, None)).unwrap();
    assert_eq!(qwen["session"]["tools"][0]["function"]["name"], "f");
}
