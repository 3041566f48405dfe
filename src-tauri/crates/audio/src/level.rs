/// Decibels below full scale; silence is -100.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Dbfs(pub f32);

/// Returns the root-mean-square level of mono samples.
pub fn level_of(samples: &[f32]) -> Dbfs {
    let square: f32 = samples.iter().map(|s| s * s).sum();
    let rms = (square / samples.len().max(1) as f32).sqrt();
    Dbfs((20.0 * rms.max(1e-5).log10()).max(-100.0))
}
