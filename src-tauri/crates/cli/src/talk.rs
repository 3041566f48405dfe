use assistant::{Assistant, Setup, prelude::*};
use serde_json::json;

use crate::{
    Exit,
    run::{Who, fail, say},
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Microphone, by id or a part of its name.
    #[arg(long)]
    input: Option<String>,
    /// Speaker, by id or a part of its name.
    #[arg(long)]
    output: Option<String>,
    /// How the microphone is kept from hearing the speaker: full-duplex, half-duplex, headphones.
    #[arg(long, default_value = "full-duplex")]
    echo: Echo,
    #[command(flatten)]
    who: Who,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Echo {
    FullDuplex,
    HalfDuplex,
    Headphones,
}

/// Talks until Ctrl+C or an error that nothing helps.
pub(crate) async fn talk(args: Args, json: bool) -> Exit {
    let (config, server) = match args.who.open(json) {
        Ok(opened) => opened,
        Err(exit) => return exit,
    };
    let (input, output) = (args.input, args.output);
    let assistant = Assistant::start(Setup {
        config,
        server,
        backend: Box::new(move || Box::new(CpalBackend::new(input, output))),
        echo: match args.echo {
            Echo::FullDuplex => EchoMode::FullDuplex,
            Echo::HalfDuplex => EchoMode::HalfDuplex,
            Echo::Headphones => EchoMode::Headphones,
        }
        .into(),
        models: None,
        sound_check: None,
        memories: Some(Paths::from_env().memories()),
        observer: None,
    });
    let Some((_, _, mut events)) = assistant.subscribe().await else { return Exit::Failed };
    assistant.act(Action::StartTalk).await;
    if !json {
        say(false, "Speak. Ctrl+C ends the talk.", &json!({}));
    }
    let mut begun = false;
    // One that is gone may come back; one that never was there will not.
    let mut recorded = false;
    let mut wrong = None;
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            _ = tokio::signal::ctrl_c() => None,
        };
        let Some(event) = event else { return Exit::Done };
        match &event {
            _ if json => say(true, "", &json!({ "view": event })),
            ViewEvent::Item { item } if item.state != ItemState::Partial => {
                let who = match item.speaker {
                    Speaker::User => "You",
                    Speaker::Assistant => "Vivavoce",
                };
                say(false, &format!("{who}: {}", item.text), &json!({}));
            }
            ViewEvent::Notice { notice } => say(false, &format!("Note: {}", notice.text), &json!({})),
            ViewEvent::Status { .. }
            | ViewEvent::Item { .. }
            | ViewEvent::Tool { .. }
            | ViewEvent::Usage { .. }
            | ViewEvent::ItemRemoved { .. }
            | ViewEvent::Cleared
            | ViewEvent::NoticeGone { .. }
            | ViewEvent::Latency { .. }
            | ViewEvent::Echo { .. }
            | ViewEvent::SoundCheck { .. }
            | ViewEvent::VoiceDelay { .. }
            | ViewEvent::Model { .. }
            | ViewEvent::Level { .. } => {}
        }
        if let ViewEvent::Status { status } = &event {
            let over = status.phase == Phase::Idle && !status.mic_open;
            begun |= !over;
            recorded |= status.is_recording;
            if begun && over {
                return fail(json, Exit::Failed, wrong.as_deref().unwrap_or("The talk has ended."));
            }
        }
        if let ViewEvent::Notice { notice } = &event {
            wrong = Some(notice.text.clone());
        }
        if let ViewEvent::Notice { notice } = &event
            && notice.id == "microphone"
            && !recorded
        {
            return fail(
                json,
                Exit::Missing,
                "Without a microphone there is no talk; `vivavoce-cli ask` answers in writing.",
            );
        }
    }
}
