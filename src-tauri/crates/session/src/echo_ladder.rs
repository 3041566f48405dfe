use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{EchoState, EchoView};

/// So often within [`WITHIN`] it takes its own voice for the user's before it stops listening to it.
const MOST_ALARMS: usize = 3;
const WITHIN: Duration = Duration::from_secs(90);

/// What comes so soon after the last one is the same: it stands still, and the server hears it late.
const SAME: Duration = Duration::from_secs(2);

/// How the microphone is kept from hearing the speaker, step by step, as far as it is needed: cancelled, then doubted (which the
/// audio side does by itself where much comes through), then not listened to while an answer is spoken.
#[derive(Debug, Default)]
pub(crate) struct EchoLadder {
    measured: Option<EchoView>,
    /// When speech was found that was none.
    alarms: VecDeque<Instant>,
    is_deaf: bool,
}

impl EchoLadder {
    /// Returns what a window shows.
    pub fn view(&self) -> Option<EchoView> {
        if self.is_deaf {
            return Some(EchoView { state: EchoState::Deaf, softer_db: None, delay_ms: None });
        }
        self.measured.clone()
    }

    /// Takes what was measured; returns whether there is another thing to show.
    pub fn handle_measure(&mut self, measured: EchoView) -> bool {
        let before = self.view();
        self.measured = Some(measured);
        self.view() != before
    }

    /// Takes that speech was found over an answer, and was none; returns whether that is the last step.
    pub fn handle_alarm(&mut self, now: Instant) -> bool {
        let echoes = self.measured.as_ref().is_some_and(|m| m.state != EchoState::Good);
        if self.is_deaf || !echoes {
            // A cough, or a door: nothing that comes of the answer.
            return false;
        }
        if self.alarms.back().is_some_and(|last| now.saturating_duration_since(*last) < SAME) {
            return false;
        }
        self.alarms.push_back(now);
        self.alarms.retain(|at| now.saturating_duration_since(*at) < WITHIN);
        self.is_deaf = self.alarms.len() >= MOST_ALARMS;
        self.is_deaf
    }

    /// Begins at the first step: the devices or the user's choice are others. Returns whether it was on another.
    pub fn restart(&mut self) -> bool {
        std::mem::take(self).is_deaf
    }
}
