//! G.711 at 8 kHz, and the names of encodings. Rates are the owner's to convert.

use serde::{Deserialize, Serialize};

use crate::{AudioFormat, SAMPLE_RATE};

/// How audio is written on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Codec {
    /// 16-bit little-endian samples.
    Pcm {
        /// Frames per second.
        rate: u32,
    },
    /// G.711 mu-law, 8 kHz.
    Mulaw,
    /// G.711 A-law, 8 kHz.
    Alaw,
}

impl Default for Codec {
    fn default() -> Self {
        Self::Pcm { rate: SAMPLE_RATE }
    }
}

impl Codec {
    /// Returns frames per second.
    pub fn rate(self) -> u32 {
        match self {
            Self::Pcm { rate } => rate,
            Self::Mulaw | Self::Alaw => 8000,
        }
    }

    /// Returns the format object of the wire.
    pub fn format(self) -> AudioFormat {
        let (kind, rate) = match self {
            Self::Pcm { rate } => ("audio/pcm", Some(rate)),
            Self::Mulaw => ("audio/pcmu", None),
            Self::Alaw => ("audio/pcma", None),
        };
        AudioFormat { kind: kind.into(), rate }
    }

    /// Returns the codec that a format names; none if it is another.
    pub fn of(format: &AudioFormat) -> Option<Self> {
        match format.kind.as_str() {
            "audio/pcm" => Some(Self::Pcm { rate: format.rate.unwrap_or(SAMPLE_RATE) }),
            "audio/pcmu" => Some(Self::Mulaw),
            "audio/pcma" => Some(Self::Alaw),
            _ => None,
        }
    }
}

/// Added to a sample's size before its segment is sought (ITU-T G.711, mu-law).
const BIAS: i32 = 0x84;
/// Largest size that mu-law can write after [`BIAS`].
const CLIP: i32 = 32_635;

/// Returns a sample in mu-law (ITU-T G.711).
pub fn mulaw_encode(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let size = i32::from(sample).abs().min(CLIP) + BIAS;
    let segment = 7 - ((size as u32 & 0x7F80).leading_zeros().saturating_sub(17)).min(7) as i32;
    let step = (size >> (segment + 3)) & 0x0F;
    !(sign | (segment << 4) | step) as u8
}

/// Returns the sample of a mu-law byte.
pub fn mulaw_decode(byte: u8) -> i16 {
    let byte = !byte;
    let segment = i32::from(byte >> 4 & 7);
    let size = (((i32::from(byte & 0x0F) << 3) + BIAS) << segment) - BIAS;
    (if byte & 0x80 == 0 { size } else { -size }) as i16
}

/// Returns a sample in A-law (ITU-T G.711).
pub fn alaw_encode(sample: i16) -> u8 {
    let size = i32::from(if sample < 0 { !sample } else { sample }) >> 4;
    let sign = if sample < 0 { 0 } else { 0x80 };
    let segment = (32 - (size as u32 >> 4).leading_zeros()) as i32;
    let code = if segment == 0 { size } else { segment << 4 | (size >> (segment - 1)) & 0x0F };
    ((code | sign) ^ 0x55) as u8
}

/// Returns the sample of an A-law byte.
pub fn alaw_decode(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let (segment, step) = (i32::from(byte >> 4 & 7), i32::from(byte & 0x0F));
    let size = if segment == 0 { (step << 4) + 8 } else { ((step << 4) + 0x108) << (segment - 1) };
    (if byte & 0x80 == 0 { -size } else { size }) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_of_g711_is_the_nearest_to_its_own_sample() {
        for byte in 0..=255u8 {
            let sample = mulaw_decode(byte);
            assert_eq!(mulaw_decode(mulaw_encode(sample)), sample, "mu-law {byte:#x}");
            let sample = alaw_decode(byte);
            assert_eq!(alaw_encode(sample), byte, "A-law {byte:#x}");
        }
    }

    #[test]
    fn g711_has_the_recommendations_own_values() {
        let mulaw = [(0, 0xFF), (32_124, 0x80), (-32_124, 0x00), (i16::MAX, 0x80), (i16::MIN, 0x00)];
        for (sample, byte) in mulaw {
            assert_eq!(mulaw_encode(sample), byte, "mu-law {sample}");
        }
        let alaw = [(0, 0xD5), (32_256, 0xAA), (-32_256, 0x2A), (i16::MAX, 0xAA), (i16::MIN, 0x2A)];
        for (sample, byte) in alaw {
            assert_eq!(alaw_encode(sample), byte, "A-law {sample}");
        }
    }

    #[test]
    fn g711_stays_within_its_step_everywhere() {
        for sample in i16::MIN..=i16::MAX {
            let size = f64::from(sample).abs();
            for (name, back) in [("mu", mulaw_decode(mulaw_encode(sample))), ("A", alaw_decode(alaw_encode(sample)))] {
                let off = (f64::from(back) - f64::from(sample)).abs();
                assert!(
                    off <= size / 16.0 + 16.0 || size > 32_100.0 && off < 660.0,
                    "{name}-law: {sample} became {back}"
                );
            }
        }
    }
}
