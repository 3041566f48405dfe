//! What the language model has read of a system prompt, on disk: the first question after a start need not wait for it.

use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io,
    path::{Path, PathBuf},
};

use llama_cpp_2::{context::LlamaContext, token::LlamaToken};

/// Prompts kept; a few MB each. The oldest goes first.
const KEPT: usize = 8;

/// A folder of `MODEL-LENGTH-TOKENS-CONTENT.kv` files: the keys and values of so many tokens, the hash of these, and of the
/// file itself, for the library ends the process over a file that is not whole.
pub(super) struct PromptCache {
    folder: Option<PathBuf>,
    model: u64,
}

/// A file of the cache, as its name tells.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Saved {
    length: usize,
    tokens: u64,
    content: u64,
    path: PathBuf,
}

impl PromptCache {
    /// Returns the cache of one model file; without a folder it holds nothing.
    pub fn new(folder: Option<PathBuf>, model: &Path) -> Self {
        let meta = fs::metadata(model).ok();
        let model =
            hash(&(model.file_name(), meta.as_ref().map(fs::Metadata::len), meta.and_then(|m| m.modified().ok())));
        Self { folder, model }
    }

    /// Puts the longest beginning of `tokens` that is here, longer than the `known` one, in place of all that the context has read; returns its
    /// length (0 if it could not be used), none if there is no such beginning.
    pub fn load(&self, context: &mut LlamaContext<'_>, tokens: &[LlamaToken], known: usize) -> Option<usize> {
        let fits =
            |s: &Saved| s.length > known && s.length <= tokens.len() && s.tokens == hash_tokens(&tokens[..s.length]);
        let saved = self.saved().filter(fits).max()?;
        if fs::read(&saved.path).is_ok_and(|bytes| hash(&bytes) == saved.content) {
            context.clear_kv_cache();
            if let Ok((read, _)) = context.state_seq_load_file(&saved.path, 0, saved.length)
                && read == tokens[..saved.length]
            {
                return Some(saved.length);
            }
            context.clear_kv_cache();
        }
        tracing::warn!(path = %saved.path.display(), "A saved prompt is broken; it is read anew");
        let _ = fs::remove_file(saved.path);
        context.clear_kv_cache();
        Some(0)
    }

    /// Saves what the context has read, which is `tokens`.
    pub fn save(&self, context: &LlamaContext<'_>, tokens: &[LlamaToken]) {
        let Some(folder) = &self.folder else { return };
        if self.saved().any(|s| s.tokens == hash_tokens(tokens)) {
            return;
        }
        if let Err(error) = self.write(folder, context, tokens) {
            // The next start is slower, nothing else.
            tracing::warn!(%error, "Failed to save what was read of the prompt");
        }
        let mut files: Vec<_> =
            kv_files(folder).map(|f| (fs::metadata(&f).and_then(|m| m.modified()).ok(), f)).collect();
        files.sort();
        for (_, old) in files.iter().rev().skip(KEPT) {
            let _ = fs::remove_file(old);
        }
    }

    fn write(&self, folder: &Path, context: &LlamaContext<'_>, tokens: &[LlamaToken]) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let part = folder.join(format!("prompt-{}.part", std::process::id()));
        let written = context.state_seq_save_file(&part, 0, tokens).map_err(io::Error::other);
        let placed = written.and_then(|written| {
            let bytes = fs::read(&part)?;
            if bytes.len() != written {
                // The library does not look at how closing the file went.
                return Err(io::Error::new(io::ErrorKind::WriteZero, "the file is shorter than what was written"));
            }
            let content = hash(&bytes);
            let name = format!("{:016x}-{}-{:016x}-{content:016x}.kv", self.model, tokens.len(), hash_tokens(tokens));
            fs::rename(&part, folder.join(name))
        });
        if placed.is_err() {
            let _ = fs::remove_file(part);
        }
        placed
    }

    fn saved(&self) -> impl Iterator<Item = Saved> {
        self.folder.iter().flat_map(|f| kv_files(f)).filter_map(|path| {
            let [model, length, tokens, content] = path.file_stem()?.to_str()?.split('-').collect::<Vec<_>>()[..]
            else {
                return None;
            };
            let number = |text| u64::from_str_radix(text, 16).ok();
            let saved = Saved {
                length: length.parse().ok()?,
                tokens: number(tokens)?,
                content: number(content)?,
                path: path.clone(),
            };
            (number(model)? == self.model).then_some(saved)
        })
    }
}

fn kv_files(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.extension().is_some_and(|e| e == "kv"))
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn hash_tokens(tokens: &[LlamaToken]) -> u64 {
    hash(&tokens.iter().map(|t| t.0).collect::<Vec<_>>())
}
