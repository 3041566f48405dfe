#![no_main]

use protocol::ClientEvent;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok((id, event)) = ClientEvent::parse(&String::from_utf8_lossy(bytes)) {
        assert_eq!(ClientEvent::parse(&event.to_json(id.as_deref())), Ok((id, event)));
    }
});
