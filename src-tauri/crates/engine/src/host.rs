use std::{
    collections::{BTreeSet, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
    time::{SystemTime, UNIX_EPOCH},
};

use protocol::{ApiError, ClientEvent, EngineState, Pcm16, ServerEvent};

use crate::{
    Ahead, EngineCore, Input, Job, Output, StageReport,
    stages::{LanguageModel, Message, Request, SpeechDetector, StageError, Synthesizer, Transcriber, TurnJudge},
};

/// Cancelled jobs that are remembered; no more than a few are ever under way.
const CANCELLED_KEPT: usize = 256;
/// Life of a session, as on the API: an hour.
const SESSION_SECONDS: u64 = 3600;

/// Loads a stage on its own thread.
pub type Loader<T> = Box<dyn FnOnce() -> Result<Box<T>, StageError> + Send>;

/// How each stage is loaded.
pub struct StageLoaders {
    /// Finds speech.
    pub detector: Loader<dyn SpeechDetector>,
    /// Tells a pause from the end of a turn.
    pub judge: Loader<dyn TurnJudge>,
    /// Writes down speech.
    pub transcriber: Loader<dyn Transcriber>,
    /// Writes answers.
    pub language_model: Loader<dyn LanguageModel>,
    /// Speaks.
    pub synthesizer: Loader<dyn Synthesizer>,
    /// What of this is worth doing ahead of time.
    pub ahead: Ahead,
}

/// An engine that runs: the core on one thread, each stage on another. Dropping it ends them.
pub struct Host {
    inbox: Sender<Mail>,
    core: Option<JoinHandle<()>>,
}

/// What reaches the core's thread.
enum Mail {
    Client(String),
    NewSession { emit: Emit },
    Report { epoch: u64, report: StageReport },
    Loaded { what: &'static str, result: Result<(), StageError> },
    Faulted { what: &'static str, error: StageError },
    Stop,
}

/// Takes messages for the client; called on the core's thread.
pub type Emit = Box<dyn FnMut(String) + Send>;

impl Host {
    /// Starts all threads and the first session; stages load while it already answers.
    pub fn start(loaders: StageLoaders, emit: Emit) -> Self {
        let (inbox, messages) = channel();
        let ahead = loaders.ahead;
        let stages = Stages::start(loaders, &inbox);
        let core = std::thread::Builder::new().name("engine".into()).spawn(move || run(&messages, stages, ahead, emit));
        if let Err(error) = &core {
            tracing::error!(%error, "Failed to start the engine's thread");
        }
        Self { inbox, core: core.ok() }
    }

    /// Hands over a client's message.
    pub fn send(&self, message: String) {
        let _ = self.inbox.send(Mail::Client(message));
    }

    /// Forgets the session and greets another client; the models stay.
    pub fn new_session(&self, emit: Emit) {
        let _ = self.inbox.send(Mail::NewSession { emit });
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.inbox.send(Mail::Stop);
        if let Some(core) = self.core.take() {
            let _ = core.join();
        }
    }
}

fn run(messages: &Receiver<Mail>, stages: Stages, ahead: Ahead, mut emit: Emit) {
    let mut epoch = 0;
    let mut core = new_core(epoch).with(ahead);
    let mut loading = Loading::new();
    let mut events = 0u64;
    drain(&mut core, &stages, epoch, &mut events, &mut emit);
    core.handle(Input::Loading(loading.state()));
    drain(&mut core, &stages, epoch, &mut events, &mut emit);
    while let Ok(message) = messages.recv() {
        match message {
            Mail::Stop => break,
            Mail::Client(text) => core.handle(Input::Client(ClientEvent::parse(&text))),
            Mail::Report { epoch: of, report } => {
                if of == epoch {
                    core.handle(Input::Stage(report));
                }
            }
            Mail::Loaded { what, result } => core.handle(Input::Loading(loading.handle(what, result))),
            Mail::Faulted { what, error } => core.handle(Input::Loading(loading.handle_fault(what, error))),
            Mail::NewSession { emit: to } => {
                emit = to;
                epoch += 1;
                core = new_core(epoch).with(ahead);
                stages.reset(epoch);
                core.handle(Input::Loading(loading.state()));
            }
        }
        drain(&mut core, &stages, epoch, &mut events, &mut emit);
    }
    stages.cancelled.all();
}

fn new_core(epoch: u64) -> EngineCore {
    #[expect(clippy::disallowed_methods, reason = "the host is the core's outside: here its clock is read")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = format!("{:08x}{:02x}", now.as_millis() as u32, epoch % 256);
    EngineCore::new(&seed, now.as_secs() + SESSION_SECONDS)
}

fn drain(core: &mut EngineCore, stages: &Stages, epoch: u64, events: &mut u64, emit: &mut Emit) {
    while let Some(output) = core.poll() {
        if let Output::Send(event) = output {
            *events += 1;
            emit(event.to_json(Some(&format!("event_{events}"))));
        } else {
            stages.hand_out(epoch, output);
        }
    }
}

/// How far loading has come, in the words of the window.
struct Loading {
    done: u32,
    broken: VecDeque<(&'static str, StageError)>,
}

const PARTS: u32 = 5;

impl Loading {
    fn new() -> Self {
        Self { done: 0, broken: VecDeque::new() }
    }

    fn handle(&mut self, what: &'static str, result: Result<(), StageError>) -> EngineState {
        self.done += 1;
        match result {
            Ok(()) => tracing::debug!(what, "Loaded"),
            Err(error) => {
                tracing::error!(what, %error, "Failed to load");
                self.broken.push_back((what, error));
            }
        }
        self.state()
    }

    fn handle_fault(&mut self, what: &'static str, error: StageError) -> EngineState {
        tracing::error!(what, %error, "A stage panicked");
        self.broken.push_back((what, error));
        self.state()
    }

    fn state(&self) -> EngineState {
        match self.broken.front() {
            Some((what, error)) => EngineState::Broken { what: (*what).into(), message: error.to_string() },
            None if self.done < PARTS => EngineState::Loading { what: "models".into(), done: self.done, total: PARTS },
            None => EngineState::Ready,
        }
    }
}

/// The stages' queues. A queue holds what one conversation can ask for; the client's own pace bounds it.
struct Stages {
    detector: Sender<(u64, Listen)>,
    judge: Sender<(u64, (Job, Pcm16))>,
    transcriber: Sender<(u64, (Job, Pcm16))>,
    language_model: Sender<(u64, Write)>,
    synthesizer: Sender<(u64, Speak)>,
    cancelled: Cancelled,
}

enum Listen {
    Pcm(Pcm16),
    Reset,
}

struct Write {
    job: Job,
    what: What,
}

enum What {
    Ahead(Vec<Message>),
    Answer(Request),
}

struct Speak {
    job: Job,
    piece: usize,
    text: String,
    voice: String,
    speed: f32,
}

impl Stages {
    fn start(loaders: StageLoaders, inbox: &Sender<Mail>) -> Self {
        let cancelled = Cancelled::default();
        let detector = stage("speech detector", loaders.detector, inbox, &cancelled, |stage, _, work, report| {
            let windows = match (stage, work) {
                (Ok(stage), Listen::Reset) => {
                    stage.reset();
                    return;
                }
                (Ok(stage), Listen::Pcm(pcm)) => stage.listen(pcm),
                (Err(_), _) => return,
            };
            match windows {
                Ok(windows) => {
                    for (end, probability) in windows {
                        report(StageReport::Window { end, probability });
                    }
                }
                Err(error) => tracing::error!(%error, "Failed to look for speech"),
            }
        });
        let judge = stage("end-of-turn model", loaders.judge, inbox, &cancelled, |stage, _, (job, pcm), report| {
            // Without a judgement a turn ends by its longest silence.
            if let Ok(stage) = stage
                && let Ok(probability) = stage.judge(pcm)
            {
                report(StageReport::Judged { job: *job, probability });
            }
        });
        let transcriber =
            stage("transcriber", loaders.transcriber, inbox, &cancelled, |stage, _, (job, pcm), report| {
                let result = stage.and_then(|s| s.transcribe(pcm));
                report(StageReport::Transcribed { job: *job, result });
            });
        let language_model = stage(
            "language model",
            loaders.language_model,
            inbox,
            &cancelled,
            |stage, is_cancelled, work: &Write, report| {
                let job = work.job;
                if is_cancelled(job) {
                    return;
                }
                let is_cancelled = || is_cancelled(job);
                let request = match &work.what {
                    What::Ahead(messages) => {
                        if let Err(error) = stage.and_then(|s| s.prefill(messages, &is_cancelled)) {
                            tracing::warn!(%error, "Failed to read ahead");
                        }
                        return;
                    }
                    What::Answer(request) => request,
                };
                let mut on_written = |written| report(StageReport::Written { job, written });
                let result = stage.and_then(|s| s.generate(request, &is_cancelled, &mut on_written));
                if !is_cancelled() {
                    report(StageReport::TextDone { job, result });
                }
            },
        );
        let synthesizer =
            stage("voice", loaders.synthesizer, inbox, &cancelled, |stage, is_cancelled, work: &Speak, report| {
                if is_cancelled(work.job) {
                    return;
                }
                let (job, piece) = (work.job, work.piece);
                let cancelled = || is_cancelled(job);
                let mut on_speech = |pcm| report(StageReport::Speech { job, piece, pcm });
                let result =
                    stage.and_then(|s| s.stream(&work.text, &work.voice, work.speed, &cancelled, &mut on_speech));
                report(StageReport::Spoken { job, piece, result });
            });
        Self { detector, judge, transcriber, language_model, synthesizer, cancelled }
    }

    fn hand_out(&self, epoch: u64, output: Output) {
        let sent = match output {
            Output::Send(_) => Ok(()),
            Output::Listen(pcm) => self.detector.send((epoch, Listen::Pcm(pcm))).map_err(drop),
            Output::Judge { job, pcm } => self.judge.send((epoch, (job, pcm))).map_err(drop),
            Output::Transcribe { job, pcm } => self.transcriber.send((epoch, (job, pcm))).map_err(drop),
            Output::Prefill { job, messages } => {
                self.language_model.send((epoch, Write { job, what: What::Ahead(messages) })).map_err(drop)
            }
            Output::Generate { job, request } => {
                self.language_model.send((epoch, Write { job, what: What::Answer(request) })).map_err(drop)
            }
            Output::Speak { job, piece, text, voice, speed } => {
                self.synthesizer.send((epoch, Speak { job, piece, text, voice, speed })).map_err(drop)
            }
            Output::Cancel { job } => {
                self.cancelled.add(job);
                Ok(())
            }
        };
        if sent.is_err() {
            tracing::error!("A stage's thread has ended");
        }
    }

    /// Drops the work of an earlier session; its jobs' numbers begin again.
    fn reset(&self, epoch: u64) {
        self.cancelled.begin(epoch);
        let _ = self.detector.send((epoch, Listen::Reset));
    }
}

/// Starts a stage's thread: loads it there, then does its work in order.
///
/// A stage that panics is not used again: its work fails with words from then on, and the client learns of it.
fn stage<T: ?Sized + 'static, W: Send + 'static>(
    what: &'static str,
    load: Loader<T>,
    inbox: &Sender<Mail>,
    cancelled: &Cancelled,
    work: impl Fn(Result<&mut T, StageError>, &dyn Fn(Job) -> bool, &W, &mut dyn FnMut(StageReport)) + Send + 'static,
) -> Sender<(u64, W)> {
    let (queue, jobs) = channel::<(u64, W)>();
    let inbox = inbox.clone();
    let cancelled = cancelled.clone();
    let run = move || {
        let mut stage = catch_unwind(AssertUnwindSafe(load)).unwrap_or_else(|_| Err(fault()));
        let result = stage.as_ref().map(drop).map_err(Clone::clone);
        let _ = inbox.send(Mail::Loaded { what, result });
        while let Ok((epoch, job)) = jobs.recv() {
            if !cancelled.is_current(epoch) {
                continue;
            }
            let is_cancelled = |job| cancelled.contains(epoch, job);
            let mut report = |report| drop(inbox.send(Mail::Report { epoch, report }));
            let attempt = AssertUnwindSafe(|| {
                work(stage.as_mut().map(Box::as_mut).map_err(|e| e.clone()), &is_cancelled, &job, &mut report);
            });
            if catch_unwind(attempt).is_err() {
                stage = Err(fault());
                let _ = inbox.send(Mail::Faulted { what, error: fault() });
                work(Err(fault()), &is_cancelled, &job, &mut report);
            }
        }
    };
    if let Err(error) = std::thread::Builder::new().name(what.into()).spawn(run) {
        tracing::error!(%error, what, "Failed to start a stage's thread");
    }
    queue
}

fn fault() -> StageError {
    StageError("it was stopped by an error in its own code; the log has the details.".into())
}

/// Jobs that are of no use any more, asked by the stages at work on them. Jobs' numbers begin again with every
/// session, so each belongs to an epoch.
#[derive(Clone, Default)]
struct Cancelled(Arc<Mutex<CancelledJobs>>);

#[derive(Default)]
struct CancelledJobs {
    epoch: u64,
    jobs: BTreeSet<Job>,
    all: bool,
}

impl Cancelled {
    fn add(&self, job: Job) {
        let mut cancelled = self.lock();
        cancelled.jobs.insert(job);
        while cancelled.jobs.len() > CANCELLED_KEPT {
            cancelled.jobs.pop_first();
        }
    }

    fn contains(&self, epoch: u64, job: Job) -> bool {
        let cancelled = self.lock();
        cancelled.all || cancelled.epoch != epoch || cancelled.jobs.contains(&job)
    }

    fn is_current(&self, epoch: u64) -> bool {
        let cancelled = self.lock();
        !cancelled.all && cancelled.epoch == epoch
    }

    /// Ends the work of earlier sessions.
    fn begin(&self, epoch: u64) {
        let mut cancelled = self.lock();
        cancelled.epoch = epoch;
        cancelled.jobs.clear();
    }

    fn all(&self) {
        self.lock().all = true;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, CancelledJobs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the error that a client gets whom this engine has no room for.
pub(crate) fn busy() -> String {
    let error = ApiError::invalid_request("session_limit_reached", "This engine talks with one client at a time.");
    ServerEvent::Error { error }.to_json(Some("event_0"))
}
