//! Devices that come, go and change under a conversation: PulseAudio's own, on the desktop of `tests/desktop/rig.sh`.

use std::{
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use assistant::{Assistant, Server, Setup, prelude::*};
use engine::scripted::{Script, loaders};
use support::speech::loud_ms;
use tokio::{sync::mpsc::Receiver, time::timeout};

const LIMIT: Duration = Duration::from_secs(20);
/// Within which the conversation goes on, on another device.
const SWITCH: Duration = Duration::from_millis(800);

fn pactl(args: &[&str]) -> String {
    let output = Command::new("pactl").args(args).output().expect("pactl runs in the rig");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A null sink that ends with this value.
struct Sink {
    module: String,
    /// Keeps it at steps of 10 ms; left alone, it works in steps of two seconds.
    busy: Child,
}

impl Sink {
    fn load(name: &str, more: &str) -> Self {
        let (name_is, shown_as) = (format!("sink_name={name}"), format!("sink_properties=device.description={name}"));
        let module = pactl(&["load-module", "module-null-sink", &name_is, &shown_as, more]);
        let zeros = std::fs::File::open("/dev/zero").unwrap();
        let mut command = Command::new("pacat");
        command.args(["--raw", "--latency-msec=10", "-d", name]).stdin(Stdio::from(zeros));
        let busy = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("pacat runs in the rig");
        wait_for_steps(name);
        Self { module, busy }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.busy.kill();
        let _ = self.busy.wait();
        let _ = Command::new("pactl").args(["unload-module", &self.module]).stderr(Stdio::null()).status();
    }
}

/// A null sink takes its first step after two seconds; waits for it.
fn wait_for_steps(sink: &str) {
    let parec = format!("timeout 10 parec -d {sink}.monitor --raw --latency-msec=20 | head -c 9600 | wc -c");
    let output = Command::new("sh").args(["-c", &parec]).output().expect("parec runs in the rig");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "9600", "{sink} does not move");
}

/// Returns for how many milliseconds of the next two seconds something is heard at a sink.
fn heard_at(sink: &str) -> usize {
    let output = Command::new("timeout")
        .args(["2", "parec", "-d", &format!("{sink}.monitor"), "--raw", "--format=s16le", "--rate=48000"])
        .args(["--channels=1", "--latency-msec=20"])
        .output()
        .expect("parec runs in the rig");
    let samples: Vec<i16> = output.stdout.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
    loud_ms(&samples).len() * 10
}

/// A conversation on the system's devices, in which the answer to a word takes a minute.
async fn answering(echo: EchoMode) -> (Assistant, Receiver<ViewEvent>) {
    let script = Script {
        answers: vec![("Go".into(), "On and on it goes without an end in sight. ".repeat(20))],
        ms_per_char: 70,
        ..Script::default()
    };
    let assistant = Assistant::start(Setup {
        config: Config { voice: "heart".into(), ..Config::default() },
        server: Server::InProcess(Arc::new(move || loaders(script.clone()))),
        backend: Box::new(|| Box::new(CpalBackend::new(None, None))),
        echo,
        models: None,
        memories: None,
        observer: None,
    });
    let (_, _, mut events) = assistant.subscribe().await.unwrap();
    assistant.act(Action::StartTalk).await;
    assistant.act(Action::SendText { text: "Go".into() }).await;
    until(&mut events, "the answer", |e| matches!(e, ViewEvent::Latency { .. })).await;
    (assistant, events)
}

async fn until(events: &mut Receiver<ViewEvent>, what: &str, pick: impl Fn(&ViewEvent) -> bool) -> Instant {
    let found = timeout(LIMIT, async {
        while let Some(event) = events.recv().await {
            if pick(&event) {
                return Instant::now();
            }
        }
        panic!("the assistant has ended");
    });
    found.await.unwrap_or_else(|_| panic!("{what}: in vain"))
}

fn now_is(device: &str) -> impl Fn(&ViewEvent) -> bool {
    let device = device.to_owned();
    move |event| matches!(event, ViewEvent::Notice { notice } if notice.text.contains("is now") && notice.text.contains(&device))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a desktop"]
async fn another_default_speaker_goes_on_with_the_sentence_and_so_does_the_old_one_when_that_is_gone() {
    let (assistant, mut events) = answering(EchoMode::FullDuplex).await;
    assert!(heard_at("rig_speaker") > 500);
    for format in ["rate=44100", "rate=16000", "rate=8000", "channels=1", "channels=8"] {
        let other = Sink::load("rig_other", format);
        let changed = Instant::now();
        pactl(&["set-default-sink", "rig_other"]);
        let used = until(&mut events, format, now_is("rig_other")).await;
        assert!(used - changed < SWITCH, "{format}: after {:?}", used - changed);
        let heard = heard_at("rig_other");
        assert!(heard > 500, "{format}: {heard} ms");
        let gone = Instant::now();
        drop(other);
        let used = until(&mut events, "the old speaker", now_is("Null Output")).await;
        assert!(used - gone < SWITCH, "{format}: after {:?}", used - gone);
        let heard = heard_at("rig_speaker");
        assert!(heard > 500, "{format}: {heard} ms");
    }
    let (view, ..) = assistant.subscribe().await.unwrap();
    assert_eq!((view.status.phase, view.status.agent), (Phase::Live, AgentState::Speaking));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a desktop"]
async fn another_default_microphone_is_listened_to_and_one_that_is_gone_is_followed_by_the_next() {
    let (assistant, mut events) = answering(EchoMode::FullDuplex).await;
    // Nobody plays into it: it gives zeros, which no microphone does.
    until(
        &mut events,
        "the silence",
        |e| matches!(e, ViewEvent::Notice { notice } if notice.text.contains("nothing but silence")),
    )
    .await;
    let feed = Sink::load("rig_feed_2", "channels=1");
    let changed = Instant::now();
    let source = pactl(&[
        "load-module",
        "module-remap-source",
        "source_name=rig_mic_2",
        "master=rig_feed_2.monitor",
        "source_properties=device.description=rig_mic_2",
    ]);
    pactl(&["set-default-source", "rig_mic_2"]);
    let used = until(&mut events, "the other microphone", now_is("rig_mic_2")).await;
    assert!(used - changed < SWITCH, "after {:?}", used - changed);
    let gone = Instant::now();
    pactl(&["unload-module", &source]);
    let used = until(&mut events, "the old microphone", now_is("Remapped Monitor")).await;
    assert!(used - gone < SWITCH, "after {:?}", used - gone);
    drop(feed);
    let (view, ..) = assistant.subscribe().await.unwrap();
    assert_eq!(view.status.phase, Phase::Live);
}
