//! One response, from its first word to `response.done`.

use std::collections::{BTreeMap, VecDeque};

use protocol::{
    ApiError, At, CallAt, ContentPart, Item, Modality, Pcm16, Response, ResponseStatus, Role, ServerEvent,
    StatusDetails, StreamPart, TokenDetails, Usage,
};

use super::{Job, Output, chunker::Chunker, context::Spoken};
use crate::stages::{Finish, StageError};

/// Frames in one audio delta: 200 ms.
const DELTA: usize = 4800;

/// A response that is being made.
#[derive(Debug)]
pub(super) struct Running {
    pub job: Job,
    pub plan: Plan,
    /// The user's words that a speculative response answers.
    pub answers: Option<String>,
    /// Events of a speculative response, until its turn is taken.
    held: Option<Vec<ServerEvent>>,
    chunker: Chunker,
    pieces: Vec<Piece>,
    emitted: usize,
    text: String,
    spoken: Vec<Spoken>,
    written: Option<Finish>,
    failure: Option<StageError>,
    begun: bool,
    wrote: bool,
    /// Where the message stands among the response's items; none before its first word.
    message_index: Option<u32>,
    calls: Vec<Made>,
}

/// A call that is being made.
#[derive(Debug)]
struct Made {
    index: usize,
    output_index: u32,
    item_id: String,
    call_id: String,
    name: String,
    arguments: String,
}

/// What a response is to be.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub response_id: String,
    pub item_id: String,
    /// None beside the conversation.
    pub conversation_id: Option<String>,
    pub modality: Modality,
    pub voice: String,
    pub speed: f32,
    pub metadata: Option<BTreeMap<String, String>>,
    pub previous_item_id: Option<String>,
}

#[derive(Debug)]
struct Piece {
    text: String,
    /// Speech that is not told yet.
    pcm: Pcm16,
    /// Whether some of it has been told.
    begun: bool,
    /// Whether all its speech is here.
    done: bool,
}

/// How a response ended.
#[derive(Debug)]
pub(super) enum End {
    Completed,
    Cancelled { reason: &'static str },
    Failed,
}

impl Running {
    pub fn new(job: Job, plan: Plan) -> Self {
        Self {
            job,
            plan,
            answers: None,
            held: None,
            chunker: Chunker::default(),
            pieces: Vec::new(),
            emitted: 0,
            text: String::new(),
            spoken: Vec::new(),
            written: None,
            failure: None,
            begun: false,
            wrote: false,
            message_index: None,
            calls: Vec::new(),
        }
    }

    /// Keeps its events back until [`Self::release`].
    pub fn hold(&mut self, answers: String) {
        self.answers = Some(answers);
        self.held = Some(Vec::new());
    }

    /// Lets its events out, behind the item that it answers.
    pub fn release(&mut self, behind: Option<String>, out: &mut VecDeque<Output>) {
        self.plan.previous_item_id.clone_from(&behind);
        for mut event in self.held.take().into_iter().flatten() {
            if let ServerEvent::ItemAdded { previous_item_id, .. } = &mut event {
                previous_item_id.clone_from(&behind);
            }
            self.emit(event, out);
        }
    }

    pub fn is_held(&self) -> bool {
        self.held.is_some()
    }

    pub fn begin(&mut self, out: &mut VecDeque<Output>) {
        self.begun = true;
        let response = Box::new(self.wire(ResponseStatus::InProgress));
        self.emit(ServerEvent::ResponseCreated { response }, out);
    }

    /// Begins the message, with its first word: a response may consist of calls alone.
    fn begin_message(&mut self, out: &mut VecDeque<Output>) {
        if self.message_index.is_some() {
            return;
        }
        self.message_index = Some(self.next_index());
        let item = self.item("in_progress");
        self.begin_item(item, self.at().output_index, out);
        let part = self.part(String::new());
        self.emit(ServerEvent::ContentPartAdded { at: self.at(), part }, out);
    }

    fn begin_item(&mut self, item: Item, output_index: u32, out: &mut VecDeque<Output>) {
        let response_id = self.plan.response_id.clone();
        self.emit(ServerEvent::OutputItemAdded { response_id, output_index, item: item.clone() }, out);
        if self.plan.conversation_id.is_some() {
            let previous_item_id = self.previous_of(output_index);
            self.emit(ServerEvent::ItemAdded { previous_item_id, item }, out);
        }
    }

    fn next_index(&self) -> u32 {
        self.calls.len() as u32 + u32::from(self.message_index.is_some())
    }

    /// Returns the item that the one at `output_index` stands behind.
    fn previous_of(&self, output_index: u32) -> Option<String> {
        let Some(before) = output_index.checked_sub(1) else { return self.plan.previous_item_id.clone() };
        if self.message_index == Some(before) {
            return Some(self.plan.item_id.clone());
        }
        self.calls.iter().find(|c| c.output_index == before).map(|c| c.item_id.clone())
    }

    pub fn handle_call(&mut self, index: usize, name: &str, arguments: &str, out: &mut VecDeque<Output>) {
        let known = self.calls.iter().position(|c| c.index == index);
        let at = known.unwrap_or_else(|| {
            let own = self.plan.response_id.trim_start_matches("resp_");
            let made = Made {
                index,
                output_index: self.next_index(),
                item_id: format!("item_{own}f{index}"),
                call_id: format!("call_{own}f{index}"),
                name: name.to_owned(),
                arguments: String::new(),
            };
            self.calls.push(made);
            let (item, output_index) = (self.calls[self.calls.len() - 1].item("in_progress"), self.next_index() - 1);
            self.begin_item(item, output_index, out);
            self.calls.len() - 1
        });
        if arguments.is_empty() {
            return;
        }
        self.calls[at].arguments.push_str(arguments);
        let (at, call_id) = (self.at_call(at), self.calls[at].call_id.clone());
        self.emit(ServerEvent::FunctionCallArgumentsDelta { at, call_id, delta: arguments.to_owned() }, out);
    }

    fn at_call(&self, n: usize) -> CallAt {
        let call = &self.calls[n];
        CallAt {
            response_id: self.plan.response_id.clone(),
            item_id: call.item_id.clone(),
            output_index: call.output_index,
        }
    }

    pub fn handle_text(&mut self, delta: &str, out: &mut VecDeque<Output>) {
        let delta = if self.wrote { delta } else { delta.trim_start() };
        if delta.is_empty() {
            return;
        }
        self.wrote = true;
        self.begin_message(out);
        if self.plan.modality == Modality::Text {
            self.text.push_str(delta);
            self.emit(ServerEvent::OutputTextDelta { at: self.at(), delta: delta.to_owned() }, out);
            return;
        }
        for piece in self.chunker.push(delta) {
            self.speak(piece, out);
        }
    }

    pub fn handle_text_done(&mut self, result: Result<Finish, StageError>, out: &mut VecDeque<Output>) {
        match result {
            Ok(finish) => self.written = Some(finish),
            Err(error) => self.failure = Some(error),
        }
        if let Some(rest) = self.chunker.finish() {
            self.speak(rest.trim_end().to_owned(), out);
        }
    }

    /// Takes a part of a piece's speech.
    pub fn handle_speech(&mut self, piece: usize, pcm: Pcm16, out: &mut VecDeque<Output>) {
        if let Some(piece) = self.pieces.get_mut(piece) {
            piece.pcm.0.extend(pcm.0);
        }
        self.tell(out);
    }

    /// Takes the rest of a piece's speech.
    pub fn handle_spoken(&mut self, piece: usize, result: Result<Pcm16, StageError>, out: &mut VecDeque<Output>) {
        let pcm = result.unwrap_or_else(|error| {
            self.failure = Some(error);
            Pcm16::default()
        });
        if let Some(piece) = self.pieces.get_mut(piece) {
            piece.pcm.0.extend(pcm.0);
            piece.done = true;
        }
        self.tell(out);
    }

    /// Tells the client what is spoken, in order: a piece's words with its first sound.
    fn tell(&mut self, out: &mut VecDeque<Output>) {
        while let Some(piece) = self.pieces.get_mut(self.emitted).filter(|p| p.done || !p.pcm.0.is_empty()) {
            let (pcm, done, first) = (std::mem::take(&mut piece.pcm), piece.done, !piece.begun);
            piece.begun = true;
            if first {
                let text = piece.text.clone();
                self.text.push_str(&text);
                self.spoken.push(Spoken { chars: text.chars().count(), frames: 0 });
                self.emit(ServerEvent::OutputTranscriptDelta { at: self.at(), delta: text }, out);
            }
            if let Some(spoken) = self.spoken.last_mut() {
                spoken.frames += pcm.frames();
            }
            for chunk in pcm.0.chunks(DELTA) {
                let delta = Pcm16(chunk.to_vec()).to_bytes();
                self.emit(ServerEvent::OutputAudioDelta { at: self.at(), delta }, out);
            }
            if !done {
                return;
            }
            self.emitted += 1;
        }
    }

    /// Returns how the response has ended, if everything of it has been said.
    pub fn end(&self) -> Option<End> {
        if self.failure.is_some() {
            return Some(End::Failed);
        }
        (self.written.is_some() && self.emitted == self.pieces.len()).then_some(End::Completed)
    }

    /// Emits the tail; returns the items as they stay, with where their words lie in their audio.
    pub fn finish(mut self, end: &End, out: &mut VecDeque<Output>) -> Vec<(Item, Vec<Spoken>)> {
        if !self.begun {
            self.begin(out);
        }
        if matches!(end, End::Failed) {
            self.tell_unspoken(out);
        }
        if self.calls.is_empty() {
            self.begin_message(out);
        }
        let status = if matches!(end, End::Completed) { "completed" } else { "incomplete" };
        let mut items: Vec<(u32, Item, Vec<Spoken>)> = Vec::new();
        if let Some(output_index) = self.message_index {
            self.finish_message(out);
            items.push((output_index, self.item(status), std::mem::take(&mut self.spoken)));
        }
        for n in 0..self.calls.len() {
            let (at, call) = (self.at_call(n), &self.calls[n]);
            let (call_id, name, arguments) = (call.call_id.clone(), Some(call.name.clone()), call.arguments.clone());
            items.push((call.output_index, call.item(status), Vec::new()));
            // A call that was cut off is not done.
            if matches!(end, End::Completed) {
                self.emit(ServerEvent::FunctionCallArgumentsDone { at, call_id, name, arguments }, out);
            }
        }
        items.sort_by_key(|(output_index, ..)| *output_index);
        for (output_index, item, _) in &items {
            if self.plan.conversation_id.is_some() {
                let previous_item_id = self.previous_of(*output_index);
                self.emit(ServerEvent::ItemDone { previous_item_id, item: item.clone() }, out);
            }
            let (response_id, output_index) = (self.plan.response_id.clone(), *output_index);
            self.emit(ServerEvent::OutputItemDone { response_id, output_index, item: item.clone() }, out);
        }
        let mut response = self.wire(self.status(end));
        response.status_details = self.details(end);
        response.output = items.iter().map(|(_, item, _)| item.clone()).collect();
        response.usage = Some(usage(self.written.unwrap_or_default()));
        self.emit(ServerEvent::ResponseDone { response: Box::new(response) }, out);
        items.into_iter().map(|(_, item, spoken)| (item, spoken)).collect()
    }

    /// Tells what was written and could not be spoken: it can still be read.
    fn tell_unspoken(&mut self, out: &mut VecDeque<Output>) {
        let unspoken: String = self.pieces.iter().filter(|p| !p.begun).map(|p| p.text.as_str()).collect();
        if !unspoken.is_empty() {
            self.text.push_str(&unspoken);
            self.emit(ServerEvent::OutputTranscriptDelta { at: self.at(), delta: unspoken }, out);
        }
    }

    fn finish_message(&mut self, out: &mut VecDeque<Output>) {
        let at = self.at();
        match self.plan.modality {
            Modality::Audio => {
                self.emit(ServerEvent::OutputAudioDone { at: at.clone() }, out);
                let transcript = self.text.clone();
                self.emit(ServerEvent::OutputTranscriptDone { at: at.clone(), transcript }, out);
            }
            Modality::Text => {
                let text = self.text.clone();
                self.emit(ServerEvent::OutputTextDone { at: at.clone(), text }, out);
            }
        }
        let part = self.part(self.text.clone());
        self.emit(ServerEvent::ContentPartDone { at, part }, out);
    }

    fn speak(&mut self, text: String, out: &mut VecDeque<Output>) {
        let piece = self.pieces.len();
        out.push_back(Output::Speak {
            job: self.job,
            piece,
            text: text.clone(),
            voice: self.plan.voice.clone(),
            speed: self.plan.speed,
        });
        self.pieces.push(Piece { text, pcm: Pcm16::default(), begun: false, done: false });
    }

    fn emit(&mut self, event: ServerEvent, out: &mut VecDeque<Output>) {
        match &mut self.held {
            Some(held) => held.push(event),
            None => out.push_back(Output::Send(Box::new(event))),
        }
    }

    fn status(&self, end: &End) -> ResponseStatus {
        match end {
            End::Completed if self.written.is_some_and(|w| w.truncated) => ResponseStatus::Incomplete,
            End::Completed => ResponseStatus::Completed,
            End::Cancelled { .. } => ResponseStatus::Cancelled,
            End::Failed => ResponseStatus::Failed,
        }
    }

    fn details(&self, end: &End) -> Option<StatusDetails> {
        let details = |kind: &str, reason: Option<&str>, error| {
            Some(StatusDetails { kind: Some(kind.into()), reason: reason.map(str::to_owned), error })
        };
        match (self.status(end), end) {
            (_, End::Cancelled { reason }) => details("cancelled", Some(reason), None),
            (_, End::Failed) => {
                let words = self.failure.as_ref().map(|f| f.0.clone()).unwrap_or_default();
                details("failed", None, Some(ApiError::server("server_error", words)))
            }
            (ResponseStatus::Incomplete, End::Completed) => details("incomplete", Some("max_output_tokens"), None),
            (_, End::Completed) => None,
        }
    }

    fn wire(&self, status: ResponseStatus) -> Response {
        Response {
            id: self.plan.response_id.clone(),
            object: Some("realtime.response".into()),
            status,
            conversation_id: self.plan.conversation_id.clone(),
            output_modalities: Some(vec![self.plan.modality]),
            metadata: self.plan.metadata.clone(),
            ..Response::default()
        }
    }

    fn item(&self, status: &str) -> Item {
        let content = if status == "in_progress" {
            Vec::new()
        } else {
            match self.plan.modality {
                Modality::Audio => vec![ContentPart::output_audio(self.text.clone())],
                Modality::Text => vec![ContentPart::OutputText { text: self.text.clone() }],
            }
        };
        Item {
            id: Some(self.plan.item_id.clone()),
            object: Some("realtime.item".into()),
            kind: "message".into(),
            status: Some(status.into()),
            role: Some(Role::Assistant),
            content: Some(content),
            ..Item::default()
        }
    }

    fn part(&self, text: String) -> StreamPart {
        match self.plan.modality {
            Modality::Audio => StreamPart { kind: "audio".into(), transcript: Some(text), text: None },
            Modality::Text => StreamPart { kind: "text".into(), text: Some(text), transcript: None },
        }
    }

    fn at(&self) -> At {
        At {
            response_id: self.plan.response_id.clone(),
            item_id: self.plan.item_id.clone(),
            output_index: self.message_index.unwrap_or_default(),
            content_index: 0,
        }
    }
}

impl Made {
    fn item(&self, status: &str) -> Item {
        Item {
            id: Some(self.item_id.clone()),
            object: Some("realtime.item".into()),
            kind: "function_call".into(),
            status: Some(status.into()),
            call_id: Some(self.call_id.clone()),
            name: Some(self.name.clone()),
            arguments: Some(self.arguments.clone()),
            ..Item::default()
        }
    }
}

fn usage(finish: Finish) -> Usage {
    let details = |text_tokens, cached_tokens| TokenDetails { text_tokens, cached_tokens, ..TokenDetails::default() };
    Usage {
        total_tokens: finish.prompt_tokens + finish.output_tokens,
        input_tokens: finish.prompt_tokens,
        output_tokens: finish.output_tokens,
        input_token_details: details(finish.prompt_tokens, Some(finish.cached_tokens)),
        output_token_details: details(finish.output_tokens, None),
    }
}
