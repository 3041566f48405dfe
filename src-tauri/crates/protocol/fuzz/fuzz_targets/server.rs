#![no_main]

use protocol::{Dialect, ServerEvent};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let _ = Dialect::detect(&text);
    if let Ok(event) = ServerEvent::parse(&text) {
        assert_eq!(ServerEvent::parse(&event.to_json(None)), Ok(event));
    }
});
