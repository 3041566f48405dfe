/// What the loudspeaker is given at most: small ones bend louder sound, and what is bent no filter can cancel.
const CEILING: f32 = 0.7;
/// Blocks of 10 ms until a limited sound is half as loud as before: 100 ms to come back by 6 dB.
const RELEASE: f32 = 1.072;
/// Over which a gain changes, so that nothing clicks: 2 ms.
const RAMP: usize = 48;

/// Keeps the speaker's signal under a ceiling of -3 dB. One block at a time, without delay: what comes too loud is turned
/// down within its first 2 ms, and cut there.
#[derive(Debug)]
pub(crate) struct Limiter {
    gain: f32,
}

impl Limiter {
    pub fn new() -> Self {
        Self { gain: 1.0 }
    }

    pub fn apply(&mut self, block: &mut [f32]) {
        let peak = block.iter().fold(0.0f32, |peak, s| peak.max(s.abs()));
        let fitting = if peak > CEILING { CEILING / peak } else { 1.0 };
        let before = self.gain;
        self.gain = (before * RELEASE).min(fitting);
        for (n, sample) in block.iter_mut().enumerate() {
            let way = (n as f32 / RAMP as f32).min(1.0);
            *sample = (*sample * (before + (self.gain - before) * way)).clamp(-CEILING, CEILING);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loudest(samples: &[f32]) -> f32 {
        samples.iter().fold(0.0, |peak, s| peak.max(s.abs()))
    }

    #[test]
    fn what_is_loud_is_turned_down_and_what_is_not_is_left_alone() {
        let mut limiter = Limiter::new();
        let tone = |amplitude: f32| -> Vec<f32> { (0..240).map(|n| amplitude * (n as f32 * 0.3).sin()).collect() };
        let mut quiet = tone(0.5);
        limiter.apply(&mut quiet);
        assert_eq!(quiet, tone(0.5));
        for _ in 0..3 {
            let mut loud = tone(1.0);
            limiter.apply(&mut loud);
            assert!(loudest(&loud) <= CEILING);
        }
        let mut after = tone(0.5);
        limiter.apply(&mut after);
        assert!(loudest(&after) < 0.45, "it comes back slowly");
        for _ in 0..20 {
            after = tone(0.5);
            limiter.apply(&mut after);
        }
        assert_eq!(after, tone(0.5));
    }
}
