//! Ways to a server: a WebSocket, a child process, or an engine in this process. All carry lines of JSON.

mod stitched;
mod websocket;
mod wire;

use std::{path::PathBuf, process::Stdio, sync::Arc};

use engine::{Host, StageLoaders};
use protocol::{ApiError, ClientEvent, Dialect, ParseError, ServerEvent};
use session::{LinkEnd, NoticeAction};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    sync::mpsc,
    task::JoinHandle,
};

pub use stitched::Stitched;
pub use websocket::Remote;
use wire::Wire;

use crate::keys::KeySource;

/// Events that may wait in their order: a whole conversation told anew, and microphone audio.
const QUEUE: usize = 2048;
/// Events that may wait when microphone audio comes: some ten seconds. More is a link that is lost without knowing it.
const AUDIO_LIMIT: usize = 1200;
/// Events that may wait to be sent ahead of all; there are a few at a time.
const URGENT: usize = 256;
/// Server messages that may wait for the controller.
const INBOX: usize = 4096;

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
        /// Steps that it leaves to others, told to it ahead of all.
        stitched: Option<Stitched>,
    },
    /// A Realtime server.
    WebSocket(Remote),
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
    urgent: mpsc::Sender<String>,
    ordered: mpsc::Sender<String>,
    wire: Wire,
    key: KeySource,
    task: JoinHandle<()>,
}

/// A queue of the link is full: the server takes nothing any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stalled;

struct Ends {
    outgoing: Outgoing,
    events: mpsc::Sender<LinkEvent>,
}

struct Outgoing {
    urgent: mpsc::Receiver<String>,
    ordered: mpsc::Receiver<String>,
}

impl Link {
    pub fn open(server: Server) -> (Self, mpsc::Receiver<LinkEvent>) {
        let (urgent, urgent_out) = mpsc::channel(URGENT);
        let (ordered, ordered_out) = mpsc::channel(QUEUE);
        let (events, inbox) = mpsc::channel(INBOX);
        let ends = Ends { outgoing: Outgoing { urgent: urgent_out, ordered: ordered_out }, events };
        let (wire, key) = match &server {
            Server::WebSocket(remote) => (remote.wire(), remote.key.clone()),
            Server::Child { .. } | Server::InProcess(_) => (Wire::plain(), KeySource::None),
        };
        let task = tokio::spawn(async move {
            let events = ends.events.clone();
            let end = match server {
                Server::Child { program, args, log, stitched } => child(ends, program, args, log, stitched).await,
                Server::WebSocket(remote) => websocket::run(ends, remote).await,
                Server::InProcess(loaders) => in_process(ends, loaders()).await,
            };
            let _ = events.send(LinkEvent::Closed(end)).await;
        });
        (Self { urgent, ordered, wire, key, task }, inbox)
    }

    /// Queues an event. What stops an answer goes ahead of all; the rest keeps its order, so that a turn is committed
    /// before it is to be answered.
    pub fn send(&mut self, event: &ClientEvent, event_id: &str) -> Result<(), Stalled> {
        let queue = match event {
            ClientEvent::ResponseCancel { .. }
            | ClientEvent::ConversationItemTruncate { .. }
            | ClientEvent::ConversationItemDelete { .. } => &self.urgent,
            ClientEvent::InputAudioBufferAppend { .. } => {
                if self.ordered.max_capacity() - self.ordered.capacity() > AUDIO_LIMIT {
                    return Err(Stalled);
                }
                &self.ordered
            }
            ClientEvent::InputAudioBufferCommit
            | ClientEvent::InputAudioBufferClear
            | ClientEvent::SessionUpdate { .. }
            | ClientEvent::ConversationItemCreate { .. }
            | ClientEvent::ConversationItemRetrieve { .. }
            | ClientEvent::ResponseCreate { .. }
            | ClientEvent::OutputAudioBufferClear
            | ClientEvent::Unknown(_) => &self.ordered,
        };
        let Some(message) = self.wire.write(event, event_id) else { return Ok(()) };
        match queue.try_send(message) {
            // A closed link says so itself.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(Stalled),
        }
    }

    /// Returns how the server is spoken to.
    pub fn dialect(&self) -> Dialect {
        self.wire.dialect()
    }

    /// Reads a message of the server; notes that it does not take the key, where it says so.
    pub fn read(&mut self, text: &str) -> Result<ServerEvent, ParseError> {
        let event = self.wire.read(text)?;
        if event.fault().is_some_and(ApiError::rejects_key) {
            self.key.reject();
        }
        Ok(event)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Outgoing {
    /// Returns the next message to send; none when the link is dropped.
    async fn next(&mut self) -> Option<String> {
        tokio::select! {
            biased;
            message = self.urgent.recv() => message,
            message = self.ordered.recv() => message,
        }
    }
}

/// Returns why a link ended, in words.
pub(crate) fn end_words(end: &LinkEnd) -> String {
    match end {
        LinkEnd::Lost(words) | LinkEnd::Refused { words, .. } => words.clone(),
        LinkEnd::Expired => "the session had no time left".into(),
    }
}

fn refused(words: String, helps: NoticeAction) -> LinkEnd {
    LinkEnd::Refused { words, helps }
}

async fn child(
    mut ends: Ends,
    program: PathBuf,
    args: Vec<String>,
    log: Option<PathBuf>,
    stitched: Option<Stitched>,
) -> LinkEnd {
    let steps = match stitched {
        Some(stitched) => match stitched.line().await {
            Ok(line) => Some(line),
            Err(error) => return refused(error.to_string(), NoticeAction::OpenSettings),
        },
        None => None,
    };
    let stderr = log.and_then(|path| std::fs::File::create(path).ok()).map_or_else(Stdio::null, Stdio::from);
    let spawned = tokio::process::Command::new(&program)
        .args(args)
        .args(steps.is_some().then_some("--stitched"))
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
            let words = format!("The engine ({}) cannot be started: {error}.", program.display());
            return refused(words, NoticeAction::Retry);
        }
    };
    let (Some(mut stdin), Some(stdout)) = (process.stdin.take(), process.stdout.take()) else {
        return LinkEnd::Lost("the engine has no pipes".into());
    };
    if let Some(line) = steps
        && stdin.write_all(line.as_bytes()).await.is_err()
    {
        return LinkEnd::Lost("the engine's process takes nothing".into());
    }
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
            message = ends.outgoing.next() => match message {
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
    while let Some(message) = ends.outgoing.next().await {
        host.send(message);
    }
    LinkEnd::Lost("closed".into())
}
