//! The Tauri shell and composition root: a window, a tray icon, and an assistant between them. No rule of conversation.

mod bindings;
mod commands;
mod desktop;
mod talk_key;
mod tray;
mod view_channel;

use std::{path::PathBuf, process::ExitCode};

pub use bindings::bindings;

/// Runs the app until the user quits.
pub fn run() -> ExitCode {
    log_to_stderr();
    match desktop::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "Vivavoce cannot run");
            ExitCode::FAILURE
        }
    }
}

/// Is the engine of a parent process until its pipe closes.
pub fn run_engine(models: PathBuf, stitched: bool) -> ExitCode {
    log_to_stderr();
    match assistant::models::serve_parent(models, stitched) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "The engine cannot serve");
            ExitCode::FAILURE
        }
    }
}

/// Is the sound check of a parent process.
pub fn check_sound() -> ExitCode {
    let paths = assistant::prelude::Paths::from_env();
    assistant::check_for_parent(&paths.settings(), paths.models());
    ExitCode::SUCCESS
}

fn log_to_stderr() {
    let wanted = std::env::var("RUST_LOG").unwrap_or_else(|_| "info".into());
    let filter = tracing_subscriber::EnvFilter::new(assistant::log_filter(&wanted));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
