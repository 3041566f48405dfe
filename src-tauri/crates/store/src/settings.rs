use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Layout of the file. A later program reads an earlier layout; it never guesses at a later one.
const VERSION: u32 = 1;

/// Which engine answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum EngineChoice {
    /// This machine's own.
    #[default]
    OnDevice,
    /// A Realtime server.
    Server {
        /// `ws://` or `wss://`.
        url: String,
        /// Which kind of server, by its profile's name; it is also the name of its key.
        #[serde(default = "other")]
        provider: String,
        /// Model to ask for; the profile's where none is chosen.
        #[serde(default)]
        model: Option<String>,
        /// Whether to send and ask for telephone quality, an eighth of the bytes.
        #[serde(default)]
        low_bandwidth: bool,
    },
    /// Three steps, each here or by HTTP: write down, answer, read aloud.
    Stitched {
        /// Writes down what the user says.
        ears: StageChoice,
        /// Answers.
        mind: StageChoice,
        /// Reads the answer aloud.
        mouth: StageChoice,
    },
}

fn other() -> String {
    "other".into()
}

/// Who does one of the three steps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum StageChoice {
    /// This machine's own model.
    #[default]
    OnDevice,
    /// A server that has OpenAI's HTTP interface.
    Http(StageServer),
    /// Reads aloud alone: a Realtime server, beside any conversation.
    Realtime(StageServer),
}

/// A server that does one of the three steps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub struct StageServer {
    /// `http(s)://`, up to and with `/v1`; `ws(s)://` of a Realtime server.
    pub url: String,
    /// The model.
    pub model: String,
    /// Voice, of the step that speaks; the server's usual one where it is empty.
    #[serde(default)]
    pub voice: String,
    /// Name of the key in the keychain; empty for none.
    #[serde(default)]
    pub account: String,
}

/// Who finds the end of a turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum TurnChoice {
    /// The server, by what was said and how.
    #[default]
    Semantic,
    /// The same, and it takes its time.
    Patient,
    /// The server, by silence.
    Silence,
    /// The user, with a key.
    PushToTalk,
}

/// How the microphone is kept from hearing the speaker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum EchoChoice {
    /// The echo is cancelled: both may speak at once.
    #[default]
    FullDuplex,
    /// The microphone is closed while the assistant speaks.
    HalfDuplex,
    /// Nothing is done.
    Headphones,
}

/// What ends an answer that is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub enum InterruptChoice {
    /// Speech.
    #[default]
    AtOnce,
    /// Words.
    WithWords,
    /// The key or the button.
    OnlyKey,
}

/// What a probe has found out about a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", default)]
pub struct FoundProfile {
    /// How it wants to be spoken to, by the dialect's name.
    pub dialect: Option<String>,
    /// Whether `semantic_vad` is known.
    pub semantic_vad: bool,
    /// Whether `conversation.item.truncate` is understood.
    pub supports_truncate: bool,
    /// Whether `response.cancel` is understood.
    pub supports_cancel: bool,
    /// Whether a cancelled response ends with `response.done`.
    pub supports_cancel_done: bool,
    /// Whether `response.create` may stand beside the conversation.
    pub supports_out_of_band: bool,
    /// Frames per second that it takes.
    pub in_rate: u32,
}

/// What the user has chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// Layout of the file.
    pub version: u32,
    /// Voice by name.
    pub voice: String,
    /// Voices of other servers, by the server's kind.
    #[ts(type = "{ [key: string]: string }")]
    pub voices: BTreeMap<String, String>,
    /// Tone by name.
    pub tone: String,
    /// System prompts that the user has changed, by tone.
    #[ts(type = "{ [key: string]: string }")]
    pub prompts: BTreeMap<String, String>,
    /// Microphone by id, the system's where none is chosen.
    pub input_device: Option<String>,
    /// Speaker by id, the system's where none is chosen.
    pub output_device: Option<String>,
    /// Channels of microphones with many, from 1, by the microphones' ids; all are mixed where none is named.
    #[ts(type = "{ [key: string]: number }")]
    pub input_channels: BTreeMap<String, u16>,
    /// Which engine answers.
    pub engine: EngineChoice,
    /// Who finds the end of a turn.
    pub turns: TurnChoice,
    /// How the microphone is kept from hearing the speaker.
    pub echo: EchoChoice,
    /// The same for speakers where it was chosen otherwise, by what the system calls them.
    #[ts(type = "{ [key: string]: EchoChoice }")]
    pub echo_by_speaker: BTreeMap<String, EchoChoice>,
    /// What ends an answer that is spoken.
    pub interrupt: InterruptChoice,
    /// Talk key anywhere on the desktop, as `Ctrl+Alt+Space`; none where it is not wanted.
    pub shortcut: Option<String>,
    /// What the user speaks, by its ISO-639-1 code, for servers that write it down; they find out where none is chosen.
    pub language: Option<String>,
    /// Minutes after which a talk with a server ends in which nobody says anything; 0 for never.
    pub quiet_minutes: u32,
    /// What is known of servers by their addresses, from probes.
    #[ts(type = "{ [key: string]: FoundProfile }")]
    pub found: BTreeMap<String, FoundProfile>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: VERSION,
            voice: "heart".into(),
            voices: BTreeMap::new(),
            tone: "neutral".into(),
            prompts: BTreeMap::new(),
            input_device: None,
            output_device: None,
            input_channels: BTreeMap::new(),
            engine: EngineChoice::OnDevice,
            turns: TurnChoice::default(),
            echo: EchoChoice::default(),
            echo_by_speaker: BTreeMap::new(),
            interrupt: InterruptChoice::default(),
            shortcut: None,
            language: None,
            quiet_minutes: 15,
            found: BTreeMap::new(),
        }
    }
}

/// Why settings could not be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file is damaged or of a later program; it lies beside under another name, defaults hold.
    #[error("the settings could not be read ({reason}); they were kept as {} and the defaults hold", kept.display())]
    Unreadable {
        /// What is wrong.
        reason: String,
        /// Where the old file lies.
        kept: PathBuf,
    },
    /// The disk's fault.
    #[error("the settings could not be saved: {0}")]
    Io(#[from] io::Error),
}

impl Settings {
    /// Reads the file; defaults where there is none.
    ///
    /// # Errors
    /// The file is there and unreadable: it has been set aside, nothing of it is lost.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error.into()),
        };
        let reason = match serde_json::from_str::<Self>(&text) {
            Ok(settings) if settings.version <= VERSION => return Ok(settings),
            Ok(settings) => format!("they are of version {}, this program knows {VERSION}", settings.version),
            Err(error) => error.to_string(),
        };
        let kept = path.with_extension("json.unreadable");
        fs::rename(path, &kept)?;
        Err(SettingsError::Unreadable { reason, kept })
    }

    /// Writes the file whole or not at all.
    ///
    /// # Errors
    /// The disk's fault.
    pub fn save(&self, path: &Path) -> Result<(), SettingsError> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let written = path.with_extension("json.part");
        let text = serde_json::to_string_pretty(self).map_err(io::Error::other)?;
        fs::write(&written, text)?;
        Ok(fs::rename(&written, path)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back_as_they_were_saved() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/settings.json");
        assert_eq!(Settings::load(&path).unwrap(), Settings::default());
        let engine = EngineChoice::Server {
            url: "ws://127.0.0.1:1/v1/realtime".into(),
            provider: "speaches".into(),
            model: None,
            low_bandwidth: true,
        };
        let settings = Settings { voice: "bf_emma".into(), engine, ..Settings::default() };
        settings.save(&path).unwrap();
        assert_eq!(Settings::load(&path).unwrap(), settings);
    }

    #[test]
    fn damaged_settings_are_set_aside_and_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings.json");
        for text in ["{ not json", r#"{"version": 99}"#, r#"{"voice": 3}"#] {
            fs::write(&path, text).unwrap();
            let error = Settings::load(&path).unwrap_err();
            let SettingsError::Unreadable { kept, .. } = error else { panic!("{error}") };
            assert_eq!(fs::read_to_string(kept).unwrap(), text);
            assert_eq!(Settings::load(&path).unwrap(), Settings::default());
        }
    }
}
