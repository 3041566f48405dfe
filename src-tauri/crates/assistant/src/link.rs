//! Ways to a server: a WebSocket, a child process, or an engine in this process. All carry lines of JSON.

use std::{path::PathBuf, process::Stdio, sync::Arc, time::Duration};

use engine::{Host, StageLoaders};
use futures_util::{SinkExt, StreamExt};
use protocol::ClientEvent;
use session::LinkEnd;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    sync::mpsc,
    task::JoinHandle,
};
use tokio_tungstenite::{
    connect_async_with_config,
    tungstenite::{
        self, Message,
        client::IntoClientRequest,
        http::{HeaderValue, StatusCode, header},
        protocol::WebSocketConfig,
    },
};

/// Chunks of microphone audio that may wait: five seconds. More is a link that is lost without knowing it.
const AUDIO_QUEUE: usize = 250;
/// Other events that may wait; there are a few a second at most.
const CONTROL_QUEUE: usize = 256;
/// Server messages that may wait for the controller.
const INBOX: usize = 4096;
/// OpenAI's own clients set no limit; this is far above any audio delta.
const FRAME_LIMIT: usize = 32 << 20;
/// A server that cannot be reached within this time is not there.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
const PING_EVERY: Duration = Duration::from_secs(20);

/// Which server to talk with.
#[derive(Clone)]
pub enum Server {
    /// This program once more, as an engine.
    Child {
        /// The program.
        program: PathBuf,
        /// Its arguments.
        args: Vec<String>,
        /// Where it writes its log.
        log: Option<PathBuf>,
    },
    /// A Realtime server.
    WebSocket {
        /// `ws://` or `wss://`.
        url: String,
        /// Sent as a bearer token.
        key: Option<String>,
    },
    /// An engine on threads of this process.
    InProcess(Arc<dyn Fn() -> StageLoaders + Send + Sync>),
}

/// What a link has to say.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    Message(String),
    Closed(LinkEnd),
}

/// An open (or opening) link; dropping it closes it.
pub(crate) struct Link {
    control: mpsc::Sender<String>,
    audio: mpsc::Sender<String>,
    task: JoinHandle<()>,
}

/// A queue of the link is full: the server takes nothing any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stalled;

struct Ends {
    control: mpsc::Receiver<String>,
    audio: mpsc::Receiver<String>,
    events: mpsc::Sender<LinkEvent>,
}

impl Link {
    pub fn open(server: Server) -> (Self, mpsc::Receiver<LinkEvent>) {
        let (control, control_out) = mpsc::channel(CONTROL_QUEUE);
        let (audio, audio_out) = mpsc::channel(AUDIO_QUEUE);
        let (events, inbox) = mpsc::channel(INBOX);
        let ends = Ends { control: control_out, audio: audio_out, events };
        let task = tokio::spawn(async move {
            let events = ends.events.clone();
            let end = match server {
                Server::Child { program, args, log } => child(ends, program, args, log).await,
                Server::WebSocket { url, key } => websocket(ends, &url, key.as_deref()).await,
                Server::InProcess(loaders) => in_process(ends, loaders()).await,
            };
            let _ = events.send(LinkEvent::Closed(end)).await;
        });
        (Self { control, audio, task }, inbox)
    }

    /// Queues an event. What must keep its place among audio goes with the audio, everything else ahead of it.
    pub fn send(&self, event: &ClientEvent, event_id: &str) -> Result<(), Stalled> {
        let queue = match event {
            ClientEvent::InputAudioBufferAppend { .. }
            | ClientEvent::InputAudioBufferCommit
            | ClientEvent::InputAudioBufferClear => &self.audio,
            ClientEvent::SessionUpdate { .. }
            | ClientEvent::ConversationItemCreate { .. }
            | ClientEvent::ConversationItemRetrieve { .. }
            | ClientEvent::ConversationItemTruncate { .. }
            | ClientEvent::ConversationItemDelete { .. }
            | ClientEvent::ResponseCreate { .. }
            | ClientEvent::ResponseCancel { .. }
            | ClientEvent::OutputAudioBufferClear
            | ClientEvent::Unknown(_) => &self.control,
        };
        match queue.try_send(event.to_json(Some(event_id))) {
            // A closed link says so itself.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(Stalled),
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Ends {
    /// Returns the next message to send, control before audio; none when the link is dropped.
    async fn next(&mut self) -> Option<String> {
        tokio::select! {
            biased;
            message = self.control.recv() => message,
            message = self.audio.recv() => message,
        }
    }
}

async fn child(mut ends: Ends, program: PathBuf, args: Vec<String>, log: Option<PathBuf>) -> LinkEnd {
    let stderr = log.and_then(|path| std::fs::File::create(path).ok()).map_or_else(Stdio::null, Stdio::from);
    let spawned = tokio::process::Command::new(&program)
        .args(args)
        // Idle OpenMP threads that spin take the core from speech and audio; the library reads this when it is loaded.
        .env("OMP_WAIT_POLICY", "passive")
        .env("GOMP_SPINCOUNT", "10000")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .kill_on_drop(true)
        .spawn();
    let mut process = match spawned {
        Ok(process) => process,
        Err(error) => {
            return LinkEnd::Refused(format!("The engine ({}) cannot be started: {error}.", program.display()));
        }
    };
    let (Some(mut stdin), Some(stdout)) = (process.stdin.take(), process.stdout.take()) else {
        return LinkEnd::Lost("the engine has no pipes".into());
    };
    let mut lines = BufReader::new(stdout).lines();
    loop {
        tokio::select! {
            line = lines.next_line() => match line {
                Ok(Some(line)) => {
                    if ends.events.send(LinkEvent::Message(line)).await.is_err() {
                        return LinkEnd::Lost("nobody listens".into());
                    }
                }
                Ok(None) | Err(_) => {
                    let status = process.wait().await.map(|s| s.to_string()).unwrap_or_default();
                    return LinkEnd::Lost(format!("the engine's process ended, {status}"));
                }
            },
            message = ends.next() => match message {
                Some(mut message) => {
                    message.push('\n');
                    if stdin.write_all(message.as_bytes()).await.is_err() || stdin.flush().await.is_err() {
                        return LinkEnd::Lost("the engine's process takes nothing any more".into());
                    }
                }
                None => return LinkEnd::Lost("closed".into()),
            },
        }
    }
}

async fn in_process(mut ends: Ends, loaders: StageLoaders) -> LinkEnd {
    let events = ends.events.clone();
    let host = Host::start(
        loaders,
        Box::new(move |line| {
            // A full inbox: the controller hangs, and with it the whole program.
            let _ = events.try_send(LinkEvent::Message(line));
        }),
    );
    while let Some(message) = ends.next().await {
        host.send(message);
    }
    LinkEnd::Lost("closed".into())
}

async fn websocket(mut ends: Ends, url: &str, key: Option<&str>) -> LinkEnd {
    let mut request = match url.into_client_request() {
        Ok(request) => request,
        Err(error) => return LinkEnd::Refused(format!("{url} is no address of a server: {error}.")),
    };
    if let Some(key) = key {
        let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {key}")) else {
            return LinkEnd::Refused("The key has characters that no key has.".into());
        };
        value.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
    let config = WebSocketConfig::default().max_message_size(Some(FRAME_LIMIT)).max_frame_size(Some(FRAME_LIMIT));
    let connecting = connect_async_with_config(request, Some(config), true);
    let mut socket = match tokio::time::timeout(CONNECT_LIMIT, connecting).await {
        Ok(Ok((socket, _))) => socket,
        Ok(Err(tungstenite::Error::Http(response))) => return refused(response.status()),
        Ok(Err(error)) => return LinkEnd::Lost(error.to_string()),
        Err(_) => return LinkEnd::Lost("the server did not answer".into()),
    };
    let mut ping = tokio::time::interval(PING_EVERY);
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    if ends.events.send(LinkEvent::Message(text.to_string())).await.is_err() {
                        return LinkEnd::Lost("nobody listens".into());
                    }
                }
                Some(Ok(Message::Close(frame))) => return closed(frame.as_ref().map(|f| (f.code.into(), f.reason.to_string()))),
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => return LinkEnd::Lost(error.to_string()),
                None => return LinkEnd::Lost("the server hung up".into()),
            },
            message = ends.next() => match message {
                Some(message) => if let Err(error) = socket.send(Message::text(message)).await {
                    return LinkEnd::Lost(error.to_string());
                },
                None => {
                    let _ = socket.close(None).await;
                    return LinkEnd::Lost("closed".into());
                }
            },
            _ = ping.tick() => if let Err(error) = socket.send(Message::Ping(Vec::new().into())).await {
                return LinkEnd::Lost(error.to_string());
            },
        }
    }
}

fn refused(status: StatusCode) -> LinkEnd {
    match status.as_u16() {
        401 | 403 => LinkEnd::Refused("The server rejected the key.".into()),
        404 => LinkEnd::Refused("The server has no conversation at this address.".into()),
        code => LinkEnd::Lost(format!("the server answered {code}")),
    }
}

/// What a close code means (protocol: close codes).
fn closed(frame: Option<(u16, String)>) -> LinkEnd {
    match frame {
        Some((1008 | 4000, reason)) => LinkEnd::Refused(format!("The server refused: {reason}.")),
        Some((_, reason)) if !reason.is_empty() => LinkEnd::Lost(reason),
        Some(_) | None => LinkEnd::Lost("the server hung up".into()),
    }
}
