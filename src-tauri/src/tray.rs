//! The tray icon: state, talk, mute, show, quit. Everything is in the menu, for on Linux the icon itself takes no clicks.

use std::sync::atomic::{AtomicBool, Ordering};

use assistant::prelude::*;
use tauri::{
    AppHandle, Manager, Wry, include_image,
    menu::{CheckMenuItem, Menu, MenuEvent, MenuItem, PredefinedMenuItem},
    tray::TrayIconBuilder,
};

use crate::{desktop, desktop::Desktop};

const ID: &str = "main";
const ICON: tauri::image::Image<'_> = include_image!("../icons/tray.png");
/// While a microphone is recorded from.
const RECORDING: tauri::image::Image<'_> = include_image!("../icons/tray-recording.png");

struct Tray {
    status: MenuItem<Wry>,
    talk: MenuItem<Wry>,
    mute: CheckMenuItem<Wry>,
    /// Whether the icon shows a recording; drawing it anew is dear.
    shows_recording: AtomicBool,
}

pub(crate) fn build(app: &AppHandle) -> tauri::Result<()> {
    let status = MenuItem::with_id(app, "status", "Idle", false, None::<&str>)?;
    let talk = MenuItem::with_id(app, "talk", "Talk", true, None::<&str>)?;
    let mute = CheckMenuItem::with_id(app, "mute", "Mute microphone", true, false, None::<&str>)?;
    let show = MenuItem::with_id(app, "show", "Show Vivavoce", true, None::<&str>)?;
    let quit = MenuItem::with_id(app, "quit", "Quit", true, None::<&str>)?;
    let line = PredefinedMenuItem::separator(app)?;
    let menu = Menu::with_items(app, &[&status, &talk, &mute, &line, &show, &quit])?;
    TrayIconBuilder::with_id(ID).icon(ICON).menu(&menu).tooltip("Vivavoce").on_menu_event(handle).build(app)?;
    app.manage(Tray { status, talk, mute, shows_recording: AtomicBool::new(false) });
    Ok(())
}

/// Shows the conversation's state in the menu.
pub(crate) fn show(app: &AppHandle, status: &StatusView) {
    let Some(tray) = app.try_state::<Tray>() else { return };
    let words = match status.agent {
        AgentState::Idle => "Idle",
        AgentState::Listening if status.muted => "Muted",
        AgentState::Listening => "Listening",
        AgentState::Thinking => "Thinking",
        AgentState::Speaking => "Speaking",
    };
    let _ =
        tray.status.set_text(if status.is_recording { format!("{words}, microphone on") } else { words.to_owned() });
    let changed = tray.shows_recording.swap(status.is_recording, Ordering::Relaxed) != status.is_recording;
    if let Some(icon) = app.tray_by_id(ID).filter(|_| changed) {
        let (image, words) =
            if status.is_recording { (RECORDING, "Vivavoce, microphone on") } else { (ICON, "Vivavoce") };
        let _ = icon.set_icon(Some(image));
        let _ = icon.set_tooltip(Some(words));
    }
    let _ = tray.talk.set_text(if status.mic_open { "Stop talking" } else { "Talk" });
    let _ = tray.mute.set_checked(status.muted);
}

fn handle(app: &AppHandle, event: MenuEvent) {
    let Some(tray) = app.try_state::<Tray>() else { return };
    let action = match event.id().as_ref() {
        "talk" if tray.talk.text().is_ok_and(|t| t == "Talk") => Action::StartTalk,
        "talk" => Action::StopTalk,
        // The system has already moved the check mark.
        "mute" => Action::SetMuted { muted: tray.mute.is_checked().unwrap_or(false) },
        "show" => return desktop::show(app),
        "quit" => return app.exit(0),
        _ => return,
    };
    let assistant = app.state::<Desktop>().assistant.clone();
    tauri::async_runtime::spawn(async move { assistant.act(action).await });
}
