use std::collections::VecDeque;

use audioadapter_buffers::direct::SequentialSlice;
use rubato::{Adjustable as _, Async, FixedAsync, PolynomialDegree, Resampler as _};

use crate::{BLOCK, INSIDE_RATE};

/// Seconds from which a drift is told: fewer, and the bursts of two drivers look like one.
const LEAST_SECONDS: usize = 6;
/// Seconds that are remembered.
const MOST_SECONDS: usize = 40;
/// What the canceller follows by itself (measured): 20 ppm.
const LEAST_DRIFT: f64 = 20e-6;
/// No two clocks differ by more; what does is a stream that stands still: 1000 ppm.
const MOST_DRIFT: f64 = 1e-3;
/// A slope counts when it is so many times as large as its standard error.
const SURE: f64 = 4.0;
/// Looks without a frame of one of them after which it stands still, or works in bursts that tell nothing: 300 ms.
const STILL: u32 = 100;
/// Frames by which a stream is shifted against the other, where it is no drift and no burst: 15 ms.
const SHIFTED: f64 = 720.0;

/// Gives the far end the near end's clock: two devices never run at quite the same rate, and to the canceller that is a room that
/// never stands still.
///
/// How much they differ is the slope of the difference between the frames of both, over up to 40 seconds. Drivers hand them over in
/// bursts, so it is looked at in every step of the DSP thread, which is in step with neither.
pub(crate) struct ClockDrift {
    /// Far frames less near frames, since the streams run side by side.
    ahead: f64,
    /// Looks since the latest frames of each.
    since: [u32; 2],
    /// Of the present second: sum and number of looks, and frames of the near end.
    sum: f64,
    looks: u32,
    second: f64,
    /// Means of the seconds before.
    means: VecDeque<f64>,
    drift: f64,
    resampler: Option<Async<f32>>,
    pending: Vec<f32>,
    made: Vec<f32>,
}

/// Whether two streams still run side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Streams {
    InStep,
    /// Frames were lost somewhere without a word.
    Shifted,
}

impl ClockDrift {
    /// Returns one that takes both clocks for the same.
    pub fn new() -> Self {
        let resampler = Async::new_poly(1.0, 1.01, PolynomialDegree::Septic, BLOCK, 1, FixedAsync::Input).ok();
        let made = vec![0.0; resampler.as_ref().map_or(0, |r| r.output_frames_max())];
        let pending = Vec::with_capacity(INSIDE_RATE as usize);
        let means = VecDeque::with_capacity(MOST_SECONDS + 1);
        Self {
            ahead: 0.0,
            since: [STILL; 2],
            sum: 0.0,
            looks: 0,
            second: 0.0,
            means,
            drift: 0.0,
            resampler,
            pending,
            made,
        }
    }

    /// Begins to compare anew: a stream was opened, or has lost frames. The clocks are taken for those of before.
    pub fn restart(&mut self) {
        (self.ahead, self.sum, self.looks, self.second) = (0.0, 0.0, 0, 0.0);
        self.means.clear();
    }

    /// Counts what a device has played: so many of its frames, at so many a second.
    pub fn count_far(&mut self, frames: usize, rate: u32) {
        self.ahead += frames as f64 * f64::from(INSIDE_RATE) / f64::from(rate);
        if frames > 0 {
            self.since[0] = 0;
        }
    }

    /// Counts what a device has heard.
    pub fn count_near(&mut self, frames: usize, rate: u32) {
        let frames = frames as f64 * f64::from(INSIDE_RATE) / f64::from(rate);
        self.ahead -= frames;
        self.second += frames;
        if frames > 0.0 {
            self.since[1] = 0;
        }
    }

    /// Takes samples of the far end, and appends them at the near end's rate.
    pub fn push_far(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        let Some(resampler) = &mut self.resampler else {
            out.extend_from_slice(samples);
            return;
        };
        self.pending.extend_from_slice(samples);
        let whole = self.pending.len() / BLOCK * BLOCK;
        for block in self.pending[..whole].chunks_exact(BLOCK) {
            let room = self.made.len();
            let (Ok(input), Ok(mut output)) =
                (SequentialSlice::new(block, 1, BLOCK), SequentialSlice::new_mut(&mut self.made, 1, room))
            else {
                break;
            };
            let Ok((_, made)) = resampler.process_into_buffer(&input, &mut output, None) else { break };
            out.extend_from_slice(&self.made[..made]);
        }
        self.pending.drain(..whole);
    }

    /// Compares both; called in every step.
    pub fn compare(&mut self) -> Streams {
        self.since = self.since.map(|looks| looks.saturating_add(1));
        if self.since.iter().any(|looks| *looks > STILL) {
            self.restart();
            return Streams::InStep;
        }
        self.sum += self.ahead;
        self.looks += 1;
        if self.second < f64::from(INSIDE_RATE) {
            return Streams::InStep;
        }
        let mean = self.sum / f64::from(self.looks);
        (self.sum, self.looks) = (0.0, 0);
        self.second -= f64::from(INSIDE_RATE);
        if self.means.back().is_some_and(|last| (mean - last).abs() > SHIFTED) {
            self.restart();
            return Streams::Shifted;
        }
        self.means.push_back(mean);
        if self.means.len() > MOST_SECONDS {
            self.means.pop_front();
        }
        self.follow();
        Streams::InStep
    }

    fn follow(&mut self) {
        if self.means.len() < LEAST_SECONDS {
            return;
        }
        let (slope, error) = slope(&self.means);
        let drift = slope / f64::from(INSIDE_RATE);
        if drift.abs() > MOST_DRIFT {
            self.restart();
            return;
        }
        if error / f64::from(INSIDE_RATE) * SURE > drift.abs().max(LEAST_DRIFT) {
            return;
        }
        self.drift = if drift.abs() < LEAST_DRIFT { 0.0 } else { drift };
        if let Some(resampler) = &mut self.resampler {
            let _ = resampler.set_resample_ratio_relative(1.0 / (1.0 + self.drift), true);
        }
    }
}

/// Returns how much the means grow in a second, and the standard error of that.
fn slope(means: &VecDeque<f64>) -> (f64, f64) {
    let n = means.len() as f64;
    let middle = (n - 1.0) / 2.0;
    let mean = means.iter().sum::<f64>() / n;
    let spread = n * (n * n - 1.0) / 12.0;
    let slope = means.iter().enumerate().map(|(x, y)| (x as f64 - middle) * (y - mean)).sum::<f64>() / spread;
    let left = |(x, y): (usize, &f64)| (y - mean - slope * (x as f64 - middle)).powi(2);
    let error = (means.iter().enumerate().map(left).sum::<f64>() / (n - 2.0) / spread).sqrt();
    (slope, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets two devices run side by side, each handing over its frames in bursts of its own; returns what they are taken for.
    fn run(drift: &mut ClockDrift, seconds: u32, ppm: f64, bursts: [usize; 2]) -> Streams {
        let clocks = [f64::from(INSIDE_RATE) * (1.0 + ppm * 1e-6), f64::from(INSIDE_RATE)];
        let mut handed = [0, 0];
        let mut streams = Streams::InStep;
        for step in 1..=seconds * 195 {
            for n in [0, 1] {
                let due = (clocks[n] * f64::from(step) / 195.0) as usize / bursts[n] * bursts[n];
                let frames = due - handed[n];
                handed[n] = due;
                if n == 0 { drift.count_far(frames, INSIDE_RATE) } else { drift.count_near(frames, INSIDE_RATE) }
            }
            if drift.compare() == Streams::Shifted {
                streams = Streams::Shifted;
            }
        }
        streams
    }

    #[test]
    fn a_drift_is_found_behind_the_bursts_of_the_drivers() {
        for ppm in [-200.0, -50.0, 0.0, 100.0, 200.0] {
            for bursts in [[480, 480], [1024, 480], [441, 2048]] {
                let mut drift = ClockDrift::new();
                assert_eq!(run(&mut drift, 30, ppm, bursts), Streams::InStep);
                let found = drift.drift * 1e6;
                assert!((found - ppm).abs() < 25.0, "{found} in place of {ppm} ppm with bursts of {bursts:?}");
            }
        }
    }

    #[test]
    fn the_far_end_is_given_the_near_ends_clock() {
        let mut drift = ClockDrift::new();
        run(&mut drift, 20, 200.0, [480, 480]);
        let mut out = Vec::new();
        drift.push_far(&vec![0.0; INSIDE_RATE as usize * 50], &mut out);
        let less = INSIDE_RATE as usize * 50 - out.len();
        assert!((400..600).contains(&less), "{less} frames less");
    }

    #[test]
    fn a_stream_that_stands_still_or_works_in_long_bursts_tells_nothing() {
        let mut drift = ClockDrift::new();
        assert_eq!(run(&mut drift, 20, 100.0, [480, 96_000]), Streams::InStep);
        assert_eq!(drift.drift, 0.0);
        for _ in 0..4000 {
            drift.count_near(240, INSIDE_RATE);
            assert_eq!(drift.compare(), Streams::InStep);
        }
    }

    #[test]
    fn frames_lost_without_a_word_are_noticed_within_two_seconds() {
        let mut drift = ClockDrift::new();
        run(&mut drift, 5, 20.0, [480, 480]);
        drift.count_near(1440, INSIDE_RATE);
        assert_eq!(run(&mut drift, 2, 20.0, [480, 480]), Streams::Shifted);
    }
}
