//! What a window shows, as data. Every event is an upsert: to show it twice is to show it once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{LatencyView, Phase, UsageView};

/// All a window needs that has just opened.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// State at a glance.
    pub status: StatusView,
    /// The conversation in order.
    pub items: Vec<ItemView>,
    /// Calls of tools; their positions are among the items'.
    pub tools: Vec<ToolView>,
    /// What must be said.
    pub notices: Vec<NoticeView>,
    /// Of the last turn.
    pub latency: Option<LatencyView>,
    /// How well the microphone is kept from hearing the speaker; none while nothing is cancelled.
    pub echo: Option<EchoView>,
    /// The sound check that runs, or the last one; none where none was asked for.
    pub sound_check: Option<SoundCheckView>,
    /// What voices cost on this machine: milliseconds to the first sound of their samples, as heard so far.
    pub voice_delays: BTreeMap<String, u32>,
    /// What the conversation has cost; none before the first answer.
    pub usage: Option<UsageView>,
}

/// How well the echo is cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct EchoView {
    /// How far it is.
    pub state: EchoState,
    /// By how much the echo is made softer.
    pub softer_db: Option<u32>,
    /// Between what was handed to the device and its echo.
    pub delay_ms: Option<u32>,
}

/// How far the canceller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum EchoState {
    /// It learns the room.
    Learning,
    /// There is no echo, or it is cancelled well.
    Good,
    /// Some of it comes through.
    Leaking,
    /// Too much came through: while an answer is spoken, nobody is listened to.
    Deaf,
}

/// A sound check, as far as it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct SoundCheckView {
    /// What goes on.
    pub stage: SoundCheckStage,
    /// What was found, once it is done.
    pub findings: Vec<FindingView>,
}

/// What goes on in a sound check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum SoundCheckStage {
    /// The voice is being loaded.
    Preparing,
    /// Nobody is to speak.
    Quiet,
    /// It speaks alone.
    Alone,
    /// The user is to speak over it.
    Over,
    /// It is over.
    Done,
    /// It could not be done.
    Failed {
        /// Why, as a sentence.
        words: String,
    },
}

/// One line of a sound check's report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct FindingView {
    /// Of what.
    pub what: String,
    /// How good.
    pub grade: Grade,
    /// What was measured, and what helps.
    pub words: String,
}

/// How good a thing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Grade {
    /// As it should be.
    Good,
    /// It works, and could be better.
    Fair,
    /// It does not work.
    Bad,
}

/// A change of the view.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ViewEvent {
    /// State at a glance.
    Status {
        /// New state.
        status: StatusView,
    },
    /// An item is new or has changed.
    Item {
        /// The item.
        item: ItemView,
    },
    /// A call of a tool is new or has changed.
    Tool {
        /// The call.
        tool: ToolView,
    },
    /// What the conversation has cost has changed.
    Usage {
        /// The sum.
        usage: UsageView,
    },
    /// How well the echo is cancelled has changed.
    Echo {
        /// As measured in the last half second.
        echo: Option<EchoView>,
    },
    /// A sound check has begun, has come further, or is wanted no more.
    SoundCheck {
        /// As far as it has come.
        check: Option<SoundCheckView>,
    },
    /// An item is gone.
    ItemRemoved {
        /// The item.
        id: String,
    },
    /// The conversation is empty.
    Cleared,
    /// A notice is new or has changed.
    Notice {
        /// The notice.
        notice: NoticeView,
    },
    /// A notice is gone.
    NoticeGone {
        /// The notice.
        id: String,
    },
    /// A turn has been measured.
    Latency {
        /// The measure.
        latency: LatencyView,
    },
    /// A sample of a voice has been measured.
    VoiceDelay {
        /// The voice.
        voice: String,
        /// To its first sound.
        ms: u32,
    },
    /// A model is installed, missing, or on its way.
    Model {
        /// The model.
        model: ModelView,
    },
    /// How loud it is, at most 30 times a second.
    Level {
        /// Microphone, dB below full scale.
        input_dbfs: f32,
        /// Speaker, dB below full scale.
        output_dbfs: f32,
    },
}

/// A model as the model page has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ModelView {
    /// Stable name.
    pub id: String,
    /// What it is.
    pub name: String,
    /// What it is for.
    pub role: String,
    /// Of the weights.
    pub licence: String,
    /// Bytes to fetch.
    #[ts(type = "number")]
    pub download_bytes: u64,
    /// Whether a conversation needs it.
    pub required: bool,
    /// Where it stands.
    pub state: ModelState,
}

/// Where a model stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ModelState {
    /// Not on this machine.
    Missing,
    /// On its way.
    Downloading {
        /// Bytes here.
        #[ts(type = "number")]
        done_bytes: u64,
    },
    /// Being unpacked and checked.
    Unpacking,
    /// Ready.
    Installed,
    /// Here, but not whole.
    Broken {
        /// What is wrong, in words.
        message: String,
    },
}

/// What the assistant is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum AgentState {
    /// No conversation runs.
    Idle,
    /// Waits for speech, or hears it.
    Listening,
    /// Makes an answer.
    Thinking,
    /// Is heard.
    Speaking,
}

/// State at a glance.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct StatusView {
    /// Of the link.
    pub phase: Phase,
    /// Of the assistant.
    pub agent: AgentState,
    /// Whether the microphone is to run.
    pub mic_open: bool,
    /// Whether a microphone is being recorded from at this moment: what the stream says, not what was asked for.
    pub is_recording: bool,
    /// Whether the microphone is kept from the server.
    pub muted: bool,
    /// Whether speech is heard at this moment.
    pub user_speaking: bool,
    /// Whether the talk key is held.
    pub talk_key: bool,
    /// What is being loaded, if anything.
    pub loading: Option<LoadingView>,
}

/// How far loading has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct LoadingView {
    /// What, in words.
    pub what: String,
    /// Parts loaded.
    pub done: u32,
    /// Parts in all.
    pub total: u32,
}

/// Who said an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Speaker {
    /// The person.
    User,
    /// The model.
    Assistant,
}

/// Where an item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum ItemState {
    /// Still growing.
    Partial,
    /// Whole.
    Final,
    /// Cut by the user; `heard_chars` says where.
    Interrupted,
    /// Could not be had.
    Failed,
}

/// One utterance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ItemView {
    /// Stable name.
    pub id: String,
    /// Its place in the conversation.
    pub position: u32,
    /// Who.
    pub speaker: Speaker,
    /// What, heard or not.
    pub text: String,
    /// Characters of `text` that were heard, where it was cut.
    pub heard_chars: Option<u32>,
    /// Where it stands.
    pub state: ItemState,
}

/// Where a call of a tool stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum ToolState {
    /// Its arguments are being written.
    Streaming,
    /// It will run when its turn comes.
    Waiting,
    /// It runs.
    Running,
    /// It has answered.
    Done,
    /// It could not be run, or did not answer in time.
    Failed,
    /// It was not run: the answer it belonged to was cut off.
    Dropped,
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct ToolView {
    /// Stable name.
    pub id: String,
    /// Its place in the conversation.
    pub position: u32,
    /// What its answer refers to.
    pub call_id: String,
    /// The tool.
    pub name: String,
    /// JSON text, as far as it has come.
    pub arguments: String,
    /// Where it stands.
    pub state: ToolState,
    /// What the model is told.
    pub output: Option<String>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Works, but not well.
    Warning,
    /// Does not work.
    Error,
}

/// The one button that helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum NoticeAction {
    /// Connect again.
    Retry,
    /// Fetch missing models.
    InstallModels,
    /// Choose another device.
    ChooseDevice,
    /// Look at the server's settings: address, model, key.
    OpenSettings,
    /// Find out how well it hears and is heard.
    CheckSound,
    /// Nothing to be done but to read it.
    Dismiss,
}

/// Something the user must know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct NoticeView {
    /// Stable name; a second notice of that name replaces the first.
    pub id: String,
    /// How bad.
    pub severity: Severity,
    /// In words a person understands.
    pub text: String,
    /// What helps.
    pub action: NoticeAction,
}
