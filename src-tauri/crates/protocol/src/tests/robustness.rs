//! No bytes make the parsers panic: a bounded run over mutations of the corpus, the same everywhere. `fuzz/` has the
//! unbounded one.

use crate::*;

const SERVER: &str = include_str!("../../corpus/server.jsonl");
const CLIENT: &str = include_str!("../../corpus/client.jsonl");
/// Mutations of each message.
const ROUNDS: usize = 400;

/// A small generator of numbers (xorshift), the same on every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

/// Changes a message as a broken server or a hostile one would.
fn mutate(text: &str, numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=numbers.below(3) {
        let at = numbers.below(bytes.len());
        match numbers.below(6) {
            0 => bytes.truncate(at),
            1 => bytes[at] = numbers.below(256) as u8,
            2 => {
                let piece: Vec<u8> = bytes[at..(at + numbers.below(40)).min(bytes.len())].to_vec();
                let to = numbers.below(bytes.len());
                bytes.splice(to..to, piece);
            }
            3 => {
                let odd = ["null", "[]", "{}", "-1", "1e999", "\"\"", "\"\\ud800\"", "true", "18446744073709551616"];
                let odd = odd[numbers.below(odd.len())];
                // In place of a value: behind a colon.
                let colons: Vec<usize> = (0..bytes.len()).filter(|i| bytes[*i] == b':').collect();
                if let Some(colon) = colons.get(numbers.below(colons.len())) {
                    let end = (colon + 1..bytes.len()).find(|i| b",}".contains(&bytes[*i])).unwrap_or(bytes.len());
                    bytes.splice(colon + 1..end, odd.bytes());
                }
            }
            4 => bytes.swap(at, 0),
            _ => {
                bytes.remove(at);
            }
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

fn mutations(corpus: &str, mut each: impl FnMut(&str)) {
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    for text in corpus.lines().filter(|l| !l.is_empty()) {
        each(text);
        for _ in 0..ROUNDS {
            each(&String::from_utf8_lossy(&mutate(text, &mut numbers)));
        }
    }
}

#[test]
fn no_server_message_makes_the_parser_panic_and_what_is_read_is_written_back_the_same() {
    mutations(SERVER, |text| {
        let _ = Dialect::detect(text);
        if let Ok(event) = ServerEvent::parse(text) {
            let again = ServerEvent::parse(&event.to_json(None));
            assert_eq!(again.as_ref(), Ok(&event), "{text}");
            let _ = event.without_audio();
        }
    });
}

#[test]
fn no_client_message_makes_the_parser_panic_and_every_dialect_can_write_it() {
    mutations(CLIENT, |text| {
        if let Ok((id, event)) = ClientEvent::parse(text) {
            let again = ClientEvent::parse(&event.to_json(id.as_deref()));
            assert_eq!(again, Ok((id, event.clone())), "{text}");
            for dialect in [Dialect::Ga, Dialect::BetaFlat, Dialect::AzurePreview, Dialect::Qwen, Dialect::Xai] {
                dialect.write(&event, None);
            }
        }
    });
}

#[test]
fn the_whole_corpus_is_known() {
    for text in SERVER.lines() {
        let event = ServerEvent::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert!(!matches!(event, ServerEvent::Unknown(_)), "{text}");
    }
    for text in CLIENT.lines() {
        let (_, event) = ClientEvent::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert!(!matches!(event, ClientEvent::Unknown(_)), "{text}");
    }
}

#[test]
fn a_long_audio_delta_is_read_the_same_by_the_short_way_and_the_long_one() {
    let delta = Pcm16((0..480).collect()).to_bytes();
    let at = At { response_id: "r".into(), item_id: "i".into(), output_index: 1, content_index: 2 };
    let event = ServerEvent::OutputAudioDelta { at, delta };
    let short = event.to_json(Some("e"));
    // An escape makes the text one that cannot be borrowed.
    let long = short.replace("\"r\"", "\"\\u0072\"").replace("audio.delta", "audio\\u002edelta");
    assert!(short.len() > 512);
    assert_eq!(ServerEvent::parse(&short), Ok(event.clone()));
    assert_eq!(ServerEvent::parse(&long), Ok(event));
}
