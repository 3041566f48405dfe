//! Speech by a Realtime server beside any conversation: one warm socket, a response for each piece (protocol: speech).

use std::{collections::BTreeMap, time::Duration};

use futures_util::{SinkExt, StreamExt};
use protocol::{
    AudioConfig, ClientEvent, Modality, OutputAudioConfig, Pcm16, PcmCarry, ResponseConfig, ServerEvent, Session,
    SessionKind, Voice,
};
use tokio::{net::TcpStream, runtime::Runtime, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use super::HttpServer;
use crate::stages::{StageError, Synthesizer};

const WHAT: &str = "the voice";
const CONNECT: Duration = Duration::from_secs(10);
/// A server that is silent for so long in the middle of a sentence has lost it.
const SILENCE: Duration = Duration::from_secs(15);
const STEP: Duration = Duration::from_millis(20);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub(super) struct RealtimeSpeech {
    server: HttpServer,
    voice: Option<String>,
    runtime: Runtime,
    /// With the voice it was told: a voice that has spoken is fixed for its session.
    socket: Option<(Socket, String)>,
    pieces: u64,
}

impl RealtimeSpeech {
    pub fn new(server: HttpServer, voice: Option<String>) -> Result<Self, StageError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| StageError::new(WHAT, error))?;
        Ok(Self { server, voice: voice.filter(|v| !v.is_empty()), runtime, socket: None, pieces: 0 })
    }
}

impl Synthesizer for RealtimeSpeech {
    fn stream(
        &mut self,
        text: &str,
        voice: &str,
        _speed: f32,
        cancelled: &dyn Fn() -> bool,
        on_speech: &mut dyn FnMut(Pcm16),
    ) -> Result<Pcm16, StageError> {
        if text.trim().is_empty() {
            return Ok(Pcm16::default());
        }
        let voice = self.voice.clone().unwrap_or_else(|| voice.to_owned());
        self.pieces += 1;
        let piece = self.pieces.to_string();
        let warm = self.socket.take().filter(|(_, told)| *told == voice);
        let was_warm = warm.is_some();
        let Self { runtime, server, .. } = self;
        let mut told = 0;
        let mut count = |pcm: Pcm16| {
            told += pcm.0.len();
            on_speech(pcm);
        };
        let result = runtime.block_on(async {
            let mut socket = match warm {
                Some((socket, _)) => socket,
                None => open(server, &voice).await?,
            };
            say(&mut socket, text.trim(), &piece, cancelled, &mut count).await?;
            Ok(socket)
        });
        match result {
            Ok(socket) => self.socket = Some((socket, voice)),
            // A socket that has died while nobody spoke is opened anew, once.
            Err(_) if was_warm && told == 0 && !cancelled() => {
                return self.stream(text, &voice, 1.0, cancelled, on_speech);
            }
            Err(error) => return Err(error),
        }
        Ok(Pcm16::default())
    }
}

async fn open(server: &HttpServer, voice: &str) -> Result<Socket, StageError> {
    let joint = if server.url.contains('?') { '&' } else { '?' };
    let url = format!("{}{joint}model={}", server.url, server.model);
    let mut request = url.as_str().into_client_request().map_err(|error| StageError::new(WHAT, error))?;
    if let Some(key) = &server.key {
        let value = HeaderValue::from_str(&format!("Bearer {key}"));
        let mut value = value.map_err(|_| StageError::new(WHAT, "the key has characters that no key has"))?;
        value.set_sensitive(true);
        request.headers_mut().insert("authorization", value);
    }
    let connected = timeout(CONNECT, connect_async(request)).await;
    let connected = connected.map_err(|_| StageError::new(WHAT, "the server does not answer"))?;
    let (mut socket, _) = connected.map_err(|error| StageError::new(WHAT, error))?;
    let output = OutputAudioConfig { voice: Some(Voice::Name(voice.to_owned())), ..Default::default() };
    let session = Session {
        kind: Some(SessionKind::Realtime),
        output_modalities: Some(vec![Modality::Audio]),
        audio: Some(AudioConfig { input: None, output: Some(output) }),
        ..Session::default()
    };
    send(&mut socket, &ClientEvent::SessionUpdate { session: Box::new(session) }).await?;
    Ok(socket)
}

async fn say(
    socket: &mut Socket,
    text: &str,
    piece: &str,
    cancelled: &dyn Fn() -> bool,
    on_speech: &mut dyn FnMut(Pcm16),
) -> Result<(), StageError> {
    let config = ResponseConfig {
        conversation: Some("none".into()),
        input: Some(Vec::new()),
        output_modalities: Some(vec![Modality::Audio]),
        instructions: Some(format!("Read aloud exactly, verbatim: {text}")),
        metadata: Some(BTreeMap::from([("piece".to_owned(), piece.to_owned())])),
        ..ResponseConfig::default()
    };
    send(socket, &ClientEvent::ResponseCreate { response: Some(Box::new(config)) }).await?;
    let mut response = None;
    let mut carry = PcmCarry::default();
    let mut waited = Duration::ZERO;
    loop {
        let message = match timeout(STEP, socket.next()).await {
            Ok(message) => message,
            Err(_) if cancelled() => {
                // Whatever is still made of it is told from the next piece by its response's name.
                return send(socket, &ClientEvent::ResponseCancel { response_id: response }).await;
            }
            Err(_) => {
                waited += STEP;
                if waited >= SILENCE {
                    return Err(StageError::new(WHAT, "the server has fallen silent"));
                }
                continue;
            }
        };
        waited = Duration::ZERO;
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Close(_))) | None => return Err(StageError::new(WHAT, "the server hung up")),
            Some(Ok(_)) => continue,
            Some(Err(error)) => return Err(StageError::new(WHAT, error)),
        };
        #[allow(clippy::wildcard_enum_match_arm, reason = "speech is all that is wanted here")]
        match ServerEvent::parse(&text) {
            Ok(ServerEvent::ResponseCreated { response: created }) => {
                let ours = created.metadata.as_ref().and_then(|m| m.get("piece")).is_some_and(|p| p == piece);
                if ours {
                    response = Some(created.id);
                }
            }
            Ok(ServerEvent::OutputAudioDelta { at, delta }) if response.as_deref() == Some(at.response_id.as_str()) => {
                on_speech(carry.decode(&delta));
            }
            Ok(ServerEvent::ResponseDone { response: done }) if response.as_deref() == Some(done.id.as_str()) => {
                let error = done.status_details.and_then(|d| d.error);
                return error.map_or(Ok(()), |error| Err(StageError::new(WHAT, error.message)));
            }
            Ok(ServerEvent::Error { error }) if error.code.as_deref() != Some("response_cancel_not_active") => {
                return Err(StageError::new(WHAT, error.message));
            }
            Ok(_) | Err(_) => {}
        }
    }
}

async fn send(socket: &mut Socket, event: &ClientEvent) -> Result<(), StageError> {
    socket.send(Message::text(event.to_json(None))).await.map_err(|error| StageError::new(WHAT, error))
}
