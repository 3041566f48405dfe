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
}

fn word(direction: Direction) -> &'static str {
    match direction {
        Direction::Input => "microphone",
        Direction::Output => "speaker",
    }
}

/// A running stream; dropping it ends it.
pub trait OpenStream: Send {}

/// Where sound comes from and goes to: real devices, files, or a test's hands.
pub trait Backend: Send {
    /// Opens the microphone. `make` builds the callback once the format is known.
    ///
    /// # Errors
    /// The device's or the system's fault; say so and let the user choose.
    fn open_input(
        &mut self,
        make: &mut dyn FnMut(StreamFormat) -> CaptureCallback,
    ) -> Result<Box<dyn OpenStream>, AudioError>;

    /// Opens the speaker with about `buffer_ms` of device buffer. `make` builds the callback once the format is known.
    ///
    /// # Errors
    /// The device's or the system's fault; say so and let the user choose.
    fn open_output(
        &mut self,
        buffer_ms: u32,
        make: &mut dyn FnMut(StreamFormat) -> RenderCallback,
    ) -> Result<Box<dyn OpenStream>, AudioError>;

    /// Returns the next thing a device has said.
    fn poll(&mut self) -> Option<BackendEvent>;
}
