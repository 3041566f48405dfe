use std::{
    path::Path,
    sync::{Mutex, PoisonError},
};

use ort::{
    environment::Environment,
    session::{Session, builder::GraphOptimizationLevel},
};

use super::Models;
use crate::stages::StageError;

/// The process has one ONNX environment; a second cannot be built, not even after the first is gone.
static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

/// How a model is opened.
#[derive(Clone, Copy, Debug)]
pub(super) enum Open<'a> {
    /// To run.
    Run,
    /// Only to write it out again as ONNX; see `moonshine`.
    Convert { to: &'a Path },
}

/// Opens a model on one thread: stages run side by side, and a second thread spins where the others work.
pub(super) fn open(models: &Models, path: &Path, how: Open<'_>) -> Result<Session, StageError> {
    let environment = environment(models)?;
    session(&environment, path, how).map_err(|e| StageError::new(&path.display().to_string(), e))
}

fn session(environment: &Environment, path: &Path, how: Open<'_>) -> ort::Result<Session> {
    let builder = Session::builder(environment)?
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        .with_intra_op_spinning(false)?
        .with_log_level(ort::logging::LogLevel::Error)?;
    let mut builder = match how {
        Open::Run => builder.with_optimization_level(GraphOptimizationLevel::All)?,
        Open::Convert { to } => builder
            .with_optimization_level(GraphOptimizationLevel::Disable)?
            .with_optimized_model_path(to)?
            .with_config_entry("session.save_model_format", "ONNX")?,
    };
    builder.commit_from_file(path)
}

fn environment(models: &Models) -> Result<Environment, StageError> {
    let mut shared = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = &*shared {
        return Ok(environment.clone());
    }
    let library = models.file(LIBRARY)?;
    let what = "the ONNX runtime cannot be loaded";
    let builder = ort::init_from(&library).map_err(|e| StageError::new(what, e))?;
    let environment =
        builder.with_name("vivavoce").with_telemetry(false).build().map_err(|e| StageError::new(what, e))?;
    *shared = Some(environment.clone());
    Ok(environment)
}

#[cfg(target_os = "windows")]
const LIBRARY: &str = "onnxruntime/onnxruntime.dll";
#[cfg(target_os = "macos")]
const LIBRARY: &str = "onnxruntime/libonnxruntime.dylib";
#[cfg(not(any(target_os = "windows", target_os = "macos")))]
const LIBRARY: &str = "onnxruntime/libonnxruntime.so";
