use std::sync::Arc;

use ort::{session::Session, value::TensorRef};
use protocol::Pcm16;
use realfft::{RealFftPlanner, RealToComplex};

use super::{
    Models,
    resample::to_16k,
    runtime::{Open, open},
};
use crate::stages::{StageError, TurnJudge};

/// Eight seconds at 16 kHz.
const SAMPLES: usize = 128_000;
const FFT: usize = 400;
const HOP: usize = 160;
const BINS: usize = FFT / 2 + 1;
const MELS: usize = 80;
const FRAMES: usize = SAMPLES / HOP;

/// smart-turn v3.2: whether a speaker has finished, from the sound alone.
pub(super) struct SmartTurn {
    session: Session,
    features: Features,
}

impl SmartTurn {
    pub fn load(models: &Models) -> Result<Self, StageError> {
        let session = open(models, &models.file("turns/smart-turn.onnx")?, Open::Run)?;
        Ok(Self { session, features: Features::new() })
    }
}

impl TurnJudge for SmartTurn {
    fn judge(&mut self, pcm: &Pcm16) -> Result<f32, StageError> {
        let features = self.features.log_mel(&to_16k(pcm)?);
        let run = || -> ort::Result<f32> {
            let input = TensorRef::from_array_view(([1, MELS, FRAMES], features.as_slice()))?;
            let outputs = self.session.run(ort::inputs! { "input_features" => input })?;
            // The graph ends in a sigmoid, whatever its output is called.
            Ok(outputs["logits"].try_extract_tensor::<f32>()?.1.first().copied().unwrap_or(0.0))
        };
        let mut run = run;
        run().map_err(|e| StageError::new("smart-turn", e))
    }
}

/// Whisper's log-mel front end: normalised waveform, Hann windows of 25 ms every 10 ms, 80 Slaney mel bands.
struct Features {
    fft: Arc<dyn RealToComplex<f64>>,
    window: Vec<f64>,
    filters: Vec<[f64; MELS]>,
}

impl Features {
    fn new() -> Self {
        let turn = std::f64::consts::TAU / FFT as f64;
        let window = (0..FFT).map(|n| 0.5 - 0.5 * (turn * n as f64).cos()).collect();
        Self { fft: RealFftPlanner::new().plan_fft_forward(FFT), window, filters: filters() }
    }

    /// Returns `[MELS][FRAMES]` of the last eight seconds, silence in front where there are fewer.
    fn log_mel(&self, samples: &[f32]) -> Vec<f32> {
        let tail = &samples[samples.len().saturating_sub(SAMPLES)..];
        let mut wave = vec![0.0f64; SAMPLES];
        for (to, from) in wave[SAMPLES - tail.len()..].iter_mut().zip(tail) {
            *to = f64::from(*from);
        }
        let mean = wave.iter().sum::<f64>() / SAMPLES as f64;
        let variance = wave.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / SAMPLES as f64;
        let scale = 1.0 / (variance + 1e-7).sqrt();
        wave.iter_mut().for_each(|x| *x = (*x - mean) * scale);

        let half = FFT / 2;
        let reflect = |n: usize| {
            let at = n as isize - half as isize;
            let last = SAMPLES as isize - 1;
            let at = if at < 0 {
                -at
            } else if at > last {
                2 * last - at
            } else {
                at
            };
            wave[at as usize]
        };
        let mut frame = self.fft.make_input_vec();
        let mut spectrum = self.fft.make_output_vec();
        let mut out = vec![0.0f64; MELS * FRAMES];
        for t in 0..FRAMES {
            for (n, x) in frame.iter_mut().enumerate() {
                *x = reflect(t * HOP + n) * self.window[n];
            }
            if self.fft.process(&mut frame, &mut spectrum).is_err() {
                continue;
            }
            let mut bands = [0.0; MELS];
            for (bin, filter) in spectrum.iter().zip(&self.filters) {
                let power = bin.norm_sqr();
                for (band, weight) in bands.iter_mut().zip(filter) {
                    *band += power * weight;
                }
            }
            for (m, band) in bands.iter().enumerate() {
                out[m * FRAMES + t] = band.max(1e-10).log10();
            }
        }
        let floor = out.iter().copied().fold(f64::MIN, f64::max) - 8.0;
        out.iter().map(|x| ((x.max(floor) + 4.0) / 4.0) as f32).collect()
    }
}

/// Slaney's mel scale and area normalisation, 0 to 8 kHz; one row for each FFT bin.
fn filters() -> Vec<[f64; MELS]> {
    let step = 6.4f64.ln() / 27.0;
    let to_mel = |f: f64| if f < 1000.0 { 3.0 * f / 200.0 } else { 15.0 + (f / 1000.0).ln() / step };
    let to_hz = |m: f64| if m < 15.0 { 200.0 * m / 3.0 } else { 1000.0 * ((m - 15.0) * step).exp() };
    let top = to_mel(8000.0);
    let edges: Vec<f64> = (0..MELS + 2).map(|i| to_hz(top * i as f64 / (MELS + 1) as f64)).collect();
    let row = |bin: usize| {
        let f = bin as f64 * 40.0;
        std::array::from_fn(|m| {
            let (low, middle, high) = (edges[m], edges[m + 1], edges[m + 2]);
            let rise = (f - low) / (middle - low);
            let fall = (high - f) / (high - middle);
            rise.min(fall).max(0.0) * 2.0 / (high - low)
        })
    };
    (0..BINS).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of the reference front end (float64 NumPy), see the mel check in ARCHITECTURE.md.
    #[test]
    fn mel_filters_are_the_references() {
        let filters = filters();
        let sum: f64 = filters.iter().flatten().sum();
        assert!((sum - 1.999_024_10).abs() < 1e-6, "{sum}");
        for (bin, mel, value) in
            [(1, 0, 0.024_862_59), (2, 1, 0.022_871_77), (43, 40, 0.014_735_57), (192, 79, 0.003_164_71)]
        {
            assert!((filters[bin][mel] - value).abs() < 1e-7, "{bin} {mel}");
        }
    }

    #[test]
    fn features_of_a_known_tone_have_their_energy_in_its_band_and_at_the_end() {
        let tone: Vec<f32> =
            (0..16_000).map(|n| (n as f32 * 1000.0 * std::f32::consts::TAU / 16_000.0).sin() * 0.5).collect();
        let features = Features::new().log_mel(&tone);
        let at = |m: usize, t: usize| features[m * FRAMES + t];
        let loudest = (0..MELS).max_by(|a, b| at(*a, 750).total_cmp(&at(*b, 750))).unwrap();
        // 1000 Hz is mel 15 of 45.2; band centres are 45.2 / 81 apart.
        assert!((25..=27).contains(&loudest), "band {loudest}");
        assert!(at(loudest, 750) > at(loudest, 100) + 1.0, "silence stands in front");
    }
}
