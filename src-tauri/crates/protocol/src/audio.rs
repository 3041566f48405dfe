use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// Frames per second of [`Pcm16`], the rate of the Realtime API's `audio/pcm`.
pub const SAMPLE_RATE: u32 = 24_000;

/// Audio as the wire has it: bytes, base64 in JSON. Not promised to end on a whole sample.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AudioBytes(pub Vec<u8>);

impl std::fmt::Debug for AudioBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AudioBytes({})", self.0.len())
    }
}

impl AudioBytes {
    /// Returns the bytes of base64 text; none if it is none.
    pub fn from_base64(text: &str) -> Option<Self> {
        STANDARD.decode(text).ok().map(Self)
    }
}

impl Serialize for AudioBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for AudioBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(|e| D::Error::custom(format!("invalid base64 audio: {e}")))
    }
}

/// Mono 16-bit samples at [`SAMPLE_RATE`].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Pcm16(pub Vec<i16>);

impl Pcm16 {
    /// Returns the number of frames in `ms` milliseconds.
    pub fn frames_in(ms: u64) -> u64 {
        ms * u64::from(SAMPLE_RATE) / 1000
    }

    /// Returns whole milliseconds in `frames`, rounded down.
    pub fn ms_in(frames: u64) -> u64 {
        frames * 1000 / u64::from(SAMPLE_RATE)
    }

    /// Returns the number of frames.
    pub fn frames(&self) -> u64 {
        self.0.len() as u64
    }

    /// Returns little-endian bytes for the wire.
    pub fn to_bytes(&self) -> AudioBytes {
        AudioBytes(self.0.iter().flat_map(|s| s.to_le_bytes()).collect())
    }
}

impl std::fmt::Debug for Pcm16 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pcm16({})", self.0.len())
    }
}

/// Turns a stream of [`AudioBytes`] into samples; a byte that ends a chunk in mid-sample waits for the next.
#[derive(Clone, Copy, Debug, Default)]
pub struct PcmCarry(Option<u8>);

impl PcmCarry {
    /// Returns the samples that `bytes` complete.
    pub fn decode(&mut self, bytes: &AudioBytes) -> Pcm16 {
        let mut samples = Vec::with_capacity(bytes.0.len() / 2 + 1);
        let mut rest = bytes.0.as_slice();
        if let (Some(low), Some((high, behind))) = (self.0, rest.split_first()) {
            samples.push(i16::from_le_bytes([low, *high]));
            (self.0, rest) = (None, behind);
        }
        let pairs = rest.chunks_exact(2);
        if let [low] = pairs.remainder() {
            self.0 = Some(*low);
        }
        samples.extend(pairs.map(|pair| i16::from_le_bytes([pair[0], pair[1]])));
        Pcm16(samples)
    }
}
