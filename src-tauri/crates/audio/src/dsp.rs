//! One step of the DSP thread: captured frames to 20 ms chunks, queued audio to the render ring, reports to events.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use protocol::{Pcm16, SAMPLE_RATE};
use rtrb::Consumer;

use crate::{
    AudioError, BLOCK, Backend, BackendEvent, CaptureCallback, Dbfs, Direction, INSIDE_RATE, OpenStream, Resampler,
    level_of,
    render::{Mark, RenderCallback, RenderEnds, RenderShared, Report},
};

/// Frames at 24 kHz in one chunk for the wire: 20 ms.
const CHUNK: usize = 480;
/// Frames at 24 kHz taken from the queue at once: 10 ms.
const SOURCE_BLOCK: usize = 240;
/// How far ahead the render ring is filled at first. `heard` is counted behind it, so depth costs no truth.
const FIRST_AHEAD_MS: u32 = 60;
/// No machine that is of use needs more.
const MOST_AHEAD_MS: u32 = 480;
/// Device buffer at first (measured: 10 ms in and 20 ms out ran without gaps on a busy two-core machine).
const FIRST_BUFFER_MS: u32 = 20;
const MOST_BUFFER_MS: u32 = 80;
/// Chunks between two level events: 25 a second.
const CHUNKS_PER_LEVEL: u32 = 2;

/// Names a stretch of audio that is heard as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Segment(pub u32);

/// What the owner wants.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Open or close the microphone.
    Mic {
        /// Whether it is to run.
        open: bool,
    },
    /// Queue audio.
    Play {
        /// Whose.
        segment: Segment,
        /// What.
        pcm: Pcm16,
    },
    /// No more audio for a segment.
    EndSegment {
        /// Which.
        segment: Segment,
    },
    /// Fade out, forget everything queued, report.
    Flush {
        /// Counts flushes, never repeats.
        generation: u32,
    },
}

/// What the owner must know.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// 20 ms from the microphone.
    Mic(Pcm16),
    /// So much of a segment has been handed to the device in all.
    Heard {
        /// Which.
        segment: Segment,
        /// At 24 kHz.
        frames: u64,
    },
    /// The speaker is silent.
    Flushed {
        /// As in the command.
        generation: u32,
    },
    /// How loud it is, 25 times a second.
    Level {
        /// Microphone.
        input: Dbfs,
        /// Speaker.
        output: Dbfs,
    },
    /// Sound was late; the playback buffer has grown.
    Underrun {
        /// To this.
        buffer_ms: u32,
    },
    /// Captured frames were lost because this thread was late.
    Overrun {
        /// How many, in all.
        frames: u64,
    },
    /// A device could not be opened, or is gone.
    DeviceFailed {
        /// Which way.
        direction: Direction,
        /// Why.
        error: AudioError,
    },
    /// A device works again.
    DeviceReady {
        /// Which way.
        direction: Direction,
    },
    /// A file played as microphone has come to its end.
    InputEnded,
}

/// Everything between the callbacks and the owner. [`Dsp::step`] is one turn; [`crate::Audio`] is only a thread around it.
pub struct Dsp {
    backend: Box<dyn Backend>,
    input: Option<Input>,
    output: Option<Output>,
    queue: VecDeque<Queued>,
    ahead_ms: u32,
    buffer_ms: u32,
    generation: u32,
    /// The flush that the stream has not yet answered.
    flushing: Option<u32>,
    output_level: Dbfs,
    chunks: u32,
}

struct Input {
    _stream: Box<dyn OpenStream>,
    ring: Consumer<f32>,
    dropped: Arc<AtomicU64>,
    dropped_told: u64,
    to_inside: Resampler,
    to_wire: Resampler,
    raw: Vec<f32>,
    inside: Vec<f32>,
    wire: Vec<f32>,
}

struct Output {
    _stream: Box<dyn OpenStream>,
    rate: u32,
    ends: RenderEnds,
    shared: Arc<RenderShared>,
    underruns_told: u32,
    resampler: Resampler,
    made: Vec<f32>,
    reference: Vec<f32>,
}

/// Audio of one segment that has not been heard. It is kept until then, so that a stream that is opened anew goes on
/// where the old one was.
struct Queued {
    segment: Segment,
    samples: VecDeque<i16>,
    /// Frame number of the first of `samples`.
    base: u64,
    /// Frames that are in the ring or heard.
    sent: u64,
    ended: bool,
    /// Whether what the resampler holds back has been pushed out.
    drained: bool,
}

impl Queued {
    fn new(segment: Segment, pcm: Pcm16) -> Self {
        Self { segment, samples: pcm.0.into(), base: 0, sent: 0, ended: false, drained: false }
    }

    fn waiting(&self) -> usize {
        self.samples.len() - (self.sent - self.base) as usize
    }

    fn has_work(&self) -> bool {
        self.waiting() > 0 || (self.ended && !self.drained)
    }

    fn handle_heard(&mut self, frames: u64) {
        let heard = frames.clamp(self.base, self.sent);
        self.samples.drain(..(heard - self.base) as usize);
        self.base = heard;
    }

    fn is_over(&self) -> bool {
        self.ended && self.drained && self.samples.is_empty()
    }
}

impl Dsp {
    /// Returns a pipeline with both devices closed.
    pub fn new(backend: Box<dyn Backend>) -> Self {
        Self {
            backend,
            input: None,
            output: None,
            queue: VecDeque::new(),
            ahead_ms: FIRST_AHEAD_MS,
            buffer_ms: FIRST_BUFFER_MS,
            generation: 0,
            flushing: None,
            output_level: Dbfs(-100.0),
            chunks: 0,
        }
    }

    /// Takes a command.
    pub fn handle(&mut self, command: Command, emit: &mut dyn FnMut(Event)) {
        match command {
            Command::Mic { open: true } => {
                if self.input.is_none() {
                    self.open_input(emit);
                }
                if self.output.is_none() {
                    self.open_output(emit);
                }
            }
            Command::Mic { open: false } => {
                self.input = None;
                emit(Event::Level { input: Dbfs(-100.0), output: self.output_level });
            }
            Command::Play { segment, pcm } => {
                if self.output.is_none() {
                    self.open_output(emit);
                }
                if self.output.is_none() {
                    return;
                }
                match self.queue.iter_mut().rfind(|q| q.segment == segment) {
                    Some(queued) => queued.samples.extend(pcm.0),
                    None => self.queue.push_back(Queued::new(segment, pcm)),
                }
            }
            Command::EndSegment { segment } => {
                if let Some(queued) = self.queue.iter_mut().rfind(|q| q.segment == segment) {
                    queued.ended = true;
                }
            }
            Command::Flush { generation } => {
                self.queue.clear();
                self.generation = generation;
                match &mut self.output {
                    Some(output) => {
                        output.resampler.reset();
                        output.shared.generation.store(generation, Ordering::Release);
                        self.flushing = Some(generation);
                    }
                    None => emit(Event::Flushed { generation }),
                }
            }
        }
    }

    /// Does what is due now: every 5 ms or so.
    pub fn step(&mut self, emit: &mut dyn FnMut(Event)) {
        self.handle_backend(emit);
        self.pump_output(emit);
        self.pump_input(emit);
    }

    fn open_input(&mut self, emit: &mut dyn FnMut(Event)) {
        let dropped = Arc::new(AtomicU64::new(0));
        let mut made = None;
        let opened = self.backend.open_input(&mut |format| {
            // Two seconds: an idle PulseAudio null source may deliver as much at once.
            let (producer, ring) = rtrb::RingBuffer::new(format.rate as usize * 2);
            made = Some((ring, format.rate));
            CaptureCallback::new(producer, Arc::clone(&dropped))
        });
        match (opened, made) {
            (Ok(stream), Some((ring, rate))) => {
                self.input = Some(Input {
                    _stream: stream,
                    ring,
                    dropped,
                    dropped_told: 0,
                    to_inside: Resampler::new(rate, INSIDE_RATE),
                    to_wire: Resampler::new(INSIDE_RATE, SAMPLE_RATE),
                    raw: Vec::with_capacity(rate as usize),
                    inside: Vec::with_capacity(INSIDE_RATE as usize),
                    wire: Vec::with_capacity(SAMPLE_RATE as usize),
                });
                emit(Event::DeviceReady { direction: Direction::Input });
            }
            (Err(error), _) => emit(Event::DeviceFailed { direction: Direction::Input, error }),
            (Ok(_), None) => {}
        }
    }

    fn open_output(&mut self, emit: &mut dyn FnMut(Event)) {
        let shared = Arc::new(RenderShared::default());
        shared.generation.store(self.generation, Ordering::Release);
        let mut made = None;
        let opened = self.backend.open_output(self.buffer_ms, &mut |format| {
            let (callback, ends) = RenderCallback::new(format.rate, Arc::clone(&shared));
            made = Some((ends, format.rate));
            callback
        });
        match (opened, made) {
            (Ok(stream), Some((ends, rate))) => {
                self.output = Some(Output {
                    _stream: stream,
                    rate,
                    ends,
                    shared,
                    underruns_told: 0,
                    resampler: Resampler::new(SAMPLE_RATE, rate),
                    made: Vec::with_capacity(rate as usize / 10),
                    reference: Vec::with_capacity(rate as usize),
                });
                emit(Event::DeviceReady { direction: Direction::Output });
            }
            (Err(error), _) => {
                // Nobody will hear it; what cannot be heard must not be waited for.
                self.queue.clear();
                emit(Event::DeviceFailed { direction: Direction::Output, error });
            }
            (Ok(_), None) => {}
        }
    }

    /// Closes the stream and tells its last reports. What it has not played is queued again.
    fn close_output(&mut self, emit: &mut dyn FnMut(Event)) {
        let Some(Output { _stream: stream, mut ends, .. }) = self.output.take() else { return };
        drop(stream);
        self.handle_reports(&mut ends, emit);
        if let Some(generation) = self.flushing.take() {
            emit(Event::Flushed { generation });
        }
        for queued in &mut self.queue {
            queued.sent = queued.base;
            queued.drained = false;
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

    fn handle_backend(&mut self, emit: &mut dyn FnMut(Event)) {
        while let Some(event) = self.backend.poll() {
            match event {
                BackendEvent::InputEnded => emit(Event::InputEnded),
                BackendEvent::Xrun(Direction::Input) => {}
                BackendEvent::Xrun(Direction::Output) => {
                    if self.output.is_some() && self.buffer_ms < MOST_BUFFER_MS {
                        self.buffer_ms *= 2;
                        self.close_output(emit);
                        self.open_output(emit);
                        emit(Event::Underrun { buffer_ms: self.buffer_ms });
                    }
                }
                BackendEvent::Lost(direction, words) => {
                    match direction {
                        Direction::Input => self.input = None,
                        Direction::Output => {
                            self.close_output(emit);
                            self.queue.clear();
                        }
                    }
                    let error = AudioError::Failed(direction, words);
                    emit(Event::DeviceFailed { direction, error });
                }
            }
        }
    }

    fn pump_input(&mut self, emit: &mut dyn FnMut(Event)) {
        let Some(input) = &mut self.input else { return };
        let count = input.ring.slots();
        if let Ok(chunk) = input.ring.read_chunk(count) {
            input.raw.extend(chunk);
        }
        input.to_inside.push(&input.raw, &mut input.inside);
        input.raw.clear();
        // Echo cancellation belongs here, on whole blocks, with the reference that `pump_output` drains.
        let whole = input.inside.len() / BLOCK * BLOCK;
        input.to_wire.push(&input.inside[..whole], &mut input.wire);
        input.inside.drain(..whole);
        let mut taken = 0;
        for chunk in input.wire.chunks_exact(CHUNK) {
            taken += CHUNK;
            self.chunks += 1;
            if self.chunks.is_multiple_of(CHUNKS_PER_LEVEL) {
                emit(Event::Level { input: level_of(chunk), output: self.output_level });
            }
            emit(Event::Mic(Pcm16(chunk.iter().map(|s| to_i16(*s)).collect())));
        }
        input.wire.drain(..taken);
        let dropped = input.dropped.load(Ordering::Relaxed);
        if dropped != input.dropped_told {
            input.dropped_told = dropped;
            emit(Event::Overrun { frames: dropped });
        }
    }

    fn pump_output(&mut self, emit: &mut dyn FnMut(Event)) {
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
    queued.sent += available as u64;
    // A block of nothing but silence pushes out what the resampler held back.
    queued.drained = available == 0;
    output.made.clear();
    output.resampler.push(&block, &mut output.made);
    if !output.made.is_empty() && output.ends.samples.push_entire_slice(&output.made).is_ok() {
        let _ = output.ends.marks.push(Mark {
            segment: queued.segment.0,
            generation,
            frames: u32::try_from(output.made.len()).unwrap_or(u32::MAX),
            source_frames: available as u32,
            source_end: queued.sent,
        });
    }
    if queued.is_over() {
        queue.remove(index);
    }
    true
}

fn to_i16(sample: f32) -> i16 {
    (sample.clamp(-1.0, 1.0) * 32767.0).round() as i16
}
