//! Rooms in which the assistant speaks and the user speaks over it: how often its own voice is taken for the user's, how
//! often and how late the user is found, and how much of the echo goes. The whole audio pipeline runs; the rooms are
//! simulated (image sources, a loudspeaker that bends, clocks that drift).

use std::io;

use audio::{
    EchoMode, Loudness,
    rooms::{Conditions, Outcome, talk},
};
use protocol::Pcm16;
use serde_json::json;

use super::{percentile, stage_error, stages};
use crate::run::say;

/// Who speaks as the assistant, and who over it.
const VOICES: &[(&str, &str)] = &[("heart", "am_michael"), ("bm_george", "af_bella")];
/// What the assistant says, over and over.
const STORY: &[&str] = &[
    "The planets go round the sun in the same direction, each at a speed of its own.",
    "Mercury is the smallest of them, and a year there lasts eighty-eight days.",
    "Venus is nearly as large as the Earth, and hotter than an oven under its clouds.",
    "Mars has the highest mountain that we know, and two little moons that look like potatoes.",
    "Jupiter is so large that all the others would fit into it, and its red storm has raged for centuries.",
    "Saturn is famous for its rings, which are made of ice and are only some hundred metres thick.",
    "Uranus lies on its side, and Neptune has the fastest winds of all.",
];
/// What the user says over it.
const OVER: &[&str] =
    &["Wait, what about Pluto?", "Stop, please.", "Excuse me, how far away is that?", "No, tell me about the moon."];
const FIRST_MS: u32 = 12_000;
const EVERY_MS: u32 = 11_000;

pub(super) fn echo(json: bool) -> io::Result<()> {
    let base = Conditions::default();
    let rows: &[(&str, Conditions)] = &[
        ("living room", base),
        ("dry room, RT60 0.2 s", Conditions { rt60_s: 0.2, ..base }),
        ("bare room, RT60 0.6 s", Conditions { rt60_s: 0.6, ..base }),
        ("delay 20 ms", Conditions { delay_ms: 20.0, ..base }),
        ("delay 200 ms", Conditions { delay_ms: 200.0, ..base }),
        ("delay 400 ms", Conditions { delay_ms: 400.0, ..base }),
        ("drift 50 ppm", Conditions { drift_ppm: 50.0, ..base }),
        ("drift 200 ppm", Conditions { drift_ppm: 200.0, ..base }),
        ("delay grows by 60 ms unannounced", Conditions { jump: Some((20.0, 60.0)), ..base }),
        ("noise -55 dB", Conditions { noise_dbfs: -55.0, ..base }),
        ("noise -45 dB", Conditions { noise_dbfs: -45.0, ..base }),
        ("loud and clipping, echo +10 dB", Conditions { echo_db: 10.0, bend: 4.0, ..base }),
    ];
    let scenes = VOICES.iter().map(|(assistant, user)| scene(assistant, user)).collect::<io::Result<Vec<_>>>()?;
    let head = format!(
        "{:<34} {:>6} {:>6} {:>7} {:>6} {:>7} {:>6} {:>6} {:>6} {:>6} {:>6}",
        "room", "dB", "dB 1s", "alone", "onsets", "alarms", "missed", "soft", "p50", "p95", "lost"
    );
    say(json, &head, &json!({}));
    let mut all = Total::default();
    let mut without = Total::default();
    for (name, conditions) in rows {
        let mut total = Total::default();
        for (story, over) in &scenes {
            total.add(&talk(*conditions, EchoMode::FullDuplex, Loudness::Soft, story, over));
            without.add(&talk(*conditions, EchoMode::FullDuplex, Loudness::Full, story, over));
        }
        total.print(name, json);
        all.merge(total);
    }
    all.print("ALL", json);
    without.print("all, never played softer", json);
    let mut none = Total::default();
    for (story, over) in &scenes {
        none.add(&talk(base, EchoMode::Headphones, Loudness::Soft, story, over));
    }
    none.print("living room, nothing cancelled", json);
    let notes = "dB: echo return loss enhancement once the room is known, and in the first second; alone: seconds in which the \
                 assistant spoke alone; onsets: played softer for a moment; alarms: taken for the user; soft: milliseconds until it plays softer, half of the time; p50, p95: \
                 milliseconds until the user is known to speak; lost: dB of the user while both speak.";
    say(json, notes, &json!({}));
    Ok(())
}

/// Returns some 65 s of the assistant, and when the user says what over it.
fn scene(assistant: &str, user: &str) -> io::Result<(Pcm16, Vec<(u32, Pcm16)>)> {
    let mut voice = (stages()?.synthesizer)().map_err(stage_error)?;
    let mut story = Vec::new();
    for sentence in STORY.iter().chain(STORY) {
        story.extend(voice.speak(sentence, assistant, 1.0).map_err(stage_error)?.0);
    }
    let mut over = Vec::new();
    for (n, words) in OVER.iter().enumerate() {
        over.push((FIRST_MS + EVERY_MS * n as u32, voice.speak(words, user, 1.0).map_err(stage_error)?));
    }
    Ok((Pcm16(story), over))
}

#[derive(Default)]
struct Total {
    runs: f32,
    known_db: f32,
    first_db: f32,
    lost_db: f32,
    alone_s: f32,
    onsets: u32,
    alarms: u32,
    missed: usize,
    soft: Vec<i64>,
    found: Vec<i64>,
}

impl Total {
    fn add(&mut self, outcome: &Outcome) {
        self.merge(Self {
            runs: 1.0,
            known_db: outcome.enhancement_db,
            first_db: outcome.first_db,
            lost_db: outcome.user_lost_db,
            alone_s: outcome.alone_s,
            onsets: outcome.onsets,
            alarms: outcome.false_alarms,
            missed: outcome.found_ms.iter().filter(|found| found.is_none()).count(),
            soft: outcome.soft_ms.iter().flatten().map(|ms| i64::from(*ms)).collect(),
            found: outcome.found_ms.iter().flatten().map(|ms| i64::from(*ms)).collect(),
        });
    }

    fn merge(&mut self, other: Self) {
        self.runs += other.runs;
        self.known_db += other.known_db;
        self.first_db += other.first_db;
        self.lost_db += other.lost_db;
        self.alone_s += other.alone_s;
        self.onsets += other.onsets;
        self.alarms += other.alarms;
        self.missed += other.missed;
        self.soft.extend(other.soft);
        self.found.extend(other.found);
    }

    fn print(&self, name: &str, json: bool) {
        let mean = |sum: f32| sum / self.runs.max(1.0);
        let (known, first, lost) = (mean(self.known_db), mean(self.first_db), mean(self.lost_db));
        let soft = percentile(&self.soft, 50);
        let (p50, p95) = (percentile(&self.found, 50), percentile(&self.found, 95));
        let words = format!(
            "{name:<34} {known:>6.1} {first:>6.1} {:>7.0} {:>6} {:>7} {:>6} {soft:>6} {p50:>6} {p95:>6} {lost:>6.1}",
            self.alone_s, self.onsets, self.alarms, self.missed
        );
        let value = json!({ "room": name, "enhancementDb": known, "firstSecondDb": first, "aloneS": self.alone_s,
            "onsets": self.onsets, "falseAlarms": self.alarms, "missed": self.missed, "softP50Ms": soft, "p50Ms": p50, "p95Ms": p95,
            "userLostDb": lost });
        say(json, &words, &value);
    }
}
