//! The talk key where the window has not got the keyboard: a shortcut of the whole desktop, and orders given by starting
//! the program once more, which is what a compositor without shortcuts for programs can be bound to.

#[cfg(target_os = "linux")]
mod portal;

use assistant::prelude::*;
use tauri::{AppHandle, Manager};
use tauri_plugin_global_shortcut::{GlobalShortcutExt, ShortcutState};

use crate::desktop::Desktop;

/// What is told to the program that runs, as an argument of another start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// `--ptt-down`
    Press,
    /// `--ptt-up`
    Release,
    /// `--ptt-toggle`
    Toggle,
    /// `--interrupt`
    Interrupt,
}

impl Order {
    /// Returns the order among the arguments of a start, if there is one.
    pub fn among(args: &[String]) -> Option<Self> {
        args.iter().find_map(|arg| match arg.as_str() {
            "--ptt-down" => Some(Self::Press),
            "--ptt-up" => Some(Self::Release),
            "--ptt-toggle" => Some(Self::Toggle),
            "--interrupt" => Some(Self::Interrupt),
            _ => None,
        })
    }

    /// Does it.
    pub fn carry_out(self, app: &AppHandle) {
        let action = match self {
            Self::Interrupt => Action::Interrupt,
            Self::Press => Action::PressTalk,
            Self::Release => Action::ReleaseTalk,
            Self::Toggle => Action::ToggleTalk,
        };
        if let Some(desktop) = app.try_state::<Desktop>() {
            desktop.assistant.act_now(action);
        }
    }
}

/// The desktop's portal, while it is listened to.
#[derive(Default)]
pub(crate) struct Portal {
    #[cfg(target_os = "linux")]
    listening: std::sync::Mutex<Option<tokio::sync::oneshot::Sender<()>>>,
}

/// Listens to a shortcut anywhere on the desktop, in place of any other; none listens to none.
///
/// # Errors
/// Words about what is wrong with it, or with a desktop that gives programs no shortcuts.
pub(crate) fn listen(app: &AppHandle, shortcut: Option<&str>) -> Result<(), String> {
    let shortcuts = app.global_shortcut();
    if let Err(error) = shortcuts.unregister_all() {
        tracing::debug!(%error, "No shortcut was registered");
    }
    let shortcut = shortcut.filter(|s| !s.is_empty());
    // X11 keys may be registered through XWayland, and then arrive only while a window of X11 has the keyboard.
    #[cfg(target_os = "linux")]
    if ask_portal(app, shortcut) {
        return Ok(());
    }
    let Some(shortcut) = shortcut else { return Ok(()) };
    let pressed = |app: &AppHandle, _: &_, event: tauri_plugin_global_shortcut::ShortcutEvent| {
        match event.state() {
            ShortcutState::Pressed => Order::Press,
            ShortcutState::Released => Order::Release,
        }
        .carry_out(app);
    };
    let listened = shortcuts.on_shortcut(shortcut, pressed);
    listened.map_err(|error| instead(&format!("“{shortcut}” cannot be used as a shortcut: {error}.")))
}

/// On Wayland, listens to the portal in place of what it was asked before; returns whether this is Wayland.
#[cfg(target_os = "linux")]
fn ask_portal(app: &AppHandle, shortcut: Option<&str>) -> bool {
    let is_wayland = std::env::var_os("WAYLAND_DISPLAY").is_some_and(|display| !display.is_empty());
    let portal = app.state::<Portal>();
    let mut listening = portal.listening.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // Whoever listened before gives the shortcut back.
    *listening = None;
    let Some(shortcut) = shortcut.filter(|_| is_wayland).map(str::to_owned) else { return is_wayland };
    let app = app.clone();
    let (stop, stopped) = tokio::sync::oneshot::channel();
    *listening = Some(stop);
    tauri::async_runtime::spawn(async move {
        let tell = |key| {
            match key {
                portal::Key::Down => Order::Press,
                portal::Key::Up => Order::Release,
            }
            .carry_out(&app);
        };
        let why = match portal::listen(&shortcut, tell, stopped).await {
            Ok(portal::End::Stopped) => return,
            Ok(portal::End::TakenBack) => "The desktop has taken the shortcut back.".to_owned(),
            Err(ashpd::Error::Response(_)) => format!("“{shortcut}” was not granted."),
            Err(error) => {
                tracing::info!(%error, "There is no portal for shortcuts");
                "This desktop gives programs no shortcuts of their own.".to_owned()
            }
        };
        let assistant = app.state::<Desktop>().assistant.clone();
        assistant.notify("shortcut", Severity::Warning, instead(&why), NoticeAction::Dismiss).await;
    });
    true
}

/// What to do where the desktop's own settings must be used.
fn instead(why: &str) -> String {
    let program = std::env::current_exe().map_or_else(|_| "vivavoce".into(), |path| path.display().to_string());
    format!(
        "{why} In the settings of the desktop, bind a key to “{program} --ptt-toggle”, or press and release to “--ptt-down” and “--ptt-up”."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_found_among_the_arguments_and_anything_else_is_none() {
        let order = |args: &[&str]| Order::among(&args.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>());
        assert_eq!(order(&["vivavoce", "--ptt-down"]), Some(Order::Press));
        assert_eq!(order(&["vivavoce", "--ptt-up"]), Some(Order::Release));
        assert_eq!(order(&["vivavoce", "--ptt-toggle"]), Some(Order::Toggle));
        assert_eq!(order(&["vivavoce", "--interrupt"]), Some(Order::Interrupt));
        assert_eq!(order(&["vivavoce"]), None);
        assert_eq!(order(&["vivavoce", "ptt-down"]), None);
    }
}
