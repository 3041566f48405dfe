//! Tells Tauri which commands the window may be granted.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    const COMMANDS: &[&str] = &[
        "subscribe",
        "act",
        "settings",
        "apply_settings",
        "catalog",
        "devices",
        "install_models",
        "cancel_install",
        "check_sound",
        "end_sound_check",
        "key_state",
        "set_key",
        "clear_key",
        "probe_server",
    ];
    // `cargo check` works before the page has been built.
    std::fs::create_dir_all("../ui/dist")?;
    println!("cargo:rerun-if-changed=../ui/dist");
    let manifest = tauri_build::AppManifest::new().commands(COMMANDS);
    Ok(tauri_build::try_build(tauri_build::Attributes::new().app_manifest(manifest))?)
}
