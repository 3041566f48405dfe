use assistant::{Remote, Verdict, prelude::*, probe};
use serde_json::json;

use crate::{
    Exit,
    run::{fail, key_of, say},
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Address, `ws://…` or `wss://…`.
    url: String,
    /// Which kind of server; told by the address where it is not given.
    #[arg(long)]
    provider: Option<String>,
    /// Model to ask for.
    #[arg(long)]
    model: Option<String>,
    /// Do not keep what was found for later conversations.
    #[arg(long)]
    dry: bool,
}

/// Tries a server, prints what it does and does not, and keeps it for later conversations.
pub(crate) async fn run(args: Args, json: bool) -> Exit {
    let provider = args.provider.unwrap_or_else(|| protocol::provider_of(&args.url).to_owned());
    let profile = profile(&provider);
    let remote = Remote {
        model: args.model.or_else(|| profile.model.clone()),
        profile,
        ..Remote::new(args.url.clone(), key_of(&provider))
    };
    if !json {
        say(false, &format!("Asking {} a few short questions…", remote.address()), &json!({}));
    }
    let report = probe(remote).await;
    for check in &report.checks {
        let mark = match check.verdict {
            Verdict::Yes => "yes",
            Verdict::No => "no",
            Verdict::Unknown => "?",
        };
        say(json, &format!("{mark:>4}  {:<38}  {}", check.what, check.seen), &json!({ "check": check }));
    }
    let Some(found) = report.found else {
        return fail(json, Exit::Failed, "There can be no conversation with this server.");
    };
    if args.dry {
        return Exit::Done;
    }
    let path = Paths::from_env().settings();
    let kept = Settings::load(&path).and_then(|mut settings| {
        settings.found.insert(args.url.clone(), found);
        settings.save(&path)
    });
    match kept {
        Ok(()) => {
            say(json, "Kept: conversations with this server go by it.", &json!({ "kept": args.url }));
            Exit::Done
        }
        Err(error) => fail(json, Exit::Failed, &format!("What was found could not be kept: {error}.")),
    }
}
