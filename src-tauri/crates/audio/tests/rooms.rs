//! The whole pipeline in rooms, with speech from files that the environment names. By hand.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]
use audio::{
    EchoMode, Resampler, read_wav,
    rooms::{Conditions, talk},
};
use protocol::Pcm16;

fn speech(path: &str) -> Pcm16 {
    let (samples, rate) = read_wav(path.as_ref()).unwrap();
    let mut out = Vec::new();
    Resampler::new(rate, 24_000).push(&samples, &mut out);
    Pcm16(out.iter().map(|s| (s * 32767.0) as i16).collect())
}

#[test]
#[ignore = "by hand"]
fn table() {
    let far = speech(&std::env::var("FAR").unwrap());
    let near: Vec<_> = std::env::var("NEAR")
        .unwrap()
        .split(',')
        .enumerate()
        .map(|(n, p)| (8_000 + 9_000 * n as u32, speech(p)))
        .collect();
    let base = Conditions::default();
    for (name, c) in [
        ("base", base),
        ("rt 0.6", Conditions { rt60_s: 0.6, ..base }),
        ("delay 20", Conditions { delay_ms: 20.0, ..base }),
        ("delay 300", Conditions { delay_ms: 300.0, ..base }),
        ("drift 50", Conditions { drift_ppm: 50.0, ..base }),
        ("drift 200", Conditions { drift_ppm: 200.0, ..base }),
        ("jump 60", Conditions { jump: Some((15.0, 60.0)), ..base }),
        ("noise -45", Conditions { noise_dbfs: -45.0, ..base }),
        ("loud", Conditions { echo_db: 10.0, bend: 4.0, ..base }),
    ] {
        for mode in [EchoMode::FullDuplex, EchoMode::Headphones] {
            let o = talk(c, mode, &far, &near);
            println!(
                "{name:10} {mode:?} alone {:.0} s, onsets {}, false {}, found {:?}, {:.1} dB, first {:.1} dB",
                o.alone_s, o.onsets, o.false_alarms, o.found_ms, o.enhancement_db, o.first_db
            );
        }
    }
}
