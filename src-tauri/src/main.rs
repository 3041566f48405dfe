//! The desktop app; started as `vivavoce engine --models DIR` it is the engine of another process,
//! as `vivavoce sound-check` its sound check.
#![cfg_attr(all(windows, not(debug_assertions)), windows_subsystem = "windows")]

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [command, flag, folder, rest @ ..] = args.as_slice()
        && command == "engine"
        && flag == "--models"
    {
        return vivavoce::run_engine(folder.into(), rest == ["--stitched"]);
    }
    if args == ["sound-check"] {
        return vivavoce::check_sound();
    }
    vivavoce::run()
}
