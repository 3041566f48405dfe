//! What the commands share: whom to talk with, how to say things.

use std::{io::Write, path::PathBuf};

use assistant::{KeySource, Server, Vault, compose, prelude::*};
use serde_json::{Value, json};

use crate::Exit;

/// Whom to talk with, and how.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Who {
    /// `on-device`, or the address of a Realtime server.
    #[arg(long, alias = "url", default_value = "on-device")]
    engine: String,
    /// Which kind of server: openai, azure, xai, qwen, localai, speaches, hugging-face, other. Told by the address where
    /// it is not given; its key is read from the keychain, or from its variable (`OPENAI_API_KEY`, `XAI_API_KEY`, …).
    #[arg(long)]
    provider: Option<String>,
    /// Model to ask the server for.
    #[arg(long)]
    model: Option<String>,
    /// Write down by HTTP: `URL,MODEL` of a server with OpenAI's interface, up to and with /v1.
    #[arg(long, value_name = "URL,MODEL")]
    ears: Option<String>,
    /// Answer by HTTP: `URL,MODEL`.
    #[arg(long, value_name = "URL,MODEL")]
    mind: Option<String>,
    /// Speak by HTTP, or by a Realtime server (`ws://…`): `URL,MODEL`.
    #[arg(long, value_name = "URL,MODEL")]
    mouth: Option<String>,
    /// Telephone quality: an eighth of the bytes.
    #[arg(long)]
    low_bandwidth: bool,
    /// Who finds the end of a turn: semantic, patient, silence.
    #[arg(long, default_value = "semantic")]
    turns: String,
    /// What ends an answer that is spoken: at-once (speech), with-words, only-key.
    #[arg(long, default_value = "at-once")]
    interrupt: String,
    /// What you speak, as an ISO-639-1 code (`de`); servers find out without.
    #[arg(long)]
    language: Option<String>,
    /// Voice by name.
    #[arg(long, default_value = "heart")]
    voice: String,
    /// Tone by name; `vivavoce-cli doctor` lists them.
    #[arg(long, default_value = "neutral")]
    tone: String,
}

impl Who {
    /// Returns prompt, voice and server, or why there is none. Runs on the runtime, which the keys need.
    pub fn open(&self, json: bool) -> Result<(Config, Server), Exit> {
        let settings = self.settings().map_err(|words| fail(json, Exit::BadInput, &words))?;
        let paths = Paths::from_env();
        let lacking = compose::lacking_for(&settings, &paths);
        if !lacking.is_empty() {
            let names: Vec<&str> = lacking.iter().map(|m| m.name).collect();
            let words = format!("Models are missing: {}. Run `vivavoce-cli models --install`.", names.join(", "));
            return Err(fail(json, Exit::Missing, &words));
        }
        let program = std::env::current_exe()
            .map_err(|e| fail(json, Exit::Failed, &format!("This program does not know where it lies: {e}.")))?;
        let _ = std::fs::create_dir_all(paths.logs());
        let (config, wrong_prices) = compose::config(&settings, &paths);
        if let Some(words) = wrong_prices {
            say(json, &format!("Note: {words}"), &json!({ "note": words }));
        }
        Ok((config, compose::server(&settings, &paths, program, &Vault::start())))
    }

    /// Returns the settings that the arguments stand for.
    fn settings(&self) -> Result<Settings, String> {
        let tones: Vec<&str> = TONES.iter().map(|t| t.id).collect();
        known("tone", &self.tone, &tones)?;
        let turns = match self.turns.as_str() {
            "semantic" => TurnChoice::Semantic,
            "patient" => TurnChoice::Patient,
            "silence" => TurnChoice::Silence,
            other => return Err(format!("There is no turn taking “{other}”; there are semantic, patient, silence.")),
        };
        let engine = if self.ears.is_some() || self.mind.is_some() || self.mouth.is_some() {
            EngineChoice::Stitched {
                ears: stage("ears", self.ears.as_deref())?,
                mind: stage("mind", self.mind.as_deref())?,
                mouth: stage("mouth", self.mouth.as_deref())?,
            }
        } else if self.engine == "on-device" {
            EngineChoice::OnDevice
        } else {
            let ids: Vec<&str> = PROFILES.iter().map(|p| p.id.as_str()).collect();
            let provider = self.provider.clone().unwrap_or_else(|| protocol::provider_of(&self.engine).to_owned());
            known("kind of server", &provider, &ids)?;
            let (url, model) = (self.engine.clone(), self.model.clone());
            EngineChoice::Server { url, provider, model, low_bandwidth: self.low_bandwidth }
        };
        let interrupt = match self.interrupt.as_str() {
            "at-once" => InterruptChoice::AtOnce,
            "with-words" => InterruptChoice::WithWords,
            "only-key" => InterruptChoice::OnlyKey,
            other => return Err(format!("Nothing ends an answer “{other}”; there are at-once, with-words, only-key.")),
        };
        let (language, voice, tone) = (self.language.clone(), self.voice.clone(), self.tone.clone());
        let mut settings = Settings { engine, turns, interrupt, language, voice, tone, ..Settings::default() };
        // What a probe has found out is worth keeping to.
        if let Ok(kept) = Settings::load(&Paths::from_env().settings()) {
            settings.found = kept.found;
        }
        if let EngineChoice::Server { provider, .. } = &settings.engine {
            settings.voices.insert(provider.clone(), self.voice.clone());
        }
        Ok(settings)
    }
}

fn known(what: &str, name: &str, names: &[&str]) -> Result<(), String> {
    let found = names.contains(&name);
    if found { Ok(()) } else { Err(format!("There is no {what} “{name}”; there are {}.", names.join(", "))) }
}

/// Returns where the key of a kind of server comes from.
pub(crate) fn key_of(provider: &str) -> KeySource {
    KeySource::Vault(Vault::start(), provider.to_owned())
}

fn stage(name: &str, argument: Option<&str>) -> Result<StageChoice, String> {
    let Some(argument) = argument else { return Ok(StageChoice::OnDevice) };
    let Some((url, model)) = argument.split_once(',') else {
        return Err(format!("--{name} wants URL,MODEL, as in http://127.0.0.1:11434/v1,llama3.2"));
    };
    let account = Some(protocol::provider_of(url)).filter(|id| *id != "other").unwrap_or(name);
    let server = StageServer {
        url: url.to_owned(),
        model: model.to_owned(),
        account: account.to_owned(),
        ..StageServer::default()
    };
    match (name, url.split("://").next().unwrap_or_default()) {
        ("mouth", "ws" | "wss") => Ok(StageChoice::Realtime(server)),
        (_, "http" | "https") => Ok(StageChoice::Http(server)),
        _ => Err(format!("--{name}: {url} is no address; it begins with http:// or https://.")),
    }
}

/// Prints a line, as text or as JSON; a closed terminal is no error.
pub(crate) fn say(json: bool, text: &str, value: &Value) {
    let line = if json { value.to_string() } else { text.to_owned() };
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Says what went wrong; returns how to end.
pub(crate) fn fail(json: bool, exit: Exit, words: &str) -> Exit {
    if json {
        say(true, "", &json!({ "error": words }));
    } else {
        let _ = writeln!(std::io::stderr(), "{words}");
    }
    exit
}

/// Returns the folder of the models.
pub(crate) fn models_folder() -> PathBuf {
    Paths::from_env().models()
}
