//! The event log: everything said on the wire and shown, one JSON object a line.

use std::{
    fs::File,
    io::{self, LineWriter, Write},
    path::Path,
    time::Instant,
};

use assistant::Observed;
use serde_json::{Value, json};

/// Written line by line, so that it can be followed while the conversation runs.
/// Writes `{"at_ms", "dir", "event"}` and `{"at_ms", "view"}`; audio is its byte count.
pub(crate) struct EventLog {
    file: Option<LineWriter<File>>,
    begun: Instant,
}

impl EventLog {
    /// Opens the log; without a path it takes everything and keeps nothing.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn open(path: Option<&Path>) -> io::Result<Self> {
        let file = path.map(File::create).transpose()?.map(LineWriter::new);
        Ok(Self { file, begun: Instant::now() })
    }

    /// Times count from now on.
    pub fn start(&mut self) {
        self.begun = Instant::now();
    }

    pub fn write(&mut self, observed: &Observed<'_>) {
        let at_ms = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let line = match observed {
            Observed::Sent(event) => json!({ "at_ms": at_ms, "dir": "sent", "event": event.without_audio() }),
            Observed::Received(event) => json!({ "at_ms": at_ms, "dir": "received", "event": event.without_audio() }),
            Observed::Unreadable(error) => {
                json!({ "at_ms": at_ms, "dir": "received", "unreadable": error.to_string() })
            }
            Observed::View(event) => json!({ "at_ms": at_ms, "view": serde_json::to_value(event).unwrap_or_default() }),
            Observed::Mic | Observed::Played => return,
            Observed::InputEnded => json!({ "at_ms": at_ms, "view": Value::String("input ended".into()) }),
        };
        if let Some(file) = &mut self.file {
            let _ = writeln!(file, "{line}");
        }
    }

    pub fn flush(&mut self) {
        if let Some(file) = &mut self.file {
            let _ = file.flush();
        }
    }
}
