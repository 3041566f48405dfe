//! Server-sent events, as far as these interfaces use them: `data:` lines, an empty line after each event.

/// Cuts bytes, however they are split, into the data of events.
#[derive(Debug, Default)]
pub(super) struct Events {
    pending: Vec<u8>,
    data: String,
}

impl Events {
    /// Takes bytes; returns the data of the events they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        self.pending.extend_from_slice(bytes);
        let mut events = Vec::new();
        while let Some(end) = self.pending.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = self.pending.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            self.line(line.trim_end_matches(['\r', '\n']), &mut events);
        }
        events
    }

    /// The stream has ended; returns what lacked its empty line.
    pub fn finish(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.pending);
        let mut events = Vec::new();
        self.line(&String::from_utf8_lossy(&line), &mut events);
        self.line("", &mut events);
        events.pop()
    }

    fn line(&mut self, line: &str, events: &mut Vec<String>) {
        if line.is_empty() {
            if !self.data.is_empty() {
                events.push(std::mem::take(&mut self.data));
            }
        } else if let Some(data) = line.strip_prefix("data:") {
            // Some servers leave out the empty line: every one of theirs is an event of its own.
            if self.data.ends_with('}') || self.data == "[DONE]" {
                events.push(std::mem::take(&mut self.data));
            }
            self.data.push_str(data.trim_start());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_whole_however_they_are_cut() {
        let text = ": hello\nevent: x\ndata: {\"a\":\"ü\"}\r\n\r\ndata:{\"b\":1}\ndata: {\"c\":2}\n\ndata: [DONE]";
        for size in 1..9 {
            let mut events = Events::default();
            let mut found: Vec<String> = text.as_bytes().chunks(size).flat_map(|c| events.push(c)).collect();
            found.extend(events.finish());
            assert_eq!(found, ["{\"a\":\"ü\"}", "{\"b\":1}", "{\"c\":2}", "[DONE]"], "in pieces of {size}");
        }
    }
}
