//! What the commands share: whom to talk with, how to say things.

use std::{io::Write, path::PathBuf};

use assistant::{Server, prelude::*};
use serde_json::{Value, json};

use crate::Exit;

/// Whom to talk with, and how.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Who {
    /// `on-device`, or the address of a Realtime server (its key from `OPENAI_API_KEY`).
    #[arg(long, alias = "url", default_value = "on-device")]
    engine: String,
    /// Voice by name.
    #[arg(long, default_value = "heart")]
    voice: String,
    /// Tone by name: neutral, warm, brisk, teacher, pirate.
    #[arg(long, default_value = "neutral")]
    tone: String,
}

impl Who {
    /// Returns prompt and voice.
    pub fn config(&self) -> Config {
        Config {
            instructions: session::tone(&self.tone).prompt.into(),
            voice: self.voice.clone(),
            transcription_model: (self.engine != "on-device").then(|| "gpt-transcribe".to_owned()),
        }
    }

    /// Returns the server, or why there is none.
    pub fn server(&self, json: bool) -> Result<Server, Exit> {
        if let Some(tone) = (!TONES.iter().any(|t| t.id == self.tone)).then_some(&self.tone) {
            let known: Vec<&str> = TONES.iter().map(|t| t.id).collect();
            return Err(fail(
                json,
                Exit::BadInput,
                &format!("There is no tone “{tone}”; there are {}.", known.join(", ")),
            ));
        }
        if self.engine != "on-device" {
            let key = std::env::var("OPENAI_API_KEY").ok().filter(|k| !k.is_empty());
            return Ok(Server::WebSocket { url: self.engine.clone(), key });
        }
        let paths = Paths::from_env();
        let lacking = assistant::models::lacking(&paths.models());
        if !lacking.is_empty() {
            let names: Vec<&str> = lacking.iter().map(|m| m.name).collect();
            let words = format!("Models are missing: {}. Run `vivavoce-cli models --install`.", names.join(", "));
            return Err(fail(json, Exit::Missing, &words));
        }
        on_device(&paths)
            .map_err(|e| fail(json, Exit::Failed, &format!("This program does not know where it lies: {e}.")))
    }
}

/// Returns this program as an engine.
pub(crate) fn on_device(paths: &Paths) -> std::io::Result<Server> {
    let _ = std::fs::create_dir_all(paths.logs());
    Ok(Server::Child {
        program: std::env::current_exe()?,
        args: vec!["engine".into(), "--models".into(), paths.models().to_string_lossy().into_owned()],
        log: Some(paths.logs().join("engine.log")),
    })
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
