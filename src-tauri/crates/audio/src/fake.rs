use std::sync::{
    Arc, Mutex, PoisonError,
    mpsc::{Receiver, Sender, channel},
};

use crate::{AudioError, Backend, BackendEvent, CaptureCallback, Direction, OpenStream, RenderCallback, StreamFormat};

/// Devices that a test ticks by hand: no clock, no thread.
#[derive(Clone)]
pub struct FakeDevices {
    callbacks: Arc<Mutex<Callbacks>>,
    format: StreamFormat,
    say: Sender<BackendEvent>,
}

#[derive(Default)]
struct Callbacks {
    capture: Option<CaptureCallback>,
    render: Option<RenderCallback>,
}

/// The [`Backend`] of [`FakeDevices`].
pub struct FakeBackend {
    devices: FakeDevices,
    said: Receiver<BackendEvent>,
    missing: Option<Direction>,
}

struct FakeStream;
impl OpenStream for FakeStream {}

impl FakeDevices {
    /// Returns devices of one format, and their backend.
    pub fn new(format: StreamFormat) -> (Self, FakeBackend) {
        let (say, said) = channel();
        let devices = Self { callbacks: Arc::default(), format, say };
        (devices.clone(), FakeBackend { devices, said, missing: None })
    }

    /// Runs both callbacks once: `captured` interleaved in, so many frames out (interleaved).
    pub fn tick(&self, captured: &[f32], frames: usize) -> Vec<f32> {
        let mut callbacks = self.callbacks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(capture) = &mut callbacks.capture {
            capture.push(captured, self.format.channels, |s| s);
        }
        let mut played = vec![0.0; frames * usize::from(self.format.channels)];
        if let Some(render) = &mut callbacks.render {
            render.fill(&mut played, self.format.channels, |s| s);
        }
        played
    }

    /// Says something as a driver would.
    pub fn say(&self, event: BackendEvent) {
        let _ = self.say.send(event);
    }
}

impl FakeBackend {
    /// Returns a backend that lacks one device.
    pub fn without(mut self, direction: Direction) -> Self {
        self.missing = Some(direction);
        self
    }
}

impl Backend for FakeBackend {
    fn open_input(
        &mut self,
        make: &mut dyn FnMut(StreamFormat) -> CaptureCallback,
    ) -> Result<Box<dyn OpenStream>, AudioError> {
        if self.missing == Some(Direction::Input) {
            return Err(AudioError::NoDevice(Direction::Input));
        }
        let callback = make(self.devices.format);
        self.devices.callbacks.lock().unwrap_or_else(PoisonError::into_inner).capture = Some(callback);
        Ok(Box::new(FakeStream))
    }

    fn open_output(
        &mut self,
        _buffer_ms: u32,
        make: &mut dyn FnMut(StreamFormat) -> RenderCallback,
    ) -> Result<Box<dyn OpenStream>, AudioError> {
        if self.missing == Some(Direction::Output) {
            return Err(AudioError::NoDevice(Direction::Output));
        }
        let callback = make(self.devices.format);
        self.devices.callbacks.lock().unwrap_or_else(PoisonError::into_inner).render = Some(callback);
        Ok(Box::new(FakeStream))
    }

    fn poll(&mut self) -> Option<BackendEvent> {
        self.said.try_recv().ok()
    }
}
