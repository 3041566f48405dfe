//! What settings stand for: whom to talk with, and how. One place for the window and the terminal.

use std::{path::PathBuf, time::Duration};

use audio::{CpalBackend, EchoMode};
use engine::http::{Ears, HttpServer, Mind, Mouth, Steps};
use protocol::{Codec, Dialect, Profile, profile};
use session::{Config, Interrupt, Prices, Turns, tone};
use store::{
    EchoChoice, EngineChoice, FoundProfile, InterruptChoice, Paths, Settings, StageChoice, StageServer, TurnChoice,
};

use crate::{EchoModes, KeySource, Remote, Server, Stitched, Vault, shipped_tools};

/// Returns what a conversation is set to, and words about a price list of the user's that cannot be read.
pub fn config(settings: &Settings, paths: &Paths) -> (Config, Option<String>) {
    let own = settings.prompts.get(&settings.tone).cloned();
    let (mut prices, wrong) = prices(paths);
    if matches!(settings.engine, EngineChoice::Stitched { .. }) {
        // Whoever does the steps sends the bill; here nobody knows of it.
        prices.models.clear();
    }
    let profile = found(settings);
    let config = Config {
        instructions: own.unwrap_or_else(|| tone(&settings.tone).prompt.to_owned()),
        voice: voice(settings, &profile),
        turns: match settings.turns {
            TurnChoice::Semantic => Turns::Semantic,
            TurnChoice::Patient => Turns::Patient,
            TurnChoice::Silence => Turns::Silence,
            TurnChoice::PushToTalk => Turns::PushToTalk,
        },
        interrupt: match settings.interrupt {
            InterruptChoice::AtOnce => Interrupt::AtOnce,
            InterruptChoice::WithWords => Interrupt::WithWords,
            InterruptChoice::OnlyKey => Interrupt::OnlyKey,
        },
        language: settings.language.clone(),
        quiet_limit: quiet_limit(settings),
        codec: codec(settings),
        // The small model on this device calls tools at random, where it calls any.
        tools: match &settings.engine {
            EngineChoice::OnDevice | EngineChoice::Stitched { mind: StageChoice::OnDevice, .. } => Vec::new(),
            EngineChoice::Server { .. } | EngineChoice::Stitched { .. } => shipped_tools(),
        },
        profile,
        prices,
    };
    (config, wrong)
}

/// Returns the server; `program` is this program, which is started once more as its own engine.
pub fn server(settings: &Settings, paths: &Paths, program: PathBuf, vault: &Vault) -> Server {
    let stitched = match &settings.engine {
        EngineChoice::Server { url, provider, model, .. } => {
            let profile = found(settings);
            return Server::WebSocket(Remote {
                url: url.clone(),
                model: model.clone().filter(|m| !m.is_empty()).or_else(|| profile.model.clone()),
                key: KeySource::Vault(vault.clone(), provider.clone()),
                profile,
                codec: codec(settings),
            });
        }
        EngineChoice::OnDevice => None,
        EngineChoice::Stitched { ears, mind, mouth } => Some(Stitched {
            steps: steps(ears, mind, mouth, settings.language.clone()),
            ears: key(ears, vault),
            mind: key(mind, vault),
            mouth: key(mouth, vault),
        }),
    };
    Server::Child {
        program,
        args: vec!["engine".into(), "--models".into(), paths.models().to_string_lossy().into_owned()],
        log: Some(paths.logs().join("engine.log")),
        stitched,
    }
}

/// Returns the devices that were chosen.
pub fn devices(settings: &Settings) -> CpalBackend {
    CpalBackend::new(settings.input_device.clone(), settings.output_device.clone())
        .with_channels(settings.input_channels.clone())
}

/// Returns how the microphone is kept from hearing the speaker.
pub fn echo(settings: &Settings) -> EchoModes {
    let mode = |choice: EchoChoice| match choice {
        EchoChoice::FullDuplex => EchoMode::FullDuplex,
        EchoChoice::HalfDuplex => EchoMode::HalfDuplex,
        EchoChoice::Headphones => EchoMode::Headphones,
    };
    let by_speaker = settings.echo_by_speaker.iter().map(|(name, choice)| (name.clone(), mode(*choice)));
    EchoModes { usual: mode(settings.echo), by_speaker: by_speaker.collect() }
}

/// Returns the models that an engine choice needs and that are not on this machine.
pub fn lacking_for(settings: &Settings, paths: &Paths) -> Vec<&'static engine::models::Model> {
    let unneeded: Vec<&str> = match &settings.engine {
        EngineChoice::OnDevice => Vec::new(),
        EngineChoice::Server { .. } => return Vec::new(),
        EngineChoice::Stitched { ears, mind, mouth } => {
            let steps = steps(ears, mind, mouth, None);
            let done_here = [
                ("moonshine-base", matches!(steps.ears, Ears::OnDevice)),
                ("qwen-0.5b", matches!(steps.mind, Mind::OnDevice)),
                ("hibari", matches!(steps.mouth, Mouth::OnDevice)),
            ];
            done_here.into_iter().filter(|(_, here)| !here).map(|(id, _)| id).collect()
        }
    };
    crate::models::lacking(&paths.models()).into_iter().filter(|m| !unneeded.contains(&m.id)).collect()
}

/// Returns what is known of the server that settings name: its kind's profile, with what a probe has found out.
fn found(settings: &Settings) -> Profile {
    let EngineChoice::Server { url, provider, .. } = &settings.engine else { return Profile::on_device() };
    let profile = profile(provider);
    match settings.found.get(url) {
        Some(found) => with_found(profile, found),
        None => profile,
    }
}

fn with_found(profile: Profile, found: &FoundProfile) -> Profile {
    let dialect = found.dialect.as_deref().and_then(dialect).or(profile.dialect);
    Profile {
        dialect,
        in_rate: if found.in_rate > 0 { found.in_rate } else { profile.in_rate },
        semantic_vad: found.semantic_vad,
        supports_truncate: found.supports_truncate,
        supports_cancel: found.supports_cancel,
        supports_cancel_done: found.supports_cancel_done,
        supports_out_of_band: found.supports_out_of_band,
        ..profile
    }
}

fn dialect(name: &str) -> Option<Dialect> {
    serde_json::from_value(serde_json::Value::String(name.to_owned())).ok()
}

fn voice(settings: &Settings, profile: &Profile) -> String {
    let EngineChoice::Server { provider, .. } = &settings.engine else { return settings.voice.clone() };
    let chosen = settings.voices.get(provider).filter(|v| profile.voices.is_empty() || profile.voices.contains(v));
    chosen.or(profile.voices.first()).cloned().unwrap_or_default()
}

/// A talk on this device costs nothing and is heard by nobody else.
fn quiet_limit(settings: &Settings) -> Option<Duration> {
    let limited = settings.quiet_minutes > 0 && settings.engine != EngineChoice::OnDevice;
    limited.then(|| Duration::from_secs(60 * u64::from(settings.quiet_minutes)))
}

fn codec(settings: &Settings) -> Option<Codec> {
    match &settings.engine {
        EngineChoice::Server { low_bandwidth: true, .. } => Some(Codec::Mulaw),
        EngineChoice::Server { .. } | EngineChoice::OnDevice | EngineChoice::Stitched { .. } => None,
    }
}

/// Returns the user's own prices where there are any, else those that ship.
fn prices(paths: &Paths) -> (Prices, Option<String>) {
    let path = paths.prices();
    match std::fs::read_to_string(&path).map(|text| Prices::parse(&text)) {
        Ok(Ok(prices)) => (prices, None),
        Ok(Err(error)) => {
            let words = format!("{} cannot be read ({error}); the prices that ship hold.", path.display());
            (Prices::shipped(), Some(words))
        }
        Err(_) => (Prices::shipped(), None),
    }
}

/// What a step cannot be done by is done here.
fn steps(ears: &StageChoice, mind: &StageChoice, mouth: &StageChoice, language: Option<String>) -> Steps {
    let at = |server: &StageServer| HttpServer { url: server.url.clone(), model: server.model.clone(), key: None };
    // This device's voices are unknown elsewhere.
    let voice = |server: &StageServer, usual: &str| {
        Some(if server.voice.is_empty() { usual.to_owned() } else { server.voice.clone() })
    };
    Steps {
        ears: match ears {
            StageChoice::Http(server) => Ears::Http { server: at(server), language },
            StageChoice::OnDevice | StageChoice::Realtime(_) => Ears::OnDevice,
        },
        mind: match mind {
            StageChoice::Http(server) => Mind::Http(at(server)),
            StageChoice::OnDevice | StageChoice::Realtime(_) => Mind::OnDevice,
        },
        mouth: match mouth {
            StageChoice::OnDevice => Mouth::OnDevice,
            StageChoice::Http(server) => Mouth::Http { server: at(server), voice: voice(server, "alloy") },
            StageChoice::Realtime(server) => Mouth::Realtime { server: at(server), voice: voice(server, "marin") },
        },
    }
}

fn key(choice: &StageChoice, vault: &Vault) -> KeySource {
    match choice {
        StageChoice::Http(server) | StageChoice::Realtime(server) if !server.account.is_empty() => {
            KeySource::Vault(vault.clone(), server.account.clone())
        }
        StageChoice::OnDevice | StageChoice::Http(_) | StageChoice::Realtime(_) => KeySource::None,
    }
}
