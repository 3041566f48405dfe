//! The rules of a Realtime server, without I/O: what a client said and what stages report, in; events and work, out.
//!
//! Cannot fail: what a client sends wrong is answered by an `error` event, what a stage cannot do becomes a failed
//! transcription or response. Drain [`EngineCore::poll`] to `None` after every [`EngineCore::handle`].

mod chunker;
mod configure;
mod context;
mod conversation;
mod hearing;
mod responding;
mod response;
mod transcript;
mod turns;

use std::collections::VecDeque;

use protocol::{ApiError, ClientEvent, EngineState, ParseError, Pcm16, PcmCarry, ServerEvent, Session};

use crate::stages::{Finish, Message, Request, StageError, Written};
use context::Context;
use hearing::Hearing;
use response::Running;

/// Names a piece of work; later work has a higher number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Job(pub u64);

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// A message of the client, read or unreadable.
    Client(Result<(Option<String>, ClientEvent), ParseError>),
    /// A stage has something.
    Stage(StageReport),
    /// Loading went on, or a model is broken.
    Loading(EngineState),
}

/// What a stage has to say.
#[derive(Clone, Debug)]
pub enum StageReport {
    /// A window of audio was looked at.
    Window {
        /// Its end, in frames at 24 kHz of what was sent to the detector.
        end: u64,
        /// Of speech.
        probability: f32,
    },
    /// A pause was judged.
    Judged {
        /// As asked.
        job: Job,
        /// That the speaker has finished.
        probability: f32,
    },
    /// Speech was written down.
    Transcribed {
        /// As asked.
        job: Job,
        /// The words.
        result: Result<String, StageError>,
    },
    /// The language model wrote more.
    Written {
        /// As asked.
        job: Job,
        /// Words, or a piece of a call.
        written: Written,
    },
    /// The language model is done.
    TextDone {
        /// As asked.
        job: Job,
        /// How it ended.
        result: Result<Finish, StageError>,
    },
    /// A part of a piece was spoken.
    Speech {
        /// As asked.
        job: Job,
        /// Which piece of the answer.
        piece: usize,
        /// More of its speech.
        pcm: Pcm16,
    },
    /// A piece was spoken to its end.
    Spoken {
        /// As asked.
        job: Job,
        /// Which piece of the answer.
        piece: usize,
        /// The speech that has not been given before.
        result: Result<Pcm16, StageError>,
    },
}

/// What must be done, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Tell the client.
    Send(Box<ServerEvent>),
    /// Look for speech in this; it continues what came before.
    Listen(Pcm16),
    /// Judge whether the speaker has finished.
    Judge {
        /// Names the answer.
        job: Job,
        /// The turn so far, its closing silence included.
        pcm: Pcm16,
    },
    /// Write this down.
    Transcribe {
        /// Names the answer.
        job: Job,
        /// Up to 20 s.
        pcm: Pcm16,
    },
    /// Read this ahead.
    Prefill {
        /// Names the work.
        job: Job,
        /// What a prompt will begin with.
        messages: Vec<Message>,
    },
    /// Write an answer.
    Generate {
        /// Names the answer.
        job: Job,
        /// What.
        request: Request,
    },
    /// Speak a piece of an answer.
    Speak {
        /// The answer.
        job: Job,
        /// Which piece.
        piece: usize,
        /// What.
        text: String,
        /// In this voice.
        voice: String,
        /// 1 is natural.
        speed: f32,
    },
    /// Stop writing and speaking this.
    Cancel {
        /// The work that is of no use any more.
        job: Job,
    },
}

/// One session of one client.
#[derive(Debug)]
pub struct EngineCore {
    seed: String,
    names: u64,
    jobs: u64,
    session: Session,
    carry: PcmCarry,
    context: Context,
    hearing: Hearing,
    running: Option<Running>,
    speculation: Option<Running>,
    beside: Vec<Running>,
    queued_create: Option<(Option<String>, Box<protocol::ResponseConfig>)>,
    prefilling: Option<Job>,
    loading: Option<EngineState>,
    ahead: Ahead,
    out: VecDeque<Output>,
}

/// What is done ahead of time, and thrown away if the user goes on. Stages on this device cost nothing but this device's
/// time; a server's are paid for, and are in the way of what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ahead {
    /// Write down a turn while it runs.
    pub transcribe: bool,
    /// Begin an answer in the silence that may be the turn's end.
    pub answer: bool,
}

impl Default for Ahead {
    fn default() -> Self {
        Self { transcribe: true, answer: true }
    }
}

impl EngineCore {
    /// Returns the session with what its stages are worth doing ahead.
    #[must_use]
    pub fn with(mut self, ahead: Ahead) -> Self {
        self.ahead = ahead;
        self
    }

    /// Returns a session that has greeted its client. `seed` makes its ids differ from those of other sessions (up to
    /// 12 characters); `expires_at` is in Unix seconds.
    pub fn new(seed: &str, expires_at: u64) -> Self {
        let mut core = Self {
            seed: seed.chars().filter(char::is_ascii_alphanumeric).take(12).collect(),
            names: 0,
            jobs: 0,
            session: Session::default(),
            carry: PcmCarry::default(),
            context: Context::default(),
            hearing: Hearing::new(),
            running: None,
            speculation: None,
            beside: Vec::new(),
            queued_create: None,
            prefilling: None,
            loading: None,
            ahead: Ahead::default(),
            out: VecDeque::new(),
        };
        core.session = configure::defaults(core.name("sess"), expires_at);
        let session = Box::new(core.session.clone());
        core.send(ServerEvent::SessionCreated { session });
        core
    }

    /// Takes in what happened.
    pub fn handle(&mut self, input: Input) {
        match input {
            Input::Client(Ok((event_id, event))) => self.handle_client(event_id, event),
            Input::Client(Err(error)) => self.send(ServerEvent::Error { error: error.to_api_error() }),
            Input::Stage(report) => self.handle_stage(report),
            Input::Loading(state) => {
                self.loading = Some(state.clone());
                self.send(ServerEvent::EngineStatus { state });
            }
        }
    }

    /// Returns the next thing to be done.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn handle_client(&mut self, event_id: Option<String>, event: ClientEvent) {
        let result = match event {
            ClientEvent::SessionUpdate { session } => self.handle_update(&session),
            ClientEvent::InputAudioBufferAppend { audio } => {
                let pcm = self.carry.decode(&audio);
                self.handle_audio(pcm);
                Ok(())
            }
            ClientEvent::InputAudioBufferCommit => self.handle_commit(),
            ClientEvent::InputAudioBufferClear => {
                self.clear_input();
                self.send(ServerEvent::Cleared);
                Ok(())
            }
            ClientEvent::ConversationItemCreate { previous_item_id, item } => self.create_item(previous_item_id, item),
            ClientEvent::ConversationItemRetrieve { item_id } => self.retrieve_item(&item_id),
            ClientEvent::ConversationItemTruncate { item_id, content_index, audio_end_ms } => {
                self.truncate_item(&item_id, content_index, audio_end_ms)
            }
            ClientEvent::ConversationItemDelete { item_id } => self.delete_item(item_id),
            ClientEvent::ResponseCreate { response } => {
                self.create_response(event_id.clone(), response.unwrap_or_default())
            }
            ClientEvent::ResponseCancel { response_id } => self.cancel_response(response_id.as_deref()),
            ClientEvent::OutputAudioBufferClear => {
                let words = "output_audio_buffer.clear is for WebRTC: on a WebSocket the client plays the audio.";
                Err(ApiError::invalid_request("invalid_event", words))
            }
            ClientEvent::Unknown(raw) => {
                let kind = raw.get("type").map(ToString::to_string).unwrap_or_default();
                Err(ApiError::invalid_request("invalid_value", format!("Unknown event type {kind}.")))
            }
        };
        if let Err(error) = result {
            self.send(ServerEvent::Error { error: ApiError { event_id, ..error } });
        }
    }

    fn handle_stage(&mut self, report: StageReport) {
        match report {
            StageReport::Window { end, probability } => self.handle_window(end, probability),
            StageReport::Judged { job, probability } => self.handle_judged(job, probability),
            StageReport::Transcribed { job, result } => self.handle_transcribed(job, result),
            StageReport::Written { job, written: Written::Text(delta) } => {
                self.with_response(job, |r, out| r.handle_text(&delta, out));
            }
            StageReport::Written { job, written: Written::Call { index, name, arguments } } => {
                self.with_response(job, |r, out| r.handle_call(index, &name, &arguments, out));
            }
            StageReport::TextDone { job, result } => {
                self.with_response(job, |r, out| r.handle_text_done(result, out));
            }
            StageReport::Speech { job, piece, pcm } => {
                self.with_response(job, |r, out| r.handle_speech(piece, pcm, out));
            }
            StageReport::Spoken { job, piece, result } => {
                self.with_response(job, |r, out| r.handle_spoken(piece, result, out));
            }
        }
    }

    fn send(&mut self, event: ServerEvent) {
        self.out.push_back(Output::Send(Box::new(event)));
    }

    fn name(&mut self, kind: &str) -> String {
        self.names += 1;
        format!("{kind}_{}{:05}", self.seed, self.names)
    }

    fn job(&mut self) -> Job {
        self.jobs += 1;
        Job(self.jobs)
    }
}

#[cfg(test)]
mod tests;
