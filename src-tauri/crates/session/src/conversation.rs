use protocol::{ContentPart, Item, Role};

use crate::{ItemState, ItemView, Speaker, ToolState, ToolView, ViewEvent};

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
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    Said(Said),
    Called(Called),
}

#[derive(Clone, Debug)]
struct Said {
    speaker: Speaker,
    text: String,
    heard_chars: Option<u32>,
    state: ItemState,
}

/// A call of a tool.
#[derive(Clone, Debug)]
struct Called {
    call_id: String,
    name: String,
    arguments: String,
    state: ToolState,
    output: Option<String>,
}

/// Where a new item goes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    End,
    /// Behind this item; at the end if it is not known.
    Behind(&'a str),
}

impl Conversation {
    /// Returns all messages as shown.
    pub fn items(&self) -> Vec<ItemView> {
        (0..self.entries.len()).filter_map(|i| self.item(i)).collect()
    }

    /// Returns all calls as shown.
    pub fn tools(&self) -> Vec<ToolView> {
        (0..self.entries.len()).filter_map(|i| self.tool(i)).collect()
    }

    /// Adds a message unless it is known; returns what to show.
    pub fn add(&mut self, id: &str, speaker: Speaker, place: Place<'_>) -> Vec<ViewEvent> {
        let said = Said { speaker, text: String::new(), heard_chars: None, state: ItemState::Partial };
        self.insert(id, Body::Said(said), place)
    }

    /// Adds a call unless it is known, or learns what was not known of it; returns what to show.
    pub fn add_call(&mut self, id: &str, call_id: &str, name: &str) -> Vec<ViewEvent> {
        if let Some(index) = self.index(id) {
            let Body::Called(called) = &mut self.entries[index].body else { return Vec::new() };
            for (field, value) in [(&mut called.call_id, call_id), (&mut called.name, name)] {
                if field.is_empty() {
                    value.clone_into(field);
                }
            }
            return vec![self.view(index)];
        }
        let called = Called {
            call_id: call_id.to_owned(),
            name: name.to_owned(),
            arguments: String::new(),
            state: ToolState::Streaming,
            output: None,
        };
        self.insert(id, Body::Called(called), Place::End)
    }

    /// Sets what is known of a call; returns what to show.
    pub fn set_call(
        &mut self,
        id: &str,
        state: ToolState,
        arguments: Option<&str>,
        output: Option<&str>,
    ) -> Option<ViewEvent> {
        let index = self.index(id)?;
        let Body::Called(called) = &mut self.entries[index].body else { return None };
        called.state = state;
        if let Some(arguments) = arguments {
            arguments.clone_into(&mut called.arguments);
        }
        if output.is_some() {
            called.output = output.map(str::to_owned);
        }
        Some(self.view(index))
    }

    fn insert(&mut self, id: &str, body: Body, place: Place<'_>) -> Vec<ViewEvent> {
        if self.index(id).is_some() {
            return Vec::new();
        }
        let at = match place {
            Place::End => self.entries.len(),
            Place::Behind(previous) => self.index(previous).map_or(self.entries.len(), |i| i + 1),
        };
        self.entries.insert(at, Entry { id: id.to_owned(), body });
        (at..self.entries.len()).map(|i| self.view(i)).collect()
    }

    /// Puts a known item behind another, as the server has them; returns what to show.
    pub fn reorder(&mut self, id: &str, previous: &str) -> Vec<ViewEvent> {
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
    pub fn append(&mut self, id: &str, delta: &str) -> Option<ViewEvent> {
        self.change(id, |said| {
            let open = said.state == ItemState::Partial;
            if open {
                said.text.push_str(delta);
            }
            open
        })
    }

    /// Sets all words so far of an item that still grows; returns what to show.
    pub fn grow(&mut self, id: &str, text: &str) -> Option<ViewEvent> {
        self.change(id, |said| {
            let open = said.state == ItemState::Partial;
            if open {
                text.clone_into(&mut said.text);
            }
            open
        })
    }

    /// Sets all words; an interrupted item keeps its cut.
    pub fn complete(&mut self, id: &str, text: &str) -> Option<ViewEvent> {
        self.change(id, |said| {
            let open = said.state != ItemState::Interrupted;
            if open {
                text.clone_into(&mut said.text);
                said.state = ItemState::Final;
            }
            open
        })
    }

    /// Closes an item that gets no more words.
    pub fn settle(&mut self, id: &str, state: ItemState) -> Option<ViewEvent> {
        self.change(id, |said| {
            let open = said.state == ItemState::Partial;
            if open {
                said.state = state;
            }
            open
        })
    }

    /// Marks where an item was cut.
    pub fn cut(&mut self, id: &str, heard_chars: usize) -> Option<ViewEvent> {
        self.change(id, |said| {
            let total = said.text.chars().count();
            said.heard_chars = Some(u32::try_from(heard_chars.min(total)).unwrap_or(u32::MAX));
            said.state = ItemState::Interrupted;
            true
        })
    }

    /// Returns the words of a message.
    pub fn text(&self, id: &str) -> Option<&str> {
        match &self.entries[self.index(id)?].body {
            Body::Said(said) => Some(&said.text),
            Body::Called(_) => None,
        }
    }

    pub fn remove(&mut self, id: &str) -> bool {
        let index = self.index(id);
        index.map(|i| self.entries.remove(i)).is_some()
    }

    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// Ends what was still growing when a link was lost; returns what to show.
    pub fn handle_loss(&mut self) -> Vec<ViewEvent> {
        let ids: Vec<String> = self.entries.iter().map(|e| e.id.clone()).collect();
        ids.iter().filter_map(|id| self.settle(id, ItemState::Final)).collect()
    }

    /// Returns whether the user, or a tool, has had the last word.
    pub fn awaits_answer(&self) -> bool {
        let last = self.entries.iter().rev().find_map(|entry| match &entry.body {
            Body::Said(said) => (!said.text.is_empty()).then_some(said.speaker == Speaker::User),
            Body::Called(called) => called.output.is_some().then_some(true),
        });
        last.unwrap_or(false)
    }

    /// Returns whether a tool has had the last word.
    pub fn ends_with_output(&self) -> bool {
        let said = |entry: &&Entry| !matches!(&entry.body, Body::Said(said) if said.text.is_empty());
        matches!(self.entries.iter().rfind(said).map(|e| &e.body), Some(Body::Called(c)) if c.output.is_some())
    }

    /// Returns whether the user's last words are still to be written down.
    pub fn has_unwritten(&self) -> bool {
        let last = self.entries.iter().rev().find_map(|e| match &e.body {
            Body::Said(said) => Some(said),
            Body::Called(_) => None,
        });
        last.is_some_and(|s| s.speaker == Speaker::User && s.state == ItemState::Partial && s.text.is_empty())
    }

    /// A server has its own name for an item that it was told.
    pub fn rename(&mut self, id: &str, new: &str) -> Vec<ViewEvent> {
        let Some(index) = self.index(id).filter(|_| self.index(new).is_none()) else { return Vec::new() };
        new.clone_into(&mut self.entries[index].id);
        vec![ViewEvent::ItemRemoved { id: id.to_owned() }, self.view(index)]
    }

    /// Returns whether this item is known.
    pub fn knows(&self, id: &str) -> bool {
        self.index(id).is_some()
    }

    /// Returns the conversation as a new server must be told it: what was said, what was heard, what tools answered.
    /// Calls that are `held` back are told later.
    pub fn replay(&self, held: impl Fn(&str) -> bool) -> Vec<Item> {
        let told = self.entries.iter().filter(|entry| !held(&entry.id));
        let items: Vec<Vec<Item>> = told.map(Entry::replay).filter(|i| !i.is_empty()).collect();
        let first = items.len().saturating_sub(REPLAYED);
        items[first..].concat()
    }

    fn change(&mut self, id: &str, change: impl FnOnce(&mut Said) -> bool) -> Option<ViewEvent> {
        let index = self.index(id)?;
        let Body::Said(said) = &mut self.entries[index].body else { return None };
        change(said).then(|| self.view(index))
    }

    fn index(&self, id: &str) -> Option<usize> {
        self.entries.iter().rposition(|e| e.id == id)
    }

    fn view(&self, index: usize) -> ViewEvent {
        match (self.item(index), self.tool(index)) {
            (Some(item), _) => ViewEvent::Item { item },
            (None, Some(tool)) => ViewEvent::Tool { tool },
            (None, None) => ViewEvent::ItemRemoved { id: self.entries[index].id.clone() },
        }
    }

    fn item(&self, index: usize) -> Option<ItemView> {
        let entry = &self.entries[index];
        let Body::Said(said) = &entry.body else { return None };
        Some(ItemView {
            id: entry.id.clone(),
            position: position(index),
            speaker: said.speaker,
            text: said.text.clone(),
            heard_chars: said.heard_chars,
            state: said.state,
        })
    }

    fn tool(&self, index: usize) -> Option<ToolView> {
        let entry = &self.entries[index];
        let Body::Called(called) = &entry.body else { return None };
        Some(ToolView {
            id: entry.id.clone(),
            position: position(index),
            call_id: called.call_id.clone(),
            name: called.name.clone(),
            arguments: called.arguments.clone(),
            state: called.state,
            output: called.output.clone(),
        })
    }
}

fn position(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

impl Entry {
    /// Ids over 32 characters are the server's to give (protocol: limits). A call without an answer is not told of.
    fn replay(&self) -> Vec<Item> {
        let id = (self.id.len() <= 32).then(|| self.id.clone());
        match &self.body {
            Body::Said(said) => said.replay(id).into_iter().collect(),
            Body::Called(called) => match &called.output {
                Some(output) => vec![
                    call_item(id, &called.call_id, &called.name, &called.arguments),
                    Item::output(&called.call_id, output),
                ],
                None => Vec::new(),
            },
        }
    }
}

/// Returns a call as an item of the wire.
pub(crate) fn call_item(id: Option<String>, call_id: &str, name: &str, arguments: &str) -> Item {
    Item {
        id,
        kind: "function_call".into(),
        call_id: Some(call_id.to_owned()),
        name: Some(name.to_owned()),
        arguments: Some(arguments.to_owned()),
        ..Item::default()
    }
}

impl Said {
    fn replay(&self, id: Option<String>) -> Option<Item> {
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
        Some(Item { id, ..Item::message(role, part) })
    }
}
