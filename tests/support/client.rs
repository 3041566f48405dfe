//! The session against a server that the test speaks for, frame by frame, without runtime and with a clock by hand.

use std::time::{Duration, Instant};

use protocol::{Pcm16, ServerEvent};
use serde_json::{Value, json};
use session::{Action, Config, Input, LinkEnd, Output, SegmentId, Session, ToolSpec, View};

/// A session, its clock, and what it has done since it was last asked.
pub struct Client {
    /// The session.
    pub session: Session,
    /// What it did, in order.
    pub did: Vec<Output>,
    now: Instant,
    played: u64,
    segment: Option<SegmentId>,
}

impl Client {
    /// Returns a session that has done nothing.
    pub fn new(config: Config) -> Self {
        Self { session: Session::new(config), did: Vec::new(), now: Instant::now(), played: 0, segment: None }
    }

    /// Returns a session in mid-conversation with a server of which `profile` tells.
    pub fn live(profile: &str) -> Self {
        Self::live_with(Config { profile: protocol::profile(profile), ..Self::config() })
    }

    /// Returns a session in mid-conversation.
    pub fn live_with(config: Config) -> Self {
        let mut client = Self::new(config);
        client.act(Action::StartTalk);
        client.connect();
        client.did.clear();
        client
    }

    /// Returns a plain configuration.
    pub fn config() -> Config {
        let profile = protocol::profile("openai");
        Config { instructions: "Be brief.".into(), voice: "marin".into(), profile, ..Config::default() }
    }

    /// Greets and acknowledges, as a server does that was asked.
    pub fn connect(&mut self) {
        self.hears(json!({ "type": "session.created", "session": { "id": "s", "model": "gpt-realtime-2.1" } }));
        self.hears(json!({ "type": "session.updated", "session": {} }));
    }

    /// The server says something; returns what is sent on it.
    pub fn hears(&mut self, event: Value) -> Vec<Value> {
        let event = ServerEvent::parse(&event.to_string()).unwrap_or_else(|e| panic!("{event}: {e}"));
        self.step(Input::Received(Box::new(event)))
    }

    /// The user does something; returns what is sent on it.
    pub fn act(&mut self, action: Action) -> Vec<Value> {
        self.step(Input::Action(action))
    }

    /// Something happens; returns what is sent on it. A flush is answered at once, as by a speaker.
    pub fn step(&mut self, input: Input) -> Vec<Value> {
        self.now += Duration::from_millis(1);
        self.handle(input)
    }

    /// The next deadline comes; returns what is sent on it.
    pub fn wait(&mut self) -> Vec<Value> {
        self.now = self.session.deadline().expect("something is due");
        self.handle(Input::Timeout)
    }

    /// Time goes by, and every deadline in it comes.
    pub fn wait_for(&mut self, time: Duration) -> Vec<Value> {
        let end = self.now + time;
        let mut sent = Vec::new();
        while let Some(due) = self.session.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            sent.extend(self.handle(Input::Timeout));
        }
        self.now = end;
        sent
    }

    /// Returns an instant by this clock.
    pub fn after(&self, time: Duration) -> Instant {
        self.now + time
    }

    fn handle(&mut self, input: Input) -> Vec<Value> {
        let mut inputs = vec![input];
        let mut sent = Vec::new();
        while let Some(input) = inputs.pop() {
            self.session.handle(self.now, input);
            while let Some(output) = self.session.poll() {
                match &output {
                    Output::Send(event) => sent.push(serde_json::from_str(&event.to_json(None)).unwrap()),
                    Output::Flush { generation } => inputs.push(Input::Flushed { generation: *generation }),
                    Output::Play { segment, pcm } => {
                        self.played += pcm.frames();
                        self.segment = Some(*segment);
                    }
                    Output::Connect
                    | Output::Disconnect
                    | Output::OpenSpare
                    | Output::Loudness(_)
                    | Output::UseSpare
                    | Output::Mic { .. }
                    | Output::Deaf(_)
                    | Output::EndSegment { .. }
                    | Output::RunTool { .. }
                    | Output::CancelTool { .. }
                    | Output::View(_) => {}
                }
                self.did.push(output);
            }
        }
        sent
    }

    /// The speaker has played so much of the latest segment.
    pub fn plays(&mut self, ms: u64) -> Vec<Value> {
        let segment = self.segment.expect("something is played");
        self.step(Input::Heard { segment, frames: Pcm16::frames_in(ms) })
    }

    /// The microphone gives so much of a loud sound.
    pub fn speaks(&mut self, ms: u64) -> Vec<Value> {
        (0..ms / 20).flat_map(|_| self.step(Input::Mic(Pcm16(vec![8000; 480])))).collect()
    }

    /// The link is lost.
    pub fn loses_link(&mut self) -> Vec<Value> {
        self.step(Input::LinkClosed(LinkEnd::Lost("the network".into())))
    }

    /// Returns milliseconds given to the speaker so far.
    pub fn played_ms(&self) -> u64 {
        Pcm16::ms_in(self.played)
    }

    /// Returns what a window shows.
    pub fn view(&self) -> View {
        self.session.view()
    }

    /// Returns the words of all notices.
    pub fn notices(&self) -> Vec<String> {
        self.view().notices.into_iter().map(|n| n.text).collect()
    }

    /// Returns the conversation as lines: who, and what.
    pub fn lines(&self) -> Vec<String> {
        self.view().items.into_iter().map(|i| format!("{:?}: {}", i.speaker, i.text)).collect()
    }

    /// Returns how often it has done this.
    pub fn count(&self, what: impl Fn(&Output) -> bool) -> usize {
        self.did.iter().filter(|o| what(o)).count()
    }
}

/// Returns the types of events.
pub fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|e| e["type"].as_str().unwrap_or_default()).collect()
}

/// Returns `response.created`.
pub fn created(id: &str) -> Value {
    json!({ "type": "response.created", "response": { "id": id, "status": "in_progress", "output": [] } })
}

/// Returns `response.done` with a status.
pub fn done(id: &str, status: &str) -> Value {
    json!({ "type": "response.done", "response": { "id": id, "status": status, "output": [] } })
}

/// Returns `ms` of audio of an answer's item.
pub fn audio(response: &str, item: &str, ms: u64) -> Value {
    let delta = Pcm16(vec![1000; Pcm16::frames_in(ms) as usize]).to_bytes();
    json!({ "type": "response.output_audio.delta", "response_id": response, "item_id": item,
        "output_index": 0, "content_index": 0, "delta": delta })
}

/// Returns words of an answer's item.
pub fn words(response: &str, item: &str, delta: &str) -> Value {
    json!({ "type": "response.output_audio_transcript.delta", "response_id": response, "item_id": item,
        "output_index": 0, "content_index": 0, "delta": delta })
}

/// Returns the beginning of an answer's item.
pub fn begun(response: &str, item: &str) -> Value {
    json!({ "type": "response.output_item.added", "response_id": response, "output_index": 0,
        "item": { "id": item, "type": "message", "role": "assistant", "status": "in_progress", "content": [] } })
}

/// Returns the beginning, or the end, of a call.
pub fn call(kind: &str, response: &str, item: &str, call: &str, name: &str, arguments: &str, status: &str) -> Value {
    json!({ "type": format!("response.output_item.{kind}"), "response_id": response, "output_index": 0,
        "item": { "id": item, "type": "function_call", "status": status, "call_id": call, "name": name,
            "arguments": arguments } })
}

/// Returns an error.
pub fn error(code: &str, message: &str) -> Value {
    json!({ "type": "error", "error": { "type": "invalid_request_error", "code": code, "message": message,
        "event_id": null } })
}

/// Returns a tool that may take some seconds.
pub fn tool(name: &str, seconds: u64) -> ToolSpec {
    ToolSpec {
        name: name.into(),
        description: "Does it.".into(),
        parameters: json!({ "type": "object", "properties": {} }),
        limit: Duration::from_secs(seconds),
    }
}
