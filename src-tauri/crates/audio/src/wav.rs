use std::{fs::File, io::BufReader, path::Path};

use hound::{SampleFormat, WavIntoSamples, WavReader, WavSpec, WavWriter};

use crate::Resampler;

/// Why a WAV cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    /// The file cannot be read or written.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The file is no WAV that this program reads.
    #[error("not a usable WAV file: {0}")]
    Format(String),
}

impl From<hound::Error> for WavError {
    fn from(error: hound::Error) -> Self {
        if let hound::Error::IoError(e) = error {
            // The library calls a file that is cut short an error of this kind.
            return if e.kind() == std::io::ErrorKind::Other { Self::Format(e.to_string()) } else { Self::Io(e) };
        }
        Self::Format(error.to_string())
    }
}

/// Mono frames of a WAV of any rate, channel count and PCM format, read as they are asked for. A file cut short gives what
/// it has.
struct Frames {
    samples: Samples,
    channels: usize,
    rate: u32,
}

enum Samples {
    Float(WavIntoSamples<BufReader<File>, f32>),
    Int(WavIntoSamples<BufReader<File>, i32>, f32),
}

impl Frames {
    fn open(path: &Path) -> Result<Self, WavError> {
        let reader = WavReader::open(path)?;
        let spec = reader.spec();
        if spec.sample_rate < 1000 || spec.sample_rate > 768_000 {
            return Err(WavError::Format(format!("a sample rate of {} Hz", spec.sample_rate)));
        }
        if !(1..=32).contains(&spec.bits_per_sample) {
            return Err(WavError::Format(format!("{} bits a sample", spec.bits_per_sample)));
        }
        let samples = match spec.sample_format {
            SampleFormat::Float => Samples::Float(reader.into_samples()),
            SampleFormat::Int => Samples::Int(reader.into_samples(), 1.0 / (1i64 << (spec.bits_per_sample - 1)) as f32),
        };
        Ok(Self { samples, channels: usize::from(spec.channels.max(1)), rate: spec.sample_rate })
    }
}

impl Iterator for Frames {
    type Item = f32;

    fn next(&mut self) -> Option<f32> {
        let mut sum = 0.0;
        for _ in 0..self.channels {
            sum += match &mut self.samples {
                Samples::Float(samples) => samples.next()?.ok()?,
                Samples::Int(samples, scale) => samples.next()?.ok()? as f32 * *scale,
            };
        }
        let mono = sum / self.channels as f32;
        Some(if mono.is_finite() { mono.clamp(-1.0, 1.0) } else { 0.0 })
    }
}

/// Reads a whole WAV; returns mono samples and the rate.
///
/// # Errors
/// The file's fault: it is missing, or no WAV.
pub fn read_wav(path: &Path) -> Result<(Vec<f32>, u32), WavError> {
    let frames = Frames::open(path)?;
    let rate = frames.rate;
    Ok((frames.collect(), rate))
}

/// A WAV at another rate, block by block: an hour of it takes no more memory than a second. Its length and its first sample
/// are the recording's.
pub struct WavSource {
    frames: Frames,
    rate: u32,
    resampler: Resampler,
    raw: Vec<f32>,
    ready: Vec<f32>,
    /// Frames of the resampler's delay that are still to be dropped.
    skip: usize,
    taken: u64,
    given: u64,
    /// Frames to give in all, once the file has come to its end.
    length: Option<u64>,
}

impl WavSource {
    /// Opens a WAV to be heard at `rate`.
    ///
    /// # Errors
    /// The file's fault: it is missing, or no WAV.
    pub fn open(path: &Path, rate: u32) -> Result<Self, WavError> {
        let frames = Frames::open(path)?;
        let resampler = Resampler::new(frames.rate, rate);
        let skip = resampler.delay();
        let (raw, ready) = (Vec::new(), Vec::new());
        Ok(Self { frames, rate, resampler, raw, ready, skip, taken: 0, given: 0, length: None })
    }

    /// Fills a block, with silence past the end; returns whether there is more.
    pub fn fill(&mut self, block: &mut [f32]) -> bool {
        while self.ready.len() < block.len() && !self.is_read() {
            self.read(block.len());
        }
        let count = self.ready.len().min(block.len());
        block[..count].copy_from_slice(&self.ready[..count]);
        block[count..].fill(0.0);
        self.ready.drain(..count);
        self.given += count as u64;
        self.length.is_none_or(|length| self.given < length)
    }

    fn is_read(&self) -> bool {
        self.length.is_some_and(|length| self.given + self.ready.len() as u64 >= length)
    }

    fn read(&mut self, count: usize) {
        let count = count.max(self.resampler.block());
        self.raw.clear();
        if self.length.is_none() {
            self.raw.extend(self.frames.by_ref().take(count));
            self.taken += self.raw.len() as u64;
            if self.raw.len() < count {
                self.length = Some((self.taken * u64::from(self.rate)).div_ceil(u64::from(self.frames.rate)));
            }
        }
        if self.length.is_some() {
            // Silence pushes out what the resampler holds back.
            self.raw.resize(count, 0.0);
        }
        self.resampler.push(&self.raw, &mut self.ready);
        let skipped = self.skip.min(self.ready.len());
        self.ready.drain(..skipped);
        self.skip -= skipped;
        if let Some(length) = self.length {
            self.ready.truncate((length - self.given.min(length)) as usize);
        }
    }
}

/// Writes mono 16-bit samples.
///
/// # Errors
/// The disk's fault.
pub fn write_wav(path: &Path, samples: &[i16], rate: u32) -> Result<(), WavError> {
    let spec = WavSpec { channels: 1, sample_rate: rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut writer = WavWriter::create(path, spec)?;
    for sample in samples {
        writer.write_sample(*sample)?;
    }
    Ok(writer.finalize()?)
}
