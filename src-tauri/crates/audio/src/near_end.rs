use crate::{INSIDE_RATE, Resampler};

/// Whether somebody speaks at the microphone, found here and at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// It may be speech; it may be a cough.
    Onset,
    /// It has been speech for some 100 ms.
    Confirmed,
    /// It is over, or was nothing.
    Over,
}

/// What the detector works on: 16 ms at 16 kHz.
const FRAME: usize = 256;
const RATE: u32 = 16_000;
/// The detector's own advice.
const SPEECH: f32 = 0.5;
/// Frames of speech that are no click: 64 ms (each more finds the user 16 ms later; measured).
const CONFIRMED: u32 = 4;
/// The same where some echo may come through: 224 ms, by which much of what is compared with the far end is this sound.
const CONFIRMED_IN_DOUBT: u32 = 14;
/// What an echo leaves of the count: one frame that is none proves little.
const AFTER_ECHO: u32 = 2;
/// Frames without speech that end what was not confirmed.
const FALSE_ALARM: u32 = 6;
/// Frames without speech that end speech: 400 ms.
const OVER: u32 = 25;
/// What is quieter is not speech to this microphone, as a power: -60 dB below full scale.
const FAINT: f32 = 1e-6;

/// Finds speech in the cleaned near end. Called on the DSP thread.
pub struct NearEnd {
    detector: Box<earshot::Detector>,
    resampler: Resampler,
    samples: Vec<f32>,
    state: State,
    /// Frames of the far end for which nothing is believed.
    deaf: u32,
    /// What sounds like speech is the far end's.
    is_echo: bool,
}

/// What else may be heard at the microphone but the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FarEnd {
    /// Nothing.
    Silent,
    /// The speaker, and its echo is cancelled well.
    Cancelled,
    /// The speaker, and some of it may come through.
    Leaking,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Quiet,
    Onset { speech: u32, silence: u32 },
    Speech { silence: u32 },
}

impl NearEnd {
    /// Returns a detector that has heard nothing.
    pub fn new() -> Self {
        Self {
            detector: earshot::Detector::default_boxed(),
            resampler: Resampler::new(INSIDE_RATE, RATE),
            samples: Vec::with_capacity(FRAME * 16),
            state: State::Quiet,
            deaf: 0,
            is_echo: false,
        }
    }

    /// Believes nothing for so long of the far end: the canceller learns the room anew from it, and lets it through meanwhile.
    pub fn distrust(&mut self, ms: u32) {
        self.deaf = ms.div_ceil(16);
    }

    /// Takes cleaned samples at 48 kHz, and tells what changes; `is_echo` says whether they are what was played, and is asked
    /// when it matters.
    pub fn push(&mut self, samples: &[f32], far_end: FarEnd, is_echo: &dyn Fn() -> bool, tell: &mut dyn FnMut(Voice)) {
        let before = self.samples.len();
        self.resampler.push(samples, &mut self.samples);
        // What was cut at full scale overshoots when it is resampled, and the detector takes nothing beyond it.
        self.samples[before..].iter_mut().for_each(|s| *s = s.clamp(-1.0, 1.0));
        let whole = self.samples.len() / FRAME * FRAME;
        for at in (0..whole).step_by(FRAME) {
            let frame = &self.samples[at..at + FRAME];
            let power = frame.iter().map(|s| s * s).sum::<f32>() / FRAME as f32;
            let like_speech = self.detector.predict_f32(frame) >= SPEECH && power > FAINT;
            let sounds = far_end != FarEnd::Silent;
            let voice = self.step(like_speech && !(sounds && self.deaf > 0), far_end, is_echo);
            self.deaf = self.deaf.saturating_sub(u32::from(sounds));
            if let Some(voice) = voice {
                tell(voice);
            }
        }
        self.samples.drain(..whole);
    }

    /// Returns whether it has heard what may be the user.
    pub fn hears(&self) -> bool {
        self.state != State::Quiet
    }

    /// Returns whether what sounds like speech, and comes through, is what was played.
    pub fn hears_echo(&self) -> bool {
        self.is_echo
    }

    fn step(&mut self, is_speech: bool, far_end: FarEnd, is_echo: &dyn Fn() -> bool) -> Option<Voice> {
        let confirmed = match far_end {
            FarEnd::Silent | FarEnd::Cancelled => CONFIRMED,
            FarEnd::Leaking => CONFIRMED_IN_DOUBT,
        };
        let repeats = matches!(self.state, State::Onset { .. }) && is_speech && far_end != FarEnd::Silent && is_echo();
        self.is_echo = repeats && far_end == FarEnd::Leaking;
        let (state, voice) = match (self.state, is_speech) {
            (State::Quiet, false) => (State::Quiet, None),
            (State::Quiet, true) => (State::Onset { speech: 1, silence: 0 }, Some(Voice::Onset)),
            (State::Onset { .. }, true) if repeats => (State::Onset { speech: AFTER_ECHO, silence: 0 }, None),
            (State::Onset { speech, .. }, true) if speech + 1 >= confirmed => {
                (State::Speech { silence: 0 }, Some(Voice::Confirmed))
            }
            (State::Onset { speech, .. }, true) => (State::Onset { speech: speech + 1, silence: 0 }, None),
            (State::Onset { silence, .. }, false) if silence + 1 >= FALSE_ALARM => (State::Quiet, Some(Voice::Over)),
            (State::Onset { speech, silence }, false) => (State::Onset { speech, silence: silence + 1 }, None),
            (State::Speech { .. }, true) => (State::Speech { silence: 0 }, None),
            (State::Speech { silence }, false) if silence + 1 >= OVER => (State::Quiet, Some(Voice::Over)),
            (State::Speech { silence }, false) => (State::Speech { silence: silence + 1 }, None),
        };
        self.state = state;
        voice
    }
}

impl Default for NearEnd {
    fn default() -> Self {
        Self::new()
    }
}
