use protocol::{ContentPart, Item, Role};

use crate::{ItemState, ItemView, Speaker};

/// Items that a new server is told: more than any on-device prompt holds, fewer than a link's queue.
const REPLAYED: usize = 100;

/// The conversation's items in order, each under the server's id.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    id: String,
    speaker: Speaker,
    text: String,
    heard_chars: Option<u32>,
    state: ItemState,
}

/// Where a new item goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    End,
    /// Behind this item; at the end if it is not known.
    Behind(&'a str),
}

impl Conversation {
    /// Returns all items as shown.
    pub fn views(&self) -> Vec<ItemView> {
        (0..self.entries.len()).map(|i| self.view(i)).collect()
    }

    /// Adds an item unless it is known; returns what to show.
    pub fn add(&mut self, id: &str, speaker: Speaker, place: Place<'_>) -> Vec<ItemView> {
        if self.index(id).is_some() {
            return Vec::new();
        }
        let at = match place {
            Place::End => self.entries.len(),
            Place::Behind(previous) => self.index(previous).map_or(self.entries.len(), |i| i + 1),
        };
        let entry =
            Entry { id: id.to_owned(), speaker, text: String::new(), heard_chars: None, state: ItemState::Partial };
        self.entries.insert(at, entry);
        (at..self.entries.len()).map(|i| self.view(i)).collect()
    }

    /// Puts a known item behind another, as the server has them; returns what to show.
    pub fn reorder(&mut self, id: &str, previous: &str) -> Vec<ItemView> {
        let (Some(from), Some(behind)) = (self.index(id), self.index(previous)) else { return Vec::new() };
        if from == behind + 1 || from == behind {
            return Vec::new();
        }
        let entry = self.entries.remove(from);
        let to = self.index(previous).map_or(self.entries.len(), |i| i + 1);
        self.entries.insert(to, entry);
        (from.min(to)..self.entries.len()).map(|i| self.view(i)).collect()
    }

    /// Appends words; returns what to show.
    pub fn append(&mut self, id: &str, delta: &str) -> Option<ItemView> {
        let index = self.index(id)?;
        let entry = &mut self.entries[index];
        if entry.state != ItemState::Partial {
            return None;
        }
        entry.text.push_str(delta);
        Some(self.view(index))
    }

    /// Sets all words; an interrupted item keeps its cut.
    pub fn complete(&mut self, id: &str, text: &str) -> Option<ItemView> {
        let index = self.index(id)?;
        let entry = &mut self.entries[index];
        if entry.state == ItemState::Interrupted {
            return None;
        }
        text.clone_into(&mut entry.text);
        entry.state = ItemState::Final;
        Some(self.view(index))
    }

    /// Closes an item that gets no more words.
    pub fn settle(&mut self, id: &str, state: ItemState) -> Option<ItemView> {
        let index = self.index(id)?;
        if self.entries[index].state != ItemState::Partial {
            return None;
        }
        self.entries[index].state = state;
        Some(self.view(index))
    }

    /// Marks where an item was cut.
    pub fn cut(&mut self, id: &str, heard_chars: usize) -> Option<ItemView> {
        let index = self.index(id)?;
        let entry = &mut self.entries[index];
        let total = entry.text.chars().count();
        entry.heard_chars = Some(u32::try_from(heard_chars.min(total)).unwrap_or(u32::MAX));
        entry.state = ItemState::Interrupted;
        Some(self.view(index))
    }

    pub fn text(&self, id: &str) -> Option<&str> {
        self.index(id).map(|i| self.entries[i].text.as_str())
    }

    pub fn remove(&mut self, id: &str) -> bool {
        let index = self.index(id);
        index.map(|i| self.entries.remove(i)).is_some()
    }

    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// Ends what was still growing when a link was lost; returns what to show.
    pub fn handle_loss(&mut self) -> Vec<ItemView> {
        let partial: Vec<usize> =
            (0..self.entries.len()).filter(|i| self.entries[*i].state == ItemState::Partial).collect();
        partial
            .into_iter()
            .map(|i| {
                self.entries[i].state = ItemState::Final;
                self.view(i)
            })
            .collect()
    }

    /// Returns whether the user has had the last word.
    pub fn awaits_answer(&self) -> bool {
        self.entries.iter().rfind(|e| !e.text.is_empty()).is_some_and(|e| e.speaker == Speaker::User)
    }

    /// Returns the conversation as a new server must be told it: what was said, and what was heard.
    pub fn replay(&self) -> Vec<Item> {
        let items: Vec<Item> = self.entries.iter().filter_map(Entry::replay).collect();
        let first = items.len().saturating_sub(REPLAYED);
        items[first..].to_vec()
    }

    fn index(&self, id: &str) -> Option<usize> {
        self.entries.iter().rposition(|e| e.id == id)
    }

    fn view(&self, index: usize) -> ItemView {
        let entry = &self.entries[index];
        ItemView {
            id: entry.id.clone(),
            position: u32::try_from(index).unwrap_or(u32::MAX),
            speaker: entry.speaker,
            text: entry.text.clone(),
            heard_chars: entry.heard_chars,
            state: entry.state,
        }
    }
}

impl Entry {
    /// Ids over 32 characters are the server's to give (protocol: limits).
    fn replay(&self) -> Option<Item> {
        let heard = self.heard_chars.map_or(usize::MAX, |n| n as usize);
        let text: String = self.text.chars().take(heard).collect();
        if text.trim().is_empty() {
            return None;
        }
        let text = text.trim().to_owned();
        let (role, part) = match self.speaker {
            Speaker::User => (Role::User, ContentPart::InputText { text }),
            Speaker::Assistant => (Role::Assistant, ContentPart::OutputText { text }),
        };
        let id = (self.id.len() <= 32).then(|| self.id.clone());
        Some(Item { id, ..Item::message(role, part) })
    }
}
