//! What the scenarios share: programs of this workspace, question audio, measures of sound, WebDriver.
#![allow(clippy::missing_panics_doc, clippy::unwrap_used, clippy::expect_used, reason = "test support")]

pub mod client;
pub mod models;
pub mod portal;
pub mod speech;
#[cfg(target_os = "linux")]
pub mod tray;
pub mod window;

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

/// Environment of a machine without a sound system.
pub const NO_SOUND: &[(&str, &str)] = &[("PULSE_SERVER", "unix:/nowhere"), ("ALSA_CONFIG_PATH", "/dev/null")];

/// Returns a program of this workspace; `cargo build --workspace` has left it beside the tests.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().and_then(Path::parent).unwrap().join(name);
    assert!(path.is_file(), "{} is not built; run `cargo xtask test`", path.display());
    path
}

/// Returns a folder for `VIVAVOCE_HOME` whose models are those of `VIVAVOCE_MODELS`.
pub fn home_with_models() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    link_models(home.path());
    home
}

/// Puts the installed models into a home, by links.
pub fn link_models(home: &Path) {
    let models = std::env::var_os("VIVAVOCE_MODELS").expect("VIVAVOCE_MODELS names the models' folder");
    #[cfg(unix)]
    std::os::unix::fs::symlink(models, home.join("models")).unwrap();
    #[cfg(not(unix))]
    panic!("{}: links are made on Unix only", Path::new(&models).display());
}

/// Runs `vivavoce-cli`.
pub fn cli(home: &Path, args: &[&str]) -> Output {
    Command::new(program("vivavoce-cli")).env("VIVAVOCE_HOME", home).args(args).output().unwrap()
}

/// A conversation from a recording, and what came of it.
pub struct Conversation {
    /// The command's own end.
    pub output: Output,
    /// The event log.
    pub events: Vec<Value>,
    /// What the speaker played, 48 kHz.
    pub played: Vec<i16>,
}

/// A `vivavoce-cli converse` that runs.
pub struct Running {
    /// The process.
    pub process: Child,
    dir: tempfile::TempDir,
}

/// Runs `vivavoce-cli converse` over a recording, to its end.
pub fn converse(home: &Path, audio: &Path, more: &[&str]) -> Conversation {
    start_converse(home, audio, more).end()
}

/// Starts `vivavoce-cli converse` over a recording.
pub fn start_converse(home: &Path, audio: &Path, more: &[&str]) -> Running {
    let dir = tempfile::tempdir().unwrap();
    let (out, events) = (dir.path().join("out.wav"), dir.path().join("events.jsonl"));
    let process = Command::new(program("vivavoce-cli"))
        .env("VIVAVOCE_HOME", home)
        // The key of a server of one's own; our tests' servers take this one.
        .env("VIVAVOCE_OTHER_KEY", "token")
        .args(["converse", "--audio", audio.to_str().unwrap(), "--out", out.to_str().unwrap()])
        .args(["--events", events.to_str().unwrap()])
        .args(more)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    Running { process, dir }
}

impl Running {
    /// Waits until the event log has a line that `pick` takes.
    pub fn until(&mut self, limit: Duration, what: &str, pick: impl Fn(&Value) -> bool) {
        let due = Instant::now() + limit;
        while !self.events().iter().any(&pick) {
            assert!(self.process.try_wait().unwrap().is_none(), "{what}: the conversation has ended");
            assert!(Instant::now() < due, "{what}: not within {limit:?}");
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }

    /// Returns the event log so far.
    pub fn events(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.dir.path().join("events.jsonl")).unwrap_or_default();
        text.lines().filter_map(|l| serde_json::from_str(l).ok()).collect()
    }

    /// Waits for the end.
    pub fn end(self) -> Conversation {
        let events = || -> Vec<Value> {
            let text = std::fs::read_to_string(self.dir.path().join("events.jsonl")).unwrap_or_default();
            text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
        };
        let output = self.process.wait_with_output().unwrap();
        let played = hound::WavReader::open(self.dir.path().join("out.wav"));
        let played = played.map(|r| r.into_samples::<i16>().map_while(Result::ok).collect());
        Conversation { output, events: events(), played: played.unwrap_or_default() }
    }
}

impl Conversation {
    /// Returns the last state of every item: speaker, text, characters heard where it was cut.
    pub fn items(&self) -> Vec<(String, String, Option<u64>)> {
        let mut items: Vec<(String, Value)> = Vec::new();
        for item in self.events.iter().map(|e| &e["view"]["item"]).filter(|i| i.is_object()) {
            let id = item["id"].as_str().unwrap().to_owned();
            match items.iter_mut().find(|(known, _)| *known == id) {
                Some((_, held)) => *held = item.clone(),
                None => items.push((id, item.clone())),
            }
        }
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        items.iter().map(|(_, i)| (text(&i["speaker"]), text(&i["text"]), i["heardChars"].as_u64())).collect()
    }

    /// Returns everything that was said to the user and by the user, for a failing test's message.
    pub fn report(&self) -> String {
        let err = String::from_utf8_lossy(&self.output.stderr);
        format!("{:?}\n{err}\n{:#?}", self.output.status, self.items())
    }
}
