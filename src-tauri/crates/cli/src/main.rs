//! `vivavoce-cli`: the assistant without a window.

mod ask;
mod bench;
mod converse;
mod doctor;
mod events;
mod models;
mod probe;
mod run;
mod serve;
mod sound_check;
mod talk;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

/// Speak with Vivavoce from a terminal.
#[derive(Parser)]
#[command(name = "vivavoce-cli", version)]
struct Cli {
    /// Print JSON in place of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Hold a whole conversation in real time from a recording; ends when the last answer has been played.
    Converse(converse::Args),
    /// Talk with microphone and speaker.
    Talk(talk::Args),
    /// Ask one question in writing; the answer is printed.
    Ask {
        /// The question.
        text: String,
        #[command(flatten)]
        who: run::Who,
    },
    /// Serve the engine on a loopback WebSocket for any Realtime client.
    Serve {
        /// Port, 0 for any.
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
    /// List microphones and speakers.
    Devices,
    /// List models, or install and check them.
    Models(models::Args),
    /// Find out what a Realtime server does and does not, and keep it for later conversations.
    Probe(probe::Args),
    /// Say what works on this machine and what does not, with what helps.
    Doctor {
        /// Instead, check microphone, speaker and echo, in half a minute.
        #[arg(long)]
        sound: bool,
    },
    /// Measure the latency of this machine, for some minutes.
    #[command(hide = true)]
    Bench(bench::Args),
    /// Be the engine of another process, on standard streams.
    #[command(hide = true)]
    Engine {
        /// Folder of the models.
        #[arg(long)]
        models: PathBuf,
        /// Whether the other process says first which steps are done elsewhere.
        #[arg(long)]
        stitched: bool,
    },
}

/// How a command ended, as the shell sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All went well.
    Done = 0,
    /// It was tried and failed.
    Failed = 1,
    /// What was asked for cannot be read (2 is also how wrong arguments end).
    BadInput = 2,
    /// No answer came in time.
    NoAnswer = 3,
    /// Something that is needed is not installed.
    Missing = 4,
    /// The user ended it (what shells call the end by Ctrl+C).
    Interrupted = 130,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_env_filter(assistant::log_filter(&std::env::var("RUST_LOG").unwrap_or_else(|_| "error".into())))
        .with_writer(std::io::stderr)
        .init();
    if let Command::Engine { models, stitched } = cli.command {
        return exit(serve::engine(models, stitched));
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            return exit(run::fail(cli.json, Exit::Failed, &format!("The runtime could not be started: {error}.")));
        }
    };
    let json = cli.json;
    exit(runtime.block_on(async {
        match cli.command {
            Command::Converse(args) => converse::converse(args, json).await,
            Command::Talk(args) => talk::talk(args, json).await,
            Command::Ask { text, who } => ask::ask(&text, who, json).await,
            Command::Serve { port } => serve::serve(port, json).await,
            Command::Devices => doctor::devices(json),
            Command::Models(args) => models::models(args, json).await,
            Command::Probe(args) => probe::run(args, json).await,
            Command::Doctor { sound: true } => sound_check::sound_check(json),
            Command::Doctor { sound: false } => doctor::doctor(json),
            Command::Bench(args) => bench::bench(&args, json),
            Command::Engine { .. } => Exit::Done,
        }
    }))
}

fn exit(exit: Exit) -> ExitCode {
    ExitCode::from(exit as u8)
}
