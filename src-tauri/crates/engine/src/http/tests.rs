//! The stages against a server on loopback that answers what the test says, byte by byte as it says.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::mpsc::{Receiver, channel},
};

use protocol::{Pcm16, Tool, ToolChoice};
use serde_json::{Value, json};

use super::{HttpServer, chat::Chat, speech::Speech, transcriptions::Transcriptions};
use crate::stages::{
    Author, Call, Finish, LanguageModel, Message, Request, StageError, Synthesizer, Transcriber, Written,
};

const NEVER: &dyn Fn() -> bool = &|| false;

/// What was asked: head and body.
struct Asked {
    head: String,
    body: Vec<u8>,
}

impl Asked {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// Answers one request after the other with these bytes, cut into pieces that a reader gets one by one.
fn server(answers: Vec<(&'static str, &'static str, Vec<Vec<u8>>)>) -> (HttpServer, Receiver<Asked>) {
    gated(answers, None)
}

/// The same; the rest of an answer waits until the first piece has been taken.
fn gated(
    answers: Vec<(&'static str, &'static str, Vec<Vec<u8>>)>,
    gate: Option<Receiver<()>>,
) -> (HttpServer, Receiver<Asked>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let (tell, asked) = channel();
    #[allow(clippy::disallowed_methods, reason = "a server for the test")]
    std::thread::spawn(move || {
        for (status, content_type, pieces) in answers {
            let (mut socket, _) = listener.accept().unwrap();
            let mut bytes = Vec::new();
            let mut buffer = [0; 4096];
            let head = loop {
                let n = socket.read(&mut buffer).unwrap();
                bytes.extend_from_slice(&buffer[..n]);
                if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
                    break String::from_utf8_lossy(&bytes.drain(..end + 4).collect::<Vec<u8>>()).to_lowercase();
                }
            };
            let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")).unwrap_or("0");
            let length: usize = length.trim().parse().unwrap();
            while bytes.len() < length {
                let n = socket.read(&mut buffer).unwrap();
                bytes.extend_from_slice(&buffer[..n]);
            }
            let _ = tell.send(Asked { head, body: bytes });
            let _ = write!(
                socket,
                "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
            );
            for piece in pieces {
                let _ = write!(socket, "{:x}\r\n", piece.len());
                let _ = socket.write_all(&piece);
                let _ = socket.write_all(b"\r\n");
                let _ = socket.flush();
                if let Some(gate) = &gate {
                    let _ = gate.recv();
                }
            }
            let _ = socket.write_all(b"0\r\n\r\n");
        }
    });
    (HttpServer { url, model: "m".into(), key: Some("sk-test".into()) }, asked)
}

fn events(events: &[Value], size: usize) -> Vec<Vec<u8>> {
    let text: String = events.iter().map(|e| format!("data: {e}\n\n")).collect::<String>() + "data: [DONE]\n\n";
    text.as_bytes().chunks(size).map(<[u8]>::to_vec).collect()
}

fn delta(delta: &Value) -> Value {
    json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] })
}

type Generated = (String, Vec<(String, String)>, Finish);

/// Joins what was written: the text, and each call.
fn generate(chat: &mut Chat, request: &Request) -> Result<Generated, StageError> {
    let (mut text, mut calls) = (String::new(), Vec::<(String, String)>::new());
    let finish = chat.generate(request, NEVER, &mut |written| match written {
        Written::Text(more) => text.push_str(&more),
        Written::Call { index, name, arguments } => {
            if calls.len() <= index {
                calls.resize(index + 1, Default::default());
            }
            calls[index].0.push_str(&name);
            calls[index].1.push_str(&arguments);
        }
    })?;
    Ok((text, calls, finish))
}

fn question() -> Request {
    Request::new(vec![Message::new(Author::System, "Be brief."), Message::new(Author::User, "Hi")], 100)
}

#[test]
fn a_streamed_answer_is_read_however_it_is_cut_and_its_thoughts_are_not_spoken() {
    let stream = [
        delta(&json!({ "role": "assistant", "content": "" })),
        delta(&json!({ "reasoning_content": "Let me think." })),
        delta(&json!({ "content": "<thi" })),
        delta(&json!({ "content": "nk>hm</think>\n\nGrüß " })),
        delta(&json!({ "content": "Gott." })),
        json!({ "choices": [{ "index": 0, "delta": {}, "finish_reason": "length" }] }),
        json!({ "choices": [], "usage": { "prompt_tokens": 12, "completion_tokens": 3,
            "prompt_tokens_details": { "cached_tokens": 8 } } }),
    ];
    for size in [1, 7, 4096] {
        let (at, asked) = server(vec![("200 OK", "text/event-stream", events(&stream, size))]);
        let (text, calls, finish) = generate(&mut Chat::new(at), &question()).unwrap();
        assert_eq!((text.as_str(), calls.len()), ("Grüß Gott.", 0), "in pieces of {size}");
        let expected = Finish { truncated: true, prompt_tokens: 12, cached_tokens: 8, output_tokens: 3 };
        assert_eq!(finish, expected);
        let asked = asked.recv().unwrap();
        assert!(asked.head.contains("authorization: bearer sk-test"), "{}", asked.head);
        assert!(asked.head.starts_with("post /v1/chat/completions "), "{}", asked.head);
        let expected = json!({ "model": "m", "stream": true, "stream_options": { "include_usage": true },
            "max_tokens": 100, "messages": [
                { "role": "system", "content": "Be brief." }, { "role": "user", "content": "Hi" }] });
        assert_eq!(asked.json(), expected);
    }
}

#[test]
fn calls_are_collected_whatever_a_server_makes_of_them() {
    let call = |call: Value| delta(&json!({ "tool_calls": [call] }));
    let openai = vec![
        call(json!({ "index": 0, "id": "a", "type": "function", "function": { "name": "f", "arguments": "" } })),
        call(json!({ "index": 1, "id": "b", "type": "function", "function": { "name": "g", "arguments": "{" } })),
        call(json!({ "index": 0, "function": { "arguments": "{\"x\":" } })),
        call(json!({ "index": 0, "function": { "arguments": "1}" } })),
        call(json!({ "index": 1, "function": { "arguments": "}" } })),
    ];
    let without_index = vec![
        call(json!({ "id": "a", "function": { "name": "f", "arguments": "{\"x\":" } })),
        call(json!({ "function": { "arguments": "1}" } })),
        call(json!({ "id": "b", "function": { "name": "g", "arguments": "{}" } })),
    ];
    let id_every_time = vec![
        call(json!({ "id": "a", "function": { "name": "f", "arguments": "{\"x\":" } })),
        call(json!({ "id": "a", "function": { "name": "f", "arguments": "1}" } })),
        call(json!({ "id": "b", "function": { "name": "g", "arguments": "{}" } })),
    ];
    let whole_as_objects = vec![delta(&json!({ "tool_calls": [
        { "function": { "name": "f", "arguments": { "x": 1 } } },
        { "function": { "name": "g", "arguments": {} } }] }))];
    for (name, stream) in [
        ("as OpenAI", openai),
        ("without an index", without_index),
        ("the id every time", id_every_time),
        ("whole, as objects", whole_as_objects),
    ] {
        let (at, _asked) = server(vec![("200 OK", "text/event-stream; charset=utf-8", events(&stream, 50))]);
        let (_, calls, _) = generate(&mut Chat::new(at), &question()).unwrap();
        let expected = [("f".to_owned(), "{\"x\":1}".to_owned()), ("g".to_owned(), "{}".to_owned())];
        assert_eq!(calls, expected, "{name}");
    }
}

#[test]
fn tools_and_their_answers_are_told_in_the_nested_form() {
    let (at, asked) = server(vec![("200 OK", "text/event-stream", events(&[], 64))]);
    let call = Call { call_id: "c1".into(), name: "f".into(), arguments: "{}".into() };
    let mut request = Request::new(
        vec![
            Message { calls: vec![call], ..Message::new(Author::Assistant, "") },
            Message { call_id: "c1".into(), ..Message::new(Author::Tool, "7") },
        ],
        10,
    );
    let parameters = json!({ "type": "object" });
    request.tools =
        vec![Tool::Function { name: "f".into(), description: Some("d".into()), parameters: Some(parameters.clone()) }];
    request.tool_choice = ToolChoice::One { kind: "function".into(), name: Some("f".into()), server_label: None };
    generate(&mut Chat::new(at), &request).unwrap();
    let body = asked.recv().unwrap().json();
    let expected = json!([{ "role": "assistant", "content": null, "tool_calls": [
            { "id": "c1", "type": "function", "function": { "name": "f", "arguments": "{}" } }] },
        { "role": "tool", "content": "7", "tool_call_id": "c1" }]);
    assert_eq!(body["messages"], expected);
    let tool = json!({ "type": "function", "function": { "name": "f", "description": "d", "parameters": parameters } });
    assert_eq!(body["tools"], json!([tool]));
    assert_eq!(body["tool_choice"], json!({ "type": "function", "function": { "name": "f" } }));
}

#[test]
fn a_field_that_a_server_refuses_is_left_out_and_asked_for_by_its_other_name() {
    let refusal = json!({ "error": { "message": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'.",
        "type": "invalid_request_error", "param": "max_tokens", "code": "unsupported_parameter" } });
    let answers = vec![
        ("400 Bad Request", "application/json", vec![refusal.to_string().into_bytes()]),
        ("200 OK", "text/event-stream", events(&[delta(&json!({ "content": "Hi." }))], 64)),
    ];
    let (at, asked) = server(answers);
    let (text, ..) = generate(&mut Chat::new(at), &question()).unwrap();
    assert_eq!(text, "Hi.");
    assert_eq!(asked.recv().unwrap().json()["max_tokens"], 100);
    let second = asked.recv().unwrap().json();
    assert_eq!((second.get("max_tokens"), &second["max_completion_tokens"]), (None, &json!(100)));
}

#[test]
fn a_model_without_tools_is_asked_without_them() {
    let refusal = json!({ "error": { "message": "registry.ollama.ai/library/m:latest does not support tools" } });
    let answers = vec![
        ("400 Bad Request", "application/json", vec![refusal.to_string().into_bytes()]),
        ("200 OK", "text/event-stream", events(&[delta(&json!({ "content": "Hi." }))], 64)),
    ];
    let (at, asked) = server(answers);
    let mut request = question();
    request.max_tokens = None;
    request.tools = vec![Tool::Function { name: "f".into(), description: None, parameters: None }];
    assert_eq!(generate(&mut Chat::new(at), &request).unwrap().0, "Hi.");
    assert!(asked.recv().unwrap().json().get("tools").is_some());
    let second = asked.recv().unwrap().json();
    let left = ["tools", "tool_choice", "max_tokens"].map(|field| second.get(field).is_some());
    assert_eq!(left, [false; 3]);
}

#[test]
fn a_server_that_does_not_stream_is_read_too() {
    let body = json!({ "choices": [{ "message": { "role": "assistant", "content": "Hi." }, "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 4, "completion_tokens": 2 } });
    let (at, _asked) = server(vec![("200 OK", "application/json", vec![body.to_string().into_bytes()])]);
    let (text, _, finish) = generate(&mut Chat::new(at), &question()).unwrap();
    assert_eq!((text.as_str(), finish.output_tokens), ("Hi.", 2));
}

#[test]
fn what_a_server_has_against_it_is_said_in_words() {
    let error = |message: &str| json!({ "error": { "message": message } }).to_string().into_bytes();
    for (status, body, words) in [
        ("401 Unauthorized", error("Incorrect API key provided: sk-test"), "rejected the key"),
        ("404 Not Found", error("model 'm' not found"), "does not have this model or address (model 'm' not found)"),
        ("429 Too Many Requests", error("slow down"), "has too much to do"),
        ("500 Internal Server Error", b"oops".to_vec(), "answered 500 (oops)"),
    ] {
        let (at, _asked) = server(vec![(status, "application/json", vec![body])]);
        let failed = generate(&mut Chat::new(at), &question()).unwrap_err();
        assert!(failed.0.contains(words), "{}", failed.0);
        assert!(!failed.0.contains("sk-test"), "{}", failed.0);
    }
    let (at, _asked) = server(vec![(
        "200 OK",
        "text/event-stream",
        events(&[delta(&json!({ "content": "Hi" })), json!({ "error": { "message": "out of memory" } })], 64),
    )]);
    let failed = generate(&mut Chat::new(at), &question()).unwrap_err();
    assert_eq!(failed.0, "the language model: out of memory");
    let nobody = HttpServer { url: "http://127.0.0.1:9/v1".into(), model: "m".into(), key: None };
    let failed = generate(&mut Chat::new(nobody), &question()).unwrap_err();
    assert!(failed.0.contains("nothing answers at 127.0.0.1:9"), "{}", failed.0);
}

#[test]
fn a_silent_server_is_left_as_soon_as_it_is_called_off() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = HttpServer { url: format!("http://{}/v1", listener.local_addr().unwrap()), model: "m".into(), key: None };
    let (asked, was_asked) = channel();
    #[allow(clippy::disallowed_methods, reason = "a server that says nothing")]
    std::thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        asked.send(()).unwrap();
        let mut socket = socket;
        let _ = socket.read_to_end(&mut Vec::new());
    });
    let cancelled = || was_asked.try_recv().is_ok();
    let finish = Chat::new(at).generate(&question(), &cancelled, &mut |_| panic!("wrote")).unwrap();
    assert_eq!(finish, Finish::default());
}

#[test]
fn speech_is_given_away_as_it_comes_and_a_cut_sample_is_joined() {
    let samples: Vec<i16> = (0..4000).map(|n| n - 2000).collect();
    let bytes = Pcm16(samples.clone()).to_bytes().0;
    let mut wav = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\0\0\0\0\0\0\0\0\x02\0\x10\0data\0\0\0\0".to_vec();
    wav.extend(&bytes);
    let sse: Vec<u8> = bytes
        .chunks(333)
        .map(|c| {
            let audio = serde_json::to_value(protocol::AudioBytes(c.to_vec())).unwrap();
            format!("data: {}\n\n", json!({ "type": "speech.audio.delta", "audio": audio }))
        })
        .collect::<String>()
        .into_bytes();
    for (content_type, body, size) in
        [("audio/pcm", bytes.clone(), 1001), ("audio/wav", wav, 1717), ("text/event-stream", sse, 1000)]
    {
        let pieces = body.chunks(size).map(<[u8]>::to_vec).collect();
        let (open, gate) = channel();
        let (at, asked) = gated(vec![("200 OK", content_type, pieces)], Some(gate));
        let mut parts = 0;
        let mut heard = Vec::new();
        let rest = Speech::new(at, None)
            .stream(" Hello. ", "heart", 1.0, NEVER, &mut |pcm| {
                parts += 1;
                heard.extend(pcm.0);
                let _ = open.send(());
            })
            .unwrap();
        heard.extend(rest.0);
        assert!(heard == samples && parts > 3, "{content_type}: {} samples in {parts} parts", heard.len());
        let expected = json!({ "model": "m", "input": "Hello.", "voice": "heart", "response_format": "pcm" });
        assert_eq!(asked.recv().unwrap().json(), expected);
    }
}

#[test]
fn a_recording_is_sent_whole_and_its_words_are_read_in_every_form() {
    let forms = [
        ("application/json", json!({ "text": " Hi there. " }).to_string()),
        ("text/plain", "Hi there.\n".to_owned()),
        (
            "text/event-stream",
            format!(
                "data: {}\n\ndata: {}\n\n",
                json!({ "type": "transcript.text.delta", "delta": "Hi" }),
                json!({ "type": "transcript.text.done", "text": "Hi there." })
            ),
        ),
    ];
    for (content_type, body) in forms {
        let (at, asked) = server(vec![("200 OK", content_type, vec![body.into_bytes()])]);
        let words = Transcriptions::new(at, Some("de".into())).transcribe(&Pcm16(vec![1000; 2400])).unwrap();
        assert_eq!(words, "Hi there.", "{content_type}");
        let asked = asked.recv().unwrap();
        assert!(asked.head.contains("multipart/form-data; boundary="), "{}", asked.head);
        let form = String::from_utf8_lossy(&asked.body);
        assert!(form.contains("name=\"language\"\r\n\r\nde\r\n"), "{form}");
        let wav = asked.body.windows(4).position(|w| w == b"RIFF").unwrap();
        let wav = &asked.body[wav..];
        assert_eq!((&wav[8..12], &wav[24..28]), (&b"WAVE"[..], &24_000u32.to_le_bytes()[..]));
        assert_eq!(u32::from_le_bytes(wav[40..44].try_into().unwrap()), 4800);
    }
}

#[test]
fn a_realtime_server_reads_aloud_beside_any_conversation_and_its_socket_stays_warm() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let script = crate::scripted::Script::default();
    let ms_per_char = script.ms_per_char;
    let server = runtime.block_on(crate::serve::Server::bind(0, "sk-test", crate::scripted::loaders(script))).unwrap();
    let url = format!("ws://{}/v1/realtime", server.address());
    runtime.spawn(server.run());
    let at = HttpServer { url, model: "m".into(), key: Some("sk-test".into()) };
    let mut mouth = super::realtime::RealtimeSpeech::new(at, Some("heart".into())).unwrap();
    for text in ["Hello there.", "And again."] {
        let pcm = mouth.speak(text, "any", 1.0).unwrap();
        assert_eq!(Pcm16::ms_in(pcm.frames()), ms_per_char * text.len() as u64, "{text}");
    }
    let wrong = HttpServer { url: "ws://127.0.0.1:9/v1/realtime".into(), model: "m".into(), key: None };
    assert!(super::realtime::RealtimeSpeech::new(wrong, None).unwrap().speak("Hi.", "heart", 1.0).is_err());
}
