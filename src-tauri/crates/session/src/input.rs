use std::time::{Duration, Instant};

use protocol::{ClientEvent, Codec, Pcm16, Profile, ServerEvent};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{NoticeAction, Prices, ToolSpec, ViewEvent};

/// Names a stretch of audio to the audio thread, which never sees a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SegmentId(pub u32);

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// The user did something.
    Action(Action),
    /// The link could not be opened, or is gone.
    LinkClosed(LinkEnd),
    /// The server said something.
    Received(Box<ServerEvent>),
    /// The link beside the one in use is open, and the server has greeted on it.
    SpareReady,
    /// The link beside the one in use could not be opened, or is gone.
    SpareLost,
    /// Another server is to be talked with, from now on.
    ServerChanged,
    /// The server ends the session then; it is renewed before.
    Expires {
        /// When.
        at: Instant,
    },
    /// A tool has answered, or could not.
    ToolResult {
        /// The call.
        call_id: String,
        /// What the model is told; an error is told as one.
        result: Result<String, String>,
    },
    /// The microphone gave 10 ms.
    Mic(Pcm16),
    /// What it gives has been on its way for so long inside this program.
    MicDelay {
        /// By echo cancellation.
        delay: Duration,
    },
    /// A microphone is being recorded from, or is so no more.
    Recording(bool),
    /// How well the echo is cancelled.
    Echo(crate::EchoView),
    /// The devices, or the way in which the echo is cancelled, are others.
    EchoAnew,
    /// A sound check beside the conversation has begun, has come further, or is wanted no more.
    SoundCheck(Option<crate::SoundCheckView>),
    /// Somebody speaks at the microphone, or does not: found here, before any server knows.
    Voice(Voice),
    /// The render callback has consumed so many frames of a segment in all.
    Heard {
        /// The segment.
        segment: SegmentId,
        /// At 24 kHz, from the segment's beginning.
        frames: u64,
    },
    /// The speaker is silent after [`Output::Flush`]; every `Heard` before it is final.
    Flushed {
        /// As in the flush.
        generation: u32,
    },
    /// The microphone works, or there is none: nobody is listened to then, whatever was asked for.
    Microphone {
        /// Whether it works.
        works: bool,
    },
    /// The speaker works, or there is none: what comes then is read, not heard.
    Speaker {
        /// Whether it works.
        works: bool,
    },
    /// Something the window must say, from outside the conversation (a device, a model).
    Notice(crate::NoticeView),
    /// The reason of an earlier notice is gone.
    NoticeGone {
        /// The notice.
        id: String,
    },
    /// The time of [`crate::Session::deadline`] has come.
    Timeout,
}

/// Why a link ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkEnd {
    /// Worth another try.
    Lost(String),
    /// Another try would end the same.
    Refused {
        /// Why, as a sentence.
        words: String,
        /// What helps.
        helps: NoticeAction,
    },
    /// The session's time was up; another takes its place.
    Expired,
}

/// What a user does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Action {
    /// Opens the microphone and, if need be, the link.
    StartTalk,
    /// Closes the microphone and the link.
    StopTalk,
    /// Silences the answer that is spoken or being made.
    Interrupt,
    /// Closes or opens the microphone's way to the server.
    SetMuted {
        /// Whether nothing is to be heard.
        muted: bool,
    },
    /// Holds the talk key: everything said until it is let go is one turn.
    PressTalk,
    /// Lets go of the talk key.
    ReleaseTalk,
    /// Presses the talk key, or lets go of it.
    ToggleTalk,
    /// Says something by keyboard.
    SendText {
        /// What.
        text: String,
    },
    /// Forgets the conversation and begins another.
    NewConversation,
    /// Tries the link again at once.
    Retry,
    /// Takes a notice off the window.
    DismissNotice {
        /// The notice.
        id: String,
    },
    /// Plays a short sample of a voice.
    PreviewVoice {
        /// The voice's name.
        voice: String,
    },
}

/// What is heard at the microphone beside the echo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// It may be speech; it may be a cough.
    Onset,
    /// It is speech.
    Confirmed,
    /// It is over, or was nothing.
    Over,
}

/// How loud what is queued is played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Loudness {
    /// As it comes.
    #[default]
    Full,
    /// Softer.
    Soft,
    /// Not at all: it stands still, and goes on from the same sample.
    Paused,
}

/// What ends an answer that is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interrupt {
    /// Speech.
    #[default]
    AtOnce,
    /// Words: a "mhm" is none, and a cough neither.
    WithWords,
    /// The key or the button; while an answer is spoken, nobody is listened to.
    OnlyKey,
}

/// Who finds the end of a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Turns {
    /// The server, by what was said and how; by silence where it knows nothing better.
    #[default]
    Semantic,
    /// The server, by what was said and how, and it takes its time.
    Patient,
    /// The server, by silence.
    Silence,
    /// The user, with a key.
    PushToTalk,
}

/// What a conversation is set to.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// System prompt.
    pub instructions: String,
    /// Voice by name.
    pub voice: String,
    /// Who finds the end of a turn.
    pub turns: Turns,
    /// What ends an answer that is spoken.
    pub interrupt: Interrupt,
    /// What the user speaks, by its ISO-639-1 code; the server finds out where none is said.
    pub language: Option<String>,
    /// A talk in which nobody says anything for so long ends: it is paid for, and listens.
    pub quiet_limit: Option<Duration>,
    /// What the server does and does not.
    pub profile: Profile,
    /// How both directions are written on the wire, where not as the profile has it.
    pub codec: Option<Codec>,
    /// What the model may call.
    pub tools: Vec<ToolSpec>,
    /// What it costs.
    pub prices: Prices,
}

impl Default for Config {
    /// Returns what suits the engine on this device.
    fn default() -> Self {
        Self {
            instructions: String::new(),
            voice: String::new(),
            turns: Turns::default(),
            interrupt: Interrupt::default(),
            language: None,
            quiet_limit: None,
            profile: Profile::on_device(),
            codec: None,
            tools: Vec::new(),
            prices: Prices::shipped(),
        }
    }
}

/// What must be done, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Open a link.
    Connect,
    /// Close the link, and the one beside it.
    Disconnect,
    /// Open another link beside the one in use; answer with [`Input::SpareReady`] or [`Input::SpareLost`].
    OpenSpare,
    /// Close the link in use; the one beside it takes its place, with all that its server has said.
    UseSpare,
    /// Say this to the server.
    Send(Box<ClientEvent>),
    /// Open or close the microphone.
    Mic {
        /// Whether it is to run.
        open: bool,
    },
    /// Queue audio for the speaker.
    Play {
        /// Whose.
        segment: SegmentId,
        /// What.
        pcm: Pcm16,
    },
    /// Play it so loud from now on.
    Loudness(Loudness),
    /// Listen to nobody while it plays, or as the user has chosen.
    Deaf(bool),
    /// No more audio will come for a segment.
    EndSegment {
        /// Which.
        segment: SegmentId,
    },
    /// Fade out and forget everything queued; answer with [`Input::Flushed`].
    Flush {
        /// Counts flushes.
        generation: u32,
    },
    /// Run a tool; answer with [`Input::ToolResult`].
    RunTool {
        /// The call.
        call_id: String,
        /// The tool.
        name: String,
        /// JSON text.
        arguments: String,
    },
    /// Nobody waits for this call any more.
    CancelTool {
        /// The call.
        call_id: String,
    },
    /// Show this.
    View(ViewEvent),
}
