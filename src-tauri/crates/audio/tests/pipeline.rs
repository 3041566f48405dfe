//! The whole pipeline on devices that are ticked by hand.
#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

use audio::{
    AudioError, BackendEvent, Capture, Command, Direction, Dsp, EchoMode, Event, FakeDevices, Loudness, Segment,
    StreamFormat, WavSource, level_of, read_wav, write_wav,
};
use protocol::Pcm16;

struct Rig {
    dsp: Dsp,
    devices: FakeDevices,
    format: StreamFormat,
    events: Vec<Event>,
    played: Vec<f32>,
}

impl Rig {
    fn new(rate: u32, channels: u16) -> Self {
        let format = StreamFormat { rate, channels };
        let (devices, backend) = FakeDevices::new(format);
        let mut rig = Self {
            dsp: Dsp::new(Box::new(backend), EchoMode::Headphones),
            devices,
            format,
            events: Vec::new(),
            played: Vec::new(),
        };
        rig.send(Command::Mic { open: true });
        rig
    }

    fn send(&mut self, command: Command) {
        let events = &mut self.events;
        self.dsp.handle(command, &mut |e| events.push(e));
    }

    fn play(&mut self, segment: u32, ms: u64) {
        let pcm = tone(Pcm16::frames_in(ms) as usize, 24_000);
        self.send(Command::Play { segment: Segment(segment), pcm });
    }

    /// Runs 10 ms of device time.
    fn tick(&mut self, captured: f32) {
        let frames = self.format.rate as usize / 100;
        let input = vec![captured; frames * usize::from(self.format.channels)];
        let events = &mut self.events;
        self.dsp.step(&mut |e| events.push(e));
        let out = self.devices.tick(&input, frames);
        self.played.extend(out.chunks(usize::from(self.format.channels)).map(|f| f[0]));
        self.dsp.step(&mut |e| events.push(e));
    }

    fn heard(&self, segment: u32) -> u64 {
        let heard = self.events.iter().filter_map(|e| match e {
            Event::Heard { segment: s, frames } if s.0 == segment => Some(*frames),
            _ => None,
        });
        heard.max().unwrap_or(0)
    }

    fn captured(&self) -> Vec<i16> {
        self.events
            .iter()
            .filter_map(|e| if let Event::Mic(pcm) = e { Some(pcm.0.clone()) } else { None })
            .flatten()
            .collect()
    }
}

fn tone(frames: usize, rate: u32) -> Pcm16 {
    let step = 440.0 * std::f32::consts::TAU / rate as f32;
    Pcm16((0..frames).map(|i| ((i as f32 * step).sin() * 16_000.0) as i16).collect())
}

#[test]
fn everything_queued_is_heard_and_counted_to_the_frame_at_any_device_format() {
    for (rate, channels) in [(48_000, 2), (44_100, 1), (16_000, 1), (96_000, 7), (24_000, 2), (8_000, 1), (11_025, 2)] {
        let mut rig = Rig::new(rate, channels);
        rig.play(7, 1234);
        rig.send(Command::EndSegment { segment: Segment(7) });
        (0..150).for_each(|_| rig.tick(0.0));
        assert_eq!(rig.heard(7), Pcm16::frames_in(1234), "at {rate} Hz");
        let loud = rig.played.iter().filter(|s| s.abs() > 0.05).count() as f32 / rate as f32;
        assert!((1.05..1.25).contains(&loud), "{loud} s of sound at {rate} Hz");
    }
}

#[test]
fn a_flush_fades_in_five_milliseconds_and_reports_what_was_heard_first() {
    let mut rig = Rig::new(48_000, 1);
    rig.play(1, 2000);
    (0..50).for_each(|_| rig.tick(0.0));
    rig.send(Command::Flush { generation: 1 });
    rig.played.clear();
    (0..10).for_each(|_| rig.tick(0.0));

    let last = rig.played.iter().rposition(|s| *s != 0.0).unwrap();
    assert!((200..=240).contains(&last), "sound until frame {last}");
    let jump = rig.played.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
    assert!(jump < 0.04, "a click of {jump}");
    let flushed = rig.events.iter().position(|e| *e == Event::Flushed { generation: 1 }).unwrap();
    let after = rig.events[flushed..].iter().any(|e| matches!(e, Event::Heard { .. }));
    assert!(!after, "the count moved after the flush was reported");
    // The resampler's first 5 ms are its own.
    assert_eq!(rig.heard(1), Pcm16::frames_in(500));
}

#[test]
fn what_comes_after_a_flush_is_played_whole() {
    let mut rig = Rig::new(48_000, 1);
    rig.play(1, 2000);
    (0..20).for_each(|_| rig.tick(0.0));
    rig.send(Command::Flush { generation: 1 });
    rig.play(2, 300);
    rig.send(Command::EndSegment { segment: Segment(2) });
    (0..60).for_each(|_| rig.tick(0.0));
    assert_eq!(rig.heard(2), Pcm16::frames_in(300));
}

#[test]
fn a_flush_of_silence_is_reported_too() {
    let mut rig = Rig::new(48_000, 1);
    rig.send(Command::Flush { generation: 1 });
    (0..2).for_each(|_| rig.tick(0.0));
    assert!(rig.events.contains(&Event::Flushed { generation: 1 }));
}

#[test]
fn the_microphone_arrives_at_24_khz_in_10_ms_chunks_silence_too() {
    for (rate, channels) in [(48_000, 1), (44_100, 2), (8_000, 1), (96_000, 7)] {
        let mut rig = Rig::new(rate, channels);
        (0..100).for_each(|_| rig.tick(0.0));
        assert!(rig.captured().len() >= 480 * 48, "{} frames at {rate} Hz", rig.captured().len());
        (0..100).for_each(|_| rig.tick(0.5));
        let tail = rig.captured().last().copied().unwrap();
        assert!((16_000..16_800).contains(&tail), "level {tail} at {rate} Hz");
    }
}

#[test]
fn late_audio_grows_the_playback_buffer_and_says_so() {
    let mut rig = Rig::new(48_000, 1);
    rig.play(1, 3000);
    rig.tick(0.0);
    // The DSP thread sleeps while the device goes on.
    rig.devices.tick(&[], 48_000 / 2);
    rig.tick(0.0);
    assert!(rig.events.contains(&Event::Underrun { buffer_ms: 120 }), "{:?}", rig.events.len());
}

#[test]
fn a_slow_server_is_no_underrun() {
    let mut rig = Rig::new(48_000, 1);
    rig.play(1, 100);
    (0..50).for_each(|_| rig.tick(0.0));
    rig.play(1, 100);
    (0..50).for_each(|_| rig.tick(0.0));
    assert!(!rig.events.iter().any(|e| matches!(e, Event::Underrun { .. })));
    // What the resampler holds back leaves with what comes next.
    assert_eq!(rig.heard(1), Pcm16::frames_in(195));
    rig.send(Command::EndSegment { segment: Segment(1) });
    (0..5).for_each(|_| rig.tick(0.0));
    assert_eq!(rig.heard(1), Pcm16::frames_in(200));
}

#[test]
fn a_missing_microphone_is_said_and_the_speaker_works_on() {
    let format = StreamFormat { rate: 48_000, channels: 1 };
    let (devices, backend) = FakeDevices::new(format);
    let mut dsp = Dsp::new(Box::new(backend.without(Direction::Input)), EchoMode::Headphones);
    let mut events = Vec::new();
    dsp.handle(Command::Mic { open: true }, &mut |e| events.push(e));
    let error = AudioError::NoDevice(Direction::Input);
    assert_eq!(error.to_string(), "no microphone was found");
    assert!(events.contains(&Event::DeviceFailed { direction: Direction::Input, error }));

    dsp.handle(Command::Play { segment: Segment(1), pcm: tone(4800, 24_000) }, &mut |e| events.push(e));
    dsp.step(&mut |e| events.push(e));
    assert!(devices.tick(&[], 480).iter().any(|s| *s != 0.0));
}

#[test]
fn a_stream_that_is_opened_anew_goes_on_where_the_old_one_was() {
    let mut rig = Rig::new(48_000, 1);
    rig.play(1, 1000);
    rig.send(Command::EndSegment { segment: Segment(1) });
    (0..40).for_each(|_| rig.tick(0.0));
    let before = rig.heard(1);
    rig.devices.say(BackendEvent::Xrun(Direction::Output));
    rig.played.clear();
    (0..80).for_each(|_| rig.tick(0.0));
    assert!(rig.events.contains(&Event::Underrun { buffer_ms: 40 }));
    assert_eq!(rig.heard(1), Pcm16::frames_in(1000));
    let loud = rig.played.iter().filter(|s| s.abs() > 0.01).count() as u64 / 2;
    let rest = Pcm16::frames_in(1000) - before;
    assert!(loud.abs_diff(rest) < rest / 20, "{loud} frames played after the change, {rest} were to come");
}

#[test]
fn a_flush_is_answered_though_its_stream_is_gone() {
    let mut rig = Rig::new(48_000, 1);
    rig.play(1, 1000);
    (0..20).for_each(|_| rig.tick(0.0));
    rig.send(Command::Flush { generation: 1 });
    rig.devices.say(BackendEvent::Lost(Direction::Output, "unplugged".into()));
    rig.tick(0.0);
    assert!(rig.events.contains(&Event::Flushed { generation: 1 }));
    assert!(rig.heard(1) >= Pcm16::frames_in(190), "{}", rig.heard(1));

    rig.played.clear();
    rig.play(2, 100);
    rig.send(Command::EndSegment { segment: Segment(2) });
    (0..20).for_each(|_| rig.tick(0.0));
    assert_eq!(rig.heard(2), Pcm16::frames_in(100), "a speaker that is back plays what comes next");
    let flushes = rig.events.iter().filter(|e| matches!(e, Event::Flushed { .. })).count();
    assert_eq!(flushes, 1);
}

#[test]
fn a_speaker_that_dies_in_mid_sentence_is_followed_by_the_next_one_from_the_same_sample() {
    let mut rig = Rig::new(48_000, 1);
    rig.play(1, 1000);
    rig.send(Command::EndSegment { segment: Segment(1) });
    (0..40).for_each(|_| rig.tick(0.0));
    let before = rig.heard(1);
    rig.devices.say(BackendEvent::Lost(Direction::Output, "unplugged".into()));
    rig.played.clear();
    (0..80).for_each(|_| rig.tick(0.0));
    assert!(!rig.events.iter().any(|e| matches!(e, Event::DeviceFailed { .. })));
    assert_eq!(rig.heard(1), Pcm16::frames_in(1000));
    let loud = rig.played.iter().filter(|s| s.abs() > 0.01).count() as u64 / 2;
    let rest = Pcm16::frames_in(1000) - before;
    assert!(loud.abs_diff(rest) < rest / 20, "{loud} frames played after the change, {rest} were to come");
}

#[test]
fn a_device_that_is_gone_is_said_once_and_used_again_when_it_is_back() {
    for direction in [Direction::Input, Direction::Output] {
        let mut rig = Rig::new(48_000, 1);
        rig.events.clear();
        rig.devices.unplug(direction);
        (0..300).for_each(|_| rig.tick(0.0));
        let failed = rig.events.iter().filter(|e| matches!(e, Event::DeviceFailed { .. })).count();
        assert_eq!(failed, 1, "{direction:?}");
        rig.devices.plug_in(direction);
        rig.events.clear();
        // Two steps of 5 ms a tick.
        (0..50).for_each(|_| rig.tick(0.0));
        assert!(rig.events.contains(&Event::DeviceReady { direction, name: None }), "within half a second");
        rig.send(Command::Mic { open: false });
        rig.devices.unplug(direction);
        rig.events.clear();
        rig.devices.plug_in(direction);
        (0..200).for_each(|_| rig.tick(0.0));
        let woken = rig.events.iter().any(|e| matches!(e, Event::DeviceReady { direction: Direction::Input, .. }));
        assert!(!woken, "a microphone that nobody wants stays closed");
    }
}

#[test]
fn a_microphone_that_gives_zeros_or_nothing_is_noticed_within_two_seconds() {
    let mut rig = Rig::new(48_000, 1);
    let captures = |rig: &Rig| -> Vec<Capture> {
        rig.events.iter().filter_map(|e| if let Event::Capture(c) = e { Some(*c) } else { None }).collect()
    };
    (0..201).for_each(|_| rig.tick(0.0));
    assert_eq!(captures(&rig), [Capture::Zeros]);
    rig.tick(0.001);
    assert_eq!(captures(&rig), [Capture::Zeros, Capture::Sound]);
    // Two steps of 5 ms each, and no frame.
    let events = &mut rig.events;
    (0..900).for_each(|_| rig.dsp.step(&mut |e| events.push(e)));
    assert_eq!(captures(&rig), [Capture::Zeros, Capture::Sound, Capture::Nothing]);
    rig.tick(0.001);
    assert_eq!(captures(&rig).last(), Some(&Capture::Sound));
}

#[test]
fn sound_that_is_cut_at_full_scale_is_heard_like_any_other() {
    for mode in [EchoMode::FullDuplex, EchoMode::HalfDuplex, EchoMode::Headphones] {
        let format = StreamFormat { rate: 48_000, channels: 1 };
        let (devices, backend) = FakeDevices::new(format);
        let mut dsp = Dsp::new(Box::new(backend), mode);
        let mut chunks = 0;
        dsp.handle(Command::Mic { open: true }, &mut |_| {});
        let mut state = 1u32;
        for _ in 0..300 {
            // Noise, and nothing between the two ends of the scale.
            let cut: Vec<f32> = (0..480)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    if state >> 31 == 0 { 1.0 } else { -1.0 }
                })
                .collect();
            devices.tick(&cut, 480);
            dsp.step(&mut |event| chunks += u32::from(matches!(event, Event::Mic(_))));
        }
        assert!(chunks >= 290, "{mode:?}: {chunks} chunks of 10 ms in 3 s");
    }
}

#[test]
fn another_default_device_is_used_from_the_same_sample() {
    let mut rig = Rig::new(48_000, 1);
    rig.play(1, 1000);
    rig.send(Command::EndSegment { segment: Segment(1) });
    (0..40).for_each(|_| rig.tick(0.0));
    rig.events.retain(|e| !matches!(e, Event::DeviceReady { .. }));
    rig.devices.say(BackendEvent::DefaultChanged(Direction::Output));
    rig.devices.say(BackendEvent::DefaultChanged(Direction::Input));
    (0..80).for_each(|_| rig.tick(0.0));
    assert_eq!(rig.heard(1), Pcm16::frames_in(1000));
    let ready = rig.events.iter().filter(|e| matches!(e, Event::DeviceReady { .. })).count();
    assert_eq!(ready, 2);
}

#[test]
fn a_pause_does_not_keep_a_flush_waiting() {
    let mut rig = Rig::new(48_000, 1);
    rig.play(1, 1000);
    (0..20).for_each(|_| rig.tick(0.0));
    rig.send(Command::Loudness(Loudness::Paused));
    (0..5).for_each(|_| rig.tick(0.0));
    rig.send(Command::Flush { generation: 1 });
    rig.send(Command::Loudness(Loudness::Full));
    (0..5).for_each(|_| rig.tick(0.0));
    assert!(rig.events.contains(&Event::Flushed { generation: 1 }));
    rig.send(Command::Loudness(Loudness::Paused));
    rig.send(Command::Flush { generation: 2 });
    (0..5).for_each(|_| rig.tick(0.0));
    assert!(rig.events.contains(&Event::Flushed { generation: 2 }));
}

#[test]
fn playing_softer_or_not_at_all_loses_no_sample() {
    let mut rig = Rig::new(48_000, 1);
    rig.play(1, 1000);
    rig.send(Command::EndSegment { segment: Segment(1) });
    (0..30).for_each(|_| rig.tick(0.0));
    let peak = |played: &[f32]| played.iter().fold(0.0f32, |p, s| p.max(s.abs()));
    assert!((0.45..0.5).contains(&peak(&rig.played)));
    rig.send(Command::Loudness(Loudness::Soft));
    rig.tick(0.0);
    rig.played.clear();
    (0..20).for_each(|_| rig.tick(0.0));
    let softer = 20.0 * (peak(&rig.played) / 0.488).log10();
    assert!((-12.5..-11.5).contains(&softer), "{softer} dB");
    rig.send(Command::Loudness(Loudness::Full));
    rig.tick(0.0);
    rig.played.clear();
    (0..20).for_each(|_| rig.tick(0.0));
    assert!((0.45..0.5).contains(&peak(&rig.played)));
    rig.send(Command::Loudness(Loudness::Paused));
    rig.tick(0.0);
    let before = rig.heard(1);
    rig.played.clear();
    (0..30).for_each(|_| rig.tick(0.0));
    assert_eq!((rig.heard(1), peak(&rig.played)), (before, 0.0), "it stands still");
    rig.send(Command::Loudness(Loudness::Full));
    (0..60).for_each(|_| rig.tick(0.0));
    assert!(!rig.events.iter().any(|e| matches!(e, Event::Underrun { .. })));
    let jump = rig.played.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
    assert!(jump < 0.04, "a click of {jump}");
    assert_eq!(rig.heard(1), Pcm16::frames_in(1000));
}

#[test]
fn any_wav_is_read_or_refused_in_words() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    write_wav(&path("empty.wav"), &[], 24_000).unwrap();
    assert_eq!(read_wav(&path("empty.wav")).unwrap(), (Vec::new(), 24_000));

    let spec = hound::WavSpec {
        channels: 7,
        sample_rate: 96_000,
        bits_per_sample: 24,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path("seven.wav"), spec).unwrap();
    (0..7 * 960).for_each(|_| writer.write_sample(4_194_304).unwrap());
    writer.finalize().unwrap();
    let (samples, rate) = read_wav(&path("seven.wav")).unwrap();
    assert_eq!((samples.len(), rate, samples[0]), (960, 96_000, 0.5));

    write_wav(&path("cut.wav"), &[1; 4800], 8_000).unwrap();
    let bytes = std::fs::read(path("cut.wav")).unwrap();
    std::fs::write(path("cut.wav"), &bytes[..5001]).unwrap();
    assert_eq!(read_wav(&path("cut.wav")).unwrap().0.len(), 2478);

    std::fs::write(path("text.wav"), b"no sound here").unwrap();
    let words = read_wav(&path("text.wav")).unwrap_err().to_string();
    assert!(words.contains("WAV"), "{words}");
    assert!(read_wav(&path("missing.wav")).is_err());
}

#[test]
fn a_recording_at_another_rate_keeps_its_length_level_and_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("tone.wav");
    for (from, to) in [(44_100, 48_000), (8_000, 48_000), (96_000, 24_000), (24_000, 16_000), (48_000, 48_000)] {
        let tone = tone(from as usize + 7, from);
        write_wav(&path, &tone.0, from).unwrap();
        let mut source = WavSource::open(&path, to).unwrap();
        let mut out = Vec::new();
        loop {
            let mut block = [9.0; 480];
            let more = source.fill(&mut block);
            out.extend(block);
            if !more {
                break;
            }
        }
        let length = (tone.0.len() * to as usize).div_ceil(from as usize);
        assert_eq!(out.len(), length.next_multiple_of(480), "{from} to {to}");
        assert!(out[length..].iter().all(|s| *s == 0.0), "silence past the end, {from} to {to}");
        let wanted: Vec<f32> = tone.0.iter().map(|s| f32::from(*s) / 32768.0).collect();
        assert!((level_of(&out[..length]).0 - level_of(&wanted).0).abs() < 0.2);
        let crossing = out.windows(2).position(|w| w[0] > 0.2 && w[1] <= 0.2).unwrap() as f32 / to as f32;
        assert!((crossing - 0.5 / 440.0).abs() < 0.0003, "the first wave ends at {crossing}, {from} to {to}");
    }
}
