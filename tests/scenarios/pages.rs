//! Every scene of the page in a real Chromium: shown light and dark, read by axe, pictured.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

const SCENES: &[&str] = &[
    "idle",
    "listening",
    "thinking",
    "speaking",
    "muted",
    "loading",
    "reconnecting",
    "models",
    "failure",
    "checking",
    "checked",
    "server",
    "stitched",
    "key",
    "wrongKey",
];
const LIMIT: Duration = Duration::from_secs(30);

/// A process that ends with the test.
struct Helper(Child);

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ui() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../ui")
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn start(program: &str, args: &[&str]) -> Helper {
    let started = Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    Helper(started.unwrap_or_else(|e| panic!("{program}: {e}; `cargo xtask test` installs it")))
}

async fn browser(port: u16, dark: bool) -> Client {
    // 0 is dark, 1 is light in Blink's settings.
    let scheme = format!("--blink-settings=preferredColorScheme={}", u8::from(!dark));
    let args = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=760,960", &scheme];
    let wanted = json!({ "goog:chromeOptions": { "args": args } });
    let wanted = wanted.as_object().unwrap().clone();
    let due = Instant::now() + LIMIT;
    loop {
        let mut builder = ClientBuilder::new(HttpConnector::new());
        match builder.capabilities(wanted.clone()).connect(&format!("http://127.0.0.1:{port}")).await {
            Ok(page) => return page,
            Err(error) => assert!(Instant::now() < due, "Chromium did not open: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn every_scene_is_readable_light_and_dark() {
    let (site, driver) = (free_port(), free_port());
    let dist = ui().join("dist");
    assert!(dist.join("index.html").is_file(), "the page is not built; run `cargo xtask test`");
    let site_port = site.to_string();
    let args = ["-m", "http.server", &site_port, "--bind", "127.0.0.1", "--directory", dist.to_str().unwrap()];
    let _site = start("python3", &args);
    let _driver = start("chromedriver", &[&format!("--port={driver}")]);
    let axe = std::fs::read_to_string(ui().join("node_modules/axe-core/axe.min.js")).unwrap();

    let mut wrong = Vec::new();
    for (name, dark) in [("light", false), ("dark", true)] {
        let page = browser(driver, dark).await;
        let due = Instant::now() + LIMIT;
        while let Err(error) = page.goto(&format!("http://127.0.0.1:{site}/")).await {
            assert!(Instant::now() < due, "the page is not served: {error}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        for scene in SCENES {
            page.goto(&format!("http://127.0.0.1:{site}/?scene={scene}")).await.unwrap();
            let wait = page.wait().at_most(LIMIT).every(Duration::from_millis(50));
            wait.for_element(Locator::Css("#voice")).await.unwrap();
            let script = "const c = getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g).map(Number);
                return (c[0] + c[1] + c[2]) / 3";
            let brightness = page.execute(script, Vec::new()).await.unwrap().as_f64().unwrap();
            assert_eq!(brightness < 128.0, dark, "{scene}, {name}: the page's brightness is {brightness}");
            if let Some(folder) = std::env::var_os("VIVAVOCE_PICTURES") {
                let png = page.screenshot().await.unwrap();
                std::fs::write(Path::new(&folder).join(format!("scene-{scene}-{name}.png")), png).unwrap();
            }
            // What is folded away must be readable, too.
            let unfold = "document.querySelectorAll('details').forEach((d) => { d.open = true; })";
            page.execute(unfold, Vec::new()).await.unwrap();
            page.execute(&axe, Vec::new()).await.unwrap();
            let script = "const done = arguments[arguments.length - 1];
                axe.run().then((r) => done(r.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).join(' ')}`)))";
            let violations = page.execute_async(script, Vec::new()).await.unwrap();
            wrong.extend(violations.as_array().into_iter().flatten().map(|v| format!("{scene}, {name}: {}", words(v))));
            if let Some(folder) = std::env::var_os("VIVAVOCE_PICTURES") {
                let png = page.screenshot().await.unwrap();
                std::fs::write(Path::new(&folder).join(format!("scene-{scene}-{name}-unfolded.png")), png).unwrap();
            }
        }
        page.close().await.unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn words(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
