//! Sound in and out: device format outside, 48 kHz inside, [`protocol::Pcm16`] (24 kHz mono) at the seam.
//!
//! Two real-time callbacks touch rings and atomics only; one DSP thread does everything else. No network, no UI,
//! no rule of conversation. Start reading at [`Audio`], then `dsp` (one step of the thread) and `render`
//! (where what is *heard* is counted).

mod backend;
mod capture;
mod clock_drift;
mod cpal_backend;
mod dsp;
mod echo;
mod fake;
mod file;
mod level;
mod likeness;
mod limiter;
mod near_end;
mod render;
mod resample;
pub mod rooms;
pub mod sound_check;
mod thread;
mod wav;

pub use backend::{AudioError, Backend, BackendEvent, Direction, OpenStream, Opened, Opening, StreamFormat};
pub use capture::CaptureCallback;
pub use cpal_backend::{CpalBackend, DeviceInfo, devices};
pub use dsp::{Capture, Command, Dsp, Event, Segment};
pub use echo::{Echo, EchoHealth, EchoMode, EchoState};
pub use fake::{FakeBackend, FakeDevices};
pub use file::{FileBackend, FileClock};
pub use level::{Dbfs, level_of};
pub use near_end::{FarEnd, NearEnd, Voice};
pub use render::{Loudness, RenderCallback};
pub use resample::Resampler;
pub use thread::Audio;
pub use wav::{WavError, WavSource, read_wav, write_wav};

/// Frames per second inside this crate.
pub const INSIDE_RATE: u32 = 48_000;

/// Frames in 10 ms at [`INSIDE_RATE`]: what echo cancellation works on.
pub const BLOCK: usize = 480;
