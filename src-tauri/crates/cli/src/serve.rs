use std::path::PathBuf;

use serde_json::json;

use crate::{
    Exit,
    run::{fail, models_folder, say},
};

/// Is the engine of a parent process until its pipe closes.
pub(crate) fn engine(models: PathBuf, stitched: bool) -> Exit {
    match assistant::models::serve_parent(models, stitched) {
        Ok(()) => Exit::Done,
        Err(error) => {
            tracing::error!(%error, "The engine cannot serve");
            Exit::Missing
        }
    }
}

/// Serves until it is ended; the token is new each time.
pub(crate) async fn serve(port: u16, json: bool) -> Exit {
    let Some(loaders) = assistant::models::stages(models_folder()) else {
        return fail(json, Exit::Missing, "This build has no on-device engine.");
    };
    let token = match token() {
        Ok(token) => token,
        Err(error) => return fail(json, Exit::Failed, &format!("The system gives no random numbers: {error}.")),
    };
    let server = match engine::serve::Server::bind(port, &token, loaders).await {
        Ok(server) => server,
        Err(error) => return fail(json, Exit::Failed, &format!("The engine cannot be served: {error}.")),
    };
    let url = format!("ws://{}/v1/realtime", server.address());
    say(json, &format!("{url}\nToken: {token}\nCtrl+C ends it."), &json!({ "url": url, "token": token }));
    tokio::select! {
        () = server.run() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    Exit::Done
}

fn token() -> std::io::Result<String> {
    let mut bytes = [0u8; 24];
    getrandom::fill(&mut bytes).map_err(|e| std::io::Error::other(e.to_string()))?;
    Ok(bytes.iter().map(|b| format!("{b:02x}")).collect())
}
