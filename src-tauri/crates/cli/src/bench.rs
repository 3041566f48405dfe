//! Latency from the end of a question to the first sound of its answer, beside a plain stitched run of the same models;
//! memory; and a long conversation, in which nothing may drift, grow or stutter.

mod echo;
mod memory;
mod soak;
mod wire;

use std::{
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use engine::stages::{Author, Message, Request, Written};
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
const GAP_MS: u64 = 13_000;
/// Silence that a plain pipeline waits for (the API's documented default).
const PLAIN_SILENCE: Duration = Duration::from_millis(500);
/// Loudness that is a word, and not noise of the resampler.
const LOUD: u16 = 300;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Turns to measure.
    #[arg(long, default_value_t = 20)]
    turns: usize,
    /// Instead, talk for so many minutes, and report drift, memory and gaps in the sound.
    #[arg(long)]
    soak: Option<usize>,
    /// Instead, measure what the client itself costs, without models.
    #[arg(long)]
    wire: bool,
    /// Instead, measure in simulated rooms how well echo is told from the user.
    #[arg(long)]
    echo: bool,
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
    let measured = match args.soak {
        Some(minutes) => soak::soak(minutes.max(1), json),
        None if args.wire => wire::wire(json),
        None if args.echo => echo::echo(json),
        None => measure(args.turns.max(1), json),
    };
    match measured {
        Ok(()) => Exit::Done,
        Err(error) => fail(json, Exit::Failed, &format!("The measurement failed: {error}.")),
    }
}

fn measure(turns: usize, json: bool) -> io::Result<()> {
    let spoken = spoken_questions()?;
    let mut samples = vec![0i16; Pcm16::frames_in(1000) as usize];
    let mut ends = Vec::new();
    for n in 0..turns {
        samples.extend(&spoken[n % spoken.len()].0);
        let silent = samples.iter().rev().take_while(|s| s.unsigned_abs() < LOUD).count();
        ends.push((samples.len() - silent) as i64 / 24);
        samples.resize(samples.len() + Pcm16::frames_in(GAP_MS) as usize, 0);
    }
    let run = converse(&samples)?;
    let streamed = run.turns(&ends);

    let stages = stages()?;
    let mut voice = (stages.synthesizer)().map_err(stage_error)?;
    let mut ears = (stages.transcriber)().map_err(stage_error)?;
    let mut model = (stages.language_model)().map_err(stage_error)?;
    let tone = session::tone("neutral").prompt.split("\n\nExamples:").next().unwrap_or_default();
    let mut plain = Vec::new();
    for n in 0..turns {
        let begun = Instant::now();
        let words = ears.transcribe(&spoken[n % spoken.len()]).map_err(stage_error)?;
        let prompt =
            [(Author::System, tone.to_owned()), (Author::User, words)].map(|(author, text)| Message::new(author, text));
        let mut answer = String::new();
        model
            .generate(&Request::new(prompt.to_vec(), 220), &|| false, &mut |written| {
                if let Written::Text(text) = written {
                    answer.push_str(&text);
                }
            })
            .map_err(stage_error)?;
        voice.speak(&answer, "heart", 1.0).map_err(stage_error)?;
        plain.push((PLAIN_SILENCE + begun.elapsed()).as_millis() as i64);
    }
    print(&streamed, &plain, json);
    run.print_memory(json);
    Ok(())
}

/// A conversation that was held, and what was seen of it.
struct Run {
    /// What the speaker played.
    played: Vec<f32>,
    rate: u32,
    events: Vec<Value>,
    memory: Vec<memory::Sample>,
    /// Times that sound was late.
    underruns: usize,
}

/// Holds a conversation in real time, microphone to speaker.
fn converse(samples: &[i16]) -> io::Result<Run> {
    let folder = std::env::temp_dir().join(format!("vivavoce-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let run = converse_in(&folder, samples)
        .map_err(|e| io::Error::other(format!("{e} (what was recorded is in {})", folder.display())))?;
    let _ = std::fs::remove_dir_all(&folder);
    Ok(run)
}

fn converse_in(folder: &Path, samples: &[i16]) -> io::Result<Run> {
    let path = |name: &str| -> PathBuf { folder.join(name) };
    let wav = |e: audio::WavError| io::Error::other(e.to_string());
    audio::write_wav(&path("in.wav"), samples, 24_000).map_err(wav)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["converse", "--audio"]).arg(path("in.wav"));
    command.arg("--out").arg(path("out.wav")).arg("--events").arg(path("events.jsonl"));
    let log = std::fs::File::create(path("log"))?;
    let mut process = command.env("RUST_LOG", "info").stdout(Stdio::null()).stderr(log).spawn()?;
    let watch = memory::Watch::start(process.id());
    let status = process.wait()?;
    let memory = watch.end();
    let log = std::fs::read_to_string(path("log"))?;
    if !status.success() {
        let words = log.lines().last().unwrap_or_default().trim_end_matches('.');
        return Err(io::Error::other(format!("the conversation did not end well: {words}")));
    }
    let (played, rate) = audio::read_wav(&path("out.wav")).map_err(wav)?;
    let events =
        std::fs::read_to_string(path("events.jsonl"))?.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
    Ok(Run { played, rate, events, memory, underruns: log.matches("Sound was late").count() })
}

impl Run {
    /// Returns what followed the questions that ended at `ends`, where they were answered before the next.
    fn turns(&self, ends: &[i64]) -> Vec<Turn> {
        let turn = |end: &i64| {
            Some(Turn {
                taken: self.first(*end, "input_audio_buffer.committed")?,
                words: self.first(*end, "conversation.item.input_audio_transcription.completed")?,
                audio: self.first(*end, "response.output_audio.delta")?,
                heard: self.first_sound(*end)?,
            })
        };
        ends.iter().filter_map(turn).filter(|t| t.heard < GAP_MS as i64).collect()
    }

    /// Returns how long after a time an event of a kind came.
    fn first(&self, after: i64, kind: &str) -> Option<i64> {
        let at = |e: &Value| e["at_ms"].as_i64().filter(|at| *at >= after);
        let event = self.events.iter().find(|e| e["event"]["type"] == kind && at(e).is_some())?;
        at(event).map(|at| at - after)
    }

    /// Returns how long after a time the speaker is first heard.
    fn first_sound(&self, after: i64) -> Option<i64> {
        let from = (after.max(0) * i64::from(self.rate) / 1000) as usize;
        let loud = f32::from(LOUD) / 32768.0;
        let sound = self.played.get(from..)?.iter().position(|s| s.abs() > loud)?;
        Some(sound as i64 * 1000 / i64::from(self.rate))
    }

    fn print_memory(&self, json: bool) {
        let most = |of: fn(&memory::Sample) -> f64| self.memory.iter().map(of).fold(0.0, f64::max);
        let (program, engine) = (most(|s| s.program), most(|s| s.engine));
        let words = if self.memory.is_empty() {
            "memory: not measured on this system".to_owned()
        } else {
            format!("memory, most resident: program {program:.0} MB, engine {engine:.0} MB")
        };
        say(json, &words, &json!({ "programMb": program, "engineMb": engine }));
    }
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

/// Returns the questions, spoken.
fn spoken_questions() -> io::Result<Vec<Pcm16>> {
    let mut voice = (stages()?.synthesizer)().map_err(stage_error)?;
    QUESTIONS.iter().map(|q| voice.speak(q, "heart", 1.0)).collect::<Result<_, _>>().map_err(stage_error)
}

fn stages() -> io::Result<engine::StageLoaders> {
    assistant::models::stages(models_folder()).ok_or_else(|| io::Error::other("this build has no on-device engine"))
}

fn stage_error(error: engine::stages::StageError) -> io::Error {
    io::Error::other(error.to_string())
}

fn percentile(values: &[i64], percent: usize) -> i64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get((sorted.len().saturating_sub(1) * percent).div_ceil(100)).copied().unwrap_or(-1)
}
