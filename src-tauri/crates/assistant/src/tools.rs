//! The tools that ship: the time, timers, and what the user has asked to be remembered.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use serde_json::{Value, json};
use session::ToolSpec;
use store::Memories;
use tokio::{sync::mpsc, task::JoinHandle};

/// A tool that asks the clock or a small database.
const QUICK: Duration = Duration::from_secs(5);
/// A day: a longer timer is an appointment.
const LONGEST_TIMER: u64 = 24 * 3600;
/// Sentences in an answer of `recall`.
const MOST_RECALLED: u32 = 10;

/// Something a tool has to say.
#[derive(Debug)]
pub(crate) enum ToolEvent {
    /// A call has its answer.
    Answered { call_id: String, result: Result<String, String> },
    /// A timer has run out.
    TimerDone { label: String },
}

/// Runs calls, each on a task of its own.
pub(crate) struct ToolRunner {
    memories: Option<PathBuf>,
    events: mpsc::Sender<ToolEvent>,
    running: BTreeMap<String, JoinHandle<()>>,
}

/// Returns the tools that ship, as a model is told of them.
pub fn shipped_tools() -> Vec<ToolSpec> {
    let tool = |name: &str, description: &str, properties: Value, required: &[&str]| ToolSpec {
        name: name.into(),
        description: description.into(),
        parameters: json!({ "type": "object", "properties": properties, "required": required }),
        limit: QUICK,
    };
    vec![
        tool("get_time", "Returns the date, the weekday, the time of day and the time zone here.", json!({}), &[]),
        tool(
            "set_timer",
            "Sets a timer that says so when it has run out.",
            json!({
                "seconds": { "type": "integer", "minimum": 1, "maximum": LONGEST_TIMER, "description": "How long." },
                "label": { "type": "string", "description": "What it is for, in a word or two." }
            }),
            &["seconds"],
        ),
        tool(
            "remember",
            "Keeps a sentence about the user for later conversations. Only when asked to.",
            json!({ "text": { "type": "string", "description": "A whole sentence." } }),
            &["text"],
        ),
        tool(
            "recall",
            "Finds what the user has asked to be remembered.",
            json!({ "query": { "type": "string", "description": "Words to look for; empty for the latest." } }),
            &["query"],
        ),
    ]
}

impl ToolRunner {
    pub fn new(memories: Option<PathBuf>, events: mpsc::Sender<ToolEvent>) -> Self {
        Self { memories, events, running: BTreeMap::new() }
    }

    pub fn run(&mut self, call_id: String, name: String, arguments: String) {
        self.running.retain(|_, task| !task.is_finished());
        let (events, memories, id) = (self.events.clone(), self.memories.clone(), call_id.clone());
        let task = tokio::spawn(async move {
            let result = run(&name, &arguments, memories, &events).await;
            let _ = events.send(ToolEvent::Answered { call_id, result }).await;
        });
        self.running.insert(id, task);
    }

    pub fn cancel(&mut self, call_id: &str) {
        if let Some(task) = self.running.remove(call_id) {
            task.abort();
        }
    }
}

async fn run(
    name: &str,
    arguments: &str,
    memories: Option<PathBuf>,
    events: &mpsc::Sender<ToolEvent>,
) -> Result<String, String> {
    let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
    let arguments: Value =
        serde_json::from_str(arguments).map_err(|error| format!("The arguments are no JSON: {error}."))?;
    let text = |key: &str| arguments.get(key).and_then(Value::as_str).map(str::trim).unwrap_or_default().to_owned();
    match name {
        "get_time" => Ok(time(&jiff::Zoned::now())),
        "set_timer" => {
            // A model may write 300.0 or "300" as well.
            let seconds = arguments.get("seconds").and_then(|s| s.as_f64().or_else(|| s.as_str()?.parse().ok()));
            let seconds = seconds.filter(|s| (1.0..=LONGEST_TIMER as f64).contains(s));
            let Some(seconds) = seconds else {
                return Err(format!("seconds must be a number from 1 to {LONGEST_TIMER}."));
            };
            let label = text("label");
            let (events, named) = (events.clone(), label.clone());
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
                let _ = events.send(ToolEvent::TimerDone { label: named }).await;
            });
            Ok(json!({ "set": true, "seconds": seconds, "label": label }).to_string())
        }
        "remember" => {
            with_memories(memories, {
                let text = text("text");
                move |memories| {
                    let now = jiff::Timestamp::now().as_second();
                    memories.remember(&text, now).map_err(|e| e.to_string())?;
                    Ok(json!({ "remembered": text }).to_string())
                }
            })
            .await
        }
        "recall" => {
            with_memories(memories, {
                let query = text("query");
                move |memories| {
                    let found = memories.recall(&query, MOST_RECALLED).map_err(|e| e.to_string())?;
                    let texts: Vec<String> = found.into_iter().map(|m| m.text).collect();
                    Ok(json!({ "memories": texts }).to_string())
                }
            })
            .await
        }
        other => Err(format!("There is no tool {other:?}.")),
    }
}

async fn with_memories(
    path: Option<PathBuf>,
    work: impl FnOnce(&Memories) -> Result<String, String> + Send + 'static,
) -> Result<String, String> {
    let path = path.ok_or("Nothing can be remembered here.")?;
    let worked = tokio::task::spawn_blocking(move || {
        let memories = Memories::open(&path).map_err(|e| e.to_string())?;
        work(&memories)
    });
    worked.await.map_err(|error| error.to_string())?
}

fn time(now: &jiff::Zoned) -> String {
    json!({
        "date": now.strftime("%Y-%m-%d").to_string(),
        "weekday": now.strftime("%A").to_string(),
        "time": now.strftime("%H:%M:%S").to_string(),
        "time_zone": now.time_zone().iana_name().unwrap_or("local"),
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(name: &str, arguments: &str, memories: Option<PathBuf>) -> Result<Value, String> {
        let (events, _inbox) = mpsc::channel(4);
        run(name, arguments, memories, &events).await.map(|text| serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn the_time_is_told_in_words_a_model_knows() {
        let now: jiff::Zoned = "2026-11-23T09:05:07+01:00[Europe/Berlin]".parse().unwrap();
        let told: Value = serde_json::from_str(&time(&now)).unwrap();
        let expected =
            json!({"date": "2026-11-23", "weekday": "Monday", "time": "09:05:07", "time_zone": "Europe/Berlin"});
        assert_eq!(told, expected);
    }

    #[tokio::test]
    async fn what_is_remembered_is_recalled() {
        let dir = tempfile::tempdir().unwrap();
        let path = Some(dir.path().join("m.sqlite"));
        ask("remember", r#"{"text":"Her name is Ada."}"#, path.clone()).await.unwrap();
        let told = ask("recall", r#"{"query":"name"}"#, path).await.unwrap();
        assert_eq!(told, json!({ "memories": ["Her name is Ada."] }));
    }

    #[tokio::test]
    async fn wrong_arguments_are_told_to_the_model() {
        for (name, arguments, words) in [
            ("set_timer", "{}", "seconds must be"),
            ("set_timer", r#"{"seconds":-1}"#, "seconds must be"),
            ("get_time", "nonsense", "no JSON"),
            ("remember", r#"{"text":"x"}"#, "Nothing can be remembered"),
            ("fly", "{}", "no tool"),
        ] {
            let error = ask(name, arguments, None).await.unwrap_err();
            assert!(error.contains(words), "{name}: {error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_timer_says_when_it_has_run_out() {
        let (events, mut inbox) = mpsc::channel(4);
        run("set_timer", r#"{"seconds":"300","label":"tea"}"#, None, &events).await.unwrap();
        let started = tokio::time::Instant::now();
        let Some(ToolEvent::TimerDone { label }) = inbox.recv().await else { panic!() };
        assert_eq!((label.as_str(), started.elapsed().as_secs()), ("tea", 300));
    }
}
