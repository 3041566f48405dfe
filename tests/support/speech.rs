//! Question audio, and measures of what was played.

use std::{path::Path, process::Command};

/// Speaks with espeak-ng at 24 kHz; `speed` in words a minute.
pub fn espeak(text: &str, speed: u32) -> Vec<i16> {
    espeak_as("en", text, speed)
}

/// Speaks in one of espeak-ng's voices.
pub fn espeak_as(voice: &str, text: &str, speed: u32) -> Vec<i16> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("speech.wav");
    let status = Command::new("espeak-ng")
        .args(["-v", voice, "-s", &speed.to_string(), "-w", path.to_str().unwrap(), text])
        .status();
    assert!(status.expect("espeak-ng is installed by `cargo xtask test`").success());
    let reader = hound::WavReader::open(&path).unwrap();
    let rate = reader.spec().sample_rate;
    let samples: Vec<i16> = reader.into_samples::<i16>().map(Result::unwrap).collect();
    // Linear interpolation: speech for a speech recogniser needs no better.
    let length = samples.len() as u64 * 24_000 / u64::from(rate);
    let at = |n: u64| {
        let place = n as f64 * f64::from(rate) / 24_000.0;
        let (a, part) = (place as usize, place.fract());
        let next = samples.get(a + 1).copied().unwrap_or(0);
        (f64::from(samples[a]) * (1.0 - part) + f64::from(next) * part) as i16
    };
    (0..length).map(at).collect()
}

/// Returns a text spoken plainly, with silence before and behind it.
pub fn said(before_ms: u64, text: &str, behind_ms: u64) -> Vec<i16> {
    [silence(before_ms), espeak(text, 150), silence(behind_ms)].concat()
}

/// Returns silence.
pub fn silence(ms: u64) -> Vec<i16> {
    vec![0; (ms * 24) as usize]
}

/// Adds noise of a given peak, the same each time.
pub fn with_noise(mut samples: Vec<i16>, peak: i16) -> Vec<i16> {
    let mut state = 1u32;
    for sample in &mut samples {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = ((state >> 16) as i32 - 32_768) * i32::from(peak) / 32_768;
        *sample = (i32::from(*sample) + noise).clamp(-32_768, 32_767) as i16;
    }
    samples
}

/// Writes mono samples at 24 kHz.
pub fn write(path: &Path, samples: &[i16]) {
    write_at(path, samples, 24_000, 1);
}

/// Writes interleaved samples of any rate and channel count.
pub fn write_at(path: &Path, samples: &[i16], rate: u32, channels: u16) {
    let spec =
        hound::WavSpec { channels, sample_rate: rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    samples.iter().for_each(|s| writer.write_sample(*s).unwrap());
    writer.finalize().unwrap();
}

/// Returns the milliseconds at which 10 ms blocks of 48 kHz sound are louder than a whisper.
pub fn loud_ms(samples: &[i16]) -> Vec<u64> {
    let loud = |block: &[i16]| block.iter().any(|s| s.unsigned_abs() > 400);
    samples.chunks(480).enumerate().filter(|(_, b)| loud(b)).map(|(n, _)| n as u64 * 10).collect()
}

/// Returns lower-case words without punctuation.
pub fn words(text: &str) -> Vec<String> {
    let letters: String = text.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    letters.split_whitespace().map(str::to_owned).collect()
}
