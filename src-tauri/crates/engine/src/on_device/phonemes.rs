use std::{collections::HashMap, sync::Mutex};

use misaki_rs::{Fallback, G2P, Language, fallback::FallbackError};
use ort::{session::Session, value::TensorRef};
use serde::Deserialize;

use super::{
    Models,
    runtime::{Open, open},
};
use crate::{speech_text::spoken, stages::StageError};

/// Text to the phonemes that hibari and Kokoro were trained on, and to their token ids.
pub(super) struct Phonemes {
    american: G2P,
    british: Option<G2P>,
    vocabulary: HashMap<char, i64>,
}

impl Phonemes {
    pub fn load(models: &Models) -> Result<Self, StageError> {
        let read = |path: &str| std::fs::read(models.file(path)?).map_err(|e| StageError::new(path, e));
        let vocabulary: HashMap<String, i64> =
            serde_json::from_slice(&read("hibari/vocab.json")?).map_err(|e| StageError::new("hibari/vocab.json", e))?;
        let vocabulary = vocabulary.into_iter().filter_map(|(k, v)| Some((k.chars().next()?, v))).collect();
        let spelling: Spelling =
            serde_json::from_slice(&read("hibari/oov.json")?).map_err(|e| StageError::new("hibari/oov.json", e))?;
        let session = open(models, &models.file("hibari/oov.onnx")?, Open::Run)?;
        let unknown = UnknownWords { session: Mutex::new(session), spelling };
        let american = G2P::with_fallback(Language::EnglishUS, Some(Box::new(unknown)));
        Ok(Self { american, british: None, vocabulary })
    }

    /// Returns token ids between two zeros; empty where there is nothing to say. White space in a row is one.
    pub fn tokens(&mut self, text: &str, british: bool) -> Result<Vec<i64>, StageError> {
        let text = spoken(text);
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let g2p =
            if british { self.british.get_or_insert_with(|| G2P::new(Language::EnglishGB)) } else { &self.american };
        let (phonemes, _) = g2p.g2p(&text).map_err(|e| StageError::new("pronunciation", format!("{e:?}")))?;
        let ids = phonemes.trim().chars().filter_map(|c| self.vocabulary.get(&c).copied());
        let mut tokens = vec![0];
        tokens.extend(ids);
        tokens.push(0);
        Ok(if tokens.len() > 2 { tokens } else { Vec::new() })
    }
}

/// Pronounces words that no dictionary has, letter by letter through a small network.
struct UnknownWords {
    session: Mutex<Session>,
    spelling: Spelling,
}

/// The network's alphabets; a character's id is its place and one.
#[derive(Deserialize)]
struct Spelling {
    #[serde(rename = "in")]
    letters: Vec<char>,
    #[serde(rename = "out")]
    sounds: Vec<char>,
    maxlen: usize,
}

impl UnknownWords {
    fn pronounce(&self, word: &str) -> Option<String> {
        let place = |c: char| self.spelling.letters.iter().position(|l| *l == c).map(|i| i as i64 + 1);
        let ids: Vec<i64> = word.chars().filter_map(place).take(self.spelling.maxlen).collect();
        if ids.is_empty() {
            return None;
        }
        let mut session = self.session.lock().ok()?;
        let input = TensorRef::from_array_view(([1, ids.len()], ids.as_slice())).ok()?;
        let outputs = session.run(ort::inputs! { "chars" => input }).ok()?;
        let (_, ids) = outputs["ids"].try_extract_tensor::<i64>().ok()?;
        let mut sounds = String::new();
        let mut last = 0;
        for id in ids.iter().copied() {
            // Connectionist temporal classification: repeats and blanks (0) fall away.
            if id != last && id != 0 {
                sounds.extend(usize::try_from(id - 1).ok().and_then(|i| self.spelling.sounds.get(i)));
            }
            last = id;
        }
        Some(sounds)
    }
}

impl Fallback for UnknownWords {
    /// Never fails: an error would silence the whole sentence.
    fn phonemize(&self, word: &str) -> Result<String, FallbackError> {
        let parts = word.split(|c: char| !c.is_alphabetic() && c != '\'').filter(|p| !p.is_empty());
        Ok(parts.filter_map(|part| self.pronounce(part)).collect::<Vec<_>>().join(" "))
    }
}
