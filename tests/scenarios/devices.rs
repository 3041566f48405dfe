//! Devices that come, go and change under a conversation: PulseAudio's own, on the desktop of `tests/desktop/rig.sh`.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use assistant::{Assistant, EchoModes, Server, Setup, prelude::*};
use engine::scripted::{Script, loaders};
use serde_json::Value;
use support::{
    home_with_models, program,
    speech::{espeak_as, loud_ms, silence, with_noise, write},
};
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
    answering_on(echo, None).await
}

/// The same with a speaker that was chosen.
async fn answering_on(echo: impl Into<EchoModes>, speaker: Option<&str>) -> (Assistant, Receiver<ViewEvent>) {
    let speaker = speaker.map(str::to_owned);
    let script = Script {
        answers: vec![("Go".into(), "On and on it goes without an end in sight. ".repeat(20))],
        ms_per_char: 70,
        ..Script::default()
    };
    let assistant = Assistant::start(Setup {
        config: Config { voice: "heart".into(), ..Config::default() },
        server: Server::InProcess(Arc::new(move || loaders(script.clone()))),
        backend: Box::new(|| Box::new(CpalBackend::new(None, speaker))),
        echo: echo.into(),
        models: None,
        sound_check: None,
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

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a desktop"]
async fn a_speaker_that_was_chosen_is_used_again_when_it_returns() {
    let chosen = Sink::load("rig_chosen", "channels=2");
    let (_assistant, mut events) = answering_on(EchoMode::FullDuplex, Some("rig_chosen")).await;
    assert!(heard_at("rig_chosen") > 500);
    drop(chosen);
    until(&mut events, "the default speaker", now_is("Null Output")).await;
    let _chosen = Sink::load("rig_chosen", "channels=2");
    until(&mut events, "the chosen speaker", now_is("rig_chosen")).await;
    assert!(heard_at("rig_chosen") > 500);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a desktop"]
async fn headphones_are_known_again_and_so_are_the_loudspeakers_after_them() {
    let by_speaker = [("rig_headphones".to_owned(), EchoMode::Headphones)].into();
    let (assistant, mut events) = answering_on(EchoModes { usual: EchoMode::FullDuplex, by_speaker }, None).await;
    let measured = |e: &ViewEvent| matches!(e, ViewEvent::Echo { echo: Some(_) });
    until(&mut events, "an echo is looked for", measured).await;
    let _headphones = Sink::load("rig_headphones", "channels=2");
    pactl(&["set-default-sink", "rig_headphones"]);
    until(&mut events, "the headphones", now_is("rig_headphones")).await;
    assert!(heard_at("rig_headphones") > 500);
    assert_eq!(assistant.subscribe().await.unwrap().0.echo, None, "nothing is cancelled");
    pactl(&["set-default-sink", "rig_speaker"]);
    until(&mut events, "the loudspeakers", now_is("Null Output")).await;
    until(&mut events, "an echo is looked for again", measured).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a desktop"]
async fn a_microphone_that_stands_still_is_noticed_and_so_is_its_return() {
    let (_assistant, mut events) = answering(EchoMode::FullDuplex).await;
    until(&mut events, "the silence", |e| matches!(e, ViewEvent::Notice { notice } if notice.id == "capture")).await;
    let stopped = Instant::now();
    pactl(&["suspend-source", "rig_mic", "1"]);
    let still =
        |e: &ViewEvent| matches!(e, ViewEvent::Notice { notice } if notice.text.contains("gives nothing any more"));
    let noticed = until(&mut events, "the standstill", still).await;
    assert!(noticed - stopped < Duration::from_secs(3), "after {:?}", noticed - stopped);
    pactl(&["suspend-source", "rig_mic", "0"]);
    until(&mut events, "the return", |e| {
        matches!(e, ViewEvent::NoticeGone { id } if id == "capture")
            || matches!(e, ViewEvent::Notice { notice } if notice.text.contains("nothing but silence"))
    })
    .await;
}

/// A sound server of its own, that may be killed.
struct SoundServer {
    dir: tempfile::TempDir,
    process: Option<Child>,
}

impl SoundServer {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), process: None }
    }

    fn address(&self) -> String {
        format!("unix:{}", self.dir.path().join("socket").display())
    }

    async fn start(&mut self) {
        let socket =
            format!("module-native-protocol-unix auth-anonymous=1 socket={}", self.dir.path().join("socket").display());
        let mut command = Command::new("pulseaudio");
        command.args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "-L", &socket]);
        for module in [
            "module-null-sink sink_name=out",
            "module-null-sink sink_name=in",
            "module-remap-source source_name=mic master=in.monitor",
        ] {
            command.args(["-L", module]);
        }
        // It starts beside no other, on the bus or by name.
        command.env_remove("PULSE_SERVER").env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere");
        command.env("XDG_RUNTIME_DIR", self.dir.path()).env("HOME", self.dir.path());
        self.process =
            Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("pulseaudio is in the rig"));
        let address = self.address();
        let answers =
            || Command::new("pactl").arg("info").env("PULSE_SERVER", &address).output().unwrap().status.success();
        let due = Instant::now() + LIMIT;
        while !answers() {
            assert!(Instant::now() < due, "the sound server does not start");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }
}

impl Drop for SoundServer {
    fn drop(&mut self) {
        self.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a desktop"]
async fn a_sound_server_that_is_killed_and_started_again_is_talked_through_again() {
    let script = Script { answers: vec![("Go".into(), "Here I am.".into())], ..Script::default() };
    let server = engine::serve::Server::bind(0, "token", loaders(script)).await.unwrap();
    let url = format!("ws://{}/v1/realtime", server.address());
    tokio::spawn(server.run());
    let mut sound = SoundServer::new();
    sound.start().await;
    let home = tempfile::tempdir().unwrap();
    let mut talk = tokio::process::Command::new(program("vivavoce-cli"))
        .args(["--json", "talk", "--engine", &url])
        .env("VIVAVOCE_HOME", home.path())
        .env("VIVAVOCE_OTHER_KEY", "token")
        .env("PULSE_SERVER", sound.address())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(talk.stdout.take().unwrap()));
    let mut seen = Vec::new();
    for (what, recording) in [("the talk", true), ("the loss", false), ("the return", true)] {
        let found = timeout(LIMIT, async {
            while let Some(line) = lines.next_line().await.unwrap() {
                let event: Value = serde_json::from_str(&line).unwrap();
                if event["view"]["type"] != "level" {
                    seen.push(line);
                }
                if event["view"]["status"]["isRecording"] == recording {
                    return true;
                }
            }
            false
        });
        let found = found.await.unwrap_or(false);
        assert!(found, "{what}: {seen:#?}");
        match what {
            "the talk" => sound.kill(),
            "the loss" => sound.start().await,
            _ => {}
        }
    }
    assert!(talk.try_wait().unwrap().is_none(), "the talk goes on");
}

/// A room: what the speaker plays comes back at the microphone, softer and later, and the room itself is not quite silent.
struct Room {
    module: String,
    noise: Child,
    _dir: tempfile::TempDir,
}

impl Room {
    fn enter() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let noise = dir.path().join("noise.wav");
        write(&noise, &with_noise(silence(120_000), 40));
        let noise = play_into_microphone(&noise);
        let way = ["source=rig_speaker.monitor", "sink=rig_feed", "latency_msec=60"];
        let module = pactl(&[&["load-module", "module-loopback"], &way[..]].concat());
        Self { module, noise, _dir: dir }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let _ = self.noise.kill();
        let _ = self.noise.wait();
        let _ = Command::new("pactl").args(["unload-module", &self.module]).status();
    }
}

fn play_into_microphone(path: &std::path::Path) -> Child {
    Command::new("paplay").args(["-d", "rig_feed"]).arg(path).spawn().expect("paplay runs in the rig")
}

/// Checks the sound, with somebody speaking over it when it asks for that; returns what was found.
fn sound_check(home: &std::path::Path) -> (bool, Vec<Value>) {
    let dir = tempfile::tempdir().unwrap();
    let over = dir.path().join("over.wav");
    write(&over, &[silence(2500), espeak_as("en+f3", "Wait, wait, what about the other planets?", 150)].concat());
    let mut check = Command::new(program("vivavoce-cli"))
        .args(["--json", "doctor", "--sound"])
        .env("VIVAVOCE_HOME", home)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut found = Vec::new();
    let mut speaks = None;
    for line in BufReader::new(check.stdout.take().unwrap()).lines() {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if line["stage"] == "over" {
            speaks = Some(play_into_microphone(&over));
        } else if line["check"].is_string() {
            found.push(line);
        }
    }
    speaks.expect("it asks for an interruption").wait().unwrap();
    (check.wait().unwrap().success(), found)
}

fn grade<'a>(found: &'a [Value], what: &str) -> &'a str {
    let one = found.iter().find(|f| f["check"] == what);
    one.unwrap_or_else(|| panic!("{what}: {found:?}"))["grade"].as_str().unwrap()
}

/// PulseAudio's loopback is a room whose delay wanders and jumps, which no canceller follows: it must know its own voice even so.
#[test]
#[ignore = "needs the models and a desktop"]
fn a_sound_check_finds_whether_it_hears_itself() {
    let home = home_with_models();
    let _room = Room::enter();
    let choose = |echo: &str| {
        let settings = format!(r#"{{ "version": 1, "echo": "{echo}" }}"#);
        std::fs::write(home.path().join("settings.json"), settings).unwrap();
    };
    choose("halfDuplex");
    let (well, found) = sound_check(home.path());
    assert!(well, "{found:?}");
    for what in ["microphone", "speaker", "room", "self-interruption"] {
        assert_eq!(grade(&found, what), "good", "{what}: {found:?}");
    }
    choose("fullDuplex");
    let (well, found) = sound_check(home.path());
    assert!(well && grade(&found, "self-interruption") != "bad", "{found:?}");
    assert_eq!(grade(&found, "talking over it"), "good", "{found:?}");
    choose("headphones");
    let (_, found) = sound_check(home.path());
    assert_ne!(grade(&found, "self-interruption"), "good", "nothing is done about it: {found:?}");
}

#[test]
#[ignore = "needs the models and a desktop"]
fn a_sound_check_with_a_microphone_that_is_switched_off_says_so() {
    let home = home_with_models();
    let (well, found) = sound_check(home.path());
    assert!(!well && grade(&found, "microphone") == "bad", "{found:?}");
    assert!(found[0]["words"].as_str().unwrap().contains("nothing but silence"), "{found:?}");
}
