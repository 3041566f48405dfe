use serde_json::{Value, json};

use crate::*;

fn update() -> ClientEvent {
    let input = InputAudioConfig {
        format: Some(AudioFormat::pcm()),
        transcription: Some(Some(Transcription { model: Some("whisper-1".into()), ..Default::default() })),
        turn_detection: Some(Some(TurnDetection::ServerVad {
            threshold: Some(0.5),
            prefix_padding_ms: Some(300),
            silence_duration_ms: Some(500),
            idle_timeout_ms: None,
            create_response: None,
            interrupt_response: None,
        })),
        ..Default::default()
    };
    let output =
        OutputAudioConfig { voice: Some(Voice::Name("alloy".into())), format: Some(AudioFormat::pcm()), speed: None };
    let tool = Tool::Function { name: "f".into(), description: None, parameters: Some(json!({"type": "object"})) };
    ClientEvent::SessionUpdate {
        session: Box::new(Session {
            kind: Some(SessionKind::Realtime),
            output_modalities: Some(vec![Modality::Audio]),
            instructions: Some("Be brief.".into()),
            tools: Some(vec![tool]),
            tool_choice: Some(ToolChoice::auto()),
            max_output_tokens: Some(MaxTokens::Inf),
            audio: Some(AudioConfig { input: Some(input), output: Some(output) }),
            ..Default::default()
        }),
    }
}

fn written(dialect: Dialect, event: &ClientEvent) -> Value {
    serde_json::from_str(&dialect.write(event, None)).unwrap()
}

#[test]
fn each_dialect_has_its_own_session_update() {
    let turns = json!({"type":"server_vad","threshold":0.5,"prefix_padding_ms":300,"silence_duration_ms":500});
    let tool = json!({"type":"function","name":"f","parameters":{"type":"object"}});
    let pcm = json!({"type":"audio/pcm","rate":24000});
    let nested = json!({"type":"realtime","output_modalities":["audio"],"instructions":"Be brief.","tools":[tool],
        "tool_choice":"auto","max_output_tokens":"inf",
        "audio":{"input":{"format":pcm,"transcription":{"model":"whisper-1"},"turn_detection":turns},
            "output":{"format":pcm,"voice":"alloy"}}});
    let flat = json!({"modalities":["text","audio"],"instructions":"Be brief.","voice":"alloy","tools":[tool],
        "tool_choice":"auto","max_response_output_tokens":"inf",
        "input_audio_transcription":{"model":"whisper-1"},"turn_detection":turns});
    let with = |value: &Value, more: Value| {
        let mut value = value.clone();
        for (key, field) in more.as_object().unwrap() {
            value[key] = field.clone();
        }
        value
    };
    let table = [
        (Dialect::Ga, nested.clone()),
        (Dialect::BetaFlat, flat.clone()),
        (Dialect::AzurePreview, with(&flat, json!({"input_audio_format":"pcm16","output_audio_format":"pcm16"}))),
        (
            Dialect::Qwen,
            with(
                &flat,
                json!({"input_audio_format":"pcm","output_audio_format":"pcm",
                    "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]}),
            ),
        ),
        (Dialect::Xai, with(&nested, json!({"voice":"alloy","turn_detection":turns}))),
    ];
    for (dialect, session) in table {
        assert_eq!(written(dialect, &update()), json!({"type":"session.update","session":session}), "{dialect:?}");
    }
}

#[test]
fn old_dialects_say_text_where_ga_says_output_text() {
    let item = Item::message(Role::Assistant, ContentPart::OutputText { text: "Hi.".into() });
    let event = ClientEvent::ConversationItemCreate { previous_item_id: None, item };
    assert_eq!(written(Dialect::Ga, &event)["item"]["content"][0]["type"], "output_text");
    assert_eq!(written(Dialect::AzurePreview, &event)["item"]["content"][0]["type"], "text");
    let config = ResponseConfig { output_modalities: Some(vec![Modality::Text]), ..Default::default() };
    let event = ClientEvent::ResponseCreate { response: Some(Box::new(config)) };
    assert_eq!(written(Dialect::BetaFlat, &event)["response"], json!({"modalities":["text"]}));
}

#[test]
fn the_first_frame_tells_the_dialect() {
    for (frame, dialect) in [
        (json!({"type":"session.created","session":{"audio":{},"type":"realtime"}}), Some(Dialect::Ga)),
        (json!({"type":"session.created","session":{"modalities":["text"]}}), Some(Dialect::BetaFlat)),
        (json!({"type":"session.created","session":{"input_audio_format":"pcm"}}), Some(Dialect::Qwen)),
        (json!({"type":"conversation.created","conversation":{}}), Some(Dialect::Xai)),
        (json!({"type":"session.created","id":"s"}), None),
        (json!({"type":"error","error":"no"}), None),
    ] {
        assert_eq!(Dialect::detect(&frame.to_string()), dialect, "{frame}");
    }
}

#[test]
fn a_flat_session_is_read_as_a_nested_one() {
    let flat = json!({"type":"session.updated","session":{"id":"s","modalities":["text","audio"],"voice":"alloy",
        "input_audio_format":"pcm16","output_audio_format":"g711_ulaw","turn_detection":null,
        "input_audio_transcription":{"model":"whisper-1"},"max_response_output_tokens":"inf","temperature":0.8}});
    let ServerEvent::SessionUpdated { session } = ServerEvent::parse(&flat.to_string()).unwrap() else { panic!() };
    let audio = session.audio.unwrap();
    let (input, output) = (audio.input.unwrap(), audio.output.unwrap());
    assert_eq!(output.voice, Some(Voice::Name("alloy".into())));
    assert_eq!(output.format.as_ref().and_then(Codec::of), Some(Codec::Mulaw));
    assert_eq!(input.turn_detection, Some(None));
    assert_eq!(input.transcription.flatten().and_then(|t| t.model).as_deref(), Some("whisper-1"));
    assert_eq!(
        (session.output_modalities, session.max_output_tokens),
        (Some(vec![Modality::Audio]), Some(MaxTokens::Inf))
    );
}

#[test]
fn every_profile_is_named_once_and_the_last_is_any_server() {
    let mut ids: Vec<&str> = PROFILES.iter().map(|p| p.id.as_str()).collect();
    assert_eq!(ids.last(), Some(&"other"));
    assert_eq!(profile("nobody").id, "other");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), PROFILES.len());
}
