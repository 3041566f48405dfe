//! Who may depend on whom: the manifests against the table of ARCHITECTURE.md.

use std::{collections::BTreeSet, path::Path};

/// A crate and everything it may use of what is forbidden to others.
const ALLOWED: &[(&str, &[&str])] = &[
    ("protocol", &[]),
    ("session", &["protocol"]),
    ("engine", &["protocol", "tokio", "tokio-tungstenite", "ort", "llama-cpp-2", "misaki-rs", "ureq"]),
    ("audio", &["protocol", "cpal"]),
    ("store", &["keyring", "rusqlite"]),
    ("assistant", &["protocol", "session", "engine", "audio", "store", "tokio", "tokio-tungstenite"]),
    ("cli", &["protocol", "session", "engine", "audio", "store", "assistant", "tokio", "tokio-tungstenite"]),
    ("xtask", &[]),
];

/// What only some may use: our own crates, and what reaches outside.
const GUARDED: &[&str] = &[
    "protocol",
    "session",
    "engine",
    "audio",
    "store",
    "assistant",
    "cli",
    "vivavoce",
    "tauri",
    "cpal",
    "tokio",
    "tokio-tungstenite",
    "ort",
    "llama-cpp-2",
    "misaki-rs",
    "keyring",
    "rusqlite",
    "reqwest",
    "ureq",
];

#[test]
fn every_crate_keeps_to_its_layer() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src-tauri/crates");
    let mut seen = BTreeSet::new();
    for folder in std::fs::read_dir(crates).unwrap() {
        let folder = folder.unwrap().path();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let (_, allowed) = ALLOWED.iter().find(|(n, _)| *n == name).unwrap_or_else(|| panic!("{name} has no layer"));
        let manifest: toml::Table = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap().parse().unwrap();
        for used in manifest["dependencies"].as_table().unwrap().keys() {
            assert!(
                !GUARDED.contains(&used.as_str()) || allowed.contains(&used.as_str()),
                "{name} must not use {used}"
            );
        }
        seen.insert(name);
    }
    assert_eq!(seen.len(), ALLOWED.len());
}
