//! Recordings, models and processes that are not as they should be: each ends in words.

use std::path::Path;

use support::{
    cli, converse, home_with_models, link_models,
    speech::{espeak, silence, write, write_at},
};

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

    let mut question = silence(500);
    question.extend(espeak("What is the capital of France?", 150));
    question.extend(silence(2000));
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
    let mut samples = silence(500);
    samples.extend(espeak("Please tell me a long story about the sea.", 150));
    samples.extend(silence(14_000));
    samples.extend(espeak("What is the capital of France?", 150));
    samples.extend(silence(2000));
    write(&path, &samples);
    let models = home.path().join("models");
    let killer = std::thread::spawn(move || kill_engine_when_it_talks(&models));
    let talk = converse(home.path(), &path, &[]);
    assert!(killer.join().unwrap(), "no engine was found to kill");
    let noticed = talk
        .events
        .iter()
        .any(|e| e["view"]["notice"]["text"].as_str().is_some_and(|t| t.contains("Connecting again")));
    assert!(noticed, "{}", talk.report());
    assert!(talk.items().iter().any(|i| i.1.contains("France")), "{}", talk.report());
    assert!(talk.items().last().unwrap().1.contains("Paris"), "{}", talk.report());
}

/// Finds the engine of one home by its arguments; kills it once it has worked for a while.
fn kill_engine_when_it_talks(models: &Path) -> bool {
    let began = std::time::Instant::now();
    while began.elapsed().as_secs() < 60 {
        for process in std::fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
            let args = std::fs::read_to_string(process.path().join("cmdline")).unwrap_or_default();
            if !(args.contains("engine\0--models") && args.contains(models.to_str().unwrap())) {
                continue;
            }
            let stat = std::fs::read_to_string(process.path().join("stat")).unwrap_or_default();
            let ticks: u64 = stat.split(' ').nth(13).and_then(|t| t.parse().ok()).unwrap_or(0);
            // Loading and reading the instructions take some; the answer to the story is past that.
            if ticks > 0 && began.elapsed().as_secs() >= 14 {
                let id = process.file_name();
                return std::process::Command::new("kill").arg("-9").arg(id).status().unwrap().success();
            }
        }
        std::thread::park_timeout(std::time::Duration::from_millis(100));
    }
    false
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
