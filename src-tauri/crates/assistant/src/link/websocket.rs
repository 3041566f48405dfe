//! A Realtime server over a WebSocket.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use protocol::{Auth, Codec, Profile};
use secrecy::{ExposeSecret, SecretString};
use session::{LinkEnd, NoticeAction};
use tokio::time::Instant;
use tokio_tungstenite::{
    connect_async_with_config,
    tungstenite::{
        self, Message,
        client::IntoClientRequest,
        handshake::client::Request,
        http::{HeaderValue, StatusCode, header},
        protocol::WebSocketConfig,
    },
};

use super::{Ends, LinkEvent, refused, wire::Wire};
use crate::keys::{KeyError, KeySource};

/// OpenAI's own clients set no limit; this is far above any audio delta.
const FRAME_LIMIT: usize = 32 << 20;
/// A server that cannot be reached within this time is not there.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
const PING_EVERY: Duration = Duration::from_secs(20);
/// A server that says nothing for so long after a ping is gone (protocol: keepalive).
const SILENCE_LIMIT: Duration = Duration::from_secs(30);

/// A Realtime server, and how to talk with it.
#[derive(Clone)]
pub struct Remote {
    /// `ws://` or `wss://`.
    pub url: String,
    /// Model to ask for, unless the address does.
    pub model: Option<String>,
    /// Where the key comes from.
    pub key: KeySource,
    /// What the server does and does not.
    pub profile: Profile,
    /// How both directions are written, where not as the profile has it.
    pub codec: Option<Codec>,
}

impl Remote {
    /// Returns the server at `url`, of which nothing is known but that it speaks the protocol.
    pub fn new(url: impl Into<String>, key: KeySource) -> Self {
        Self { url: url.into(), model: None, key, profile: protocol::profile("other"), codec: None }
    }

    /// Returns the address with the model in it.
    pub fn address(&self) -> String {
        match &self.model {
            Some(model) if !model.is_empty() && !self.url.contains("model=") => {
                let joint = if self.url.contains('?') { '&' } else { '?' };
                format!("{}{joint}model={}", self.url, escape(model))
            }
            Some(_) | None => self.url.clone(),
        }
    }

    pub(crate) fn wire(&self) -> Wire {
        let (input, output) = self.profile.codecs(self.codec);
        Wire::new(self.profile.dialect, input, output)
    }
}

/// Writes what a query may not hold as `%XX`.
fn escape(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

pub(super) async fn run(mut ends: Ends, remote: Remote) -> LinkEnd {
    let key = match remote.key.read_soon().await {
        Ok(key) => key,
        Err(error) => return refused(error.to_string(), NoticeAction::OpenSettings),
    };
    if key.is_none() && remote.profile.auth.needs_key() {
        return refused(KeyError::missing(&remote.profile.name), NoticeAction::OpenSettings);
    }
    let request = match request(&remote, key.as_ref()) {
        Ok(request) => request,
        Err(words) => return refused(words, NoticeAction::OpenSettings),
    };
    let config = WebSocketConfig::default().max_message_size(Some(FRAME_LIMIT)).max_frame_size(Some(FRAME_LIMIT));
    let connecting = connect_async_with_config(request, Some(config), true);
    let socket = match tokio::time::timeout(CONNECT_LIMIT, connecting).await {
        Ok(Ok((socket, _))) => socket,
        Ok(Err(tungstenite::Error::Http(response))) => {
            let end = turned_down(response.status());
            if matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
                remote.key.reject();
            }
            return end;
        }
        Ok(Err(error)) => return LinkEnd::Lost(words(&error)),
        Err(_) => return LinkEnd::Lost("the server did not answer".into()),
    };
    let (mut sink, mut stream) = socket.split();
    let mut ping = tokio::time::interval(PING_EVERY);
    let mut heard = Instant::now();
    // What is sent must not keep what is received waiting: a server may read nothing until it is read from.
    let sending = async {
        loop {
            let message = tokio::select! {
                biased;
                message = ends.outgoing.next() => message.map(Message::text),
                _ = ping.tick() => Some(Message::Ping(Vec::new().into())),
            };
            match message {
                Some(message) => {
                    if let Err(error) = sink.send(message).await {
                        return LinkEnd::Lost(words(&error));
                    }
                }
                None => {
                    let _ = sink.close().await;
                    return LinkEnd::Lost("closed".into());
                }
            }
        }
    };
    let receiving = async {
        loop {
            let limit = heard + PING_EVERY + SILENCE_LIMIT;
            let Ok(message) = tokio::time::timeout_at(limit, stream.next()).await else {
                return LinkEnd::Lost("the server has fallen silent".into());
            };
            heard = Instant::now();
            match message {
                Some(Ok(Message::Text(text))) => {
                    if ends.events.send(LinkEvent::Message(text.to_string())).await.is_err() {
                        return LinkEnd::Lost("nobody listens".into());
                    }
                }
                Some(Ok(Message::Close(frame))) => {
                    return closed(frame.as_ref().map(|f| (f.code.into(), f.reason.to_string())));
                }
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => return LinkEnd::Lost(words(&error)),
                None => return LinkEnd::Lost("the server hung up".into()),
            }
        }
    };
    tokio::select! {
        end = sending => end,
        end = receiving => end,
    }
}

fn request(remote: &Remote, key: Option<&SecretString>) -> Result<Request, String> {
    let address = remote.address();
    let placeholder = || format!("{address} is not complete: put your own name in place of the angle brackets.");
    if address.contains(['<', '>']) {
        return Err(placeholder());
    }
    let mut request = address
        .as_str()
        .into_client_request()
        .map_err(|error| format!("{address} is no address of a server: {error}."))?;
    if !matches!(request.uri().scheme_str(), Some("ws" | "wss")) {
        return Err(format!("{address} is no address of a server: it begins with ws:// or wss://."));
    }
    if let Some(key) = key {
        let (name, value) = match remote.profile.auth {
            Auth::Bearer | Auth::Optional => (header::AUTHORIZATION, format!("Bearer {}", key.expose_secret())),
            Auth::ApiKey => (header::HeaderName::from_static("api-key"), key.expose_secret().to_owned()),
        };
        let mut value =
            HeaderValue::from_str(&value).map_err(|_| "The key has characters that no key has.".to_owned())?;
        value.set_sensitive(true);
        request.headers_mut().insert(name, value);
    }
    Ok(request)
}

/// Returns what went wrong, for the middle of a sentence.
fn words(error: &tungstenite::Error) -> String {
    let text = error.to_string();
    text.strip_suffix('.').unwrap_or(&text).to_owned()
}

fn turned_down(status: StatusCode) -> LinkEnd {
    match status.as_u16() {
        401 | 403 => refused("The server rejected the key.".into(), NoticeAction::OpenSettings),
        404 => refused("The server has no conversation at this address.".into(), NoticeAction::OpenSettings),
        429 => LinkEnd::Lost("the server has too much to do".into()),
        code @ 400..=499 => refused(
            format!("The server does not take this connection (it answered {code})."),
            NoticeAction::OpenSettings,
        ),
        code => LinkEnd::Lost(format!("the server answered {code}")),
    }
}

/// What a close code means (protocol: close codes).
fn closed(frame: Option<(u16, String)>) -> LinkEnd {
    match frame {
        Some((1001, reason)) if reason.contains("maximum duration") || reason.contains("expired") => LinkEnd::Expired,
        Some((1008 | 4000, reason)) => {
            let words = if reason.is_empty() { "it gave no reason" } else { reason.trim_end_matches('.') };
            refused(format!("The server refused: {words}."), NoticeAction::OpenSettings)
        }
        Some((_, reason)) if !reason.is_empty() => LinkEnd::Lost(reason.trim_end_matches('.').to_owned()),
        Some(_) | None => LinkEnd::Lost("the server hung up".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_goes_into_the_address_once() {
        let address = |url: &str, model: Option<&str>| {
            Remote { model: model.map(Into::into), ..Remote::new(url, KeySource::None) }.address()
        };
        assert_eq!(address("wss://a/v1/realtime", Some("m 1")), "wss://a/v1/realtime?model=m%201");
        assert_eq!(address("wss://a/v1/realtime?x=1", Some("m")), "wss://a/v1/realtime?x=1&model=m");
        assert_eq!(address("wss://a/v1/realtime?model=n", Some("m")), "wss://a/v1/realtime?model=n");
        assert_eq!(address("ws://a", None), "ws://a");
    }

    #[test]
    fn close_codes_say_what_follows() {
        let end = |code, reason: &str| closed(Some((code, reason.to_owned())));
        assert_eq!(end(1001, "Your session hit the maximum duration of 60 minutes."), LinkEnd::Expired);
        assert_eq!(end(1001, ""), LinkEnd::Lost("the server hung up".into()));
        assert_eq!(end(1011, "keepalive"), LinkEnd::Lost("keepalive".into()));
        for code in [1008, 4000] {
            assert!(matches!(end(code, "invalid_request_error.x"), LinkEnd::Refused { .. }), "{code}");
        }
        assert_eq!(closed(None), LinkEnd::Lost("the server hung up".into()));
    }

    #[test]
    fn an_address_that_is_none_is_said() {
        for url in ["http://a/v1", "wss://<resource>.openai.azure.com/x", "nonsense", ""] {
            let remote = Remote::new(url, KeySource::None);
            assert!(request(&remote, None).is_err(), "{url}");
        }
    }
}
