//! The app's life: settings, assistant, window, tray.

use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use assistant::{Assistant, Server, Setup, Vault, compose, prelude::*};
use tauri::{AppHandle, Manager, RunEvent, WebviewWindowBuilder, WindowEvent};

use crate::{
    commands,
    talk_key::{self, Order, Portal},
    tray, view_channel,
};

/// What the commands share. The settings' one owner on this side of the channel.
pub(crate) struct Desktop {
    pub assistant: Assistant,
    pub vault: Vault,
    pub paths: Paths,
    pub settings: Mutex<Settings>,
}

pub(crate) fn run() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("Failed to start the runtime")?;
    tauri::async_runtime::set(runtime.handle().clone());
    let app = tauri::Builder::default()
        .plugin(tauri_plugin_single_instance::init(|app, args, _| match Order::among(&args) {
            Some(order) => order.carry_out(app),
            None => show(app),
        }))
        .plugin(tauri_plugin_global_shortcut::Builder::new().build())
        .invoke_handler(tauri::generate_handler![
            commands::subscribe,
            commands::act,
            commands::settings,
            commands::apply_settings,
            commands::catalog,
            commands::devices,
            commands::install_models,
            commands::cancel_install,
            commands::check_sound,
            commands::end_sound_check,
            commands::key_state,
            commands::set_key,
            commands::clear_key,
            commands::probe_server
        ])
        .on_window_event(|window, event| {
            if let WindowEvent::CloseRequested { api, .. } = event {
                // The talk goes on in the tray; starting the program once more shows the window again.
                api.prevent_close();
                let _ = window.hide();
            }
        })
        .setup(|app| {
            let (desktop, mut found) = tauri::async_runtime::block_on(async { compose() })?;
            let assistant = desktop.assistant.clone();
            let shortcut = desktop.settings.lock().unwrap_or_else(PoisonError::into_inner).shortcut.clone();
            app.manage(desktop);
            app.manage(Portal::default());
            found.unreadable.extend(talk_key::listen(app.handle(), shortcut.as_deref()).err());
            if let Some(order) = Order::among(&std::env::args().collect::<Vec<_>>()) {
                order.carry_out(app.handle());
            }
            app.manage(view_channel::Window::default());
            let config = app.config().app.windows.first().cloned().context("The configuration has no window")?;
            WebviewWindowBuilder::from_config(app.handle(), &config)?
                .on_navigation(|url| url.scheme() == "tauri" || url.host_str() == Some("tauri.localhost"))
                .build()?;
            if let Err(error) = tray::build(app.handle()) {
                tracing::warn!(%error, "There is no tray icon");
            }
            tauri::async_runtime::spawn(view_channel::forward(app.handle().clone(), assistant.clone(), found));
            Ok(())
        })
        .build(tauri::generate_context!())
        .context("Failed to open the window")?;
    app.run_return(|_, event| {
        if let RunEvent::ExitRequested { code: None, api, .. } = event {
            api.prevent_exit();
        }
    });
    Ok(())
}

/// What a start finds that the user is to be told.
pub(crate) struct Found {
    /// Words about what of the user's could not be read.
    pub unreadable: Vec<String>,
    /// Whether nothing has ever been set here.
    pub is_first_run: bool,
}

/// Puts everything together.
fn compose() -> anyhow::Result<(Desktop, Found)> {
    let paths = Paths::from_env();
    let is_first_run = !paths.settings().exists();
    let mut unreadable = Vec::new();
    let settings = Settings::load(&paths.settings()).unwrap_or_else(|error| {
        unreadable.push(error.to_string());
        Settings::default()
    });
    std::fs::create_dir_all(paths.logs()).context("Failed to make the folder of the logs")?;
    let devices = compose::devices(&settings);
    let (config, wrong) = compose::config(&settings, &paths);
    unreadable.extend(wrong);
    let vault = Vault::start();
    let assistant = Assistant::start(Setup {
        config,
        server: server(&settings, &paths, &vault)?,
        backend: Box::new(move || Box::new(devices)),
        echo: compose::echo(&settings),
        models: Some(paths.models()),
        sound_check: std::env::current_exe().ok(),
        memories: Some(paths.memories()),
        observer: None,
    });
    Ok((Desktop { assistant, vault, paths, settings: Mutex::new(settings) }, Found { unreadable, is_first_run }))
}

/// Returns the server that settings stand for.
pub(crate) fn server(settings: &Settings, paths: &Paths, vault: &Vault) -> anyhow::Result<Server> {
    let program = std::env::current_exe().context("Failed to find this program")?;
    Ok(compose::server(settings, paths, program, vault))
}

/// Brings the window to the front.
pub(crate) fn show(app: &AppHandle) {
    if let Some(window) = app.get_webview_window("main") {
        let _ = window.unminimize();
        let _ = window.show();
        let _ = window.set_focus();
    }
}
