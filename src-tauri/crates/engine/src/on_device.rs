//! The stages on this device: ONNX models through one runtime loaded at run time, the language model through llama.cpp.

mod hibari;
mod kokoro;
mod llama;
mod moonshine;
mod phonemes;
mod prompt_cache;
mod protobuf;
mod resample;
mod runtime;
mod silero;
mod smart_turn;
mod voice;

use std::path::{Path, PathBuf};

use crate::{StageLoaders, stages::StageError};

/// Where the models lie, and which of them to use.
#[derive(Clone, Debug)]
pub struct Models {
    /// Folder of [`crate::models::MODELS`].
    pub folder: PathBuf,
    /// A GGUF file in place of the shipped language model.
    pub language_model: Option<PathBuf>,
    /// Where the language model keeps what it has read of system prompts; none to read them anew with every start.
    pub cache: Option<PathBuf>,
}

impl Models {
    fn file(&self, path: &str) -> Result<PathBuf, StageError> {
        let full = self.folder.join(path);
        if full.is_file() { Ok(full) } else { Err(StageError(format!("the file {path} is not installed"))) }
    }
}

/// Returns loaders of the real stages.
pub fn loaders(models: &Models) -> StageLoaders {
    let m = [(); 5].map(|()| models.clone());
    let [a, b, c, d, e] = m;
    StageLoaders {
        ahead: crate::Ahead::default(),
        detector: Box::new(move || silero::Silero::load(&a).map(|s| Box::new(s) as _)),
        judge: Box::new(move || smart_turn::SmartTurn::load(&b).map(|s| Box::new(s) as _)),
        transcriber: Box::new(move || moonshine::Moonshine::load(&c).map(|s| Box::new(s) as _)),
        language_model: Box::new(move || llama::Llama::load(&d).map(|s| Box::new(s) as _)),
        synthesizer: Box::new(move || voice::Voice::load(&e).map(|s| Box::new(s) as _)),
    }
}

/// Checks that a GGUF file begins as one.
///
/// # Errors
/// The file cannot be read or is something else.
pub fn check_gguf(path: &Path) -> Result<(), StageError> {
    let mut magic = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut f| std::io::Read::read_exact(&mut f, &mut magic));
    read.map_err(|e| StageError::new("the language model cannot be read", e))?;
    if &magic == b"GGUF" { Ok(()) } else { Err(StageError("the language model is no GGUF file".into())) }
}
