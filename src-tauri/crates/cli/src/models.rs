use assistant::{
    models::{Progress, install, lacking, verify, views},
    prelude::*,
};
use engine::models::MODELS;
use serde_json::json;

use crate::{
    Exit,
    run::{fail, models_folder, say},
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Install models by name; with no name, all that a conversation needs.
    #[arg(long, num_args = 0.., value_name = "NAME")]
    install: Option<Vec<String>>,
    /// Print the folder they lie in.
    #[arg(long)]
    folder: bool,
    /// Read every file and compare its checksum.
    #[arg(long)]
    verify: bool,
}

pub(crate) async fn models(args: Args, json: bool) -> Exit {
    let folder = models_folder();
    if args.folder {
        say(json, &folder.to_string_lossy(), &json!({ "folder": folder }));
        return Exit::Done;
    }
    if let Some(ids) = args.install {
        let ids = if ids.is_empty() { lacking(&folder).iter().map(|m| m.id.to_owned()).collect() } else { ids };
        let mut progress = install(folder.clone(), ids);
        let mut shown = String::new();
        let mut stopped = std::pin::pin!(tokio::signal::ctrl_c());
        loop {
            let told = tokio::select! {
                told = progress.recv() => told,
                _ = &mut stopped => {
                    let words = "Stopped. What has been fetched stays, and is not fetched again.";
                    return fail(json, Exit::Interrupted, words);
                }
            };
            let Some(told) = told else { break };
            match told {
                Progress::Model(model) => {
                    let words = words(&model);
                    if words != shown {
                        say(json, &words, &json!({ "model": model }));
                        shown = words;
                    }
                }
                Progress::Finished(Ok(())) => break,
                Progress::Finished(Err(error)) => return fail(json, Exit::Failed, &error.to_string()),
            }
        }
        return Exit::Done;
    }
    let mut exit = Exit::Done;
    for model in MODELS.iter().filter(|_| args.verify) {
        match verify(&folder, model) {
            Ok(wrong) => {
                for path in wrong {
                    if model.required || folder.join(path).exists() {
                        exit = Exit::Missing;
                    }
                    say(json, &format!("{path}: missing or damaged"), &json!({ "path": path, "ok": false }));
                }
            }
            Err(error) => return fail(json, Exit::Failed, &error.to_string()),
        }
    }
    for model in views(&folder) {
        say(json, &words(&model), &json!({ "model": model }));
    }
    exit
}

/// Progress in steps of 10 %, so that a log stays short.
fn words(model: &ModelView) -> String {
    let mb = |bytes: u64| bytes.div_ceil(1_000_000);
    let state = match &model.state {
        ModelState::Missing if model.required => format!("missing, {} MB to fetch", mb(model.download_bytes)),
        ModelState::Missing => format!("not installed, {} MB to fetch", mb(model.download_bytes)),
        ModelState::Downloading { done_bytes } => {
            let tenths = done_bytes * 10 / model.download_bytes.max(1);
            format!("fetching, {}0 % of {} MB", tenths.min(9), mb(model.download_bytes))
        }
        ModelState::Unpacking => "unpacking".into(),
        ModelState::Installed => "installed".into(),
        ModelState::Broken { message } => format!("broken: {message}"),
    };
    format!("{} ({}, {}): {state}", model.name, model.role, model.licence)
}
