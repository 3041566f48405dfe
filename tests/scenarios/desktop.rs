//! The real window, real sound through PulseAudio, on the desktop that `tests/desktop/rig.sh` makes.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use engine::scripted::{Script, loaders};
use support::{
    NO_SOUND, home_with_models,
    models::Ears,
    portal::Portal,
    program,
    speech::{loud_ms, said, silence, write},
    tray::Tray,
    window::Window,
};

use tokio::io::{AsyncBufReadExt, BufReader};

const LIMIT: Duration = Duration::from_secs(90);

/// Plays a recording into the virtual microphone.
fn play(path: &Path) -> Child {
    Command::new("paplay").args(["-d", "rig_feed"]).arg(path).spawn().expect("paplay runs in the rig")
}

/// Records what the app plays, 48 kHz mono, until it is dropped.
struct Recording {
    process: Child,
    path: std::path::PathBuf,
}

impl Recording {
    fn start(path: &Path) -> Self {
        let file = std::fs::File::create(path).unwrap();
        let args = [
            "-d",
            "rig_speaker.monitor",
            "--raw",
            "--format=s16le",
            "--rate=48000",
            "--channels=1",
            "--latency-msec=20",
        ];
        let process =
            Command::new("parec").args(args).stdout(Stdio::from(file)).spawn().expect("parec runs in the rig");
        Self { process, path: path.to_owned() }
    }

    fn stop(mut self) -> Vec<i16> {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.so_far()
    }

    fn so_far(&self) -> Vec<i16> {
        let bytes = std::fs::read(&self.path).unwrap();
        bytes.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect()
    }
}

#[tokio::test]
#[ignore = "needs the models and a desktop"]
async fn speaks_a_spoken_question_into_the_window_and_hears_and_sees_the_answer() {
    let home = home_with_models();
    let dir = tempfile::tempdir().unwrap();
    let question = dir.path().join("question.wav");
    let samples = said(300, "What is the biggest planet in the solar system?", 500);
    write(&question, &samples);

    let window = Window::open(home.path()).await;
    window.element("#voice").await;
    window.picture("window-idle").await;
    window.element("[data-test=talk]").await.click().await.unwrap();
    window.until(LIMIT, "listening", "return document.querySelector('[data-agent]').textContent === 'Listening'").await;
    window.picture("window-listening").await;

    let recording = Recording::start(&dir.path().join("spoken.raw"));
    let mut player = play(&question);
    window
        .until(
            LIMIT,
            "the question in the transcript",
            "return /planet/i.test(document.querySelector('li.user')?.textContent ?? '')",
        )
        .await;
    window.until(LIMIT, "speaking", "return document.querySelector('[data-agent]').dataset.agent === 'speaking'").await;
    window.picture("window-speaking").await;
    window
        .until(
            LIMIT,
            "Jupiter in the transcript",
            "return /Jupiter/.test(document.querySelector('li.assistant')?.textContent ?? '')",
        )
        .await;
    window
        .until(
            LIMIT,
            "the end of the answer",
            "return document.querySelector('[data-agent]').dataset.agent === 'listening'",
        )
        .await;
    player.wait().unwrap();
    let spoken = recording.stop();
    window.until(LIMIT, "the latency", "return /after [0-9.]+ s/.test(document.body.innerText)").await;
    window.picture("window").await;
    window.close().await;

    assert!(loud_ms(&spoken).len() > 80, "only {} ms were heard at the speaker", loud_ms(&spoken).len() * 10);
    let heard = Ears::load().hear(&spoken);
    assert!(heard.to_lowercase().contains("jupiter"), "the speaker said: {heard}");
}

#[tokio::test]
#[ignore = "needs a desktop"]
async fn without_models_the_window_says_what_it_needs_and_how_much() {
    let home = tempfile::tempdir().unwrap();
    let window = Window::open(home.path()).await;
    window.until(LIMIT, "the notice", "return /needs its models: [0-9]+ MB/.test(document.body.innerText)").await;
    window
        .until(
            LIMIT,
            "the button",
            "return [...document.querySelectorAll('button')].some((b) => b.textContent === 'Fetch models')",
        )
        .await;
    window.picture("window-no-models").await;
    window.close().await;
}

#[tokio::test]
#[ignore = "needs a desktop"]
async fn the_tray_shows_the_state_mutes_brings_the_window_back_and_quits() {
    let home = tempfile::tempdir().unwrap();
    let tray = Tray::start().await;
    let window = Window::open(home.path()).await;
    tray.until("the state", |e| e.label == "Idle").await;
    tray.click("Mute microphone").await;
    let muted = "return [...document.querySelectorAll('button[aria-pressed=true]')].length === 1";
    window.until(LIMIT, "muted by the tray", muted).await;
    tray.until("the tick", |e| e.label == "Mute microphone" && e.ticked).await;

    let visible = || {
        let found = Command::new("xdotool").args(["search", "--onlyvisible", "--name", "^Vivavoce$"]).output().unwrap();
        !found.stdout.is_empty()
    };
    assert!(visible());
    // As its close button does: after Alt+F4 the keyboard stays grabbed, and the keychain's dialog gives up.
    let closed = Command::new("wmctrl").args(["-F", "-c", "Vivavoce"]).status();
    assert!(closed.expect("wmctrl is installed by `cargo xtask test`").success());
    eventually("the window to be hidden", || !visible()).await;
    tray.click("Show Vivavoce").await;
    eventually("the window to be back", visible).await;
    window.until(LIMIT, "the same page", muted).await;

    tray.click("Quit").await;
    eventually("the end", || !visible()).await;
    window.close().await;
}

#[tokio::test]
#[ignore = "needs the models and a desktop"]
async fn without_sound_and_without_a_bus_the_window_says_so_and_answers_in_writing() {
    let home = home_with_models();
    let no_bus =
        [("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere"), ("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere")];
    let environment: Vec<(&str, &str)> = NO_SOUND.iter().copied().chain(no_bus).collect();
    let window = Window::open_with(home.path(), &environment).await;
    window.element("[data-test=talk]").await.click().await.unwrap();
    let notices = "return /No microphone was found. You can still type/.test(document.body.innerText)";
    window.until(LIMIT, "the notice about the microphone", notices).await;
    let idle = "return document.querySelector('[data-agent]').dataset.agent === 'idle'";
    window.until(LIMIT, "that nobody listens", idle).await;
    window.write("What is the capital of France?").await;
    let answered = "return /Paris/.test(document.querySelector('li.assistant')?.textContent ?? '')";
    window.until(LIMIT, "the answer", answered).await;
    let notices = "return /No speaker was found. Answers are shown, but not heard/.test(document.body.innerText)";
    window.until(LIMIT, "the notice about the speaker", notices).await;
    window.picture("window-no-sound").await;
    window.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a desktop"]
async fn the_minimal_client_hears_answers_and_is_a_page_long() {
    let source = include_str!("../../src-tauri/crates/assistant/examples/minimal.rs");
    assert!(source.lines().count() < 60);
    let script = Script { heard: "Hello there.".into(), ..Script::default() };
    let server = engine::serve::Server::bind(0, "token", loaders(script)).await.unwrap();
    let url = format!("ws://{}/v1/realtime", server.address());
    tokio::spawn(server.run());
    let dir = tempfile::tempdir().unwrap();
    let question = dir.path().join("question.wav");
    let mut samples = silence(300);
    samples.extend((0..24_000).map(|n| if n % 48 < 24 { 8000 } else { -8000 }));
    samples.extend(silence(500));
    write(&question, &samples);
    let recording = Recording::start(&dir.path().join("spoken.raw"));
    let mut client = tokio::process::Command::new(program("examples/minimal"))
        .arg(&url)
        .env("OPENAI_API_KEY", "token")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(client.stdout.take().unwrap()).lines();
    // The microphone is open a moment after the start; a question that comes too early is asked again.
    let mut player = play(&question);
    let answered = async {
        while let Ok(Some(line)) = lines.next_line().await {
            if line.starts_with("Assistant:") {
                return line;
            }
        }
        panic!("the client has ended");
    };
    let mut answered = std::pin::pin!(answered);
    let line = loop {
        match tokio::time::timeout(Duration::from_secs(8), &mut answered).await {
            Ok(line) => break line,
            Err(_) => player = play(&question),
        }
    };
    assert_eq!(line, "Assistant: You said: Hello there.");
    player.wait().unwrap();
    eventually("the answer at the speaker", || loud_ms(&recording.so_far()).len() > 20).await;
    recording.stop();
}

#[tokio::test]
#[ignore = "needs a desktop"]
async fn the_talk_key_is_heard_anywhere_on_the_desktop_and_by_starting_the_program_once_more() {
    let home = tempfile::tempdir().unwrap();
    let settings = r#"{ "version": 1, "turns": "pushToTalk", "shortcut": "Ctrl+Shift+Space" }"#;
    std::fs::write(home.path().join("settings.json"), settings).unwrap();
    let window = Window::open(home.path()).await;
    let is = |down: bool| format!("return document.querySelector('[data-test=hold]')?.ariaPressed === '{down}'");
    window.until(LIMIT, "the talk key", &is(false)).await;
    // Not with Alt: where Ctrl is let go first and Space repeats meanwhile, Alt+Space opens the window manager's menu,
    // which keeps the keyboard from whoever comes next.
    let keyboard = |what: &str| {
        let pressed = Command::new("xdotool").args([what, "ctrl+shift+space"]).status();
        assert!(pressed.expect("xdotool is installed by `cargo xtask test`").success());
    };
    // Without the keyboard: the window is iconified.
    let found = Command::new("xdotool").args(["search", "--onlyvisible", "--name", "^Vivavoce$"]).output().unwrap();
    let id = String::from_utf8(found.stdout).unwrap();
    assert!(Command::new("xdotool").args(["windowminimize", id.trim()]).status().unwrap().success());
    keyboard("keydown");
    window.until(LIMIT, "the key pressed", &is(true)).await;
    keyboard("keyup");
    window.until(LIMIT, "the key let go", &is(false)).await;

    let order = |order: &str| {
        let started = Command::new(program("vivavoce")).arg(order).env("VIVAVOCE_HOME", home.path()).status();
        assert!(started.unwrap().success(), "{order}");
    };
    for (given, down) in [("--ptt-down", true), ("--ptt-up", false), ("--ptt-toggle", true), ("--ptt-toggle", false)] {
        order(given);
        window.until(LIMIT, given, &is(down)).await;
    }
    window.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a desktop"]
async fn where_the_desktop_hands_out_shortcuts_the_talk_key_is_asked_of_it() {
    let mut portal = Portal::start().await;
    let home = tempfile::tempdir().unwrap();
    let settings = r#"{ "version": 1, "turns": "pushToTalk", "shortcut": "Ctrl+Alt+Space" }"#;
    std::fs::write(home.path().join("settings.json"), settings).unwrap();
    // The window itself is on X11 here.
    let window = Window::open_with(home.path(), &[("WAYLAND_DISPLAY", "as-on-wayland")]).await;
    let is = |down: bool| format!("return document.querySelector('[data-test=hold]')?.ariaPressed === '{down}'");
    window.until(LIMIT, "the talk key", &is(false)).await;
    let asked = tokio::time::timeout(LIMIT, portal.bound.wait_for(Option::is_some)).await;
    let asked = asked.expect("the portal is asked").unwrap().clone();
    assert_eq!(asked.unwrap().1, "CTRL+ALT+space");
    for down in [true, false] {
        // Who binds a shortcut listens already.
        portal.key(down).await;
        window.until(LIMIT, "the key", &is(down)).await;
    }
    window.close().await;
}

#[tokio::test]
#[ignore = "needs the models and a desktop"]
async fn a_first_run_offers_a_sound_check_and_the_window_shows_what_it_finds() {
    let home = home_with_models();
    let window = Window::open(home.path()).await;
    let stage =
        |stage: &str| format!("return document.querySelector('[data-test=sound-check]')?.dataset.stage === '{stage}'");
    let press =
        |name: &str| format!("[...document.querySelectorAll('button')].find((b) => b.innerText === '{name}').click()");
    window.until(LIMIT, "the offer", "return /A sound check tells/.test(document.body.innerText)").await;
    window.page.execute(&press("Check the sound"), Vec::new()).await.unwrap();
    window.until(LIMIT, "a quiet moment", &stage("quiet")).await;
    window.picture("window-sound-check").await;
    window.page.execute(&press("Cancel"), Vec::new()).await.unwrap();
    window.until(LIMIT, "no check", "return !document.querySelector('[data-test=sound-check]')").await;

    window.page.execute("document.querySelector('[data-test=check-sound]').click()", Vec::new()).await.unwrap();
    window.until(LIMIT, "the sentence", &stage("alone")).await;
    window.until(LIMIT, "the report", &stage("done")).await;
    window.picture("window-sound-checked").await;
    let report = "return document.querySelector('[data-test=sound-check] ul').innerText";
    let report = window.page.execute(report, Vec::new()).await.unwrap();
    // Nothing plays into the rig's microphone but zeros.
    assert!(report.as_str().unwrap().contains("nothing but silence"), "{report}");
    assert!(report.as_str().unwrap().contains("It plays."), "{report}");
    // Whoever wants to talk wants the devices.
    window.page.execute(&press("Check again"), Vec::new()).await.unwrap();
    window.until(LIMIT, "another check", &stage("preparing")).await;
    window.page.execute("document.querySelector('[data-test=talk]').click()", Vec::new()).await.unwrap();
    window.until(LIMIT, "no check", "return !document.querySelector('[data-test=sound-check]')").await;
    window.until(LIMIT, "the talk", "return document.querySelector('[data-agent=listening]') !== null").await;
    window.close().await;
}

async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let due = tokio::time::Instant::now() + LIMIT;
    while !holds() {
        assert!(tokio::time::Instant::now() < due, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
