use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

use ort::{
    memory::Allocator,
    session::{Session, SessionInputValue},
    value::{DynValue, Tensor, TensorElementType, TensorRef},
};
use protocol::Pcm16;

use super::{
    Models, protobuf,
    resample::to_16k,
    runtime::{Open, open},
};
use crate::stages::{StageError, Transcriber};

const BEGIN: i64 = 1;
const END: i64 = 2;
/// No English is spoken faster; past it the model repeats itself (the authors' own limit).
const TOKENS_PER_SECOND: f64 = 6.5;
/// Words that may be in a sound that is shorter than a second.
const LEAST_TOKENS: usize = 8;
/// Silence behind the speech; without it the base model invents a number in front (measured).
const TAIL: usize = 3200;
/// Shorter sounds hold no word and are too short for the model's first layers.
const LEAST: usize = 2000;

/// Moonshine, English.
pub(super) struct Moonshine {
    encoder: Session,
    decoder: Session,
    tokens: Vec<Vec<u8>>,
    past: Vec<Past>,
    takes_encoder_mask: bool,
    takes_decoder_mask: bool,
}

/// A cached tensor of the decoder.
struct Past {
    input: String,
    output: String,
    heads: i64,
    width: i64,
}

impl Moonshine {
    pub fn load(models: &Models) -> Result<Self, StageError> {
        let encoder = open(models, &converted(models, "encoder")?, Open::Run)?;
        let decoder = open(models, &converted(models, "decoder")?, Open::Run)?;
        let tokenizer = models.file("moonshine-base/tokenizer.bin")?;
        let bytes = std::fs::read(&tokenizer).map_err(|e| StageError::new("the transcriber's tokenizer", e))?;
        let past = decoder.inputs().iter().filter_map(|input| {
            let rest = input.name().strip_prefix("past_key_values.")?;
            let shape = input.dtype().tensor_shape()?;
            let (heads, width) = (*shape.get(1)?, *shape.get(3)?);
            Some(Past { input: input.name().into(), output: format!("present.{rest}"), heads, width })
        });
        let past = past.collect();
        let takes = |session: &Session, name: &str| session.inputs().iter().any(|i| i.name() == name);
        Ok(Self {
            takes_encoder_mask: takes(&encoder, "attention_mask"),
            takes_decoder_mask: takes(&decoder, "encoder_attention_mask"),
            encoder,
            decoder,
            tokens: read_tokens(&bytes),
            past,
        })
    }

    fn run(&mut self, samples: &[f32]) -> ort::Result<Vec<i64>> {
        let length = samples.len();
        let ones = vec![1i64; length];
        let mut inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)> =
            vec![("input_values".into(), TensorRef::from_array_view(([1, length], samples))?.into())];
        if self.takes_encoder_mask {
            inputs.push(("attention_mask".into(), TensorRef::from_array_view(([1, length], ones.as_slice()))?.into()));
        }
        let mut encoded = self.encoder.run(inputs)?;
        let Some(hidden) = encoded.remove("last_hidden_state") else { return Ok(Vec::new()) };
        drop(encoded);

        let allocator = Allocator::default();
        let empty = |p: &Past| {
            let shape = [1i64, p.heads, 0, p.width];
            ort::value::DynTensor::new(&allocator, TensorElementType::Float32, shape).map(|t| t.into_dyn())
        };
        let mut cache: Vec<DynValue> = self.past.iter().map(empty).collect::<ort::Result<_>>()?;
        let most = ((length as f64 / 16_000.0 * TOKENS_PER_SECOND).ceil() as usize).max(LEAST_TOKENS);
        let mut tokens = Vec::new();
        let mut last = BEGIN;
        for step in 0..most {
            let mut inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = Vec::with_capacity(cache.len() + 4);
            inputs.push(("input_ids".into(), Tensor::from_array(([1usize, 1], vec![last]))?.into()));
            inputs.push(("encoder_hidden_states".into(), (&hidden).into()));
            inputs.push(("use_cache_branch".into(), Tensor::from_array(([1usize], vec![step > 0]))?.into()));
            if self.takes_decoder_mask {
                inputs.push(("encoder_attention_mask".into(), Tensor::from_array(([1usize, 1], vec![1i64]))?.into()));
            }
            inputs.extend(self.past.iter().zip(&cache).map(|(p, v)| (p.input.as_str().into(), v.into())));
            let mut outputs = self.decoder.run(inputs)?;
            let (_, logits) = outputs["logits"].try_extract_tensor::<f32>()?;
            let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(END, |(i, _)| i as i64);
            for (past, slot) in self.past.iter().zip(&mut cache) {
                // The encoder's keys are computed in the first step only; later steps return empty ones.
                if (step == 0 || past.output.contains(".decoder."))
                    && let Some(value) = outputs.remove(&past.output)
                {
                    *slot = value;
                }
            }
            if best == END {
                break;
            }
            tokens.push(best);
            last = best;
        }
        Ok(tokens)
    }

    fn text(&self, tokens: &[i64]) -> String {
        let pieces = tokens.iter().filter_map(|t| self.tokens.get(usize::try_from(*t).ok()?));
        let special = |p: &[u8]| p.len() > 2 && p.starts_with(b"<") && p.ends_with(b">");
        let bytes: Vec<u8> = pieces.filter(|p| !special(p)).flatten().copied().collect();
        String::from_utf8_lossy(&bytes).replace('\u{2581}', " ").trim().to_owned()
    }
}

impl Transcriber for Moonshine {
    fn transcribe(&mut self, pcm: &Pcm16) -> Result<String, StageError> {
        let mut samples = to_16k(pcm)?;
        if samples.len() < LEAST {
            return Ok(String::new());
        }
        samples.extend(std::iter::repeat_n(0.0, TAIL));
        let tokens = self.run(&samples).map_err(|e| StageError::new("moonshine", e))?;
        Ok(self.text(&tokens))
    }
}

/// Returns the model as ONNX, written out from the shipped file on first use.
///
/// As shipped its weights are turned from int8 to f32 again at every step, and the runtime optimises no file of that
/// format: the converted decoder takes a sixth of the time (measured: 94.8 against 15.0 ms a token).
fn converted(models: &Models, part: &str) -> Result<PathBuf, StageError> {
    let target = models.folder.join(format!("moonshine-base/{part}.onnx"));
    if target.is_file() {
        return Ok(target);
    }
    let source = models.file(&format!("moonshine-base/{part}.ort"))?;
    convert(models, &source, &target).map_err(|e| StageError::new("converting the transcriber", e))?;
    Ok(target)
}

fn convert(models: &Models, source: &Path, target: &Path) -> Result<(), StageError> {
    let written = target.with_extension(format!("{}.part", std::process::id()));
    drop(open(models, source, Open::Convert { to: &written })?);
    let io = |e: std::io::Error| StageError(e.to_string());
    let bytes = std::fs::read(&written).map_err(io)?;
    let mended = protobuf::name_subgraphs(&bytes).ok_or_else(|| StageError("the written model is damaged".into()))?;
    std::fs::write(&written, mended).map_err(io)?;
    std::fs::rename(&written, target).map_err(io)
}

/// Reads length-prefixed tokens; a length of 128 or more takes two bytes, the low part first.
fn read_tokens(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = bytes.get(at).copied() {
        at += 1;
        let mut length = usize::from(first);
        if first >= 128 {
            length = usize::from(bytes.get(at).copied().unwrap_or(0)) * 128 + length - 128;
            at += 1;
        }
        let end = (at + length).min(bytes.len());
        tokens.push(bytes[at.min(end)..end].to_vec());
        at = end.max(at);
    }
    tokens
}
