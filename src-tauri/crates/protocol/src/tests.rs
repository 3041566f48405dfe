#![allow(clippy::wildcard_enum_match_arm, reason = "tests pick what they look at")]

use serde_json::{Value, json};

use crate::*;

mod dialects;
mod robustness;

fn same_json(event: &ServerEvent, text: &str) {
    let written: Value = serde_json::from_str(&event.to_json(None)).unwrap();
    assert_eq!(written, serde_json::from_str::<Value>(text).unwrap());
}

#[test]
fn reads_and_writes_an_audio_delta() {
    let text = json!({"type":"response.output_audio.delta","response_id":"resp_1","item_id":"item_A1",
        "output_index":0,"content_index":0,"delta":"AAEC"})
    .to_string();

    let event = ServerEvent::parse(&text).unwrap();

    let at = At { response_id: "resp_1".into(), item_id: "item_A1".into(), output_index: 0, content_index: 0 };
    assert_eq!(event, ServerEvent::OutputAudioDelta { at, delta: AudioBytes(vec![0, 1, 2]) });
    same_json(&event, &text);
    assert_eq!(event.without_audio()["delta"], json!(3));
}

#[test]
fn reads_old_names_as_their_successors() {
    let old = ServerEvent::parse(r#"{"type":"response.audio_transcript.delta","delta":"hi"}"#).unwrap();
    assert_eq!(old, ServerEvent::OutputTranscriptDelta { at: At::default(), delta: "hi".into() });
    let part: ContentPart = serde_json::from_value(json!({"type":"audio","transcript":"hi"})).unwrap();
    assert_eq!(part, ContentPart::output_audio("hi"));
}

#[test]
fn keeps_an_unknown_event_whole() {
    let text = r#"{"type":"ping","event_id":"e1","since":3}"#;
    let event = ServerEvent::parse(text).unwrap();
    assert_eq!(event, ServerEvent::Unknown(json!({"type":"ping","event_id":"e1","since":3})));
    same_json(&event, text);
}

#[test]
fn a_malformed_known_event_is_an_error_that_names_the_field() {
    let error = ServerEvent::parse(r#"{"type":"response.output_audio.delta"}"#).unwrap_err();
    assert!(error.to_string().contains("`delta`"), "{error}");
    assert!(matches!(ServerEvent::parse("nonsense").unwrap_err(), ParseError::NotAnEvent(_)));
}

#[test]
fn reads_an_error_that_is_a_bare_string() {
    let event = ServerEvent::parse(r#"{"type":"error","error":"boom"}"#).unwrap();
    let ServerEvent::Error { error } = event else { panic!("{event:?}") };
    assert_eq!((error.message.as_str(), error.code_or_kind()), ("boom", "error"));
}

#[test]
fn a_client_field_that_the_protocol_lacks_is_named_by_its_path() {
    let text =
        r#"{"type":"session.update","event_id":"c1","session":{"type":"realtime","audio":{"output":{"loudness":3}}}}"#;
    let error = ClientEvent::parse(text).unwrap_err();
    assert_eq!(
        error,
        ParseError::UnknownParameter { event_id: Some("c1".into()), path: "session.audio.output.loudness".into() }
    );
    assert_eq!(error.to_api_error().code.as_deref(), Some("unknown_parameter"));
}

#[test]
fn null_and_absent_turn_detection_are_two_things() {
    let parse = |text: &str| match ClientEvent::parse(text).unwrap().1 {
        ClientEvent::SessionUpdate { session } => session.audio.and_then(|a| a.input).unwrap().turn_detection,
        other => panic!("{other:?}"),
    };
    let null = r#"{"type":"session.update","session":{"type":"realtime","audio":{"input":{"turn_detection":null}}}}"#;
    let absent = r#"{"type":"session.update","session":{"type":"realtime","audio":{"input":{}}}}"#;
    assert_eq!(parse(null), Some(None));
    assert_eq!(parse(absent), None);
}

#[test]
fn merging_leaves_absent_fields_alone() {
    let input = |td| Session {
        audio: Some(AudioConfig {
            input: Some(InputAudioConfig { turn_detection: td, ..Default::default() }),
            output: None,
        }),
        ..Default::default()
    };
    let mut session = Session { instructions: Some("Be brief.".into()), ..Default::default() };

    session.merge(&input(Some(None)));
    session.merge(&input(None));

    assert_eq!(session, Session { instructions: Some("Be brief.".into()), ..input(Some(None)) });
}

#[test]
fn an_odd_byte_waits_for_its_other_half() {
    let mut carry = PcmCarry::default();
    assert_eq!(carry.decode(&AudioBytes(vec![1, 0, 2])), Pcm16(vec![1]));
    assert_eq!(carry.decode(&AudioBytes(vec![0])), Pcm16(vec![2]));
}
