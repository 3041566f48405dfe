//! The conversation as the server keeps it, and as the language model is told it.

use protocol::{ContentPart, Item, Pcm16, Role};

use crate::{
    help,
    stages::{Author, Call, Message},
};

/// Characters of conversation, which with usual instructions and an answer fit into a context of 4096 tokens at some 3.5
/// to a token; and of both together.
const MOST_CHARS: usize = 8000;
const MOST_CHARS_IN_ALL: usize = 12_000;
/// What a message costs beside its text: five tokens.
const CHARS_OF_MESSAGE: usize = 18;

/// An item with what the wire's item does not say.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub item: Item,
    /// Where its words lie in its audio: after so many characters so many frames have sounded.
    pub spoken: Vec<Spoken>,
}

/// A stretch of an answer's text and of its audio, from where the one before it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spoken {
    pub chars: usize,
    pub frames: u64,
}

/// Items in order.
#[derive(Debug, Default)]
pub(crate) struct Context {
    entries: Vec<Entry>,
}

impl Context {
    pub fn last_id(&self) -> Option<String> {
        self.entries.last().and_then(|e| e.item.id.clone())
    }

    pub fn get(&self, id: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.item.id.as_deref() == Some(id))
    }

    pub fn get_mut(&mut self, id: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|e| e.item.id.as_deref() == Some(id))
    }

    pub fn push(&mut self, item: Item) {
        self.entries.push(Entry { item, spoken: Vec::new() });
    }

    /// Puts an item behind another (`root`: at the front); returns whether that other is known.
    pub fn insert(&mut self, item: Item, previous: &str) -> bool {
        let at = if previous == "root" {
            Some(0)
        } else {
            self.entries.iter().position(|e| e.item.id.as_deref() == Some(previous)).map(|i| i + 1)
        };
        let Some(at) = at else { return false };
        self.entries.insert(at, Entry { item, spoken: Vec::new() });
        true
    }

    pub fn remove(&mut self, id: &str) -> bool {
        let before = self.entries.len();
        self.entries.retain(|e| e.item.id.as_deref() != Some(id));
        self.entries.len() < before
    }

    /// Returns the prompt: instructions, their examples as turns, and the end of the conversation that fits.
    pub fn prompt(&self, instructions: &str) -> Vec<Message> {
        let items: Vec<Item> = self.entries.iter().map(|e| e.item.clone()).collect();
        prompt(instructions, &items)
    }

    /// Returns the prompt as it would be if the user had said `words` now.
    pub fn prompt_with(&self, instructions: &str, words: &str) -> Vec<Message> {
        let mut items: Vec<Item> = self.entries.iter().map(|e| e.item.clone()).collect();
        items.push(Item::message(Role::User, ContentPart::InputText { text: words.to_owned() }));
        prompt(instructions, &items)
    }

    /// Returns items by reference or as they are.
    pub fn resolve(&self, input: &[Item]) -> Vec<Item> {
        let resolved = input.iter().filter_map(|item| match item.kind.as_str() {
            "item_reference" => item.id.as_deref().and_then(|id| self.get(id)).map(|e| e.item.clone()),
            _ => Some(item.clone()),
        });
        resolved.collect()
    }
}

/// Returns the prompt for `items` under `instructions`.
pub(crate) fn prompt(instructions: &str, items: &[Item]) -> Vec<Message> {
    let mut messages = split_examples(instructions);
    let mut turns: Vec<Message> = items.iter().filter_map(|item| message(item, items)).collect();
    let most = MOST_CHARS.min(MOST_CHARS_IN_ALL.saturating_sub(instructions.len()));
    let mut chars = 0;
    let fits = turns.iter().rev().take_while(|m| {
        chars += m.text.len() + CHARS_OF_MESSAGE;
        chars <= most
    });
    let kept = fits.count().max(1).min(turns.len());
    let mut dropped = turns.len() - kept;
    // What is kept begins with a question of its own, as the whole did: an answer would be joined to the last example, and
    // what the language model has read could not be moved (`Llama::close_gap`).
    while dropped > 0
        && dropped + 1 < turns.len()
        && (matches!(turns[dropped].author, Author::Assistant | Author::Tool)
            || turns[dropped - 1].author == turns[dropped].author)
    {
        dropped += 1;
    }
    turns.drain(..dropped);
    if let Some(last) = turns.last_mut().filter(|m| m.author == Author::User)
        && let Some(fact) = help::find(&last.text)
    {
        // Beside the question, not in the instructions: what is cached of the prompt stays valid.
        last.text = format!("{}\n(Use this fact: {fact})", last.text);
    }
    for turn in turns {
        match messages.last_mut() {
            Some(before) if before.author == turn.author && matches!(turn.author, Author::User | Author::Assistant) => {
                let space = if before.text.is_empty() || turn.text.is_empty() { "" } else { " " };
                before.text = format!("{}{space}{}", before.text, turn.text);
                before.calls.extend(turn.calls);
            }
            _ => messages.push(turn),
        }
    }
    messages
}

/// Returns an item as a message; none for one without words, and for a call without an answer among `items` or an answer
/// without a call, which no language model takes.
fn message(item: &Item, items: &[Item]) -> Option<Message> {
    let partner = |kind: &str| items.iter().any(|i| i.kind == kind && i.call_id == item.call_id);
    match item.kind.as_str() {
        "function_call" if partner("function_call_output") => {
            let call = Call {
                call_id: item.call_id.clone()?,
                name: item.name.clone()?,
                arguments: item.arguments.clone().unwrap_or_default(),
            };
            return Some(Message { calls: vec![call], ..Message::new(Author::Assistant, "") });
        }
        "function_call_output" if partner("function_call") => {
            let text = item.output.clone().unwrap_or_default();
            return Some(Message { call_id: item.call_id.clone()?, ..Message::new(Author::Tool, text) });
        }
        _ => {}
    }
    let author = match item.role? {
        Role::User => Author::User,
        Role::Assistant => Author::Assistant,
        Role::System => Author::System,
    };
    let text = item.text().trim().to_owned();
    (!text.is_empty()).then(|| Message::new(author, text))
}

/// Makes turns of the lines `User: …` and `You: …` after a line `Examples:`; small models follow turns, not descriptions.
fn split_examples(instructions: &str) -> Vec<Message> {
    let (head, examples) = match instructions.split_once("\nExamples:\n") {
        Some((head, examples)) => (head, examples),
        None => (instructions, ""),
    };
    let mut messages = vec![Message::new(Author::System, head.trim())];
    let mut rest = Vec::new();
    for line in examples.lines() {
        if let Some(text) = line.strip_prefix("User:") {
            messages.push(Message::new(Author::User, text.trim().to_owned()));
        } else if let Some(text) = line.strip_prefix("You:") {
            messages.push(Message::new(Author::Assistant, text.trim().to_owned()));
        } else if !line.trim().is_empty() {
            rest.push(line.trim());
        }
    }
    if !rest.is_empty() {
        messages[0].text = format!("{}\n{}", messages[0].text, rest.join("\n"));
    }
    messages
}

impl Entry {
    /// Returns frames of audio that this item has.
    pub fn frames(&self) -> u64 {
        self.spoken.iter().map(|s| s.frames).sum()
    }

    /// Cuts the item to what was heard by `end_ms`, at a word's end; returns the words that stay.
    pub fn truncate(&mut self, end_ms: u64) -> String {
        let text = self.item.text();
        let kept: String = text.chars().take(heard_chars(&text, &self.spoken, Pcm16::frames_in(end_ms))).collect();
        let transcript = Some(kept.clone());
        self.item.content = Some(vec![ContentPart::OutputAudio { transcript, audio: None }]);
        self.item.status = Some("incomplete".into());
        kept
    }
}

fn heard_chars(text: &str, spoken: &[Spoken], heard: u64) -> usize {
    let chars: Vec<char> = text.chars().collect();
    let (mut at, mut frames) = (0, 0);
    for piece in spoken {
        if frames + piece.frames > heard {
            let part = (piece.chars as u64 * (heard - frames) / piece.frames.max(1)) as usize;
            let reached = (at + part).min(chars.len());
            if chars.get(reached).is_none_or(|c| c.is_whitespace()) {
                return reached;
            }
            return chars[..reached].iter().rposition(|c| c.is_whitespace()).unwrap_or(0);
        }
        frames += piece.frames;
        at += piece.chars;
    }
    at.min(chars.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_become_turns() {
        let messages = split_examples("Be a pirate.\n\nExamples:\nUser: Hi\nYou: Arr!");
        let authors: Vec<Author> = messages.iter().map(|m| m.author).collect();
        assert_eq!(authors, [Author::System, Author::User, Author::Assistant]);
        assert_eq!(messages[2].text, "Arr!");
    }

    #[test]
    fn a_long_conversation_is_cut_at_a_question_and_the_rest_is_as_it_was() {
        let instructions = "Be brief.\n\nExamples:\nUser: Hi\nYou: Hello.";
        let say = |role, n: usize| {
            let text = format!("{n} {}", "words ".repeat(n % 17));
            Item::message(role, ContentPart::InputText { text })
        };
        let mut items = Vec::new();
        let mut cut = 0;
        for n in 0..200 {
            items.push(say(Role::User, n));
            // Now and then a question stands without an answer.
            if n % 7 != 3 {
                items.push(say(Role::Assistant, n));
            }
            let messages = prompt(instructions, &items);
            assert_eq!((messages[2].text.as_str(), messages[3].author), ("Hello.", Author::User), "after {n}");
            let whole = format!("{:?}", messages_of(&items));
            let kept = format!("{:?}", &messages[3..]);
            assert!(whole.ends_with(kept.trim_start_matches('[')), "after {n}: {kept}");
            cut += usize::from(whole.len() > kept.len());
        }
        assert!(cut > 50, "the limit was reached {cut} times");
    }

    /// All messages, runs of one author joined as in a prompt.
    fn messages_of(items: &[Item]) -> Vec<Message> {
        let mut joined: Vec<Message> = Vec::new();
        for turn in items.iter().filter_map(|item| message(item, items)) {
            match joined.last_mut() {
                Some(before) if before.author == turn.author => before.text = format!("{} {}", before.text, turn.text),
                _ => joined.push(turn),
            }
        }
        joined
    }

    #[test]
    fn keeps_exactly_the_words_that_were_heard() {
        let text = "One two three. Four five six.";
        let spoken = [Spoken { chars: 14, frames: 24_000 }, Spoken { chars: 15, frames: 24_000 }];
        let heard = |ms| text.chars().take(heard_chars(text, &spoken, Pcm16::frames_in(ms))).collect::<String>();
        assert_eq!(heard(1000), "One two three.");
        assert_eq!(heard(1500), "One two three. Four");
        assert_eq!(heard(100), "");
        assert_eq!(heard(9000), text);
    }
}
