//! One response, from its first word to `response.done`.

use std::collections::{BTreeMap, VecDeque};

use protocol::{
    ApiError, At, ContentPart, Item, Modality, Pcm16, Response, ResponseStatus, Role, ServerEvent, StatusDetails,
    TokenDetails, Usage,
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
    pcm: Option<Pcm16>,
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
        let (response, item) = (Box::new(self.wire(ResponseStatus::InProgress)), self.item("in_progress"));
        self.emit(ServerEvent::ResponseCreated { response }, out);
        let response_id = self.plan.response_id.clone();
        self.emit(ServerEvent::OutputItemAdded { response_id, output_index: 0, item: item.clone() }, out);
        if self.plan.conversation_id.is_some() {
            let previous_item_id = self.plan.previous_item_id.clone();
            self.emit(ServerEvent::ItemAdded { previous_item_id, item }, out);
        }
        let part = self.part(String::new());
        self.emit(ServerEvent::ContentPartAdded { at: self.at(), part }, out);
    }

    pub fn handle_text(&mut self, delta: &str, out: &mut VecDeque<Output>) {
        let delta = if self.wrote { delta } else { delta.trim_start() };
        if delta.is_empty() {
            return;
        }
        self.wrote = true;
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

    pub fn handle_spoken(&mut self, piece: usize, result: Result<Pcm16, StageError>, out: &mut VecDeque<Output>) {
        let pcm = result.unwrap_or_else(|error| {
            self.failure = Some(error);
            Pcm16::default()
        });
        if let Some(piece) = self.pieces.get_mut(piece) {
            piece.pcm = Some(pcm);
        }
        while let Some(Piece { text, pcm: Some(pcm) }) = self.pieces.get_mut(self.emitted) {
            let (text, pcm) = (text.clone(), std::mem::take(pcm));
            self.emitted += 1;
            self.text.push_str(&text);
            self.spoken.push(Spoken { chars: text.chars().count(), frames: pcm.frames() });
            self.emit(ServerEvent::OutputTranscriptDelta { at: self.at(), delta: text }, out);
            for chunk in pcm.0.chunks(DELTA) {
                let delta = Pcm16(chunk.to_vec()).to_bytes();
                self.emit(ServerEvent::OutputAudioDelta { at: self.at(), delta }, out);
            }
        }
    }

    /// Returns how the response has ended, if everything of it has been said.
    pub fn end(&self) -> Option<End> {
        if self.failure.is_some() {
            return Some(End::Failed);
        }
        (self.written.is_some() && self.emitted == self.pieces.len()).then_some(End::Completed)
    }

    /// Emits the tail; returns the item as it stays, with where its words lie in its audio.
    pub fn finish(mut self, end: &End, out: &mut VecDeque<Output>) -> (Item, Vec<Spoken>) {
        if !self.begun {
            self.begin(out);
        }
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
        let item = self.item(if matches!(end, End::Completed) { "completed" } else { "incomplete" });
        if self.plan.conversation_id.is_some() {
            let previous_item_id = self.plan.previous_item_id.clone();
            self.emit(ServerEvent::ItemDone { previous_item_id, item: item.clone() }, out);
        }
        let response_id = self.plan.response_id.clone();
        self.emit(ServerEvent::OutputItemDone { response_id, output_index: 0, item: item.clone() }, out);
        let mut response = self.wire(self.status(end));
        response.status_details = self.details(end);
        response.output = vec![item.clone()];
        response.usage = Some(usage(self.written.unwrap_or_default()));
        self.emit(ServerEvent::ResponseDone { response: Box::new(response) }, out);
        (item, self.spoken)
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
        self.pieces.push(Piece { text, pcm: None });
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

    fn part(&self, text: String) -> ContentPart {
        match self.plan.modality {
            Modality::Audio => ContentPart::output_audio(text),
            Modality::Text => ContentPart::OutputText { text },
        }
    }

    fn at(&self) -> At {
        At {
            response_id: self.plan.response_id.clone(),
            item_id: self.plan.item_id.clone(),
            output_index: 0,
            content_index: 0,
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
