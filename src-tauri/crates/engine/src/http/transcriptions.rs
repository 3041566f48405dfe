//! `/audio/transcriptions`.

use protocol::{Pcm16, SAMPLE_RATE};
use serde_json::Value;

use super::{
    HttpServer,
    exchange::{Ask, ask},
    sse::Events,
};
use crate::stages::{StageError, Transcriber};

const WHAT: &str = "the transcriber";
/// Separates the parts of the form; random, and in no WAV.
const BOUNDARY: &str = "vivavoce-7d1f0c5a92e84b6bb3a4";

pub(super) struct Transcriptions {
    server: HttpServer,
    language: Option<String>,
}

impl Transcriptions {
    pub fn new(server: HttpServer, language: Option<String>) -> Self {
        Self { server, language }
    }
}

impl Transcriber for Transcriptions {
    fn transcribe(&mut self, pcm: &Pcm16) -> Result<String, StageError> {
        let never = || false;
        let asked = ask(
            WHAT,
            Ask {
                url: self.server.at("audio/transcriptions"),
                key: self.server.key.clone(),
                content_type: format!("multipart/form-data; boundary={BOUNDARY}"),
                body: form(&self.server.model, self.language.as_deref(), &wav(pcm)),
            },
            &never,
        )?;
        let Some(answer) = asked else { return Ok(String::new()) };
        let events = answer.is_events();
        let text = answer.text(&never)?;
        if events {
            return words_of_events(&text);
        }
        match serde_json::from_str::<Value>(&text) {
            Ok(body) => match body.get("text").and_then(Value::as_str) {
                Some(words) => Ok(words.trim().to_owned()),
                None => Err(StageError::new(WHAT, format!("the server's answer has no text: {text}"))),
            },
            // Some servers answer in plain text, whatever they are asked for.
            Err(_) => Ok(text.trim().to_owned()),
        }
    }
}

fn words_of_events(text: &str) -> Result<String, StageError> {
    let mut reader = Events::default();
    let mut events = reader.push(text.as_bytes());
    events.extend(reader.finish());
    let mut words = String::new();
    for event in events.iter().filter_map(|e| serde_json::from_str::<Value>(e).ok()) {
        if let Some(error) = event.get("error") {
            return Err(StageError::new(WHAT, error));
        }
        let field = |key: &str| event.get(key).and_then(Value::as_str);
        match field("type") {
            Some("transcript.text.done") => return Ok(field("text").unwrap_or_default().trim().to_owned()),
            Some("transcript.text.delta") => words.push_str(field("delta").unwrap_or_default()),
            Some(_) => {}
            None => words.push_str(field("text").unwrap_or_default()),
        }
    }
    Ok(words.trim().to_owned())
}

fn form(model: &str, language: Option<&str>, wav: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(wav.len() + 512);
    let fields = [("model", model), ("response_format", "json")];
    for (name, value) in fields.into_iter().chain(language.map(|code| ("language", code))) {
        let part = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend(part.into_bytes());
    }
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"speech.wav\"\r\nContent-Type: audio/wav\r\n\r\n"
    );
    body.extend(head.into_bytes());
    body.extend_from_slice(wav);
    body.extend(format!("\r\n--{BOUNDARY}--\r\n").into_bytes());
    body
}

/// Returns a WAV of 16-bit mono samples.
fn wav(pcm: &Pcm16) -> Vec<u8> {
    let data = pcm.to_bytes().0;
    let length = data.len() as u32;
    let mut wav = Vec::with_capacity(data.len() + 44);
    wav.extend(b"RIFF");
    wav.extend((36 + length).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    wav.extend(16u32.to_le_bytes());
    for field in [1u16, 1] {
        wav.extend(field.to_le_bytes());
    }
    wav.extend(SAMPLE_RATE.to_le_bytes());
    wav.extend((SAMPLE_RATE * 2).to_le_bytes());
    for field in [2u16, 16] {
        wav.extend(field.to_le_bytes());
    }
    wav.extend(b"data");
    wav.extend(length.to_le_bytes());
    wav.extend(data);
    wav
}
