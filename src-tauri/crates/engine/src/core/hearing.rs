//! From appended audio to a user item with its words.

use protocol::{
    ApiError, ContentPart, Item, Pcm16, Role, SAMPLE_RATE, ServerEvent, TranscriptionError, TranscriptionUsage,
    TurnDetection,
};

use super::{
    EngineCore, Job, Output,
    transcript::StableWords,
    turns::{TurnEvent, Turns},
};
use crate::stages::StageError;

/// Audio kept from before the onset where the client does not say.
const PREFIX_MS: u64 = 300;
/// Audio kept while nobody speaks.
const KEPT_MS: u64 = 2000;
/// Audio kept while the detector is late, as when it is being loaded.
const UNSEEN_MS: u64 = 60_000;
/// New speech after which the words so far are written down again.
const PARTIAL_MS: u64 = 700;
/// A transcriber takes 20 s at most: longer turns are written down in pieces, cut at a pause past the first of
/// these lengths, anywhere past the second.
const PIECE_AT_PAUSE_MS: u64 = 8000;
const PIECE_MOST_MS: u64 = 18_000;
/// What the end-of-turn model looks at.
const JUDGED_MS: u64 = 8000;
/// Shortest manual commit (protocol: limits).
const COMMIT_LEAST_MS: u64 = 100;

/// The input buffer and the turn in it.
#[derive(Debug)]
pub(super) struct Hearing {
    turns: Option<Turns>,
    /// Frame number of the first kept sample.
    start: u64,
    samples: Vec<i16>,
    looked_at: u64,
    /// Frames that the detector was given, and those it never saw: it counts only the former.
    listened: u64,
    unlistened: u64,
    /// Its reports up to here are of before it was switched off.
    deaf_until: u64,
    prefix_ms: u64,
    turn: Option<Turn>,
    transcribing: Option<Transcribing>,
    judging: Option<Job>,
    /// Committed turns that wait for their words are finished in order; there is at most one but for manual commits.
    waiting: Vec<Turn>,
}

/// A stretch of speech that becomes a user item.
#[derive(Debug)]
struct Turn {
    item_id: String,
    begin: u64,
    piece_begin: u64,
    pieces: Vec<String>,
    stable: StableWords,
    last_partial: u64,
    paused: bool,
    /// Words of everything up to the pause that runs.
    candidate: Option<Result<String, StageError>>,
    /// Manual commits get no answer by themselves.
    by_client: bool,
    /// A piece that could not be written down.
    lost: Option<StageError>,
    /// Audio that is still to be written down, once the turn is over.
    rest: Option<Pcm16>,
    /// Of the whole turn, once it is over.
    frames: u64,
}

#[derive(Debug)]
struct Transcribing {
    job: Job,
    item_id: String,
    upto: u64,
    why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Partial,
    Pause,
    Piece,
    Last,
}

impl Hearing {
    pub fn new() -> Self {
        let config = TurnDetection::ServerVad {
            threshold: None,
            prefix_padding_ms: None,
            silence_duration_ms: None,
            idle_timeout_ms: None,
            create_response: None,
            interrupt_response: None,
        };
        Self {
            turns: Some(Turns::new(&config)),
            start: 0,
            samples: Vec::new(),
            looked_at: 0,
            listened: 0,
            unlistened: 0,
            deaf_until: 0,
            prefix_ms: PREFIX_MS,
            turn: None,
            transcribing: None,
            judging: None,
            waiting: Vec::new(),
        }
    }

    pub fn configure(&mut self, config: &TurnDetection) {
        self.prefix_ms = match config {
            TurnDetection::ServerVad { prefix_padding_ms, .. } => prefix_padding_ms.unwrap_or(PREFIX_MS).min(KEPT_MS),
            TurnDetection::SemanticVad { .. } => PREFIX_MS,
        };
        match &mut self.turns {
            Some(turns) => turns.configure(config),
            None => {
                self.turns = Some(Turns::new(config));
                self.deaf_until = self.listened;
                self.looked_at = self.end();
            }
        }
    }

    /// Leaves turns to the client.
    pub fn disable(&mut self) {
        self.turns = None;
        self.turn = None;
    }

    /// Returns whether a committed turn waits for its words.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn end(&self) -> u64 {
        self.start + self.samples.len() as u64
    }

    fn slice(&self, from: u64, to: u64) -> Pcm16 {
        let at = |frame: u64| (frame.saturating_sub(self.start) as usize).min(self.samples.len());
        Pcm16(self.samples[at(from)..at(to).max(at(from))].to_vec())
    }

    /// Forgets audio that no turn needs.
    fn trim(&mut self) {
        let keep = match &self.turn {
            _ if self.turns.is_none() => return,
            Some(turn) => turn.piece_begin.min(self.end().saturating_sub(Pcm16::frames_in(JUDGED_MS))),
            // What the detector has not looked at may hold a turn; a detector that never looks must not fill the memory.
            None => (self.end().min(self.looked_at).saturating_sub(Pcm16::frames_in(KEPT_MS)))
                .max(self.end().saturating_sub(Pcm16::frames_in(UNSEEN_MS))),
        };
        // In steps of a second, so that the front is not moved on every append.
        if keep > self.start + Pcm16::frames_in(1000) {
            self.samples.drain(..(keep - self.start) as usize);
            self.start = keep;
        }
    }
}

impl EngineCore {
    pub(super) fn handle_audio(&mut self, pcm: Pcm16) {
        if pcm.0.is_empty() {
            return;
        }
        self.hearing.samples.extend_from_slice(&pcm.0);
        if self.hearing.turns.is_some() {
            self.hearing.listened += pcm.frames();
            self.out.push_back(Output::Listen(pcm));
        } else {
            self.hearing.unlistened += pcm.frames();
            // Manual turns are held to what a client may append at once many times over: ten minutes.
            let most = Pcm16::frames_in(600_000) as usize;
            let excess = self.hearing.samples.len().saturating_sub(most);
            self.hearing.samples.drain(..excess);
            self.hearing.start += excess as u64;
            self.hearing.looked_at = self.hearing.end();
        }
        self.hearing.trim();
    }

    pub(super) fn clear_input(&mut self) {
        self.hearing.start = self.hearing.end();
        self.hearing.samples.clear();
        self.hearing.turn = None;
        if let Some(turns) = &mut self.hearing.turns {
            turns.reset();
        }
        self.drop_speculation();
    }

    pub(super) fn handle_commit(&mut self) -> Result<(), ApiError> {
        let begin = self.hearing.turn.as_ref().map_or(self.hearing.start, |t| t.begin);
        let end = self.hearing.end();
        let ms = Pcm16::ms_in(end - begin.min(end));
        if ms < COMMIT_LEAST_MS {
            let words = format!(
                "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio, but buffer only has {ms} ms of audio."
            );
            return Err(ApiError::invalid_request("input_audio_buffer_commit_empty", words));
        }
        self.drop_speculation();
        let mut turn = match self.hearing.turn.take() {
            Some(turn) => turn,
            None => {
                let item_id = self.name("item");
                Turn::new(item_id, begin)
            }
        };
        if let Some(turns) = &mut self.hearing.turns {
            turns.reset();
        }
        turn.by_client = true;
        turn.candidate = None;
        self.finish_audio(turn, end);
        self.hearing.start = end;
        self.hearing.samples.clear();
        Ok(())
    }

    pub(super) fn handle_window(&mut self, end: u64, probability: f32) {
        if end <= self.hearing.deaf_until {
            return;
        }
        let end = end + self.hearing.unlistened;
        let begin = std::mem::replace(&mut self.hearing.looked_at, end);
        let Some(turns) = &mut self.hearing.turns else { return };
        for event in turns.handle_window(begin, end, probability) {
            match event {
                TurnEvent::Onset { start } => self.handle_onset(start),
                TurnEvent::Pause => self.handle_pause(),
                TurnEvent::Resume => self.handle_resume(),
                TurnEvent::Judge => self.judge(),
                TurnEvent::End { end } => self.handle_end(end),
            }
        }
        self.transcribe_next();
    }

    fn handle_onset(&mut self, start: u64) {
        let begin = start.saturating_sub(Pcm16::frames_in(self.hearing.prefix_ms)).max(self.hearing.start);
        let item_id = self.name("item");
        self.hearing.turn = Some(Turn::new(item_id.clone(), begin));
        self.send(ServerEvent::SpeechStarted { item_id, audio_start_ms: Pcm16::ms_in(begin) });
        let (_, interrupt) = self.create_and_interrupt();
        if interrupt {
            self.interrupt();
        }
    }

    fn handle_pause(&mut self) {
        if let Some(turn) = &mut self.hearing.turn {
            turn.paused = true;
        }
    }

    fn handle_resume(&mut self) {
        if let Some(turn) = &mut self.hearing.turn {
            turn.paused = false;
            turn.candidate = None;
        }
        if let Some(asked) = self.hearing.transcribing.as_mut().filter(|t| t.why == Why::Pause) {
            asked.why = Why::Partial;
        }
        self.hearing.judging = None;
        self.drop_speculation();
    }

    fn judge(&mut self) {
        let Some(turn) = &self.hearing.turn else { return };
        let end = self.hearing.end();
        let pcm = self.hearing.slice(turn.begin.max(end.saturating_sub(Pcm16::frames_in(JUDGED_MS))), end);
        let job = self.job();
        self.hearing.judging = Some(job);
        self.out.push_back(Output::Judge { job, pcm });
    }

    pub(super) fn handle_judged(&mut self, job: Job, probability: f32) {
        if self.hearing.judging == Some(job)
            && let Some(turns) = &mut self.hearing.turns
        {
            turns.handle_judgement(probability);
        }
    }

    fn handle_end(&mut self, end: u64) {
        let Some(turn) = self.hearing.turn.take() else { return };
        let item_id = turn.item_id.clone();
        self.send(ServerEvent::SpeechStopped { item_id, audio_end_ms: Pcm16::ms_in(end) });
        self.finish_audio(turn, end);
    }

    /// A turn is over: its item enters the conversation, its words may still be on their way.
    fn finish_audio(&mut self, mut turn: Turn, end: u64) {
        turn.frames = end.saturating_sub(turn.begin);
        let previous_item_id = self.context.last_id();
        let part = ContentPart::InputAudio { audio: None, transcript: None };
        let item = Item {
            id: Some(turn.item_id.clone()),
            object: Some("realtime.item".into()),
            status: Some("completed".into()),
            ..Item::message(Role::User, part)
        };
        self.send(ServerEvent::Committed { item_id: turn.item_id.clone(), previous_item_id: previous_item_id.clone() });
        self.send(ServerEvent::ItemAdded { previous_item_id: previous_item_id.clone(), item: item.clone() });
        self.send(ServerEvent::ItemDone { previous_item_id, item: item.clone() });
        self.context.push(item);
        if let Some(words) = turn.candidate.take() {
            self.finish_words(turn, words);
        } else {
            let asked = self.hearing.transcribing.as_mut().filter(|t| t.item_id == turn.item_id);
            let from = match asked {
                // The pause that ended the turn is being written down: its words are all that is missing.
                Some(asked) if asked.why == Why::Pause => {
                    asked.why = Why::Last;
                    end
                }
                Some(asked) if asked.why == Why::Piece => asked.upto,
                Some(_) | None => turn.piece_begin,
            };
            turn.rest = Some(self.hearing.slice(from, end));
            self.hearing.waiting.push(turn);
            self.transcribe_next();
        }
    }

    /// Gives the transcriber its next work, the most useful first.
    fn transcribe_next(&mut self) {
        if self.hearing.transcribing.is_some() {
            return;
        }
        let end = self.hearing.end();
        let (item_id, pcm, upto, why) = if let Some(turn) = self.hearing.waiting.first_mut() {
            let most = Pcm16::frames_in(PIECE_MOST_MS) as usize;
            let rest = turn.rest.get_or_insert_default();
            let why = if rest.0.len() > most { Why::Piece } else { Why::Last };
            let pcm = Pcm16(rest.0.drain(..rest.0.len().min(most)).collect());
            (turn.item_id.clone(), pcm, end, why)
        } else if let Some(turn) = &self.hearing.turn {
            let length = Pcm16::ms_in(end.saturating_sub(turn.piece_begin));
            let new = Pcm16::ms_in(end.saturating_sub(turn.last_partial));
            let why = if length >= PIECE_MOST_MS {
                Why::Piece
            } else if !self.ahead.transcribe {
                return;
            } else if turn.paused && turn.candidate.is_none() {
                Why::Pause
            } else if !turn.paused && new >= PARTIAL_MS {
                Why::Partial
            } else {
                return;
            };
            let upto = end.min(turn.piece_begin + Pcm16::frames_in(PIECE_MOST_MS));
            (turn.item_id.clone(), self.hearing.slice(turn.piece_begin, upto), upto, why)
        } else {
            return;
        };
        let job = self.job();
        self.hearing.transcribing = Some(Transcribing { job, item_id, upto, why });
        self.out.push_back(Output::Transcribe { job, pcm });
    }

    pub(super) fn handle_transcribed(&mut self, job: Job, result: Result<String, StageError>) {
        let Some(asked) = self.hearing.transcribing.take_if(|t| t.job == job) else { return };
        let waiting = self.hearing.waiting.iter().position(|t| t.item_id == asked.item_id);
        if let Some(index) = waiting {
            match asked.why {
                Why::Last => {
                    let turn = self.hearing.waiting.remove(index);
                    let words = result.map(|words| turn.words(&words));
                    self.finish_words(turn, words);
                }
                Why::Piece => {
                    let turn = &mut self.hearing.waiting[index];
                    match result {
                        Ok(words) => turn.pieces.push(words),
                        Err(error) => turn.lost = Some(error),
                    }
                }
                // Asked while the turn ran, answered after its end: all of it is written down once more.
                Why::Partial | Why::Pause => {}
            }
        } else if let Some(turn) = self.hearing.turn.as_mut().filter(|t| t.item_id == asked.item_id) {
            turn.last_partial = asked.upto;
            let words = match result {
                Ok(words) => words,
                Err(error) => {
                    match asked.why {
                        Why::Pause => turn.candidate = Some(Err(error)),
                        Why::Piece => {
                            turn.lost = Some(error);
                            turn.piece_begin = asked.upto;
                        }
                        Why::Partial | Why::Last => {}
                    }
                    return self.transcribe_next();
                }
            };
            let all = turn.words(&words);
            match asked.why {
                Why::Pause if turn.paused => {
                    turn.candidate = Some(Ok(all.clone()));
                    let length = Pcm16::ms_in(asked.upto.saturating_sub(turn.piece_begin));
                    if length >= PIECE_AT_PAUSE_MS {
                        turn.pieces.push(words);
                        turn.piece_begin = asked.upto;
                    }
                    self.speculate(&all);
                }
                Why::Piece => {
                    turn.pieces.push(words);
                    turn.piece_begin = asked.upto;
                }
                Why::Partial | Why::Pause | Why::Last => self.show_partial(&all),
            }
        }
        self.transcribe_next();
    }

    fn show_partial(&mut self, all: &str) {
        let wanted = self.wants_transcripts();
        let Some(turn) = &mut self.hearing.turn else { return };
        let item_id = turn.item_id.clone();
        if let Some(delta) = turn.stable.push(all)
            && wanted
        {
            self.send(ServerEvent::InputTranscriptionDelta { item_id, content_index: 0, delta });
        }
        // The last word may still change; what is before it is worth reading ahead.
        if let Some((sure, _)) = all.rsplit_once(' ') {
            let messages = self.context.prompt_with(self.instructions(), sure);
            self.prefill(messages);
        }
    }

    fn finish_words(&mut self, mut turn: Turn, words: Result<String, StageError>) {
        let (create, interrupt) = self.create_and_interrupt();
        let item_id = turn.item_id.clone();
        let words = match turn.lost.take() {
            Some(error) => Err(error),
            None => words,
        };
        match words {
            Err(error) => {
                self.drop_speculation();
                if turn.by_client {
                    self.answer_nothing();
                }
                let error = TranscriptionError { code: Some("transcription_failed".into()), message: error.0 };
                self.send(ServerEvent::InputTranscriptionFailed { item_id, content_index: 0, error });
            }
            Ok(words) => {
                let words = words.trim().to_owned();
                if self.wants_transcripts() {
                    if let Some(delta) = turn.stable.finish(&words) {
                        let item_id = item_id.clone();
                        self.send(ServerEvent::InputTranscriptionDelta { item_id, content_index: 0, delta });
                    }
                    let (item_id, transcript) = (item_id.clone(), words.clone());
                    let usage =
                        Some(TranscriptionUsage::Duration { seconds: turn.frames as f64 / f64::from(SAMPLE_RATE) });
                    self.send(ServerEvent::InputTranscriptionCompleted {
                        item_id,
                        content_index: 0,
                        transcript,
                        usage,
                    });
                }
                if words.is_empty() {
                    if turn.by_client {
                        self.answer_nothing();
                    }
                    // Nothing was said: a cough or a door. It leaves no trace and gets no answer.
                    self.drop_speculation();
                    self.context.remove(&item_id);
                    self.send(ServerEvent::ItemDeleted { item_id });
                } else {
                    if let Some(entry) = self.context.get_mut(&item_id) {
                        let part = ContentPart::InputAudio { audio: None, transcript: Some(words.clone()) };
                        entry.item.content = Some(vec![part]);
                    }
                    // A user who speaks again would be talked over; the next turn's answer takes these words in, too.
                    if create && !turn.by_client && !(interrupt && self.hearing.turn.is_some()) {
                        self.answer(&words);
                    }
                }
            }
        }
        self.create_queued();
    }
}

impl Turn {
    fn new(item_id: String, begin: u64) -> Self {
        Self {
            item_id,
            begin,
            piece_begin: begin,
            pieces: Vec::new(),
            stable: StableWords::default(),
            last_partial: begin,
            paused: false,
            candidate: None,
            by_client: false,
            lost: None,
            rest: None,
            frames: 0,
        }
    }

    fn words(&self, last: &str) -> String {
        let pieces = self.pieces.iter().map(String::as_str).chain([last]);
        pieces.map(str::trim).filter(|p| !p.is_empty()).collect::<Vec<_>>().join(" ")
    }
}
