use std::time::Duration;

use assistant::{Assistant, Setup, prelude::*};
use serde_json::json;

use crate::{
    Exit,
    run::{Who, fail, say},
};

/// From nothing loaded to the last word of a long answer.
const LIMIT: Duration = Duration::from_secs(180);

/// Speech has nowhere to go here: the answer is read.
struct Silence;

impl Backend for Silence {
    fn open_input(&mut self, opening: audio::Opening<audio::CaptureCallback>) {
        opening.finish(|_| Err(AudioError::NoDevice(Direction::Input)));
    }

    fn open_output(&mut self, _buffer_ms: u32, opening: audio::Opening<audio::RenderCallback>) {
        opening.finish(|_| Err(AudioError::NoDevice(Direction::Output)));
    }

    fn poll(&mut self) -> Option<audio::BackendEvent> {
        None
    }
}

pub(crate) async fn ask(text: &str, who: Who, json: bool) -> Exit {
    if text.trim().is_empty() {
        return fail(json, Exit::BadInput, "There is no question.");
    }
    let (config, server) = match who.open(json) {
        Ok(opened) => opened,
        Err(exit) => return exit,
    };
    let assistant = Assistant::start(Setup {
        config,
        server,
        backend: Box::new(|| Box::new(Silence)),
        echo: EchoMode::Headphones.into(),
        models: None,
        sound_check: None,
        memories: Some(Paths::from_env().memories()),
        observer: None,
    });
    let Some((_, _, mut events)) = assistant.subscribe().await else { return Exit::Failed };
    assistant.act(Action::SendText { text: text.to_owned() }).await;
    let answer = async {
        while let Some(event) = events.recv().await {
            if let ViewEvent::Item { item } = &event
                && item.speaker == Speaker::Assistant
                && item.state == ItemState::Final
            {
                return Ok(item.text.clone());
            }
            if let ViewEvent::Notice { notice } = event
                && notice.severity == Severity::Error
                && notice.id != "speaker"
            {
                return Err(notice.text);
            }
        }
        Err("The conversation ended without an answer.".into())
    };
    match tokio::time::timeout(LIMIT, answer).await {
        Ok(Ok(answer)) => {
            say(json, &answer, &json!({ "answer": answer }));
            Exit::Done
        }
        Ok(Err(words)) => fail(json, Exit::Failed, &words),
        Err(_) => fail(json, Exit::NoAnswer, "No answer came."),
    }
}
