//! Shortcuts where the desktop hands them out: the GlobalShortcuts portal, which is how a program gets any on Wayland.

use ashpd::desktop::{
    CreateSessionOptions,
    global_shortcuts::{BindShortcutsOptions, GlobalShortcuts, NewShortcut},
};
use futures_util::StreamExt;
use tokio::sync::oneshot;

/// What the portal knows us by.
const APP: &str = "app.vivavoce.desktop";
/// What it knows the shortcut by.
const TALK: &str = "talk";

/// Whether the key is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Down,
    Up,
}

/// Why it is listened to no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Stopped,
    TakenBack,
}

/// Asks the desktop for a key, and tells when it is pressed and let go, until it is stopped or the desktop takes it back.
/// The desktop may ask the user, and may give another key than the wanted one.
///
/// # Errors
/// There is no such portal, or the user has refused.
pub(crate) async fn listen(wanted: &str, tell: impl Fn(Key), mut stopped: oneshot::Receiver<()>) -> ashpd::Result<End> {
    if let Ok(app) = ashpd::AppID::try_from(APP)
        && let Err(error) = ashpd::register_host_app(app).await
    {
        tracing::debug!(%error, "The portal knows this program by no name");
    }
    let portal = GlobalShortcuts::new().await?;
    let session = portal.create_session(CreateSessionOptions::default()).await?;
    let (mut pressed, mut released) = (portal.receive_activated().await?, portal.receive_deactivated().await?);
    let shortcut = NewShortcut::new(TALK, "Talk while it is held").preferred_trigger(trigger(wanted).as_str());
    portal.bind_shortcuts(&session, &[shortcut], None, BindShortcutsOptions::default()).await?.response()?;
    let mut closed = std::pin::pin!(session.receive_closed().await?);
    loop {
        tokio::select! {
            _ = &mut stopped => {
                session.close().await?;
                return Ok(End::Stopped);
            }
            _ = closed.next() => return Ok(End::TakenBack),
            Some(event) = pressed.next() => if event.shortcut_id() == TALK { tell(Key::Down) },
            Some(event) = released.next() => if event.shortcut_id() == TALK { tell(Key::Up) },
            else => return Ok(End::TakenBack),
        }
    }
}

/// Writes a shortcut as the portal wants it: modifiers in capitals, the key by its XKB name.
fn trigger(shortcut: &str) -> String {
    let part = |part: &str| match part.trim().to_lowercase().as_str() {
        "ctrl" | "control" | "commandorcontrol" | "cmdorctrl" => "CTRL".to_owned(),
        "alt" | "option" => "ALT".to_owned(),
        "shift" => "SHIFT".to_owned(),
        "super" | "meta" | "cmd" | "command" => "LOGO".to_owned(),
        "enter" | "return" => "Return".to_owned(),
        "escape" | "esc" => "Escape".to_owned(),
        // Function keys have a capital in XKB, letters have none; the rest is as it is written.
        key if key.len() > 1 && key.starts_with('f') && key[1..].parse::<u8>().is_ok() => key.to_uppercase(),
        key => key.to_owned(),
    };
    shortcut.split('+').map(part).collect::<Vec<_>>().join("+")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortcut_is_written_as_the_portal_wants_it() {
        for (ours, theirs) in
            [("Ctrl+Alt+Space", "CTRL+ALT+space"), ("Super+F9", "LOGO+F9"), ("Ctrl+Shift+T", "CTRL+SHIFT+t")]
        {
            assert_eq!(trigger(ours), theirs);
        }
    }
}
