use audioadapter_buffers::direct::SequentialSlice;
use protocol::Pcm16;
use rubato::{Fft, FixedSync, Resampler};

use crate::stages::StageError;

/// 10 ms at 24 kHz.
const BLOCK: usize = 240;

/// Streams 24 kHz to the 16 kHz that speech models take.
pub(super) struct To16k {
    inner: Fft<f32>,
    pending: Vec<f32>,
    made: Vec<f32>,
}

impl To16k {
    pub fn new() -> Result<Self, StageError> {
        let inner = Fft::new(24_000, 16_000, BLOCK, 1, FixedSync::Both);
        let inner = inner.map_err(|e| StageError::new("resampling", e))?;
        let made = vec![0.0; inner.output_frames_max()];
        Ok(Self { inner, pending: Vec::new(), made })
    }

    pub fn push(&mut self, pcm: &Pcm16, out: &mut Vec<f32>) -> Result<(), StageError> {
        self.pending.extend(pcm.0.iter().map(|s| f32::from(*s) / 32768.0));
        let whole = self.pending.len() / BLOCK * BLOCK;
        for block in self.pending[..whole].chunks_exact(BLOCK) {
            let capacity = self.made.len();
            let input = SequentialSlice::new(block, 1, BLOCK).map_err(|e| StageError::new("resampling", e))?;
            let mut output =
                SequentialSlice::new_mut(&mut self.made, 1, capacity).map_err(|e| StageError::new("resampling", e))?;
            let (_, made) = self
                .inner
                .process_into_buffer(&input, &mut output, None)
                .map_err(|e| StageError::new("resampling", e))?;
            out.extend_from_slice(&self.made[..made]);
        }
        self.pending.drain(..whole);
        Ok(())
    }

    pub fn reset(&mut self) {
        self.inner.reset();
        self.pending.clear();
    }
}

/// Returns a whole recording at 16 kHz, without the resampler's delay.
pub(super) fn to_16k(pcm: &Pcm16) -> Result<Vec<f32>, StageError> {
    let mut resampler = To16k::new()?;
    let length = pcm.0.len() * 2 / 3;
    let delay = resampler.inner.output_delay();
    let mut out = Vec::with_capacity(length + delay + BLOCK);
    resampler.push(pcm, &mut out)?;
    while out.len() < length + delay {
        resampler.push(&Pcm16(vec![0; BLOCK]), &mut out)?;
    }
    out.drain(..delay);
    out.truncate(length);
    Ok(out)
}
