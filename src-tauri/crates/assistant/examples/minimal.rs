//! The smallest client: connects, sends the microphone, plays the answer, stops when it is talked over.
//!
//! `cargo run -p assistant --example minimal -- wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1`, with the key in
//! `OPENAI_API_KEY`; or with the address and token that `vivavoce-cli serve` prints.

#![allow(clippy::print_stdout, clippy::wildcard_enum_match_arm, reason = "an example prints, and looks at little")]

use assistant::{Assistant, KeySource, Remote, Server, Setup, prelude::*};

#[tokio::main]
async fn main() {
    let url =
        std::env::args().nth(1).unwrap_or_else(|| "wss://api.openai.com/v1/realtime?model=gpt-realtime-2.1".into());
    let key = std::env::var("OPENAI_API_KEY").map_or(KeySource::None, |key| KeySource::Given(key.into()));
    let profile = profile(if url.contains("api.openai.com") { "openai" } else { "other" });
    let assistant = Assistant::start(Setup {
        config: Config {
            instructions: "You are a helpful voice assistant. Answer in one or two short sentences.".into(),
            voice: profile.voices.first().cloned().unwrap_or_default(),
            profile: profile.clone(),
            ..Config::default()
        },
        server: Server::WebSocket(Remote { profile, ..Remote::new(url, key) }),
        backend: Box::new(|| Box::new(CpalBackend::new(None, None))),
        echo: EchoMode::FullDuplex.into(),
        models: None,
        sound_check: None,
        memories: None,
        observer: None,
    });
    let Some((_, _, mut events)) = assistant.subscribe().await else { return };
    // Microphone, echo of what was heard, playback and interruption are the assistant's from here on.
    assistant.act(Action::StartTalk).await;
    while let Some(event) = events.recv().await {
        match event {
            ViewEvent::Item { item } if item.state == ItemState::Final => println!("{:?}: {}", item.speaker, item.text),
            ViewEvent::Item { item } if item.state == ItemState::Interrupted => {
                println!("{:?}: (cut off)", item.speaker)
            }
            ViewEvent::Notice { notice } => println!("! {}", notice.text),
            _ => {}
        }
    }
}
