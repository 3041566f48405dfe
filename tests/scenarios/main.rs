//! Whole behaviours, a module each. Those marked ignored need models, or a desktop: `cargo xtask test` gives them both.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]

mod bad_input;
mod barge_in;
mod clients;
mod complaints;
mod conversation;
#[cfg(target_os = "linux")]
mod desktop;
#[cfg(target_os = "linux")]
mod devices;
#[cfg(target_os = "linux")]
mod hostile;
#[cfg(target_os = "linux")]
mod keys;
mod layers;
mod loopback;
mod pages;
mod races;
mod rooms;
mod shell;
mod threads;
mod tool_complaints;
