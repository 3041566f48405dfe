//! From the assistant to the page and to the tray. Tauri does not say when a page is gone: a page that comes takes the
//! place of the one before.

use std::sync::Mutex;

use assistant::{Assistant, prelude::*};
use tauri::{AppHandle, ipc::Channel};
use tokio::task::JoinHandle;

use crate::{
    commands::{ChannelMessage, Snapshot},
    desktop::Found,
    tray,
};

/// The page that is shown.
#[derive(Default)]
pub(crate) struct Window {
    forwarding: Mutex<Option<JoinHandle<()>>>,
}

impl Window {
    /// Sends everything, then all changes, to a page that has just opened.
    pub async fn attach(&self, assistant: &Assistant, channel: Channel<ChannelMessage>) -> Result<(), &'static str> {
        let Some((view, models, mut events)) = assistant.subscribe().await else {
            return Err("The assistant has ended.");
        };
        let _ = channel.send(ChannelMessage::Snapshot { snapshot: Snapshot { view, models } });
        let task = tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                if channel.send(ChannelMessage::Event { event }).is_err() {
                    return;
                }
            }
        });
        let mut forwarding = self.forwarding.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(before) = forwarding.replace(task) {
            before.abort();
        }
        Ok(())
    }
}

/// Keeps the tray's menu true, and says what the start has found.
pub(crate) async fn forward(app: AppHandle, assistant: Assistant, found: Found) {
    let Some((view, models, mut events)) = assistant.subscribe().await else { return };
    for text in found.unreadable {
        assistant.notify("settings", Severity::Warning, text, NoticeAction::Dismiss).await;
    }
    let mut lacking: Vec<_> = models.into_iter().filter(|m| m.required && m.state != ModelState::Installed).collect();
    let megabytes = lacking.iter().map(|m| m.download_bytes).sum::<u64>().div_ceil(1_000_000);
    if megabytes > 0 {
        let text = format!("To talk without a server, Vivavoce needs its models: {megabytes} MB to fetch, once.");
        assistant.notify("models", Severity::Warning, text, NoticeAction::InstallModels).await;
    }
    tray::show(&app, &view.status);
    // The check speaks, so it waits for the voice.
    let mut offer = found.is_first_run;
    loop {
        if offer && lacking.is_empty() {
            offer = false;
            let text = "Does it hear you, and not itself? A sound check tells in half a minute.".into();
            assistant.notify("sound-check", Severity::Info, text, NoticeAction::CheckSound).await;
        }
        match events.recv().await {
            Some(ViewEvent::Status { status }) => tray::show(&app, &status),
            Some(ViewEvent::Model { model }) if model.state == ModelState::Installed => {
                lacking.retain(|m| m.id != model.id);
            }
            Some(_) => {}
            None => return,
        }
    }
}
