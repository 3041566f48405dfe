//! One request and its answer as it comes, on a thread of its own, so that whoever waits can be called off at any moment.

use std::{
    io::{self, Read},
    sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
    time::Duration,
};

use ureq::{
    Agent, Error,
    tls::{RootCerts, TlsConfig},
};

use crate::stages::StageError;

/// A server that cannot be reached within this is not there.
const CONNECT: Duration = Duration::from_secs(10);
/// A server that says nothing for so long will not: a large model on a small machine reads a prompt for a minute.
const SILENCE: Duration = Duration::from_secs(120);
/// How soon a wait sees that it has been called off.
const STEP: Duration = Duration::from_millis(20);
/// Chunks that may wait to be taken.
const CHUNKS: usize = 64;
/// Longest error text that is read.
const MOST_ERROR: usize = 64 << 10;

/// What is asked.
pub(super) struct Ask {
    pub url: String,
    pub key: Option<String>,
    pub content_type: String,
    pub body: Vec<u8>,
}

/// An answer that is under way.
pub(super) struct Answer {
    pub content_type: String,
    what: &'static str,
    chunks: Receiver<io::Result<Vec<u8>>>,
    agent: Agent,
}

enum Head {
    Ok { content_type: String },
    Failed(StageError),
}

/// Asks, and waits for the answer's head; none if it is called off.
///
/// # Errors
/// Says in words what is wrong: the network, the key, the model.
pub(super) fn ask(what: &'static str, ask: Ask, cancelled: &dyn Fn() -> bool) -> Result<Option<Answer>, StageError> {
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_per_read(Some(SILENCE))
        .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
        .build()
        .into();
    let (head_out, head) = sync_channel(1);
    let (chunk_out, chunks) = sync_channel(CHUNKS);
    let worker = agent.clone();
    let host = host(&ask.url);
    let work = move || {
        let mut request = worker.post(&ask.url).content_type(&ask.content_type);
        if let Some(key) = &ask.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let response = match request.send(&ask.body[..]) {
            Ok(response) => response,
            Err(error) => {
                let _ = head_out.send(Head::Failed(StageError::new(what, unreachable(&host, error))));
                return;
            }
        };
        let status = response.status().as_u16();
        let content_type = response.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default();
        let content_type = content_type.to_owned();
        let mut body = response.into_body().into_reader();
        if !(200..300).contains(&status) {
            let mut text = Vec::new();
            let _ = (&mut body).take(MOST_ERROR as u64).read_to_end(&mut text);
            let words = refusal(&host, status, &String::from_utf8_lossy(&text));
            let _ = head_out.send(Head::Failed(StageError::new(what, words)));
            return;
        }
        let _ = head_out.send(Head::Ok { content_type });
        let mut buffer = vec![0; 16 << 10];
        loop {
            let chunk = match body.read(&mut buffer) {
                Ok(0) => return,
                Ok(n) => Ok(buffer[..n].to_vec()),
                Err(error) => Err(error),
            };
            let ended = chunk.is_err();
            if chunk_out.send(chunk).is_err() || ended {
                return;
            }
        }
    };
    std::thread::Builder::new().name("http".into()).spawn(work).map_err(|error| StageError::new(what, error))?;
    loop {
        match head.recv_timeout(STEP) {
            Ok(Head::Ok { content_type }) => return Ok(Some(Answer { content_type, what, chunks, agent })),
            Ok(Head::Failed(error)) => return Err(error),
            Err(RecvTimeoutError::Timeout) if cancelled() => {
                agent.shutdown();
                return Ok(None);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(StageError::new(what, "the request was given up")),
        }
    }
}

impl Answer {
    /// Returns the next bytes; none at the end, or when it is called off.
    ///
    /// # Errors
    /// The connection broke.
    pub fn next(&mut self, cancelled: &dyn Fn() -> bool) -> Result<Option<Vec<u8>>, StageError> {
        loop {
            match self.chunks.recv_timeout(STEP) {
                Ok(Ok(bytes)) => return Ok(Some(bytes)),
                Ok(Err(error)) => {
                    return Err(StageError::new(self.what, format!("the answer broke off ({})", Error::from(error))));
                }
                Err(RecvTimeoutError::Timeout) if cancelled() => return Ok(None),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
            }
        }
    }

    /// Returns all of it as text; what there is when it is called off.
    ///
    /// # Errors
    /// The connection broke.
    pub fn text(mut self, cancelled: &dyn Fn() -> bool) -> Result<String, StageError> {
        let mut all = Vec::new();
        while let Some(bytes) = self.next(cancelled)? {
            all.extend(bytes);
        }
        Ok(String::from_utf8_lossy(&all).into_owned())
    }

    pub fn is_events(&self) -> bool {
        self.content_type.starts_with("text/event-stream")
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // Whatever still comes is of no use; the thread that reads it ends.
        self.agent.clone().shutdown();
    }
}

fn host(url: &str) -> String {
    url.split("//").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or(url).to_owned()
}

fn unreachable(host: &str, error: Error) -> String {
    #[allow(clippy::wildcard_enum_match_arm, reason = "the crate's errors are open for more")]
    match error {
        Error::Timeout(_) => format!("{host} does not answer"),
        Error::BadUri(words) => format!("this is no address: {words}"),
        Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            format!("nothing answers at {host}; is the server running?")
        }
        other => format!("{host} cannot be reached ({other})"),
    }
}

/// Returns in words what a server has against a request.
fn refusal(host: &str, status: u16, body: &str) -> String {
    let told = serde_json::from_str::<serde_json::Value>(body).ok();
    let told = told.as_ref().and_then(|v| v.pointer("/error/message").or(v.get("error")).or(v.get("detail"))?.as_str());
    let told = told.unwrap_or(body).trim();
    let told: String = told.chars().take(300).collect();
    match status {
        401 | 403 => format!("{host} rejected the key"),
        404 => format!("{host} does not have this model or address ({told})"),
        429 => format!("{host} has too much to do, or the account has no credit left ({told})"),
        _ => format!("{host} answered {status} ({told})"),
    }
}
