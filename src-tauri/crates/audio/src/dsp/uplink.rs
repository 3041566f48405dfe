//! From the capture ring to chunks for the wire.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
    mpsc::{Receiver, TryRecvError, channel},
};

use protocol::{Pcm16, SAMPLE_RATE};
use rtrb::Consumer;

use super::{Capture, Dsp, Event, STEPS_PER_SECOND};
use crate::{
    AudioError, BLOCK, CaptureCallback, Dbfs, Direction, INSIDE_RATE, OpenStream, Opened, Opening, Resampler,
    clock_drift::Streams, level_of,
};

/// Frames at 24 kHz in one chunk for the wire: 10 ms, for a longer one is 10 ms later (measured).
const CHUNK: usize = 240;
/// Chunks between two level events: 25 a second.
const CHUNKS_PER_LEVEL: u32 = 4;
/// Chunks between two reports of the canceller: twice a second.
const CHUNKS_PER_HEALTH: u32 = 50;
/// A sample that says no more than that it was too loud.
const FULL_SCALE: f32 = 0.999;
/// Seconds of zeros that no microphone gives: its own noise is more.
const ZEROS_S: u64 = 2;
/// Steps without a frame after which none will come: two seconds.
const IDLE_STEPS: u32 = STEPS_PER_SECOND * 2;
/// A speaker that is quieter makes no echo to speak of.
const AUDIBLE: Dbfs = Dbfs(-60.0);

pub(super) struct Input {
    _stream: Box<dyn OpenStream>,
    ring: Consumer<f32>,
    dropped: Arc<AtomicU64>,
    dropped_told: u64,
    rate: u32,
    /// Frames of zeros in a row, and steps without any frame.
    zeros: u64,
    idle: u32,
    told: Capture,
    clipped: bool,
    to_inside: Resampler,
    to_wire: Resampler,
    raw: Vec<f32>,
    inside: Vec<f32>,
    wire: Vec<f32>,
}

/// A microphone that is being opened.
pub(super) struct OpeningInput {
    opened: Receiver<Opened>,
    made: Receiver<(Consumer<f32>, u32)>,
    dropped: Arc<AtomicU64>,
}

impl Input {
    /// Returns what the microphone gives if that is not what it gave before.
    fn change(&mut self) -> Option<Capture> {
        self.idle = if self.raw.is_empty() { self.idle + 1 } else { 0 };
        self.clipped |= self.raw.iter().any(|s| s.abs() >= FULL_SCALE);
        let silent = self.raw.iter().all(|s| *s == 0.0);
        self.zeros = if silent { self.zeros + self.raw.len() as u64 } else { 0 };
        let now = match () {
            () if self.idle >= IDLE_STEPS => Capture::Nothing,
            () if self.zeros >= u64::from(self.rate) * ZEROS_S => Capture::Zeros,
            // An idle stream that delivers nothing has not proved that it delivers sound.
            () if self.raw.is_empty() => self.told,
            () if silent => match self.told {
                Capture::Nothing => Capture::Sound,
                told @ (Capture::Sound | Capture::Zeros) => told,
            },
            () => Capture::Sound,
        };
        (std::mem::replace(&mut self.told, now) != now).then_some(now)
    }
}

impl Dsp {
    pub(super) fn open_input(&mut self, emit: &mut dyn FnMut(Event)) {
        let dropped = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&dropped);
        let (tell, made) = channel();
        let (opening, opened) = Opening::new(move |format| {
            // Two seconds: an idle PulseAudio null source may deliver as much at once.
            let (producer, ring) = rtrb::RingBuffer::new(format.rate as usize * 2);
            let _ = tell.send((ring, format.rate));
            CaptureCallback::new(producer, counted)
        });
        self.backend.open_input(opening);
        self.opening_input = Some(OpeningInput { opened, made, dropped });
        self.finish_input(emit);
    }

    /// Takes the microphone that has been opened meanwhile.
    pub(super) fn finish_input(&mut self, emit: &mut dyn FnMut(Event)) {
        let Some(OpeningInput { opened, made, dropped }) = self.opening_input.take() else { return };
        match opened.try_recv().map(|opened| (opened, made.try_recv().ok())) {
            Err(TryRecvError::Empty) => self.opening_input = Some(OpeningInput { opened, made, dropped }),
            Ok((Ok(stream), Some((ring, rate)))) => {
                let name = stream.name();
                self.input = Some(Input {
                    _stream: stream,
                    ring,
                    dropped,
                    dropped_told: 0,
                    rate,
                    zeros: 0,
                    idle: 0,
                    told: Capture::Sound,
                    clipped: false,
                    to_inside: Resampler::new(rate, INSIDE_RATE),
                    to_wire: Resampler::new(INSIDE_RATE, SAMPLE_RATE),
                    raw: Vec::with_capacity(rate as usize),
                    inside: Vec::with_capacity(INSIDE_RATE as usize),
                    wire: Vec::with_capacity(SAMPLE_RATE as usize),
                });
                self.handle_opened(Direction::Input, name, emit);
                emit(Event::MicDelay { ms: self.echo.delay_ms() });
            }
            Ok((Err(error), _)) => self.handle_missing(Direction::Input, error, emit),
            Ok((Ok(_), None)) | Err(TryRecvError::Disconnected) => {
                let error = AudioError::Failed(Direction::Input, "the driver gave no stream".into());
                self.handle_missing(Direction::Input, error, emit);
            }
        }
    }

    pub(super) fn pump_input(&mut self, emit: &mut dyn FnMut(Event)) {
        let Some(input) = &mut self.input else { return };
        let count = input.ring.slots();
        if let Ok(chunk) = input.ring.read_chunk(count) {
            input.raw.extend(chunk);
        }
        if let Some(capture) = input.change() {
            emit(Event::Capture(capture));
        }
        self.drift.count_near(input.raw.len(), input.rate);
        input.to_inside.push(&input.raw, &mut input.inside);
        input.raw.clear();
        let whole = input.inside.len() / BLOCK * BLOCK;
        for far in self.far.chunks_exact(BLOCK) {
            self.echo.push_far(far);
            self.likeness.push_far(far);
        }
        self.far.drain(..self.far.len() / BLOCK * BLOCK);
        let mut shifted = self.output.is_some() && self.drift.compare() == Streams::Shifted;
        for block in input.inside[..whole].chunks_exact_mut(BLOCK) {
            self.likeness.push_near(block);
            self.echo.clean(block, self.near_end.hears());
            let likeness = &self.likeness;
            self.near_end
                .push(block, self.echo.far_end(), &|| likeness.is_echo(), &mut |voice| emit(Event::Voice(voice)));
            if self.near_end.hears_echo() {
                // The server is not to take it for the user either.
                block.fill(0.0);
            }
        }
        input.to_wire.push(&input.inside[..whole], &mut input.wire);
        input.inside.drain(..whole);
        let mut taken = 0;
        for chunk in input.wire.chunks_exact(CHUNK) {
            taken += CHUNK;
            self.chunks += 1;
            if self.chunks.is_multiple_of(CHUNKS_PER_LEVEL) {
                let clipped = std::mem::take(&mut input.clipped);
                emit(Event::Level { input: level_of(chunk), output: self.output_level, clipped });
            }
            if self.chunks.is_multiple_of(CHUNKS_PER_HEALTH)
                && self.output_level.0 > AUDIBLE.0
                && let Some(health) = self.echo.health()
            {
                emit(Event::Echo(health));
            }
            emit(Event::Mic(Pcm16(chunk.iter().map(|s| to_i16(*s)).collect())));
        }
        input.wire.drain(..taken);
        let dropped = input.dropped.load(Ordering::Relaxed);
        if dropped != input.dropped_told {
            input.dropped_told = dropped;
            emit(Event::Overrun { frames: dropped });
            shifted = true;
        }
        if shifted {
            self.relearn();
        }
    }
}

fn to_i16(sample: f32) -> i16 {
    (sample.clamp(-1.0, 1.0) * 32767.0).round() as i16
}
