//! What a sound check finds: a fold over the events of three stages, and plain advice. Whoever plays the stages has the clock.

use crate::{AudioError, Capture, Dbfs, Direction, EchoHealth, EchoState, Event, Voice};

/// What is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nobody speaks.
    Quiet,
    /// The speaker alone.
    Alone,
    /// The speaker, and the user over it.
    Over,
}

/// How good a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    /// As it should be.
    Good,
    /// It works, and could be better.
    Fair,
    /// It does not work.
    Bad,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Of what.
    pub what: &'static str,
    /// How good.
    pub grade: Grade,
    /// What was measured, and what helps.
    pub words: String,
}

/// A room louder than this is heard in every pause.
const LOUD_ROOM: Dbfs = Dbfs(-42.0);
/// A speaker that is quieter plays nothing.
const PLAYS: Dbfs = Dbfs(-50.0);
/// So many doubts in three sentences are heard: each makes it softer for a moment.
const DOUBTS: u32 = 3;
/// Devices that take longer are wireless, or share their buffer with others.
const LONG_WAY_MS: u32 = 250;

/// Gathers what happens.
#[derive(Debug, Default)]
pub struct SoundCheck {
    quiet: Vec<f32>,
    loudest_output: Option<f32>,
    capture: Option<Capture>,
    failed: Vec<(Direction, AudioError)>,
    health: Option<EchoHealth>,
    clipped: bool,
    onsets: u32,
    taken: u32,
    over: bool,
    over_tried: bool,
}

impl SoundCheck {
    /// Takes what happened in a stage.
    pub fn handle(&mut self, stage: Stage, event: &Event) {
        self.over_tried |= stage == Stage::Over;
        match event {
            Event::Level { input, output, clipped } => {
                if stage == Stage::Quiet {
                    self.quiet.push(input.0);
                }
                self.clipped |= *clipped;
                self.loudest_output = Some(self.loudest_output.map_or(output.0, |l| l.max(output.0)));
            }
            Event::Capture(capture) => self.capture = Some(*capture),
            Event::DeviceFailed { direction, error } => self.failed.push((*direction, error.clone())),
            Event::DeviceReady { direction, .. } => self.failed.retain(|(failed, _)| failed != direction),
            Event::Echo(health) => self.health = Some(*health),
            Event::Voice(Voice::Onset) if stage == Stage::Alone => self.onsets += 1,
            Event::Voice(Voice::Confirmed) if stage == Stage::Alone => self.taken += 1,
            Event::Voice(Voice::Confirmed) if stage == Stage::Over => self.over = true,
            Event::Voice(_)
            | Event::Mic(_)
            | Event::MicDelay { .. }
            | Event::Heard { .. }
            | Event::Flushed { .. }
            | Event::Underrun { .. }
            | Event::Overrun { .. }
            | Event::Recording(_)
            | Event::InputEnded => {}
        }
    }

    /// Returns what was found, the worst of each thing.
    pub fn findings(&self) -> Vec<Finding> {
        let mut found = vec![self.microphone(), self.speaker()];
        if found.iter().all(|f| f.grade != Grade::Bad) {
            found.extend([self.room(), self.echo(), self.itself()]);
            found.extend(self.over_tried.then(|| self.you()));
        }
        found
    }

    fn failure(&self, direction: Direction) -> Option<String> {
        self.failed.iter().find(|(failed, _)| *failed == direction).map(|(_, error)| error.to_string())
    }

    fn microphone(&self) -> Finding {
        let (grade, words) = match (self.failure(Direction::Input), self.capture) {
            (Some(error), _) => (Grade::Bad, format!("{error}.")),
            (None, Some(Capture::Zeros)) => {
                (Grade::Bad, "It gives nothing but silence: it is switched off, or another program has it.".into())
            }
            (None, Some(Capture::Nothing)) => {
                (Grade::Bad, "It gives nothing at all. Plug it in again, or choose another.".into())
            }
            (None, _) if self.quiet.is_empty() => (Grade::Bad, "Nothing came from it.".into()),
            (None, _) if self.clipped => (
                Grade::Fair,
                "It is overdriven: lower its level, or the speaker's volume, in the system's settings.".into(),
            ),
            (None, _) => (Grade::Good, "It hears.".into()),
        };
        Finding { what: "microphone", grade, words }
    }

    fn speaker(&self) -> Finding {
        let plays = self.loudest_output.is_some_and(|level| level > PLAYS.0);
        let (grade, words) = match self.failure(Direction::Output) {
            Some(error) => (Grade::Bad, format!("{error}.")),
            None if plays => (Grade::Good, "It plays.".into()),
            None => (Grade::Bad, "Nothing was played.".into()),
        };
        Finding { what: "speaker", grade, words }
    }

    fn room(&self) -> Finding {
        let mut levels = self.quiet.clone();
        levels.sort_by(f32::total_cmp);
        let level = levels.get(levels.len() / 2).copied().unwrap_or(-100.0);
        let (grade, advice) = if level > LOUD_ROOM.0 {
            (Grade::Fair, " It is loud: a headset, or the talk key, is safer.")
        } else {
            (Grade::Good, "")
        };
        Finding { what: "room", grade, words: format!("Noise at {level:.0} dB.{advice}") }
    }

    fn echo(&self) -> Finding {
        let (grade, words) = match self.health {
            None => (Grade::Good, "Nothing is cancelled.".to_owned()),
            Some(EchoHealth { state, enhancement_db, delay_ms, .. }) => {
                let softer = enhancement_db.map(|db| format!("{db:.0} dB softer")).unwrap_or_default();
                let way = delay_ms.map(|ms| format!("It comes back after {ms} ms")).unwrap_or_default();
                let long = delay_ms.filter(|ms| *ms > LONG_WAY_MS).map(|_| ", as with Bluetooth").unwrap_or_default();
                match state {
                    EchoState::Good if enhancement_db.is_none_or(|db| db < 6.0) => {
                        (Grade::Good, "Hardly any comes back.".to_owned())
                    }
                    EchoState::Good => (Grade::Good, format!("{way}{long}, and is made {softer}.")),
                    EchoState::Learning => (Grade::Fair, format!("{way}{long}; the room is not known yet.")),
                    EchoState::Leaking => {
                        (Grade::Fair, format!("{way}{long}, and only {softer}. A lower volume or headphones help."))
                    }
                }
            }
        };
        Finding { what: "echo", grade, words }
    }

    fn itself(&self) -> Finding {
        let (grade, words) = match (self.taken, self.onsets) {
            (0, 0) => (Grade::Good, "It did not hear itself.".to_owned()),
            (0, n) if n < DOUBTS => (Grade::Good, format!("It doubted {n} times whether it heard you, and went on.")),
            (0, n) => (
                Grade::Fair,
                format!("It doubted {n} times whether it heard you, and went on. A lower volume or headphones help."),
            ),
            (n, _) => (
                Grade::Bad,
                format!(
                    "It took itself for you {n} times. Lower the volume, or choose “deaf while it speaks” or headphones."
                ),
            ),
        };
        Finding { what: "self-interruption", grade, words }
    }

    fn you(&self) -> Finding {
        let (grade, words) = if self.over {
            (Grade::Good, "It heard you while it spoke.")
        } else {
            (Grade::Fair, "It did not hear you while it spoke. If you spoke, come closer, or lower the volume.")
        };
        Finding { what: "talking over it", grade, words: words.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(input: f32, output: f32) -> Event {
        Event::Level { input: Dbfs(input), output: Dbfs(output), clipped: false }
    }

    fn checked(events: &[(Stage, Event)]) -> Vec<(&'static str, Grade)> {
        let mut check = SoundCheck::default();
        events.iter().for_each(|(stage, event)| check.handle(*stage, event));
        check.findings().into_iter().map(|f| (f.what, f.grade)).collect()
    }

    #[test]
    fn a_good_room_is_good_throughout() {
        let health =
            EchoHealth { state: EchoState::Good, delay_ms: Some(90), enhancement_db: Some(40.0), loss_db: None };
        let events = [
            (Stage::Quiet, level(-62.0, -100.0)),
            (Stage::Alone, level(-60.0, -20.0)),
            (Stage::Alone, Event::Echo(health)),
            (Stage::Over, Event::Voice(Voice::Confirmed)),
        ];
        let found = checked(&events);
        assert!(found.iter().all(|(_, grade)| *grade == Grade::Good), "{found:?}");
        assert_eq!(found.len(), 6);
    }

    #[test]
    fn what_does_not_work_is_said_first_and_nothing_is_guessed_from_it() {
        let zeros = (Stage::Quiet, Event::Capture(Capture::Zeros));
        let found = checked(&[(Stage::Quiet, level(-100.0, -100.0)), zeros, (Stage::Alone, level(-100.0, -20.0))]);
        assert_eq!(found, [("microphone", Grade::Bad), ("speaker", Grade::Good)]);
        let error = AudioError::NoDevice(Direction::Output);
        let failed = (Stage::Quiet, Event::DeviceFailed { direction: Direction::Output, error });
        assert_eq!(checked(&[(Stage::Quiet, level(-60.0, -100.0)), failed])[1], ("speaker", Grade::Bad));
    }

    #[test]
    fn who_hears_himself_is_told_what_helps() {
        let events = [
            (Stage::Quiet, level(-30.0, -100.0)),
            (Stage::Alone, level(-20.0, -10.0)),
            (Stage::Alone, Event::Voice(Voice::Onset)),
            (Stage::Alone, Event::Voice(Voice::Confirmed)),
        ];
        let found = checked(&events);
        assert_eq!(found[2], ("room", Grade::Fair));
        assert_eq!(found[4], ("self-interruption", Grade::Bad));
        assert_eq!(found.len(), 5, "nobody was asked to speak over it");
    }
}
