//! `vivavoce-cli` over a real loopback server, and over three steps by HTTP.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};

use engine::scripted::{Script, loaders};
use serde_json::{Value, json};
use support::{
    cli, converse, home_with_models, program,
    speech::{loud_ms, said, silence, write},
};

/// Loud sound, which is speech to the scripted detector.
fn speech(ms: u64) -> Vec<i16> {
    (0..ms * 24).map(|n| if n % 48 < 24 { 8000 } else { -8000 }).collect()
}

async fn serve(script: Script) -> String {
    let server = engine::serve::Server::bind(0, "token", loaders(script)).await.unwrap();
    let url = format!("ws://{}/v1/realtime", server.address());
    tokio::spawn(server.run());
    url
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the built program"]
async fn three_turns_and_an_interruption_are_told_in_order_and_truncated_to_what_was_played() {
    let long = "One two three four five six seven eight nine ten eleven twelve. ".repeat(4);
    let answers =
        vec![("Count".into(), long.clone()), ("Stop".into(), "Stopped.".into()), ("Bye".into(), "Bye.".into())];
    let heard_first = vec!["Count.".into(), "Stop.".into(), "Bye.".into()];
    let url = serve(Script { heard_first, answers, ..Script::default() }).await;
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("in.wav");
    let mut samples = silence(500);
    for pause in [3000, 3000, 2000] {
        samples.extend(speech(600));
        samples.extend(silence(pause));
    }
    write(&input, &samples);
    let (home, more) = (dir.path().to_owned(), ["--engine".to_owned(), url]);
    let talk = tokio::task::spawn_blocking(move || converse(&home, &input, &[&more[0], &more[1]]));
    let talk = talk.await.unwrap();
    assert!(talk.output.status.success(), "{}", talk.report());
    let items = talk.items();
    let texts: Vec<&str> = items.iter().map(|item| item.1.trim()).collect();
    assert_eq!(texts, ["Count.", long.trim(), "Stop.", "Stopped.", "Bye.", "Bye."], "{}", talk.report());
    let cuts: Vec<&Value> = talk
        .events
        .iter()
        .filter(|e| e["dir"] == "sent" && e["event"]["type"] == "conversation.item.truncate")
        .collect();
    assert_eq!(cuts.len(), 1, "{}", talk.report());
    let told = cuts[0]["event"]["audio_end_ms"].as_u64().unwrap();
    // What the file holds of the first answer: from its first sound to the silence that the interruption made.
    let sounds: Vec<usize> = (0..talk.played.len()).filter(|n| talk.played[*n].unsigned_abs() > 400).collect();
    let begin = sounds[0];
    let end = sounds.windows(2).find(|w| w[1] - w[0] > 48 * 200).map_or(sounds[sounds.len() - 1], |w| w[0]);
    let held = (end - begin) as u64 / 48;
    assert!(told.abs_diff(held) <= 10, "the server was told {told} ms, the file holds {held} ms");
    let printed = String::from_utf8_lossy(&talk.output.stdout);
    for turn in ["Turn 1: first sound", "Turn 2: first sound", "Turn 3: first sound", "Answer 3: "] {
        assert!(printed.contains(turn), "{printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the built program"]
async fn a_probe_finds_out_what_our_own_server_does_and_keeps_it() {
    let calls =
        vec![("Show the text".into(), "show_text".into(), r#"{"text":"hello, this is a test of tools"}"#.into())];
    let url = serve(Script { calls, ms_per_word: 20, ..Script::default() }).await;
    let home = tempfile::tempdir().unwrap();
    let command = tokio::process::Command::new(program("vivavoce-cli"))
        .args(["--json", "probe", &url])
        .env("VIVAVOCE_HOME", home.path())
        .env("VIVAVOCE_OTHER_KEY", "token")
        .output();
    let output = command.await.unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}");
    let checks: Vec<Value> = printed.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
    let verdict = |what: &str| {
        let check = checks.iter().find(|c| c["check"]["what"] == what);
        check.unwrap_or_else(|| panic!("{what}: {printed}"))["check"]["verdict"].clone()
    };
    for what in [
        "greets",
        "takes its settings",
        "echoes its settings",
        "writes down the user",
        "answers aloud",
        "cuts to what was heard",
        "stops an answer",
        "answers beside the conversation",
        "calls tools",
        "streams a tool's arguments",
        "finds the end of a turn by its words",
        "takes 24 kHz",
    ] {
        assert_eq!(verdict(what), "yes", "{what}: {printed}");
    }
    let kept: Value =
        serde_json::from_str(&std::fs::read_to_string(home.path().join("settings.json")).unwrap()).unwrap();
    assert_eq!(kept["found"][&url]["supportsOutOfBand"], true);
    assert_eq!(kept["found"][&url]["dialect"], "ga");
}

#[test]
#[ignore = "needs the built program"]
fn a_probe_of_nobody_says_so() {
    let home = tempfile::tempdir().unwrap();
    let output = cli(home.path(), &["probe", "ws://127.0.0.1:9/v1/realtime"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("no conversation with this server"), "{said}");
}

/// When the three steps of a stitched answer were asked for and answered.
#[derive(Default)]
struct Seen {
    transcriptions: u32,
    first_speech: Option<Instant>,
    chat_ended: Option<Instant>,
    spoken: Vec<String>,
    prompt: Value,
}

#[derive(Default)]
struct Steps {
    seen: Mutex<Seen>,
    speech_asked: Condvar,
}

/// How long the second sentence waits for the first one's speech.
const LIMIT: Duration = Duration::from_secs(20);

/// A server with OpenAI's three endpoints, whose chat ends once its first sentence is asked for aloud.
fn three_steps() -> (String, Arc<Steps>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let steps = Arc::new(Steps::default());
    let shared = Arc::clone(&steps);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let steps = Arc::clone(&shared);
            std::thread::spawn(move || step(stream, &steps));
        }
    });
    (url, steps)
}

fn step(stream: TcpStream, Steps { seen, speech_asked }: &Steps) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while reader.read_line(&mut head).is_ok_and(|n| n > 2) {}
    let length = head.lines().find_map(|l| l.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    let mut body = vec![0; length.and_then(|l| l.trim().parse().ok()).unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    let mut out = stream;
    let begin = |out: &mut TcpStream, kind: &str| {
        write!(out, "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n").unwrap();
    };
    if head.contains("/audio/transcriptions") {
        seen.lock().unwrap().transcriptions += 1;
        begin(&mut out, "application/json");
        write!(out, "{}", json!({ "text": "What is the capital of France?" })).unwrap();
    } else if head.contains("/chat/completions") {
        seen.lock().unwrap().prompt = serde_json::from_slice(&body).unwrap();
        begin(&mut out, "text/event-stream");
        for words in ["Paris is the capital ", "of France. ", "It lies on the Seine."] {
            if words.starts_with("It") {
                let seen = seen.lock().unwrap();
                drop(speech_asked.wait_timeout_while(seen, LIMIT, |s| s.first_speech.is_none()).unwrap());
            }
            let delta = json!({ "choices": [{ "index": 0, "delta": { "content": words } }] });
            if write!(out, "data: {delta}\n\n").is_err() {
                return;
            }
        }
        let _ = write!(out, "data: [DONE]\n\n");
        seen.lock().unwrap().chat_ended = Some(Instant::now());
    } else {
        let wanted: Value = serde_json::from_slice(&body).unwrap();
        {
            let mut seen = seen.lock().unwrap();
            seen.first_speech.get_or_insert_with(Instant::now);
            speech_asked.notify_all();
            seen.spoken.push(wanted["input"].as_str().unwrap().to_owned());
        }
        begin(&mut out, "audio/pcm");
        let samples: Vec<u8> =
            (0..24_000).flat_map(|n| (if n % 48 < 24 { 4000i16 } else { -4000 }).to_le_bytes()).collect();
        for piece in samples.chunks(3001) {
            if out.write_all(piece).is_err() {
                return;
            }
        }
    }
}

#[test]
#[ignore = "needs the models"]
fn three_steps_by_http_answer_and_the_first_sentence_is_spoken_while_the_second_is_written() {
    let (url, steps) = three_steps();
    let home = home_with_models();
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("in.wav");
    let samples = said(800, "What is the capital of France?", 3000);
    write(&input, &samples);
    let step = |model: &str| format!("{url},{model}");
    let (ears, mind, mouth) = (step("ears-1"), step("mind-1"), step("mouth-1"));
    let talk = converse(home.path(), &input, &["--ears", &ears, "--mind", &mind, "--mouth", &mouth]);
    assert!(talk.output.status.success(), "{}", talk.report());
    let items = talk.items();
    assert_eq!(items[0].1, "What is the capital of France?", "{}", talk.report());
    assert_eq!(items[1].1.trim(), "Paris is the capital of France. It lies on the Seine.", "{}", talk.report());
    let seen = steps.seen.lock().unwrap();
    assert!(seen.transcriptions > 0);
    assert_eq!(seen.prompt["model"], "mind-1");
    let tools = seen.prompt["tools"].as_array().unwrap();
    assert!(tools.iter().any(|t| t["function"]["name"] == "get_time"), "{tools:?}");
    assert!(
        seen.first_speech.unwrap() < seen.chat_ended.unwrap(),
        "speech was asked for only after the chat had ended"
    );
    assert_eq!(seen.spoken.join(" ").split_whitespace().collect::<Vec<_>>().join(" "), items[1].1.trim());
    assert!(loud_ms(&talk.played).len() >= 180, "{} loud blocks", loud_ms(&talk.played).len());
}

#[test]
#[ignore = "needs the models"]
fn a_step_whose_server_is_not_there_is_said_in_words() {
    let home = home_with_models();
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("in.wav");
    let samples = said(800, "What is the capital of France?", 3000);
    write(&input, &samples);
    let talk = converse(home.path(), &input, &["--mind", "http://127.0.0.1:9/v1,llama"]);
    let printed = String::from_utf8_lossy(&talk.output.stdout);
    assert!(!talk.output.status.success());
    assert!(printed.contains("nothing answers at 127.0.0.1:9; is the server running?"), "{}", talk.report());
}
