//! What the client itself costs: microphone to socket, audio delta to playout queue, and reading deltas, each in this
//! process with a conversation running over a real loopback socket.

use std::{
    hint::black_box,
    io,
    sync::mpsc,
    time::{Duration, Instant},
};

use assistant::{Assistant, KeySource, Observed, Remote, Server, Setup, prelude::*};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::{SinkExt, StreamExt};
use protocol::{At, Pcm16, PcmCarry, ServerEvent};
use serde_json::{Value, json};
use tokio::{net::TcpListener, runtime::Handle};
use tokio_tungstenite::{accept_async, tungstenite::Message};

use crate::run::say;

/// How long the conversation runs.
const TALK: Duration = Duration::from_secs(20);
/// Audio in one delta, as servers send it.
const DELTA_MS: u64 = 100;
/// JSON that is read for the rate.
const READ: usize = 256 << 20;

pub(crate) fn wire(json: bool) -> io::Result<()> {
    let (mic, play) = talk()?;
    let line = |what: &str, samples: &mut Vec<f64>| {
        samples.sort_by(f64::total_cmp);
        let rank = |percent: usize| samples.get((samples.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        let (p50, p99) = (rank(50).unwrap_or(0.0), rank(99).unwrap_or(0.0));
        let value = json!({ "what": what, "p50_ms": p50, "p99_ms": p99, "samples": samples.len() });
        say(json, &format!("{what:<46} {p50:>7.2} {p99:>7.2}   ({})", samples.len()), &value);
    };
    say(json, &format!("{:<46} {:>7} {:>7}", "milliseconds, socket included", "p50", "p99"), &json!({}));
    line("microphone block to the other end of the socket", &mut { mic });
    line("audio delta from socket to playout queue", &mut { play });
    rates(json);
    Ok(())
}

/// Talks in real time with a peer in this process; returns how long microphone blocks took from the audio thread's mail to
/// it, and deltas from it to the playout queue.
fn talk() -> io::Result<(Vec<f64>, Vec<f64>)> {
    let folder = std::env::temp_dir().join(format!("vivavoce-wire-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let input = folder.join("in.wav");
    let samples = vec![500i16; Pcm16::frames_in(TALK.as_millis() as u64) as usize];
    audio::write_wav(&input, &samples, 24_000).map_err(io::Error::other)?;
    let (backend, clock) = FileBackend::open(&input, &folder.join("out.wav")).map_err(io::Error::other)?;
    let (arrived, arrivals) = mpsc::channel::<Instant>();
    let (said, sayings) = mpsc::channel::<Instant>();
    let (played, plays) = mpsc::channel::<Instant>();
    let (given, blocks) = mpsc::channel::<Instant>();
    // The command runs on a runtime already.
    let talking = async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("ws://{}/v1/realtime", listener.local_addr()?);
        tokio::spawn(peer(listener, arrived, said));
        let observer = move |observed: Observed<'_>| {
            let told = match observed {
                Observed::Mic => &given,
                Observed::Played => &played,
                Observed::Sent(_)
                | Observed::Received(_)
                | Observed::Unreadable(_)
                | Observed::View(_)
                | Observed::InputEnded => return,
            };
            let _ = told.send(Instant::now());
        };
        let profile = protocol::profile("other");
        let assistant = Assistant::start(Setup {
            config: Config { profile, ..Config::default() },
            server: Server::WebSocket(Remote::new(url, KeySource::None)),
            backend: Box::new(move || Box::new(backend)),
            echo: EchoMode::Headphones.into(),
            models: None,
            sound_check: None,
            memories: None,
            observer: Some(Box::new(observer)),
        });
        let (_, _, mut events) = assistant.subscribe().await.ok_or_else(|| io::Error::other("it has ended"))?;
        assistant.act(Action::StartTalk).await;
        while let Some(event) = events.recv().await {
            if matches!(event, ViewEvent::Status { status } if status.phase == Phase::Live) {
                break;
            }
        }
        clock.start();
        tokio::time::sleep(TALK).await;
        io::Result::Ok(())
    };
    tokio::task::block_in_place(|| Handle::current().block_on(talking))?;
    let _ = std::fs::remove_dir_all(folder);
    let mic = blocks.try_iter().zip(arrivals.try_iter()).map(|(given, at)| ms(at.duration_since(given))).collect();
    let play = sayings.try_iter().zip(plays.try_iter()).map(|(said, played)| ms(played.duration_since(said))).collect();
    Ok((mic, play))
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Greets, notes when microphone audio arrives, and talks all the time.
async fn peer(listener: TcpListener, arrived: mpsc::Sender<Instant>, said: mpsc::Sender<Instant>) {
    let Ok((stream, _)) = listener.accept().await else { return };
    let _ = stream.set_nodelay(true);
    let Ok(socket) = accept_async(stream).await else { return };
    let (mut sink, mut source) = socket.split();
    for event in [
        json!({ "type": "session.created", "session": { "audio": {} } }),
        json!({ "type": "session.updated", "session": {} }),
        json!({ "type": "response.created", "response": { "id": "r" } }),
    ] {
        if sink.send(Message::text(event.to_string())).await.is_err() {
            return;
        }
    }
    let hear = async {
        while let Some(Ok(message)) = source.next().await {
            if message.to_text().is_ok_and(|t| t.contains("input_audio_buffer.append")) {
                let _ = arrived.send(Instant::now());
            }
        }
    };
    let talk = async {
        let delta = delta(DELTA_MS);
        let mut tick = tokio::time::interval(Duration::from_millis(DELTA_MS));
        loop {
            tick.tick().await;
            let _ = said.send(Instant::now());
            if sink.send(Message::text(delta.clone())).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = hear => {}
        () = talk => {}
    }
}

fn delta(ms: u64) -> String {
    let samples = (0..Pcm16::frames_in(ms)).map(|n| (n * 37 % 4000) as i16).collect();
    let at = At { response_id: "resp_1".into(), item_id: "item_1".into(), output_index: 0, content_index: 0 };
    ServerEvent::OutputAudioDelta { at, delta: Pcm16(samples).to_bytes() }.to_json(Some("event_1"))
}

/// Prints how quickly deltas become samples, beside the plain way of the same crates.
fn rates(json: bool) {
    let text = delta(400);
    let times = READ / text.len();
    let rate = |work: &mut dyn FnMut() -> usize| {
        let begun = Instant::now();
        let mut samples = 0;
        for _ in 0..times {
            samples += work();
        }
        black_box(samples);
        (times * text.len()) as f64 / 1e6 / begun.elapsed().as_secs_f64()
    };
    let mut carry = PcmCarry::default();
    let ours = rate(&mut || match ServerEvent::parse(black_box(&text)) {
        Ok(ServerEvent::OutputAudioDelta { delta, .. }) => carry.decode(&delta).0.len(),
        Ok(_) | Err(_) => 0,
    });
    let plain = rate(&mut || {
        let value: Value = serde_json::from_str(black_box(&text)).unwrap_or_default();
        let bytes = STANDARD.decode(value["delta"].as_str().unwrap_or_default()).unwrap_or_default();
        bytes.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect::<Vec<_>>().len()
    });
    let words = format!(
        "audio deltas to samples: {ours:.0} MB/s of JSON on one core; serde_json and base64 the plain way {plain:.0} ({:.1} times)",
        ours / plain
    );
    say(json, &words, &json!({ "what": "parsing", "ours_mb_s": ours, "plain_mb_s": plain }));
}
