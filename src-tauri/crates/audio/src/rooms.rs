//! Rooms to measure in: what is played comes back at the microphone, late, bent and with reverberation, beside the user's
//! own voice and noise. For tests and benchmarks; nothing of it runs in a conversation.

mod talk;

use std::{collections::VecDeque, f32::consts::TAU, sync::Arc};

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex, num_complex::Complex32};

use crate::{BLOCK, INSIDE_RATE};

pub use talk::{Outcome, talk};

const METRES_PER_SECOND: f32 = 343.0;
/// Metres: a living room.
const SIZE: [f32; 3] = [4.2, 3.4, 2.6];
const SPEAKER: [f32; 3] = [2.0, 1.5, 0.9];
const MICROPHONE: [f32; 3] = [2.3, 1.7, 0.9];
/// Small loudspeakers have no bass.
const SPEAKER_BASS_HZ: f32 = 250.0;

/// What a room and its devices are like.
#[derive(Clone, Copy, Debug)]
pub struct Conditions {
    /// Until a sound has fallen by 60 dB.
    pub rt60_s: f32,
    /// Between render callback and loudspeaker, and microphone and capture callback, in all.
    pub delay_ms: f32,
    /// The microphone's clock runs so much faster than the speaker's.
    pub drift_ppm: f32,
    /// The delay grows by so much, so long after the beginning.
    pub jump: Option<(f32, f32)>,
    /// How much louder than the user the echo is at the microphone.
    pub echo_db: f32,
    /// How much the loudspeaker bends: 0 is linear, 1 a small one, 4 one that clips.
    pub bend: f32,
    /// White noise at the microphone, below full scale.
    pub noise_dbfs: f32,
}

impl Default for Conditions {
    fn default() -> Self {
        let (rt60_s, delay_ms, echo_db, noise_dbfs) = (0.3, 80.0, 0.0, -65.0);
        Self { rt60_s, delay_ms, drift_ppm: 0.0, jump: None, echo_db, bend: 1.0, noise_dbfs }
    }
}

/// A room in which one speaker plays and one microphone hears, 10 ms at a time.
pub struct Room {
    conditions: Conditions,
    loudspeaker: Loudspeaker,
    air: Convolver,
    gain: f32,
    /// What arrives at the microphone of what was played, by the speaker's clock.
    echo: VecDeque<f32>,
    /// Frames of `echo` that are gone.
    passed: u64,
    played: u64,
    heard: u64,
    noise: u32,
}

impl Room {
    /// Returns a room in which `speech` (48 kHz, with sound in it) comes back as loud as `user_dbfs` and the conditions say.
    pub fn new(conditions: Conditions, speech: &[f32], user_dbfs: f32) -> Self {
        let impulse = impulse(conditions.rt60_s);
        let mut room = Self {
            conditions,
            loudspeaker: Loudspeaker::new(conditions.bend),
            air: Convolver::new(&impulse),
            gain: 1.0,
            echo: VecDeque::new(),
            passed: 0,
            played: 0,
            heard: 0,
            noise: 1,
        };
        let mut returned = Vec::with_capacity(speech.len());
        for block in speech.chunks_exact(BLOCK) {
            let mut block = block.to_vec();
            room.loudspeaker.play(&mut block);
            room.air.step(&mut block);
            returned.extend(block);
        }
        room.gain = 10f32.powf((user_dbfs + conditions.echo_db - active_dbfs(&returned)) / 20.0);
        room.loudspeaker = Loudspeaker::new(conditions.bend);
        room.air = Convolver::new(&impulse);
        room
    }

    /// Plays 10 ms, and returns what the microphone hears meanwhile, which is 10 ms by its own clock; `near` is the user's
    /// voice there.
    pub fn step(&mut self, played: &[f32], near: &[f32]) -> Vec<f32> {
        let mut block = played.to_vec();
        self.loudspeaker.play(&mut block);
        self.air.step(&mut block);
        self.echo.extend(block.iter().map(|s| s * self.gain));
        let noise = 10f32.powf(self.conditions.noise_dbfs / 20.0) * 3f32.sqrt();
        self.played += BLOCK as u64;
        let due = (self.played as f64 * (1.0 + f64::from(self.conditions.drift_ppm) * 1e-6)) as u64;
        (0..(due - self.heard) as usize)
            .map(|n| {
                let echo = self.echo_at();
                self.heard += 1;
                (echo + near.get(n).copied().unwrap_or(0.0) + self.random() * noise).clamp(-1.0, 1.0)
            })
            .collect()
    }

    fn echo_at(&mut self) -> f32 {
        let seconds = self.heard as f32 / INSIDE_RATE as f32;
        let jumped = self.conditions.jump.filter(|(at, _)| seconds >= *at).map_or(0.0, |(_, ms)| ms);
        let delay = f64::from(self.conditions.delay_ms + jumped) * f64::from(INSIDE_RATE) / 1000.0;
        // A clock that is ahead looks at an earlier sound each time.
        let place = self.heard as f64 * (1.0 - f64::from(self.conditions.drift_ppm) * 1e-6) - delay;
        if place < 2.0 {
            return 0.0;
        }
        let (whole, part) = (place as u64, place.fract() as f32);
        let keep = whole.saturating_sub(u64::from(INSIDE_RATE));
        while self.passed < keep && self.echo.pop_front().is_some() {
            self.passed += 1;
        }
        let at = |n: u64| {
            let index = n.checked_sub(self.passed).and_then(|i| usize::try_from(i).ok());
            index.and_then(|i| self.echo.get(i)).copied().unwrap_or(0.0)
        };
        // Catmull and Rom's spline.
        let [a, b, c, d] = [at(whole - 1), at(whole), at(whole + 1), at(whole + 2)];
        let slope = |p: f32, q: f32| (q - p) / 2.0;
        let (m, n) = (slope(a, c), slope(b, d));
        let (t, s) = (part, 1.0 - part);
        b * (1.0 + 2.0 * t) * s * s + m * t * s * s + c * t * t * (3.0 - 2.0 * t) - n * t * t * s
    }

    /// Between -1 and 1, the same each time.
    fn random(&mut self) -> f32 {
        self.noise = self.noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.noise >> 8) as f32 / 8_388_608.0 - 1.0
    }
}

/// Returns the level of speech where it is speech: of its louder blocks.
pub fn active_dbfs(samples: &[f32]) -> f32 {
    let powers: Vec<f32> =
        samples.chunks(BLOCK).map(|b| b.iter().map(|s| s * s).sum::<f32>() / b.len() as f32).collect();
    let loudest = powers.iter().copied().fold(0.0, f32::max);
    let active: Vec<f32> = powers.into_iter().filter(|p| *p > loudest / 100.0).collect();
    10.0 * (active.iter().sum::<f32>() / active.len().max(1) as f32).max(1e-12).log10()
}

/// No bass, and more bend the louder it is.
struct Loudspeaker {
    bend: f32,
    last: (f32, f32),
}

impl Loudspeaker {
    fn new(bend: f32) -> Self {
        Self { bend, last: (0.0, 0.0) }
    }

    fn play(&mut self, block: &mut [f32]) {
        let keep = (-TAU * SPEAKER_BASS_HZ / INSIDE_RATE as f32).exp();
        for sample in block {
            let high = keep * (self.last.1 + *sample - self.last.0);
            self.last = (*sample, high);
            *sample = if self.bend > 0.0 { (high * self.bend).tanh() / self.bend } else { high };
        }
    }
}

/// Returns the way from speaker to microphone by the method of image sources (Allen and Berkley 1979), 48 kHz.
fn impulse(rt60_s: f32) -> Vec<f32> {
    let volume: f32 = SIZE.iter().product();
    let walls = 2.0 * (SIZE[0] * SIZE[1] + SIZE[1] * SIZE[2] + SIZE[0] * SIZE[2]);
    // Eyring's formula; a room of image sources rings half as long again as it says (measured; see the test).
    let reflected = (-0.161 * volume / (walls * rt60_s * 0.68)).exp().sqrt();
    let length = (rt60_s * INSIDE_RATE as f32) as usize;
    let reach = rt60_s * METRES_PER_SECOND;
    let mut response = vec![0.0; length.max(BLOCK)];
    let order: Vec<i32> = SIZE.iter().map(|side| (reach / (2.0 * side)).ceil() as i32).collect();
    for x in -order[0]..=order[0] {
        for y in -order[1]..=order[1] {
            for z in -order[2]..=order[2] {
                for mirror in 0..8 {
                    let mut square = 0.0;
                    let mut bounces = 0;
                    for (axis, n) in [x, y, z].into_iter().enumerate() {
                        let flip = (mirror >> axis) & 1;
                        let image = (1 - 2 * flip) as f32 * SPEAKER[axis] + 2.0 * n as f32 * SIZE[axis];
                        square += (image - MICROPHONE[axis]).powi(2);
                        bounces += (n - flip).abs() + n.abs();
                    }
                    let distance = square.sqrt();
                    let at = distance / METRES_PER_SECOND * INSIDE_RATE as f32;
                    let (whole, part) = (at as usize, at.fract());
                    let loudness = reflected.powi(bounces) / distance.max(0.1);
                    if let Some([near, next]) = response.get_mut(whole..whole + 2) {
                        *near += loudness * (1.0 - part);
                        *next += loudness * part;
                    }
                }
            }
        }
    }
    response
}

/// Convolves 10 ms at a time, in the frequency domain, a part of the response for each block gone by.
struct Convolver {
    forward: Arc<dyn RealToComplex<f32>>,
    backward: Arc<dyn ComplexToReal<f32>>,
    parts: Vec<Vec<Complex32>>,
    /// Spectra of the latest blocks, the newest first.
    spectra: VecDeque<Vec<Complex32>>,
    last: Vec<f32>,
}

impl Convolver {
    fn new(response: &[f32]) -> Self {
        let mut planner = RealFftPlanner::new();
        let (forward, backward) = (planner.plan_fft_forward(2 * BLOCK), planner.plan_fft_inverse(2 * BLOCK));
        let spectrum = |samples: &[f32]| {
            let mut input = forward.make_input_vec();
            input[..samples.len()].copy_from_slice(samples);
            let mut output = forward.make_output_vec();
            let _ = forward.process(&mut input, &mut output);
            output
        };
        let parts: Vec<_> = response.chunks(BLOCK).map(spectrum).collect();
        let spectra = vec![forward.make_output_vec(); parts.len()].into();
        Self { forward, backward, parts, spectra, last: vec![0.0; BLOCK] }
    }

    fn step(&mut self, block: &mut [f32]) {
        let mut input = self.forward.make_input_vec();
        input[..BLOCK].copy_from_slice(&self.last);
        input[BLOCK..].copy_from_slice(block);
        self.last.copy_from_slice(block);
        let mut newest = self.spectra.pop_back().unwrap_or_default();
        let _ = self.forward.process(&mut input, &mut newest);
        self.spectra.push_front(newest);
        let mut sum = self.backward.make_input_vec();
        for (part, spectrum) in self.parts.iter().zip(&self.spectra) {
            for ((to, a), b) in sum.iter_mut().zip(part).zip(spectrum) {
                *to += a * b;
            }
        }
        let mut output = self.backward.make_output_vec();
        let _ = self.backward.process(&mut sum, &mut output);
        let scale = 1.0 / (2 * BLOCK) as f32;
        for (to, from) in block.iter_mut().zip(&output[BLOCK..]) {
            *to = from * scale;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_rings_for_as_long_as_it_is_said_to() {
        for rt60 in [0.2, 0.3, 0.6] {
            let response = impulse(rt60);
            // Schroeder's backward sum: the time from -5 to -25 dB, three times.
            let mut left: Vec<f64> = response
                .iter()
                .rev()
                .scan(0.0, |s, x| {
                    *s += f64::from(x * x);
                    Some(*s)
                })
                .collect();
            left.reverse();
            let when = |db: f64| left.iter().position(|e| 10.0 * (e / left[0]).log10() < db).unwrap() as f32;
            let measured = 3.0 * (when(-25.0) - when(-5.0)) / INSIDE_RATE as f32;
            assert!((measured / rt60 - 1.0).abs() < 0.25, "{measured} s in place of {rt60}");
        }
    }

    #[test]
    fn an_echo_comes_back_late_and_as_loud_as_it_is_said_to() {
        let speech: Vec<f32> = (0..INSIDE_RATE).map(|n| 0.1 * (n as f32 * 0.2).sin()).collect();
        let conditions = Conditions { noise_dbfs: -120.0, bend: 0.0, ..Conditions::default() };
        let mut room = Room::new(conditions, &speech, -30.0);
        let heard: Vec<f32> = speech.chunks_exact(BLOCK).flat_map(|block| room.step(block, &[])).collect();
        let first = heard.iter().position(|s| s.abs() > 1e-3).unwrap();
        assert!((3840..4000).contains(&first), "after {first} frames");
        assert!((active_dbfs(&heard[9600..]) + 30.0).abs() < 1.0, "{} dB", active_dbfs(&heard[9600..]));
    }
}
