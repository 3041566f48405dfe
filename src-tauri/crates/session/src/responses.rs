use std::time::{Duration, Instant};

/// A server that is silent so long after `response.create` has lost it (protocol: watchdogs of 5 to 10 s).
const CREATED_LIMIT: Duration = Duration::from_secs(10);
/// A response of which nothing comes for so long has been lost; a slow machine reads a long prompt in less.
const STALLED_LIMIT: Duration = Duration::from_secs(60);
/// A cancelled response ends at once; some servers never say so.
const CANCELLED_LIMIT: Duration = Duration::from_secs(5);

/// Keeps one response of the conversation at a time: a second request waits and is merged with others that wait.
#[derive(Debug, Default)]
pub(crate) struct ResponseSequencer {
    state: State,
    queued: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Free,
    Requested {
        due: Instant,
        /// Whether it is asked for a second time, since nothing came of the first.
        again: bool,
    },
    Active {
        id: String,
        /// When it counts as stalled; every event of it puts that off.
        due: Option<Instant>,
    },
    Cancelling {
        id: Option<String>,
        due: Instant,
    },
}

/// What the sequencer wants said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Say {
    Create,
    Cancel,
    Nothing,
    /// Asked for twice and never begun.
    GaveUp,
}

impl ResponseSequencer {
    /// Returns whether an answer is asked for or being made.
    pub fn is_busy(&self) -> bool {
        self.queued || !matches!(self.state, State::Free)
    }

    /// Returns the id of the response that is being made.
    pub fn active(&self) -> Option<&str> {
        match &self.state {
            State::Active { id, .. } => Some(id),
            State::Free | State::Requested { .. } | State::Cancelling { .. } => None,
        }
    }

    pub fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Requested { due, .. } | State::Cancelling { due, .. } => Some(due),
            State::Active { due, .. } => due,
            State::Free => None,
        }
    }

    pub fn request(&mut self, now: Instant) -> Say {
        match self.state {
            State::Free => {
                self.state = State::Requested { due: now + CREATED_LIMIT, again: false };
                Say::Create
            }
            State::Requested { .. } => Say::Nothing,
            State::Active { .. } | State::Cancelling { .. } => {
                self.queued = true;
                Say::Nothing
            }
        }
    }

    /// Takes back a queued request and stops a running response.
    pub fn cancel(&mut self, now: Instant) -> Say {
        self.queued = false;
        let id = match &self.state {
            State::Free | State::Cancelling { .. } => return Say::Nothing,
            State::Requested { .. } => None,
            State::Active { id, .. } => Some(id.clone()),
        };
        self.state = State::Cancelling { id, due: now + CANCELLED_LIMIT };
        Say::Cancel
    }

    /// A response began; returns `Cancel` if it is one that was cancelled before it had a name.
    pub fn handle_created(&mut self, id: &str, now: Instant) -> Say {
        if let State::Cancelling { id: None, .. } = self.state {
            self.state = State::Cancelling { id: Some(id.to_owned()), due: now + CANCELLED_LIMIT };
            return Say::Cancel;
        }
        self.state = State::Active { id: id.to_owned(), due: Some(now + STALLED_LIMIT) };
        Say::Nothing
    }

    pub fn handle_done(&mut self, id: &str, now: Instant) -> Say {
        let current = match &self.state {
            State::Free => return Say::Nothing,
            State::Requested { .. } => None,
            State::Active { id, .. } => Some(id),
            State::Cancelling { id, .. } => id.as_ref(),
        };
        // A response that only an error has told of has no name here.
        if current.is_some_and(|c| c != id && !c.is_empty()) {
            return Say::Nothing;
        }
        self.release(now)
    }

    /// The server runs a response of its own, which this side may or may not have heard of: ask again when it ends.
    pub fn handle_already_active(&mut self) {
        match self.state {
            State::Requested { again, .. } => {
                self.state = State::Active { id: String::new(), due: None };
                // The one that runs may well be what the first request asked for.
                self.queued |= !again;
            }
            State::Active { .. } => self.queued = true,
            State::Free | State::Cancelling { .. } => {}
        }
    }

    /// There was nothing to cancel.
    pub fn handle_nothing_to_cancel(&mut self, now: Instant) -> Say {
        match self.state {
            State::Cancelling { .. } => self.release(now),
            State::Free | State::Requested { .. } | State::Active { .. } => Say::Nothing,
        }
    }

    /// Asks once more for what is overdue, then gives up on it.
    pub fn handle_timeout(&mut self, now: Instant) -> Say {
        match self.state {
            State::Requested { due, again: false } if due <= now => {
                self.state = State::Requested { due: now + CREATED_LIMIT, again: true };
                Say::Create
            }
            State::Requested { due, again: true } if due <= now => {
                self.reset();
                Say::GaveUp
            }
            State::Cancelling { due, .. } if due <= now => self.release(now),
            State::Requested { .. } | State::Cancelling { .. } | State::Free | State::Active { .. } => Say::Nothing,
        }
    }

    /// Asks again when what is asked for now has been answered: it was asked without knowing all.
    pub fn request_after(&mut self, now: Instant) -> Say {
        if matches!(self.state, State::Requested { .. }) {
            self.queued = true;
        }
        self.request(now)
    }

    /// The server says more of a response.
    pub fn handle_progress(&mut self, response_id: &str, now: Instant) {
        if let State::Active { id, due: Some(due) } = &mut self.state
            && (id == response_id || response_id.is_empty())
        {
            *due = now + STALLED_LIMIT;
        }
    }

    /// Returns the response of which nothing more has come; it is being cancelled now.
    pub fn stalled(&mut self, now: Instant) -> Option<&str> {
        let State::Active { id, due: Some(due) } = &self.state else { return None };
        if *due > now {
            return None;
        }
        self.state = State::Cancelling { id: Some(id.clone()), due: now + CANCELLED_LIMIT };
        match &self.state {
            State::Cancelling { id, .. } => id.as_deref(),
            State::Free | State::Requested { .. } | State::Active { .. } => None,
        }
    }

    /// An item of a response has ended; of a cancelled one, on a server that sends no `response.done` after a cancel, it is
    /// the end.
    pub fn handle_item_done(&mut self, response_id: &str, now: Instant) -> Say {
        match &self.state {
            State::Cancelling { id: Some(id), .. } if id == response_id => self.release(now),
            State::Cancelling { .. } | State::Free | State::Requested { .. } | State::Active { .. } => Say::Nothing,
        }
    }

    /// Forgets everything, as after a lost link.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    fn release(&mut self, now: Instant) -> Say {
        self.state = State::Free;
        if std::mem::take(&mut self.queued) { self.request(now) } else { Say::Nothing }
    }
}
