use protocol::{Eagerness, Pcm16, TurnDetection};

/// Windows of speech in a row that make an onset: 3 of 32 ms (measured: the knee between misses and false alarms).
const ONSET_WINDOWS: u32 = 3;
/// Speech goes on at a lower probability than it begins with.
const HYSTERESIS: f32 = 0.15;
/// Silence after which a turn may be over: transcription and the judgement start here, ahead of the decision.
const PAUSE_MS: u64 = 96;
/// Silence that a judgement of "finished" still waits for.
const FINISHED_MS: u64 = 220;
/// A judgement is asked again at these lengths of silence.
const JUDGE_AGAIN_MS: [u64; 2] = [500, 1000];
/// A probability of "finished" that is believed (smart-turn's own threshold).
const FINISHED: f32 = 0.5;

/// What the detector's windows amount to. Times are frames at 24 kHz from the first appended sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TurnEvent {
    /// Speech began at `start`.
    Onset { start: u64 },
    /// Speech has stopped for a moment; the turn may be over.
    Pause,
    /// It was not over.
    Resume,
    /// Ask whether the speaker has finished.
    Judge,
    /// The turn is over.
    End { end: u64 },
}

/// When a turn is over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Ending {
    Silence { ms: u64 },
    Judged { most_ms: u64 },
}

/// Follows speech and silence through one session.
#[derive(Debug)]
pub(crate) struct Turns {
    threshold: f32,
    ending: Ending,
    state: State,
}

#[derive(Debug)]
enum State {
    Quiet { windows: u32, since: u64 },
    Speaking { voice_end: u64, pause: Option<Pause> },
}

#[derive(Debug, Default)]
struct Pause {
    judgements: usize,
    finished: bool,
}

impl Turns {
    pub fn new(config: &TurnDetection) -> Self {
        let (threshold, ending) = settings(config);
        Self { threshold, ending, state: State::Quiet { windows: 0, since: 0 } }
    }

    /// Takes new settings; a turn that has begun goes on.
    pub fn configure(&mut self, config: &TurnDetection) {
        (self.threshold, self.ending) = settings(config);
    }

    pub fn reset(&mut self) {
        self.state = State::Quiet { windows: 0, since: 0 };
    }

    /// Takes the probability of speech of the window that ends at `end` and began at `start`.
    pub fn handle_window(&mut self, start: u64, end: u64, probability: f32) -> Vec<TurnEvent> {
        match &mut self.state {
            State::Quiet { windows, since } => {
                if probability < self.threshold {
                    *windows = 0;
                    return Vec::new();
                }
                if *windows == 0 {
                    *since = start;
                }
                *windows += 1;
                if *windows < ONSET_WINDOWS {
                    return Vec::new();
                }
                let onset = TurnEvent::Onset { start: *since };
                self.state = State::Speaking { voice_end: end, pause: None };
                vec![onset]
            }
            State::Speaking { voice_end, pause } => {
                if probability >= self.threshold - HYSTERESIS {
                    *voice_end = end;
                    return if pause.take().is_some() { vec![TurnEvent::Resume] } else { Vec::new() };
                }
                let silence = Pcm16::ms_in(end - *voice_end);
                let mut events = Vec::new();
                if silence >= PAUSE_MS && pause.is_none() {
                    *pause = Some(Pause::default());
                    events.extend([TurnEvent::Pause, TurnEvent::Judge]);
                }
                if let Some(pause) = pause
                    && JUDGE_AGAIN_MS.get(pause.judgements).is_some_and(|ms| silence >= *ms)
                {
                    pause.judgements += 1;
                    events.push(TurnEvent::Judge);
                }
                events.extend(self.end_if_due(end));
                events
            }
        }
    }

    /// Takes the judgement of the pause that runs.
    pub fn handle_judgement(&mut self, probability: f32) {
        if let State::Speaking { pause: Some(pause), .. } = &mut self.state {
            pause.finished |= probability >= FINISHED;
        }
    }

    fn end_if_due(&mut self, now: u64) -> Option<TurnEvent> {
        let State::Speaking { voice_end, pause: Some(pause) } = &self.state else { return None };
        let silence = Pcm16::ms_in(now - voice_end);
        let due = match self.ending {
            Ending::Silence { ms } => silence >= ms,
            Ending::Judged { most_ms } => silence >= most_ms || pause.finished && silence >= FINISHED_MS,
        };
        if !due {
            return None;
        }
        self.state = State::Quiet { windows: 0, since: now };
        Some(TurnEvent::End { end: now })
    }
}

/// Longest waits of semantic detection are the API's (protocol: turn detection); `auto` is `high` here, for at a desk
/// two seconds of silence are an answer.
fn settings(config: &TurnDetection) -> (f32, Ending) {
    match config {
        TurnDetection::ServerVad { threshold, silence_duration_ms, .. } => (
            threshold.unwrap_or(0.5).clamp(0.2, 0.95),
            Ending::Silence { ms: silence_duration_ms.unwrap_or(500).max(PAUSE_MS) },
        ),
        TurnDetection::SemanticVad { eagerness, .. } => {
            let most_ms = match eagerness.unwrap_or_default() {
                Eagerness::Low => 8000,
                Eagerness::Medium => 4000,
                Eagerness::High | Eagerness::Auto => 2000,
            };
            (0.5, Ending::Judged { most_ms })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: u64 = 768;

    fn run(turns: &mut Turns, from: u64, windows: &[f32]) -> Vec<(u64, TurnEvent)> {
        let mut out = Vec::new();
        for (n, p) in windows.iter().enumerate() {
            let start = (from + n as u64) * WINDOW;
            out.extend(turns.handle_window(start, start + WINDOW, *p).into_iter().map(|e| (from + n as u64, e)));
        }
        out
    }

    fn semantic() -> Turns {
        Turns::new(&TurnDetection::SemanticVad { eagerness: None, create_response: None, interrupt_response: None })
    }

    #[test]
    fn a_click_is_no_onset() {
        assert!(run(&mut semantic(), 0, &[0.9, 0.9, 0.1, 0.9, 0.1]).is_empty());
    }

    #[test]
    fn a_turn_that_is_judged_finished_ends_soon_and_another_waits() {
        let mut turns = semantic();
        let events = run(&mut turns, 0, &[0.9, 0.9, 0.9, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(events, [(2, TurnEvent::Onset { start: 0 }), (5, TurnEvent::Pause), (5, TurnEvent::Judge)]);
        turns.handle_judgement(0.9);
        assert_eq!(run(&mut turns, 8, &[0.0, 0.0]), [(9, TurnEvent::End { end: 10 * WINDOW })]);

        let mut turns = semantic();
        run(&mut turns, 0, &[0.9; 3]);
        turns.handle_judgement(0.9);
        let events = run(&mut turns, 3, &[0.0; 80]);
        let (window, end) = events.last().unwrap();
        assert!(matches!(end, TurnEvent::End { .. }) && (64..68).contains(window), "{events:?}");
    }

    #[test]
    fn speech_after_a_pause_resumes_the_turn() {
        let mut turns = semantic();
        run(&mut turns, 0, &[0.9, 0.9, 0.9, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(run(&mut turns, 8, &[0.9]), [(8, TurnEvent::Resume)]);
        turns.handle_judgement(0.9);
        let events = run(&mut turns, 9, &[0.0; 20]);
        let ended = events.iter().any(|(_, e)| matches!(e, TurnEvent::End { .. }));
        assert!(!ended, "a judgement of before the speech counts no more");
    }
}
