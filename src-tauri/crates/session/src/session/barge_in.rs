//! Talking over an answer: softer at once, silent when it is speech, and as before when it was nothing.

use std::time::{Duration, Instant};

use super::Session;
use crate::{Interrupt, Loudness, NoticeAction, Output, Phase, Severity, Turns, ViewEvent, Voice};

/// What is not confirmed as speech within this was nothing.
pub const UNCONFIRMED: Duration = Duration::from_millis(400);
/// What the server has not heard within this was nothing either.
const UNHEARD: Duration = Duration::from_millis(1000);
/// The notice that it is deaf while it speaks.
const DEAF: &str = "deaf";
/// Words take so long to be written down after they were said.
const UNWRITTEN: Duration = Duration::from_millis(3000);

/// What says that somebody listens, in the languages of the window: no reason to fall silent.
const BACKCHANNELS: &[&str] = &[
    "mhm", "mm", "mmm", "mmhmm", "hm", "hmm", "uh", "uhhuh", "huh", "um", "yeah", "yep", "yup", "yes", "ok", "okay",
    "right", "sure", "ah", "aha", "oh", "wow", "i", "see", "ja", "genau", "klar", "ach", "so", "oui", "ouais",
    "daccord", "sí", "vale", "claro", "да", "ага", "угу", "так", "ясно",
];
/// More of them in a row are a sentence.
const MOST_BACKCHANNELS: usize = 3;

/// What is known of somebody who may be talking over an answer.
#[derive(Debug, Default)]
pub(super) struct BargeIn {
    loudness: Loudness,
    /// When it is as loud as before, if nothing comes of it.
    until: Option<Instant>,
    /// The user's item of which the words decide.
    undecided: Option<String>,
    /// The user's item that has ended an answer, until its words are known.
    ended_by: Option<String>,
}

/// How much of what the user says is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    InPart,
    Whole,
}

impl BargeIn {
    pub fn deadline(&self) -> Option<Instant> {
        self.until
    }

    pub fn handle_loss(&mut self) {
        self.undecided = None;
        if self.loudness == Loudness::Full {
            self.until = None;
        }
    }
}

impl Session {
    /// Returns whether this side asks for every answer: a server that asks by itself would answer a "mhm".
    pub(super) fn asks_itself(&self) -> bool {
        self.config.interrupt == Interrupt::WithWords && self.config.turns != Turns::PushToTalk
    }

    pub(super) fn handle_voice(&mut self, now: Instant, voice: Voice) {
        if !self.playout.is_playing() || self.muted || self.config.turns == Turns::PushToTalk {
            return;
        }
        match (voice, self.config.interrupt) {
            (_, Interrupt::OnlyKey) => {}
            (Voice::Onset, Interrupt::AtOnce | Interrupt::WithWords) => {
                if self.barge_in.loudness == Loudness::Full {
                    self.play_at(Loudness::Soft, now + UNCONFIRMED);
                }
            }
            (Voice::Confirmed, Interrupt::AtOnce) => self.play_at(Loudness::Paused, now + UNHEARD),
            (Voice::Confirmed, Interrupt::WithWords) => self.play_at(Loudness::Soft, now + UNWRITTEN),
            // The server has the last word on what it has begun to hear.
            (Voice::Over, Interrupt::AtOnce | Interrupt::WithWords) => {
                if self.barge_in.loudness == Loudness::Soft && self.barge_in.undecided.is_none() {
                    self.play_on();
                }
            }
        }
    }

    /// The server hears speech; returns whether that alone ends the answer.
    pub(super) fn may_interrupt(&mut self, item_id: &str) -> bool {
        if !self.asks_itself() || !self.is_answering() {
            self.barge_in.ended_by = self.playout.is_playing().then(|| item_id.to_owned());
            return true;
        }
        self.barge_in.undecided = Some(item_id.to_owned());
        false
    }

    /// Returns whether nobody knows yet whether this turn of the user's ends the answer.
    pub(super) fn is_undecided(&self, item_id: &str) -> bool {
        self.barge_in.undecided.as_deref() == Some(item_id)
    }

    /// More of what the user says is written down: it may be words, or turn out to be none.
    pub(super) fn weigh_words(&mut self, now: Instant, item_id: &str, heard: Heard) {
        if heard == Heard::Whole && self.barge_in.ended_by.take_if(|id| id == item_id).is_some() {
            let said = self.conversation.text(item_id).is_some_and(|text| text.chars().any(char::is_alphanumeric));
            if !said {
                self.handle_false_alarm(now);
            }
        }
        if !self.is_undecided(item_id) {
            return;
        }
        let words = self.conversation.text(item_id).is_some_and(has_words);
        if words {
            self.barge_in.undecided = None;
            self.interrupt(now);
            if !self.user_speaking {
                self.ask(now);
            }
        } else if heard == Heard::Whole {
            self.barge_in.undecided = None;
            self.play_on();
            if !self.is_answering() {
                // The answer ended meanwhile, so a "yes" is a turn like others.
                self.ask(now);
            }
        }
    }

    /// The turn is over, and its words are still to come; without them it is a turn like others.
    pub(super) fn await_words(&mut self, now: Instant) {
        self.barge_in.until = Some(now + UNWRITTEN);
    }

    /// The time is over in which something might have come of it.
    pub(super) fn handle_barge_in_over(&mut self, now: Instant) {
        if self.barge_in.loudness == Loudness::Paused && self.connection.phase == Phase::Live {
            self.handle_false_alarm(now);
        }
        self.play_on();
        if !self.user_speaking && self.barge_in.undecided.take().is_some() {
            self.ask(now);
        }
    }

    /// Nobody will ever know whether it had words.
    pub(super) fn forget_interruption(&mut self, item_id: &str) {
        self.barge_in.ended_by.take_if(|id| id == item_id);
    }

    /// Speech was found over an answer, and was none.
    fn handle_false_alarm(&mut self, now: Instant) {
        if !self.echo.handle_alarm(now) {
            return;
        }
        self.out.push_back(Output::Deaf(true));
        self.show_echo();
        let words = "It kept hearing itself, so it listens to nobody while it speaks now. The button, Esc or the talk key \
                     still interrupt it; a lower volume or headphones, and a new talk, let you talk over it again.";
        self.notify(DEAF, Severity::Warning, words.into(), NoticeAction::ChooseDevice);
    }

    /// What was known of the echo is so no more.
    pub(super) fn start_echo_anew(&mut self) {
        let shown = self.echo.view().is_some();
        if self.echo.restart() {
            self.out.push_back(Output::Deaf(false));
            self.hide_notice(DEAF);
        }
        if shown {
            self.show_echo();
        }
    }

    pub(super) fn show_echo(&mut self) {
        self.out.push_back(Output::View(ViewEvent::Echo { echo: self.echo.view() }));
    }

    fn is_answering(&self) -> bool {
        self.playout.is_playing() || self.responses.is_busy()
    }

    /// Nothing came of it.
    pub(super) fn play_on(&mut self) {
        self.barge_in.until = None;
        self.set_loudness(Loudness::Full);
    }

    /// Whatever is played next is as loud as ever.
    pub(super) fn restore_loudness(&mut self) {
        if self.barge_in.loudness != Loudness::Full && !self.playout.is_playing() {
            self.set_loudness(Loudness::Full);
            if self.barge_in.undecided.is_none() {
                self.barge_in.until = None;
            }
        }
    }

    fn play_at(&mut self, loudness: Loudness, until: Instant) {
        self.barge_in.until = Some(until);
        self.set_loudness(loudness);
    }

    fn set_loudness(&mut self, loudness: Loudness) {
        if self.barge_in.loudness != loudness {
            self.barge_in.loudness = loudness;
            self.out.push_back(Output::Loudness(loudness));
        }
    }
}

fn has_words(text: &str) -> bool {
    let plain =
        |word: &str| word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    let words: Vec<String> = text.split_whitespace().map(plain).filter(|w| !w.is_empty()).collect();
    let listening = words.len() <= MOST_BACKCHANNELS && words.iter().all(|w| BACKCHANNELS.contains(&w.as_str()));
    !listening
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_that_he_listens_says_nothing() {
        for text in ["", "Mhm.", "mm-hmm", "Uh-huh.", "Yeah, okay.", "Oh, I see.", "Ja, genau.", "Угу."] {
            assert!(!has_words(text), "{text}");
        }
        for text in ["Stop.", "Yeah, but why?", "Wait", "No.", "Okay okay okay okay"] {
            assert!(has_words(text), "{text}");
        }
    }
}
