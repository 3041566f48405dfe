//! Checks the code for Windows and macOS, from any system: types and lints; nothing is linked or run.

use std::{fs, process::Command};

use anyhow::bail;

use crate::{
    shell::{cargo, has, root, run, step},
    system,
};

const TARGETS: &[&str] = &["x86_64-pc-windows-gnu", "aarch64-apple-darwin"];
/// Without inference: its C++ cannot be compiled for them here.
const PACKAGES: &[&str] = &["audio", "store", "assistant", "vivavoce"];
/// Windows' resource compiler, for the program's icon and version.
const WINDRES: &[&str] = &["binutils-mingw-w64-x86-64", "gcc-mingw-w64-x86-64-win32"];
/// An Objective-C file among the dependencies becomes an empty object: types are checked, nothing is linked.
const STAND_IN: &str = "#!/bin/sh\ncase $1 in -E | -\\?) exec gcc \"$@\" ;; esac\nwhile [ $# -gt 0 ]; do\n  case $1 in -o) : >\"$2\"; exit 0 ;; esac\n  shift\ndone\n";

/// Runs clippy for the other systems.
///
/// # Errors
/// A standard library cannot be had, or something does not pass.
pub(crate) fn cross_check() -> anyhow::Result<()> {
    if !has("rustup") {
        bail!("cross-check takes the other systems' standard libraries from rustup, which is not installed");
    }
    step("Adding the standard libraries of Windows and macOS");
    run(Command::new("rustup").args(["target", "add"]).args(TARGETS))?;
    if !has("x86_64-w64-mingw32-windres") {
        system::install(WINDRES)?;
    }
    let folder = root().join("target/cross");
    fs::create_dir_all(&folder)?;
    let stand_in = folder.join("cc.sh");
    fs::write(&stand_in, STAND_IN)?;
    run(Command::new("chmod").arg("+x").arg(&stand_in))?;
    for target in TARGETS {
        step(&format!("Checking for {target}"));
        let mut check = cargo(&["clippy", "--quiet", "--no-default-features", "--target", target]);
        check.args(PACKAGES.iter().flat_map(|p| ["-p", p])).args(["--", "-D", "warnings"]);
        check
            .env("CARGO_TARGET_DIR", &folder)
            .env("CC_aarch64_apple_darwin", &stand_in)
            .env("AR_aarch64_apple_darwin", "/usr/bin/ar")
            .env("SDKROOT", "/");
        run(&mut check)?;
    }
    Ok(())
}
