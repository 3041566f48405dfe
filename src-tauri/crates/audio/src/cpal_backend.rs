//! Real devices through cpal. The only file that knows it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    time::Duration,
};

use cpal::{
    BufferSize, Device, ErrorKind, FromSample, Host, Sample, SampleFormat, SizedSample, Stream, StreamConfig,
    SupportedBufferSize, SupportedStreamConfig,
    traits::{DeviceTrait, HostTrait, StreamTrait},
};

use crate::{
    AudioError, Backend, BackendEvent, CaptureCallback, Direction, OpenStream, Opened, Opening, RenderCallback,
    StreamFormat,
};

/// How often the default devices are looked at: a new one is used within half a second.
const WATCH_EVERY: Duration = Duration::from_millis(400);
/// Capture buffer asked for. A hint on every system; PulseAudio's own default is two seconds.
const INPUT_BUFFER_MS: u32 = 10;

/// A device as a person chooses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Stable name, kept in settings.
    pub id: String,
    /// What the system calls it.
    pub name: String,
    /// Microphone or speaker.
    pub direction: Direction,
    /// Whether the system uses it where nothing is chosen.
    pub is_default: bool,
    /// How many it has.
    pub channels: u16,
}

/// The system's devices, default or chosen.
pub struct CpalBackend {
    input: Option<String>,
    output: Option<String>,
    channels: BTreeMap<String, u16>,
    /// It looks for as long as a stream is open.
    watch: Weak<Watch>,
    /// Number of the latest stream of each direction: what the ones before still say is no news.
    latest: [u32; 2],
    say: Sender<Said>,
    said: Receiver<Said>,
}

/// An event, and the number of the stream that says it, if it is one's.
type Said = (Option<u32>, BackendEvent);

/// How a stream says what happens to it.
struct StreamEvents {
    say: Sender<Said>,
    number: u32,
    direction: Direction,
    watch: Arc<Watch>,
}

struct CpalStream {
    name: Option<String>,
    /// PulseAudio runs every callback of one host on one thread: each stream has its own host.
    open: Option<(Stream, Host)>,
    _watch: Arc<Watch>,
}

impl Drop for CpalStream {
    /// Closing waits for the driver, which on PulseAudio may wait for the next sound: whoever closes does not.
    fn drop(&mut self) {
        let open = self.open.take();
        on_a_thread(move || drop(open));
    }
}

impl OpenStream for CpalStream {
    fn name(&self) -> Option<String> {
        self.name.clone()
    }
}

/// Looks now and then whether another device is the right one, on a thread of its own: asking may take a while.
struct Watch {
    _stop: Sender<()>,
    /// The devices in use, by id; whoever opens one says so.
    in_use: Arc<Mutex<[Option<String>; 2]>>,
}

impl Watch {
    /// `wanted` are the devices that were chosen; where there is none, the system's default is followed.
    fn start(say: Sender<Said>, wanted: [Option<String>; 2]) -> Self {
        let (stop, stopped) = channel();
        let in_use = Arc::new(Mutex::new([None, None]));
        let used = Arc::clone(&in_use);
        let watch = move || {
            let mut system = host();
            let mut known = right_ones(&system, &wanted);
            while stopped.recv_timeout(WATCH_EVERY) == Err(RecvTimeoutError::Timeout) {
                let mut now = right_ones(&system, &wanted);
                if now == [None, None] {
                    // The sound server may have been started anew.
                    system = host();
                    now = right_ones(&system, &wanted);
                }
                for direction in [Direction::Input, Direction::Output] {
                    let n = direction as usize;
                    // None at all is for the stream to find out, and one that was lost may have been followed already.
                    let used = used.lock().unwrap_or_else(PoisonError::into_inner)[n].clone();
                    if now[n].is_some() && now[n] != known[n] && now[n] != used {
                        let _ = say.send((None, BackendEvent::DefaultChanged(direction)));
                    }
                }
                known = now;
            }
        };
        if let Err(error) = std::thread::Builder::new().name("device-watch".into()).spawn(watch) {
            tracing::warn!(%error, "Failed to watch the devices");
        }
        Self { _stop: stop, in_use }
    }

    fn uses(&self, direction: Direction, device: &Device) {
        let id = device.id().ok().map(|id| id.to_string());
        self.in_use.lock().unwrap_or_else(PoisonError::into_inner)[direction as usize] = id;
    }
}

/// Returns the devices to be used now: the chosen ones where they are there.
fn right_ones(host: &Host, wanted: &[Option<String>; 2]) -> [Option<String>; 2] {
    [Direction::Input, Direction::Output].map(|direction| {
        let device = match &wanted[direction as usize] {
            Some(_) => find(host, direction, wanted[direction as usize].as_deref()).ok(),
            None => default(host, direction),
        };
        device.and_then(|d| d.id().ok()).map(|id| id.to_string())
    })
}

fn default(host: &Host, direction: Direction) -> Option<Device> {
    match direction {
        Direction::Input => host.default_input_device(),
        Direction::Output => host.default_output_device(),
    }
}

/// Returns the system's devices; monitors of speakers are left out.
pub fn devices() -> Vec<DeviceInfo> {
    let host = host();
    let default_input = host.default_input_device().and_then(|d| d.id().ok());
    let default_output = host.default_output_device().and_then(|d| d.id().ok());
    let mut found = Vec::new();
    for device in host.devices().into_iter().flatten() {
        let Ok(id) = device.id() else { continue };
        if id.id().ends_with(".monitor") {
            continue;
        }
        for (direction, supported, default) in [
            (Direction::Input, device.supports_input(), &default_input),
            (Direction::Output, device.supports_output(), &default_output),
        ] {
            if supported {
                let is_default = default.as_ref() == Some(&id);
                let channels = match direction {
                    Direction::Input => device.default_input_config(),
                    Direction::Output => device.default_output_config(),
                };
                let channels = channels.map_or(0, |config| config.channels());
                found.push(DeviceInfo { id: id.to_string(), name: name_of(&device), direction, is_default, channels });
            }
        }
    }
    found
}

impl CpalBackend {
    /// Returns a backend for devices by id, or by a part of their name; the system's default where there is none.
    pub fn new(input: Option<String>, output: Option<String>) -> Self {
        let (say, said) = channel();
        Self { input, output, channels: BTreeMap::new(), watch: Weak::new(), latest: [0; 2], say, said }
    }

    /// Listens to one channel of a device, from 1, where it is named here by the device's id, in place of all mixed.
    #[must_use]
    pub fn with_channels(self, channels: BTreeMap<String, u16>) -> Self {
        Self { channels, ..self }
    }

    /// Returns the way in which a new stream speaks.
    fn events_of(&mut self, direction: Direction) -> StreamEvents {
        let watch = self
            .watch
            .upgrade()
            .unwrap_or_else(|| Arc::new(Watch::start(self.say.clone(), [self.input.clone(), self.output.clone()])));
        self.watch = Arc::downgrade(&watch);
        let number = &mut self.latest[direction as usize];
        *number += 1;
        StreamEvents { say: self.say.clone(), number: *number, direction, watch }
    }
}

impl Backend for CpalBackend {
    fn open_input(&mut self, opening: Opening<CaptureCallback>) {
        let (wanted, channels, events) = (self.input.clone(), self.channels.clone(), self.events_of(Direction::Input));
        on_a_thread(move || opening.finish(|make| open_input(wanted.as_deref(), &channels, events, make)));
    }

    fn open_output(&mut self, buffer_ms: u32, opening: Opening<RenderCallback>) {
        let (wanted, events) = (self.output.clone(), self.events_of(Direction::Output));
        on_a_thread(move || opening.finish(|make| open_output(wanted.as_deref(), buffer_ms, events, make)));
    }

    fn poll(&mut self) -> Option<BackendEvent> {
        while let Ok((number, event)) = self.said.try_recv() {
            let stale = |direction: Direction| number.is_some_and(|n| n != self.latest[direction as usize]);
            let is_stale = match &event {
                BackendEvent::Xrun(direction)
                | BackendEvent::Lost(direction, _)
                | BackendEvent::DefaultChanged(direction) => stale(*direction),
                BackendEvent::InputEnded => stale(Direction::Input),
            };
            if !is_stale {
                return Some(event);
            }
        }
        None
    }
}

/// A driver may take its time; if there is no thread, an opening is dropped, which says that it failed.
fn on_a_thread(work: impl FnOnce() + Send + 'static) {
    if let Err(error) = std::thread::Builder::new().name("device".into()).spawn(work) {
        tracing::error!(%error, "Failed to start a thread for a device");
    }
}

fn open_input(
    wanted: Option<&str>,
    channels: &BTreeMap<String, u16>,
    events: StreamEvents,
    make: impl FnOnce(StreamFormat) -> CaptureCallback,
) -> Opened {
    let direction = Direction::Input;
    let host = host();
    let device = find(&host, direction, wanted)?;
    let supported = device.default_input_config().map_err(|e| failed(direction, &e))?;
    let config = stream_config(&supported, INPUT_BUFFER_MS);
    let id = device.id().map(|id| id.to_string()).unwrap_or_default();
    let only = channels.get(&id).and_then(|nth| nth.checked_sub(1));
    let callback = make(StreamFormat { rate: config.sample_rate, channels: config.channels });
    let (watch, on_error) = (Arc::clone(&events.watch), on_error(events));
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library may add formats; the rest is refused in words")]
    let stream = match supported.sample_format() {
        SampleFormat::F32 => capture::<f32>(&device, config, only, callback, on_error),
        SampleFormat::I16 => capture::<i16>(&device, config, only, callback, on_error),
        SampleFormat::U16 => capture::<u16>(&device, config, only, callback, on_error),
        SampleFormat::I32 => capture::<i32>(&device, config, only, callback, on_error),
        SampleFormat::I24 => capture::<cpal::I24>(&device, config, only, callback, on_error),
        SampleFormat::U8 => capture::<u8>(&device, config, only, callback, on_error),
        SampleFormat::F64 => capture::<f64>(&device, config, only, callback, on_error),
        other => return Err(AudioError::Failed(direction, format!("the sample format {other} is not supported"))),
    };
    let stream = stream.map_err(|e| failed(direction, &e))?;
    stream.play().map_err(|e| failed(direction, &e))?;
    watch.uses(direction, &device);
    Ok(Box::new(CpalStream { name: Some(name_of(&device)), open: Some((stream, host)), _watch: watch }))
}

fn open_output(
    wanted: Option<&str>,
    buffer_ms: u32,
    events: StreamEvents,
    make: impl FnOnce(StreamFormat) -> RenderCallback,
) -> Opened {
    let direction = Direction::Output;
    let host = host();
    let device = find(&host, direction, wanted)?;
    let supported = device.default_output_config().map_err(|e| failed(direction, &e))?;
    // The library asks PulseAudio for two of what it is asked for (its `host/pulseaudio`, 0.18).
    let periods = if is_pulseaudio(&host) { 2 } else { 1 };
    let config = stream_config(&supported, buffer_ms / periods);
    let callback = make(StreamFormat { rate: config.sample_rate, channels: config.channels });
    let (watch, on_error) = (Arc::clone(&events.watch), on_error(events));
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library may add formats; the rest is refused in words")]
    let stream = match supported.sample_format() {
        SampleFormat::F32 => render::<f32>(&device, config, callback, on_error),
        SampleFormat::I16 => render::<i16>(&device, config, callback, on_error),
        SampleFormat::U16 => render::<u16>(&device, config, callback, on_error),
        SampleFormat::I32 => render::<i32>(&device, config, callback, on_error),
        SampleFormat::I24 => render::<cpal::I24>(&device, config, callback, on_error),
        SampleFormat::U8 => render::<u8>(&device, config, callback, on_error),
        SampleFormat::F64 => render::<f64>(&device, config, callback, on_error),
        other => return Err(AudioError::Failed(direction, format!("the sample format {other} is not supported"))),
    };
    let stream = stream.map_err(|e| failed(direction, &e))?;
    stream.play().map_err(|e| failed(direction, &e))?;
    watch.uses(direction, &device);
    Ok(Box::new(CpalStream { name: Some(name_of(&device)), open: Some((stream, host)), _watch: watch }))
}

fn on_error(events: StreamEvents) -> impl FnMut(cpal::Error) + Send + 'static {
    let StreamEvents { say, number, direction, watch } = events;
    // Whoever closes the stream, and not the driver's thread, ends the watch.
    drop(watch);
    move |error| {
        let kind = error.kind();
        if kind == ErrorKind::Xrun {
            let _ = say.send((Some(number), BackendEvent::Xrun(direction)));
        } else if matches!(kind, ErrorKind::StreamInvalidated | ErrorKind::DeviceNotAvailable) {
            let _ = say.send((Some(number), BackendEvent::Lost(direction, error.to_string())));
        } else {
            // ALSA over PulseAudio reports dozens of these at start and then plays fine.
            tracing::debug!(%error, ?direction, "The audio driver reported an error");
        }
    }
}

/// PulseAudio (and PipeWire in its clothes) where it runs: single devices can be addressed there. Else the system's own.
fn host() -> Host {
    let pulse = "pulseaudio".parse().ok().filter(|id| cpal::available_hosts().contains(id));
    pulse.and_then(|id| cpal::host_from_id(id).ok()).unwrap_or_else(cpal::default_host)
}

fn is_pulseaudio(host: &Host) -> bool {
    host.id().name().eq_ignore_ascii_case("pulseaudio")
}

fn name_of(device: &Device) -> String {
    device.description().map_or_else(|_| device.to_string(), |d| d.name().to_owned())
}

/// Returns the device that was chosen; the system's default where it is gone, for the conversation is to go on.
fn find(host: &Host, direction: Direction, wanted: Option<&str>) -> Result<Device, AudioError> {
    let Some(wanted) = wanted else {
        return default(host, direction).ok_or(AudioError::NoDevice(direction));
    };
    let fits = |device: &Device| {
        let way = match direction {
            Direction::Input => device.supports_input(),
            Direction::Output => device.supports_output(),
        };
        let id = device.id().map(|id| id.to_string()).unwrap_or_default();
        let name = device.description().map(|d| d.name().to_owned()).unwrap_or_default();
        way && (id == wanted || id.ends_with(&format!(":{wanted}")) || name.contains(wanted))
    };
    let mut devices = host.devices().map_err(|e| failed(direction, &e))?;
    devices.find(fits).or_else(|| default(host, direction)).ok_or_else(|| AudioError::NotFound(wanted.to_owned()))
}

fn stream_config(supported: &SupportedStreamConfig, buffer_ms: u32) -> StreamConfig {
    let frames = supported.sample_rate() * buffer_ms / 1000;
    let buffer_size = match supported.buffer_size() {
        SupportedBufferSize::Range { min, max } => BufferSize::Fixed(frames.clamp(*min, (*max).max(*min))),
        SupportedBufferSize::Unknown => BufferSize::Fixed(frames),
    };
    StreamConfig { buffer_size, ..supported.config() }
}

fn capture<S>(
    device: &Device,
    config: StreamConfig,
    only: Option<u16>,
    mut callback: CaptureCallback,
    on_error: impl FnMut(cpal::Error) + Send + 'static,
) -> Result<Stream, cpal::Error>
where
    S: SizedSample,
    f32: FromSample<S>,
{
    let channels = config.channels;
    device.build_input_stream(
        config,
        move |data: &[S], _| match only {
            Some(nth) => callback.push_channel(data, channels, nth, f32::from_sample),
            None => callback.push(data, channels, f32::from_sample),
        },
        on_error,
        None,
    )
}

fn render<S: SizedSample + FromSample<f32>>(
    device: &Device,
    config: StreamConfig,
    mut callback: RenderCallback,
    on_error: impl FnMut(cpal::Error) + Send + 'static,
) -> Result<Stream, cpal::Error> {
    let channels = config.channels;
    device.build_output_stream(
        config,
        move |data: &mut [S], _| callback.fill(data, channels, S::from_sample),
        on_error,
        None,
    )
}

fn failed(direction: Direction, error: &cpal::Error) -> AudioError {
    if error.kind() == ErrorKind::PermissionDenied {
        AudioError::PermissionDenied(direction)
    } else if error.kind() == ErrorKind::DeviceNotAvailable {
        // What a system without sound says of its default device.
        AudioError::NoDevice(direction)
    } else {
        AudioError::Failed(direction, error.to_string())
    }
}
