//! System packages: installed on Debian and Ubuntu, named elsewhere.

use std::process::Command;

use anyhow::bail;

use crate::shell::{has, output, run, step};

/// What a job needs of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// To build and to run.
    Build,
    /// To test, too: a desktop without a screen.
    Test,
    /// To measure, too: what other clients need.
    Measure,
}

/// WebView, sound, D-Bus, tray; cmake and clang for the language model; pip for models and Node.
const BUILD: &[&str] = &[
    "build-essential",
    "pkg-config",
    "cmake",
    "clang",
    "libclang-dev",
    "libwebkit2gtk-4.1-dev",
    "libayatana-appindicator3-dev",
    "librsvg2-dev",
    "libasound2-dev",
    "libdbus-1-dev",
    "libxdo-dev",
    "libssl-dev",
    "python3-pip",
    "ca-certificates",
];
/// Screen, window manager, sound server, keychain, WebDriver, speech and pictures to test with.
const TEST: &[&str] = &[
    "xvfb",
    "openbox",
    "dbus",
    "dbus-x11",
    "pulseaudio",
    "pulseaudio-utils",
    "libasound2-plugins",
    "gnome-keyring",
    "libsecret-tools",
    "webkit2gtk-driver",
    "xdotool",
    "wmctrl",
    "imagemagick",
    "espeak-ng",
    "libgl1-mesa-dri",
    "fonts-dejavu-core",
];

/// What the Python client that is measured beside ours plays with.
const MEASURE: &[&str] = &["libportaudio2"];

/// A second browser for the page's scenes; Ubuntu has it only as a snap, which a throw-away desktop cannot run.
const TEST_DEBIAN: &[&str] = &["chromium", "chromium-driver"];

const FEDORA: &str = "sudo dnf install gcc-c++ pkgconf cmake clang clang-devel webkit2gtk4.1-devel libayatana-appindicator-gtk3-devel librsvg2-devel alsa-lib-devel dbus-devel libxdo-devel openssl-devel python3-pip nodejs";
const ARCH: &str = "sudo pacman -S --needed base-devel cmake clang webkit2gtk-4.1 libayatana-appindicator librsvg alsa-lib dbus xdotool openssl python-pip nodejs npm";
const MAC: &str = "xcode-select --install && brew install cmake python node";
const WINDOWS: &str = "winget install Kitware.CMake LLVM.LLVM Python.Python.3.12 OpenJS.NodeJS.LTS Microsoft.VisualStudio.2022.BuildTools";

/// Installs what is missing on Debian and Ubuntu; elsewhere names the line that does.
///
/// # Errors
/// Something is missing and cannot be installed.
pub(crate) fn ensure(needs: Needs) -> anyhow::Result<()> {
    if !has("dpkg-query") {
        return elsewhere(needs);
    }
    let wanted: &[&[&str]] = match needs {
        Needs::Build => &[BUILD],
        Needs::Test if is_debian() => &[BUILD, TEST, TEST_DEBIAN],
        Needs::Test => &[BUILD, TEST],
        Needs::Measure => &[BUILD, TEST, TEST_DEBIAN, MEASURE],
    };
    let wanted = wanted.iter().copied().flatten();
    let missing: Vec<&str> = wanted.copied().filter(|p| !is_satisfied(p)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    install(&missing)
}

/// Installs packages on Debian and Ubuntu.
///
/// # Errors
/// They cannot be had, or the system has another package manager.
pub(crate) fn install(packages: &[&str]) -> anyhow::Result<()> {
    if !has("apt-get") {
        bail!("these are needed, by their names on Debian: {}", packages.join(" "));
    }
    step(&format!("Installing system packages: {}", packages.join(" ")));
    let fixed = "-o DPkg::Lock::Timeout=300";
    let mut update = as_root("apt-get");
    run(update.args(fixed.split(' ')).args(["update", "-qq"]))?;
    let mut install = as_root("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive").args(fixed.split(' '));
    run(install.args(["install", "-y", "-qq", "--no-install-recommends"]).args(packages))
}

/// pip counts wherever it came from.
fn is_satisfied(package: &str) -> bool {
    if package == "python3-pip" && output("python3", &["-m", "pip", "--version"]).is_some() {
        return true;
    }
    output("dpkg-query", &["-W", "-f", "${Status}", package]).is_some_and(|s| s.ends_with(" installed"))
}

fn is_debian() -> bool {
    std::fs::read_to_string("/etc/os-release").is_ok_and(|text| text.lines().any(|line| line == "ID=debian"))
}

fn as_root(program: &str) -> Command {
    if output("id", &["-u"]).as_deref() == Some("0") {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.args(["--preserve-env=DEBIAN_FRONTEND", program]);
    command
}

fn elsewhere(needs: Needs) -> anyhow::Result<()> {
    let (line, tools): (&str, &[&str]) = if cfg!(target_os = "macos") {
        (MAC, &["cmake", "clang", "npm"])
    } else if cfg!(windows) {
        (WINDOWS, &["cmake", "clang", "npm.cmd"])
    } else if has("dnf") {
        (FEDORA, &["cmake", "clang", "pkg-config"])
    } else if has("pacman") {
        (ARCH, &["cmake", "clang", "pkg-config"])
    } else {
        bail!("this system is not known here; it needs what this installs on Debian: {}", BUILD.join(" "));
    };
    let missing: Vec<&str> = tools.iter().copied().filter(|t| !has(t)).collect();
    if !missing.is_empty() {
        bail!("{} missing. This installs everything:\n  {line}", missing.join(", "));
    }
    if needs == Needs::Test && cfg!(target_os = "linux") && !has("Xvfb") {
        println!("   no Xvfb: the tests of the real window are left out here");
    }
    Ok(())
}
