use std::{
    fs::File,
    io::BufWriter,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use hound::{SampleFormat, WavSpec, WavWriter};

use crate::{
    AudioError, BLOCK, Backend, BackendEvent, CaptureCallback, Direction, INSIDE_RATE, OpenStream, Opening,
    RenderCallback, StreamFormat, WavError, WavSource,
};

const FORMAT: StreamFormat = StreamFormat { rate: INSIDE_RATE, channels: 1 };
/// Both files advance by 10 ms at a time.
const TICK: Duration = Duration::from_millis(10);

/// A WAV played as the microphone in real time, and a WAV of what the speaker would have played, on one timeline.
///
/// Nothing moves before [`FileClock::start`]; after the input's end the microphone hears silence.
pub struct FileBackend {
    callbacks: Arc<Mutex<Callbacks>>,
    said: Receiver<BackendEvent>,
}

#[derive(Default)]
struct Callbacks {
    capture: Option<CaptureCallback>,
    render: Option<RenderCallback>,
    /// Why the recording ended before its time.
    failed: Option<String>,
}

/// The timeline's handle; dropping it ends the thread and completes the output file.
pub struct FileClock {
    running: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

struct FileStream;
impl OpenStream for FileStream {}

impl FileBackend {
    /// Opens both files.
    ///
    /// # Errors
    /// The input is no WAV, or the output cannot be written.
    pub fn open(input: &Path, output: &Path) -> Result<(Self, FileClock), WavError> {
        let source = WavSource::open(input, INSIDE_RATE)?;
        let spec =
            WavSpec { channels: 1, sample_rate: INSIDE_RATE, bits_per_sample: 16, sample_format: SampleFormat::Int };
        let writer = WavWriter::create(output, spec)?;
        let (say, said) = channel();
        let callbacks: Arc<Mutex<Callbacks>> = Arc::default();
        let running = Arc::new(AtomicBool::new(false));
        let ended = Arc::new(AtomicBool::new(false));
        let timeline = Timeline {
            source,
            writer: Some(writer),
            callbacks: Arc::clone(&callbacks),
            running: Arc::clone(&running),
            ended: Arc::clone(&ended),
            say,
        };
        let thread = std::thread::Builder::new().name("file-clock".into()).spawn(move || timeline.run())?;
        Ok((Self { callbacks, said }, FileClock { running, ended, thread: Some(thread) }))
    }
}

impl FileClock {
    /// Starts both files at this instant.
    pub fn start(&self) {
        self.running.store(true, Ordering::Release);
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for FileClock {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

struct Timeline {
    source: WavSource,
    /// None once the disk has refused.
    writer: Option<WavWriter<BufWriter<File>>>,
    callbacks: Arc<Mutex<Callbacks>>,
    running: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
    say: Sender<BackendEvent>,
}

impl Timeline {
    fn run(mut self) {
        while !self.running.load(Ordering::Acquire) && !self.ended.load(Ordering::Acquire) {
            std::thread::park_timeout(TICK);
        }
        let start = Instant::now();
        let mut ticks = 0u32;
        let mut told = false;
        while !self.ended.load(Ordering::Acquire) {
            let more = match self.tick() {
                Ok(more) => more,
                Err(error) => {
                    let words = format!("the recording cannot be written: {error}");
                    self.callbacks.lock().unwrap_or_else(PoisonError::into_inner).failed = Some(words.clone());
                    let _ = self.say.send(BackendEvent::Lost(Direction::Output, words));
                    self.writer = None;
                    true
                }
            };
            ticks += 1;
            if !told && !more {
                told = true;
                let _ = self.say.send(BackendEvent::InputEnded);
            }
            if let Some(wait) = (TICK * ticks).checked_sub(start.elapsed()) {
                std::thread::sleep(wait);
            }
        }
        if let Some(Err(error)) = self.writer.map(WavWriter::finalize) {
            tracing::error!(%error, "Failed to complete the output recording");
        }
    }

    /// Moves both files on by 10 ms; returns whether the input has more.
    fn tick(&mut self) -> Result<bool, hound::Error> {
        let mut block = [0.0; BLOCK];
        let more = self.source.fill(&mut block);
        let mut played = [0.0; BLOCK];
        {
            let mut callbacks = self.callbacks.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(capture) = &mut callbacks.capture {
                capture.push(&block, 1, |s: f32| s);
            }
            if let Some(render) = &mut callbacks.render {
                render.fill(&mut played, 1, |s| s);
            }
        }
        if let Some(writer) = &mut self.writer {
            for sample in played {
                writer.write_sample((sample.clamp(-1.0, 1.0) * 32767.0) as i16)?;
            }
        }
        Ok(more)
    }
}

impl Backend for FileBackend {
    fn open_input(&mut self, opening: Opening<CaptureCallback>) {
        let mut callbacks = self.callbacks.lock().unwrap_or_else(PoisonError::into_inner);
        opening.finish(|make| {
            callbacks.capture = Some(make(FORMAT));
            Ok(Box::new(FileStream))
        });
    }

    fn open_output(&mut self, _buffer_ms: u32, opening: Opening<RenderCallback>) {
        let mut callbacks = self.callbacks.lock().unwrap_or_else(PoisonError::into_inner);
        opening.finish(|make| {
            if let Some(words) = &callbacks.failed {
                return Err(AudioError::Failed(Direction::Output, words.clone()));
            }
            callbacks.render = Some(make(FORMAT));
            Ok(Box::new(FileStream))
        });
    }

    fn poll(&mut self) -> Option<BackendEvent> {
        self.said.try_recv().ok()
    }
}
