use std::sync::mpsc::{Receiver, Sender, channel};

use crate::{CaptureCallback, RenderCallback};

/// What a stream runs at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamFormat {
    /// Frames per second.
    pub rate: u32,
    /// Interleaved channels.
    pub channels: u16,
}

/// Which way a stream goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Microphone.
    Input,
    /// Speaker.
    Output,
}

/// What a device says outside its callbacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendEvent {
    /// The driver dropped or repeated frames.
    Xrun(Direction),
    /// Another device is the right one now: the system's default has changed, or the chosen one has returned.
    DefaultChanged(Direction),
    /// The stream is dead; its device is gone or has changed.
    Lost(Direction, String),
    /// A file played as microphone has come to its end; silence follows.
    InputEnded,
}

/// Why sound cannot run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AudioError {
    /// The system has no such device.
    #[error("no {} was found", word(*.0))]
    NoDevice(Direction),
    /// The chosen device is not there.
    #[error("the device “{0}” was not found")]
    NotFound(String),
    /// The system forbids it.
    #[error("the system does not let this program use the {}", word(*.0))]
    PermissionDenied(Direction),
    /// The device is there and does not work.
    #[error("the {word} could not be opened: {reason}", word = word(*.0), reason = .1)]
    Failed(Direction, String),
    /// This program's own part has failed.
    #[error("this program's sound has failed; start it once more")]
    Crashed,
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Input => "microphone",
        Direction::Output => "speaker",
    }
}

/// A running stream; dropping it ends it.
pub trait OpenStream: Send {
    /// Returns what the system calls the device.
    fn name(&self) -> Option<String> {
        None
    }
}

/// What became of an [`Opening`].
pub type Opened = Result<Box<dyn OpenStream>, AudioError>;

/// A stream that is to be opened: what builds its callback, and who waits for it.
pub struct Opening<C> {
    make: Box<dyn FnOnce(StreamFormat) -> C + Send>,
    answer: Sender<Opened>,
}

impl<C> Opening<C> {
    pub(crate) fn new(make: impl FnOnce(StreamFormat) -> C + Send + 'static) -> (Self, Receiver<Opened>) {
        let (answer, opened) = channel();
        (Self { make: Box::new(make), answer }, opened)
    }

    /// Opens it, on this thread; `open` is given what builds the callback once the format is known.
    pub fn finish(self, open: impl FnOnce(Box<dyn FnOnce(StreamFormat) -> C + Send>) -> Opened) {
        // Nobody may wait any more; the stream ends with the answer then.
        let _ = self.answer.send(open(self.make));
    }
}

/// Where sound comes from and goes to: real devices, files, or a test's hands.
///
/// A stream may take seconds to open (a Bluetooth microphone does), and nothing else waits for it: a backend that has to wait
/// finishes the [`Opening`] on a thread of its own. One that fails says whose fault it is, so that the user can choose.
pub trait Backend: Send {
    /// Opens the microphone.
    fn open_input(&mut self, opening: Opening<CaptureCallback>);

    /// Opens the speaker with about `buffer_ms` of device buffer.
    fn open_output(&mut self, buffer_ms: u32, opening: Opening<RenderCallback>);

    /// Returns the next thing a device has said.
    fn poll(&mut self) -> Option<BackendEvent>;
}
