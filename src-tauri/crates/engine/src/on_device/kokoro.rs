use std::collections::HashMap;

use ort::{
    session::Session,
    value::{Tensor, TensorRef},
};

use super::{
    Models,
    runtime::{Open, open},
};
use crate::stages::StageError;

/// Longest input in tokens, the zeros at both ends included.
const MOST_TOKENS: usize = 512;
/// A voice's style has a row for each number of tokens.
const ROWS: usize = 510;
const WIDTH: usize = 256;

/// Kokoro 82M: token ids and a voice's style to 24 kHz speech.
pub(super) struct Kokoro {
    session: Session,
    styles: HashMap<String, Vec<f32>>,
}

impl Kokoro {
    pub fn load(models: &Models) -> Result<Self, StageError> {
        let session = open(models, &models.file("kokoro/model.onnx")?, Open::Run)?;
        Ok(Self { session, styles: HashMap::new() })
    }

    /// Returns samples at 24 kHz.
    pub fn speak(&mut self, models: &Models, tokens: &[i64], voice: &str, speed: f32) -> Result<Vec<f32>, StageError> {
        if !self.styles.contains_key(voice) {
            let bytes = std::fs::read(models.file(&format!("kokoro/{voice}.bin"))?);
            let bytes = bytes.map_err(|e| StageError::new("the voice cannot be read", e))?;
            let style: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            if style.len() != ROWS * WIDTH {
                return Err(StageError(format!("the voice {voice} is damaged")));
            }
            self.styles.insert(voice.to_owned(), style);
        }
        let Some(style) = self.styles.get(voice) else { return Ok(Vec::new()) };
        let mut samples = Vec::new();
        for part in tokens[1..tokens.len() - 1].chunks(MOST_TOKENS - 2) {
            let mut ids = vec![0];
            ids.extend_from_slice(part);
            ids.push(0);
            let row = part.len().min(ROWS - 1) * WIDTH;
            let mut run = || -> ort::Result<Vec<f32>> {
                let inputs = ort::inputs! {
                    "tokens" => TensorRef::from_array_view(([1, ids.len()], ids.as_slice()))?,
                    "style" => TensorRef::from_array_view(([1, WIDTH], &style[row..row + WIDTH]))?,
                    "speed" => Tensor::from_array(([1usize], vec![speed]))?,
                };
                let outputs = self.session.run(inputs)?;
                Ok(outputs[0].try_extract_tensor::<f32>()?.1.to_vec())
            };
            samples.extend(run().map_err(|e| StageError::new("kokoro", e))?);
        }
        Ok(samples)
    }
}
