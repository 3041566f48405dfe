//! One step of the DSP thread: captured frames to 10 ms chunks, queued audio to the render ring, reports to events.

mod playout;
mod uplink;

use std::{collections::VecDeque, sync::atomic::Ordering};

use protocol::Pcm16;

use crate::{
    AudioError, Backend, BackendEvent, Dbfs, Direction, Echo, EchoHealth, EchoMode, INSIDE_RATE, Loudness, NearEnd,
    Voice, clock_drift::ClockDrift, likeness::Likeness,
};
use playout::{OpeningOutput, Output, Queued};
use uplink::{Input, OpeningInput};

/// How far ahead the render ring is filled at first. `heard` is counted behind it, so depth costs no truth.
const FIRST_AHEAD_MS: u32 = 60;
/// Device buffer at first (measured: 10 ms in and 20 ms out ran without gaps on a busy two-core machine).
const FIRST_BUFFER_MS: u32 = 20;
const MOST_BUFFER_MS: u32 = 80;
/// The canceller learns the room anew for so long, and lets some of the echo through (measured).
const RELEARN_MS: u32 = 300;
/// The thread's, and some more where there are commands.
pub(crate) const STEPS_PER_SECOND: u32 = 333;
/// Steps between two tries to open a device that is wanted and not there: half a second.
const RETRY_STEPS: u32 = STEPS_PER_SECOND / 2;
/// Steps after which a speaker is closed that nobody needs: two seconds.
const UNUSED_STEPS: u32 = STEPS_PER_SECOND * 2;

/// Names a stretch of audio that is heard as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Segment(pub u32);

/// What the microphone gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capture {
    /// Sound, or at least noise.
    Sound,
    /// Nothing but zeros: it is switched off, or somebody else has it.
    Zeros,
    /// Nothing at all.
    Nothing,
}

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
    /// Play softer, stand still, or play as before; nothing is lost.
    Loudness(Loudness),
    /// Keep the microphone from hearing the speaker in another way.
    Echo(EchoMode),
    /// Fade out, forget everything queued, report.
    Flush {
        /// Counts flushes, never repeats.
        generation: u32,
    },
}

/// What the owner must know.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// 10 ms from the microphone.
    Mic(Pcm16),
    /// The microphone is open; what it hears leaves so late.
    MicDelay {
        /// By the canceller.
        ms: u32,
    },
    /// Somebody speaks at the microphone, or does not.
    Voice(Voice),
    /// How well the echo is cancelled, twice a second while the speaker sounds.
    Echo(EchoHealth),
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
        /// Whether the microphone has reached full scale since.
        clipped: bool,
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
    /// A microphone's stream has begun or ended.
    Recording(bool),
    /// A device could not be opened, or is gone.
    DeviceFailed {
        /// Which way.
        direction: Direction,
        /// Why.
        error: AudioError,
    },
    /// A device works, or works again.
    DeviceReady {
        /// Which way.
        direction: Direction,
        /// What the system calls it, where it says so.
        name: Option<String>,
    },
    /// What the microphone gives, when that changes.
    Capture(Capture),
    /// A file played as microphone has come to its end.
    InputEnded,
}

/// Everything between the callbacks and the owner. [`Dsp::step`] is one turn; [`crate::Audio`] is only a thread around it.
pub struct Dsp {
    backend: Box<dyn Backend>,
    input: Option<Input>,
    output: Option<Output>,
    opening_input: Option<OpeningInput>,
    opening_output: Option<OpeningOutput>,
    mic_wanted: bool,
    /// Steps until a device that was lost is tried again.
    retry: [Option<u32>; 2],
    mode: EchoMode,
    echo: Echo,
    near_end: NearEnd,
    drift: ClockDrift,
    likeness: Likeness,
    /// What the render callback wrote, at 48 kHz of the microphone's clock, for the canceller.
    far: Vec<f32>,
    loudness: Loudness,
    queue: VecDeque<Queued>,
    ahead_ms: u32,
    buffer_ms: u32,
    generation: u32,
    /// The flush that the stream has not yet answered.
    flushing: Option<u32>,
    output_level: Dbfs,
    chunks: u32,
    /// Steps for which nobody has needed the speaker.
    unused: u32,
    recording_told: bool,
}

impl Dsp {
    /// Returns a pipeline with both devices closed.
    pub fn new(backend: Box<dyn Backend>, mode: EchoMode) -> Self {
        Self {
            backend,
            input: None,
            output: None,
            opening_input: None,
            opening_output: None,
            mic_wanted: false,
            retry: [None; 2],
            mode,
            echo: Echo::new(mode),
            near_end: NearEnd::new(),
            drift: ClockDrift::new(),
            likeness: Likeness::new(),
            far: Vec::with_capacity(INSIDE_RATE as usize),
            loudness: Loudness::Full,
            queue: VecDeque::new(),
            ahead_ms: FIRST_AHEAD_MS,
            buffer_ms: FIRST_BUFFER_MS,
            generation: 0,
            flushing: None,
            output_level: Dbfs(-100.0),
            chunks: 0,
            unused: 0,
            recording_told: false,
        }
    }

    /// Takes a command.
    pub fn handle(&mut self, command: Command, emit: &mut dyn FnMut(Event)) {
        self.carry_out(command, emit);
        self.tell_recording(emit);
    }

    fn tell_recording(&mut self, emit: &mut dyn FnMut(Event)) {
        let recording = self.input.is_some();
        if std::mem::replace(&mut self.recording_told, recording) != recording {
            emit(Event::Recording(recording));
        }
    }

    fn carry_out(&mut self, command: Command, emit: &mut dyn FnMut(Event)) {
        match command {
            Command::Mic { open: true } => {
                self.mic_wanted = true;
                if self.input.is_none() && self.opening_input.is_none() {
                    self.open_input(emit);
                }
                if self.output.is_none() && self.opening_output.is_none() {
                    self.open_output(emit);
                }
            }
            Command::Mic { open: false } => {
                self.mic_wanted = false;
                self.input = None;
                self.opening_input = None;
                self.retry = [None; 2];
                emit(Event::Level { input: Dbfs(-100.0), output: self.output_level, clipped: false });
            }
            Command::Play { segment, pcm } => {
                if self.output.is_none() && self.opening_output.is_none() {
                    self.open_output(emit);
                }
                if self.output.is_none() && self.opening_output.is_none() {
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
            Command::Loudness(loudness) => {
                self.loudness = loudness;
                if let Some(output) = &self.output {
                    output.shared.loudness.store(loudness as u8, Ordering::Release);
                }
            }
            Command::Echo(mode) => {
                if mode != self.mode {
                    self.mode = mode;
                    self.echo = Echo::new(mode);
                    self.near_end = NearEnd::new();
                    self.relearn();
                    emit(Event::MicDelay { ms: self.echo.delay_ms() });
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

    /// Returns whether nothing is open and nothing is to be done.
    pub fn is_idle(&self) -> bool {
        let closed = self.input.is_none() && self.output.is_none();
        closed && self.opening_input.is_none() && self.opening_output.is_none() && self.retry == [None; 2]
    }

    /// Does what is due now: every 3 ms or so.
    pub fn step(&mut self, emit: &mut dyn FnMut(Event)) {
        self.handle_backend(emit);
        self.finish_input(emit);
        self.finish_output(emit);
        self.retry_lost(emit);
        self.close_unused(emit);
        // The far end goes ahead of the near end that may hold its echo.
        self.pump_output(emit);
        self.pump_input(emit);
        self.tell_recording(emit);
    }

    fn handle_backend(&mut self, emit: &mut dyn FnMut(Event)) {
        while let Some(event) = self.backend.poll() {
            match event {
                BackendEvent::InputEnded => emit(Event::InputEnded),
                BackendEvent::Xrun(Direction::Input) => self.relearn(),
                BackendEvent::Xrun(Direction::Output) => {
                    self.relearn();
                    if self.output.is_some() && self.buffer_ms < MOST_BUFFER_MS {
                        self.buffer_ms *= 2;
                        self.close_output(emit);
                        self.open_output(emit);
                        emit(Event::Underrun { buffer_ms: self.buffer_ms });
                    }
                }
                BackendEvent::DefaultChanged(direction) => {
                    tracing::info!(?direction, "The system's default device is another one");
                    self.reopen(direction, emit);
                }
                BackendEvent::Lost(direction, words) => {
                    tracing::info!(?direction, words, "A device is gone; the next one is tried");
                    self.reopen(direction, emit);
                }
            }
        }
    }

    /// Goes on with the device that is the right one now, if one was in use.
    fn reopen(&mut self, direction: Direction, emit: &mut dyn FnMut(Event)) {
        match direction {
            Direction::Input if self.input.take().is_some() || self.opening_input.is_some() => self.open_input(emit),
            Direction::Output if self.output.is_some() || self.opening_output.is_some() => {
                self.close_output(emit);
                self.open_output(emit);
            }
            Direction::Input | Direction::Output => {}
        }
    }

    /// Outside a talk the speaker is open for as long as it plays.
    fn close_unused(&mut self, emit: &mut dyn FnMut(Event)) {
        let is_unused = self.output.is_some() && !self.mic_wanted && self.queue.is_empty() && self.flushing.is_none();
        self.unused = if is_unused { self.unused + 1 } else { 0 };
        if self.unused >= UNUSED_STEPS {
            self.unused = 0;
            self.close_output(emit);
        }
    }

    /// What is wanted and not there is looked for: a device may be plugged in at any time.
    fn retry_lost(&mut self, emit: &mut dyn FnMut(Event)) {
        for direction in [Direction::Input, Direction::Output] {
            let Some(steps) = &mut self.retry[direction as usize] else { continue };
            *steps = steps.saturating_sub(1);
            if *steps > 0 {
                continue;
            }
            match direction {
                Direction::Input if self.opening_input.is_none() => self.open_input(emit),
                Direction::Output if self.opening_output.is_none() => self.open_output(emit),
                Direction::Input | Direction::Output => {}
            }
        }
    }

    /// A device could not be opened: it is said once, and tried again while it is wanted.
    fn handle_missing(&mut self, direction: Direction, error: AudioError, emit: &mut dyn FnMut(Event)) {
        let told = self.retry[direction as usize].is_some();
        self.retry[direction as usize] = self.mic_wanted.then_some(RETRY_STEPS);
        if !told {
            emit(Event::DeviceFailed { direction, error });
        }
    }

    fn handle_opened(&mut self, direction: Direction, name: Option<String>, emit: &mut dyn FnMut(Event)) {
        self.retry[direction as usize] = None;
        self.relearn();
        emit(Event::DeviceReady { direction, name });
    }

    /// The streams were shifted against each other: what the canceller knows of the room is wrong.
    fn relearn(&mut self) {
        tracing::debug!("The canceller starts anew");
        self.echo.restart();
        self.drift.restart();
        self.far.clear();
        self.near_end.distrust(RELEARN_MS);
    }
}
