//! Stages by HTTP: the stitched pipeline of the years before speech to speech. Each step asks a server that has OpenAI's
//! interface (OpenAI itself, Ollama, llama.cpp's server, speaches, LocalAI), or stays on this device.

mod chat;
mod exchange;
mod realtime;
mod speech;
mod sse;
mod transcriptions;

use serde::{Deserialize, Serialize};

use crate::{StageLoaders, stages::StageError};

/// A server, a model and a key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpServer {
    /// Up to and with `/v1`; of a Realtime server its whole address.
    pub url: String,
    /// The model.
    pub model: String,
    /// Shown as bearer, where there is one.
    pub key: Option<String>,
}

impl std::fmt::Debug for HttpServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HttpServer({}, {})", self.url, self.model)
    }
}

impl HttpServer {
    fn at(&self, path: &str) -> String {
        format!("{}/{path}", self.url.trim_end_matches('/'))
    }
}

/// Who writes down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Ears {
    /// This device.
    OnDevice,
    /// `/audio/transcriptions`.
    Http {
        /// Which.
        server: HttpServer,
        /// ISO-639-1 code of what is spoken, where it is known.
        language: Option<String>,
    },
}

/// Who answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "server", rename_all = "snake_case")]
pub enum Mind {
    /// This device.
    OnDevice,
    /// `/chat/completions`.
    Http(HttpServer),
}

/// Who speaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Mouth {
    /// This device.
    OnDevice,
    /// `/audio/speech`.
    Http {
        /// Which.
        server: HttpServer,
        /// In place of the session's.
        voice: Option<String>,
    },
    /// A Realtime server, beside any conversation: the speech endpoint's models end in January 2027.
    Realtime {
        /// Which.
        server: HttpServer,
        /// In place of the session's.
        voice: Option<String>,
    },
}

/// Who does the three steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steps {
    /// Writes down.
    pub ears: Ears,
    /// Answers.
    pub mind: Mind,
    /// Speaks.
    pub mouth: Mouth,
}

impl Steps {
    /// Returns the line by which a parent tells its engine.
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads such a line.
    ///
    /// # Errors
    /// It is another.
    pub fn from_line(line: &str) -> Result<Self, StageError> {
        serde_json::from_str(line).map_err(|error| StageError::new("the steps cannot be read", error))
    }
}

/// Returns `loaders` with the steps that servers do in place of this device's own.
pub fn stitch(mut loaders: StageLoaders, steps: Steps) -> StageLoaders {
    if let Ears::Http { server, language } = steps.ears {
        loaders.ahead.transcribe = false;
        loaders.transcriber = Box::new(move || Ok(Box::new(transcriptions::Transcriptions::new(server, language))));
    }
    if let Mind::Http(server) = steps.mind {
        loaders.ahead.answer = false;
        loaders.language_model = Box::new(move || Ok(Box::new(chat::Chat::new(server))));
    }
    match steps.mouth {
        Mouth::OnDevice => {}
        Mouth::Http { server, voice } => {
            loaders.synthesizer = Box::new(move || Ok(Box::new(speech::Speech::new(server, voice))));
        }
        Mouth::Realtime { server, voice } => {
            loaders.synthesizer =
                Box::new(move || realtime::RealtimeSpeech::new(server, voice).map(|s| Box::new(s) as _));
        }
    }
    loaders
}

#[cfg(test)]
mod tests;
