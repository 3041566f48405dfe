use audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Resampler as _};

/// Streams mono samples from one rate to another.
///
/// Synchronous FFT resampling in 10 ms blocks: 5 ms of delay, images under -140 dB, 0.03 % of a core
/// (measured beside sinc, polynomial, soxr and speexdsp; see ARCHITECTURE.md).
pub struct Resampler {
    inner: Option<Fft<f32>>,
    pending: Vec<f32>,
    scratch: Vec<f32>,
}

impl Resampler {
    /// Returns a resampler; equal rates pass samples through.
    pub fn new(from: u32, to: u32) -> Self {
        let block = (from as usize / 100).max(1);
        let inner =
            (from != to).then(|| Fft::new(from as usize, to as usize, block, 1, FixedSync::Both).ok()).flatten();
        let scratch = vec![0.0; inner.as_ref().map_or(0, |r| r.output_frames_max())];
        let pending = Vec::with_capacity(inner.as_ref().map_or(0, |r| r.input_frames_max() * 8));
        Self { inner, pending, scratch }
    }

    /// Returns input frames of one block; 1 where nothing is resampled.
    pub fn block(&self) -> usize {
        self.inner.as_ref().map_or(1, |r| r.input_frames_next())
    }

    /// Takes samples and appends what they complete to `out`. Blocks that are not complete wait.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        let Some(inner) = &mut self.inner else {
            out.extend_from_slice(samples);
            return;
        };
        self.pending.extend(samples.iter().map(|s| if s.is_finite() { *s } else { 0.0 }));
        let mut start = 0;
        loop {
            let need = inner.input_frames_next();
            let Some(block) = self.pending.get(start..start + need) else { break };
            let capacity = self.scratch.len();
            let (Ok(input), Ok(mut output)) =
                (SequentialSlice::new(block, 1, need), SequentialSlice::new_mut(&mut self.scratch, 1, capacity))
            else {
                break;
            };
            let Ok((_, made)) = inner.process_into_buffer(&input, &mut output, None) else { break };
            out.extend_from_slice(&self.scratch[..made]);
            start += need;
        }
        self.pending.drain(..start);
    }

    /// Returns output frames that come before the first sample's.
    pub fn delay(&self) -> usize {
        self.inner.as_ref().map_or(0, |r| r.output_delay())
    }

    /// Returns input frames that it was given and holds back: they leave with the next ones.
    pub fn held(&self) -> usize {
        let delay = |r: &Fft<f32>| (r.output_delay() * r.input_frames_max()).div_ceil(r.output_frames_max().max(1));
        self.inner.as_ref().map_or(0, |r| delay(r) + self.pending.len())
    }

    /// Forgets everything heard so far.
    pub fn reset(&mut self) {
        if let Some(inner) = &mut self.inner {
            inner.reset();
        }
        self.pending.clear();
    }
}
