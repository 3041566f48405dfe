use std::{collections::VecDeque, f32::consts::PI, sync::Arc};

use realfft::{RealFftPlanner, RealToComplex, num_complex::Complex32};

use crate::{BLOCK, INSIDE_RATE};

/// Where speech is; by the mel scale, as hearing divides it.
const BANDS: usize = 20;
const LOWEST_HZ: f32 = 150.0;
const HIGHEST_HZ: f32 = 6000.0;
/// A spectrum is made of two blocks, every block.
const WINDOW: usize = 2 * BLOCK;
const FFT: usize = 1024;
/// What is compared: 160 ms (measured: 80 ms are too few to tell, 300 ms hold too much of what came before).
const BLOCKS: usize = 16;
/// Blocks by which an echo may be late: 600 ms.
const LATEST: usize = 60;
/// From which it is an echo. Measured in rooms with a canceller that loses its way: its own voice 0.77 to 0.97, the user over it 0.26 to 0.73,
/// 0.79 where the echo is 10 dB louder than he.
const ECHO: f32 = 0.76;
/// The same of the latest 80 ms, where the delay has just become another: 0.82 to 0.94, and the user 0.28 to 0.80.
const LATEST_BLOCKS: usize = 8;
const SURELY_ECHO: f32 = 0.82;
/// Power of a spectral line below which nothing is told apart.
const FAINT: f32 = 1e-7;

type Bands = [f32; BANDS];

/// Tells whether the microphone hears what was just played, whatever the canceller makes of it: by how the loudness of each band
/// rises and falls, at any delay.
pub(crate) struct Likeness {
    spectrum: Spectrum,
    far: History,
    near: History,
}

struct History {
    window: [f32; WINDOW],
    /// The newest last.
    bands: VecDeque<Bands>,
    kept: usize,
}

struct Spectrum {
    fft: Arc<dyn RealToComplex<f32>>,
    hann: Vec<f32>,
    input: Vec<f32>,
    lines: Vec<Complex32>,
    scratch: Vec<Complex32>,
    edges: [usize; BANDS + 1],
}

impl Likeness {
    /// Returns one that has heard nothing.
    pub fn new() -> Self {
        Self { spectrum: Spectrum::new(), far: History::new(BLOCKS + LATEST), near: History::new(BLOCKS) }
    }

    /// Takes a block that was played.
    pub fn push_far(&mut self, block: &[f32]) {
        self.far.push(&mut self.spectrum, block);
    }

    /// Takes a block of the microphone, as it comes.
    pub fn push_near(&mut self, block: &[f32]) {
        self.near.push(&mut self.spectrum, block);
    }

    /// Returns whether the last 160 ms are what was played some time before.
    pub fn is_echo(&self) -> bool {
        self.near.bands.len() == BLOCKS
            && (0..=LATEST).any(|late| {
                self.correlation(BLOCKS, late) > ECHO || self.correlation(LATEST_BLOCKS, late) > SURELY_ECHO
            })
    }

    /// Returns Pearson's correlation of all bands, each about its own mean: a room and a loudspeaker colour, and keep that.
    fn correlation(&self, blocks: usize, late: usize) -> f32 {
        let Some(begin) = self.far.bands.len().checked_sub(blocks + late) else { return 0.0 };
        let count = blocks as f32;
        let (mut nn, mut ff, mut nf) = (0.0, 0.0, 0.0);
        for band in 0..BANDS {
            let near = || self.near.bands.range(BLOCKS - blocks..).map(|b| b[band]);
            let far = || self.far.bands.range(begin..begin + blocks).map(|b| b[band]);
            let (near_mean, far_mean) = (near().sum::<f32>() / count, far().sum::<f32>() / count);
            for (n, f) in near().zip(far()) {
                let (n, f) = (n - near_mean, f - far_mean);
                nn += n * n;
                ff += f * f;
                nf += n * f;
            }
        }
        nf / (nn * ff).sqrt().max(f32::MIN_POSITIVE)
    }
}

impl History {
    fn new(kept: usize) -> Self {
        Self { window: [0.0; WINDOW], bands: VecDeque::with_capacity(kept + 1), kept }
    }

    fn push(&mut self, spectrum: &mut Spectrum, block: &[f32]) {
        self.window.copy_within(BLOCK.., 0);
        self.window[BLOCK..].copy_from_slice(block);
        self.bands.push_back(spectrum.of(&self.window));
        if self.bands.len() > self.kept {
            self.bands.pop_front();
        }
    }
}

impl Spectrum {
    fn new() -> Self {
        let fft = RealFftPlanner::new().plan_fft_forward(FFT);
        let mel = |hz: f32| 2595.0 * (1.0 + hz / 700.0).log10();
        let hz = |mel: f32| 700.0 * (10f32.powf(mel / 2595.0) - 1.0);
        let edges = std::array::from_fn(|n| {
            let part = n as f32 / BANDS as f32;
            let edge = hz(mel(LOWEST_HZ) + (mel(HIGHEST_HZ) - mel(LOWEST_HZ)) * part);
            (edge / INSIDE_RATE as f32 * FFT as f32).round() as usize
        });
        let hann = (0..WINDOW).map(|n| 0.5 - 0.5 * (PI * n as f32 / BLOCK as f32).cos()).collect();
        let (input, lines, scratch) = (fft.make_input_vec(), fft.make_output_vec(), fft.make_scratch_vec());
        Self { fft, hann, input, lines, scratch, edges }
    }

    /// Returns the logarithm of each band's power.
    fn of(&mut self, samples: &[f32]) -> Bands {
        self.input.fill(0.0);
        for ((to, from), window) in self.input.iter_mut().zip(samples).zip(&self.hann) {
            *to = from * window;
        }
        let _ = self.fft.process_with_scratch(&mut self.input, &mut self.lines, &mut self.scratch);
        std::array::from_fn(|n| {
            let (from, to) = (self.edges[n], self.edges[n + 1].max(self.edges[n] + 1));
            let power = self.lines[from..to].iter().map(Complex32::norm_sqr).sum::<f32>();
            (power / (to - from) as f32 + FAINT).log10()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise whose loudness and colour change every 50 ms, as those of speech do.
    fn babble(seed: u32, blocks: usize) -> Vec<[f32; BLOCK]> {
        let mut state = seed;
        let mut random = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        let (mut loud, mut keep, mut last) = (0.0, 0.0, 0.0);
        (0..blocks)
            .map(|n| {
                if n % 5 == 0 {
                    (loud, keep) = (random().abs() * 0.3, random().abs() * 0.95);
                }
                std::array::from_fn(|_| {
                    last = random() * loud * (1.0 - keep) + last * keep;
                    last
                })
            })
            .collect()
    }

    #[test]
    fn what_was_played_is_known_again_late_softer_and_under_noise_and_another_voice_is_not() {
        let (played, other, noise) = (babble(1, 100), babble(2, 100), babble(3, 100));
        for late in [1, 8, 30, 55] {
            for (voice, expected) in [(&played, true), (&other, false)] {
                let mut likeness = Likeness::new();
                for n in 0..100 {
                    likeness.push_far(&played[n]);
                    let heard = n.checked_sub(late).map_or([0.0; BLOCK], |n| voice[n]);
                    let near: [f32; BLOCK] = std::array::from_fn(|i| 0.1 * heard[i] + 0.002 * noise[n][i]);
                    likeness.push_near(&near);
                }
                assert_eq!(likeness.is_echo(), expected, "{late} blocks late");
            }
        }
    }
}
