//! The two real-time callbacks under an allocation guard: one allocation aborts the test.
#![allow(clippy::unwrap_used, reason = "tests")]

use assert_no_alloc::{AllocDisabler, assert_no_alloc};
use audio::{Backend, CaptureCallback, Command, Dsp, EchoMode, Event, FakeDevices, Opening, Segment, StreamFormat};
use protocol::Pcm16;

#[cfg(debug_assertions)]
#[global_allocator]
static GUARD: AllocDisabler = AllocDisabler;

#[test]
fn callbacks_never_allocate() {
    let mut sink = Vec::with_capacity(1024);
    let (_devices, fake) = FakeDevices::new(StreamFormat { rate: 44_100, channels: 2 });
    let (callback, backend) = steal(Box::new(fake));
    let mut dsp = Dsp::new(backend, EchoMode::FullDuplex);
    let mut emit = |event: Event| sink.push(event);
    dsp.handle(Command::Mic { open: true }, &mut emit);
    dsp.handle(Command::Play { segment: Segment(1), pcm: Pcm16(vec![1000; 24_000]) }, &mut emit);
    dsp.step(&mut emit);
    let mut callbacks = callback.lock().unwrap();
    let (mut capture, mut render) = callbacks.take().unwrap();

    let captured = [0.1f32; 882];
    let mut played = [0i16; 882];
    for round in 0..50 {
        assert_no_alloc(|| {
            capture.push(&captured, 2, |s| s);
            render.fill(&mut played, 2, |s| (s * 32767.0) as i16);
        });
        if round == 10 {
            dsp.handle(Command::Flush { generation: 1 }, &mut emit);
        }
        dsp.step(&mut emit);
    }
    assert!(sink.contains(&Event::Flushed { generation: 1 }));
}

type Stolen = std::sync::Arc<std::sync::Mutex<Option<(CaptureCallback, audio::RenderCallback)>>>;

/// A backend that hands its callbacks to the test.
struct Thief {
    inner: Box<dyn Backend>,
    capture: Option<CaptureCallback>,
    out: Stolen,
}

fn steal(inner: Box<dyn Backend>) -> (Stolen, Box<dyn Backend>) {
    let out = Stolen::default();
    (out.clone(), Box::new(Thief { inner, capture: None, out }))
}

struct Nothing;
impl audio::OpenStream for Nothing {}

impl Backend for Thief {
    fn open_input(&mut self, opening: Opening<CaptureCallback>) {
        opening.finish(|make| {
            self.capture = Some(make(StreamFormat { rate: 44_100, channels: 2 }));
            Ok(Box::new(Nothing))
        });
    }

    fn open_output(&mut self, _buffer_ms: u32, opening: Opening<audio::RenderCallback>) {
        opening.finish(|make| {
            let render = make(StreamFormat { rate: 44_100, channels: 2 });
            *self.out.lock().unwrap() = self.capture.take().map(|capture| (capture, render));
            Ok(Box::new(Nothing))
        });
    }

    fn poll(&mut self) -> Option<audio::BackendEvent> {
        self.inner.poll()
    }
}
