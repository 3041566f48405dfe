//! The jobs themselves.

use std::process::Command;

use anyhow::Context;

use crate::{
    node,
    shell::{built, cargo, has, output, root, run, step},
    system::{Needs, ensure},
};

/// No name: all that a conversation needs.
pub(crate) const NEEDED: &[&str] = &[];
/// What the tests take beside.
const TESTED_TOO: &[&str] = &["kokoro"];

fn headless_because() -> Option<&'static str> {
    let linux = cfg!(target_os = "linux");
    let display = ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|v| std::env::var_os(v).is_some_and(|v| !v.is_empty()));
    if linux && !display {
        return Some("there is no display");
    }
    let devices = output(&built("vivavoce-cli").to_string_lossy(), &["devices"]).unwrap_or_default();
    let works = ["microphone:", "speaker:"].iter().all(|kind| devices.contains(kind));
    (!works).then_some("there is no microphone or no speaker")
}

pub(crate) fn run_app() -> anyhow::Result<()> {
    prepare(Needs::Build)?;
    install_models(NEEDED)?;
    match headless_because() {
        None => {
            step("Opening Vivavoce");
            run(&mut Command::new(built("vivavoce")))
        }
        Some(reason) => {
            step(&format!("Holding a conversation from a recording, for {reason}"));
            let mut converse = Command::new(built("vivavoce-cli"));
            converse.current_dir(root()).args([
                "converse",
                "--audio",
                "tests/fixtures/question.wav",
                "--out",
                "reply.wav",
            ]);
            run(&mut converse)?;
            println!("   The spoken answer is in reply.wav; it begins when the recording begins.");
            Ok(())
        }
    }
}

pub(crate) fn test() -> anyhow::Result<()> {
    prepare(Needs::Test)?;
    step("Testing the page");
    run(&mut node::npm(&["run", "--silent", "check"])?)?;
    run(&mut node::npm(&["run", "--silent", "test"])?)?;
    step("Testing everything that needs no model");
    run(&mut cargo(&["test", "--workspace", "--quiet"]))?;
    install_models(NEEDED)?;
    install_models(TESTED_TOO)?;
    step("Testing the real models, whole conversations from recordings, and the real window");
    let mut ignored = vec!["test", "--workspace", "--quiet", "--", "--ignored", "--test-threads", "1"];
    if !has("chromedriver") {
        println!("   no Chromium with its driver: the page's scenes are left out here");
        ignored.extend(["--skip", "pages"]);
    }
    let clients = node::ensure_pinned("clients")?;
    let mut tests = in_rig(&ignored)?;
    tests
        .env("VIVAVOCE_MODELS", models_folder()?)
        .env("VIVAVOCE_CLIENTS", clients)
        .env("VIVAVOCE_NODE", node::program()?);
    run(&mut tests)
}

/// Returns cargo on a desktop of its own, where this system can make one; without, the window's tests are left out.
fn in_rig(args: &[&str]) -> anyhow::Result<Command> {
    if !has("Xvfb") {
        let mut plain = cargo(args);
        plain.args(["--skip", "desktop"]);
        return Ok(plain);
    }
    let mut rig = Command::new("bash");
    rig.current_dir(root()).arg("tests/desktop/rig.sh");
    rig.arg(std::env::var_os("CARGO").context("run this through cargo")?).args(args);
    Ok(rig)
}

pub(crate) fn models(names: &[String]) -> anyhow::Result<()> {
    prepare(Needs::Build)?;
    install_models(names)
}

pub(crate) fn ui(args: &[String]) -> anyhow::Result<()> {
    ensure(Needs::Build)?;
    if args.iter().any(|a| a == "--types") {
        let test = ["test", "--workspace", "--quiet", "the_pages_types_are_ours"];
        run(cargo(&test).env("VIVAVOCE_WRITE_TYPES", "1"))?;
    }
    build_ui()
}

pub(crate) fn screenshots() -> anyhow::Result<()> {
    prepare(Needs::Test)?;
    install_models(NEEDED)?;
    step("Taking pictures of the real window, and of every scene of the page where there is Chromium");
    let pictures = root().join("tests/pictures");
    std::fs::create_dir_all(&pictures)?;
    let mut args = vec!["test", "--workspace", "--quiet", "--", "--ignored", "--test-threads", "1", "desktop::"];
    args.extend(has("chromedriver").then_some("pages::"));
    let mut tests = in_rig(&args)?;
    run(tests.env("VIVAVOCE_MODELS", models_folder()?).env("VIVAVOCE_PICTURES", &pictures))?;
    std::fs::copy(pictures.join("window.png"), root().join("icons/window.png"))?;
    if has("montage") {
        let scene = |name: &str| pictures.join(format!("scene-{name}-light-unfolded.png"));
        let mut montage = Command::new("montage");
        montage.args(["listening", "server", "stitched", "key"].map(scene));
        run(montage.args(["-tile", "2x2", "-geometry", "600x+12+12"]).arg(root().join("icons/modes.png")))?;
    }
    println!("   All pictures are in tests/pictures; the README's have been renewed.");
    Ok(())
}

pub(crate) fn fmt() -> anyhow::Result<()> {
    run(&mut cargo(&["fmt", "--all"]))
}

pub(crate) fn lint() -> anyhow::Result<()> {
    prepare(Needs::Build)?;
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"]))?;
    if output("cargo", &["deny", "--version"]).is_some() {
        run(&mut cargo(&["deny", "--config", ".github/deny.toml", "check", "licenses", "bans", "sources"]))?;
    } else {
        println!("   cargo-deny is not installed: licences are not checked (`cargo install cargo-deny`)");
    }
    Ok(())
}

pub(crate) fn package() -> anyhow::Result<()> {
    prepare(Needs::Build)?;
    step("Making installers");
    let mut tauri = node::npm(&["exec", "--yes", "@tauri-apps/cli@2.12.5", "--", "build"])?;
    run(tauri.current_dir(root().join("src-tauri")))
}

/// Installs what is missing and builds everything.
pub(crate) fn prepare(needs: Needs) -> anyhow::Result<()> {
    ensure(needs)?;
    build_ui()?;
    step("Building (the first time takes some minutes: the language model's library, the window)");
    run(&mut cargo(&["build", "--workspace", "--all-targets", "--quiet"]))
}

fn build_ui() -> anyhow::Result<()> {
    node::ensure_packages()?;
    step("Building the page");
    run(&mut node::npm(&["run", "--silent", "build", "--", "--logLevel", "warn"])?)
}

pub(crate) fn install_models<S: AsRef<std::ffi::OsStr>>(names: &[S]) -> anyhow::Result<()> {
    step("Installing models (once; what is here is not fetched again)");
    let mut install = Command::new(built("vivavoce-cli"));
    run(install.args(["models", "--install"]).args(names))
}

pub(crate) fn models_folder() -> anyhow::Result<String> {
    output(&built("vivavoce-cli").to_string_lossy(), &["models", "--folder"]).context("the models' folder is unknown")
}
