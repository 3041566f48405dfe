use protocol::Pcm16;

use super::{Conditions, Room, active_dbfs};
use crate::{
    BLOCK, Command, Dsp, EchoMode, Event, FakeDevices, INSIDE_RATE, Loudness, Resampler, Segment, StreamFormat, Voice,
};

/// How loud the user is at the microphone.
const USER_DBFS: f32 = -30.0;
/// How loud the assistant's voice is on its way to the speaker.
const ASSISTANT_DBFS: f32 = -20.0;
/// What is not confirmed as speech within this is played as loud as before: 400 ms.
const DUCKED_BLOCKS: u32 = 40;
/// What is found so long after the user has spoken is still the user: reverberation, and the detector's own hang-over.
const AFTER_BLOCKS: usize = 50;
/// The canceller has had time to learn the room: 5 s.
const LEARNT_BLOCKS: usize = 500;

/// What came of a talk in a room.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// For how long the assistant spoke alone.
    pub alone_s: f32,
    /// How often its own voice was taken for the beginning of the user's.
    pub onsets: u32,
    /// How often its own voice was taken for the user's.
    pub false_alarms: u32,
    /// For each time that the user spoke: until the assistant spoke softer.
    pub soft_ms: Vec<Option<u32>>,
    /// For each time that the user spoke: until it was found.
    pub found_ms: Vec<Option<u32>>,
    /// By how much the echo was made quieter once the room was known, while the user was silent.
    pub enhancement_db: f32,
    /// The same in the first second.
    pub first_db: f32,
    /// How much quieter the user left than he came, while both spoke.
    pub user_lost_db: f32,
}

/// Lets the assistant speak, and the user at times, in a room, through the whole pipeline, block by block.
///
/// `over` is how loud the assistant speaks where the user may be speaking too.
pub fn talk(
    conditions: Conditions,
    mode: EchoMode,
    over: Loudness,
    assistant: &Pcm16,
    user: &[(u32, Pcm16)],
) -> Outcome {
    let assistant = levelled(assistant, ASSISTANT_DBFS);
    let mut room = Room::new(conditions, &inside(&assistant), USER_DBFS);
    let blocks = assistant.0.len() / 240;
    let mut near = vec![0.0; (blocks + 100) * BLOCK];
    let mut spoken = Vec::new();
    for (at_ms, pcm) in user {
        let voice = inside(&levelled(pcm, USER_DBFS));
        let begin = *at_ms as usize / 10 * BLOCK;
        let onset = voice.iter().position(|s| s.abs() > 0.01).unwrap_or(0);
        for (to, from) in near[begin..].iter_mut().zip(&voice) {
            *to += from;
        }
        spoken.push(((begin + onset) / BLOCK, (begin + voice.len()) / BLOCK + AFTER_BLOCKS));
    }
    let is_near = |block: usize| spoken.iter().position(|(from, to)| (*from..*to).contains(&block));

    let (devices, backend) = FakeDevices::new(StreamFormat { rate: INSIDE_RATE, channels: 1 });
    let mut dsp = Dsp::new(Box::new(backend), mode);
    let mut events = Vec::new();
    dsp.handle(Command::Mic { open: true }, &mut |e| events.push(e));
    dsp.handle(Command::Play { segment: Segment(1), pcm: assistant }, &mut |e| events.push(e));
    let mut heard = vec![0.0; BLOCK];
    let mut outcome =
        Outcome { found_ms: vec![None; spoken.len()], soft_ms: vec![None; spoken.len()], ..Outcome::default() };
    let mut at = 0;
    let mut ducked: Option<u32> = None;
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let (mut said, mut left) = (0.0, 0.0);
    for block in 0..blocks {
        dsp.step(&mut |e| events.push(e));
        let played = devices.tick(&heard, BLOCK);
        let user = is_near(block);
        if user.is_none() {
            outcome.alone_s += 0.01;
            before.push((block, heard.clone()));
        }
        dsp.step(&mut |e| events.push(e));
        for event in std::mem::take(&mut events) {
            match event {
                Event::Mic(pcm) if user.is_none() => after.push((block, pcm)),
                Event::Mic(pcm) => {
                    left += pcm.0.iter().map(|s| (f64::from(*s) / 32768.0).powi(2)).sum::<f64>() / pcm.0.len() as f64;
                    // A chunk is two blocks.
                    let spoken = &near[(block - 1) * BLOCK..(block + 1) * BLOCK];
                    said += spoken.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / spoken.len() as f64;
                }
                Event::Voice(Voice::Onset) => {
                    match user {
                        None => outcome.onsets += 1,
                        Some(nth) => {
                            let ms = (block - spoken[nth].0) as u32 * 10;
                            outcome.soft_ms[nth].get_or_insert(ms);
                        }
                    }
                    ducked = Some(0);
                    dsp.handle(Command::Loudness(over), &mut |_| {});
                }
                Event::Voice(Voice::Confirmed) => {
                    ducked = None;
                    match user {
                        None => outcome.false_alarms += 1,
                        Some(nth) => {
                            let ms = (block - spoken[nth].0) as u32 * 10;
                            outcome.found_ms[nth].get_or_insert(ms);
                        }
                    }
                }
                Event::Voice(Voice::Over) => ducked = Some(DUCKED_BLOCKS),
                Event::MicDelay { .. }
                | Event::Echo(_)
                | Event::Heard { .. }
                | Event::Flushed { .. }
                | Event::Level { .. }
                | Event::Underrun { .. }
                | Event::Overrun { .. }
                | Event::DeviceFailed { .. }
                | Event::DeviceReady { .. }
                | Event::Capture(_)
                | Event::Recording(_)
                | Event::InputEnded => {}
            }
        }
        if let Some(blocks) = &mut ducked {
            *blocks += 1;
            if *blocks > DUCKED_BLOCKS {
                ducked = None;
                dsp.handle(Command::Loudness(Loudness::Full), &mut |_| {});
            }
        }
        heard = room.step(&played, &near[at..]);
        at += heard.len();
    }
    let power = |range: std::ops::Range<usize>| {
        let sum = |samples: &mut dyn Iterator<Item = f32>| {
            let (mut total, mut count) = (0.0f64, 0u64);
            samples.for_each(|s| {
                total += f64::from(s).powi(2);
                count += 1;
            });
            (total / count.max(1) as f64).max(1e-14)
        };
        let raw = sum(&mut before.iter().filter(|(b, _)| range.contains(b)).flat_map(|(_, s)| s.iter().copied()));
        let clean = sum(&mut after
            .iter()
            .filter(|(b, _)| range.contains(b))
            .flat_map(|(_, pcm)| pcm.0.iter().map(|s| f32::from(*s) / 32768.0)));
        (10.0 * (raw / clean).log10()) as f32
    };
    outcome.enhancement_db = power(LEARNT_BLOCKS..blocks);
    outcome.first_db = power(0..100);
    outcome.user_lost_db = if left > 0.0 { (10.0 * (said / left).log10()) as f32 } else { 0.0 };
    outcome
}

fn levelled(pcm: &Pcm16, dbfs: f32) -> Pcm16 {
    let samples: Vec<f32> = pcm.0.iter().map(|s| f32::from(*s) / 32768.0).collect();
    let gain = 10f32.powf((dbfs - active_dbfs(&samples)) / 20.0);
    Pcm16(samples.iter().map(|s| (s * gain * 32767.0).clamp(-32768.0, 32767.0) as i16).collect())
}

fn inside(pcm: &Pcm16) -> Vec<f32> {
    let mut out = Vec::new();
    let samples: Vec<f32> = pcm.0.iter().map(|s| f32::from(*s) / 32768.0).collect();
    Resampler::new(protocol::SAMPLE_RATE, INSIDE_RATE).push(&samples, &mut out);
    out
}
