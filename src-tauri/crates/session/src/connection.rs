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
/// A server that refuses a field and takes the rest says so within this.
const REFUSAL_LIMIT: Duration = Duration::from_secs(2);
/// A link that has lasted so long was a good one, even if nobody has spoken on it.
const GOOD_LINK: Duration = Duration::from_secs(60);

/// A session is longer than this, or says nothing true of its end.
const SHORTEST_SESSION: Duration = Duration::from_secs(60);
/// So long before its end a session may be renewed, at the first quiet moment (protocol: rotate early).
const RENEW_AHEAD: Duration = Duration::from_secs(120);
/// A spare link that could not be had is tried again after so long.
const SPARE_WAIT: Duration = Duration::from_secs(10);
/// So long before its end it is renewed at the latest.
const RENEW_AT_LAST: Duration = Duration::from_secs(5);

/// The link's phase and its deadlines.
#[derive(Debug)]
pub(crate) struct Connection {
    pub phase: Phase,
    attempts: u32,
    due: Option<Instant>,
    live_since: Option<Instant>,
    /// When the session may be renewed, and when it must be.
    expires: Option<(Instant, Instant)>,
    renewal: Renewal,
    /// A spare link was lost; none is tried before.
    spare_at: Option<Instant>,
    /// What the server had against the configuration.
    refusal: Option<String>,
}

/// Whether another link is to take this one's place, or does so now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Renewal {
    No,
    /// At the next quiet moment.
    Wanted,
    /// It is being opened beside the one in use.
    Opening,
    /// It is open, and waits for a quiet moment.
    Ready,
    /// It has taken over and is being told; the user need not know.
    Running,
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
        Self {
            phase: Phase::Idle,
            attempts: 0,
            due: None,
            live_since: None,
            expires: None,
            renewal: Renewal::No,
            spare_at: None,
            refusal: None,
        }
    }

    /// Returns when something is due that does not wait for a quiet moment.
    pub fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// Returns when the session should be renewed; the moment must be quiet, too.
    pub fn renewal_deadline(&self) -> Option<Instant> {
        let (renew_at, _) = self.expires?;
        let wanted = self.phase == Phase::Live && self.renewal == Renewal::No;
        wanted.then(|| renew_at.max(self.spare_at.unwrap_or(renew_at)))
    }

    /// Returns when the session is renewed whatever goes on: a moment before the server cuts it off.
    pub fn last_moment(&self) -> Option<Instant> {
        (self.phase == Phase::Live).then_some(self.expires)?.map(|(_, last_moment)| last_moment)
    }

    /// The server will end the session at `at`. An end that is very near is no plan but a clock that is wrong: a session that
    /// was renewed for it would be renewed for ever.
    pub fn handle_expiry(&mut self, now: Instant, at: Instant) {
        let left = at.saturating_duration_since(now);
        if left < SHORTEST_SESSION {
            return;
        }
        let ahead = (left / 10).clamp(RENEW_AT_LAST * 2, RENEW_AHEAD);
        self.expires = at.checked_sub(ahead).zip(at.checked_sub(RENEW_AT_LAST));
    }

    /// The link is to be renewed at the next quiet moment, as for another voice, which is to be the next to be heard.
    pub fn want_renewal(&mut self) {
        match self.renewal {
            Renewal::No | Renewal::Opening => self.renewal = Renewal::Wanted,
            Renewal::Wanted | Renewal::Ready | Renewal::Running => {}
        }
    }

    /// Returns whether a quiet moment is to be used for a renewal.
    pub fn wants_renewal(&self) -> bool {
        self.phase == Phase::Live && self.renewal == Renewal::Wanted
    }

    /// Returns whether there is time for the next link to be opened beside this one.
    pub fn wants_spare(&self, now: Instant) -> bool {
        self.renewal_deadline().is_some_and(|due| due <= now)
    }

    /// The next link is opened beside this one.
    pub fn open_spare(&mut self) {
        self.renewal = Renewal::Opening;
    }

    /// The next link is open.
    pub fn handle_spare_ready(&mut self) {
        if self.phase == Phase::Live && self.renewal == Renewal::Opening {
            self.renewal = Renewal::Ready;
        }
    }

    /// The next link could not be opened, or is gone before it was used.
    pub fn handle_spare_lost(&mut self, now: Instant) {
        if matches!(self.renewal, Renewal::Opening | Renewal::Ready) {
            self.renewal = Renewal::No;
            self.spare_at = Some(now + SPARE_WAIT);
        }
    }

    /// Returns whether a link waits to take this one's place.
    pub fn has_spare(&self) -> bool {
        self.phase == Phase::Live && self.renewal == Renewal::Ready
    }

    /// Another link takes this one's place.
    pub fn renew(&mut self, now: Instant) {
        self.open(now);
        self.renewal = Renewal::Running;
        self.spare_at = None;
    }

    /// Returns whether a renewal runs.
    pub fn is_renewing(&self) -> bool {
        self.renewal == Renewal::Running
    }

    pub fn open(&mut self, now: Instant) {
        self.phase = Phase::Connecting;
        self.expires = None;
        self.refusal = None;
        self.due = Some(now + OPEN_LIMIT);
    }

    pub fn handle_first_frame(&mut self, now: Instant) {
        self.phase = Phase::Configuring;
        self.due = Some(now + OPEN_LIMIT);
    }

    /// The server has something against the configuration, and may take the rest of it yet.
    pub fn handle_refusal(&mut self, now: Instant, words: String) {
        self.refusal = Some(words);
        self.due = Some(now + REFUSAL_LIMIT);
    }

    pub fn take_refusal(&mut self) -> Option<String> {
        self.refusal.take()
    }

    pub fn handle_configured(&mut self, now: Instant) {
        self.phase = Phase::Live;
        self.refusal = None;
        self.due = None;
        self.live_since = Some(now);
        self.renewal = Renewal::No;
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
        self.renewal = Renewal::No;
        self.spare_at = None;
        self.expires = None;
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
