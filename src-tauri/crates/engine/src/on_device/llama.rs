use std::{
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
};

use llama_cpp_2::{
    LogOptions,
    context::{LlamaContext, params::LlamaContextParams},
    llama_backend::LlamaBackend,
    llama_batch::LlamaBatch,
    model::{LlamaModel, params::LlamaModelParams},
    sampling::LlamaSampler,
    send_logs_to_tracing,
    token::LlamaToken,
};

use super::{Models, check_gguf, prompt_cache::PromptCache};
use crate::stages::{Author, Finish, LanguageModel, Message, Request, StageError, Written};

/// Longest answer in tokens where the client sets no limit: about a minute of speech.
const MOST_TOKENS: u32 = 220;
/// A limit of the client's above this would leave no room for the prompt.
const LIMIT_TOKENS: u32 = 1024;
/// Instructions, examples, some thirty turns.
const CONTEXT: u32 = 4096;
/// Tokens read between two looks at whether anybody still wants them: about 0.3 s on one slow core.
const CHUNK: usize = 16;
/// Tokens looked back at for repetition.
const REPEAT_LAST: i32 = 96;
/// The same answer to the same question: a fixed seed.
const SEED: u32 = 7;

/// A GGUF model through llama.cpp, with everything it has read kept: a prompt is read from where it differs.
pub(super) struct Llama {
    model: &'static LlamaModel,
    context: LlamaContext<'static>,
    read: Vec<LlamaToken>,
    cache: PromptCache,
}

/// One for the process.
static BACKEND: Mutex<Option<&'static LlamaBackend>> = Mutex::new(None);
/// A prompt that shares less with what was read before is another prompt.
const SAME_PROMPT: usize = 32;
/// A run of tokens that is worth moving.
const MOVED_LEAST: usize = 64;

impl Llama {
    /// The model and the backend live as long as the process: the child that loads them loads no others.
    pub fn load(models: &Models) -> Result<Self, StageError> {
        let path = match &models.language_model {
            Some(path) => path.clone(),
            None => models.file("qwen-0.5b/model.gguf")?,
        };
        check_gguf(&path)?;
        check_processor()?;
        send_logs_to_tracing(LogOptions::default().with_logs_enabled(false));
        let what = "the language model cannot be loaded";
        let backend = {
            let mut backend = BACKEND.lock().unwrap_or_else(PoisonError::into_inner);
            match *backend {
                Some(backend) => backend,
                None => {
                    let new = LlamaBackend::init().map_err(|e| StageError::new(what, e))?;
                    *backend.insert(Box::leak(Box::new(new)))
                }
            }
        };
        let params = LlamaModelParams::default().with_n_gpu_layers(0);
        let model = LlamaModel::load_from_file(backend, &path, &params).map_err(|e| StageError::new(what, e))?;
        let model: &'static LlamaModel = Box::leak(Box::new(model));
        let threads = threads();
        let params = LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(CONTEXT))
            .with_n_batch(512)
            .with_n_threads(threads)
            .with_n_threads_batch(threads);
        let context = model.new_context(backend, params).map_err(|e| StageError::new(what, e))?;
        let cache = PromptCache::new(models.cache.clone(), &path);
        Ok(Self { model, context, read: Vec::new(), cache })
    }

    /// Reads what the cache does not have of `tokens`; returns how many it had. The last one's logits are left ready.
    /// `fixed` are those of the instructions: what stands behind them may move.
    fn read(
        &mut self,
        tokens: &[LlamaToken],
        fixed: usize,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Option<usize>, StageError> {
        let what = "the language model failed";
        let mut same = self.same(tokens);
        if same < SAME_PROMPT.min(tokens.len())
            && let Some(loaded) = self.cache.load(&mut self.context, tokens, same)
        {
            self.read = tokens[..loaded].to_vec();
            same = loaded;
        }
        if same >= fixed {
            same = self.close_gap(tokens, same)?;
        }
        // The last token is read again even if it is known: its logits are wanted.
        let mut known = same.min(tokens.len().saturating_sub(1));
        if known < self.read.len() {
            let cleared = self.context.clear_kv_cache_seq(Some(0), Some(known as u32), None);
            if !matches!(cleared, Ok(true)) {
                // A model that cannot forget a part forgets all.
                self.context.clear_kv_cache();
                known = 0;
            }
            self.read.truncate(known);
        }
        let mut batch = LlamaBatch::new(CHUNK, 1);
        for chunk in tokens[known..].chunks(CHUNK) {
            if cancelled() {
                return Ok(None);
            }
            batch.clear();
            for (n, token) in chunk.iter().enumerate() {
                let at = (self.read.len() + n) as i32;
                batch.add(*token, at, &[0], n + 1 == chunk.len()).map_err(|e| StageError::new(what, e))?;
            }
            self.context.decode(&mut batch).map_err(|e| StageError::new(what, e))?;
            self.read.extend_from_slice(chunk);
        }
        Ok(Some(known))
    }

    /// Moves what was read behind a gap to the front, where the oldest turns have been dropped from a prompt: to read the
    /// rest of a long conversation anew would take longer than anybody waits (some 20 ms of CPU a token, 2000 tokens). Returns how many tokens
    /// at the beginning have now been read.
    fn close_gap(&mut self, tokens: &[LlamaToken], same: usize) -> Result<usize, StageError> {
        let wanted = &tokens[same..];
        let run = |at: usize| self.read[at..].iter().zip(wanted).take_while(|(a, b)| a == b).count();
        let Some(from) = (same + 1..self.read.len()).find(|at| run(*at) >= MOVED_LEAST) else { return Ok(same) };
        let what = "the language model's memory cannot be moved";
        let (to, end) = (same as u32, from as u32);
        let cleared = self.context.clear_kv_cache_seq(Some(0), Some(to), Some(end));
        if !cleared.map_err(|e| StageError::new(what, e))? {
            return Ok(same);
        }
        let by = -((from - same) as i32);
        self.context.kv_cache_seq_add(0, Some(end), None, by).map_err(|e| StageError::new(what, e))?;
        self.read.drain(same..from);
        Ok(self.same(tokens))
    }

    /// Returns how many tokens at the beginning have been read.
    fn same(&self, tokens: &[LlamaToken]) -> usize {
        self.read.iter().zip(tokens).take_while(|(a, b)| a == b).count()
    }

    /// Returns the prompt in the ChatML that Qwen was trained on; users' words can hold no control token.
    fn tokens(&self, messages: &[Message], answer: Answer) -> Vec<LlamaToken> {
        let vocab = self.model.vocab();
        let mut tokens = Vec::new();
        for (n, message) in messages.iter().enumerate() {
            let author = match message.author {
                Author::System => "system",
                Author::User => "user",
                Author::Assistant => "assistant",
                // The template shows a tool's answer to the model as if the user told it.
                Author::Tool => "user",
            };
            tokens.extend(vocab.tokenize(format!("<|im_start|>{author}\n").as_bytes(), false, true));
            tokens.extend(vocab.tokenize(message.text.as_bytes(), false, false));
            if n + 1 < messages.len() || answer == Answer::Wanted {
                tokens.extend(vocab.tokenize(b"<|im_end|>\n", false, true));
            }
        }
        if answer == Answer::Wanted {
            tokens.extend(vocab.tokenize(b"<|im_start|>assistant\n", false, true));
        }
        tokens
    }

    /// Returns how many tokens the instructions take.
    fn instructions(&self, messages: &[Message]) -> usize {
        match messages.first() {
            Some(first) if first.author == Author::System => {
                self.tokens(std::slice::from_ref(first), Answer::NotYet).len()
            }
            Some(_) | None => 0,
        }
    }

    /// Drops the oldest turns until the prompt and its answer fit; instructions stay.
    fn fitted(&self, messages: &[Message], room: usize) -> Vec<LlamaToken> {
        let mut messages = messages.to_vec();
        loop {
            let tokens = self.tokens(&messages, Answer::Wanted);
            let oldest = messages.iter().position(|m| m.author != Author::System);
            match oldest {
                Some(index) if tokens.len() + room > CONTEXT as usize && messages.len() > index + 1 => {
                    messages.remove(index);
                }
                _ => {
                    let excess = (tokens.len() + room).saturating_sub(CONTEXT as usize).min(tokens.len());
                    return tokens[excess..].to_vec();
                }
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    Wanted,
    /// The last message may still grow.
    NotYet,
}

impl LanguageModel for Llama {
    fn generate(
        &mut self,
        request: &Request,
        cancelled: &dyn Fn() -> bool,
        on_written: &mut dyn FnMut(Written),
    ) -> Result<Finish, StageError> {
        let messages = &request.messages;
        let max_tokens = request.max_tokens.map_or(MOST_TOKENS, |limit| limit.min(LIMIT_TOKENS));
        let what = "the language model failed";
        let prompt = self.fitted(messages, max_tokens as usize);
        let mut finish = Finish { prompt_tokens: prompt.len() as u64, ..Finish::default() };
        let fixed = self.instructions(messages);
        let Some(known) = self.read(&prompt, fixed, cancelled)? else { return Ok(finish) };
        finish.cached_tokens = known as u64;
        let vocab = self.model.vocab();
        let mut sampler = LlamaSampler::chain(
            [
                LlamaSampler::penalties(self.model.n_vocab(), REPEAT_LAST, 1.1, 0.0, 0.0),
                LlamaSampler::top_k(20),
                LlamaSampler::top_p(0.8, 1),
                LlamaSampler::temp(0.3),
                LlamaSampler::dist(SEED),
            ],
            true,
        );
        let mut bytes = Vec::new();
        let mut batch = LlamaBatch::new(1, 1);
        while finish.output_tokens < u64::from(max_tokens) && !cancelled() {
            let token = sampler.sample(&self.context, -1);
            if vocab.is_eog(token) {
                return Ok(finish);
            }
            finish.output_tokens += 1;
            vocab.token_to_piece_into(token, &mut bytes, false, None);
            // A character may take several tokens.
            let whole = match std::str::from_utf8(&bytes) {
                Ok(_) => bytes.len(),
                Err(e) if e.error_len().is_none() && bytes.len() - e.valid_up_to() < 4 => e.valid_up_to(),
                Err(_) => bytes.len(),
            };
            if whole > 0 {
                on_written(Written::Text(String::from_utf8_lossy(&bytes[..whole]).into_owned()));
                bytes.drain(..whole);
            }
            batch.clear();
            batch.add(token, self.read.len() as i32, &[0], true).map_err(|e| StageError::new(what, e))?;
            self.context.decode(&mut batch).map_err(|e| StageError::new(what, e))?;
            self.read.push(token);
        }
        finish.truncated = finish.output_tokens >= u64::from(max_tokens);
        Ok(finish)
    }

    fn prefill(&mut self, messages: &[Message], cancelled: &dyn Fn() -> bool) -> Result<(), StageError> {
        let tokens = self.tokens(messages, Answer::NotYet);
        if tokens.is_empty() || tokens.len() > CONTEXT as usize {
            return Ok(());
        }
        let new = self.same(&tokens) < SAME_PROMPT.min(tokens.len());
        let fixed = self.instructions(messages);
        let read = self.read(&tokens, fixed, cancelled)?;
        // Instructions alone: what the user says is written nowhere.
        let users = messages.last().is_some_and(|m| m.author == Author::User);
        if !users && read.is_some_and(|known| new && known + 1 < tokens.len()) {
            self.cache.save(&self.context, &tokens);
        }
        Ok(())
    }
}

/// One less than there are cores, for sound and speech work beside it. On two cores both, if idle OpenMP threads sleep
/// (the parent process sees to it): while answers are written nothing else does, and the first sound comes a fifth
/// sooner; threads that spin would stall every barrier instead (measured: 10.1 to 2.8 tokens a second).
fn threads() -> i32 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let sleeping = std::env::var("OMP_WAIT_POLICY").is_ok_and(|p| p.eq_ignore_ascii_case("passive"));
    let threads = if cores == 2 && sleeping { 2 } else { cores.saturating_sub(1).clamp(1, 8) };
    i32::try_from(threads).unwrap_or(1)
}

/// The library is built for these; without them it would end the process at the first multiplication.
fn check_processor() -> Result<(), StageError> {
    #[cfg(target_arch = "x86_64")]
    if !(is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c")) {
        return Err(StageError("this processor is too old for the on-device language model (it lacks AVX2)".into()));
    }
    Ok(())
}
