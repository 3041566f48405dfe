//! The real window, driven through WebKit's WebDriver.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;

use crate::program;

/// An open window; its program ends with it.
pub struct Window {
    /// WebDriver's end.
    pub page: Client,
    driver: Child,
}

impl Window {
    /// Opens the app with its files under `home`.
    pub async fn open(home: &Path) -> Self {
        Self::open_with(home, &[]).await
    }

    /// Opens the app in an environment of its own.
    pub async fn open_with(home: &Path, environment: &[(&str, &str)]) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let driver = Command::new("WebKitWebDriver")
            .args([format!("--port={port}"), "--host=127.0.0.1".into()])
            .env("TAURI_WEBVIEW_AUTOMATION", "true")
            .env("VIVAVOCE_HOME", home)
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .spawn()
            .expect("WebKitWebDriver is installed by `cargo xtask test`");
        let app = program("vivavoce");
        let wanted = serde_json::json!({ "webkitgtk:browserOptions": { "binary": app, "args": [] } });
        let wanted = wanted.as_object().unwrap().clone();
        let due = Instant::now() + Duration::from_secs(60);
        let page = loop {
            let mut builder = ClientBuilder::new(HttpConnector::new());
            match builder.capabilities(wanted.clone()).connect(&format!("http://127.0.0.1:{port}")).await {
                Ok(page) => break page,
                Err(error) => assert!(Instant::now() < due, "the window did not open: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        let window = Self { page, driver };
        window.element("[data-agent]").await;
        window
    }

    /// Types a message and sends it.
    pub async fn write(&self, text: &str) {
        let line = self.element("[data-test=message]").await;
        line.send_keys(text).await.unwrap();
        line.send_keys("\u{e007}").await.unwrap();
    }

    /// Waits for an element.
    pub async fn element(&self, css: &str) -> fantoccini::elements::Element {
        let wait = self.page.wait().at_most(Duration::from_secs(60)).every(Duration::from_millis(50));
        wait.for_element(Locator::Css(css)).await.unwrap_or_else(|e| panic!("no {css}: {e}"))
    }

    /// Asks the page until it says yes.
    pub async fn until(&self, limit: Duration, what: &str, script: &str) {
        let due = Instant::now() + limit;
        loop {
            let value = self.page.execute(script, Vec::new()).await.unwrap();
            if value == serde_json::Value::Bool(true) {
                return;
            }
            if Instant::now() >= due {
                let text = self.page.execute("return document.body.innerText", Vec::new()).await.unwrap();
                panic!("{what}: not within {limit:?}; the window says:\n{}", text.as_str().unwrap_or_default());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Writes a picture of the window where `VIVAVOCE_PICTURES` names a folder.
    pub async fn picture(&self, name: &str) {
        if let Some(folder) = std::env::var_os("VIVAVOCE_PICTURES") {
            let png = self.page.screenshot().await.unwrap();
            std::fs::write(Path::new(&folder).join(format!("{name}.png")), png).unwrap();
        }
    }

    /// Closes the window and its driver.
    pub async fn close(mut self) {
        let _ = self.page.clone().close().await;
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let _ = self.driver.kill();
    }
}
