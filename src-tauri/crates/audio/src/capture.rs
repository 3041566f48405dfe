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
        let scale = 1.0 / f32::from(channels.max(1));
        self.push_mono(interleaved, channels, |frame| frame.iter().map(|s| to_f32(*s)).sum::<f32>() * scale);
    }

    /// Takes interleaved samples of `channels` and pushes those of one, counted from 0; of the last if there are not so many.
    pub fn push_channel<S: Copy>(&mut self, interleaved: &[S], channels: u16, nth: u16, to_f32: impl Fn(S) -> f32) {
        let nth = usize::from(nth.min(channels.max(1) - 1));
        self.push_mono(interleaved, channels, |frame| to_f32(frame[nth]));
    }

    fn push_mono<S: Copy>(&mut self, interleaved: &[S], channels: u16, to_mono: impl Fn(&[S]) -> f32) {
        let channels = usize::from(channels.max(1));
        let frames = interleaved.len() / channels;
        let room = frames.min(self.ring.slots());
        if let Ok(chunk) = self.ring.write_chunk_uninit(room) {
            let mono = interleaved.chunks_exact(channels).map(|frame| {
                let sample = to_mono(frame);
                // A broken driver's NaN would poison every filter behind it.
                if sample.is_finite() { sample } else { 0.0 }
            });
            chunk.fill_from_iter(mono);
        }
        if room < frames {
            self.dropped.fetch_add((frames - room) as u64, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_channel_of_many_comes_as_it_is_and_all_come_mixed() {
        let (ring, mut out) = rtrb::RingBuffer::new(8);
        let mut callback = CaptureCallback::new(ring, Arc::default());
        let frames = [0.0, 0.8, 0.0, 0.0, 0.0, 0.4, 0.0, 0.0];
        callback.push_channel(&frames, 4, 1, |s| s);
        callback.push(&frames, 4, |s| s);
        callback.push_channel(&frames, 4, 9, |s| s);
        let taken: Vec<f32> = std::iter::from_fn(|| out.pop().ok()).collect();
        assert_eq!(taken, [0.8, 0.4, 0.2, 0.1, 0.0, 0.0]);
    }
}
