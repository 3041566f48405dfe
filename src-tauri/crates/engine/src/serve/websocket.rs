use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::{SinkExt, StreamExt};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_tungstenite::{
    accept_hdr_async_with_config,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
        http::{HeaderValue, StatusCode, header},
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};

use crate::{Host, StageLoaders, host};

/// An append of 15 MiB is some 20 MiB in base64 (protocol: limits).
const FRAME_LIMIT: usize = 24 << 20;
/// Events that may wait for a slow client: minutes of speech. A client slower than that is gone.
const OUTBOX: usize = 8192;
/// Subprotocol that carries a browser's key.
const KEY_PROTOCOL: &str = "openai-insecure-api-key.";

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The port is taken, or the system refuses.
    #[error("port {port} cannot be used: {source}")]
    Port {
        /// Which.
        port: u16,
        /// Why.
        source: std::io::Error,
    },
}

/// The engine on a loopback WebSocket, for one client at a time, each with the token.
pub struct Server {
    listener: TcpListener,
    token: Arc<str>,
    host: Arc<Host>,
    busy: Arc<AtomicBool>,
}

impl Server {
    /// Binds to loopback; port 0 takes any. Nothing is served before [`Self::run`].
    ///
    /// # Errors
    /// The port is taken.
    pub async fn bind(port: u16, token: &str, loaders: StageLoaders) -> Result<Self, ServeError> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = TcpListener::bind(address).await.map_err(|source| ServeError::Port { port, source })?;
        let host = Arc::new(Host::start(loaders, Box::new(|_| {})));
        Ok(Self { listener, token: token.into(), host, busy: Arc::default() })
    }

    /// Returns the address in use.
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap_or_else(|_| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
    }

    /// Serves until dropped.
    pub async fn run(self) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let (token, host, busy) = (self.token.clone(), Arc::clone(&self.host), Arc::clone(&self.busy));
                    tokio::spawn(async move {
                        if let Err(error) = serve(stream, &token, &host, &busy).await {
                            tracing::debug!(%error, "A client left");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "Failed to accept a client");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            }
        }
    }
}

async fn serve(
    stream: TcpStream,
    token: &str,
    host: &Host,
    busy: &AtomicBool,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default().max_message_size(Some(FRAME_LIMIT)).max_frame_size(Some(FRAME_LIMIT));
    #[expect(clippy::result_large_err, reason = "the callback's type is the library's")]
    let check = |request: &Request, response: Response| admit(request, response, token);
    let mut socket = accept_hdr_async_with_config(stream, check, Some(config)).await?;
    if busy.swap(true, Ordering::AcqRel) {
        socket.send(Message::text(host::busy())).await?;
        let reason = "session_limit_reached".into();
        return socket.close(Some(CloseFrame { code: CloseCode::Policy, reason })).await;
    }
    let (outbox, mut events) = mpsc::channel::<String>(OUTBOX);
    host.new_session(Box::new(move |event| {
        // A full outbox: the client reads no more, and its socket will say so.
        let _ = outbox.try_send(event);
    }));
    let result = loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => if let Err(error) = socket.send(Message::text(event)).await { break Err(error) },
                None => break Ok(()),
            },
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => host.send(text.to_string()),
                Some(Ok(Message::Close(_))) | None => break Ok(()),
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => break Err(error),
            },
        }
    };
    host.new_session(Box::new(|_| {}));
    busy.store(false, Ordering::Release);
    result
}

/// Lets in native clients (no `Origin`) and pages of this machine, with the token; a page of any other origin stays out
/// even with it.
#[expect(clippy::result_large_err, reason = "the callback's type is the library's")]
fn admit(request: &Request, mut response: Response, token: &str) -> Result<Response, ErrorResponse> {
    let refuse = |status: StatusCode, words: &str| {
        let mut response = ErrorResponse::new(Some(words.to_owned()));
        *response.status_mut() = status;
        Err(response)
    };
    let header = |name| request.headers().get(name).and_then(|v: &HeaderValue| v.to_str().ok());
    if !request.uri().path().ends_with("/realtime") {
        return refuse(StatusCode::NOT_FOUND, "The conversation is at /v1/realtime.");
    }
    if header(header::ORIGIN).is_some_and(|origin| !is_local(origin)) {
        return refuse(StatusCode::FORBIDDEN, "Pages of this origin may not talk with this engine.");
    }
    let bearer = header(header::AUTHORIZATION).and_then(|v| v.strip_prefix("Bearer ")).map(str::trim);
    let offered: Vec<&str> =
        header(header::SEC_WEBSOCKET_PROTOCOL).unwrap_or_default().split(',').map(str::trim).collect();
    let key = bearer.or_else(|| offered.iter().find_map(|p| p.strip_prefix(KEY_PROTOCOL)));
    if !key.is_some_and(|key| same(key, token)) {
        return refuse(StatusCode::UNAUTHORIZED, "The token is missing or wrong; `vivavoce-cli serve` prints it.");
    }
    if offered.contains(&"realtime") {
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("realtime"));
    }
    Ok(response)
}

fn is_local(origin: &str) -> bool {
    let host = origin.split_once("://").map_or(origin, |(_, rest)| rest);
    let name = host
        .rsplit_once(':')
        .map_or(host, |(name, port)| if port.bytes().all(|b| b.is_ascii_digit()) { name } else { host });
    matches!(name, "localhost" | "127.0.0.1" | "[::1]")
}

/// Compares in time that depends on the lengths alone.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |diff, (x, y)| diff | (x ^ y)) == 0
}

#[cfg(test)]
mod tests {
    use super::{is_local, same};

    #[test]
    fn only_pages_of_this_machine_are_local() {
        assert!(is_local("http://localhost:1420") && is_local("http://127.0.0.1") && is_local("http://[::1]:8080"));
        assert!(!is_local("https://localhost.evil.example") && !is_local("https://evil.example") && !is_local("null"));
        assert!(same("abc", "abc") && !same("abc", "abd") && !same("abc", "ab"));
    }
}
