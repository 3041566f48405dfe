use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering},
};

use rtrb::{Consumer, Producer};

/// Fade after a flush: long enough not to click, short enough not to be heard as a word.
const FADE_MS: u32 = 5;

/// How loud the speaker plays what is queued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Loudness {
    /// As it comes.
    #[default]
    Full,
    /// 12 dB softer, while the user may be talking over it.
    Soft,
    /// Not at all: it stands still, and goes on from the same sample.
    Paused,
}

impl Loudness {
    fn gain(number: u8) -> f32 {
        match number {
            n if n == Self::Soft as u8 => 0.25,
            n if n == Self::Paused as u8 => 0.0,
            _ => 1.0,
        }
    }
}

/// A stretch of the sample ring: whose it is, and how much of its source it carries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub segment: u32,
    pub generation: u32,
    /// Device frames in the ring.
    pub frames: u32,
    /// Frames at 24 kHz that these are, less where a block was padded or the resampler held some back.
    pub source_frames: u32,
    /// Frames at 24 kHz of the segment when these have been heard.
    pub source_end: u64,
}

/// What the callback tells the DSP thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    Heard { segment: u32, frames: u64 },
    Flushed { generation: u32 },
}

/// What both sides see at once.
#[derive(Debug, Default)]
pub(crate) struct RenderShared {
    /// Generation that may sound; a change is a flush.
    pub generation: AtomicU32,
    /// Whether the DSP thread has audio that belongs in the ring now.
    pub expecting: AtomicBool,
    /// Callbacks that found the ring empty while audio was expected.
    pub underruns: AtomicU32,
    /// How loud it plays; see [`Loudness`].
    pub loudness: AtomicU8,
    /// Frames that the reference had no room for: the far end is no more what was played.
    pub unheard: AtomicU32,
}

/// The DSP thread's ends of the rings, and the callback's.
pub(crate) struct RenderEnds {
    pub samples: Producer<f32>,
    pub marks: Producer<Mark>,
    pub reports: Consumer<Report>,
    pub reference: Consumer<f32>,
}

/// The speaker's real-time side: pops the ring, copies to channels and to the reference, counts what is heard.
pub struct RenderCallback {
    samples: Consumer<f32>,
    marks: Consumer<Mark>,
    reports: Producer<Report>,
    reference: Producer<f32>,
    shared: Arc<RenderShared>,
    generation: u32,
    current: Option<(Mark, u32)>,
    heard: Option<Report>,
    fade: Fade,
    gain: Gain,
}

/// What everything is multiplied with; it moves towards its aim, so that nothing clicks.
#[derive(Clone, Copy, Debug)]
struct Gain {
    present: f32,
    step: f32,
}

impl Gain {
    fn next(&mut self, aim: f32) -> f32 {
        self.present += (aim - self.present).clamp(-self.step, self.step);
        self.present
    }
}

#[derive(Clone, Copy, Debug)]
struct Fade {
    length: u32,
    left: Option<u32>,
}

impl RenderCallback {
    /// Returns a callback for a device at `rate`, and the DSP thread's ends. The ring holds one second.
    pub(crate) fn new(rate: u32, shared: Arc<RenderShared>) -> (Self, RenderEnds) {
        let (samples_in, samples) = rtrb::RingBuffer::new(rate as usize);
        let (marks_in, marks) = rtrb::RingBuffer::new(512);
        let (reports, reports_out) = rtrb::RingBuffer::new(256);
        let (reference, reference_out) = rtrb::RingBuffer::new(rate as usize);
        let generation = shared.generation.load(Ordering::Acquire);
        let length = (rate * FADE_MS / 1000).max(1);
        let fade = Fade { length, left: None };
        let gain = Gain { present: 1.0, step: 1.0 / length as f32 };
        let callback =
            Self { samples, marks, reports, reference, shared, generation, current: None, heard: None, fade, gain };
        (callback, RenderEnds { samples: samples_in, marks: marks_in, reports: reports_out, reference: reference_out })
    }

    /// Fills interleaved samples of `channels`. Called on the device's real-time thread.
    pub fn fill<S: Copy>(&mut self, interleaved: &mut [S], channels: u16, from_f32: impl Fn(f32) -> S) {
        let wanted = self.shared.generation.load(Ordering::Acquire);
        if wanted != self.generation && self.fade.left.is_none() {
            // What stands still is silent already.
            self.fade.left = Some(if self.gain.present == 0.0 { 0 } else { self.fade.length });
        }
        let aim = Loudness::gain(self.shared.loudness.load(Ordering::Acquire));
        // A pause must not keep a flush waiting.
        let pausing = aim == 0.0 && wanted == self.generation;
        let mut starved = false;
        let mut unheard = 0;
        for frame in interleaved.chunks_exact_mut(usize::from(channels.max(1))) {
            let paused = pausing && self.gain.present == 0.0;
            let sample = if paused { None } else { self.next_sample(wanted) };
            starved |= sample.is_none() && !paused;
            let value = sample.unwrap_or(0.0) * self.gain.next(aim);
            unheard += u32::from(self.reference.push(value).is_err());
            frame.fill(from_f32(value));
        }
        if unheard > 0 {
            self.shared.unheard.fetch_add(unheard, Ordering::Relaxed);
        }
        if starved && self.shared.expecting.load(Ordering::Relaxed) {
            self.shared.underruns.fetch_add(1, Ordering::Relaxed);
        }
        self.report_heard();
    }

    fn next_sample(&mut self, wanted: u32) -> Option<f32> {
        match self.fade.left {
            Some(0) => self.finish_flush(wanted),
            None if wanted != self.generation => return None,
            Some(_) | None => {}
        }
        let Some(sample) = self.pop() else {
            if self.fade.left.is_some() {
                self.finish_flush(wanted);
                return self.pop();
            }
            return None;
        };
        let Some(left) = self.fade.left else { return Some(sample) };
        self.fade.left = Some(left - 1);
        Some(sample * left as f32 / self.fade.length as f32)
    }

    fn pop(&mut self) -> Option<f32> {
        if self.current.is_none_or(|(mark, used)| used >= mark.frames) {
            let next = *self.marks.peek().ok()?;
            if self.fade.left.is_some() && next.generation != self.generation {
                return None;
            }
            self.report_heard();
            let _ = self.marks.pop();
            self.current = Some((next, 0));
        }
        let (mark, used) = self.current.as_mut()?;
        let sample = self.samples.pop().ok()?;
        *used += 1;
        let rest = u64::from(mark.source_frames) * u64::from(mark.frames - *used) / u64::from(mark.frames.max(1));
        self.heard = Some(Report::Heard { segment: mark.segment, frames: mark.source_end - rest });
        Some(sample)
    }

    /// Throws away what is left of older generations and says that the speaker is silent.
    fn finish_flush(&mut self, wanted: u32) {
        if let Some((mark, used)) = self.current.take() {
            self.discard(mark.frames - used);
        }
        while let Ok(mark) = self.marks.peek().copied() {
            if mark.generation == wanted {
                break;
            }
            let _ = self.marks.pop();
            self.discard(mark.frames);
        }
        self.report_heard();
        if self.reports.push(Report::Flushed { generation: wanted }).is_ok() {
            self.generation = wanted;
            self.fade.left = None;
        }
    }

    fn discard(&mut self, frames: u32) {
        let count = (frames as usize).min(self.samples.slots());
        if let Ok(chunk) = self.samples.read_chunk(count) {
            chunk.commit_all();
        }
    }

    fn report_heard(&mut self) {
        if let Some(report) = self.heard
            && self.reports.push(report).is_ok()
        {
            self.heard = None;
        }
    }
}
