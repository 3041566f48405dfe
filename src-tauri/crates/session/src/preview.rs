use crate::responses::Say;

/// Samples of voices: asked for beside the conversation, the latest of them wanted.
#[derive(Debug, Default)]
pub(crate) struct Preview {
    asked: bool,
    /// Asked for and not wanted any more, before the server had named them.
    unwanted: u32,
    id: Option<String>,
}

impl Preview {
    pub fn ask(&mut self) {
        self.asked = true;
    }

    /// Takes back the sample that is asked for or spoken; returns its name if it has one.
    pub fn cancel(&mut self) -> Option<String> {
        if std::mem::take(&mut self.asked) {
            self.unwanted += 1;
        }
        self.id.take()
    }

    /// A sample has a name now; returns `Cancel` if it is not wanted any more.
    pub fn handle_created(&mut self, id: &str) -> Say {
        if self.unwanted > 0 {
            self.unwanted -= 1;
            return Say::Cancel;
        }
        self.asked = false;
        self.id = Some(id.to_owned());
        Say::Nothing
    }

    pub fn handle_done(&mut self, id: &str) {
        if self.id.as_deref() == Some(id) {
            self.id = None;
        }
    }

    /// Returns whether this response is a sample that is being spoken.
    pub fn is(&self, id: &str) -> bool {
        !id.is_empty() && self.id.as_deref() == Some(id)
    }
}
