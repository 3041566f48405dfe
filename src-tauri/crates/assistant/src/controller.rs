mod devices;
mod links;
mod sound_check;

use std::{collections::BTreeMap, path::PathBuf, time::Instant};

use audio::{Audio, Backend, Command, Direction, EchoMode, Event, Segment};
use protocol::{ClientEvent, ParseError, ServerEvent};
use session::{
    Action, Config, Input, LinkEnd, Loudness, ModelView, NoticeAction, NoticeView, Output, Session, Severity, View,
    ViewEvent,
};
use tokio::sync::{mpsc, oneshot};

use crate::{
    coalesce::coalesce,
    link::{Server, Stalled},
    models::{self, Progress},
    tools::{ToolEvent, ToolRunner},
};
use devices::{notice_of, start_audio, works};
use links::{OpenLink, next_link_event, next_spare_event};
use sound_check::{Checking, next_line};

/// Requests that may wait for the loop.
const REQUESTS: usize = 64;
/// Answers of tools that may wait for the loop.
const TOOL_EVENTS: usize = 64;
/// View events that may wait for a window; one that takes none for that long is closed and asks anew.
const VIEW_QUEUE: usize = 2048;

/// What an assistant is made of.
pub struct Setup {
    /// Prompt and voice.
    pub config: Config,
    /// Who answers.
    pub server: Server,
    /// Makes the devices, on the audio thread.
    pub backend: Box<dyn FnOnce() -> Box<dyn Backend> + Send>,
    /// How the microphone is kept from hearing the speaker.
    pub echo: EchoModes,
    /// Folder of the models, where this assistant may install them.
    pub models: Option<PathBuf>,
    /// The program that checks the sound when it is started as `sound-check`, where there is one.
    pub sound_check: Option<PathBuf>,
    /// File of what the user has asked to be remembered.
    pub memories: Option<PathBuf>,
    /// Sees everything that goes by.
    pub observer: Option<Observer>,
}

/// How the microphone is kept from hearing the speaker, and where otherwise: headphones are others' than loudspeakers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EchoModes {
    /// With speakers that are not named here.
    pub usual: EchoMode,
    /// By what the system calls the speaker.
    pub by_speaker: BTreeMap<String, EchoMode>,
}

impl EchoModes {
    pub(crate) fn of(&self, speaker: Option<&str>) -> EchoMode {
        speaker.and_then(|name| self.by_speaker.get(name)).copied().unwrap_or(self.usual)
    }
}

impl From<EchoMode> for EchoModes {
    fn from(usual: EchoMode) -> Self {
        Self { usual, by_speaker: BTreeMap::new() }
    }
}

/// Takes what goes by; called on the loop.
pub type Observer = Box<dyn FnMut(Observed<'_>) + Send>;

/// What goes by.
#[derive(Debug)]
pub enum Observed<'a> {
    /// To the server.
    Sent(&'a ClientEvent),
    /// From the server.
    Received(&'a ServerEvent),
    /// From the server, and no event.
    Unreadable(&'a ParseError),
    /// To the windows.
    View(&'a ViewEvent),
    /// The microphone gave a block.
    Mic,
    /// Audio was handed to the speaker.
    Played,
    /// A recording played as microphone has ended.
    InputEnded,
}

/// A handle of the loop; the loop ends with the last handle.
#[derive(Clone)]
pub struct Assistant {
    requests: mpsc::Sender<Request>,
}

enum Request {
    Act(Action),
    Configure(Config),
    Serve(Server),
    Devices(Box<dyn FnOnce() -> Box<dyn Backend> + Send>),
    Echo(EchoModes),
    Notify(NoticeView),
    Unnotify(String),
    InstallModels(Vec<String>),
    CancelInstall,
    CheckSound,
    EndSoundCheck,
    Subscribe(oneshot::Sender<(View, Vec<ModelView>, mpsc::Receiver<ViewEvent>)>),
}

impl Assistant {
    /// Starts the loop on the current tokio runtime.
    pub fn start(setup: Setup) -> Self {
        let (requests, inbox) = mpsc::channel(REQUESTS);
        tokio::spawn(Controller::new(setup).run(inbox));
        Self { requests }
    }

    /// Does what the user wants.
    pub async fn act(&self, action: Action) {
        let _ = self.requests.send(Request::Act(action)).await;
    }

    /// The same for who cannot wait; what is done so is done in its order.
    pub fn act_now(&self, action: Action) {
        if self.requests.try_send(Request::Act(action)).is_err() {
            tracing::error!("The assistant takes nothing any more; an action was dropped");
        }
    }

    /// Changes prompt and voice.
    pub async fn configure(&self, config: Config) {
        let _ = self.requests.send(Request::Configure(config)).await;
    }

    /// Talks with another server from now on; a conversation that runs goes on there.
    pub async fn serve(&self, server: Server) {
        let _ = self.requests.send(Request::Serve(server)).await;
    }

    /// Uses other devices from now on.
    pub async fn use_devices(&self, backend: Box<dyn FnOnce() -> Box<dyn Backend> + Send>) {
        let _ = self.requests.send(Request::Devices(backend)).await;
    }

    /// Keeps the microphone from hearing the speaker in another way from now on.
    pub async fn cancel_echo(&self, modes: EchoModes) {
        let _ = self.requests.send(Request::Echo(modes)).await;
    }

    /// Says something that the program around the conversation has found.
    pub async fn notify(&self, id: &str, severity: Severity, text: String, action: NoticeAction) {
        let _ = self.requests.send(Request::Notify(NoticeView { id: id.into(), severity, text, action })).await;
    }

    /// What an earlier notice said is so no more.
    pub async fn notice_gone(&self, id: &str) {
        let _ = self.requests.send(Request::Unnotify(id.into())).await;
    }

    /// Fetches models by name; progress comes as view events.
    pub async fn install_models(&self, ids: Vec<String>) {
        let _ = self.requests.send(Request::InstallModels(ids)).await;
    }

    /// Stops fetching; what is here stays and is not fetched again.
    pub async fn cancel_install(&self) {
        let _ = self.requests.send(Request::CancelInstall).await;
    }

    /// Checks the sound; a talk ends, for the check needs the devices. What it finds comes as view events.
    pub async fn check_sound(&self) {
        let _ = self.requests.send(Request::CheckSound).await;
    }

    /// Stops checking the sound, or takes the report away.
    pub async fn end_sound_check(&self) {
        let _ = self.requests.send(Request::EndSoundCheck).await;
    }

    /// Returns the view, the models and all changes from now on; none if the loop has ended.
    pub async fn subscribe(&self) -> Option<(View, Vec<ModelView>, mpsc::Receiver<ViewEvent>)> {
        let (answer, view) = oneshot::channel();
        self.requests.send(Request::Subscribe(answer)).await.ok()?;
        view.await.ok()
    }
}

struct Controller {
    session: Session,
    server: Server,
    audio: Audio,
    echo: EchoModes,
    /// Names of the devices in use.
    in_use: [Option<String>; 2],
    heard: mpsc::Receiver<Event>,
    link: Option<OpenLink>,
    /// Another one beside it, which is to take its place.
    spare: Option<OpenLink>,
    events_sent: u64,
    stalled: bool,
    mic_open: bool,
    windows: Vec<mpsc::Sender<ViewEvent>>,
    models: Option<PathBuf>,
    installing: Option<mpsc::Receiver<Progress>>,
    checker: Option<PathBuf>,
    checking: Option<Checking>,
    check_ended: bool,
    tools: ToolRunner,
    told: mpsc::Receiver<ToolEvent>,
    timers: u32,
    observer: Option<Observer>,
}

impl Controller {
    fn new(setup: Setup) -> Self {
        let (audio, heard) = start_audio(setup.backend, setup.echo.usual);
        let (events, told) = mpsc::channel(TOOL_EVENTS);
        Self {
            session: Session::new(setup.config),
            server: setup.server,
            audio,
            echo: setup.echo,
            in_use: [None, None],
            heard,
            link: None,
            spare: None,
            events_sent: 0,
            stalled: false,
            mic_open: false,
            windows: Vec::new(),
            models: setup.models,
            installing: None,
            checker: setup.sound_check,
            checking: None,
            check_ended: false,
            tools: ToolRunner::new(setup.memories, events),
            told,
            timers: 0,
            observer: setup.observer,
        }
    }

    async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        loop {
            let deadline = self.session.deadline();
            tokio::select! {
                request = requests.recv() => match request {
                    Some(request) => self.handle_request(request),
                    None => return,
                },
                Some(event) = self.heard.recv() => self.handle_audio(event),
                event = next_link_event(&mut self.link) => self.handle_link(event),
                event = next_spare_event(&mut self.spare) => self.handle_spare(event),
                Some(event) = self.told.recv() => self.handle_tool(event),
                line = next_line(&mut self.checking) => self.handle_check(line),
                Some(progress) = next_progress(&mut self.installing) => self.handle_progress(progress),
                () = until(deadline) => self.step(Input::Timeout),
            }
        }
    }

    fn handle_request(&mut self, request: Request) {
        match request {
            Request::Act(action) => self.step(Input::Action(action)),
            Request::Configure(config) => {
                self.session.configure(Instant::now(), config);
                self.drain();
            }
            Request::Serve(server) => {
                self.server = server;
                self.step(Input::ServerChanged);
            }
            Request::Devices(backend) => {
                // What the old speaker has not said is read; its reports end here.
                self.step(Input::Speaker { works: false });
                (self.audio, self.heard) = start_audio(backend, self.echo.usual);
                self.in_use = [None, None];
                self.step(Input::Recording(false));
                self.step(Input::EchoAnew);
                for direction in [Direction::Input, Direction::Output] {
                    self.step(works(direction, true));
                    self.step(Input::NoticeGone { id: notice_of(direction).into() });
                }
                if self.mic_open {
                    self.audio.send(Command::Mic { open: true });
                }
            }
            Request::Echo(modes) => {
                self.echo = modes;
                self.audio.send(Command::Echo(self.echo_mode()));
                self.step(Input::EchoAnew);
            }
            Request::Notify(notice) => self.step(Input::Notice(notice)),
            Request::Unnotify(id) => self.step(Input::NoticeGone { id }),
            Request::InstallModels(ids) => {
                if let Some(folder) = &self.models
                    && self.installing.is_none()
                {
                    self.installing = Some(models::install(folder.clone(), ids));
                }
            }
            Request::CancelInstall => {
                self.installing = None;
                for model in self.models() {
                    self.show(&ViewEvent::Model { model });
                }
            }
            Request::CheckSound => self.start_sound_check(),
            Request::EndSoundCheck => self.end_sound_check(),
            Request::Subscribe(answer) => {
                let (window, raw) = mpsc::channel(VIEW_QUEUE);
                let (to, events) = mpsc::channel(VIEW_QUEUE);
                tokio::spawn(coalesce(raw, to));
                if answer.send((self.session.view(), self.models(), events)).is_ok() {
                    self.windows.push(window);
                }
            }
        }
    }

    fn models(&self) -> Vec<ModelView> {
        self.models.as_deref().map(models::views).unwrap_or_default()
    }

    fn handle_progress(&mut self, progress: Progress) {
        match progress {
            Progress::Model(model) => self.show(&ViewEvent::Model { model }),
            Progress::Finished(result) => {
                self.installing = None;
                match result {
                    Ok(()) => {
                        self.step(Input::NoticeGone { id: "models".into() });
                        self.step(Input::NoticeGone { id: "install".into() });
                    }
                    Err(error) => self.step(Input::Notice(NoticeView {
                        id: "install".into(),
                        severity: Severity::Error,
                        text: error.to_string(),
                        action: NoticeAction::InstallModels,
                    })),
                }
            }
        }
    }

    fn handle_tool(&mut self, event: ToolEvent) {
        match event {
            ToolEvent::Answered { call_id, result } => self.step(Input::ToolResult { call_id, result }),
            ToolEvent::TimerDone { label } => {
                self.timers += 1;
                let what = if label.is_empty() { "The timer".to_owned() } else { format!("The timer for {label}") };
                self.step(Input::Notice(NoticeView {
                    id: format!("timer{}", self.timers),
                    severity: Severity::Info,
                    text: format!("{what} has run out."),
                    action: NoticeAction::Dismiss,
                }));
            }
        }
    }

    fn step(&mut self, input: Input) {
        self.session.handle(Instant::now(), input);
        self.drain();
    }

    /// Does all that is to be done. A link found stalled on the way is told of at the end, for a session is
    /// drained before it hears of anything else.
    fn drain(&mut self) {
        self.carry_out();
        if std::mem::take(&mut self.check_ended) {
            self.session.handle(Instant::now(), Input::SoundCheck(None));
            self.carry_out();
        }
        while std::mem::take(&mut self.stalled) {
            let end = LinkEnd::Lost("the server takes nothing any more".into());
            self.session.handle(Instant::now(), Input::LinkClosed(end));
            self.carry_out();
        }
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.session.poll() {
            match output {
                Output::Connect => {
                    self.stalled = false;
                    self.spare = None;
                    self.link = Some(OpenLink::new(self.server.clone()));
                }
                Output::Disconnect => {
                    self.stalled = false;
                    self.spare = None;
                    self.link = None;
                }
                Output::OpenSpare => self.spare = Some(OpenLink::new(self.server.clone())),
                Output::UseSpare => {
                    self.stalled = false;
                    self.link = self.spare.take();
                }
                Output::Send(event) => self.send(&event),
                Output::Mic { open } => {
                    // Whoever wants to talk wants the devices.
                    self.check_ended |= open && self.checking.take().is_some();
                    self.mic_open = open;
                    self.audio.send(Command::Mic { open });
                }
                Output::Play { segment, pcm } => {
                    self.check_ended |= self.checking.take().is_some();
                    self.audio.send(Command::Play { segment: Segment(segment.0), pcm });
                    self.observe(Observed::Played);
                }
                Output::Loudness(loudness) => self.audio.send(Command::Loudness(match loudness {
                    Loudness::Full => audio::Loudness::Full,
                    Loudness::Soft => audio::Loudness::Soft,
                    Loudness::Paused => audio::Loudness::Paused,
                })),
                Output::Deaf(deaf) => {
                    let mode = if deaf { EchoMode::HalfDuplex } else { self.echo_mode() };
                    self.audio.send(Command::Echo(mode));
                }
                Output::EndSegment { segment } => self.audio.send(Command::EndSegment { segment: Segment(segment.0) }),
                Output::Flush { generation } => self.audio.send(Command::Flush { generation }),
                Output::RunTool { call_id, name, arguments } => self.tools.run(call_id, name, arguments),
                Output::CancelTool { call_id } => self.tools.cancel(&call_id),
                Output::View(event) => self.show(&event),
            }
        }
    }

    fn send(&mut self, event: &ClientEvent) {
        self.observe(Observed::Sent(event));
        self.events_sent += 1;
        let id = format!("c{}", self.events_sent);
        if let Some(OpenLink { link, .. }) = &mut self.link
            && link.send(event, &id) == Err(Stalled)
        {
            self.link = None;
            self.stalled = true;
        }
    }

    fn show(&mut self, event: &ViewEvent) {
        self.observe(Observed::View(event));
        self.windows.retain(|window| window.try_send(event.clone()).is_ok());
    }

    fn observe(&mut self, observed: Observed<'_>) {
        if let Some(observer) = &mut self.observer {
            observer(observed);
        }
    }
}

async fn next_progress(installing: &mut Option<mpsc::Receiver<Progress>>) -> Option<Progress> {
    match installing {
        Some(progress) => progress.recv().await,
        None => std::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
