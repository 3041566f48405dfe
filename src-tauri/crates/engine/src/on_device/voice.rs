use protocol::Pcm16;

use super::{Models, hibari::Hibari, kokoro::Kokoro, phonemes::Phonemes};
use crate::{
    stages::{StageError, Synthesizer},
    voices::{VoiceModel, voice},
};

/// Quieter than this is the model's own silence before and after the words.
const SILENCE: f32 = 0.004;
/// Kept of it in front of the words, and behind them (24 kHz frames: 10 and 60 ms).
const LEAD: usize = 240;
const TRAIL: usize = 1440;
/// A breath between two sentences: 160 ms.
const BREATH: usize = 3840;

/// Every voice of this device; Kokoro is loaded when one of its voices is first asked for.
pub(super) struct Voice {
    models: Models,
    phonemes: Phonemes,
    hibari: Hibari,
    kokoro: Option<Kokoro>,
}

impl Voice {
    pub fn load(models: &Models) -> Result<Self, StageError> {
        let (phonemes, hibari) = (Phonemes::load(models)?, Hibari::load(models)?);
        Ok(Self { models: models.clone(), phonemes, hibari, kokoro: None })
    }
}

impl Synthesizer for Voice {
    fn stream(
        &mut self,
        text: &str,
        id: &str,
        speed: f32,
        _: &dyn Fn() -> bool,
        _: &mut dyn FnMut(Pcm16),
    ) -> Result<Pcm16, StageError> {
        let wanted = voice(id);
        let british = wanted.id.starts_with('b');
        let tokens = self.phonemes.tokens(text, british)?;
        if tokens.is_empty() {
            return Ok(Pcm16::default());
        }
        let samples = match wanted.model {
            VoiceModel::Hibari => self.hibari.speak(&tokens, speed)?,
            VoiceModel::Kokoro => {
                if self.kokoro.is_none() {
                    self.kokoro = Some(Kokoro::load(&self.models)?);
                }
                match &mut self.kokoro {
                    Some(kokoro) => kokoro.speak(&self.models, &tokens, wanted.id, speed)?,
                    None => Vec::new(),
                }
            }
        };
        let breath = if text.trim_end().ends_with(['.', '!', '?']) { BREATH } else { 0 };
        Ok(trimmed(&samples, breath))
    }
}

/// Cuts the silence around the words: in front it would only be waited for.
fn trimmed(samples: &[f32], breath: usize) -> Pcm16 {
    let loud = |s: &f32| s.abs() > SILENCE;
    let (Some(first), Some(last)) = (samples.iter().position(loud), samples.iter().rposition(loud)) else {
        return Pcm16::default();
    };
    let words = &samples[first.saturating_sub(LEAD)..(last + TRAIL).min(samples.len())];
    let mut pcm: Vec<i16> = words.iter().map(|s| (s.clamp(-1.0, 1.0) * 32767.0) as i16).collect();
    pcm.extend(std::iter::repeat_n(0, breath));
    Pcm16(pcm)
}
