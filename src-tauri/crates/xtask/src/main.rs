//! One command for each job, the same on a desk and in CI: `cargo xtask <job>`.
#![allow(clippy::print_stdout, reason = "a terminal program")]

mod bench;
mod cross_check;
mod jobs;
mod node;
mod shell;
mod system;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask <job>

  run          install what is missing and open the app (headless: hold a conversation from a recording)
  test         install what is missing and run every test
  bench        print measured latency and memory
  models       install the models; with names, those
  screenshots  make the pictures of the README
  ui           build the page; --types writes its types from the Rust ones
  fmt          format everything
  lint         formatting, clippy, licences
  cross-check  type-check for Windows and macOS
  package      make installers for this system";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let rest = args.get(1..).unwrap_or_default();
    let result = match args.first().map(String::as_str) {
        Some("run") => jobs::run_app(),
        Some("test") => jobs::test(),
        Some("bench") => bench::bench(rest),
        Some("models") => jobs::models(rest),
        Some("screenshots") => jobs::screenshots(),
        Some("ui") => jobs::ui(rest),
        Some("fmt") => jobs::fmt(),
        Some("lint") => jobs::lint(),
        Some("cross-check") => cross_check::cross_check(),
        Some("package") => jobs::package(),
        _ => {
            println!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
