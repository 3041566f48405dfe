//! Latency from the end of a question to the first sound of its answer, beside a plain stitched run of the same models.

use std::{
    io,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use engine::stages::{Author, Message};
use protocol::Pcm16;
use serde_json::{Value, json};

use crate::{
    Exit,
    run::{fail, models_folder, say},
};

const QUESTIONS: &[&str] = &[
    "What is the biggest planet in the solar system?",
    "What is the capital of France?",
    "How many days are there in a week?",
    "What do bees make?",
    "Who wrote Romeo and Juliet?",
    "What is the opposite of hot?",
    "Why is the sky blue?",
    "How do birds fly?",
    "What is the largest ocean on the Earth?",
    "How does a rainbow form?",
];
/// Between two questions: longer than most answers; an answer that is still spoken when the next question comes is cut.
const GAP_MS: u64 = 18_000;
/// Silence that a plain pipeline waits for (the API's documented default).
const PLAIN_SILENCE: Duration = Duration::from_millis(500);
/// Loudness that is a word, and not noise of the resampler.
const LOUD: u16 = 300;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Turns to measure.
    #[arg(long, default_value_t = 20)]
    turns: usize,
}

/// When the steps of one turn happened, in milliseconds after the question's last sample.
#[derive(Clone, Copy, Debug)]
struct Turn {
    taken: i64,
    words: i64,
    audio: i64,
    heard: i64,
}

pub(crate) fn bench(args: &Args, json: bool) -> Exit {
    match measure(args.turns.max(1), json) {
        Ok(()) => Exit::Done,
        Err(error) => fail(json, Exit::Failed, &format!("The measurement failed: {error}.")),
    }
}

fn measure(turns: usize, json: bool) -> io::Result<()> {
    let Some(stages) = assistant::models::stages(models_folder()) else {
        return Err(io::Error::other("this build has no on-device engine"));
    };
    let stage = |e: engine::stages::StageError| io::Error::other(e.to_string());
    let mut voice = (stages.synthesizer)().map_err(stage)?;
    let spoken: Vec<Pcm16> =
        QUESTIONS.iter().map(|q| voice.speak(q, "heart", 1.0)).collect::<Result<_, _>>().map_err(stage)?;

    let folder = std::env::temp_dir().join(format!("vivavoce-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let mut samples = vec![0i16; Pcm16::frames_in(1000) as usize];
    let mut ends = Vec::new();
    for n in 0..turns {
        samples.extend(&spoken[n % spoken.len()].0);
        let silent = samples.iter().rev().take_while(|s| s.unsigned_abs() < LOUD).count();
        ends.push((samples.len() - silent) as i64 / 24);
        samples.resize(samples.len() + Pcm16::frames_in(GAP_MS) as usize, 0);
    }
    audio::write_wav(&folder.join("in.wav"), &samples, 24_000).map_err(|e| io::Error::other(e.to_string()))?;
    let streamed = converse(&folder, &ends)?;
    let _ = std::fs::remove_dir_all(&folder);

    let mut ears = (stages.transcriber)().map_err(stage)?;
    let mut model = (stages.language_model)().map_err(stage)?;
    let tone = session::tone("neutral").prompt.split("\n\nExamples:").next().unwrap_or_default();
    let mut plain = Vec::new();
    for n in 0..turns {
        let begun = Instant::now();
        let words = ears.transcribe(&spoken[n % spoken.len()]).map_err(stage)?;
        let prompt =
            [(Author::System, tone.to_owned()), (Author::User, words)].map(|(author, text)| Message { author, text });
        let mut answer = String::new();
        model.generate(&prompt, 220, &|| false, &mut |t| answer.push_str(t)).map_err(stage)?;
        voice.speak(&answer, "heart", 1.0).map_err(stage)?;
        plain.push((PLAIN_SILENCE + begun.elapsed()).as_millis() as i64);
    }
    print(&streamed, &plain, json);
    Ok(())
}

/// Runs a conversation of all questions in real time, microphone to speaker.
fn converse(folder: &Path, ends: &[i64]) -> io::Result<Vec<Turn>> {
    let path = |name: &str| -> PathBuf { folder.join(name) };
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["converse", "--audio"]).arg(path("in.wav"));
    command.arg("--out").arg(path("out.wav")).arg("--events").arg(path("events.jsonl"));
    if !command.output()?.status.success() {
        return Err(io::Error::other("the conversation did not end well"));
    }
    let (played, rate) = audio::read_wav(&path("out.wav")).map_err(|e| io::Error::other(e.to_string()))?;
    let loud = f32::from(LOUD) / 32768.0;
    let events: Vec<Value> =
        std::fs::read_to_string(path("events.jsonl"))?.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
    let first = |after: i64, kind: &str| {
        let found =
            events.iter().find(|e| e["event"]["type"] == kind && e["at_ms"].as_i64().is_some_and(|at| at >= after));
        found.and_then(|e| e["at_ms"].as_i64()).map(|at| at - after)
    };
    let turn = |end: &i64| {
        let from = (*end * i64::from(rate) / 1000) as usize;
        let heard = played.get(from..)?.iter().position(|s| s.abs() > loud)? as i64 * 1000 / i64::from(rate);
        Some(Turn {
            taken: first(*end, "input_audio_buffer.committed")?,
            words: first(*end, "conversation.item.input_audio_transcription.completed")?,
            audio: first(*end, "response.output_audio.delta")?,
            heard,
        })
    };
    Ok(ends.iter().filter_map(turn).filter(|t| t.heard < GAP_MS as i64).collect())
}

fn print(streamed: &[Turn], plain: &[i64], json: bool) {
    let rows: [(&str, Vec<i64>); 5] = [
        ("turn taken", streamed.iter().map(|t| t.taken).collect()),
        ("words complete", streamed.iter().map(|t| t.words).collect()),
        ("first audio made", streamed.iter().map(|t| t.audio).collect()),
        ("FIRST SOUND", streamed.iter().map(|t| t.heard).collect()),
        ("plain stitched", plain.to_vec()),
    ];
    say(json, "milliseconds after the end of the question      p50    p95", &json!({ "turns": streamed.len() }));
    for (name, values) in &rows {
        let (p50, p95) = (percentile(values, 50), percentile(values, 95));
        say(json, &format!("{name:<44}{p50:>7}{p95:>7}"), &json!({ "what": name, "p50": p50, "p95": p95 }));
    }
    let ratio = percentile(&rows[3].1, 50) as f64 / percentile(plain, 50).max(1) as f64;
    let words = format!(
        "first sound against plain stitched, p50: {ratio:.2}   ({} turns answered of {})",
        streamed.len(),
        plain.len()
    );
    say(json, &words, &json!({ "ratio": ratio, "answered": streamed.len(), "asked": plain.len() }));
}

fn percentile(values: &[i64], percent: usize) -> i64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get((sorted.len().saturating_sub(1) * percent).div_ceil(100)).copied().unwrap_or(-1)
}
