//! A long conversation: what was counted against what was played, memory, gaps in the sound.

use std::{io, time::Duration};

use protocol::Pcm16;
use serde_json::json;

use super::{Run, converse, percentile, spoken_questions};
use crate::run::say;

/// From one question to the next.
const EVERY_MS: u64 = 16_000;
/// Every so many questions, the answer is talked over.
const INTERRUPTED: usize = 5;
const INTERRUPTED_AFTER_MS: u64 = 5_000;
/// Models have been loaded and every buffer has been used by then.
const SETTLED: Duration = Duration::from_secs(300);

pub(super) fn soak(minutes: usize, json: bool) -> io::Result<()> {
    let spoken = spoken_questions()?;
    let length = Pcm16::frames_in(minutes as u64 * 60_000) as usize;
    let mut samples = vec![0i16; Pcm16::frames_in(1000) as usize];
    let mut asked = 0usize;
    while samples.len() < length {
        samples.extend(&spoken[asked % spoken.len()].0);
        asked += 1;
        let wait = if asked.is_multiple_of(INTERRUPTED) { INTERRUPTED_AFTER_MS } else { EVERY_MS };
        samples.resize(samples.len() + Pcm16::frames_in(wait) as usize, 0);
    }
    let run = converse(&samples)?;
    report(&run, asked, json);
    Ok(())
}

fn report(run: &Run, asked: usize, json: bool) {
    let count = |kind: &str| run.events.iter().filter(|e| e["event"]["type"] == kind).count();
    let (heard, answered) = (count("conversation.item.input_audio_transcription.completed"), count("response.done"));
    let cut = count("conversation.item.truncate");
    let words = format!("{asked} questions: {heard} written down, {answered} answers, {cut} talked over");
    say(json, &words, &json!({ "asked": asked, "heard": heard, "answered": answered, "cut": cut }));

    // The first sound of each answer, as the program counted it and as the recording has it.
    let counted = run.events.iter().filter(|e| e["view"]["latency"].is_object());
    let apart: Vec<i64> = counted
        .filter_map(|e| {
            let at = e["at_ms"].as_i64()?;
            Some(run.first_sound(at - 200)? - 200)
        })
        .filter(|apart| apart.abs() < 200)
        .collect();
    let quarter = (apart.len() / 4).max(1).min(apart.len());
    let (first, last) = (percentile(&apart[..quarter], 50), percentile(&apart[apart.len() - quarter..], 50));
    let words = format!(
        "counted against played, first sounds: {first} ms apart in the first quarter, {last} ms in the last ({} answers)",
        apart.len()
    );
    say(json, &words, &json!({ "firstQuarterMs": first, "lastQuarterMs": last, "answers": apart.len() }));

    let settled: Vec<_> = run.memory.iter().filter(|s| s.at >= SETTLED).collect();
    if let (Some(first), Some(last)) = (settled.first(), settled.last()) {
        let most = settled.iter().map(|s| s.program + s.engine).fold(0.0, f64::max);
        let (from, to) = (first.program + first.engine, last.program + last.engine);
        let words = format!(
            "memory: {from:.1} MB after 5 minutes, {to:.1} MB at the end, {most:.1} MB at most (program {:.1} to {:.1}, engine {:.1} to {:.1})",
            first.program, last.program, first.engine, last.engine
        );
        say(json, &words, &json!({ "afterFiveMinutesMb": from, "endMb": to, "mostMb": most }));
    }
    say(json, &format!("sound was late {} times", run.underruns), &json!({ "underruns": run.underruns }));
}
