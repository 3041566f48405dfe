//! Calls of the user's tools: collected while they stream, run in order once their response is complete, answered
//! together. A call that outlives its response, its link or an interruption still delivers.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// Calls that are over and still known, to be known again.
const OVER_KEPT: usize = 64;

/// A tool as the model is told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolSpec {
    /// What calls name.
    pub name: String,
    /// When and for what to call it.
    pub description: String,
    /// JSON Schema of the arguments.
    pub parameters: Value,
    /// A call that takes longer is answered without a result.
    pub limit: Duration,
}

/// The calls that are not delivered yet.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    calls: Vec<Call>,
    /// Items of calls that are over; servers tell of some again.
    over: VecDeque<String>,
}

#[derive(Debug)]
struct Call {
    response_id: String,
    item_id: String,
    call_id: String,
    name: String,
    arguments: String,
    /// Whether the present link's server has this call in its conversation.
    on_link: bool,
    stage: Stage,
}

#[derive(Debug, PartialEq)]
enum Stage {
    /// The server still makes it.
    Written,
    /// Its response is complete; it waits for those before it.
    Ready,
    Running {
        due: Instant,
    },
    Answered {
        output: String,
    },
}

/// A call that is to be run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub item_id: String,
    pub call_id: String,
    pub name: String,
    pub arguments: String,
}

/// A call that has its answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub call_id: String,
    pub name: String,
    pub arguments: String,
    pub output: String,
    /// Whether the present link's server has the call.
    pub on_link: bool,
}

impl Calls {
    /// Returns whether a tool runs or is about to.
    pub fn is_busy(&self) -> bool {
        self.calls.iter().any(|c| c.stage != Stage::Written)
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.calls.iter().filter_map(|c| if let Stage::Running { due } = c.stage { Some(due) } else { None }).min()
    }

    /// The server begins a call, or tells of it again.
    pub fn begin(&mut self, response_id: &str, item_id: &str, call_id: &str, name: &str) {
        if let Some(call) = self.by_item(item_id) {
            fill(&mut call.name, name);
            fill(&mut call.call_id, call_id);
            fill(&mut call.response_id, response_id);
            return;
        }
        if self.over.iter().any(|id| id == item_id) {
            return;
        }
        self.calls.push(Call {
            response_id: response_id.to_owned(),
            item_id: item_id.to_owned(),
            call_id: call_id.to_owned(),
            name: name.to_owned(),
            arguments: String::new(),
            on_link: true,
            stage: Stage::Written,
        });
    }

    /// More arguments; returns all of them so far.
    pub fn append(&mut self, item_id: &str, delta: &str) -> Option<&str> {
        let call = self.by_item(item_id)?;
        call.arguments.push_str(delta);
        Some(&call.arguments)
    }

    /// The arguments are whole.
    pub fn complete(&mut self, item_id: &str, name: Option<&str>, arguments: &str) {
        if let Some(call) = self.by_item(item_id) {
            fill(&mut call.name, name.unwrap_or_default());
            if !arguments.is_empty() {
                arguments.clone_into(&mut call.arguments);
            }
        }
    }

    /// The server will not finish this call; returns whether it was one that had not been run.
    pub fn drop_item(&mut self, item_id: &str) -> bool {
        let before = self.calls.len();
        self.calls.retain(|c| c.item_id != item_id || c.stage != Stage::Written);
        self.calls.len() < before
    }

    /// A response is complete: its calls may run.
    pub fn release(&mut self, response_id: &str) {
        for call in self.calls.iter_mut().filter(|c| c.response_id == response_id && c.stage == Stage::Written) {
            call.stage = Stage::Ready;
        }
    }

    /// A response ended otherwise: its calls never run. Returns their items.
    pub fn drop_response(&mut self, response_id: &str) -> Vec<String> {
        let dead = |c: &Call| c.response_id == response_id && c.stage == Stage::Written;
        let items = self.calls.iter().filter(|c| dead(c)).map(|c| c.item_id.clone()).collect();
        self.calls.retain(|c| !dead(c));
        items
    }

    /// Returns the next call to run; one runs at a time, in the order they were made.
    pub fn start_next(&mut self, now: Instant, limit: impl Fn(&str) -> Duration) -> Option<Run> {
        if self.calls.iter().any(|c| matches!(c.stage, Stage::Running { .. })) {
            return None;
        }
        let call = self.calls.iter_mut().find(|c| c.stage == Stage::Ready)?;
        call.stage = Stage::Running { due: now + limit(&call.name) };
        Some(Run {
            item_id: call.item_id.clone(),
            call_id: call.call_id.clone(),
            name: call.name.clone(),
            arguments: call.arguments.clone(),
        })
    }

    /// A tool has answered; returns its item, none if nobody waits for it any more.
    pub fn answer(&mut self, call_id: &str, output: String) -> Option<String> {
        let call = self.calls.iter_mut().find(|c| c.call_id == call_id && matches!(c.stage, Stage::Running { .. }))?;
        call.stage = Stage::Answered { output };
        Some(call.item_id.clone())
    }

    /// Returns a call that is overdue.
    pub fn overdue(&self, now: Instant) -> Option<(String, String)> {
        let late = |c: &&Call| matches!(c.stage, Stage::Running { due } if due <= now);
        self.calls.iter().find(late).map(|c| (c.call_id.clone(), c.name.clone()))
    }

    /// Returns the answers to be delivered: of responses all of whose calls have one.
    pub fn take_answers(&mut self) -> Vec<Answer> {
        let open: Vec<String> = self
            .calls
            .iter()
            .filter(|c| matches!(c.stage, Stage::Ready | Stage::Running { .. }))
            .map(|c| c.response_id.clone())
            .collect();
        let mut answers = Vec::new();
        self.calls.retain_mut(|call| {
            let Stage::Answered { output } = &mut call.stage else { return true };
            if open.contains(&call.response_id) {
                return true;
            }
            self.over.push_back(call.item_id.clone());
            if self.over.len() > OVER_KEPT {
                self.over.pop_front();
            }
            answers.push(Answer {
                call_id: std::mem::take(&mut call.call_id),
                name: std::mem::take(&mut call.name),
                arguments: std::mem::take(&mut call.arguments),
                output: std::mem::take(output),
                on_link: call.on_link,
            });
            false
        });
        answers
    }

    /// Returns whether this item's answer has still to be delivered.
    pub fn holds(&self, item_id: &str) -> bool {
        self.calls.iter().any(|c| c.item_id == item_id)
    }

    /// The link is gone: what was being written will not be finished. Returns those items; the rest runs on.
    pub fn handle_loss(&mut self) -> Vec<String> {
        let items = self.calls.iter().filter(|c| c.stage == Stage::Written).map(|c| c.item_id.clone()).collect();
        self.calls.retain(|c| c.stage != Stage::Written);
        self.calls.iter_mut().for_each(|c| c.on_link = false);
        items
    }

    /// Forgets everything; returns the calls that run.
    pub fn clear(&mut self) -> Vec<String> {
        let running = self.calls.iter().filter(|c| matches!(c.stage, Stage::Running { .. }));
        let running = running.map(|c| c.call_id.clone()).collect();
        self.calls.clear();
        running
    }

    fn by_item(&mut self, item_id: &str) -> Option<&mut Call> {
        self.calls.iter_mut().find(|c| c.item_id == item_id)
    }
}

fn fill(field: &mut String, value: &str) {
    if field.is_empty() {
        value.clone_into(field);
    }
}

/// Returns what a model is told of a call that cannot be run.
pub(crate) fn unknown_tool(name: &str, known: &[ToolSpec]) -> String {
    let names: Vec<&str> = known.iter().map(|t| t.name.as_str()).collect();
    json!({ "error": format!("There is no tool {name:?}."), "tools": names }).to_string()
}

/// Returns what a model is told of a call that took too long.
pub(crate) fn timed_out(limit: Duration) -> String {
    json!({ "error": format!("No result within {} seconds; it is not known whether it was done.", limit.as_secs()) })
        .to_string()
}
