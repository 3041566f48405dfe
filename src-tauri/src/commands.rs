//! What the page may ask for. All of it, and nothing of it decides anything.

use std::sync::PoisonError;

use assistant::{Keep, KeyState, ProbeReport, Server, compose, prelude::*, probe};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tauri::{AppHandle, State, ipc::Channel};
use ts_rs::TS;

use crate::{desktop, desktop::Desktop, talk_key, view_channel::Window};

/// Why a command failed, for the page to show.
#[derive(Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CommandError {
    message: String,
}

impl<E: std::fmt::Display> From<E> for CommandError {
    fn from(error: E) -> Self {
        Self { message: error.to_string() }
    }
}

/// Everything a window shows, and the models.
#[derive(Clone, Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Snapshot {
    pub view: View,
    pub models: Vec<ModelView>,
}

/// What goes over the channel: once everything, then changes.
#[derive(Clone, Debug, Serialize, TS)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum ChannelMessage {
    Snapshot { snapshot: Snapshot },
    Event { event: ViewEvent },
}

/// What there is to choose from.
#[derive(Clone, Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Catalog {
    pub voices: Vec<VoiceChoice>,
    pub tones: Vec<ToneChoice>,
    pub providers: Vec<ProviderChoice>,
}

/// A kind of server to choose.
#[derive(Clone, Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProviderChoice {
    pub id: String,
    pub name: String,
    /// To begin with; `<…>` is to be filled in.
    pub url: String,
    pub model: Option<String>,
    /// None where any name goes.
    pub voices: Vec<String>,
    pub needs_key: bool,
    /// The variable that the key is read from, too.
    pub variable: String,
}

/// How a key is to be kept.
#[derive(Clone, Copy, Debug, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
pub(crate) enum KeyKeep {
    Keychain,
    ThisRun,
}

/// A voice to choose.
#[derive(Clone, Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VoiceChoice {
    pub id: String,
    pub name: String,
    pub description: String,
    /// The model it needs.
    pub model: String,
}

/// A tone to choose.
#[derive(Clone, Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToneChoice {
    pub id: String,
    pub name: String,
    pub prompt: String,
}

/// A device to choose.
#[derive(Clone, Debug, Serialize, TS)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeviceChoice {
    pub id: String,
    pub name: String,
    pub is_input: bool,
    pub is_default: bool,
    pub channels: u16,
}

#[tauri::command]
pub(crate) async fn subscribe(
    window: State<'_, Window>,
    desktop: State<'_, Desktop>,
    channel: Channel<ChannelMessage>,
) -> Result<(), CommandError> {
    window.attach(&desktop.assistant, channel).await.map_err(CommandError::from)
}

#[tauri::command]
pub(crate) async fn act(desktop: State<'_, Desktop>, action: Action) -> Result<(), CommandError> {
    desktop.assistant.act(action).await;
    Ok(())
}

#[tauri::command]
pub(crate) fn settings(desktop: State<'_, Desktop>) -> Settings {
    desktop.settings.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

#[tauri::command]
pub(crate) async fn apply_settings(
    app: AppHandle,
    desktop: State<'_, Desktop>,
    mut settings: Settings,
) -> Result<(), CommandError> {
    let before = {
        let mut held = desktop.settings.lock().unwrap_or_else(PoisonError::into_inner);
        // What probes have found is not the page's to forget.
        for (url, found) in &held.found {
            settings.found.entry(url.clone()).or_insert_with(|| found.clone());
        }
        std::mem::replace(&mut *held, settings.clone())
    };
    let devices = |s: &Settings| (s.input_device.clone(), s.output_device.clone(), s.input_channels.clone());
    if devices(&before) != devices(&settings) {
        let devices = compose::devices(&settings);
        desktop.assistant.use_devices(Box::new(move || Box::new(devices))).await;
    }
    if before.shortcut != settings.shortcut {
        let wrong = talk_key::listen(&app, settings.shortcut.as_deref()).err();
        let assistant = &desktop.assistant;
        match wrong {
            Some(words) => assistant.notify("shortcut", Severity::Warning, words, NoticeAction::Dismiss).await,
            None => assistant.notice_gone("shortcut").await,
        }
    }
    if (before.echo, &before.echo_by_speaker) != (settings.echo, &settings.echo_by_speaker) {
        desktop.assistant.cancel_echo(compose::echo(&settings)).await;
    }
    if (&before.engine, &before.found) != (&settings.engine, &settings.found) {
        desktop.assistant.serve(desktop::server(&settings, &desktop.paths, &desktop.vault)?).await;
    }
    let (config, _) = compose::config(&settings, &desktop.paths);
    desktop.assistant.configure(config).await;
    Ok(settings.save(&desktop.paths.settings())?)
}

#[tauri::command]
pub(crate) fn catalog() -> Catalog {
    let model = |voice: &VoiceInfo| match voice.model {
        VoiceModel::Hibari => "hibari",
        VoiceModel::Kokoro => "kokoro",
    };
    let voices = VOICES.iter().map(|v| VoiceChoice {
        id: v.id.into(),
        name: v.name.into(),
        description: v.description.into(),
        model: model(v).into(),
    });
    let tones = TONES.iter().map(|t| ToneChoice { id: t.id.into(), name: t.name.into(), prompt: t.prompt.into() });
    let providers = PROFILES.iter().map(|p| ProviderChoice {
        id: p.id.clone(),
        name: p.name.clone(),
        url: p.url.clone(),
        model: p.model.clone(),
        voices: p.voices.clone(),
        needs_key: p.auth.needs_key(),
        variable: assistant::variable(&p.id),
    });
    Catalog { voices: voices.collect(), tones: tones.collect(), providers: providers.collect() }
}

/// What the page may know of a key. Waits for the keychain; the window does not.
#[tauri::command]
pub(crate) async fn key_state(desktop: State<'_, Desktop>, account: String) -> Result<KeyState, CommandError> {
    Ok(desktop.vault.state(&account).await)
}

/// The one way of a key, from the page inwards.
#[tauri::command]
pub(crate) async fn set_key(
    desktop: State<'_, Desktop>,
    account: String,
    key: SecretString,
    keep: KeyKeep,
) -> Result<KeyState, CommandError> {
    let keep = match keep {
        KeyKeep::Keychain => Keep::InKeychain,
        KeyKeep::ThisRun => Keep::ThisRun,
    };
    desktop.vault.set(&account, key, keep).await?;
    Ok(desktop.vault.state(&account).await)
}

#[tauri::command]
pub(crate) async fn clear_key(desktop: State<'_, Desktop>, account: String) -> Result<KeyState, CommandError> {
    desktop.vault.clear(&account).await?;
    Ok(desktop.vault.state(&account).await)
}

/// Tries the chosen server, and goes by what was found from then on.
#[tauri::command]
pub(crate) async fn probe_server(app: AppHandle, desktop: State<'_, Desktop>) -> Result<ProbeReport, CommandError> {
    let settings = desktop.settings.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let server = desktop::server(&settings, &desktop.paths, &desktop.vault)?;
    let (Server::WebSocket(remote), EngineChoice::Server { url, .. }) = (server, settings.engine) else {
        return Err(CommandError { message: "There is no server to try: this device answers.".into() });
    };
    let report = probe(remote).await;
    if let Some(found) = &report.found {
        let mut settings = desktop.settings.lock().unwrap_or_else(PoisonError::into_inner).clone();
        settings.found.insert(url, found.clone());
        apply_settings(app, desktop, settings).await?;
    }
    Ok(report)
}

/// Asks the system, which may take a while.
#[tauri::command(async)]
pub(crate) fn devices() -> Vec<DeviceChoice> {
    let choice = |d: DeviceInfo| DeviceChoice {
        id: d.id,
        name: d.name,
        is_input: d.direction == Direction::Input,
        is_default: d.is_default,
        channels: d.channels,
    };
    assistant::prelude::devices().into_iter().map(choice).collect()
}

#[tauri::command]
pub(crate) async fn install_models(desktop: State<'_, Desktop>, ids: Vec<String>) -> Result<(), CommandError> {
    desktop.assistant.install_models(ids).await;
    Ok(())
}

#[tauri::command]
pub(crate) async fn cancel_install(desktop: State<'_, Desktop>) -> Result<(), CommandError> {
    desktop.assistant.cancel_install().await;
    Ok(())
}

#[tauri::command]
pub(crate) async fn check_sound(desktop: State<'_, Desktop>) -> Result<(), CommandError> {
    desktop.assistant.check_sound().await;
    Ok(())
}

#[tauri::command]
pub(crate) async fn end_sound_check(desktop: State<'_, Desktop>) -> Result<(), CommandError> {
    desktop.assistant.end_sound_check().await;
    Ok(())
}
