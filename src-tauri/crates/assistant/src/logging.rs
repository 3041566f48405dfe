//! What may be logged.

/// Crates that write a request's headers, and so keys, or what goes over a bus, into their finest logs.
const INDISCREET: &[&str] = &[
    "tungstenite",
    "tokio_tungstenite",
    "ureq",
    "ureq_proto",
    "rustls",
    "hyper",
    "hyper_util",
    "zbus",
    "keyring_core",
];

/// Crates that log as an error what is told in words elsewhere.
const LOUD: &[&str] = &["pulseaudio"];

/// Returns the filter that `wanted` stands for, without what would log keys: those crates are kept to warnings, whatever
/// is asked of them.
pub fn log_filter(wanted: &str) -> String {
    let asked = wanted.split(',').map(str::trim).filter(|directive| {
        let target = directive.split(['=', '[', ':']).next().unwrap_or_default();
        !directive.is_empty() && !INDISCREET.contains(&target)
    });
    let kept = INDISCREET.iter().map(|name| format!("{name}=warn"));
    let silenced = LOUD.iter().filter(|_| !wanted.contains("trace")).map(|name| format!("{name}=off"));
    asked.map(str::to_owned).chain(kept).chain(silenced).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_wish_makes_a_crate_talk_that_would_tell_a_key() {
        let filter = log_filter("trace,tungstenite=trace,tungstenite::handshake=trace, ureq[span]=trace,audio=debug");
        assert!(filter.starts_with("trace,audio=debug,tungstenite=warn,"), "{filter}");
        assert!(
            !filter.contains("tungstenite=trace") && !filter.contains("span") && !filter.contains("::"),
            "{filter}"
        );
        assert!(log_filter("").starts_with("tungstenite=warn"));
    }
}
