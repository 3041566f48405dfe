//! What the links say.

use std::{
    collections::VecDeque,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use protocol::ServerEvent;
use session::{Input, LinkEnd};
use tokio::sync::mpsc;

use super::{Controller, Observed};
use crate::link::{Link, LinkEvent, Server};

/// Messages that are read of a server that is not talked with yet.
const SPARE_MESSAGES: usize = 16;

impl Controller {
    pub(super) fn handle_link(&mut self, event: Option<LinkEvent>) {
        match event {
            Some(LinkEvent::Message(text)) => self.handle_message(&text),
            Some(LinkEvent::Closed(end)) => {
                self.link = None;
                self.step(Input::LinkClosed(end));
            }
            None => {
                self.link = None;
                self.step(Input::LinkClosed(LinkEnd::Lost("the connection ended".into())));
            }
        }
    }

    pub(super) fn handle_spare(&mut self, event: Option<LinkEvent>) {
        match (event, &mut self.spare) {
            (Some(LinkEvent::Message(text)), Some(spare)) => {
                let first = spare.read.is_empty();
                spare.read.push_back(text);
                if first {
                    self.step(Input::SpareReady);
                }
            }
            (Some(LinkEvent::Message(_)), None) => {}
            (Some(LinkEvent::Closed(_)) | None, _) => {
                self.spare = None;
                self.step(Input::SpareLost);
            }
        }
    }

    fn handle_message(&mut self, text: &str) {
        let Some(OpenLink { link, .. }) = &mut self.link else { return };
        match link.read(text) {
            Ok(event) => {
                self.observe(Observed::Received(&event));
                let expires = expiry(&event);
                self.step(Input::Received(Box::new(event)));
                if let Some(at) = expires {
                    self.step(Input::Expires { at });
                }
            }
            Err(error) => {
                tracing::warn!(%error, "The server sent something that cannot be read");
                self.observe(Observed::Unreadable(&error));
            }
        }
    }
}

/// Returns when a session ends of which the server says so; it speaks of the wall's clock, we go by ours.
fn expiry(event: &ServerEvent) -> Option<Instant> {
    let (ServerEvent::SessionCreated { session } | ServerEvent::SessionUpdated { session }) = event else {
        return None;
    };
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let left = Duration::from_secs(session.expires_at?).checked_sub(unix)?;
    // More than a day is no session's end, but a clock that is wrong.
    (left < Duration::from_secs(24 * 3600)).then(|| Instant::now() + left)
}

/// A link, and what has come over it.
pub(super) struct OpenLink {
    pub link: Link,
    events: mpsc::Receiver<LinkEvent>,
    /// What the server said while another link was in use.
    read: VecDeque<String>,
}

impl OpenLink {
    pub fn new(server: Server) -> Self {
        let (link, events) = Link::open(server);
        Self { link, events, read: VecDeque::new() }
    }
}

pub(super) async fn next_link_event(link: &mut Option<OpenLink>) -> Option<LinkEvent> {
    match link {
        Some(OpenLink { read, .. }) if !read.is_empty() => read.pop_front().map(LinkEvent::Message),
        Some(OpenLink { events, .. }) => events.recv().await,
        None => std::future::pending().await,
    }
}

pub(super) async fn next_spare_event(spare: &mut Option<OpenLink>) -> Option<LinkEvent> {
    match spare {
        // A server has nothing to say but its greeting to who has said nothing.
        Some(OpenLink { read, events, .. }) if read.len() < SPARE_MESSAGES => events.recv().await,
        Some(_) | None => std::future::pending().await,
    }
}
