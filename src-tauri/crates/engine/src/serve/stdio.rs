use std::io::{BufRead, BufReader, Write};

use crate::{Host, StageLoaders};

/// Serves the parent process: one event a line on the standard streams, until standard input ends.
pub fn serve_stdio(loaders: StageLoaders) {
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
