use std::{path::PathBuf, time::Duration};

use assistant::{Assistant, Observed, Setup, prelude::*};
use serde_json::json;
use tokio::{sync::mpsc, time::Instant};

use crate::{
    Exit,
    events::EventLog,
    run::{Who, fail, say},
};

/// The last answer has this long after the end of the input.
const AFTER_INPUT: Duration = Duration::from_secs(60);
/// Quiet after the last answer that shows that no other comes: longer than any pause that ends a turn.
const QUIET: Duration = Duration::from_millis(3000);
/// Loading the models takes no longer on any machine that can talk.
const LOADING: Duration = Duration::from_secs(120);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// WAV that is played as the microphone.
    #[arg(long)]
    audio: PathBuf,
    /// WAV of what the speaker plays; begins at the same instant.
    #[arg(long)]
    out: PathBuf,
    /// Event log, one JSON object a line.
    #[arg(long)]
    events: Option<PathBuf>,
    #[command(flatten)]
    who: Who,
}

/// What of the conversation decides when it ends.
enum Mark {
    View(ViewEvent),
    InputEnded,
}

pub(crate) async fn converse(args: Args, json: bool) -> Exit {
    let (config, server) = match args.who.open(json) {
        Ok(opened) => opened,
        Err(exit) => return exit,
    };
    let real = |path: &PathBuf| std::fs::canonicalize(path).ok();
    if real(&args.audio).is_some_and(|input| real(&args.out) == Some(input)) {
        return fail(
            json,
            Exit::BadInput,
            "The answer would be written over the recording; choose another file for --out.",
        );
    }
    let (backend, clock) = match FileBackend::open(&args.audio, &args.out) {
        Ok(files) => files,
        Err(error) => return fail(json, Exit::BadInput, &format!("{}: {error}.", args.audio.display())),
    };
    let log = match EventLog::open(args.events.as_deref()) {
        Ok(log) => std::sync::Arc::new(std::sync::Mutex::new(log)),
        Err(error) => return fail(json, Exit::BadInput, &format!("The event log cannot be written: {error}.")),
    };
    let (marks, mut marked) = mpsc::unbounded_channel();
    let writer = std::sync::Arc::clone(&log);
    let observer = move |observed: Observed<'_>| {
        if let Ok(mut log) = writer.lock() {
            log.write(&observed);
        }
        let _ = match observed {
            Observed::View(event) => marks.send(Mark::View(event.clone())),
            Observed::InputEnded => marks.send(Mark::InputEnded),
            Observed::Sent(_) | Observed::Received(_) | Observed::Unreadable(_) | Observed::Mic | Observed::Played => {
                Ok(())
            }
        };
    };
    let assistant = Assistant::start(Setup {
        config,
        server,
        backend: Box::new(move || Box::new(backend)),
        echo: EchoMode::Headphones.into(),
        models: None,
        sound_check: None,
        memories: Some(Paths::from_env().memories()),
        observer: Some(Box::new(observer)),
    });
    assistant.act(Action::StartTalk).await;
    if let Err(words) = ready(&mut marked).await {
        return fail(json, Exit::Failed, &words);
    }
    if let Ok(mut log) = log.lock() {
        log.start();
    }
    clock.start();
    let mut turns = Vec::new();
    let exit = follow(&mut marked, &mut turns).await;
    let mut broken = false;
    if let Some((view, _, _)) = assistant.subscribe().await {
        print(&view, &turns, json);
        broken = view.notices.iter().any(|n| n.severity == Severity::Error);
    }
    assistant.act(Action::StopTalk).await;
    drop(clock);
    if let Ok(mut log) = log.lock() {
        log.flush();
    }
    if exit == Exit::NoAnswer {
        return fail(json, exit, "The last answer had not been played a minute after the recording ended.");
    }
    if exit == Exit::Done && broken { Exit::Failed } else { exit }
}

/// Waits until the engine has loaded, so that no word is lost.
async fn ready(marked: &mut mpsc::UnboundedReceiver<Mark>) -> Result<(), String> {
    let due = Instant::now() + LOADING;
    loop {
        match tokio::time::timeout_at(due, marked.recv()).await {
            Ok(Some(Mark::View(ViewEvent::Status { status })))
                if status.phase == Phase::Live && status.loading.is_none() =>
            {
                return Ok(());
            }
            Ok(Some(Mark::View(ViewEvent::Notice { notice }))) if notice.severity == Severity::Error => {
                return Err(notice.text);
            }
            Ok(Some(_)) => {}
            Ok(None) => return Err("The conversation ended before it began.".into()),
            Err(_) => return Err("The engine did not get ready.".into()),
        }
    }
}

/// Follows the conversation to its end: the input is over, and nobody has said anything for a while.
async fn follow(marked: &mut mpsc::UnboundedReceiver<Mark>, turns: &mut Vec<Turn>) -> Exit {
    let mut limit = None;
    let mut busy = false;
    let mut quiet_since = Instant::now();
    let mut stopped = std::pin::pin!(tokio::signal::ctrl_c());
    loop {
        let quiet = limit.is_some().then(|| if busy { limit } else { Some(quiet_since + QUIET) }).flatten();
        let due = match (limit, quiet) {
            (Some(a), Some(b)) => a.min(b),
            _ => Instant::now() + Duration::from_secs(3600 * 24),
        };
        let mark = tokio::select! {
            mark = tokio::time::timeout_at(due, marked.recv()) => mark,
            _ = &mut stopped => return Exit::Interrupted,
        };
        match mark {
            Err(_) if busy => return Exit::NoAnswer,
            Err(_) | Ok(None) => return Exit::Done,
            Ok(Some(Mark::InputEnded)) => {
                limit = Some(Instant::now() + AFTER_INPUT);
                quiet_since = Instant::now();
            }
            Ok(Some(Mark::View(ViewEvent::Status { status }))) => {
                busy = status.user_speaking || matches!(status.agent, AgentState::Thinking | AgentState::Speaking);
                quiet_since = Instant::now();
                if status.phase == Phase::Idle {
                    return Exit::Failed;
                }
            }
            Ok(Some(Mark::View(ViewEvent::Latency { latency }))) => turns.push(Turn::Heard(latency)),
            Ok(Some(Mark::View(ViewEvent::Usage { usage }))) => turns.push(Turn::Cost(usage)),
            Ok(Some(Mark::View(_))) => {}
        }
    }
}

/// What is told of a turn, in the order it became known.
enum Turn {
    Heard(LatencyView),
    Cost(UsageView),
}

impl Turn {
    fn print(&self, json: bool) {
        match self {
            Self::Heard(l) => {
                let step = |ms: Option<u32>| ms.map_or("?".to_owned(), |ms| ms.to_string());
                let words = format!(
                    "Turn {}: first sound {} ms after the last word (turn taken {}, handed over {}, answer begun {}, first audio {})",
                    l.turns,
                    l.first_heard_ms,
                    l.end_of_turn_ms,
                    step(l.commit_ms),
                    step(l.response_ms),
                    step(l.first_audio_ms)
                );
                say(json, &words, &json!({ "latency": l }));
            }
            Self::Cost(u) => {
                let dollars = |usd: Option<f64>| usd.map_or("no price known".to_owned(), |usd| format!("${usd:.4}"));
                let words = format!(
                    "Answer {}: {}, in all {}, saved by the cache {}; {} tokens read so far, {} of them cached, {} written",
                    u.responses,
                    dollars(u.last_usd),
                    dollars(u.total_usd),
                    dollars(u.saved_usd),
                    u.input_tokens,
                    u.cached_tokens,
                    u.output_tokens
                );
                say(json, &words, &json!({ "usage": u }));
            }
        }
    }
}

fn print(view: &View, turns: &[Turn], json: bool) {
    for item in &view.items {
        let who = match item.speaker {
            Speaker::User => "You",
            Speaker::Assistant => "Vivavoce",
        };
        let heard: String = item.text.chars().take(item.heard_chars.map_or(usize::MAX, |n| n as usize)).collect();
        let cut = if heard.len() < item.text.len() { " …(interrupted)" } else { "" };
        say(json, &format!("{who}: {}{cut}", heard.trim()), &json!({ "item": item }));
    }
    turns.iter().for_each(|turn| turn.print(json));
    for notice in &view.notices {
        say(json, &format!("Note: {}", notice.text), &json!({ "notice": notice }));
    }
}
