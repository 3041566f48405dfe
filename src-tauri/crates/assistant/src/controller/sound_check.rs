//! A sound check that runs beside the conversation.

use session::{Action, Input, SoundCheckStage, SoundCheckView, ViewEvent};
use tokio::sync::mpsc;

use super::Controller;
use crate::sound_check::{self, CheckLine};

/// What it says, and what it has said so far.
pub(super) type Checking = (mpsc::Receiver<CheckLine>, SoundCheckView);

impl Controller {
    pub(super) fn start_sound_check(&mut self) {
        let Some(program) = self.checker.clone() else { return };
        self.step(Input::Action(Action::StopTalk));
        let check = SoundCheckView { stage: SoundCheckStage::Preparing, findings: Vec::new() };
        self.checking = Some((sound_check::start(&program), check.clone()));
        self.step(Input::SoundCheck(Some(check)));
    }

    pub(super) fn end_sound_check(&mut self) {
        self.checking = None;
        self.step(Input::SoundCheck(None));
    }

    pub(super) fn handle_check(&mut self, line: Option<CheckLine>) {
        let Some((_, check)) = &mut self.checking else { return };
        match line {
            Some(CheckLine::Level { input_dbfs, output_dbfs }) => {
                return self.show(&ViewEvent::Level { input_dbfs, output_dbfs });
            }
            Some(CheckLine::Stage { stage }) => check.stage = stage,
            Some(CheckLine::Finding { finding }) => check.findings.push(finding),
            None => {
                self.checking = None;
                return self.show(&ViewEvent::Level { input_dbfs: -100.0, output_dbfs: -100.0 });
            }
        }
        let check = check.clone();
        self.step(Input::SoundCheck(Some(check)));
    }
}

pub(super) async fn next_line(checking: &mut Option<Checking>) -> Option<CheckLine> {
    match checking {
        Some((lines, _)) => lines.recv().await,
        None => std::future::pending().await,
    }
}
