//! What is known of the servers that speak this protocol: a row for each (sources: their documentation and code).

use serde::{Deserialize, Serialize};

use crate::{Codec, Dialect, SAMPLE_RATE};

/// How a key is shown to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// `Authorization: Bearer …`.
    Bearer,
    /// `api-key: …`, Azure's.
    ApiKey,
    /// A key where there is one, as bearer; most servers on one's own machine want none.
    Optional,
}

impl Auth {
    /// Returns whether a server turns down whoever has no key.
    pub fn needs_key(self) -> bool {
        match self {
            Self::Bearer | Self::ApiKey => true,
            Self::Optional => false,
        }
    }
}

/// What a server does and does not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Stable name.
    pub id: String,
    /// Name for people.
    pub name: String,
    /// Address to begin with; `<…>` is the user's to fill in.
    pub url: String,
    /// Model to ask for, where the address does not say.
    pub model: Option<String>,
    /// How the key is shown.
    pub auth: Auth,
    /// Environment variable that the server's own tools read the key from.
    pub key_variable: Option<String>,
    /// None to tell by the first frame.
    pub dialect: Option<Dialect>,
    /// What it wants to hear, frames per second.
    pub in_rate: u32,
    /// What it says, frames per second.
    pub out_rate: u32,
    /// Who takes turns: whether `semantic_vad` is known.
    pub semantic_vad: bool,
    /// Model that writes down the user, to be asked for; none where the server has its own.
    pub transcription_model: Option<String>,
    /// Voices to choose from; none where any name goes.
    pub voices: Vec<String>,
    /// Whether `conversation.item.truncate` is understood.
    pub supports_truncate: bool,
    /// Whether a cancelled response ends with `response.done`.
    pub supports_cancel_done: bool,
    /// Whether `response.cancel` is understood; where not, the next request stops the response before.
    pub supports_cancel: bool,
    /// Whether a voice may change after it has spoken.
    pub supports_voice_change: bool,
    /// Whether `response.create` may stand beside the conversation.
    pub supports_out_of_band: bool,
    /// Whether silence must be filled with messages: pings of the socket do not count there.
    pub needs_app_ping: bool,
    /// Longest session in seconds, where `expires_at` does not say.
    pub session_cap: Option<u32>,
    /// Whether a session ends by itself after a time.
    pub expires: bool,
    /// Whether it says of every turn what becomes of it: an answer, however long that takes, or why there is none.
    pub accounts_for_turns: bool,
}

impl Profile {
    /// Returns what the engine on this device does.
    pub fn on_device() -> Self {
        Self {
            id: "on-device".into(),
            name: "This device".into(),
            url: String::new(),
            model: Some("vivavoce-on-device".into()),
            semantic_vad: true,
            supports_voice_change: true,
            expires: false,
            accounts_for_turns: true,
            ..OTHER.open()
        }
    }

    /// Returns what the microphone and what answers are written as: both as `chosen`, or as the server has them.
    pub fn codecs(&self, chosen: Option<Codec>) -> (Codec, Codec) {
        let own = |rate| chosen.unwrap_or(Codec::Pcm { rate });
        (own(self.in_rate), own(self.out_rate))
    }
}

/// A row of [`PROFILES`].
struct Row {
    id: &'static str,
    name: &'static str,
    url: &'static str,
    model: Option<&'static str>,
    auth: Auth,
    key_variable: Option<&'static str>,
    dialect: Option<Dialect>,
    in_rate: u32,
    semantic_vad: bool,
    transcription_model: Option<&'static str>,
    voices: &'static [&'static str],
    supports_truncate: bool,
    supports_cancel_done: bool,
    supports_cancel: bool,
    supports_out_of_band: bool,
    needs_app_ping: bool,
    session_cap: Option<u32>,
}

/// A server of which nothing is known but that it speaks the protocol.
const OTHER: Row = Row {
    id: "other",
    name: "Other server",
    url: "ws://127.0.0.1:8000/v1/realtime",
    model: None,
    auth: Auth::Optional,
    key_variable: None,
    dialect: None,
    in_rate: SAMPLE_RATE,
    semantic_vad: false,
    transcription_model: None,
    voices: &[],
    supports_truncate: true,
    supports_cancel_done: true,
    supports_cancel: true,
    supports_out_of_band: true,
    needs_app_ping: false,
    session_cap: None,
};

const OPENAI_VOICES: &[&str] =
    &["marin", "cedar", "alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse"];

const ROWS: &[Row] = &[
    Row {
        id: "openai",
        name: "OpenAI",
        url: "wss://api.openai.com/v1/realtime",
        model: Some("gpt-realtime-2.1"),
        auth: Auth::Bearer,
        key_variable: Some("OPENAI_API_KEY"),
        dialect: Some(Dialect::Ga),
        semantic_vad: true,
        transcription_model: Some("gpt-transcribe"),
        voices: OPENAI_VOICES,
        session_cap: Some(3600),
        ..OTHER
    },
    Row {
        id: "azure",
        name: "Azure OpenAI",
        url: "wss://<resource>.openai.azure.com/openai/v1/realtime",
        model: Some("gpt-realtime-2.1"),
        auth: Auth::ApiKey,
        key_variable: Some("AZURE_OPENAI_API_KEY"),
        dialect: Some(Dialect::Ga),
        semantic_vad: true,
        transcription_model: Some("gpt-transcribe"),
        voices: OPENAI_VOICES,
        session_cap: Some(1800),
        ..OTHER
    },
    Row {
        id: "xai",
        name: "xAI",
        url: "wss://api.x.ai/v1/realtime",
        model: Some("grok-voice-latest"),
        auth: Auth::Bearer,
        key_variable: Some("XAI_API_KEY"),
        dialect: Some(Dialect::Xai),
        voices: &["ara", "rex", "sal", "eve", "leo"],
        session_cap: Some(3600),
        ..OTHER
    },
    Row {
        id: "qwen",
        name: "Qwen (Alibaba Model Studio)",
        url: "wss://dashscope.aliyuncs.com/api-ws/v1/realtime",
        model: Some("qwen3.5-omni-flash-realtime"),
        auth: Auth::Bearer,
        key_variable: Some("DASHSCOPE_API_KEY"),
        dialect: Some(Dialect::Qwen),
        in_rate: 16_000,
        semantic_vad: true,
        transcription_model: Some("qwen3-asr-flash-realtime"),
        supports_truncate: false,
        supports_cancel_done: false,
        supports_out_of_band: false,
        needs_app_ping: true,
        session_cap: Some(7200),
        ..OTHER
    },
    Row {
        id: "localai",
        name: "LocalAI",
        url: "ws://127.0.0.1:8080/v1/realtime",
        dialect: Some(Dialect::Ga),
        semantic_vad: true,
        supports_out_of_band: false,
        ..OTHER
    },
    Row {
        id: "speaches",
        name: "speaches",
        url: "ws://127.0.0.1:8000/v1/realtime",
        dialect: Some(Dialect::BetaFlat),
        supports_truncate: false,
        supports_cancel_done: false,
        supports_cancel: false,
        supports_out_of_band: false,
        session_cap: Some(1800),
        ..OTHER
    },
    Row {
        id: "hugging-face",
        name: "Hugging Face speech-to-speech",
        url: "ws://127.0.0.1:8765/v1/realtime",
        dialect: Some(Dialect::Ga),
        supports_out_of_band: false,
        ..OTHER
    },
    OTHER,
];

/// All that ship, the largest first, "other server" last.
pub static PROFILES: std::sync::LazyLock<Vec<Profile>> =
    std::sync::LazyLock::new(|| ROWS.iter().map(Row::open).collect());

/// Returns the profile of that name; that of an unknown server where there is none.
pub fn profile(id: &str) -> Profile {
    PROFILES.iter().find(|p| p.id == id).cloned().unwrap_or_else(|| OTHER.open())
}

/// Returns the kind of server that an address belongs to, by its host.
pub fn provider_of(url: &str) -> &'static str {
    fn host(url: &str) -> Option<&str> {
        url.split("//").nth(1)?.split(['/', ':']).next()
    }
    // Whatever serves on this machine may be any of several.
    let wanted = host(url).filter(|h| !["127.0.0.1", "localhost"].contains(h));
    match ROWS.iter().find(|row| wanted.is_some() && host(row.url) == wanted) {
        Some(row) => row.id,
        None if wanted.is_some_and(|h| h.ends_with(".openai.azure.com")) => "azure",
        None => OTHER.id,
    }
}

impl Row {
    fn open(&self) -> Profile {
        Profile {
            id: self.id.into(),
            name: self.name.into(),
            url: self.url.into(),
            model: self.model.map(Into::into),
            auth: self.auth,
            key_variable: self.key_variable.map(Into::into),
            dialect: self.dialect,
            in_rate: self.in_rate,
            out_rate: SAMPLE_RATE,
            semantic_vad: self.semantic_vad,
            transcription_model: self.transcription_model.map(Into::into),
            voices: self.voices.iter().map(ToString::to_string).collect(),
            supports_truncate: self.supports_truncate,
            supports_cancel_done: self.supports_cancel_done,
            supports_cancel: self.supports_cancel,
            supports_voice_change: false,
            supports_out_of_band: self.supports_out_of_band,
            needs_app_ping: self.needs_app_ping,
            session_cap: self.session_cap,
            expires: true,
            accounts_for_turns: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_tells_its_kind_of_server() {
        for (url, id) in [
            ("wss://api.openai.com/v1/realtime?model=x", "openai"),
            ("wss://api.x.ai:443/v1/realtime", "xai"),
            ("wss://mine.openai.azure.com/openai/v1/realtime", "azure"),
            ("wss://elsewhere.example/?next=.openai.azure.com", "other"),
            ("ws://127.0.0.1:8080/v1/realtime", "other"),
            ("ws://localhost:8000/v1/realtime", "other"),
            ("nonsense", "other"),
            ("", "other"),
        ] {
            assert_eq!(provider_of(url), id, "{url}");
        }
    }
}
