use std::io::{BufRead, BufReader, Write};

use crate::{Host, StageLoaders};

/// Exit code of an internal error (sysexits, `EX_SOFTWARE`).
const SOFTWARE: i32 = 70;

/// Serves the parent process: one event a line on the standard streams, until standard input ends.
///
/// A panic on any thread ends the process: the parent starts another, replays the conversation and goes on, which
/// serves the user better than an engine with a part missing.
pub fn serve_stdio(loaders: StageLoaders) {
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!(%panic, "The engine stops");
        std::process::exit(SOFTWARE);
    }));
    let mut out = std::io::stdout();
    let emit = move |line: String| {
        // A parent that is gone reads no more; standard input ends next.
        let _ = out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    };
    let host = Host::start(loaders, Box::new(emit));
    for line in BufReader::new(std::io::stdin()).lines().map_while(Result::ok) {
        if !line.trim().is_empty() {
            host.send(line);
        }
    }
}
