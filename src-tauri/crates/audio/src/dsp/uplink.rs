//! From the capture ring to chunks for the wire.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use protocol::{Pcm16, SAMPLE_RATE};
use rtrb::Consumer;

use super::{Dsp, Event};
use crate::{BLOCK, CaptureCallback, Dbfs, Direction, INSIDE_RATE, OpenStream, Resampler, level_of};

/// Frames at 24 kHz in one chunk for the wire: 20 ms.
const CHUNK: usize = 480;
/// Chunks between two level events: 25 a second.
const CHUNKS_PER_LEVEL: u32 = 2;
/// Chunks between two reports of the canceller: twice a second.
const CHUNKS_PER_HEALTH: u32 = 25;
/// A speaker that is quieter makes no echo to speak of.
const AUDIBLE: Dbfs = Dbfs(-60.0);

pub(super) struct Input {
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

impl Dsp {
    pub(super) fn open_input(&mut self, emit: &mut dyn FnMut(Event)) {
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
                self.handle_opened(Direction::Input, emit);
                emit(Event::MicDelay { ms: self.echo.delay_ms() });
            }
            (Err(error), _) => self.handle_missing(Direction::Input, error, emit),
            (Ok(_), None) => {}
        }
    }

    pub(super) fn pump_input(&mut self, emit: &mut dyn FnMut(Event)) {
        let Some(input) = &mut self.input else { return };
        let count = input.ring.slots();
        if let Ok(chunk) = input.ring.read_chunk(count) {
            input.raw.extend(chunk);
        }
        input.to_inside.push(&input.raw, &mut input.inside);
        input.raw.clear();
        let whole = input.inside.len() / BLOCK * BLOCK;
        for far in self.far.chunks_exact(BLOCK) {
            self.echo.push_far(far);
        }
        self.far.drain(..self.far.len() / BLOCK * BLOCK);
        for block in input.inside[..whole].chunks_exact_mut(BLOCK) {
            self.echo.clean(block, self.near_end.hears());
            self.near_end.push(block, self.echo.far_end(), &mut |voice| emit(Event::Voice(voice)));
        }
        input.to_wire.push(&input.inside[..whole], &mut input.wire);
        input.inside.drain(..whole);
        let mut taken = 0;
        for chunk in input.wire.chunks_exact(CHUNK) {
            taken += CHUNK;
            self.chunks += 1;
            if self.chunks.is_multiple_of(CHUNKS_PER_LEVEL) {
                emit(Event::Level { input: level_of(chunk), output: self.output_level });
            }
            if self.chunks.is_multiple_of(CHUNKS_PER_HEALTH) && self.output_level.0 > AUDIBLE.0 {
                emit(Event::Echo(self.echo.health()));
            }
            emit(Event::Mic(Pcm16(chunk.iter().map(|s| to_i16(*s)).collect())));
        }
        input.wire.drain(..taken);
        let dropped = input.dropped.load(Ordering::Relaxed);
        if dropped != input.dropped_told {
            input.dropped_told = dropped;
            emit(Event::Overrun { frames: dropped });
            self.relearn();
        }
    }
}

fn to_i16(sample: f32) -> i16 {
    (sample.clamp(-1.0, 1.0) * 32767.0).round() as i16
}
