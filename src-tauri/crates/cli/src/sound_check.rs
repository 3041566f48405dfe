//! `doctor --sound`: the sound check in a terminal.

use assistant::{CheckLine, check_sound, prelude::*};
use serde_json::json;

use crate::{
    Exit,
    run::{fail, models_folder, say},
};

pub(crate) fn sound_check(json: bool) -> Exit {
    let settings = Settings::load(&Paths::from_env().settings()).unwrap_or_default();
    let mut exit = Exit::Done;
    let checked = check_sound(&settings, models_folder(), &mut |line| match line {
        CheckLine::Stage { stage } => {
            let (name, words) = match stage {
                SoundCheckStage::Quiet => ("quiet", "Please be quiet for a moment …"),
                SoundCheckStage::Alone => ("alone", "It speaks; please stay quiet …"),
                SoundCheckStage::Over => ("over", "Now speak while it speaks."),
                SoundCheckStage::Preparing | SoundCheckStage::Done | SoundCheckStage::Failed { .. } => return,
            };
            say(json, words, &json!({ "stage": name }));
        }
        CheckLine::Level { .. } => {}
        CheckLine::Finding { finding: FindingView { what, grade, words } } => {
            let name = match grade {
                Grade::Good => "good",
                Grade::Fair => "fair",
                Grade::Bad => "bad",
            };
            if grade == Grade::Bad {
                exit = Exit::Failed;
            }
            say(
                json,
                &format!("{name:<5} {what:<18} {words}"),
                &json!({ "check": what, "grade": name, "words": words }),
            );
        }
    });
    match checked {
        Ok(()) => exit,
        Err(words) => fail(json, Exit::Missing, &words),
    }
}
