use std::time::{Duration, Instant};

use serde::Serialize;
use ts_rs::TS;

/// Where the link to the server stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// None, and none wanted.
    Idle,
    /// Being opened.
    Connecting,
    /// Open; the configuration is not acknowledged.
    Configuring,
    /// The conversation runs.
    Live,
    /// Lost; waits to be opened again.
    Reconnecting,
}

/// Tries before the user is asked.
const ATTEMPTS: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// A link that takes longer to open is lost. Loading models does not count: a server is up before its models are.
const OPEN_LIMIT: Duration = Duration::from_secs(15);
/// A link that has lasted so long was a good one, even if nobody has spoken on it.
const GOOD_LINK: Duration = Duration::from_secs(60);

/// The link's phase and its deadlines.
#[derive(Debug)]
pub(crate) struct Connection {
    pub phase: Phase,
    attempts: u32,
    due: Option<Instant>,
    live_since: Option<Instant>,
}

/// What follows the loss of a link.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum AfterLoss {
    /// It was not wanted any more.
    Nothing,
    /// Another try will be made by itself.
    WillRetry,
    /// Tries are used up.
    GaveUp,
}

impl Connection {
    pub fn new() -> Self {
        Self { phase: Phase::Idle, attempts: 0, due: None, live_since: None }
    }

    /// Returns when [`Self::handle_timeout`] is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.due
    }

    pub fn open(&mut self, now: Instant) {
        self.phase = Phase::Connecting;
        self.due = Some(now + OPEN_LIMIT);
    }

    pub fn handle_first_frame(&mut self, now: Instant) {
        self.phase = Phase::Configuring;
        self.due = Some(now + OPEN_LIMIT);
    }

    pub fn handle_configured(&mut self, now: Instant) {
        self.phase = Phase::Live;
        self.due = None;
        self.live_since = Some(now);
    }

    /// Forgives earlier losses: the server has heard or answered something, and so is more than a greeting.
    pub fn handle_proof(&mut self) {
        self.attempts = 0;
    }

    /// The server still loads its models; that it lasts proves nothing.
    pub fn handle_loading(&mut self) {
        self.live_since = None;
    }

    pub fn handle_ready(&mut self, now: Instant) {
        self.live_since = Some(now);
    }

    pub fn close(&mut self) {
        *self = Self::new();
    }

    pub fn handle_loss(&mut self, now: Instant) -> AfterLoss {
        if self.phase == Phase::Idle {
            return AfterLoss::Nothing;
        }
        if self.live_since.take().is_some_and(|since| now.saturating_duration_since(since) >= GOOD_LINK) {
            self.attempts = 0;
        }
        if self.attempts >= ATTEMPTS {
            self.close();
            return AfterLoss::GaveUp;
        }
        self.phase = Phase::Reconnecting;
        self.due = Some(now + (FIRST_WAIT * 2u32.pow(self.attempts)).min(LONGEST_WAIT));
        self.attempts += 1;
        AfterLoss::WillRetry
    }
}
