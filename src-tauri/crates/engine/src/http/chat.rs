//! `/chat/completions`, streamed, with tools, and with what servers make of both.

use std::collections::BTreeMap;

use protocol::{Tool, ToolChoice};
use serde_json::{Value, json};

use super::{
    HttpServer,
    exchange::{Ask, ask},
    sse::Events,
};
use crate::stages::{Author, Finish, LanguageModel, Message, Request, StageError, Written};

const WHAT: &str = "the language model";

pub(super) struct Chat {
    server: HttpServer,
    /// Fields that this server has refused before.
    refused: Vec<&'static str>,
}

impl Chat {
    pub fn new(server: HttpServer) -> Self {
        Self { server, refused: Vec::new() }
    }

    fn body(&self, request: &Request) -> Value {
        let mut body = json!({
            "model": self.server.model,
            "messages": request.messages.iter().map(message).collect::<Vec<_>>(),
            "stream": true,
        });
        let mut set = |field: &'static str, value: Value| {
            if !self.refused.contains(&field) {
                body[field] = value;
            }
        };
        set("stream_options", json!({ "include_usage": true }));
        // The older name is the only one that many servers of one's own know; newer models of OpenAI refuse it.
        let limit = if self.refused.contains(&"max_tokens") { "max_completion_tokens" } else { "max_tokens" };
        if let Some(tokens) = request.max_tokens {
            set(limit, tokens.into());
        }
        if !request.tools.is_empty() && !self.refused.contains(&"tools") {
            set("tools", request.tools.iter().filter_map(tool).collect());
            set("tool_choice", choice(&request.tool_choice));
        }
        body
    }
}

impl LanguageModel for Chat {
    fn generate(
        &mut self,
        request: &Request,
        cancelled: &dyn Fn() -> bool,
        on_written: &mut dyn FnMut(Written),
    ) -> Result<Finish, StageError> {
        let mut answer = loop {
            let body = self.body(request);
            let asked = ask(
                WHAT,
                Ask {
                    url: self.server.at("chat/completions"),
                    key: self.server.key.clone(),
                    content_type: "application/json".into(),
                    body: body.to_string().into_bytes(),
                },
                cancelled,
            );
            match asked {
                Ok(Some(answer)) => break answer,
                Ok(None) => return Ok(Finish::default()),
                Err(error) => {
                    // A field that a server does not know is left out from then on.
                    let optional = ["max_completion_tokens", "max_tokens", "stream_options", "tool_choice", "tools"];
                    let named = |field: &&'static str| error.0.contains(*field) && body.get(*field).is_some();
                    match optional.into_iter().find(named) {
                        Some(field) => self.refused.push(field),
                        None => return Err(error),
                    }
                }
            }
        };
        let mut reading = Reading::default();
        if !answer.is_events() {
            // A server that does not stream answers in one piece.
            reading.whole(&answer.text(cancelled)?, on_written)?;
            return Ok(reading.finish);
        }
        let mut events = Events::default();
        while let Some(bytes) = answer.next(cancelled)? {
            for data in events.push(&bytes) {
                reading.event(&data, on_written)?;
            }
            if reading.done || cancelled() {
                return Ok(reading.finish);
            }
        }
        if let Some(data) = events.finish() {
            reading.event(&data, on_written)?;
        }
        Ok(reading.finish)
    }

    /// What a server keeps of a prompt is its own affair.
    fn prefill(&mut self, _messages: &[Message], _cancelled: &dyn Fn() -> bool) -> Result<(), StageError> {
        Ok(())
    }
}

/// What has been read of an answer.
#[derive(Default)]
struct Reading {
    finish: Finish,
    done: bool,
    /// Calls by the server's index or id, to ours.
    calls: BTreeMap<String, usize>,
    thought: Thought,
}

impl Reading {
    fn event(&mut self, data: &str, on_written: &mut dyn FnMut(Written)) -> Result<(), StageError> {
        if data.trim() == "[DONE]" {
            self.done = true;
            return Ok(());
        }
        let Ok(event) = serde_json::from_str::<Value>(data) else { return Ok(()) };
        self.check(&event)?;
        if let Some(delta) = event.pointer("/choices/0/delta") {
            self.message(delta, on_written);
        }
        self.end(&event);
        Ok(())
    }

    fn whole(&mut self, text: &str, on_written: &mut dyn FnMut(Written)) -> Result<(), StageError> {
        let body: Value = serde_json::from_str(text)
            .map_err(|error| StageError::new(WHAT, format!("the server's answer is no JSON: {error}")))?;
        self.check(&body)?;
        if let Some(message) = body.pointer("/choices/0/message") {
            self.message(message, on_written);
        }
        self.end(&body);
        Ok(())
    }

    /// Errors may come in the middle of a stream, too.
    fn check(&self, event: &Value) -> Result<(), StageError> {
        match event.get("error") {
            None | Some(Value::Null) => Ok(()),
            Some(error) => {
                let words = error.get("message").unwrap_or(error);
                let words = words.as_str().map_or_else(|| words.to_string(), str::to_owned);
                Err(StageError::new(WHAT, words))
            }
        }
    }

    fn message(&mut self, delta: &Value, on_written: &mut dyn FnMut(Written)) {
        // What a model thinks, in `reasoning` or `reasoning_content`, is not read aloud; nor between <think> marks.
        for key in ["content", "refusal"] {
            if let Some(text) = delta.get(key).and_then(Value::as_str)
                && let Some(text) = self.thought.spoken(text)
            {
                on_written(Written::Text(text));
            }
        }
        for (n, call) in delta.get("tool_calls").and_then(Value::as_array).into_iter().flatten().enumerate() {
            self.call(n, call, on_written);
        }
    }

    /// Servers leave out the index, say the id in every piece, or send a whole call with its arguments as an object.
    fn call(&mut self, n: usize, call: &Value, on_written: &mut dyn FnMut(Written)) {
        let name = call.pointer("/function/name").and_then(Value::as_str).unwrap_or_default();
        let arguments = match call.pointer("/function/arguments") {
            Some(Value::String(text)) => text.clone(),
            None | Some(Value::Null) => String::new(),
            Some(object) => object.to_string(),
        };
        let id = call.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
        let key = match (call.get("index").and_then(Value::as_u64), id) {
            (Some(index), _) => format!("index {index}"),
            (None, Some(id)) => format!("id {id}"),
            // A piece without either goes on with the call before, unless it names a tool.
            (None, None) if name.is_empty() && !self.calls.is_empty() => {
                let last = self.calls.iter().max_by_key(|(_, index)| **index);
                last.map(|(key, _)| key.clone()).unwrap_or_default()
            }
            (None, None) => format!("place {} {n}", self.calls.len()),
        };
        let next = self.calls.len();
        let known = self.calls.contains_key(&key);
        let index = *self.calls.entry(key).or_insert(next);
        let name = if known { String::new() } else { name.to_owned() };
        on_written(Written::Call { index, name, arguments });
    }

    fn end(&mut self, event: &Value) {
        if event.pointer("/choices/0/finish_reason").is_some_and(|r| r == "length") {
            self.finish.truncated = true;
        }
        let Some(usage) = event.get("usage").filter(|u| u.is_object()) else { return };
        let count = |path: &str| usage.pointer(path).and_then(Value::as_u64).unwrap_or(0);
        self.finish.prompt_tokens = count("/prompt_tokens");
        self.finish.output_tokens = count("/completion_tokens");
        self.finish.cached_tokens = count("/prompt_tokens_details/cached_tokens");
    }
}

/// Leaves out what stands between `<think>` and `</think>` at the front of an answer.
#[derive(Default)]
struct Thought {
    pending: String,
    state: ThoughtState,
}

#[derive(Default, PartialEq)]
enum ThoughtState {
    #[default]
    Undecided,
    Thinking,
    Speaking,
}

impl Thought {
    fn spoken(&mut self, text: &str) -> Option<String> {
        const OPEN: &str = "<think>";
        const CLOSE: &str = "</think>";
        if self.state == ThoughtState::Speaking {
            return (!text.is_empty()).then(|| text.to_owned());
        }
        self.pending.push_str(text);
        if self.state == ThoughtState::Undecided {
            let begun = self.pending.trim_start();
            if begun.starts_with(OPEN) {
                self.state = ThoughtState::Thinking;
            } else if OPEN.starts_with(begun) {
                return None;
            } else {
                self.state = ThoughtState::Speaking;
                return Some(std::mem::take(&mut self.pending));
            }
        }
        let end = self.pending.find(CLOSE)?;
        self.state = ThoughtState::Speaking;
        let rest = self.pending.split_off(end + CLOSE.len());
        self.pending.clear();
        let rest = rest.trim_start();
        (!rest.is_empty()).then(|| rest.to_owned())
    }
}

fn message(message: &Message) -> Value {
    let role = match message.author {
        Author::System => "system",
        Author::User => "user",
        Author::Assistant => "assistant",
        Author::Tool => "tool",
    };
    let mut out = json!({ "role": role, "content": message.text });
    if !message.calls.is_empty() {
        let call = |c: &crate::stages::Call| json!({ "id": c.call_id, "type": "function", "function": { "name": c.name, "arguments": c.arguments } });
        out["tool_calls"] = message.calls.iter().map(call).collect();
        if message.text.is_empty() {
            out["content"] = Value::Null;
        }
    }
    if message.author == Author::Tool {
        out["tool_call_id"] = message.call_id.clone().into();
    }
    out
}

/// Tools are nested here, unlike on the Realtime wire.
fn tool(tool: &Tool) -> Option<Value> {
    let Tool::Function { name, description, parameters } = tool else { return None };
    let mut function = json!({ "name": name });
    if let Some(description) = description {
        function["description"] = description.clone().into();
    }
    if let Some(parameters) = parameters {
        function["parameters"] = parameters.clone();
    }
    Some(json!({ "type": "function", "function": function }))
}

fn choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Word(word) => word.clone().into(),
        ToolChoice::One { name, .. } => json!({ "type": "function", "function": { "name": name } }),
    }
}
