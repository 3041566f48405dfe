use std::path::Path;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

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

/// Reads a WAV of any rate, channel count and PCM format; returns mono samples and the rate.
///
/// A file cut short gives what it has; one without a single frame gives none.
///
/// # Errors
/// The file's fault: it is missing, or no WAV.
pub fn read_wav(path: &Path) -> Result<(Vec<f32>, u32), WavError> {
    let mut reader = WavReader::open(path)?;
    let spec = reader.spec();
    if spec.sample_rate < 1000 || spec.sample_rate > 768_000 {
        return Err(WavError::Format(format!("a sample rate of {} Hz", spec.sample_rate)));
    }
    if !(1..=32).contains(&spec.bits_per_sample) {
        return Err(WavError::Format(format!("{} bits a sample", spec.bits_per_sample)));
    }
    let channels = usize::from(spec.channels);
    let interleaved: Vec<f32> = match spec.sample_format {
        SampleFormat::Float => reader.samples::<f32>().map_while(Result::ok).collect(),
        SampleFormat::Int => {
            let scale = 1.0 / (1i64 << (spec.bits_per_sample - 1)) as f32;
            reader.samples::<i32>().map_while(Result::ok).map(|s| s as f32 * scale).collect()
        }
    };
    let mono = interleaved.chunks_exact(channels).map(|f| f.iter().sum::<f32>() / channels as f32);
    Ok((mono.map(|s| if s.is_finite() { s.clamp(-1.0, 1.0) } else { 0.0 }).collect(), spec.sample_rate))
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
