//! What a server does and does not, found out by asking it: the checks of the protocol's conformance list that a client
//! can see. A dozen short requests; on a paid server they cost a few cents at most.

use std::{collections::BTreeMap, time::Duration};

use protocol::{
    AudioConfig, AudioFormat, ClientEvent, ContentPart, Dialect, Eagerness, InputAudioConfig, Item, Modality,
    ResponseConfig, ResponseStatus, Role, ServerEvent, Session, SessionKind, Tool, ToolChoice, Transcription,
    TurnDetection,
};
use serde::Serialize;
use serde_json::json;
use store::FoundProfile;
use tokio::{sync::mpsc, time::Instant};
use ts_rs::TS;

use crate::{
    Remote, Server,
    link::{Link, LinkEvent, end_words},
};

/// A model that has to be loaded first may take so long for its first frame.
const FIRST: Duration = Duration::from_secs(30);
/// An answer of a few words.
const ANSWER: Duration = Duration::from_secs(30);
/// An acknowledgement.
const ACK: Duration = Duration::from_secs(5);
/// Read aloud or answered with; short, for somebody pays for it.
const QUESTION: &str = "Say the word hello.";

/// What became of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// As the protocol has it.
    Yes,
    /// Otherwise; the client goes without.
    No,
    /// It could not be tried.
    Unknown,
}

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// What, in words.
    pub what: String,
    /// What became of it.
    pub verdict: Verdict,
    /// What was seen.
    pub seen: String,
}

/// All that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ProbeReport {
    /// In the order they were tried.
    pub checks: Vec<Check>,
    /// What a conversation with this server goes by; none if there can be none.
    pub found: Option<FoundProfile>,
}

/// Tries a server.
pub async fn probe(remote: Remote) -> ProbeReport {
    let (link, inbox) = Link::open(Server::WebSocket(remote.clone()));
    let mut probe = Probe { link, inbox, sent: 0, checks: Vec::new(), ended: None };
    let found = probe.run(&remote).await;
    ProbeReport { checks: probe.checks, found }
}

struct Probe {
    link: Link,
    inbox: mpsc::Receiver<LinkEvent>,
    sent: u64,
    checks: Vec<Check>,
    ended: Option<String>,
}

/// What became of a response.
#[derive(Default)]
struct Answer {
    id: Option<String>,
    item: Option<String>,
    audio_ms: u64,
    transcript: bool,
    call_deltas: u32,
    called: bool,
    status: Option<ResponseStatus>,
    error: Option<String>,
    beside: bool,
}

impl Probe {
    async fn run(&mut self, remote: &Remote) -> Option<FoundProfile> {
        let first = self.next(FIRST).await;
        let greeting = match &first {
            Some(ServerEvent::SessionCreated { .. }) => "session.created",
            Some(ServerEvent::ConversationCreated { .. }) => "conversation.created",
            Some(ServerEvent::Error { error }) => {
                self.check("greets", Verdict::No, &error.message);
                return None;
            }
            Some(_) => "something else",
            None => {
                let why = self.ended.clone().unwrap_or_else(|| "nothing came".into());
                self.check("greets", Verdict::No, &why);
                return None;
            }
        };
        self.check("greets", Verdict::Yes, greeting);
        let dialect = self.link.dialect();
        let named = serde_json::to_value(dialect).ok().and_then(|v| v.as_str().map(str::to_owned));
        self.check("dialect", Verdict::Yes, named.as_deref().unwrap_or("unknown"));

        let profile = &remote.profile;
        let mut found = FoundProfile { dialect: named, in_rate: profile.in_rate, ..FoundProfile::default() };
        let echo = self.update(base(remote.profile.transcription_model.clone())).await;
        let Some(echo) = echo else {
            self.check("takes its settings", Verdict::No, "session.update was refused or not answered");
            return None;
        };
        self.check("takes its settings", Verdict::Yes, "session.updated");
        self.verdict("echoes its settings", echo.instructions.is_some(), "instructions in session.updated");
        let writes = echo.audio.as_ref().and_then(|a| a.input.as_ref()).and_then(|i| i.transcription.clone()).flatten();
        self.verdict("writes down the user", writes.is_some(), "audio.input.transcription in session.updated");

        let answer = self.ask(ClientEvent::ResponseCreate { response: None }, true).await;
        let spoke = answer.audio_ms > 0;
        let seen = format!("{} ms of audio, transcript: {}", answer.audio_ms, yes(answer.transcript));
        self.verdict("answers aloud", spoke, &answer.error.clone().unwrap_or(seen));
        found.supports_truncate = self.truncates(&answer).await;
        (found.supports_cancel, found.supports_cancel_done) = self.cancels().await;
        found.supports_out_of_band = self.answers_beside().await;
        self.streams_tools().await;
        found.semantic_vad = self.knows_semantic_vad(dialect).await;
        self.honours_rate(&mut found).await;
        Some(found)
    }

    async fn truncates(&mut self, answer: &Answer) -> bool {
        let Some(item_id) = answer.item.clone().filter(|_| answer.audio_ms > 200) else {
            self.check("cuts to what was heard", Verdict::Unknown, "there was no audio to cut");
            return true;
        };
        self.send(&ClientEvent::ConversationItemTruncate { item_id, content_index: 0, audio_end_ms: 100 });
        let due = Instant::now() + ACK;
        while let Some(event) = self.next_by(due).await {
            #[allow(clippy::wildcard_enum_match_arm, reason = "only the acknowledgement counts")]
            match event {
                ServerEvent::ItemTruncated { audio_end_ms, .. } => {
                    self.verdict("cuts to what was heard", true, &format!("truncated at {audio_end_ms} ms"));
                    return true;
                }
                ServerEvent::Error { error } => {
                    self.verdict("cuts to what was heard", false, &error.message);
                    return false;
                }
                _ => {}
            }
        }
        // Taken and passed over: asking does no harm.
        self.verdict("cuts to what was heard", false, "no answer; passed over");
        true
    }

    async fn cancels(&mut self) -> (bool, bool) {
        let what = "stops an answer";
        self.say("Count slowly from one to fifty.");
        self.send(&ClientEvent::ResponseCreate { response: None });
        let due = Instant::now() + ANSWER;
        let mut cancelled = false;
        while let Some(event) = self.next_by(due).await {
            #[allow(clippy::wildcard_enum_match_arm, reason = "only the end counts")]
            match event {
                ServerEvent::ResponseCreated { .. } if !cancelled => {
                    cancelled = true;
                    self.send(&ClientEvent::ResponseCancel { response_id: None });
                }
                ServerEvent::ResponseDone { response } => {
                    let seen = format!("response.done, {:?}", response.status).to_lowercase();
                    self.verdict(what, response.status == ResponseStatus::Cancelled, &seen);
                    return (true, true);
                }
                ServerEvent::Error { error } if cancelled => {
                    self.verdict(what, false, &error.message);
                    self.quiet(ANSWER).await;
                    return (false, false);
                }
                _ => {}
            }
        }
        self.verdict(what, false, if cancelled { "no response.done" } else { "no response began" });
        (cancelled, false)
    }

    async fn answers_beside(&mut self) -> bool {
        let response = ResponseConfig {
            conversation: Some("none".into()),
            input: Some(Vec::new()),
            instructions: Some(QUESTION.into()),
            output_modalities: Some(vec![Modality::Text]),
            metadata: Some(BTreeMap::from([("probe".to_owned(), "beside".to_owned())])),
            ..ResponseConfig::default()
        };
        let answer = self.ask(ClientEvent::ResponseCreate { response: Some(Box::new(response)) }, false).await;
        let seen = answer.error.clone().unwrap_or_else(|| format!("metadata came back: {}", yes(answer.beside)));
        self.verdict("answers beside the conversation", answer.beside, &seen);
        answer.beside
    }

    async fn streams_tools(&mut self) {
        let tool = Tool::Function {
            name: "show_text".into(),
            description: Some("Shows a text.".into()),
            parameters: Some(json!({ "type": "object", "properties": { "text": { "type": "string" } } })),
        };
        let session = Session {
            kind: Some(SessionKind::Realtime),
            tools: Some(vec![tool]),
            tool_choice: Some(ToolChoice::Word("required".into())),
            ..Session::default()
        };
        if self.update(session).await.is_none() {
            self.check("calls tools", Verdict::No, "the tool was refused");
            return;
        }
        self.say("Show the text “hello, this is a test of tools”.");
        let answer = self.ask(ClientEvent::ResponseCreate { response: None }, false).await;
        let seen = answer.error.clone().unwrap_or_else(|| format!("call: {}", yes(answer.called)));
        self.verdict("calls tools", answer.called, &seen);
        let seen = format!("{} pieces", answer.call_deltas);
        if answer.called {
            self.verdict("streams a tool's arguments", answer.call_deltas > 1, &seen);
        }
        let none = Session { kind: Some(SessionKind::Realtime), tools: Some(Vec::new()), ..Session::default() };
        self.update(Session { tool_choice: Some(ToolChoice::auto()), ..none }).await;
    }

    async fn knows_semantic_vad(&mut self, dialect: Dialect) -> bool {
        let turns = TurnDetection::SemanticVad {
            eagerness: Some(Eagerness::Auto),
            create_response: Some(true),
            interrupt_response: Some(true),
        };
        let echo =
            self.update(with_input(InputAudioConfig { turn_detection: Some(Some(turns)), ..Default::default() }));
        let echo = echo.await.and_then(|s| s.audio?.input?.turn_detection?);
        let known = matches!(echo, Some(TurnDetection::SemanticVad { .. }));
        let seen = match echo {
            Some(TurnDetection::SemanticVad { .. }) => "semantic_vad echoed",
            Some(TurnDetection::ServerVad { .. }) => "server_vad echoed",
            None => "refused, or not echoed",
        };
        self.verdict("finds the end of a turn by its words", known, &format!("{seen} ({dialect:?})").to_lowercase());
        known
    }

    async fn honours_rate(&mut self, found: &mut FoundProfile) {
        let what = "takes 24 kHz";
        let echo =
            self.update(with_input(InputAudioConfig { format: Some(AudioFormat::pcm()), ..Default::default() })).await;
        match echo.and_then(|s| s.audio?.input?.format) {
            Some(format) => {
                let rate = format.rate.unwrap_or(protocol::SAMPLE_RATE);
                self.verdict(what, rate == protocol::SAMPLE_RATE, &format!("{} at {rate} echoed", format.kind));
                if rate != protocol::SAMPLE_RATE {
                    found.in_rate = rate;
                }
            }
            None => self.check(what, Verdict::Unknown, "not echoed"),
        }
    }

    /// Sends a question and a request, and follows the answer to its end.
    async fn ask(&mut self, request: ClientEvent, question: bool) -> Answer {
        if question {
            self.say(QUESTION);
        }
        self.send(&request);
        let mut answer = Answer::default();
        let due = Instant::now() + ANSWER;
        while let Some(event) = self.next_by(due).await {
            #[allow(clippy::wildcard_enum_match_arm, reason = "the rest tells nothing of the answer")]
            match event {
                ServerEvent::ResponseCreated { response } => answer.id = Some(response.id),
                ServerEvent::OutputAudioDelta { at, delta } => {
                    answer.audio_ms += delta.0.len() as u64 / 48;
                    answer.item.get_or_insert(at.item_id);
                }
                ServerEvent::OutputTranscriptDelta { .. } | ServerEvent::OutputTranscriptDone { .. } => {
                    answer.transcript = true;
                }
                ServerEvent::FunctionCallArgumentsDelta { .. } => answer.call_deltas += 1,
                ServerEvent::FunctionCallArgumentsDone { .. } => answer.called = true,
                ServerEvent::OutputItemDone { item, .. } => answer.called |= item.is_call(),
                ServerEvent::ResponseDone { response } => {
                    answer.beside = response.metadata.is_some_and(|m| m.contains_key("probe"));
                    answer.status = Some(response.status);
                    if response.status == ResponseStatus::Failed {
                        answer.error = response.status_details.and_then(|d| d.error).map(|e| e.message);
                    }
                    return answer;
                }
                ServerEvent::Error { error } => {
                    answer.error = Some(error.message);
                    if answer.id.is_none() {
                        return answer;
                    }
                }
                _ => {}
            }
        }
        answer.error.get_or_insert_with(|| "no response.done".into());
        answer
    }

    async fn update(&mut self, session: Session) -> Option<Session> {
        self.send(&ClientEvent::SessionUpdate { session: Box::new(session) });
        let due = Instant::now() + ACK;
        while let Some(event) = self.next_by(due).await {
            #[allow(clippy::wildcard_enum_match_arm, reason = "only the acknowledgement counts")]
            match event {
                ServerEvent::SessionUpdated { session } => return Some(*session),
                ServerEvent::Error { .. } => return None,
                _ => {}
            }
        }
        None
    }

    fn say(&mut self, text: &str) {
        let item = Item::message(Role::User, ContentPart::InputText { text: text.into() });
        self.send(&ClientEvent::ConversationItemCreate { previous_item_id: None, item });
    }

    fn send(&mut self, event: &ClientEvent) {
        self.sent += 1;
        let _ = self.link.send(event, &format!("probe{}", self.sent));
    }

    /// Waits for a response to end by itself.
    async fn quiet(&mut self, limit: Duration) {
        let due = Instant::now() + limit;
        while let Some(event) = self.next_by(due).await {
            if matches!(event, ServerEvent::ResponseDone { .. }) {
                return;
            }
        }
    }

    async fn next(&mut self, limit: Duration) -> Option<ServerEvent> {
        self.next_by(Instant::now() + limit).await
    }

    async fn next_by(&mut self, due: Instant) -> Option<ServerEvent> {
        loop {
            match tokio::time::timeout_at(due, self.inbox.recv()).await.ok()?? {
                LinkEvent::Message(text) => {
                    if let Ok(event) = self.link.read(&text)
                        && !matches!(event, ServerEvent::EngineStatus { .. })
                    {
                        return Some(event);
                    }
                }
                LinkEvent::Closed(end) => {
                    self.ended = Some(end_words(&end));
                    return None;
                }
            }
        }
    }

    fn verdict(&mut self, what: &str, as_it_should: bool, seen: &str) {
        self.check(what, if as_it_should { Verdict::Yes } else { Verdict::No }, seen);
    }

    fn check(&mut self, what: &str, verdict: Verdict, seen: &str) {
        self.checks.push(Check { what: what.into(), verdict, seen: seen.into() });
    }
}

fn base(transcription_model: Option<String>) -> Session {
    let transcription = Transcription { model: transcription_model, ..Transcription::default() };
    let input = InputAudioConfig {
        transcription: Some(Some(transcription)),
        turn_detection: Some(None),
        ..InputAudioConfig::default()
    };
    Session {
        kind: Some(SessionKind::Realtime),
        output_modalities: Some(vec![Modality::Audio]),
        instructions: Some("Answer in a few words.".into()),
        audio: Some(AudioConfig { input: Some(input), output: None }),
        ..Session::default()
    }
}

fn with_input(input: InputAudioConfig) -> Session {
    let audio = Some(AudioConfig { input: Some(input), output: None });
    Session { kind: Some(SessionKind::Realtime), audio, ..Session::default() }
}

fn yes(it_is: bool) -> &'static str {
    if it_is { "yes" } else { "no" }
}
