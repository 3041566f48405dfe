//! Keys against a real Secret Service: kept, locked, absent; and never anywhere but there.

use std::{path::Path, process::Command, time::Duration};

use assistant::{Keep, KeyKept, KeyState, Vault};
use engine::scripted::{Script, loaders};
use support::{program, window::Window};

/// A key that nothing else in the world contains.
const MARKED: &str = "sk-marked-4f1d7c0be9a35286-TAIL";

fn lookup(account: &str) -> String {
    let output = Command::new("secret-tool").args(["lookup", "service", "vivavoce", "username", account]).output();
    String::from_utf8_lossy(&output.unwrap().stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Secret Service"]
async fn a_key_is_kept_in_the_keychain_read_back_replaced_and_forgotten() {
    let vault = Vault::start();
    vault.set("test-kept", "sk-first-key-0001".to_owned().into(), Keep::InKeychain).await.unwrap();
    assert_eq!(lookup("test-kept"), "sk-first-key-0001");
    vault.set("test-kept", MARKED.to_owned().into(), Keep::InKeychain).await.unwrap();
    assert_eq!(lookup("test-kept"), MARKED);
    // Another program run reads it.
    let state = Vault::start().state("test-kept").await;
    assert_eq!(state, KeyState::Present { last4: "TAIL".into(), kept: KeyKept::Keychain });
    vault.clear("test-kept").await.unwrap();
    assert_eq!((vault.state("test-kept").await, lookup("test-kept").as_str()), (KeyState::Missing, ""));
    // For this run alone: nothing is kept.
    vault.set("test-kept", MARKED.to_owned().into(), Keep::ThisRun).await.unwrap();
    let state = vault.state("test-kept").await;
    assert_eq!(state, KeyState::Present { last4: "TAIL".into(), kept: KeyKept::ThisRun });
    assert_eq!(lookup("test-kept"), "");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Secret Service"]
async fn a_locked_keychain_keeps_nobody_waiting_longer_than_said() {
    let key = MARKED.to_owned().into();
    store::write_key("test-locked", &key, Duration::from_secs(10)).unwrap();
    lock().await;
    let begun = std::time::Instant::now();
    let read = store::read_key("test-locked", Duration::from_secs(2));
    assert_eq!(read.map(|_| ()).unwrap_err(), store::KeychainError::Silent);
    assert!(begun.elapsed() < Duration::from_secs(4));
    // The key for this run goes by beside it, at once.
    let vault = Vault::start();
    let slow = tokio::spawn({
        let vault = vault.clone();
        async move { vault.state("test-locked").await }
    });
    tokio::task::yield_now().await;
    vault.set("test-other", MARKED.to_owned().into(), Keep::ThisRun).await.unwrap();
    assert!(vault.read("test-other").await.unwrap().is_some());
    assert!(!slow.is_finished());
    type_password();
    let state = tokio::time::timeout(LIMIT, slow).await.expect("the keychain is unlocked").unwrap();
    assert_eq!(state, KeyState::Present { last4: "TAIL".into(), kept: KeyKept::Keychain });
    store::clear_key("test-locked", Duration::from_secs(10)).unwrap();
}

async fn lock() {
    let bus = zbus::Connection::session().await.unwrap();
    let path = zbus::zvariant::ObjectPath::try_from("/org/freedesktop/secrets/aliases/default").unwrap();
    let body = (vec![path],);
    let call = bus.call_method(
        Some("org.freedesktop.secrets"),
        "/org/freedesktop/secrets",
        Some("org.freedesktop.Secret.Service"),
        "Lock",
        &body,
    );
    call.await.unwrap();
}

/// Types the keychain's password into the dialog that it has put on the screen.
fn type_password() {
    let typed = Command::new("xdotool").args(["type", "--delay", "50", "rig"]).status();
    let entered = Command::new("xdotool").args(["key", "Return"]).status();
    assert!(typed.unwrap().success() && entered.unwrap().success());
}

#[test]
#[ignore = "needs the built program"]
fn without_a_keychain_it_is_said_and_the_environment_helps() {
    let home = tempfile::tempdir().unwrap();
    let ask = |environment: &[(&str, &str)]| {
        let output = Command::new(program("vivavoce-cli"))
            .args(["ask", "Hi", "--engine", "ws://127.0.0.1:9/v1/realtime", "--provider", "openai"])
            .env("VIVAVOCE_HOME", home.path())
            .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
            .env_remove("OPENAI_API_KEY")
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (done, said) = ask(&[]);
    assert!(!done && said.contains("has no keychain that works"), "{said}");
    assert!(said.contains("for this run only, or put it into the environment"), "{said}");
    // With a key, all that is wrong is that nobody answers there.
    let (done, said) = ask(&[("OPENAI_API_KEY", MARKED)]);
    assert!(!done && !said.contains("keychain") && !said.contains(MARKED), "{said}");
}

/// Every event that a window gets, and every event of the wire, is in the log of events.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the built program"]
async fn a_key_is_in_no_event_no_recording_and_nothing_printed() {
    let script = Script { answers: vec![("Hello".into(), "Hello yourself.".into())], ..Script::default() };
    let server = engine::serve::Server::bind(0, MARKED, loaders(script)).await.unwrap();
    let url = format!("ws://{}/v1/realtime", server.address());
    tokio::spawn(server.run());
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    let mut samples = support::speech::silence(500);
    samples.extend((0..24_000).map(|n| if n % 48 < 24 { 8000 } else { -8000 }));
    samples.extend(support::speech::silence(2000));
    support::speech::write(&at("in.wav"), &samples);
    let converse = tokio::process::Command::new(program("vivavoce-cli"))
        .args(["converse", "--engine", &url])
        .arg("--audio")
        .arg(at("in.wav"))
        .arg("--out")
        .arg(at("out.wav"))
        .arg("--events")
        .arg(at("events.jsonl"))
        .env("VIVAVOCE_HOME", home.path())
        .env("VIVAVOCE_OTHER_KEY", MARKED)
        .env("RUST_LOG", "trace")
        .output();
    let output = converse.await.unwrap();
    let printed = [output.stdout, output.stderr].concat();
    std::fs::write(at("printed.txt"), &printed).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&printed));
    let events = std::fs::read_to_string(at("events.jsonl")).unwrap();
    assert!(events.contains("Hello yourself."), "{events}");
    let mut files = 0;
    search(home.path(), &mut files);
    assert!(files >= 4);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a desktop with a Secret Service"]
async fn a_key_typed_into_the_window_is_used_and_found_nowhere_else() {
    let script = Script { answers: vec![("France".into(), "Paris, of course.".into())], ..Script::default() };
    let server = engine::serve::Server::bind(0, MARKED, loaders(script)).await.unwrap();
    let url = format!("ws://{}/v1/realtime", server.address());
    tokio::spawn(server.run());
    let home = tempfile::tempdir().unwrap();
    let settings = serde_json::json!({ "version": 1, "engine": { "type": "server", "url": url, "provider": "other" } });
    std::fs::write(home.path().join("settings.json"), settings.to_string()).unwrap();
    let printed = home.path().join("printed.txt");
    let window = Window::open_with(home.path(), &[("VIVAVOCE_TEST_PRINTED", printed.to_str().unwrap())]).await;
    window.element("#engine").await;
    // Every answer of the program to the page is kept there from now on; what comes over the channel is another test's.
    let listen = "window.__crossed = [];
        const fetched = window.fetch;
        window.fetch = async (...request) => {
            const response = await fetched(...request);
            response.clone().text().then((text) => window.__crossed.push(text));
            return response;
        };
        document.querySelectorAll('details').forEach((d) => { d.open = true; });";
    window.page.execute(listen, Vec::new()).await.unwrap();
    // A wrong key first: said, with the action that helps, and shown as rejected.
    keep_key(&window, "sk-wrong-key-000000000000").await;
    window.write("Hello?").await;
    window.until(LIMIT, "the rejection", "return /The server rejected the key/.test(document.body.innerText)").await;
    window.picture("window-wrong-key").await;
    keep_key(&window, MARKED).await;
    window.until(LIMIT, "the key's state", "return /…TAIL, in the keychain/.test(document.body.innerText)").await;
    window.write("What is the capital of France?").await;
    window
        .until(LIMIT, "the answer", "return /Paris, of course/.test(document.querySelector('[role=log]').textContent)")
        .await;
    window.picture("window-server").await;
    let crossed = window.page.execute("return window.__crossed.join('\\n')", Vec::new()).await.unwrap();
    let shown = window.page.execute("return document.documentElement.outerHTML", Vec::new()).await.unwrap();
    let typed =
        window.page.execute("return document.querySelector('[data-test=key]').value", Vec::new()).await.unwrap();
    window.close().await;
    let crossed = crossed.as_str().unwrap();
    assert!(crossed.contains("TAIL") && !crossed.contains(MARKED), "{crossed}");
    assert!(!shown.as_str().unwrap().contains(MARKED));
    assert_eq!(typed, "", "the field is emptied at once");
    let mut files = 0;
    search(home.path(), &mut files);
    assert!(files > 0);
    store::clear_key("other", Duration::from_secs(10)).unwrap();
}

const LIMIT: Duration = Duration::from_secs(30);

async fn keep_key(window: &Window, key: &str) {
    let field = window.element("[data-test=key]").await;
    field.send_keys(key).await.unwrap();
    field.send_keys("\u{e007}").await.unwrap();
    let kept = format!("return /…{}, in the keychain/.test(document.body.innerText)", &key[key.len() - 4..]);
    window.until(LIMIT, "the key to be kept", &kept).await;
}

/// No file has the key, nor what was printed.
fn search(folder: &Path, files: &mut u32) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            search(&path, files);
            continue;
        }
        *files += 1;
        let bytes = std::fs::read(&path).unwrap_or_default();
        let found = bytes.windows(MARKED.len()).any(|w| w == MARKED.as_bytes());
        assert!(!found, "{} has the key", path.display());
    }
}
