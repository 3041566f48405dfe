//! Type-checks for Windows and macOS on Debian, whose own `rustc-web` can build their standard library.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context, bail};

use crate::shell::{cargo, has, root, run, step};

const TARGETS: &[&str] = &["x86_64-pc-windows-gnu", "aarch64-apple-darwin"];
/// Without inference: its C++ cannot be compiled for them here.
const PACKAGES: &[&str] = &["audio", "store", "assistant", "vivavoce"];
const COMPILER: &[&str] = &["rustc-web", "libstd-rust-web-1.96", "libstd-rust-web-dev", "rust-web-src", "libllvm22"];
/// An Objective-C file among the dependencies becomes an empty object: types are checked, nothing is linked.
const STAND_IN: &str = "#!/bin/sh\ncase $1 in -E | -\\?) exec gcc \"$@\" ;; esac\nwhile [ $# -gt 0 ]; do\n  case $1 in -o) : >\"$2\"; exit 0 ;; esac\n  shift\ndone\n";

/// Type-checks what differs between systems; nothing is linked or run.
///
/// # Errors
/// The compiler cannot be had, or something does not type-check.
pub(crate) fn cross_check() -> anyhow::Result<()> {
    if !has("apt-get") {
        bail!("cross-check needs Debian's rustc-web; on Windows and macOS use `cargo check` itself");
    }
    let compiler = compiler()?;
    let shim = root().join("target/cross/cc.sh");
    fs::create_dir_all(root().join("target/cross"))?;
    fs::write(&shim, STAND_IN)?;
    run(Command::new("chmod").arg("+x").arg(&shim))?;
    if !has("x86_64-w64-mingw32-windres") {
        step("Installing the resource compiler for Windows");
        run(Command::new("apt-get").args([
            "install",
            "-y",
            "-qq",
            "--no-install-recommends",
            "binutils-mingw-w64-x86-64",
            "gcc-mingw-w64-x86-64-win32",
        ]))?;
    }
    for target in TARGETS {
        step(&format!("Type-checking for {target}"));
        let mut check =
            cargo(&["check", "--quiet", "-Zbuild-std=std,panic_abort", "--no-default-features", "--target", target]);
        check.args(PACKAGES.iter().flat_map(|p| ["-p", p]));
        check
            .env("RUSTC", compiler.join("usr/bin/rustc"))
            .env("RUSTC_BOOTSTRAP", "1")
            .env("LD_LIBRARY_PATH", compiler.join("usr/lib/x86_64-linux-gnu"))
            .env("CARGO_TARGET_DIR", root().join("target/cross"))
            .env("CC_aarch64_apple_darwin", &shim)
            .env("AR_aarch64_apple_darwin", "/usr/bin/ar")
            .env("SDKROOT", "/");
        run(&mut check)?;
    }
    Ok(())
}

fn compiler() -> anyhow::Result<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from).context("HOME is not set")?;
    let folder = home.join(".cache/vivavoce/rustc-web");
    if folder.join("usr/bin/rustc").is_file() {
        return Ok(folder);
    }
    step("Fetching a compiler that can build other systems' standard library (137 MB, unpacked, not installed)");
    let downloads = folder.with_extension("part");
    fs::create_dir_all(&downloads)?;
    run(Command::new("apt-get").current_dir(&downloads).args(["download", "-qq"]).args(COMPILER))?;
    fs::create_dir_all(&folder)?;
    for package in fs::read_dir(&downloads)? {
        run(Command::new("dpkg").arg("-x").arg(package?.path()).arg(&folder))?;
    }
    fs::remove_dir_all(&downloads)?;
    Ok(folder)
}
