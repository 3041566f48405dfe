use std::collections::VecDeque;

use sonora::{
    AudioProcessing, Config, StreamConfig,
    config::{EchoCanceller, HighPassFilter, NoiseSuppression},
};

use crate::{BLOCK, Dbfs, FarEnd, INSIDE_RATE, level_of};

/// How the microphone is kept from hearing the speaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EchoMode {
    /// The echo is cancelled, so that both may speak at once.
    #[default]
    FullDuplex,
    /// The microphone gives silence while the speaker sounds.
    HalfDuplex,
    /// The speaker cannot be heard: nothing is done, and nothing delayed.
    Headphones,
}

/// How far a canceller is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EchoState {
    /// It learns the room.
    #[default]
    Learning,
    /// There is no echo, or it is cancelled well.
    Good,
    /// Some of it comes through.
    Leaking,
}

/// What the canceller knows of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EchoHealth {
    /// How far it is.
    pub state: EchoState,
    /// How much quieter the echo comes back than it went out, before anything is done about it.
    pub loss_db: Option<f32>,
    /// By how much it is made quieter.
    pub enhancement_db: Option<f32>,
    /// Between what was handed to the device and its echo.
    pub delay_ms: Option<u32>,
}

/// Blocks for which the room is deaf after the speaker fell silent, where the microphone is gated: 300 ms.
const GATE_TAIL: u32 = 30;
/// Blocks for which what was played may yet come back, through the devices and by reverberation.
const REVERBERATION: u32 = 50;
/// Blocks of the far end after which the room is known: 5 s.
const LEARNT: u32 = 500;
/// What may come through of an echo, as a power, that is cancelled well: -25 dB.
const LITTLE: f32 = 0.003;
/// Blocks that may turn out to be the user's: speech is found within 300 ms.
const FRESH: usize = 30;
/// By which a block moves what is known of the powers: a time constant of half a second.
const FOLLOWS: f32 = 0.02;
/// A speaker that is quieter than this is silent.
const SILENT: Dbfs = Dbfs(-65.0);

/// Takes the echo of the far end (what the render callback wrote) out of the near end (what the microphone heard).
///
/// Both come in blocks of 10 ms at 48 kHz, the far end ahead of the near end; no delay is told, for a wrong one does more
/// harm than a right one good (measured). Called on the DSP thread.
pub struct Echo {
    mode: EchoMode,
    processing: Option<Box<AudioProcessing>>,
    made: Vec<f32>,
    tail: u32,
    residual: Residual,
}

/// How much of the far end comes through, by the powers of the near end before and after.
#[derive(Debug, Default)]
struct Residual {
    /// Blocks for which the far end may yet be heard.
    sounds: u32,
    /// Blocks in which it could.
    learnt: u32,
    /// Of the near end while the far end is silent, and while it sounds; cleaned while it sounds.
    noise: f32,
    raw: f32,
    clean: f32,
    /// What is not believed yet: it may turn out to be the user's.
    fresh: VecDeque<(f32, f32)>,
}

impl Residual {
    fn learn(&mut self, raw: f32, clean: f32, user: bool) {
        let sounds = self.sounds > 0;
        self.sounds = self.sounds.saturating_sub(1);
        if user {
            self.fresh.clear();
        } else if sounds {
            self.fresh.push_back((raw, clean));
            if self.fresh.len() > FRESH
                && let Some((raw, clean)) = self.fresh.pop_front()
            {
                self.learnt += 1;
                self.raw += (raw - self.raw) * FOLLOWS;
                self.clean += (clean - self.clean) * FOLLOWS;
            }
        } else {
            self.noise += (raw - self.noise) * FOLLOWS;
        }
    }

    fn state(&self) -> EchoState {
        let echoes = self.raw > self.noise * 4.0;
        match () {
            () if self.learnt < LEARNT => EchoState::Learning,
            () if echoes && self.clean > self.raw * LITTLE => EchoState::Leaking,
            () => EchoState::Good,
        }
    }
}

impl Echo {
    /// Returns a canceller that has heard nothing.
    pub fn new(mode: EchoMode) -> Self {
        let processing = match mode {
            EchoMode::FullDuplex => Some(processing(Some(EchoCanceller::default()))),
            EchoMode::HalfDuplex => Some(processing(None)),
            EchoMode::Headphones => None,
        };
        Self { mode, processing, made: vec![0.0; BLOCK], tail: 0, residual: Residual::default() }
    }

    /// Forgets the room: the stream was shifted, and what was learnt is wrong.
    pub fn restart(&mut self) {
        let Residual { sounds, noise, .. } = self.residual;
        *self = Self { residual: Residual { sounds, noise, ..Residual::default() }, ..Self::new(self.mode) };
    }

    /// Returns whether the far end may be heard in what is cleaned.
    pub fn far_end(&self) -> FarEnd {
        match (self.mode, self.residual.state()) {
            _ if self.residual.sounds == 0 => FarEnd::Silent,
            // It is believed until something is heard of it.
            (EchoMode::Headphones, EchoState::Learning) => FarEnd::Cancelled,
            // An echo that comes through whole is like the user, and nothing is learnt while he may speak.
            (_, EchoState::Learning | EchoState::Leaking) => FarEnd::Leaking,
            (_, EchoState::Good) => FarEnd::Cancelled,
        }
    }

    /// Returns how late the near end leaves, rounded up (the test below measures it by correlation).
    pub fn delay_ms(&self) -> u32 {
        match self.mode {
            EchoMode::FullDuplex => 15,
            EchoMode::HalfDuplex => 6,
            EchoMode::Headphones => 0,
        }
    }

    /// Takes 10 ms of the far end.
    pub fn push_far(&mut self, block: &[f32]) {
        if level_of(block).0 > SILENT.0 {
            self.residual.sounds = REVERBERATION;
            if self.mode == EchoMode::HalfDuplex {
                self.tail = GATE_TAIL;
            }
        }
        if let Some(processing) = &mut self.processing {
            let _ = processing.process_render_f32(&[block], &mut [&mut self.made]);
        }
    }

    /// Cleans 10 ms of the near end; `user` may be speaking in it.
    pub fn clean(&mut self, block: &mut [f32], user: bool) {
        let raw = power(block);
        if let Some(processing) = &mut self.processing
            && processing.process_capture_f32(&[block], &mut [&mut self.made]).is_ok()
        {
            block.copy_from_slice(&self.made);
        }
        self.residual.learn(raw, power(block), user);
        if self.tail > 0 {
            self.tail -= 1;
            block.fill(0.0);
        }
    }

    /// Returns how well it goes; nothing where nothing is cancelled.
    pub fn health(&self) -> Option<EchoHealth> {
        let (EchoMode::FullDuplex, Some(processing)) = (self.mode, &self.processing) else { return None };
        let stats = processing.statistics();
        Some(EchoHealth {
            state: self.residual.state(),
            loss_db: stats.echo_return_loss.map(|db| db as f32),
            enhancement_db: stats.echo_return_loss_enhancement.map(|db| db as f32),
            delay_ms: stats.delay_ms.and_then(|ms| u32::try_from(ms).ok()),
        })
    }
}

fn power(block: &[f32]) -> f32 {
    block.iter().map(|s| s * s).sum::<f32>() / block.len().max(1) as f32
}

fn processing(echo_canceller: Option<EchoCanceller>) -> Box<AudioProcessing> {
    let stream = StreamConfig::new(INSIDE_RATE, 1);
    // Without noise suppression a noisy room hides one interruption in four, and the rest come late (measured).
    let config = Config {
        echo_canceller,
        noise_suppression: Some(NoiseSuppression::default()),
        high_pass_filter: Some(HighPassFilter::default()),
        ..Config::default()
    };
    Box::new(AudioProcessing::builder().config(config).capture_config(stream).render_config(stream).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cleaned_leaves_as_late_as_it_is_said_to() {
        for mode in [EchoMode::FullDuplex, EchoMode::HalfDuplex, EchoMode::Headphones] {
            let mut echo = Echo::new(mode);
            let mut state = 1u32;
            let (mut before, mut after) = (Vec::new(), Vec::new());
            for n in 0..200 {
                // Bursts of noise, which no noise suppression takes for a steady one.
                let loud = if n % 20 < 8 { 0.3 } else { 0.001 };
                let mut block: Vec<f32> = (0..BLOCK)
                    .map(|_| {
                        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        ((state >> 8) as f32 / 8_388_608.0 - 1.0) * loud
                    })
                    .collect();
                before.extend_from_slice(&block);
                echo.push_far(&[0.0; BLOCK]);
                echo.clean(&mut block, false);
                after.extend_from_slice(&block);
            }
            let match_at = |delay: usize| -> f32 {
                after[delay..].iter().zip(&before).skip(BLOCK * 100).map(|(a, b)| a * b).sum()
            };
            let delay = (0..BLOCK * 4).max_by(|a, b| match_at(*a).total_cmp(&match_at(*b))).unwrap();
            let ms = delay as f32 / 48.0;
            assert!((ms - echo.delay_ms() as f32).abs() <= 1.0, "{mode:?}: {ms} ms in place of {}", echo.delay_ms());
        }
    }
}
