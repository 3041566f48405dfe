//! Recordings, models and processes that are not as they should be: each ends in words.

use std::{path::Path, process::Command, time::Duration};

use support::{
    NO_SOUND, cli, converse, home_with_models, link_models, program,
    speech::{espeak, loud_ms, said, silence, write, write_at},
    start_converse,
};

const LIMIT: Duration = Duration::from_secs(90);

#[test]
fn a_file_that_is_no_recording_is_refused_in_words() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("text.wav");
    std::fs::write(&path, "no sound here").unwrap();
    let output = cli(
        home.path(),
        &["converse", "--engine", "ws://127.0.0.1:9", "--audio", path.to_str().unwrap(), "--out", "/dev/null"],
    );
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("not a usable WAV file"));
}

#[test]
fn missing_models_are_named_with_the_command_that_helps() {
    let home = tempfile::tempdir().unwrap();
    let output = cli(home.path(), &["ask", "Hello?"]);
    assert_eq!(output.status.code(), Some(4));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("Moonshine base") && words.contains("models --install"), "{words}");
}

#[test]
fn the_doctor_names_a_remedy_for_everything_that_is_missing() {
    let home = tempfile::tempdir().unwrap();
    let output = cli(home.path(), &["--json", "doctor"]);
    assert_eq!(output.status.code(), Some(4));
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let check: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(check["ok"].as_bool().unwrap(), check["remedy"].is_null(), "{line}");
    }
}

#[test]
#[ignore = "needs the models"]
fn odd_recordings_are_heard_as_far_as_they_go() {
    let home = home_with_models();
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    write(&path("empty.wav"), &[]);
    write(&path("short.wav"), &silence(10));
    write(&path("silent.wav"), &silence(2000));
    for name in ["empty.wav", "short.wav", "silent.wav"] {
        let talk = converse(home.path(), &path(name), &[]);
        assert!(talk.output.status.success() && talk.items().is_empty(), "{name}: {}", talk.report());
    }

    let question = said(500, "What is the capital of France?", 2000);
    let clipped: Vec<i16> = question.iter().map(|s| s.saturating_mul(30)).collect();
    write(&path("clipped.wav"), &clipped);
    let narrow: Vec<i16> = question.iter().step_by(3).copied().collect();
    write_at(&path("narrow.wav"), &narrow, 8000, 1);
    let wide: Vec<i16> = question.iter().flat_map(|s| [*s; 4 * 7]).collect();
    write_at(&path("wide.wav"), &wide, 96_000, 7);
    for name in ["clipped.wav", "narrow.wav", "wide.wav"] {
        let talk = converse(home.path(), &path(name), &["--tone", "brisk"]);
        assert!(talk.output.status.success() && talk.items().len() == 2, "{name}: {}", talk.report());
    }
}

#[test]
#[ignore = "needs the models"]
fn a_model_file_cut_short_is_named() {
    let home = tempfile::tempdir().unwrap();
    let source = tempfile::tempdir().unwrap();
    link_models(source.path());
    copy_links(&source.path().join("models"), &home.path().join("models"));
    let path = home.path().join("models/hibari/hibari.onnx");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let output = cli(home.path(), &["models"]);
    let words = String::from_utf8_lossy(&output.stdout);
    assert!(words.lines().any(|l| l.starts_with("Hibari") && l.contains("broken: hibari/hibari.onnx")), "{words}");
    let output = cli(home.path(), &["ask", "Hello?"]);
    assert_eq!(output.status.code(), Some(4));
}

#[test]
#[ignore = "needs the models"]
fn an_engine_that_is_killed_in_mid_answer_is_started_again_and_told_everything() {
    let home = home_with_models();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("killed.wav");
    let mut samples = said(500, "Please tell me a long story about the sea.", 14_000);
    samples.extend(espeak("What is the capital of France?", 150));
    samples.extend(silence(2000));
    write(&path, &samples);
    let mut talk = start_converse(home.path(), &path, &[]);
    talk.until(LIMIT, "the story", |e| e["event"]["type"] == "response.output_audio.delta");
    kill_engine(&home.path().join("models"));
    let talk = talk.end();
    let noticed = talk
        .events
        .iter()
        .any(|e| e["view"]["notice"]["text"].as_str().is_some_and(|t| t.contains("Connecting again")));
    assert!(noticed, "{}", talk.report());
    assert!(talk.items().iter().any(|i| i.1.contains("France")), "{}", talk.report());
    assert!(talk.items().last().unwrap().1.contains("Paris"), "{}", talk.report());
}

/// Finds the engine of one home by its arguments, and kills it.
fn kill_engine(models: &Path) {
    let engine = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok).find(|process| {
        let args = std::fs::read_to_string(process.path().join("cmdline")).unwrap_or_default();
        args.contains("engine\0--models") && args.contains(models.to_str().unwrap())
    });
    let id = engine.expect("no engine was found to kill").file_name();
    assert!(Command::new("kill").arg("-9").arg(id).status().unwrap().success());
}

#[test]
#[ignore = "needs the models"]
fn an_hour_of_recording_is_heard_at_once_in_little_memory_and_ends_by_ctrl_c_with_nothing_lost() {
    let home = home_with_models();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hour.wav");
    let spec = hound::WavSpec {
        channels: 7,
        sample_rate: 96_000,
        bits_per_sample: 8,
        sample_format: hound::SampleFormat::Int,
    };
    let question = said(500, "What is the capital of France?", 0);
    let mut writer = hound::WavWriter::create(&path, spec).unwrap();
    for sample in question.iter().flat_map(|s| [s >> 8; 4 * 7]) {
        writer.write_sample(sample).unwrap();
    }
    writer.finalize().unwrap();
    lengthen(&path, 3600 * 96_000 * 7);

    let mut talk = start_converse(home.path(), &path, &["--tone", "brisk"]);
    talk.until(LIMIT, "the answer", |e| {
        e["view"]["item"]["speaker"] == "assistant"
            && e["view"]["item"]["text"].as_str().is_some_and(|t| t.contains("Paris"))
    });
    talk.until(LIMIT, "its sound", |e| e["view"]["latency"].is_object());
    let status = std::fs::read_to_string(format!("/proc/{}/status", talk.process.id())).unwrap();
    let peak: u64 =
        status.lines().find_map(|l| l.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok()).unwrap();
    assert!(
        peak < 100_000,
        "{peak} kB for an hour of sound that was {} GB long",
        3600u64 * 96_000 * 7 * 4 / 1_000_000_000
    );
    assert!(Command::new("kill").args(["-INT", &talk.process.id().to_string()]).status().unwrap().success());
    let talk = talk.end();
    assert_eq!(talk.output.status.code(), Some(130), "{}", talk.report());
    assert!(String::from_utf8_lossy(&talk.output.stdout).contains("Paris"), "{}", talk.report());
    assert!(!loud_ms(&talk.played).is_empty(), "the recording is whole up to here");
}

/// Makes a WAV longer without writing so much: the file has a hole, which reads as zeros.
fn lengthen(path: &Path, bytes: u32) {
    use std::io::{Seek, SeekFrom, Write};
    let mut file = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let begin = std::fs::read(path).unwrap();
    let data = begin.windows(4).position(|w| w == b"data").unwrap() as u64 + 4;
    file.seek(SeekFrom::Start(data)).unwrap();
    file.write_all(&bytes.to_le_bytes()).unwrap();
    file.seek(SeekFrom::Start(4)).unwrap();
    file.write_all(&(bytes + data as u32 - 4).to_le_bytes()).unwrap();
    file.set_len(data + 4 + u64::from(bytes)).unwrap();
}

#[test]
#[ignore = "needs the models"]
fn a_full_disk_under_the_recording_is_said_and_the_conversation_goes_on() {
    let home = home_with_models();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("in.wav");
    let question = said(500, "What is the capital of France?", 2000);
    write(&path, &question);
    let args = ["converse", "--tone", "brisk", "--audio", path.to_str().unwrap(), "--out", "/dev/full"];
    let output = cli(home.path(), &args);
    let words = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("Paris") && words.contains("recording cannot be written"), "{words}");
}

#[test]
fn a_talk_without_a_sound_system_ends_in_words_and_another_way() {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(program("vivavoce-cli"))
        .env("VIVAVOCE_HOME", home.path())
        .env("VIVAVOCE_OTHER_KEY", "token")
        .envs(NO_SOUND.iter().copied())
        .args(["talk", "--url", "ws://127.0.0.1:9"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    let words = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("icrophone") && words.contains("vivavoce-cli ask"), "{words}");
}

#[cfg(unix)]
/// Puts a package client of our own in front of the real one.
fn with_client(dir: &Path, script: &str) -> (tempfile::TempDir, Command) {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    for name in ["python3", "pip3", "pip", "py"] {
        let path = dir.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", dir.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(program("vivavoce-cli"));
    command.env("VIVAVOCE_HOME", home.path()).env("PATH", path).args(["--json", "models", "--install", "hibari"]);
    (home, command)
}

#[cfg(unix)]
#[test]
fn a_package_that_cannot_be_had_or_is_not_what_it_should_be_is_said_in_words() {
    for (script, expected) in [
        ("echo 'ERROR: No matching distribution found for hibari-tts' >&2; exit 1", "No matching distribution found"),
        ("head -c 1000 /dev/zero > hibari_tts-0.2.1-py3-none-any.whl", "the package hibari-tts"),
        ("echo 'No module named pip' >&2; exit 1", "Install Python 3 with pip."),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let (home, mut command) = with_client(dir.path(), script);
        let output = command.output().unwrap();
        let words = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{words}");
        assert!(words.contains(expected), "{words}");
        assert!(!home.path().join("models/hibari").exists(), "{expected}: something was put in place");
    }
}

#[cfg(unix)]
#[test]
fn a_download_shows_how_far_it_is_and_stops_with_its_client_when_the_user_says_so() {
    use std::io::BufRead;
    let dir = tempfile::tempdir().unwrap();
    let process = dir.path().join("process");
    let script =
        format!("echo $$ > {}; head -c 3000000 /dev/zero > \"$TMPDIR/half\"; exec sleep 600", process.display());
    let (home, mut command) = with_client(dir.path(), &script);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
    let half = lines.map_while(Result::ok).any(|line| {
        let told: serde_json::Value = serde_json::from_str(&line).unwrap();
        told["model"]["state"]["doneBytes"].as_u64().is_some_and(|done| done > 0)
    });
    assert!(half, "the progress was not told");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let client = std::fs::read_to_string(process).unwrap();
    let due = std::time::Instant::now() + LIMIT;
    while Path::new("/proc").join(client.trim()).join("exe").exists() {
        assert!(std::time::Instant::now() < due, "the client {client} runs on");
        std::thread::park_timeout(Duration::from_millis(20));
    }
    assert!(!home.path().join("models/hibari").exists());
}

fn copy_links(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().filter_map(Result::ok) {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_links(&path, &target);
        } else {
            #[cfg(unix)]
            std::os::unix::fs::symlink(&path, &target).unwrap();
        }
    }
}
