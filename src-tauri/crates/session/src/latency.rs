use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use protocol::Pcm16;
use serde::Serialize;
use ts_rs::TS;

/// Root mean square of a block that counts as sound, about -45 dB below full scale.
const LOUD: f64 = 184.0;

/// Turns of which the spread is told.
const KEPT: usize = 500;

/// How long the steps of a turn took, in milliseconds from the last loud sample of the user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct LatencyView {
    /// Until it was decided that the turn is over.
    pub end_of_turn_ms: u32,
    /// Until the turn was an item of the conversation.
    pub commit_ms: Option<u32>,
    /// Until the response began.
    pub response_ms: Option<u32>,
    /// Until its first audio arrived.
    pub first_audio_ms: Option<u32>,
    /// Until its first audio left the program for the speaker.
    pub first_heard_ms: u32,
    /// Of `first_heard_ms` over the conversation: half of the turns were no slower.
    pub p50_ms: u32,
    /// Of `first_heard_ms` over the conversation: 95 of 100 turns were no slower.
    pub p95_ms: u32,
    /// Turns measured.
    pub turns: u32,
}

/// Stamps the steps of the turn that runs.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    last_loud: Option<Instant>,
    /// What the microphone gives has been on its way for so long.
    mic_delay: Duration,
    turn: Option<Turn>,
    heard: VecDeque<u32>,
    turns: u32,
}

#[derive(Debug)]
struct Turn {
    began: Instant,
    taken: Instant,
    commit: Option<Instant>,
    response: Option<Instant>,
    first_audio: Option<Instant>,
}

impl Latency {
    pub fn handle_mic(&mut self, pcm: &Pcm16, now: Instant) {
        let square: f64 = pcm.0.iter().map(|s| f64::from(*s).powi(2)).sum();
        if square / (pcm.0.len().max(1) as f64) > LOUD * LOUD {
            self.last_loud = now.checked_sub(self.mic_delay);
        }
    }

    pub fn handle_mic_delay(&mut self, delay: Duration) {
        self.mic_delay = delay;
    }

    /// The turn is over: the server found so, or the user let go of the key.
    pub fn handle_end_of_turn(&mut self, now: Instant) {
        self.begin(self.last_loud.unwrap_or(now), now);
    }

    /// The user typed.
    pub fn handle_text(&mut self, now: Instant) {
        self.begin(now, now);
    }

    fn begin(&mut self, began: Instant, taken: Instant) {
        self.turn = Some(Turn { began, taken, commit: None, response: None, first_audio: None });
    }

    pub fn handle_commit(&mut self, now: Instant) {
        if let Some(turn) = &mut self.turn {
            turn.commit.get_or_insert(now);
        }
    }

    pub fn handle_response(&mut self, now: Instant) {
        if let Some(turn) = &mut self.turn {
            turn.response.get_or_insert(now);
        }
    }

    pub fn handle_audio(&mut self, now: Instant) {
        if let Some(turn) = &mut self.turn {
            turn.first_audio.get_or_insert(now);
        }
    }

    /// The first sound is on its way to the speaker: the turn is measured.
    pub fn handle_heard(&mut self, now: Instant) -> Option<LatencyView> {
        let turn = self.turn.take()?;
        let ms = |at: Instant| u32::try_from(at.saturating_duration_since(turn.began).as_millis()).unwrap_or(u32::MAX);
        let first_heard_ms = ms(now);
        self.heard.push_back(first_heard_ms);
        self.turns += 1;
        if self.heard.len() > KEPT {
            self.heard.pop_front();
        }
        let mut sorted: Vec<u32> = self.heard.iter().copied().collect();
        sorted.sort_unstable();
        // The nearest rank: the smallest value that so many of all do not exceed.
        let rank = |percent: usize| sorted[(sorted.len() * percent).div_ceil(100).saturating_sub(1)];
        Some(LatencyView {
            end_of_turn_ms: ms(turn.taken),
            commit_ms: turn.commit.map(ms),
            response_ms: turn.response.map(ms),
            first_audio_ms: turn.first_audio.map(ms),
            first_heard_ms,
            p50_ms: rank(50),
            p95_ms: rank(95),
            turns: self.turns,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "a test needs some instant to begin with")]

    use std::time::Duration;

    use super::*;

    #[test]
    fn the_spread_is_by_nearest_rank() {
        let mut latency = Latency::default();
        let start = Instant::now();
        let mut last = None;
        for n in 1..=20 {
            latency.handle_text(start);
            last = latency.handle_heard(start + Duration::from_millis(n * 100));
        }
        let last = last.unwrap();
        assert_eq!((last.p50_ms, last.p95_ms, last.turns, last.first_heard_ms), (1000, 1900, 20, 2000));
    }
}
