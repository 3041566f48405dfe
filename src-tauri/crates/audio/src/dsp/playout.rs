//! From the queue to the render ring, and what the render callback reports.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, TryRecvError, channel},
    },
};

use protocol::{Pcm16, SAMPLE_RATE};

use super::{Dsp, Event, Segment};
use crate::{
    AudioError, Direction, INSIDE_RATE, OpenStream, Opened, Opening, Resampler, level_of,
    limiter::Limiter,
    render::{Mark, RenderCallback, RenderEnds, RenderShared, Report},
};

/// Frames at 24 kHz taken from the queue at once: 10 ms.
const SOURCE_BLOCK: usize = 240;
/// No machine that is of use needs more.
const MOST_AHEAD_MS: u32 = 480;

pub(super) struct Output {
    _stream: Box<dyn OpenStream>,
    rate: u32,
    ends: RenderEnds,
    pub shared: Arc<RenderShared>,
    underruns_told: u32,
    pub resampler: Resampler,
    limiter: Limiter,
    made: Vec<f32>,
    reference: Vec<f32>,
    /// To the rate of the canceller.
    to_inside: Resampler,
    inside: Vec<f32>,
}

/// A speaker that is being opened.
pub(super) struct OpeningOutput {
    opened: Receiver<Opened>,
    made: Receiver<(RenderEnds, u32)>,
    shared: Arc<RenderShared>,
}

/// Audio of one segment that has not been heard. It is kept until then, so that a stream that is opened anew goes on
/// where the old one was.
pub(super) struct Queued {
    pub segment: Segment,
    pub samples: VecDeque<i16>,
    /// Frame number of the first of `samples`.
    base: u64,
    /// Frames that the resampler has been given.
    sent: u64,
    pub ended: bool,
    /// Frames that have left the resampler.
    out: u64,
    /// Silence pushed behind the last block that was whole.
    padded: u64,
}

impl Queued {
    pub fn new(segment: Segment, pcm: Pcm16) -> Self {
        Self { segment, samples: pcm.0.into(), base: 0, sent: 0, out: 0, padded: 0, ended: false }
    }

    fn waiting(&self) -> usize {
        self.samples.len() - (self.sent - self.base) as usize
    }

    fn has_work(&self) -> bool {
        self.waiting() > 0 || (self.ended && self.out < self.sent)
    }

    fn handle_heard(&mut self, frames: u64) {
        let heard = frames.clamp(self.base, self.sent);
        self.samples.drain(..(heard - self.base) as usize);
        self.base = heard;
    }

    fn is_over(&self) -> bool {
        self.ended && self.out == self.sent && self.samples.is_empty()
    }
}

impl Dsp {
    pub(super) fn open_output(&mut self, emit: &mut dyn FnMut(Event)) {
        let shared = Arc::new(RenderShared::default());
        shared.generation.store(self.generation, Ordering::Release);
        shared.loudness.store(self.loudness as u8, Ordering::Release);
        let seen = Arc::clone(&shared);
        let (tell, made) = channel();
        let (opening, opened) = Opening::new(move |format| {
            let (callback, ends) = RenderCallback::new(format.rate, seen);
            let _ = tell.send((ends, format.rate));
            callback
        });
        self.backend.open_output(self.buffer_ms, opening);
        self.opening_output = Some(OpeningOutput { opened, made, shared });
        self.finish_output(emit);
    }

    /// Takes the speaker that has been opened meanwhile.
    pub(super) fn finish_output(&mut self, emit: &mut dyn FnMut(Event)) {
        let Some(OpeningOutput { opened, made, shared }) = self.opening_output.take() else { return };
        match opened.try_recv().map(|opened| (opened, made.try_recv().ok())) {
            Err(TryRecvError::Empty) => self.opening_output = Some(OpeningOutput { opened, made, shared }),
            Ok((Ok(stream), Some((ends, rate)))) => {
                shared.generation.store(self.generation, Ordering::Release);
                shared.loudness.store(self.loudness as u8, Ordering::Release);
                let name = stream.name();
                self.output = Some(Output {
                    _stream: stream,
                    rate,
                    ends,
                    shared,
                    underruns_told: 0,
                    resampler: Resampler::new(SAMPLE_RATE, rate),
                    limiter: Limiter::new(),
                    made: Vec::with_capacity(rate as usize / 10),
                    reference: Vec::with_capacity(rate as usize),
                    to_inside: Resampler::new(rate, INSIDE_RATE),
                    inside: Vec::with_capacity(INSIDE_RATE as usize),
                });
                self.handle_opened(Direction::Output, name, emit);
            }
            Ok((Err(error), _)) => self.give_up_output(error, emit),
            Ok((Ok(_), None)) | Err(TryRecvError::Disconnected) => {
                let error = AudioError::Failed(Direction::Output, "the driver gave no stream".into());
                self.give_up_output(error, emit);
            }
        }
    }

    fn give_up_output(&mut self, error: AudioError, emit: &mut dyn FnMut(Event)) {
        // Nobody will hear it; what cannot be heard must not be waited for.
        self.queue.clear();
        self.handle_missing(Direction::Output, error, emit);
    }

    /// Closes the stream and tells its last reports. What it has not played is queued again.
    pub(super) fn close_output(&mut self, emit: &mut dyn FnMut(Event)) {
        let Some(Output { _stream: stream, mut ends, .. }) = self.output.take() else { return };
        drop(stream);
        self.handle_reports(&mut ends, emit);
        if let Some(generation) = self.flushing.take() {
            emit(Event::Flushed { generation });
        }
        for queued in &mut self.queue {
            (queued.sent, queued.out) = (queued.base, queued.base);
            queued.padded = 0;
        }
    }

    fn handle_reports(&mut self, ends: &mut RenderEnds, emit: &mut dyn FnMut(Event)) {
        while let Ok(report) = ends.reports.pop() {
            match report {
                Report::Heard { segment, frames } => {
                    let segment = Segment(segment);
                    if let Some(queued) = self.queue.iter_mut().rfind(|q| q.segment == segment) {
                        queued.handle_heard(frames);
                    }
                    self.queue.retain(|q| !q.is_over());
                    emit(Event::Heard { segment, frames });
                }
                Report::Flushed { generation } => {
                    self.flushing.take_if(|g| *g == generation);
                    emit(Event::Flushed { generation });
                }
            }
        }
    }

    pub(super) fn pump_output(&mut self, emit: &mut dyn FnMut(Event)) {
        let Some(mut output) = self.output.take() else { return };
        let target = (output.rate * self.ahead_ms / 1000) as usize;
        let capacity = output.ends.samples.buffer().capacity();
        loop {
            let filled = capacity - output.ends.samples.slots();
            if filled >= target || output.ends.marks.slots() < 2 {
                break;
            }
            let starving = filled < output.rate as usize / 100;
            if !push_block(&mut self.queue, &mut output, self.generation, starving) {
                break;
            }
        }
        let waiting = self.queue.iter().any(|q| q.waiting() > 0);
        output.shared.expecting.store(waiting, Ordering::Relaxed);

        let count = output.ends.reference.slots();
        if let Ok(chunk) = output.ends.reference.read_chunk(count) {
            output.reference.clear();
            output.reference.extend(chunk);
        }
        if !output.reference.is_empty() {
            self.output_level = level_of(&output.reference);
        }
        if self.input.is_some() {
            self.drift.count_far(output.reference.len(), output.rate);
            output.inside.clear();
            output.to_inside.push(&output.reference, &mut output.inside);
            self.drift.push_far(&output.inside, &mut self.far);
        }
        output.reference.clear();
        if output.shared.unheard.swap(0, Ordering::Relaxed) > 0 {
            self.relearn();
        }
        self.handle_reports(&mut output.ends, emit);
        let underruns = output.shared.underruns.load(Ordering::Relaxed);
        if underruns != output.underruns_told {
            output.underruns_told = underruns;
            self.ahead_ms = (self.ahead_ms * 2).min(MOST_AHEAD_MS);
            emit(Event::Underrun { buffer_ms: self.ahead_ms });
        }
        self.output = Some(output);
    }
}

/// Moves one block of the first segment that has any to the ring; returns whether there was one.
///
/// A block that is not full waits for more, unless its segment has ended or the ring runs dry.
fn push_block(queue: &mut VecDeque<Queued>, output: &mut Output, generation: u32, starving: bool) -> bool {
    let Some(index) = queue.iter().position(Queued::has_work) else { return false };
    let queued = &mut queue[index];
    let available = queued.waiting().min(SOURCE_BLOCK);
    let may_pad = queued.ended || (starving && available > 0);
    if available < SOURCE_BLOCK && !may_pad {
        return false;
    }
    let mut block = [0.0; SOURCE_BLOCK];
    let from = (queued.sent - queued.base) as usize;
    for (to, from) in block.iter_mut().zip(queued.samples.range(from..from + available)) {
        *to = f32::from(*from) / 32768.0;
    }
    output.limiter.apply(&mut block);
    queued.sent += available as u64;
    queued.padded = if available == SOURCE_BLOCK { 0 } else { queued.padded + (SOURCE_BLOCK - available) as u64 };
    output.made.clear();
    output.resampler.push(&block, &mut output.made);
    // What the resampler holds back is not on its way yet, but for what silence has pushed out.
    let held = (output.resampler.held() as u64).saturating_sub(queued.padded);
    let before = queued.out;
    queued.out = queued.sent.saturating_sub(held).max(before);
    if !output.made.is_empty() && output.ends.samples.push_entire_slice(&output.made).is_ok() {
        let _ = output.ends.marks.push(Mark {
            segment: queued.segment.0,
            generation,
            frames: u32::try_from(output.made.len()).unwrap_or(u32::MAX),
            source_frames: (queued.out - before) as u32,
            source_end: queued.out,
        });
    }
    if queued.is_over() {
        queue.remove(index);
    }
    true
}
