//! `/audio/speech`: 24 kHz samples without a header, as they come.

use protocol::{AudioBytes, Pcm16, PcmCarry};
use serde_json::{Value, json};

use super::{
    HttpServer,
    exchange::{Answer, Ask, ask},
    sse::Events,
};
use crate::stages::{StageError, Synthesizer};

const WHAT: &str = "the voice";

pub(super) struct Speech {
    server: HttpServer,
    voice: Option<String>,
}

impl Speech {
    pub fn new(server: HttpServer, voice: Option<String>) -> Self {
        Self { server, voice: voice.filter(|v| !v.is_empty()) }
    }
}

impl Synthesizer for Speech {
    fn stream(
        &mut self,
        text: &str,
        voice: &str,
        speed: f32,
        cancelled: &dyn Fn() -> bool,
        on_speech: &mut dyn FnMut(Pcm16),
    ) -> Result<Pcm16, StageError> {
        if text.trim().is_empty() {
            return Ok(Pcm16::default());
        }
        let mut body = json!({
            "model": self.server.model,
            "input": text.trim(),
            "voice": self.voice.as_deref().unwrap_or(voice),
            "response_format": "pcm",
        });
        if (speed - 1.0).abs() > f32::EPSILON {
            body["speed"] = speed.into();
        }
        let asked = Ask {
            url: self.server.at("audio/speech"),
            key: self.server.key.clone(),
            content_type: "application/json".into(),
            body: body.to_string().into_bytes(),
        };
        match ask(WHAT, asked, cancelled)? {
            Some(answer) if answer.is_events() => events(answer, cancelled, on_speech)?,
            Some(answer) => plain(answer, cancelled, on_speech)?,
            None => {}
        }
        Ok(Pcm16::default())
    }
}

fn plain(mut answer: Answer, cancelled: &dyn Fn() -> bool, on_speech: &mut dyn FnMut(Pcm16)) -> Result<(), StageError> {
    // A sample may be cut in two.
    let mut carry = PcmCarry::default();
    let mut front = Vec::new();
    let mut headed = false;
    while let Some(bytes) = answer.next(cancelled)? {
        let bytes = if headed {
            bytes
        } else {
            front.extend(bytes);
            let Some(rest) = after_header(&front) else { continue };
            headed = true;
            rest.to_vec()
        };
        on_speech(carry.decode(&AudioBytes(bytes)));
    }
    if !headed {
        on_speech(carry.decode(&AudioBytes(front)));
    }
    Ok(())
}

/// Returns what follows a WAV header, which some servers send all the same; none while it may still be coming.
fn after_header(bytes: &[u8]) -> Option<&[u8]> {
    let magic = b"RIFF";
    if !bytes.starts_with(&magic[..bytes.len().min(4)]) {
        return Some(bytes);
    }
    let data = bytes.windows(4).position(|w| w == b"data")?;
    bytes.get(data + 8..)
}

fn events(
    mut answer: Answer,
    cancelled: &dyn Fn() -> bool,
    on_speech: &mut dyn FnMut(Pcm16),
) -> Result<(), StageError> {
    let mut carry = PcmCarry::default();
    let mut reader = Events::default();
    let mut take = |data: &str| -> Result<(), StageError> {
        let Ok(event) = serde_json::from_str::<Value>(data) else { return Ok(()) };
        if let Some(error) = event.get("error") {
            return Err(StageError::new(WHAT, error));
        }
        if let Some(audio) = event.get("audio").and_then(Value::as_str) {
            let bytes = AudioBytes::from_base64(audio);
            let bytes = bytes.ok_or_else(|| StageError::new(WHAT, "the server sent speech that is no base64"))?;
            on_speech(carry.decode(&bytes));
        }
        Ok(())
    };
    while let Some(bytes) = answer.next(cancelled)? {
        for data in reader.push(&bytes) {
            take(&data)?;
        }
    }
    reader.finish().map_or(Ok(()), |data| take(&data))
}
