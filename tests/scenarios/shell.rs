//! The controller against the real engine with scripted stages, over a real loopback WebSocket.

use std::{path::Path, time::Duration};

use assistant::{Assistant, KeySource, Remote, Server, Setup, prelude::*};
use engine::scripted::{Script, loaders};
use support::speech::{loud_ms, silence, write};
use tokio::{sync::mpsc::Receiver, time::timeout};

const LIMIT: Duration = Duration::from_secs(20);

async fn serve(script: Script) -> String {
    let server = engine::serve::Server::bind(0, "token", loaders(script)).await.unwrap();
    let url = format!("ws://{}/v1/realtime", server.address());
    tokio::spawn(server.run());
    url
}

fn start(server: Server, backend: FileBackend) -> Assistant {
    Assistant::start(Setup {
        config: Config { instructions: "Be brief.".into(), voice: "heart".into(), ..Config::default() },
        server,
        backend: Box::new(move || Box::new(backend)),
        echo: audio::EchoMode::Headphones.into(),
        models: None,
        sound_check: None,
        memories: None,
        observer: None,
    })
}

fn client(url: &str, key: &str) -> Server {
    Server::WebSocket(Remote::new(url, KeySource::Given(key.to_owned().into())))
}

/// Waits for an event that `pick` takes.
async fn wait<T>(events: &mut Receiver<ViewEvent>, what: &str, pick: impl Fn(&ViewEvent) -> Option<T>) -> T {
    let found = timeout(LIMIT, async {
        loop {
            let event = events.recv().await.expect("the assistant has ended");
            if let Some(found) = pick(&event) {
                return found;
            }
        }
    });
    found.await.unwrap_or_else(|_| panic!("{what} did not happen"))
}

fn agent(wanted: AgentState) -> impl Fn(&ViewEvent) -> Option<()> {
    move |event| {
        matches!(event, ViewEvent::Status { status } if status.agent == wanted && status.phase == Phase::Live)
            .then_some(())
    }
}

/// A second of loud sound after half a second: speech to the scripted detector.
fn speech(dir: &Path, times: usize) -> std::path::PathBuf {
    let mut samples = silence(500);
    for _ in 0..times {
        samples.extend((0..24_000).map(|n| if n % 48 < 24 { 8000 } else { -8000 }));
        samples.extend(silence(1500));
    }
    let path = dir.join("in.wav");
    write(&path, &samples);
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoken_question_is_heard_answered_and_played() {
    let dir = tempfile::tempdir().unwrap();
    let script = Script {
        heard: "What time is it?".into(),
        answers: vec![("time".into(), "It is noon.".into())],
        ..Script::default()
    };
    let url = serve(script).await;
    let (backend, clock) = FileBackend::open(&speech(dir.path(), 1), &dir.path().join("out.wav")).unwrap();
    let assistant = start(client(&url, "token"), backend);
    let (_, _, mut events) = assistant.subscribe().await.unwrap();
    assistant.act(Action::StartTalk).await;
    wait(&mut events, "listening", agent(AgentState::Listening)).await;
    clock.start();
    wait(&mut events, "speaking", agent(AgentState::Speaking)).await;
    wait(&mut events, "the end of the answer", agent(AgentState::Listening)).await;

    let (view, _, _) = assistant.subscribe().await.unwrap();
    let texts: Vec<&str> = view.items.iter().map(|i| i.text.as_str()).collect();
    assert_eq!(texts, ["What time is it?", "It is noon."]);
    assistant.act(Action::StopTalk).await;
    drop((assistant, clock));
    let played: Vec<i16> =
        hound::WavReader::open(dir.path().join("out.wav")).unwrap().into_samples().map(Result::unwrap).collect();
    let loud = loud_ms(&played);
    assert!(loud.len() >= 50 && loud[0] > 1500, "{} loud blocks from {:?}", loud.len(), loud.first());
}

#[tokio::test(flavor = "multi_thread")]
async fn talking_over_the_answer_silences_it_and_greys_what_was_not_heard() {
    let dir = tempfile::tempdir().unwrap();
    let long = "One two three four five six seven eight nine ten. ".repeat(6);
    let script = Script { heard: "Count.".into(), answers: vec![("Count".into(), long.clone())], ..Script::default() };
    let url = serve(script).await;
    let (backend, clock) = FileBackend::open(&speech(dir.path(), 2), &dir.path().join("out.wav")).unwrap();
    let assistant = start(client(&url, "token"), backend);
    let (_, _, mut events) = assistant.subscribe().await.unwrap();
    assistant.act(Action::StartTalk).await;
    wait(&mut events, "listening", agent(AgentState::Listening)).await;
    clock.start();
    let cut = wait(&mut events, "an interruption", |event| match event {
        ViewEvent::Item { item } if item.state == ItemState::Interrupted => Some(item.clone()),
        _ => None,
    });
    let cut = cut.await;
    let heard = cut.heard_chars.unwrap() as usize;
    assert!(heard > 0 && heard < cut.text.chars().count(), "{cut:?}");
    assert!(long.starts_with(cut.text.chars().take(heard).collect::<String>().trim()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_refused_in_words_and_not_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let url = serve(Script::default()).await;
    let (backend, _clock) = FileBackend::open(&speech(dir.path(), 1), &dir.path().join("out.wav")).unwrap();
    let assistant = start(client(&url, "wrong"), backend);
    let (_, _, mut events) = assistant.subscribe().await.unwrap();
    assistant.act(Action::StartTalk).await;
    let words = wait(&mut events, "a notice", |event| match event {
        ViewEvent::Notice { notice } => Some(notice.text.clone()),
        _ => None,
    });
    assert_eq!(words.await, "The server rejected the key.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_stays_out_even_with_the_token() {
    use tokio_tungstenite::tungstenite::client::IntoClientRequest;
    let url = serve(Script::default()).await;
    for (origin, token, admitted) in [
        (Some("https://evil.example"), "token", false),
        (Some("http://localhost:1420"), "token", true),
        (None, "nonsense", false),
    ] {
        let mut request = url.as_str().into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        let connected = tokio_tungstenite::connect_async(request).await;
        assert_eq!(connected.is_ok(), admitted, "{origin:?} {token}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_model_is_named_with_the_button_that_mends_it() {
    let dir = tempfile::tempdir().unwrap();
    let script = Script { broken: Some("language model"), ..Script::default() };
    let server = Server::InProcess(std::sync::Arc::new(move || loaders(script.clone())));
    let (backend, _clock) = FileBackend::open(&speech(dir.path(), 1), &dir.path().join("out.wav")).unwrap();
    let assistant = start(server, backend);
    let (_, _, mut events) = assistant.subscribe().await.unwrap();
    assistant.act(Action::StartTalk).await;
    let notice = wait(&mut events, "a notice", |event| match event {
        ViewEvent::Notice { notice } => Some(notice.clone()),
        _ => None,
    });
    let notice = notice.await;
    assert!(notice.text.starts_with("The language model cannot be used"), "{}", notice.text);
    assert_eq!(notice.action, NoticeAction::InstallModels);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_tried_again_and_said() {
    let dir = tempfile::tempdir().unwrap();
    let (backend, _clock) = FileBackend::open(&speech(dir.path(), 1), &dir.path().join("out.wav")).unwrap();
    let assistant = start(client("ws://127.0.0.1:9/v1/realtime", "token"), backend);
    let (_, _, mut events) = assistant.subscribe().await.unwrap();
    assistant.act(Action::SendText { text: "Hi".into() }).await;
    let notice = wait(&mut events, "a notice", |event| match event {
        ViewEvent::Notice { notice } => Some(notice.clone()),
        _ => None,
    });
    assert_eq!(notice.await.action, NoticeAction::Retry);
}

struct Fragile;

impl engine::stages::LanguageModel for Fragile {
    fn generate(
        &mut self,
        _: &engine::stages::Request,
        _: &dyn Fn() -> bool,
        _: &mut dyn FnMut(engine::stages::Written),
    ) -> Result<engine::stages::Finish, engine::stages::StageError> {
        panic!("as native code does on a bad day")
    }

    fn prefill(
        &mut self,
        _: &[engine::stages::Message],
        _: &dyn Fn() -> bool,
    ) -> Result<(), engine::stages::StageError> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_that_panics_fails_its_answer_in_words_and_the_conversation_stays() {
    let dir = tempfile::tempdir().unwrap();
    let fragile =
        || engine::StageLoaders { language_model: Box::new(|| Ok(Box::new(Fragile))), ..loaders(Script::default()) };
    let server = Server::InProcess(std::sync::Arc::new(fragile));
    let (backend, _clock) = FileBackend::open(&speech(dir.path(), 1), &dir.path().join("out.wav")).unwrap();
    let assistant = start(server, backend);
    let (_, _, mut events) = assistant.subscribe().await.unwrap();
    for _ in 0..2 {
        assistant.act(Action::SendText { text: "Hi".into() }).await;
        let notice = wait(&mut events, "a notice", |event| match event {
            ViewEvent::Notice { notice } if notice.id == "response" => Some(notice.clone()),
            _ => None,
        });
        assert!(notice.await.text.starts_with("No answer: "));
        assistant.act(Action::DismissNotice { id: "response".into() }).await;
    }
    let (view, _, _) = assistant.subscribe().await.unwrap();
    assert_eq!((view.status.phase, view.items.len()), (Phase::Live, 2), "{:?}", view.items);
}

/// Notes what it speaks, and stays in its first piece of work until it is let go.
struct Held {
    spoken: std::sync::mpsc::Sender<String>,
    gate: Option<std::sync::mpsc::Receiver<()>>,
}

impl engine::stages::Synthesizer for Held {
    fn stream(
        &mut self,
        text: &str,
        _: &str,
        _: f32,
        _: &dyn Fn() -> bool,
        _: &mut dyn FnMut(protocol::Pcm16),
    ) -> Result<protocol::Pcm16, engine::stages::StageError> {
        let _ = self.spoken.send(text.to_owned());
        if let Some(gate) = self.gate.take() {
            let _ = gate.recv();
        }
        Ok(protocol::Pcm16(vec![100; 2400]))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_comes_next_is_not_kept_waiting_by_the_work_of_the_one_before() {
    use futures_util::{SinkExt, StreamExt};
    use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};
    let (spoken, heard) = std::sync::mpsc::channel();
    let (open, gate) = std::sync::mpsc::channel();
    let held = Held { spoken, gate: Some(gate) };
    let answers = vec![("Ann".into(), "This is for Ann. ".repeat(8)), ("Bob".into(), "This is for Bob.".into())];
    let stages = engine::StageLoaders {
        synthesizer: Box::new(move || Ok(Box::new(held))),
        ..loaders(Script { answers, ..Script::default() })
    };
    let server = engine::serve::Server::bind(0, "token", stages).await.unwrap();
    let url = format!("ws://{}/v1/realtime", server.address());
    tokio::spawn(server.run());
    let ask = async |name: &str| {
        let mut request = url.as_str().into_client_request().unwrap();
        request.headers_mut().insert("authorization", "Bearer token".parse().unwrap());
        let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
        let item = format!(
            r#"{{"type":"conversation.item.create","item":{{"type":"message","role":"user","content":[{{"type":"input_text","text":"{name}"}}]}}}}"#
        );
        socket.send(Message::text(item)).await.unwrap();
        socket.send(Message::text(r#"{"type":"response.create"}"#)).await.unwrap();
        socket
    };
    let mut ann = ask("Ann").await;
    let first = tokio::task::spawn_blocking(move || (heard.recv_timeout(LIMIT).unwrap(), heard));
    let (first, heard) = first.await.unwrap();
    assert!(first.contains("Ann"));
    // Ann leaves in mid-answer; once the server has let her go, it takes another.
    ann.close(None).await.unwrap();
    while let Some(Ok(_)) = ann.next().await {}
    let mut bob = ask("Bob").await;
    open.send(()).unwrap();
    let answered = timeout(LIMIT, async {
        while let Some(Ok(message)) = bob.next().await {
            if message.to_text().is_ok_and(|text| text.contains("response.output_audio.done")) {
                return;
            }
        }
        panic!("Bob was sent away");
    });
    answered.await.unwrap();
    let rest: Vec<String> = heard.try_iter().collect();
    assert_eq!(rest, ["This is for Bob."], "Ann's answer was spoken on");
}

fn devices_without(direction: audio::Direction) -> impl FnOnce() -> Box<dyn audio::Backend> + Send {
    move || Box::new(audio::FakeDevices::new(audio::StreamFormat { rate: 48_000, channels: 1 }).1.without(direction))
}

/// Asks in writing on a machine that lacks a device; returns what was said of it, once the answer is there.
async fn ask_without(direction: audio::Direction) -> NoticeView {
    let script = Script { answers: vec![("time".into(), "It is noon.".into())], ..Script::default() };
    let assistant = Assistant::start(Setup {
        config: Config { instructions: "Be brief.".into(), voice: "heart".into(), ..Config::default() },
        server: Server::InProcess(std::sync::Arc::new(move || loaders(script.clone()))),
        backend: Box::new(devices_without(direction)),
        echo: audio::EchoMode::Headphones.into(),
        models: None,
        sound_check: None,
        memories: None,
        observer: None,
    });
    let (_, _, mut events) = assistant.subscribe().await.unwrap();
    assistant.act(Action::StartTalk).await;
    let notice = wait(&mut events, "a notice", |event| match event {
        ViewEvent::Notice { notice } if notice.severity == Severity::Error => Some(notice.clone()),
        _ => None,
    });
    let notice = notice.await;
    assistant.act(Action::SendText { text: "What time is it?".into() }).await;
    wait(&mut events, "the answer", |event| match event {
        ViewEvent::Item { item } if item.text == "It is noon." && item.state == ItemState::Final => Some(()),
        _ => None,
    })
    .await;
    notice
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_microphone_the_user_types_and_without_a_speaker_reads() {
    let notice = ask_without(audio::Direction::Input).await;
    assert_eq!(
        (notice.text.as_str(), notice.action),
        ("No microphone was found. You can still type.", NoticeAction::ChooseDevice)
    );
    let notice = ask_without(audio::Direction::Output).await;
    assert_eq!(
        (notice.text.as_str(), notice.action),
        ("No speaker was found. Answers are shown, but not heard.", NoticeAction::ChooseDevice)
    );
}
