use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use rtrb::Producer;

/// The microphone's real-time side: mono frames into a ring, nothing else.
pub struct CaptureCallback {
    ring: Producer<f32>,
    dropped: Arc<AtomicU64>,
}

impl CaptureCallback {
    /// Returns a callback that feeds `ring` and counts frames that found it full.
    pub fn new(ring: Producer<f32>, dropped: Arc<AtomicU64>) -> Self {
        Self { ring, dropped }
    }

    /// Takes interleaved samples of `channels` and pushes their mean. Called on the device's real-time thread.
    pub fn push<S: Copy>(&mut self, interleaved: &[S], channels: u16, to_f32: impl Fn(S) -> f32) {
        let channels = usize::from(channels.max(1));
        let frames = interleaved.len() / channels;
        let room = frames.min(self.ring.slots());
        let scale = 1.0 / channels as f32;
        if let Ok(chunk) = self.ring.write_chunk_uninit(room) {
            let mono = interleaved.chunks_exact(channels).map(|frame| {
                let mean = frame.iter().map(|s| to_f32(*s)).sum::<f32>() * scale;
                // A broken driver's NaN would poison every filter behind it.
                if mean.is_finite() { mean } else { 0.0 }
            });
            chunk.fill_from_iter(mono);
        }
        if room < frames {
            self.dropped.fetch_add((frames - room) as u64, Ordering::Relaxed);
        }
    }
}
