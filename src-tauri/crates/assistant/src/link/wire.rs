//! Between the session, which knows GA events and 24 kHz samples alone, and what a server wants on its wire.

use std::collections::VecDeque;

use audio::Resampler;
use protocol::{
    At, AudioBytes, AudioFormat, ClientEvent, Codec, Dialect, ParseError, Pcm16, PcmCarry, SAMPLE_RATE, ServerEvent,
    Session, alaw_decode, alaw_encode, mulaw_decode, mulaw_encode,
};

/// Parts of answers that may be under way at once.
const PARTS: usize = 8;

/// One link's translation of both directions.
pub(crate) struct Wire {
    dialect: Option<Dialect>,
    up: Option<Up>,
    output: Codec,
    down: VecDeque<(At, Down)>,
}

/// From the session's samples to the wire.
struct Up {
    codec: Codec,
    resampler: Resampler,
    carry: PcmCarry,
}

/// From the wire to the session's samples, for one part of an answer.
struct Down {
    resampler: Resampler,
    carry: PcmCarry,
}

impl Wire {
    /// Returns a translation; a dialect that is not given is told by the first frame.
    pub fn new(dialect: Option<Dialect>, input: Codec, output: Codec) -> Self {
        Self { dialect, up: Up::new(input), output, down: VecDeque::new() }
    }

    /// Returns a translation that changes nothing, as for the engine of this program.
    pub fn plain() -> Self {
        Self::new(Some(Dialect::Ga), Codec::default(), Codec::default())
    }

    /// Returns how the server is spoken to, as far as it is known.
    pub fn dialect(&self) -> Dialect {
        self.dialect.unwrap_or_default()
    }

    /// Returns the message for an event; none if it waits for more.
    pub fn write(&mut self, event: &ClientEvent, event_id: &str) -> Option<String> {
        let dialect = self.dialect.unwrap_or_default();
        match (event, &mut self.up) {
            (ClientEvent::InputAudioBufferAppend { audio }, Some(up)) => {
                let audio = up.encode(audio);
                let event = ClientEvent::InputAudioBufferAppend { audio };
                (!event_is_empty(&event)).then(|| dialect.write(&event, Some(event_id)))
            }
            _ => Some(dialect.write(event, Some(event_id))),
        }
    }

    /// Reads a message.
    ///
    /// # Errors
    /// The server's fault; the connection lives on.
    pub fn read(&mut self, text: &str) -> Result<ServerEvent, ParseError> {
        if self.dialect.is_none() {
            self.dialect = Dialect::detect(text);
        }
        let mut event = ServerEvent::parse(text)?;
        if let ServerEvent::SessionUpdated { session } = &event {
            self.heed(session);
        }
        if self.output != Codec::default()
            && let ServerEvent::OutputAudioDelta { at, delta } = &mut event
        {
            *delta = self.decode(at, delta);
        }
        Ok(event)
    }

    /// Goes by what the server says it does: some pass over a format that they are asked for.
    fn heed(&mut self, session: &Session) {
        let Some(audio) = &session.audio else { return };
        // PCM without a rate says nothing of the rate.
        let told = |format: Option<&AudioFormat>, now: Codec| {
            let format = format?;
            let told = Codec::of(format)?;
            let same_kind = matches!((told, now), (Codec::Pcm { .. }, Codec::Pcm { .. }));
            (told != now && !(same_kind && format.rate.is_none())).then_some(told)
        };
        let input = self.up.as_ref().map_or(Codec::default(), |up| up.codec);
        if let Some(codec) = told(audio.input.as_ref().and_then(|i| i.format.as_ref()), input) {
            self.up = Up::new(codec);
        }
        if let Some(codec) = told(audio.output.as_ref().and_then(|o| o.format.as_ref()), self.output) {
            self.output = codec;
            self.down.clear();
        }
    }

    fn decode(&mut self, at: &At, delta: &AudioBytes) -> AudioBytes {
        let index = self.down.iter().position(|(known, _)| known == at).unwrap_or_else(|| {
            let resampler = Resampler::new(self.output.rate(), SAMPLE_RATE);
            self.down.push_back((at.clone(), Down { resampler, carry: PcmCarry::default() }));
            if self.down.len() > PARTS {
                self.down.pop_front();
            }
            self.down.len() - 1
        });
        let down = &mut self.down[index].1;
        let pcm = match self.output {
            Codec::Pcm { .. } => down.carry.decode(delta),
            Codec::Mulaw => Pcm16(delta.0.iter().map(|b| mulaw_decode(*b)).collect()),
            Codec::Alaw => Pcm16(delta.0.iter().map(|b| alaw_decode(*b)).collect()),
        };
        resample(&mut down.resampler, &pcm).to_bytes()
    }
}

impl Up {
    /// Returns a way to write samples; none where they go as they are.
    fn new(codec: Codec) -> Option<Self> {
        (codec != Codec::default()).then(|| Self {
            codec,
            resampler: Resampler::new(SAMPLE_RATE, codec.rate()),
            carry: PcmCarry::default(),
        })
    }

    fn encode(&mut self, audio: &AudioBytes) -> AudioBytes {
        let pcm = self.carry.decode(audio);
        let pcm = resample(&mut self.resampler, &pcm);
        match self.codec {
            Codec::Pcm { .. } => pcm.to_bytes(),
            Codec::Mulaw => AudioBytes(pcm.0.iter().map(|s| mulaw_encode(*s)).collect()),
            Codec::Alaw => AudioBytes(pcm.0.iter().map(|s| alaw_encode(*s)).collect()),
        }
    }
}

fn event_is_empty(event: &ClientEvent) -> bool {
    matches!(event, ClientEvent::InputAudioBufferAppend { audio } if audio.0.is_empty())
}

fn resample(resampler: &mut Resampler, pcm: &Pcm16) -> Pcm16 {
    let samples: Vec<f32> = pcm.0.iter().map(|s| f32::from(*s) / 32_768.0).collect();
    let mut out = Vec::with_capacity(samples.len() * 3 + 480);
    resampler.push(&samples, &mut out);
    Pcm16(out.iter().map(|s| (s * 32_768.0).clamp(-32_768.0, 32_767.0) as i16).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(frames: u32) -> Pcm16 {
        let sample = |n: u32| (f64::from(n) * 440.0 * std::f64::consts::TAU / 24_000.0).sin() * 16_000.0;
        Pcm16((0..frames).map(|n| sample(n) as i16).collect())
    }

    fn loudness(samples: &[i16]) -> f64 {
        (samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len() as f64).sqrt()
    }

    #[test]
    fn every_codec_carries_a_tone_both_ways_at_its_own_rate() {
        for codec in [Codec::Mulaw, Codec::Alaw, Codec::Pcm { rate: 16_000 }, Codec::Pcm { rate: 48_000 }] {
            let mut wire = Wire::new(Some(Dialect::Ga), codec, codec);
            let mut bytes = 0;
            let mut back = Vec::new();
            for chunk in tone(24_000).0.chunks(480) {
                let event = ClientEvent::InputAudioBufferAppend { audio: Pcm16(chunk.to_vec()).to_bytes() };
                let Some(text) = wire.write(&event, "c1") else { continue };
                let (_, sent) = ClientEvent::parse(&text).unwrap();
                let ClientEvent::InputAudioBufferAppend { audio } = sent else { panic!("{sent:?}") };
                bytes += audio.0.len();
                let event = ServerEvent::OutputAudioDelta { at: At::default(), delta: audio };
                let ServerEvent::OutputAudioDelta { delta, .. } = wire.read(&event.to_json(None)).unwrap() else {
                    panic!()
                };
                back.extend(PcmCarry::default().decode(&delta).0);
            }
            let width = if matches!(codec, Codec::Pcm { .. }) { 2 } else { 1 };
            let seconds = bytes as f64 / width as f64 / f64::from(codec.rate());
            assert!((0.97..=1.0).contains(&seconds), "{codec:?}: {seconds} s were sent");
            let level = loudness(&back[4800..]) / loudness(&tone(24_000).0);
            assert!((0.95..1.05).contains(&level), "{codec:?}: {level} of the level came back");
        }
    }

    #[test]
    fn a_server_that_passes_over_the_format_is_heard_as_it_speaks() {
        let mut wire = Wire::new(Some(Dialect::Ga), Codec::Mulaw, Codec::Mulaw);
        let pcm = serde_json::json!({ "type": "audio/pcm", "rate": 24000 });
        let echo = serde_json::json!({ "type": "session.updated",
            "session": { "audio": { "input": { "format": pcm }, "output": { "format": pcm } } } });
        wire.read(&echo.to_string()).unwrap();
        let audio = tone(480).to_bytes();
        let event = ServerEvent::OutputAudioDelta { at: At::default(), delta: audio.clone() };
        assert_eq!(wire.read(&event.to_json(None)).unwrap(), event);
        let event = ClientEvent::InputAudioBufferAppend { audio };
        assert_eq!(ClientEvent::parse(&wire.write(&event, "c").unwrap()).unwrap().1, event);
        // Qwen's `pcm` names no rate: what is known of it holds.
        let mut wire = Wire::new(Some(Dialect::Qwen), Codec::Pcm { rate: 16_000 }, Codec::default());
        wire.read(r#"{"type":"session.updated","session":{"input_audio_format":"pcm","output_audio_format":"pcm"}}"#)
            .unwrap();
        assert_eq!(wire.up.map(|up| up.codec), Some(Codec::Pcm { rate: 16_000 }));
    }

    #[test]
    fn an_old_server_is_known_by_its_first_frame() {
        let mut wire = Wire::new(None, Codec::default(), Codec::default());
        wire.read(r#"{"type":"session.created","session":{"modalities":["text","audio"]}}"#).unwrap();
        let session = protocol::Session { instructions: Some("Hi.".into()), ..Default::default() };
        let text = wire.write(&ClientEvent::SessionUpdate { session: Box::new(session) }, "c1").unwrap();
        let sent: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(sent["session"], serde_json::json!({ "instructions": "Hi." }));
    }
}
