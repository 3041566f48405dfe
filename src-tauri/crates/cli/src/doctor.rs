use assistant::{models::lacking, prelude::*};
use serde_json::json;

use crate::{
    Exit,
    run::{models_folder, say},
};

pub(crate) fn devices(json: bool) -> Exit {
    for device in devices_of_system() {
        let (kind, mark) = (kind(device.direction), if device.is_default { " (default)" } else { "" });
        let value = json!({ "id": device.id, "name": device.name, "kind": kind, "default": device.is_default });
        say(json, &format!("{kind}: {}{mark}  [{}]", device.name, device.id), &value);
    }
    Exit::Done
}

/// One line for each thing a conversation needs.
pub(crate) fn doctor(json: bool) -> Exit {
    let found = devices_of_system();
    let has = |direction| found.iter().any(|d| d.direction == direction);
    let lacking: Vec<&str> = lacking(&models_folder()).iter().map(|m| m.name).collect();
    let settings = Settings::load(&Paths::from_env().settings());
    let bus = std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some() || !cfg!(target_os = "linux");
    let display =
        ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|v| std::env::var_os(v).is_some()) || !cfg!(target_os = "linux");
    let memory = memory_gb();
    let checks = [
        (
            "microphone",
            has(Direction::Input),
            "Connect one, or check the system's sound settings. Typing works without.",
            true,
        ),
        (
            "speaker",
            has(Direction::Output),
            "Connect one, or check the system's sound settings. Answers can be read without.",
            true,
        ),
        ("models", lacking.is_empty(), "Run `vivavoce-cli models --install`.", true),
        ("processor", processor(), "The on-device language model needs AVX2; use a server instead.", true),
        (
            "memory",
            memory.is_none_or(|gb| gb >= 2.5),
            "The engine takes up to 2 GB; close other programs or use a server.",
            true,
        ),
        ("settings", settings.is_ok(), "They were unreadable and have been set aside; the defaults hold.", true),
        ("display", display, "Without one there is no window; `vivavoce-cli talk` and `converse` work.", false),
        (
            "session bus",
            bus,
            "Without one there is no tray icon and no second-start detection; the window works.",
            false,
        ),
    ];
    let mut exit = Exit::Done;
    for (what, works, remedy, needed) in checks {
        if !works && needed {
            exit = Exit::Missing;
        }
        let words = if works { format!("ok       {what}") } else { format!("missing  {what}: {remedy}") };
        let remedy = (!works).then_some(remedy);
        say(json, &words, &json!({ "check": what, "ok": works, "remedy": remedy }));
    }
    exit
}

fn devices_of_system() -> Vec<DeviceInfo> {
    assistant::prelude::devices()
}

fn kind(direction: Direction) -> &'static str {
    match direction {
        Direction::Input => "microphone",
        Direction::Output => "speaker",
    }
}

fn processor() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    return true;
}

/// Total memory; none where the system does not say it in a file.
fn memory_gb() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kb: f64 = text.lines().find_map(|l| l.strip_prefix("MemTotal:"))?.split_whitespace().next()?.parse().ok()?;
    Some(kb / 1e6)
}
