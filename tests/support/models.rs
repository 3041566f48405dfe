//! The engine's own voice and ears, to make questions with and to hear what was played.

use std::path::PathBuf;

use engine::{
    on_device::{Models, loaders},
    stages::{Synthesizer, Transcriber},
};
use protocol::Pcm16;

use crate::speech::loud_ms;

fn models() -> Models {
    let folder = std::env::var_os("VIVAVOCE_MODELS").expect("VIVAVOCE_MODELS names the models' folder");
    Models { folder: PathBuf::from(folder), language_model: None, cache: None }
}

/// The engine's speech stage.
pub struct Voice(Box<dyn Synthesizer>);

impl Voice {
    /// Loads it.
    pub fn load() -> Self {
        Self((loaders(&models()).synthesizer)().unwrap())
    }

    /// Speaks at 24 kHz; speed 1 is natural.
    pub fn speak(&mut self, text: &str, speed: f32) -> Vec<i16> {
        self.0.speak(text, "heart", speed).unwrap().0
    }
}

/// The engine's transcriber.
pub struct Ears(Box<dyn Transcriber>);

impl Ears {
    /// Loads it.
    pub fn load() -> Self {
        Self((loaders(&models()).transcriber)().unwrap())
    }

    /// Writes down 48 kHz sound, from its first loud moment to its last.
    pub fn hear(&mut self, samples: &[i16]) -> String {
        let loud = loud_ms(samples);
        let (Some(first), Some(last)) = (loud.first(), loud.last()) else { return String::new() };
        let (from, to) = ((*first as usize).saturating_sub(100) * 48, (*last as usize + 300) * 48);
        let half: Vec<i16> = samples[from..to.min(samples.len())].iter().step_by(2).copied().collect();
        self.0.transcribe(&Pcm16(half)).unwrap()
    }
}
