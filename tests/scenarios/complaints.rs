//! What users complain about in other voice apps, each as a scenario. The numbers are those of our notes on users; what has
//! a thread of its own in the protocol's notes as well (26, 28, 29, 33, 34, 37, 39, 46, 47, 54, 55) is in `threads`.

use std::time::Duration;

use protocol::{ClientEvent, ServerEvent};
use serde_json::{Value, json};
use session::{Action, AgentState, Config, Input, LinkEnd, NoticeAction, Output, Phase, Turns};
use support::client::{Client, audio, begun, created, done, error, types, words};

/// 27, 30, 32.
#[test]
fn an_answer_that_was_heard_to_its_end_is_not_cut_and_a_cut_is_a_whole_number() {
    let mut client = Client::live("openai");
    client.hears(created("r1"));
    client.hears(begun("r1", "a1"));
    client.hears(words("r1", "a1", "One two three."));
    client.hears(audio("r1", "a1", 1000));
    client.hears(json!({ "type": "response.output_audio.done", "response_id": "r1", "item_id": "a1" }));
    client.hears(done("r1", "completed"));
    client.plays(1000);
    let started = json!({ "type": "input_audio_buffer.speech_started", "item_id": "u1", "audio_start_ms": 0 });
    assert_eq!(types(&client.hears(started.clone())), [""; 0]);
    assert_eq!(client.view().items[0].heard_chars, None);
    // However long it took by the clock, only what the speaker played counts, and in whole milliseconds.
    client.hears(created("r2"));
    client.hears(begun("r2", "a2"));
    client.hears(audio("r2", "a2", 1000));
    let segment = client.did.iter().rev().find_map(|o| match o {
        Output::Play { segment, .. } => Some(*segment),
        _ => None,
    });
    client.wait_for(Duration::from_secs(30));
    client.step(Input::Heard { segment: segment.unwrap(), frames: 7_777 });
    let sent = client.hears(started);
    assert_eq!(sent[0]["audio_end_ms"], json!(324));
}

/// 31.
#[test]
fn speech_over_an_answer_does_not_drop_what_had_been_said() {
    let mut client = Client::live("openai");
    client.hears(created("r1"));
    client.hears(begun("r1", "a1"));
    client.hears(words("r1", "a1", "One two three."));
    client.hears(audio("r1", "a1", 1000));
    client.plays(500);
    client.hears(json!({ "type": "input_audio_buffer.speech_started", "item_id": "u1", "audio_start_ms": 0 }));
    // The server forgets all of its words; the window does not, and tells the next server what was heard.
    client.hears(
        json!({ "type": "conversation.item.truncated", "item_id": "a1", "content_index": 0, "audio_end_ms": 500 }),
    );
    client.hears(done("r1", "cancelled"));
    assert_eq!(client.lines()[0], "Assistant: One two three.");
    client.loses_link();
    client.wait();
    client.hears(json!({ "type": "session.created", "session": {} }));
    let sent = client.hears(json!({ "type": "session.updated", "session": {} }));
    assert_eq!(sent[0]["item"]["content"][0]["text"], "One two");
}

/// 40, 41.
#[test]
fn after_a_reconnection_nothing_is_doubled_and_the_microphone_is_heard() {
    let mut client = Client::live("openai");
    client.act(Action::SendText { text: "Hi".into() });
    client.hears(created("r1"));
    client.hears(begun("r1", "a1"));
    client.hears(words("r1", "a1", "Hello."));
    client.hears(done("r1", "completed"));
    let before = client.lines();
    client.loses_link();
    client.wait();
    client.hears(json!({ "type": "session.created", "session": {} }));
    for event in client.hears(json!({ "type": "session.updated", "session": {} })) {
        let mut item = event["item"].clone();
        item["status"] = json!("completed");
        for kind in ["conversation.item.added", "conversation.item.done"] {
            client.hears(json!({ "type": kind, "previous_item_id": null, "item": item }));
        }
    }
    assert_eq!(client.lines(), before);
    assert_eq!(types(&client.speaks(40)), ["input_audio_buffer.append"; 2]);
}

/// 36.
#[test]
fn a_wrong_key_stops_at_once_with_the_one_action_that_helps() {
    for (code, words) in [
        ("invalid_api_key", "The server rejected the key."),
        ("insufficient_quota", "The account has no credit left; the server answers again once it has."),
        ("model_not_found", "The server does not have this model: gone"),
    ] {
        // As an error, and as a response that failed.
        let failed = json!({ "type": "response.done", "response": { "id": "r1", "status": "failed", "output": [],
            "status_details": { "type": "failed", "error": { "code": code, "message": "gone" } } } });
        for event in [error(code, "gone"), failed] {
            let mut client = Client::live("openai");
            client.hears(event);
            let view = client.view();
            assert_eq!((view.status.phase, client.session.deadline()), (Phase::Idle, None), "{code}");
            let notice = &view.notices[0];
            assert_eq!((notice.text.as_str(), notice.action), (words, NoticeAction::OpenSettings));
        }
    }
}

#[test]
fn a_server_that_is_busy_is_asked_again_after_the_time_it_names() {
    let mut client = Client::live("openai");
    client.act(Action::SendText { text: "Hi".into() });
    client.hears(created("r1"));
    client.hears(json!({ "type": "rate_limits.updated",
        "rate_limits": [{ "name": "tokens", "limit": 100, "remaining": 0, "reset_seconds": 7.5 }] }));
    client.hears(json!({ "type": "response.done", "response": { "id": "r1", "status": "failed", "output": [],
        "status_details": { "type": "failed", "error": { "code": "inference_rate_limit_exceeded" } } } }));
    assert_eq!(client.view().status.agent, AgentState::Thinking);
    assert_eq!(types(&client.wait_for(Duration::from_secs(7))), [""; 0]);
    assert_eq!(types(&client.wait_for(Duration::from_secs(1))), ["response.create"]);
}

/// 35, 36, 37.
#[test]
fn a_lost_network_is_said_waited_out_and_nothing_is_repeated_or_forgotten() {
    let mut client = Client::live("openai");
    client.hears(json!({ "type": "input_audio_buffer.committed", "item_id": "u1" }));
    client.hears(json!({ "type": "conversation.item.input_audio_transcription.completed", "item_id": "u1",
        "transcript": "What is red?" }));
    client.hears(created("r1"));
    client.hears(begun("r1", "a1"));
    client.hears(words("r1", "a1", "A colour."));
    client.hears(audio("r1", "a1", 900));
    client.plays(900);
    client.hears(done("r1", "completed"));
    client.loses_link();
    assert!(client.notices()[0].contains("Connecting again; nothing you said is lost."));
    // Microphone audio of the meantime is stale: it is not sent later.
    client.speaks(1000);
    client.wait();
    client.hears(json!({ "type": "session.created", "session": {} }));
    let sent = client.hears(json!({ "type": "session.updated", "session": {} }));
    let texts: Vec<&Value> = sent.iter().map(|e| &e["item"]["content"][0]["text"]).collect();
    assert_eq!(types(&sent), ["conversation.item.create"; 2]);
    assert_eq!(texts, [&json!("What is red?"), &json!("A colour.")]);
    assert!(client.notices().is_empty());
}

#[test]
fn what_was_said_with_the_key_is_kept_through_a_lost_link() {
    let push_to_talk = Config { turns: Turns::PushToTalk, ..Client::config() };
    for lost_while_held in [true, false] {
        let mut client = Client::live_with(push_to_talk.clone());
        client.act(Action::PressTalk);
        client.speaks(1000);
        if lost_while_held {
            client.loses_link();
            client.speaks(1000);
        } else {
            client.speaks(1000);
            client.loses_link();
        }
        client.act(Action::ReleaseTalk);
        client.wait();
        client.hears(json!({ "type": "session.created", "session": {} }));
        let sent = client.hears(json!({ "type": "session.updated", "session": {} }));
        let bytes: usize = sent.iter().filter_map(|e| e["audio"].as_str()).map(|a| a.len() / 4 * 3).sum();
        assert_eq!(bytes, 2 * 48_000, "{lost_while_held}");
        let rest: Vec<&str> = types(&sent).into_iter().filter(|t| *t != "input_audio_buffer.append").collect();
        assert_eq!(rest, ["input_audio_buffer.commit", "response.create"]);
    }
}

/// 44.
#[test]
fn only_what_is_said_while_the_key_is_held_is_sent() {
    let mut client = Client::live_with(Config { turns: Turns::PushToTalk, ..Client::config() });
    assert_eq!(client.speaks(200).len(), 0);
    client.act(Action::PressTalk);
    assert!(client.view().status.talk_key);
    assert_eq!(client.speaks(200).len(), 10);
    client.act(Action::ReleaseTalk);
    assert_eq!(client.speaks(200).len(), 0);
}

#[test]
fn holding_the_key_silences_the_answer() {
    let mut client = Client::live_with(Config { turns: Turns::PushToTalk, ..Client::config() });
    client.hears(created("r1"));
    client.hears(begun("r1", "a1"));
    client.hears(words("r1", "a1", "One two three."));
    client.hears(audio("r1", "a1", 2000));
    client.plays(1000);
    let sent = client.act(Action::PressTalk);
    let expected = ["response.cancel", "conversation.item.truncate", "input_audio_buffer.clear"];
    let mut sorted = types(&sent);
    sorted.sort_unstable();
    let mut wanted = expected;
    wanted.sort_unstable();
    assert_eq!(sorted, wanted);
}

#[test]
fn a_turn_that_a_server_takes_and_forgets_is_asked_about() {
    let mut client = Client::live("localai");
    client.hears(json!({ "type": "input_audio_buffer.committed", "item_id": "u1" }));
    assert_eq!(client.view().status.agent, AgentState::Thinking);
    assert_eq!(types(&client.wait_for(Duration::from_secs(15))), ["response.create"]);
    assert_eq!(types(&client.wait_for(Duration::from_secs(60))), ["response.create"]);
    assert_eq!(client.notices(), ["The server took the question and did not answer."]);
    assert_eq!(client.view().status.agent, AgentState::Listening);
}

#[test]
fn a_server_that_hangs_up_on_the_silent_hears_a_little_silence() {
    let mut client = Client::live("qwen");
    client.act(Action::StopTalk);
    client.act(Action::SendText { text: "Hi".into() });
    client.connect();
    client.hears(created("r1"));
    client.hears(done("r1", "completed"));
    let sent = client.wait_for(Duration::from_secs(290));
    assert_eq!(types(&sent), ["input_audio_buffer.append"; 4]);
}

/// 54, 56.
#[test]
fn cumulative_words_replace_each_other_and_the_last_ones_stay() {
    let mut client = Client::live("xai");
    client.hears(json!({ "type": "input_audio_buffer.speech_started", "item_id": "u1", "audio_start_ms": 0 }));
    for words in ["What", "What is", "What is the time?"] {
        client.hears(json!({ "type": "conversation.item.input_audio_transcription.updated", "item_id": "u1",
            "transcript": words }));
        assert_eq!(client.lines(), [format!("User: {words}")]);
    }
    client.hears(json!({ "type": "conversation.item.input_audio_transcription.completed", "item_id": "u1",
        "transcript": "What is the time?" }));
    assert_eq!(client.lines(), ["User: What is the time?"]);
}

#[test]
fn xai_may_greet_with_a_conversation_in_place_of_a_session() {
    let mut client = Client::new(Config { profile: protocol::profile("xai"), ..Client::config() });
    client.act(Action::StartTalk);
    let sent = client.hears(json!({ "type": "conversation.created", "conversation": { "id": "conv" } }));
    assert_eq!(types(&sent), ["session.update"]);
}

#[test]
fn a_server_that_refuses_a_field_and_takes_the_rest_is_talked_with() {
    let mut client = Client::new(Config { profile: protocol::profile("speaches"), ..Client::config() });
    client.act(Action::StartTalk);
    client.hears(json!({ "type": "session.created", "session": {} }));
    client.hears(error("invalid_value", "input_audio_format cannot be changed"));
    client.hears(json!({ "type": "session.updated", "session": {} }));
    assert_eq!((client.view().status.phase, client.notices().len()), (Phase::Live, 0));
    // One that takes nothing is not.
    let mut client = Client::new(Client::config());
    client.act(Action::StartTalk);
    client.hears(json!({ "type": "session.created", "session": {} }));
    client.hears(error("unknown_parameter", "Unknown parameter: 'session.x'."));
    client.wait_for(Duration::from_secs(3));
    assert_eq!(client.notices(), ["The server refused the settings: Unknown parameter: 'session.x'."]);
    assert_eq!(client.view().status.phase, Phase::Idle);
}

#[test]
fn a_server_without_truncation_or_cancelling_is_not_asked_for_either_and_falls_silent_all_the_same() {
    let mut client = Client::live("speaches");
    client.hears(created("r1"));
    client.hears(begun("r1", "a1"));
    client.hears(words("r1", "a1", "One two three."));
    client.hears(audio("r1", "a1", 2000));
    client.plays(1000);
    assert_eq!(types(&client.act(Action::Interrupt)), [""; 0]);
    assert_eq!(client.count(|o| matches!(o, Output::Flush { .. })), 1);
    let before = client.played_ms();
    client.hears(audio("r1", "a1", 2000));
    assert_eq!(client.played_ms(), before);
}

/// 42, 43, 45.
#[test]
fn the_bill_is_shown_for_every_answer_with_what_the_cache_saved() {
    let mut client = Client::live("openai");
    let usage = json!({ "total_tokens": 253, "input_tokens": 132, "output_tokens": 121,
        "input_token_details": { "text_tokens": 119, "audio_tokens": 13, "image_tokens": 0, "cached_tokens": 64,
            "cached_tokens_details": { "text_tokens": 64, "audio_tokens": 0, "image_tokens": 0 } },
        "output_token_details": { "text_tokens": 30, "audio_tokens": 91 } });
    client.hears(created("r1"));
    client.hears(json!({ "type": "response.done",
        "response": { "id": "r1", "status": "cancelled", "output": [], "usage": usage } }));
    client.hears(json!({ "type": "conversation.item.input_audio_transcription.completed", "item_id": "u1",
        "transcript": "Hi", "usage": { "type": "duration", "seconds": 60.0 } }));
    let usage = client.view().usage.unwrap();
    let near = |a: Option<f64>, b: f64| a.is_some_and(|a| (a - b).abs() < 1e-9);
    assert!(near(usage.last_usd, 0.007_205_6), "{usage:?}");
    assert!(near(usage.saved_usd, 0.000_230_4) && near(usage.total_usd, 0.011_705_6), "{usage:?}");
    client.act(Action::NewConversation);
    assert_eq!(client.view().usage, None);
}

#[test]
fn every_step_of_a_turn_is_timed() {
    let mut client = Client::live("openai");
    client.speaks(20);
    client.hears(json!({ "type": "input_audio_buffer.speech_stopped", "item_id": "u1", "audio_end_ms": 20 }));
    client.hears(json!({ "type": "input_audio_buffer.committed", "item_id": "u1" }));
    client.hears(created("r1"));
    client.hears(audio("r1", "a1", 100));
    client.plays(10);
    let l = client.view().latency.unwrap();
    let steps =
        [l.end_of_turn_ms, l.commit_ms.unwrap(), l.response_ms.unwrap(), l.first_audio_ms.unwrap(), l.first_heard_ms];
    assert_eq!(steps, [1, 2, 3, 4, 5]);
    assert_eq!((l.p50_ms, l.p95_ms, l.turns), (5, 5, 1));
}

/// A whole conversation as each dialect has it ends in the same view.
#[test]
fn a_recorded_conversation_of_each_dialect_is_the_same_view() {
    let recordings = [
        ("openai", include_str!("../fixtures/wire/ga.jsonl")),
        ("speaches", include_str!("../fixtures/wire/beta.jsonl")),
        ("qwen", include_str!("../fixtures/wire/qwen.jsonl")),
        ("xai", include_str!("../fixtures/wire/xai.jsonl")),
    ];
    let mut views = Vec::new();
    for (profile, recording) in recordings {
        let mut client = Client::new(Config { profile: protocol::profile(profile), ..Client::config() });
        client.act(Action::StartTalk);
        for line in recording.lines() {
            let event = ServerEvent::parse(line).unwrap_or_else(|e| panic!("{profile}: {line}: {e}"));
            client.step(Input::Received(Box::new(event)));
        }
        let view = client.view();
        views.push((client.lines(), client.played_ms(), view.status, view.tools, client.notices()));
    }
    for (view, (profile, _)) in views.iter().zip(recordings) {
        assert_eq!(view, &views[0], "{profile}");
    }
    assert_eq!(views[0].0, ["User: What time is it?", "Assistant: It is noon."]);
}

#[test]
fn a_refused_link_says_why_and_what_helps() {
    let mut client = Client::live("openai");
    let helps = NoticeAction::OpenSettings;
    client.step(Input::LinkClosed(LinkEnd::Refused { words: "The server rejected the key.".into(), helps }));
    assert_eq!(client.notices(), ["The server rejected the key."]);
    assert!(!client.view().status.mic_open);
    let sent = client.act(Action::SendText { text: "Hi".into() });
    assert!(sent.is_empty() && client.did.contains(&Output::Connect));
    let (_, event) = ClientEvent::parse(r#"{"type":"response.create"}"#).unwrap();
    assert_eq!(event, ClientEvent::ResponseCreate { response: None });
}

/// 53: what is spoken is told where the user says so, and found out where not.
#[test]
fn the_language_that_the_user_speaks_is_told_to_who_writes_it_down() {
    for (language, expected) in [(Some("de"), json!("de")), (None, Value::Null)] {
        let mut client = Client::new(Config { language: language.map(Into::into), ..Client::config() });
        client.act(Action::StartTalk);
        let sent = client.hears(json!({ "type": "session.created", "session": {} }));
        assert_eq!(sent[0]["session"]["audio"]["input"]["transcription"]["language"], expected);
    }
}

/// 38: a talk that was forgotten is not paid for all night.
#[test]
fn a_talk_in_which_nobody_says_anything_ends_by_itself() {
    let limit = Duration::from_secs(900);
    let mut client = Client::live_with(Config { quiet_limit: Some(limit), ..Client::config() });
    client.wait_for(Duration::from_secs(800));
    // Whoever speaks, or is answered, is not silent.
    client.hears(json!({ "type": "input_audio_buffer.speech_started", "item_id": "u1", "audio_start_ms": 0 }));
    client.wait_for(Duration::from_secs(800));
    client.hears(json!({ "type": "input_audio_buffer.speech_stopped", "item_id": "u1", "audio_end_ms": 900 }));
    client.hears(json!({ "type": "input_audio_buffer.committed", "item_id": "u1" }));
    client.hears(created("r1"));
    client.hears(done("r1", "completed"));
    client.wait_for(Duration::from_secs(899));
    assert_eq!(client.view().status.phase, Phase::Live);
    client.wait_for(Duration::from_secs(2));
    let status = client.view().status;
    assert_eq!((status.phase, status.mic_open), (Phase::Idle, false));
    assert!(client.notices()[0].contains("the microphone is closed"), "{:?}", client.notices());
}
