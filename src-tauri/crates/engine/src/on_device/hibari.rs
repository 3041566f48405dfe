use std::{f64::consts::TAU, sync::Arc};

use ort::{
    session::Session,
    value::{Tensor, TensorRef},
};
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex, num_complex::Complex};

use super::{
    Models,
    runtime::{Open, open},
};
use crate::stages::StageError;

const FFT: usize = 1200;
const HOP: usize = 300;
const BINS: usize = FFT / 2 + 1;
const RATE: f64 = 24_000.0;
/// Below it there is no voice, only breath.
const LEAST_PITCH: f32 = 40.0;

/// Hibari: token ids to 24 kHz speech. The network gives spectra and pitch; pulses and noise through them are the voice.
pub(super) struct Hibari {
    session: Session,
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    window: Vec<f32>,
    noise: Noise,
}

/// What the network gives for each frame of 12.5 ms; spectra are `[BINS][frames]`.
struct Frames<'a> {
    count: usize,
    harmonic: &'a [f32],
    phase: &'a [f32],
    breath: &'a [f32],
    residual: &'a [f32],
    residual_phase: &'a [f32],
    pitch: &'a [f32],
}

impl Hibari {
    pub fn load(models: &Models) -> Result<Self, StageError> {
        let session = open(models, &models.file("hibari/hibari.onnx")?, Open::Run)?;
        let mut planner = RealFftPlanner::new();
        let window = (0..FFT).map(|n| (0.5 - 0.5 * (TAU * n as f64 / FFT as f64).cos()) as f32).collect();
        Ok(Self {
            session,
            forward: planner.plan_fft_forward(FFT),
            inverse: planner.plan_fft_inverse(FFT),
            window,
            noise: Noise(0x9e37_79b9_7f4a_7c15),
        })
    }

    /// Returns samples at 24 kHz.
    pub fn speak(&mut self, tokens: &[i64], speed: f32) -> Result<Vec<f32>, StageError> {
        let failed = |e: ort::Error| StageError::new("hibari", e);
        let mut run = || -> ort::Result<(usize, [Vec<f32>; 6])> {
            let inputs = ort::inputs! {
                "ids" => TensorRef::from_array_view(([1, tokens.len()], tokens))?,
                "speed" => Tensor::from_array(([1usize], vec![speed.clamp(0.5, 2.0)]))?,
            };
            let outputs = self.session.run(inputs)?;
            let take = |name: &str| Ok::<_, ort::Error>(outputs[name].try_extract_tensor::<f32>()?.1.to_vec());
            let pitch = take("f0")?;
            Ok((pitch.len(), [take("lh")?, take("theta")?, take("ln")?, take("lr")?, take("phi")?, pitch]))
        };
        let (count, [harmonic, phase, breath, residual, residual_phase, pitch]) = run().map_err(failed)?;
        let frames = Frames {
            count,
            harmonic: &harmonic,
            phase: &phase,
            breath: &breath,
            residual: &residual,
            residual_phase: &residual_phase,
            pitch: &pitch,
        };
        Ok(if count < 3 { Vec::new() } else { self.render(&frames) })
    }

    fn render(&mut self, frames: &Frames<'_>) -> Vec<f32> {
        let source = pulses(frames.pitch);
        let (mut block, mut spectrum) = (self.forward.make_input_vec(), self.forward.make_output_vec());
        let mut scratch = vec![Complex::default(); self.forward.get_scratch_len().max(self.inverse.get_scratch_len())];
        let mut out = vec![0.0f32; (frames.count + 3) * HOP];
        let mut weight = vec![0.0f32; out.len()];
        for t in 0..frames.count {
            for (n, sample) in block.iter_mut().enumerate() {
                *sample = reflected(&source, t * HOP + n, FFT / 2) * self.window[n] / HOP as f32;
            }
            if self.forward.process_with_scratch(&mut block, &mut spectrum, &mut scratch).is_err() {
                continue;
            }
            for (k, bin) in spectrum.iter_mut().enumerate() {
                let at = k * frames.count + t;
                let gain = |log: f32| log.min(7.0).exp();
                let turned =
                    Complex::from_polar(gain(frames.harmonic[at]), std::f32::consts::PI * frames.phase[at].tanh());
                let noise = Complex::new(self.noise.next(), self.noise.next()) * gain(frames.breath[at]);
                let rest = Complex::from_polar(gain(frames.residual[at]), frames.residual_phase[at]);
                *bin = *bin * turned + noise + rest;
            }
            // A real signal has no imaginary part there.
            spectrum[0].im = 0.0;
            spectrum[BINS - 1].im = 0.0;
            if self.inverse.process_with_scratch(&mut spectrum, &mut block, &mut scratch).is_err() {
                continue;
            }
            for (n, sample) in block.iter().enumerate() {
                out[t * HOP + n] += sample / FFT as f32 * self.window[n];
                weight[t * HOP + n] += self.window[n] * self.window[n];
            }
        }
        let from = FFT / 2;
        let to = from + frames.count * HOP;
        out.iter().zip(&weight).map(|(x, w)| x / w.max(1e-11)).take(to.min(out.len())).skip(from).collect()
    }
}

/// Returns one band-limited pulse a period of the pitch, interpolated between frames.
fn pulses(pitch: &[f32]) -> Vec<f32> {
    let last = pitch.len() - 1;
    let mut cycles = 0.0f64;
    let mut out = Vec::with_capacity(pitch.len() * HOP);
    for k in 0..pitch.len() {
        for j in 0..HOP {
            let place = ((j as f32 + 0.5) / HOP as f32 - 0.5).rem_euclid(1.0);
            let (a, b) = if j < HOP / 2 { (k.saturating_sub(1), k) } else { (k, (k + 1).min(last)) };
            let raw = pitch[a] * (1.0 - place) + pitch[b] * place;
            let f = raw.max(LEAST_PITCH);
            cycles += f64::from(f) / RATE;
            if raw <= LEAST_PITCH {
                out.push(0.0);
                continue;
            }
            let t = (TAU * cycles.fract()) as f32;
            // Harmonics up to 11 kHz, summed in closed form.
            let harmonics = (11_000.0 / f).floor() + 0.5;
            let s = 2.0 * (t / 2.0).sin();
            out.push(if s.abs() <= 2e-3 { harmonics } else { (harmonics * t).sin() / s } - 0.5);
        }
    }
    out
}

/// Returns sample `n` of `x` with `pad` mirrored samples at both ends.
fn reflected(x: &[f32], n: usize, pad: usize) -> f32 {
    let last = x.len() as isize - 1;
    let at = n as isize - pad as isize;
    let at = if at < 0 {
        -at
    } else if at > last {
        2 * last - at
    } else {
        at
    };
    x.get(at.unsigned_abs()).copied().unwrap_or(0.0)
}

/// Normally distributed noise (xorshift and Box-Muller): breath needs no better, and the same text sounds the same.
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 40) as f32 + 1.0) / (1u64 << 24) as f32
    }

    fn next(&mut self) -> f32 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        radius * (std::f32::consts::TAU * self.uniform()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::pulses;

    /// Values of the reference (float32 NumPy) for a pitch that rises from 100 Hz by 5 Hz a frame, unvoiced in frames 8 to 10.
    #[test]
    fn pulses_are_the_references() {
        let pitch: Vec<f32> =
            (0..20).map(|f| if (8..=10).contains(&f) { 0.0 } else { 100.0 + 5.0 * f as f32 }).collect();
        let e = pulses(&pitch);
        for (i, value) in
            [(0, 8.902_629), (100, -0.506_756), (240, -23.014_48), (1000, -1.015_265), (2500, 0.0), (5999, -0.655_899)]
        {
            assert!((e[i] - value).abs() < 2e-2, "{i}: {} {value}", e[i]);
        }
        let rms = (e.iter().map(|x| x * x).sum::<f32>() / e.len() as f32).sqrt();
        assert!((rms - 6.254_915).abs() < 1e-2, "{rms}");
    }
}
