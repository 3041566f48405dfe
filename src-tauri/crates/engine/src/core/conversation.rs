use protocol::{ApiError, Item, Pcm16, Role, ServerEvent};

use super::EngineCore;

impl EngineCore {
    pub(super) fn create_item(&mut self, previous: Option<String>, mut item: Item) -> Result<(), ApiError> {
        if item.id.as_deref().is_some_and(|id| id.is_empty() || id.len() > 32) {
            return Err(ApiError::invalid_request("string_above_max_length", "An item's id has 1 to 32 characters."));
        }
        let known = ["message", "function_call", "function_call_output"];
        if !known.contains(&item.kind.as_str()) {
            let words = format!("Items of type '{}' cannot be created here.", item.kind);
            return Err(ApiError::invalid_request("invalid_value", words));
        }
        let id = item.id.clone().unwrap_or_else(|| self.name("item"));
        if self.context.get(&id).is_some() {
            return Err(ApiError::invalid_request("invalid_value", format!("There is an item '{id}' already.")));
        }
        item.id = Some(id);
        item.object = Some("realtime.item".into());
        item.status = Some("completed".into());
        let behind = match previous {
            None => {
                let last = self.context.last_id();
                self.context.push(item.clone());
                last
            }
            Some(previous) => {
                if !self.context.insert(item.clone(), &previous) {
                    let words = format!("There is no item '{previous}' to stand behind.");
                    return Err(ApiError::invalid_request("invalid_value", words));
                }
                (previous != "root").then_some(previous)
            }
        };
        self.send(ServerEvent::ItemAdded { previous_item_id: behind.clone(), item: item.clone() });
        self.send(ServerEvent::ItemDone { previous_item_id: behind, item });
        Ok(())
    }

    pub(super) fn retrieve_item(&mut self, id: &str) -> Result<(), ApiError> {
        let Some(entry) = self.context.get(id) else { return Err(unknown_item("retrieve", id)) };
        let item = entry.item.clone();
        self.send(ServerEvent::ItemRetrieved { item });
        Ok(())
    }

    pub(super) fn delete_item(&mut self, item_id: String) -> Result<(), ApiError> {
        if !self.context.remove(&item_id) {
            return Err(unknown_item("delete", &item_id));
        }
        self.send(ServerEvent::ItemDeleted { item_id });
        Ok(())
    }

    pub(super) fn truncate_item(&mut self, id: &str, content_index: u32, audio_end_ms: u64) -> Result<(), ApiError> {
        let Some(entry) = self.context.get_mut(id) else { return Err(unknown_item("truncate", id)) };
        let held = Pcm16::ms_in(entry.frames());
        if entry.item.role != Some(Role::Assistant) || entry.spoken.is_empty() {
            let words = "Only model output audio messages can be truncated";
            return Err(ApiError::invalid_request("unsupported_content_type", words));
        }
        if audio_end_ms > held {
            let words = format!("Audio content of {held}ms is already shorter than {audio_end_ms}ms");
            return Err(ApiError::invalid_request("invalid_value", words));
        }
        let transcript = Some(entry.truncate(audio_end_ms));
        self.send(ServerEvent::ItemTruncated { item_id: id.to_owned(), content_index, audio_end_ms, transcript });
        Ok(())
    }
}

fn unknown_item(verb: &str, id: &str) -> ApiError {
    ApiError::invalid_request(&format!("item_{verb}_invalid_item_id"), format!("There is no item '{id}'."))
}
