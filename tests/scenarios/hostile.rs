//! Servers that do what no sane server would, over a real socket: the conversation says so, or goes on.

use std::time::Duration;

use assistant::{Assistant, KeySource, Remote, Server, Setup, prelude::*};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    sync::mpsc::{self, Receiver},
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, accept_async,
    tungstenite::{
        Message,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

const LIMIT: Duration = Duration::from_secs(20);

type Socket = WebSocketStream<TcpStream>;

/// A peer that greets every client, then hands it over.
async fn peer() -> (String, Receiver<Socket>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/v1/realtime", listener.local_addr().unwrap());
    let (tell, sockets) = mpsc::channel(8);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut socket) = accept_async(stream).await else { continue };
            say(&mut socket, json!({ "type": "session.created", "session": { "type": "realtime", "audio": {} } }))
                .await;
            while let Some(Ok(message)) = socket.next().await {
                if message.to_text().is_ok_and(|t| t.contains("session.update")) {
                    break;
                }
            }
            say(&mut socket, json!({ "type": "session.updated", "session": {} })).await;
            if tell.send(socket).await.is_err() {
                return;
            }
        }
    });
    (url, sockets)
}

async fn say(socket: &mut Socket, event: Value) {
    let _ = socket.send(Message::text(event.to_string())).await;
}

fn start(url: &str) -> Assistant {
    let profile = protocol::profile("other");
    Assistant::start(Setup {
        config: Config { profile, ..Config::default() },
        server: Server::WebSocket(Remote::new(url, KeySource::None)),
        backend: Box::new(|| Box::new(audio::FakeDevices::new(audio::StreamFormat { rate: 48_000, channels: 1 }).1)),
        echo: audio::EchoMode::Headphones.into(),
        models: None,
        sound_check: None,
        memories: None,
        observer: None,
    })
}

/// A conversation that has begun.
async fn live() -> (Assistant, tokio::sync::mpsc::Receiver<ViewEvent>, Socket, Receiver<Socket>) {
    let (url, mut sockets) = peer().await;
    let assistant = start(&url);
    let (_, _, events) = assistant.subscribe().await.unwrap();
    assistant.act(Action::SendText { text: "Hi".into() }).await;
    let socket = timeout(LIMIT, sockets.recv()).await.unwrap().unwrap();
    (assistant, events, socket, sockets)
}

async fn until(events: &mut Receiver<ViewEvent>, what: &str, pick: impl Fn(&ViewEvent) -> bool) {
    let found = timeout(LIMIT, async {
        while let Some(event) = events.recv().await {
            if pick(&event) {
                return;
            }
        }
        panic!("the assistant has ended");
    });
    found.await.unwrap_or_else(|_| panic!("{what}: in vain"));
}

fn notice(words: &str) -> impl Fn(&ViewEvent) -> bool {
    move |event| matches!(event, ViewEvent::Notice { notice } if notice.text.contains(words))
}

async fn close(socket: &mut Socket, code: u16, reason: &'static str) {
    let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
    let _ = socket.close(Some(frame)).await;
}

#[tokio::test]
async fn each_close_code_is_followed_by_what_it_means() {
    // Refused: said, and not tried again.
    for (code, reason) in [(1008, "session_limit_reached"), (4000, "invalid_request_error.invalid_model")] {
        let (assistant, mut events, mut socket, _sockets) = live().await;
        close(&mut socket, code, reason).await;
        until(&mut events, "the refusal", notice(&format!("The server refused: {reason}."))).await;
        let (view, ..) = assistant.subscribe().await.unwrap();
        assert_eq!(view.status.phase, Phase::Idle, "{code}");
    }
    // Lost: said, and tried again.
    for code in [1000, 1001, 1011, 1012, 1013] {
        let (_assistant, mut events, mut socket, mut sockets) = live().await;
        close(&mut socket, code, "").await;
        until(&mut events, "the loss", notice("Connecting again; nothing you said is lost.")).await;
        assert!(timeout(LIMIT, sockets.recv()).await.unwrap().is_some(), "{code}");
    }
    // The hour is over: another session at once, without a word.
    let (assistant, _events, mut socket, mut sockets) = live().await;
    close(&mut socket, 1001, "Your session hit the maximum duration of 60 minutes.").await;
    assert!(timeout(LIMIT, sockets.recv()).await.unwrap().is_some());
    let (view, ..) = assistant.subscribe().await.unwrap();
    assert!(view.notices.is_empty(), "{:?}", view.notices);
}

#[tokio::test]
async fn what_cannot_be_read_is_passed_over_and_the_conversation_goes_on() {
    let (assistant, mut events, mut socket, _sockets) = live().await;
    for text in [
        "nonsense",
        "[]",
        "{\"type\":3}",
        "{\"type\":\"response.output_audio.delta\",\"delta\":\"not base64!\"}",
        "{\"type\":\"response.output_audio.delta\"}",
        "{\"type\":\"response.done\",\"response\":{\"status\":\"sideways\"}}",
        "{\"type\":\"no.such.event\",\"x\":[1,2,{}]}",
        "{\"type\":\"error\",\"error\":\"boom\"}",
    ] {
        socket.send(Message::text(text)).await.unwrap();
    }
    socket.send(Message::binary(vec![0; 100])).await.unwrap();
    until(&mut events, "the error in words", notice("boom")).await;
    answer(&mut socket, "r1", "a1", &[3; 4801]).await;
    until(&mut events, "the answer", |e| matches!(e, ViewEvent::Item { item } if item.text == "Hello.")).await;
    let (view, ..) = assistant.subscribe().await.unwrap();
    assert_eq!(view.status.phase, Phase::Live);
}

async fn answer(socket: &mut Socket, response: &str, item: &str, audio: &[u8]) {
    let at = |kind: &str, more: Value| {
        let mut event = json!({ "type": kind, "response_id": response, "item_id": item });
        event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        event
    };
    say(socket, json!({ "type": "response.created", "response": { "id": response } })).await;
    let message = json!({ "id": item, "type": "message", "role": "assistant", "content": [] });
    say(socket, json!({ "type": "response.output_item.added", "response_id": response, "item": message })).await;
    // Twice the same, out of order, after the end: each counts for what it is.
    for _ in 0..2 {
        say(socket, at("response.output_audio.delta", json!({ "delta": STANDARD.encode(audio) }))).await;
    }
    say(socket, json!({ "type": "response.done", "response": { "id": response, "status": "completed" } })).await;
    say(socket, at("response.output_audio_transcript.done", json!({ "transcript": "Hello." }))).await;
    say(socket, at("response.output_audio.done", json!({}))).await;
    say(socket, json!({ "type": "response.done", "response": { "id": response, "status": "completed" } })).await;
    say(socket, json!({ "type": "response.output_item.added", "response_id": response, "item": message })).await;
}

#[tokio::test]
async fn a_frame_of_twenty_mebibytes_is_an_event_like_others() {
    let (assistant, mut events, mut socket, _sockets) = live().await;
    answer(&mut socket, "r1", "a1", &vec![0; 15 << 20]).await;
    until(&mut events, "the answer", |e| matches!(e, ViewEvent::Item { item } if item.text == "Hello.")).await;
    let (view, ..) = assistant.subscribe().await.unwrap();
    assert_eq!(view.status.phase, Phase::Live);
}

#[tokio::test]
async fn bytes_that_are_no_text_lose_the_link_and_another_takes_its_place() {
    let (_assistant, mut events, mut socket, mut sockets) = live().await;
    // A text frame of two bytes that are no UTF-8, unmasked as a server's are.
    socket.get_mut().write_all(&[0x81, 0x02, 0xC3, 0x28]).await.unwrap();
    until(&mut events, "the loss", notice("Connecting again")).await;
    assert!(timeout(LIMIT, sockets.recv()).await.unwrap().is_some());
}

#[tokio::test]
async fn a_connection_that_is_cut_or_falls_silent_is_lost_and_made_again() {
    let (_assistant, mut events, socket, mut sockets) = live().await;
    drop(socket);
    until(&mut events, "the loss", notice("Connecting again")).await;
    let held = timeout(LIMIT, sockets.recv()).await.unwrap().unwrap();
    // Half-open: the socket is there and nobody behind it; nothing is read, no ping is answered.
    until(&mut events, "the next link", |e| matches!(e, ViewEvent::NoticeGone { id } if id == "link")).await;
    tokio::time::pause();
    let silent = timeout(Duration::from_secs(120), async {
        while let Some(event) = events.recv().await {
            if notice("the server has fallen silent")(&event) {
                return;
            }
        }
    });
    silent.await.expect("silence is noticed within two minutes of the clock");
    drop(held);
}

#[tokio::test]
async fn a_server_that_asks_for_a_key_is_not_given_a_second_try() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/v1/realtime", listener.local_addr().unwrap());
    let answers = ["401 Unauthorized", "403 Forbidden", "404 Not Found", "400 Bad Request"];
    let words = ["rejected the key", "rejected the key", "no conversation at this address", "it answered 400"];
    for (status, words) in answers.into_iter().zip(words) {
        let assistant = start(&url);
        let (_, _, mut events) = assistant.subscribe().await.unwrap();
        assistant.act(Action::SendText { text: "Hi".into() }).await;
        let (mut stream, _) = timeout(LIMIT, listener.accept()).await.unwrap().unwrap();
        let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        until(&mut events, status, notice(words)).await;
        let (view, ..) = assistant.subscribe().await.unwrap();
        assert_eq!(view.status.phase, Phase::Idle);
        drop(assistant);
    }
}
