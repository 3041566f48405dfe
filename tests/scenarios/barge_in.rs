//! Talking over an answer, as the microphone hears it: softer at once, silent when it is speech, and nothing lost by a cough.

use std::time::Duration;

use serde_json::{Value, json};
use session::{Action, Config, EchoState, EchoView, Input, Interrupt, Loudness, Output, Turns, Voice};
use support::client::{Client, audio, begun, created, done, types, words};

/// In the middle of an answer of three seconds, of which one was heard.
fn answering(interrupt: Interrupt) -> Client {
    let mut client = Client::live_with(Config { interrupt, ..Client::config() });
    client.hears(created("r1"));
    client.hears(begun("r1", "a1"));
    client.hears(words("r1", "a1", "One two three four five six."));
    client.hears(audio("r1", "a1", 3000));
    client.plays(1000);
    client.did.clear();
    client
}

fn loudness(client: &Client) -> Vec<Loudness> {
    client.did.iter().filter_map(|o| if let Output::Loudness(l) = o { Some(*l) } else { None }).collect()
}

fn flushes(client: &Client) -> usize {
    client.count(|o| matches!(o, Output::Flush { .. }))
}

fn speech_started(client: &mut Client) -> Vec<Value> {
    client.hears(json!({ "type": "input_audio_buffer.speech_started", "item_id": "u1", "audio_start_ms": 0 }))
}

fn committed(client: &mut Client) -> Vec<Value> {
    client.hears(json!({ "type": "input_audio_buffer.speech_stopped", "item_id": "u1", "audio_end_ms": 900 }));
    client.hears(json!({ "type": "input_audio_buffer.committed", "item_id": "u1" }))
}

fn written(client: &mut Client, kind: &str, text: &str) -> Vec<Value> {
    let field = if kind == "delta" { "delta" } else { "transcript" };
    let mut event = json!({ "type": format!("conversation.item.input_audio_transcription.{kind}"), "item_id": "u1" });
    event[field] = text.into();
    client.hears(event)
}

#[test]
fn a_cough_costs_a_moment_of_softness_and_not_a_sample() {
    let mut client = answering(Interrupt::AtOnce);
    client.step(Input::Voice(Voice::Onset));
    assert_eq!(loudness(&client), [Loudness::Soft]);
    client.step(Input::Voice(Voice::Over));
    assert_eq!(loudness(&client), [Loudness::Soft, Loudness::Full]);
    // One that the microphone cannot make up its mind about.
    client.did.clear();
    client.step(Input::Voice(Voice::Onset));
    client.wait_for(Duration::from_millis(399));
    assert_eq!(loudness(&client), [Loudness::Soft]);
    client.wait_for(Duration::from_millis(2));
    assert_eq!(loudness(&client), [Loudness::Soft, Loudness::Full]);
    assert_eq!((flushes(&client), client.view().items[0].text.as_str()), (0, "One two three four five six."));
}

#[test]
fn speech_stands_the_answer_still_and_the_server_has_the_last_word() {
    let mut client = answering(Interrupt::AtOnce);
    client.step(Input::Voice(Voice::Onset));
    client.step(Input::Voice(Voice::Confirmed));
    assert_eq!(loudness(&client), [Loudness::Soft, Loudness::Paused]);
    assert_eq!(flushes(&client), 0);
    // It was the user: what was heard is told.
    let sent = speech_started(&mut client);
    assert_eq!(types(&sent), ["conversation.item.truncate"]);
    assert_eq!(sent[0]["audio_end_ms"], 1000);
    assert_eq!(loudness(&client).last(), Some(&Loudness::Full), "whatever comes next is as loud as ever");

    // It was the television: the answer goes on where it stood.
    let mut client = answering(Interrupt::AtOnce);
    client.step(Input::Voice(Voice::Onset));
    client.step(Input::Voice(Voice::Confirmed));
    client.step(Input::Voice(Voice::Over));
    client.wait_for(Duration::from_millis(1001));
    assert_eq!(loudness(&client), [Loudness::Soft, Loudness::Paused, Loudness::Full]);
    client.hears(done("r1", "completed"));
    client.plays(3000);
    assert_eq!((flushes(&client), client.played_ms()), (0, 3000));
}

#[test]
fn nobody_is_interrupted_while_nothing_is_spoken_or_the_microphone_is_muted() {
    let mut client = Client::live("openai");
    client.step(Input::Voice(Voice::Onset));
    client.step(Input::Voice(Voice::Confirmed));
    assert_eq!(loudness(&client), []);
    let mut client = answering(Interrupt::AtOnce);
    client.act(Action::SetMuted { muted: true });
    client.step(Input::Voice(Voice::Confirmed));
    assert_eq!(loudness(&client), []);
}

#[test]
fn with_words_a_server_leaves_the_answers_to_us() {
    for (interrupt, own) in [(Interrupt::AtOnce, true), (Interrupt::WithWords, false), (Interrupt::OnlyKey, true)] {
        let mut client = Client::new(Config { interrupt, ..Client::config() });
        client.act(Action::StartTalk);
        let sent = client.hears(json!({ "type": "session.created", "session": {} }));
        let detection = &sent[0]["session"]["audio"]["input"]["turn_detection"];
        assert_eq!((&detection["interrupt_response"], &detection["create_response"]), (&json!(own), &json!(own)));
    }
}

#[test]
fn with_words_who_only_says_that_he_listens_is_talked_on_to() {
    for said in ["Mhm.", "Yeah, okay.", ""] {
        let mut client = answering(Interrupt::WithWords);
        client.step(Input::Voice(Voice::Onset));
        client.step(Input::Voice(Voice::Confirmed));
        assert!(speech_started(&mut client).is_empty());
        client.step(Input::Voice(Voice::Over));
        assert_eq!(loudness(&client), [Loudness::Soft], "it listens");
        assert!(committed(&mut client).is_empty());
        assert!(written(&mut client, "completed", said).is_empty());
        assert_eq!(loudness(&client), [Loudness::Soft, Loudness::Full]);
        client.hears(done("r1", "completed"));
        client.plays(3000);
        assert_eq!(flushes(&client), 0, "{said}");
    }
}

#[test]
fn with_words_words_end_the_answer_as_soon_as_they_are_known() {
    // While they are said.
    let mut client = answering(Interrupt::WithWords);
    speech_started(&mut client);
    assert!(written(&mut client, "delta", "Mhm").is_empty());
    let sent = written(&mut client, "delta", ", but why?");
    assert_eq!(types(&sent), ["response.cancel", "conversation.item.truncate"]);
    client.hears(done("r1", "cancelled"));
    assert_eq!(types(&committed(&mut client)), ["response.create"]);
    // Or when they have all been said.
    let mut client = answering(Interrupt::WithWords);
    speech_started(&mut client);
    assert!(committed(&mut client).is_empty());
    let sent = written(&mut client, "completed", "Stop.");
    assert_eq!(types(&sent), ["response.cancel", "conversation.item.truncate"]);
    let sent = client.hears(done("r1", "cancelled"));
    assert_eq!(types(&sent), ["response.create"]);
}

#[test]
fn with_words_a_turn_that_nothing_speaks_against_is_asked_about_at_once() {
    let mut client = Client::live_with(Config { interrupt: Interrupt::WithWords, ..Client::config() });
    speech_started(&mut client);
    assert_eq!(types(&committed(&mut client)), ["response.create"]);
    assert!(written(&mut client, "completed", "Yes.").is_empty(), "and it may be one word");
}

#[test]
fn with_words_a_yes_that_outlasts_the_answer_is_a_turn_like_others() {
    let mut client = answering(Interrupt::WithWords);
    speech_started(&mut client);
    client.hears(done("r1", "completed"));
    client.hears(json!({ "type": "response.output_audio.done", "response_id": "r1", "item_id": "a1" }));
    client.plays(3000);
    assert!(committed(&mut client).is_empty());
    assert_eq!(types(&written(&mut client, "completed", "Yes.")), ["response.create"]);
}

#[test]
fn with_words_a_turn_whose_words_never_come_is_asked_about_all_the_same() {
    let mut client = answering(Interrupt::WithWords);
    speech_started(&mut client);
    assert!(committed(&mut client).is_empty());
    client.hears(done("r1", "completed"));
    assert_eq!(types(&client.wait_for(Duration::from_millis(3001))), ["response.create"]);
}

#[test]
fn only_with_the_key_nobody_is_heard_over_an_answer() {
    let mut client = answering(Interrupt::OnlyKey);
    client.step(Input::Voice(Voice::Confirmed));
    assert_eq!(loudness(&client), []);
    let sent = client.speaks(20);
    let silence = "A".repeat(480 * 2 * 4 / 3);
    assert_eq!(sent[0]["audio"].as_str().unwrap(), silence);
    client.act(Action::Interrupt);
    assert_eq!(flushes(&client), 1);
    assert_ne!(client.speaks(20)[0]["audio"].as_str().unwrap(), silence);
    // With the talk key, the key alone decides.
    let mut client = Client::live_with(Config { turns: Turns::PushToTalk, ..Client::config() });
    client.hears(created("r1"));
    client.hears(audio("r1", "a1", 1000));
    client.step(Input::Voice(Voice::Confirmed));
    assert_eq!(loudness(&client), []);
}

fn measure(client: &mut Client, state: EchoState) {
    client.step(Input::Echo(EchoView { state, softer_db: None, delay_ms: None }));
}

fn deafness(client: &Client) -> Vec<bool> {
    client.did.iter().filter_map(|o| if let Output::Deaf(deaf) = o { Some(*deaf) } else { None }).collect()
}

/// Speech that the server never hears.
fn takes_itself_for_the_user(client: &mut Client) {
    client.step(Input::Voice(Voice::Onset));
    client.step(Input::Voice(Voice::Confirmed));
    client.wait_for(Duration::from_millis(1001));
    client.wait_for(Duration::from_millis(2000));
}

#[test]
fn who_keeps_hearing_himself_stops_listening_and_says_so_until_something_changes() {
    let mut client = answering(Interrupt::AtOnce);
    measure(&mut client, EchoState::Leaking);
    takes_itself_for_the_user(&mut client);
    takes_itself_for_the_user(&mut client);
    assert!(deafness(&client).is_empty());
    takes_itself_for_the_user(&mut client);
    assert_eq!(deafness(&client), [true]);
    assert!(client.notices().iter().any(|n| n.contains("kept hearing itself")), "{:?}", client.notices());
    measure(&mut client, EchoState::Good);
    assert_eq!(client.view().echo.unwrap().state, EchoState::Deaf);
    // Another device is another echo.
    client.step(Input::EchoAnew);
    assert_eq!((deafness(&client), client.view().echo), (vec![true, false], None));
    assert!(client.notices().is_empty());
}

#[test]
fn a_turn_of_no_words_that_ended_an_answer_was_no_turn() {
    let mut client = answering(Interrupt::AtOnce);
    measure(&mut client, EchoState::Leaking);
    takes_itself_for_the_user(&mut client);
    takes_itself_for_the_user(&mut client);
    speech_started(&mut client);
    committed(&mut client);
    written(&mut client, "completed", " … ");
    assert_eq!(deafness(&client), [true]);
}

#[test]
fn coughs_in_a_room_without_echo_take_nothing_from_anybody() {
    let mut client = answering(Interrupt::AtOnce);
    measure(&mut client, EchoState::Good);
    (0..5).for_each(|_| takes_itself_for_the_user(&mut client));
    assert!(deafness(&client).is_empty());
    // Nor do those of a whole evening.
    measure(&mut client, EchoState::Leaking);
    for _ in 0..5 {
        takes_itself_for_the_user(&mut client);
        client.wait_for(Duration::from_secs(60));
    }
    assert!(deafness(&client).is_empty());
}
