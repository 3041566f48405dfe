//! The stitched pipeline: steps that the engine's process leaves to servers, told to it with their keys on its first line.

use engine::http::{Ears, Mind, Mouth, Steps};
use secrecy::ExposeSecret;

use crate::keys::{KeyError, KeySource};

/// Which steps are done by whom, and with which keys. The keys are read when the engine starts, and go to it over its
/// pipe: neither its arguments nor its environment, which others may read, have them.
#[derive(Clone)]
pub struct Stitched {
    /// The steps, without keys.
    pub steps: Steps,
    /// Of the step that writes down.
    pub ears: KeySource,
    /// Of the step that answers.
    pub mind: KeySource,
    /// Of the step that speaks.
    pub mouth: KeySource,
}

impl Stitched {
    pub(super) async fn line(&self) -> Result<String, KeyError> {
        let mut steps = self.steps.clone();
        if let Ears::Http { server, .. } = &mut steps.ears {
            server.key = read(&self.ears).await?;
        }
        if let Mind::Http(server) = &mut steps.mind {
            server.key = read(&self.mind).await?;
        }
        match &mut steps.mouth {
            Mouth::Http { server, .. } | Mouth::Realtime { server, .. } => server.key = read(&self.mouth).await?,
            Mouth::OnDevice => {}
        }
        Ok(format!("{}\n", steps.to_line()))
    }
}

async fn read(source: &KeySource) -> Result<Option<String>, KeyError> {
    Ok(source.read_soon().await?.map(|key| key.expose_secret().to_owned()))
}
