use std::time::Instant;

use crate::responses::Say;

/// Samples of voices: asked for beside the conversation, the latest of them wanted.
#[derive(Debug, Default)]
pub(crate) struct Preview {
    /// A voice to ask for once there is a link.
    waiting: Option<String>,
    asked: Option<Sample>,
    /// Counts samples; the server sends each one's number back.
    number: u32,
    named: Option<(String, Option<Sample>)>,
}

#[derive(Debug)]
struct Sample {
    voice: String,
    asked_at: Instant,
    number: u32,
}

impl Preview {
    /// Keeps a wish for the time when there is a link.
    pub fn wait(&mut self, voice: String) {
        self.waiting = Some(voice);
    }

    /// There is a link; returns the voice to ask for.
    pub fn take_waiting(&mut self) -> Option<String> {
        self.waiting.take()
    }

    /// A sample is asked for; returns the number to ask with.
    pub fn handle_asked(&mut self, voice: String, now: Instant) -> u32 {
        self.number = self.number.wrapping_add(1);
        self.asked = Some(Sample { voice, asked_at: now, number: self.number });
        self.number
    }

    /// The models have been loaded only now: the wait so far says nothing of the voice.
    pub fn handle_ready(&mut self, now: Instant) {
        let named = self.named.as_mut().and_then(|(_, sample)| sample.as_mut());
        for sample in self.asked.iter_mut().chain(named) {
            sample.asked_at = now;
        }
    }

    /// Takes back the sample that is asked for or spoken; returns its name if it has one.
    pub fn cancel(&mut self) -> Option<String> {
        self.waiting = None;
        self.asked = None;
        self.named.take().map(|(id, _)| id)
    }

    /// The sample of that number has a name now; returns `Cancel` if it is not wanted any more.
    pub fn handle_created(&mut self, id: &str, number: Option<u32>) -> Say {
        match self.asked.take_if(|sample| Some(sample.number) == number) {
            Some(sample) => {
                self.named = Some((id.to_owned(), Some(sample)));
                Say::Nothing
            }
            None => Say::Cancel,
        }
    }

    /// Sound has come; returns the voice and its delay in milliseconds if it is a sample's first.
    pub fn handle_audio(&mut self, id: &str, now: Instant) -> Option<(String, u32)> {
        let (_, sample) = self.named.as_mut().filter(|(named, _)| named == id)?;
        let sample = sample.take()?;
        let delay = now.saturating_duration_since(sample.asked_at).as_millis();
        Some((sample.voice, u32::try_from(delay).unwrap_or(u32::MAX)))
    }

    /// The server will not give the sample.
    pub fn handle_refused(&mut self) {
        self.asked = None;
    }

    pub fn handle_done(&mut self, id: &str) {
        self.named.take_if(|(named, _)| named == id);
    }

    /// Returns whether a sample is asked for or spoken.
    pub fn is_busy(&self) -> bool {
        self.asked.is_some() || self.named.is_some()
    }

    /// The link is gone, and with it all that was asked over it.
    pub fn handle_loss(&mut self) {
        *self = Self { waiting: self.waiting.take(), number: self.number, ..Self::default() };
    }

    /// Returns whether this response is a sample that is being spoken.
    pub fn is(&self, id: &str) -> bool {
        !id.is_empty() && self.named.as_ref().is_some_and(|(named, _)| named == id)
    }
}
