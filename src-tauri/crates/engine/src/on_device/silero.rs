use ort::{
    session::Session,
    value::{Tensor, TensorRef},
};
use protocol::Pcm16;

use super::{
    Models,
    resample::To16k,
    runtime::{Open, open},
};
use crate::stages::{SpeechDetector, StageError};

/// Samples at 16 kHz in a window: 32 ms, which is 768 frames at 24 kHz.
const WINDOW: usize = 512;
const WINDOW_24K: u64 = 768;
/// Samples of the window before that go in front; without them every probability is near zero.
const CONTEXT: usize = 64;
const STATE: usize = 2 * 128;

/// Silero VAD.
pub(super) struct Silero {
    session: Session,
    resampler: To16k,
    pending: Vec<f32>,
    input: Vec<f32>,
    state: Vec<f32>,
    end: u64,
}

impl Silero {
    pub fn load(models: &Models) -> Result<Self, StageError> {
        Ok(Self {
            session: open(models, &models.file("turns/silero_vad.onnx")?, Open::Run)?,
            resampler: To16k::new()?,
            pending: Vec::new(),
            input: vec![0.0; CONTEXT + WINDOW],
            state: vec![0.0; STATE],
            end: 0,
        })
    }

    fn window(&mut self) -> ort::Result<f32> {
        self.input.copy_within(WINDOW.., 0);
        self.input[CONTEXT..].copy_from_slice(&self.pending[..WINDOW]);
        self.pending.drain(..WINDOW);
        let inputs = ort::inputs! {
            "input" => TensorRef::from_array_view(([1, CONTEXT + WINDOW], self.input.as_slice()))?,
            "state" => Tensor::from_array(([2usize, 1, 128], self.state.clone()))?,
            "sr" => Tensor::from_array(((), vec![16_000i64]))?,
        };
        let outputs = self.session.run(inputs)?;
        let probability = outputs["output"].try_extract_tensor::<f32>()?.1.first().copied().unwrap_or(0.0);
        self.state.copy_from_slice(outputs["stateN"].try_extract_tensor::<f32>()?.1);
        Ok(probability)
    }
}

impl SpeechDetector for Silero {
    fn listen(&mut self, pcm: &Pcm16) -> Result<Vec<(u64, f32)>, StageError> {
        self.resampler.push(pcm, &mut self.pending)?;
        let mut windows = Vec::new();
        while self.pending.len() >= WINDOW {
            let probability = self.window().map_err(|e| StageError::new("silero", e))?;
            self.end += WINDOW_24K;
            windows.push((self.end, probability));
        }
        Ok(windows)
    }

    fn reset(&mut self) {
        self.resampler.reset();
        self.pending.clear();
        self.input.fill(0.0);
        self.state.fill(0.0);
        self.end = 0;
    }
}
