//! The real window, driven through WebKit's WebDriver.

use std::{
    path::{Path, PathBuf},
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
    home: PathBuf,
}

/// Where what is printed goes: into a file that the test names, else as it comes.
fn printed(environment: &[(&str, &str)]) -> Stdio {
    let named = environment.iter().find(|(name, _)| *name == "VIVAVOCE_TEST_PRINTED");
    match named {
        Some((_, path)) => std::fs::File::options().create(true).append(true).open(path).unwrap().into(),
        None => Stdio::inherit(),
    }
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
            .stdout(printed(environment))
            .stderr(printed(environment))
            .spawn()
            .expect("WebKitWebDriver is installed by `cargo xtask test`");
        let app = program("vivavoce");
        let wanted = serde_json::json!({ "webkitgtk:browserOptions": { "binary": app, "args": [] } });
        let wanted = wanted.as_object().unwrap().clone();
        let due = Instant::now() + Duration::from_secs(60);
        let page = loop {
            let mut builder = ClientBuilder::new(HttpConnector::new());
            let address = format!("http://127.0.0.1:{port}");
            let opened = builder.capabilities(wanted.clone());
            // An app that ends before its window opens leaves the driver waiting for ever.
            match tokio::time::timeout_at(due.into(), opened.connect(&address)).await {
                Ok(Ok(page)) => break page,
                Ok(Err(error)) => assert!(Instant::now() < due, "the window did not open: {error}"),
                Err(_) => panic!("the window did not open"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        let window = Self { page, driver, home: home.to_owned() };
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
    #[expect(clippy::print_stderr, reason = "for whoever runs the tests")]
    pub async fn picture(&self, name: &str) {
        if let Some(folder) = std::env::var_os("VIVAVOCE_PICTURES") {
            // The driver waits for ever for a picture of a window that is not drawn.
            match tokio::time::timeout(Duration::from_secs(20), self.page.screenshot()).await {
                Ok(png) => std::fs::write(Path::new(&folder).join(format!("{name}.png")), png.unwrap()).unwrap(),
                Err(_) => eprintln!("no picture of {name}"),
            }
        }
    }

    /// Closes the window and its driver, and waits for the program's end: the next one would give way to it.
    pub async fn close(self) {
        let _ = tokio::time::timeout(Duration::from_secs(10), self.page.clone().close()).await;
        let due = Instant::now() + Duration::from_secs(30);
        while !self.processes().is_empty() {
            // WebKit's driver closes the page; the program stays in its tray, as it should.
            self.kill();
            assert!(Instant::now() < due, "the program does not end");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Returns the processes that keep their files under this window's home.
    fn processes(&self) -> Vec<String> {
        let marked = format!("VIVAVOCE_HOME={}", self.home.display());
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let ours = processes.filter(|process| {
            // The driver has it in its environment, too; it ends with us.
            let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            let environment = std::fs::read(process.path().join("environ")).unwrap_or_default();
            name.trim() == "vivavoce" && environment.split(|&b| b == 0).any(|v| v == marked.as_bytes())
        });
        ours.map(|process| process.file_name().to_string_lossy().into_owned()).collect()
    }

    fn kill(&self) {
        let processes = self.processes();
        if !processes.is_empty() {
            let _ = Command::new("kill").arg("-9").args(processes).status();
        }
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        self.kill();
    }
}
