use std::time::Instant;

use protocol::Pcm16;
use serde::Serialize;
use ts_rs::TS;

/// Root mean square of a block that counts as sound, about -45 dB below full scale.
const LOUD: f64 = 184.0;

/// How long the steps of a turn took, in milliseconds from the last loud sample of the user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct LatencyView {
    /// Until the server took the turn.
    pub end_of_turn_ms: u32,
    /// Until the response began.
    pub response_ms: Option<u32>,
    /// Until its first audio arrived.
    pub first_audio_ms: Option<u32>,
    /// Until its first audio left the program for the speaker.
    pub first_heard_ms: u32,
}

/// Stamps the steps of the turn that runs.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    last_loud: Option<Instant>,
    turn: Option<Turn>,
}

#[derive(Debug)]
struct Turn {
    began: Instant,
    taken: Instant,
    response: Option<Instant>,
    first_audio: Option<Instant>,
}

impl Latency {
    pub fn handle_mic(&mut self, pcm: &Pcm16, now: Instant) {
        let square: f64 = pcm.0.iter().map(|s| f64::from(*s).powi(2)).sum();
        if square / (pcm.0.len().max(1) as f64) > LOUD * LOUD {
            self.last_loud = Some(now);
        }
    }

    /// The server took the turn, or the user typed one.
    pub fn handle_end_of_turn(&mut self, now: Instant) {
        let began = self.last_loud.unwrap_or(now);
        self.turn = Some(Turn { began, taken: now, response: None, first_audio: None });
    }

    /// The user typed.
    pub fn handle_text(&mut self, now: Instant) {
        self.turn = Some(Turn { began: now, taken: now, response: None, first_audio: None });
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
        Some(LatencyView {
            end_of_turn_ms: ms(turn.taken),
            response_ms: turn.response.map(ms),
            first_audio_ms: turn.first_audio.map(ms),
            first_heard_ms: ms(now),
        })
    }
}
