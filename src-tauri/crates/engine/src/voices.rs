//! Voices by name, whatever model speaks them.

/// Which model speaks a voice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoiceModel {
    /// One voice, some forty times cheaper than Kokoro.
    Hibari,
    /// Twenty-eight English voices.
    Kokoro,
}

/// A voice to choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoiceInfo {
    /// Name on the wire and in settings.
    pub id: &'static str,
    /// What the window calls it.
    pub name: &'static str,
    /// Accent and kind, in words.
    pub description: &'static str,
    /// Who speaks it.
    pub model: VoiceModel,
}

/// The voice where none is chosen.
pub const DEFAULT: &str = "heart";

const AF: &str = "American woman";
const AM: &str = "American man";
const BF: &str = "British woman";
const BM: &str = "British man";

const fn kokoro(id: &'static str, name: &'static str, description: &'static str) -> VoiceInfo {
    VoiceInfo { id, name, description, model: VoiceModel::Kokoro }
}

/// All voices, the quick one first.
pub const VOICES: &[VoiceInfo] = &[
    VoiceInfo { id: DEFAULT, name: "Heart", description: "American woman, quick", model: VoiceModel::Hibari },
    kokoro("af_heart", "Heart (rich)", AF),
    kokoro("af_alloy", "Alloy", AF),
    kokoro("af_aoede", "Aoede", AF),
    kokoro("af_bella", "Bella", AF),
    kokoro("af_jessica", "Jessica", AF),
    kokoro("af_kore", "Kore", AF),
    kokoro("af_nicole", "Nicole", AF),
    kokoro("af_nova", "Nova", AF),
    kokoro("af_river", "River", AF),
    kokoro("af_sarah", "Sarah", AF),
    kokoro("af_sky", "Sky", AF),
    kokoro("am_adam", "Adam", AM),
    kokoro("am_echo", "Echo", AM),
    kokoro("am_eric", "Eric", AM),
    kokoro("am_fenrir", "Fenrir", AM),
    kokoro("am_liam", "Liam", AM),
    kokoro("am_michael", "Michael", AM),
    kokoro("am_onyx", "Onyx", AM),
    kokoro("am_puck", "Puck", AM),
    kokoro("am_santa", "Santa", AM),
    kokoro("bf_alice", "Alice", BF),
    kokoro("bf_emma", "Emma", BF),
    kokoro("bf_isabella", "Isabella", BF),
    kokoro("bf_lily", "Lily", BF),
    kokoro("bm_daniel", "Daniel", BM),
    kokoro("bm_fable", "Fable", BM),
    kokoro("bm_george", "George", BM),
    kokoro("bm_lewis", "Lewis", BM),
];

/// Returns the voice of that name; the default where there is none, for clients ask for voices of other servers.
pub fn voice(id: &str) -> &'static VoiceInfo {
    VOICES.iter().find(|v| v.id == id).unwrap_or(&VOICES[0])
}
