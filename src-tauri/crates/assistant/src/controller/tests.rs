use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use session::Phase;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};

use super::*;
use crate::{KeySource, Remote};

type Socket = WebSocketStream<TcpStream>;

const LIMIT: Duration = Duration::from_secs(20);

async fn say(socket: &mut Socket, event: Value) {
    socket.send(Message::text(event.to_string())).await.unwrap();
}

/// Returns the next event of the client; none when it has gone.
async fn hear(socket: &mut Socket) -> Option<Value> {
    loop {
        let message = tokio::time::timeout(LIMIT, socket.next()).await.expect("the client says something or goes");
        match message?.ok()? {
            Message::Text(text) => return serde_json::from_str(&text).ok(),
            Message::Close(_) => return None,
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
        }
    }
}

fn controller(url: &str) -> Controller {
    let format = audio::StreamFormat { rate: 48_000, channels: 1 };
    Controller::new(Setup {
        config: Config { profile: protocol::profile("openai"), ..Config::default() },
        server: Server::WebSocket(Remote::new(url, KeySource::None)),
        backend: Box::new(move || Box::new(audio::FakeDevices::new(format).1)),
        echo: EchoMode::Headphones.into(),
        models: None,
        sound_check: None,
        memories: None,
        observer: None,
    })
}

/// Hears the server until the conversation is in a phase.
async fn until_phase(controller: &mut Controller, phase: Phase) {
    while controller.session.view().status.phase != phase {
        let event = tokio::time::timeout(LIMIT, next_link_event(&mut controller.link)).await.unwrap();
        controller.handle_link(event);
    }
}

/// Returns the next event of the client, which goes on meanwhile.
async fn hear_meanwhile(controller: &mut Controller, socket: &mut Socket) -> Value {
    loop {
        tokio::select! {
            heard = hear(socket) => return heard.unwrap(),
            event = next_link_event(&mut controller.link) => controller.handle_link(event),
        }
    }
}

#[tokio::test]
async fn the_next_link_is_open_before_the_one_in_use_is_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut controller = controller(&format!("ws://{}/v1/realtime", listener.local_addr().unwrap()));
    let created = json!({ "type": "session.created", "session": {} });
    let updated = json!({ "type": "session.updated", "session": {} });
    let accept = async || accept_async(listener.accept().await.unwrap().0).await.unwrap();

    controller.step(Input::Action(Action::StartTalk));
    let mut old = accept().await;
    say(&mut old, created.clone()).await;
    say(&mut old, updated.clone()).await;
    until_phase(&mut controller, Phase::Live).await;
    assert_eq!(hear(&mut old).await.unwrap()["type"], "session.update");

    let begun = Instant::now();
    controller.step(Input::Expires { at: begun + Duration::from_secs(3600) });
    controller.session.handle(begun + Duration::from_secs(3500), Input::Timeout);
    controller.drain();
    let mut new = accept().await;
    controller.step(Input::Mic(protocol::Pcm16(vec![7; 480])));
    assert_eq!(hear(&mut old).await.unwrap()["type"], "input_audio_buffer.append", "the old link is in use");
    say(&mut new, created).await;
    let greeting = tokio::time::timeout(LIMIT, next_spare_event(&mut controller.spare)).await.unwrap();
    controller.handle_spare(greeting);
    assert_eq!(hear(&mut old).await, None);
    say(&mut new, updated).await;
    assert_eq!(hear_meanwhile(&mut controller, &mut new).await["type"], "session.update");
    let append = hear_meanwhile(&mut controller, &mut new).await;
    assert_eq!(append["audio"].as_str().map(str::len), Some(1280), "what the old one may not have made a turn of");
}

#[tokio::test]
async fn a_next_link_that_cannot_be_had_leaves_the_one_in_use_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut controller = controller(&format!("ws://{}/v1/realtime", listener.local_addr().unwrap()));
    controller.step(Input::Action(Action::StartTalk));
    let mut old = accept_async(listener.accept().await.unwrap().0).await.unwrap();
    say(&mut old, json!({ "type": "session.created", "session": {} })).await;
    say(&mut old, json!({ "type": "session.updated", "session": {} })).await;
    until_phase(&mut controller, Phase::Live).await;
    drop(listener);
    let begun = Instant::now();
    controller.step(Input::Expires { at: begun + Duration::from_secs(3600) });
    controller.session.handle(begun + Duration::from_secs(3500), Input::Timeout);
    controller.drain();
    let lost = tokio::time::timeout(LIMIT, next_spare_event(&mut controller.spare)).await.unwrap();
    controller.handle_spare(lost);
    assert!(controller.spare.is_none() && controller.link.is_some());
    assert_eq!(hear(&mut old).await.unwrap()["type"], "session.update");
    controller.step(Input::Mic(protocol::Pcm16(vec![7; 480])));
    assert_eq!(hear(&mut old).await.unwrap()["type"], "input_audio_buffer.append");
}
