//! Tools: what the server calls, and what it is told.

use std::time::{Duration, Instant};

use protocol::{ClientEvent, Item};

use super::Session;
use crate::{
    Output, Phase, ToolSpec, ToolState,
    conversation::call_item,
    tools::{timed_out, unknown_tool},
};

/// A call of a tool without a limit of its own ends after this.
const DEFAULT_LIMIT: Duration = Duration::from_secs(30);

impl Session {
    pub(super) fn begin_call(&mut self, response_id: &str, item: &Item) {
        let (Some(id), true) = (&item.id, item.is_call()) else { return };
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let (call_id, name) = (text(&item.call_id), text(&item.name));
        self.calls.begin(response_id, id, &call_id, &name);
        let views = self.conversation.add_call(id, &call_id, &name);
        self.show_all(views);
    }

    pub(super) fn grow_call(&mut self, item_id: &str, delta: &str) {
        let Some(arguments) = self.calls.append(item_id, delta) else { return };
        let view = self.conversation.set_call(item_id, ToolState::Streaming, Some(arguments), None);
        self.show_all(view);
    }

    pub(super) fn complete_call(&mut self, response_id: &str, item: &Item) {
        let Some(id) = item.id.clone().filter(|_| item.is_call()) else { return };
        if item.status.as_deref() == Some("incomplete") {
            if self.calls.drop_item(&id) {
                self.show_dropped(vec![id]);
            }
            return;
        }
        self.begin_call(response_id, item);
        let arguments = item.arguments.clone().unwrap_or_default();
        self.calls.complete(&id, item.name.as_deref(), &arguments);
        let whole = (!arguments.is_empty()).then_some(arguments.as_str());
        let view = self.conversation.set_call(&id, ToolState::Waiting, whole, None);
        self.show_all(view);
    }

    pub(super) fn release_calls(&mut self, now: Instant, response_id: &str) {
        self.calls.release(response_id);
        self.run_next(now);
    }

    pub(super) fn drop_calls(&mut self, response_id: &str) {
        let dropped = self.calls.drop_response(response_id);
        self.show_dropped(dropped);
    }

    pub(super) fn show_dropped(&mut self, items: Vec<String>) {
        for id in items {
            let view = self.conversation.set_call(&id, ToolState::Dropped, None, None);
            self.show_all(view);
        }
    }

    fn run_next(&mut self, now: Instant) {
        while let Some(run) = self.calls.start_next(now, |name| limit(&self.config.tools, name)) {
            if !self.config.tools.iter().any(|t| t.name == run.name) {
                let output = unknown_tool(&run.name, &self.config.tools);
                self.answer_call(&run.call_id, ToolState::Failed, output);
                continue;
            }
            let view = self.conversation.set_call(&run.item_id, ToolState::Running, None, None);
            self.show_all(view);
            let (call_id, name, arguments) = (run.call_id, run.name, run.arguments);
            self.out.push_back(Output::RunTool { call_id, name, arguments });
        }
        self.deliver(now);
    }

    pub(super) fn handle_tool_result(&mut self, now: Instant, call_id: &str, result: Result<String, String>) {
        match result {
            Ok(output) => self.answer_call(call_id, ToolState::Done, output),
            Err(words) => {
                let output = serde_json::json!({ "error": words }).to_string();
                self.answer_call(call_id, ToolState::Failed, output);
            }
        }
        self.run_next(now);
    }

    pub(super) fn handle_overdue_tools(&mut self, now: Instant) {
        while let Some((call_id, name)) = self.calls.overdue(now) {
            self.answer_call(&call_id, ToolState::Failed, timed_out(limit(&self.config.tools, &name)));
            self.out.push_back(Output::CancelTool { call_id });
            self.run_next(now);
        }
    }

    fn answer_call(&mut self, call_id: &str, state: ToolState, output: String) {
        let Some(item_id) = self.calls.answer(call_id, output.clone()) else { return };
        let view = self.conversation.set_call(&item_id, state, None, Some(&output));
        self.show_all(view);
    }

    /// Tells the server what tools have answered, and asks once for what it makes of it.
    fn deliver(&mut self, now: Instant) {
        let answers = self.calls.take_answers();
        // Without a link, the replay to the next server carries the answers.
        if answers.is_empty() || self.connection.phase != Phase::Live {
            return;
        }
        for answer in answers {
            // A call that an earlier server made is news to this one.
            let call = (!answer.on_link).then(|| call_item(None, &answer.call_id, &answer.name, &answer.arguments));
            for item in call.into_iter().chain([Item::output(answer.call_id, answer.output)]) {
                self.send(ClientEvent::ConversationItemCreate { previous_item_id: None, item });
            }
        }
        // Who speaks will be answered anyway, with these in mind.
        if !self.is_user_speaking() {
            self.answer_due = None;
            let say = self.responses.request_after(now);
            self.say(say);
        }
    }
}

fn limit(tools: &[ToolSpec], name: &str) -> Duration {
    tools.iter().find(|t| t.name == name).map_or(DEFAULT_LIMIT, |t| t.limit)
}
