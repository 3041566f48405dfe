use std::sync::{
    Arc, Mutex, PoisonError,
    mpsc::{Receiver, Sender, channel},
};

use crate::{
    AudioError, Backend, BackendEvent, CaptureCallback, Direction, OpenStream, Opening, RenderCallback, StreamFormat,
};

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
    missing: [bool; 2],
}

/// The [`Backend`] of [`FakeDevices`].
pub struct FakeBackend {
    devices: FakeDevices,
    said: Receiver<BackendEvent>,
}

struct FakeStream;
impl OpenStream for FakeStream {}

impl FakeDevices {
    /// Returns devices of one format, and their backend.
    pub fn new(format: StreamFormat) -> (Self, FakeBackend) {
        let (say, said) = channel();
        let devices = Self { callbacks: Arc::default(), format, say };
        (devices.clone(), FakeBackend { devices, said })
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

    /// Takes a device away; what runs on it is dead.
    pub fn unplug(&self, direction: Direction) {
        {
            let mut callbacks = self.callbacks.lock().unwrap_or_else(PoisonError::into_inner);
            callbacks.missing[direction as usize] = true;
            match direction {
                Direction::Input => callbacks.capture = None,
                Direction::Output => callbacks.render = None,
            }
        }
        self.say(BackendEvent::Lost(direction, "unplugged".into()));
    }

    /// Brings a device back.
    pub fn plug_in(&self, direction: Direction) {
        self.callbacks.lock().unwrap_or_else(PoisonError::into_inner).missing[direction as usize] = false;
    }

    /// Says something as a driver would.
    pub fn say(&self, event: BackendEvent) {
        let _ = self.say.send(event);
    }
}

impl FakeBackend {
    /// Returns a backend that lacks one device.
    pub fn without(self, direction: Direction) -> Self {
        self.devices.callbacks.lock().unwrap_or_else(PoisonError::into_inner).missing[direction as usize] = true;
        self
    }
}

impl Backend for FakeBackend {
    fn open_input(&mut self, opening: Opening<CaptureCallback>) {
        let mut callbacks = self.devices.callbacks.lock().unwrap_or_else(PoisonError::into_inner);
        opening.finish(|make| {
            if callbacks.missing[Direction::Input as usize] {
                return Err(AudioError::NoDevice(Direction::Input));
            }
            callbacks.capture = Some(make(self.devices.format));
            Ok(Box::new(FakeStream))
        });
    }

    fn open_output(&mut self, _buffer_ms: u32, opening: Opening<RenderCallback>) {
        let mut callbacks = self.devices.callbacks.lock().unwrap_or_else(PoisonError::into_inner);
        opening.finish(|make| {
            if callbacks.missing[Direction::Output as usize] {
                return Err(AudioError::NoDevice(Direction::Output));
            }
            callbacks.render = Some(make(self.devices.format));
            Ok(Box::new(FakeStream))
        });
    }

    fn poll(&mut self) -> Option<BackendEvent> {
        self.said.try_recv().ok()
    }
}
