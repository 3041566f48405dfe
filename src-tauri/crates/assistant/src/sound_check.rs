//! A sound check: a quiet moment, a spoken sentence, and another with the user over it.
//!
//! It has devices of its own, so no conversation may run meanwhile, and it speaks with the voice on this device, so it runs
//! in a process of its own, as the engine does: one line of JSON for everything that it has to say.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::Stdio,
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant},
};

use audio::{Audio, Command, Direction, Event, Loudness, Segment, Voice, sound_check::Stage};
use protocol::Pcm16;
use serde::{Deserialize, Serialize};
use session::{FindingView, Grade, SoundCheckStage, UNCONFIRMED};
use store::Settings;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    sync::mpsc,
};

use crate::EchoModes;

const QUIET: Duration = Duration::from_secs(3);
/// After the last word, for what comes back late.
const AFTER: Duration = Duration::from_millis(600);
/// Long enough for the canceller to learn the room.
const SENTENCES: &str = "This is the sound check. I am listening to myself while I speak, and learning how your room sounds. \
                         If all is well, I will not interrupt myself, however long I go on.";
const OVER: &str = "And now, please say something while I am still speaking, as you would to interrupt me. Any words will do: \
                    I only want to know whether I can hear you over my own voice.";
/// Lines that may wait for the controller.
const INBOX: usize = 256;

/// What a sound check says, a line each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum CheckLine {
    /// Another part of it has begun.
    Stage {
        /// Which.
        stage: SoundCheckStage,
    },
    /// How loud it is.
    Level {
        /// Microphone, dB below full scale.
        input_dbfs: f32,
        /// Speaker, dB below full scale.
        output_dbfs: f32,
    },
    /// A line of the report.
    Finding {
        /// The line.
        finding: FindingView,
    },
}

/// Checks the devices of these settings, with the models of a folder; blocks for half a minute.
///
/// # Errors
/// There is no voice to check with.
pub fn check_sound(settings: &Settings, models: PathBuf, tell: &mut dyn FnMut(CheckLine)) -> Result<(), String> {
    tell(CheckLine::Stage { stage: SoundCheckStage::Preparing });
    let stages = crate::models::stages(models).ok_or("This build has no voice of its own.")?;
    let wrong = |error: String| format!("The check speaks with the voice on this device: {error}.");
    let mut voice = (stages.synthesizer)().map_err(|e| wrong(e.to_string()))?;
    let mut spoken = |text: &str| voice.speak(text, &settings.voice, 1.0).map_err(|e| wrong(e.to_string()));
    let (alone, over) = (spoken(SENTENCES)?, spoken(OVER)?);
    drop(voice);
    let (devices, modes) = (crate::compose::devices(settings), crate::compose::echo(settings));
    let (say, events) = channel();
    let audio = Audio::start(
        move || Box::new(devices),
        modes.usual,
        move |event| {
            let _ = say.send(event);
        },
    );
    let mut check = Check { sound: audio::sound_check::SoundCheck::default(), audio, modes, events, tell };
    check.listen();
    check.play(Segment(1), alone, Stage::Alone);
    check.play(Segment(2), over, Stage::Over);
    for found in check.sound.findings() {
        let grade = match found.grade {
            audio::sound_check::Grade::Good => Grade::Good,
            audio::sound_check::Grade::Fair => Grade::Fair,
            audio::sound_check::Grade::Bad => Grade::Bad,
        };
        let finding = FindingView { what: found.what.into(), grade, words: found.words };
        (check.tell)(CheckLine::Finding { finding });
    }
    (check.tell)(CheckLine::Stage { stage: SoundCheckStage::Done });
    Ok(())
}

struct Check<'a> {
    sound: audio::sound_check::SoundCheck,
    audio: Audio,
    modes: EchoModes,
    events: Receiver<Event>,
    tell: &'a mut dyn FnMut(CheckLine),
}

impl Check<'_> {
    fn listen(&mut self) {
        (self.tell)(CheckLine::Stage { stage: SoundCheckStage::Quiet });
        self.audio.send(Command::Mic { open: true });
        let end = Instant::now() + QUIET;
        while let Ok(event) = self.events.recv_timeout(end.saturating_duration_since(Instant::now())) {
            self.handle(Stage::Quiet, &event);
        }
    }

    fn play(&mut self, segment: Segment, pcm: Pcm16, stage: Stage) {
        let told = match stage {
            Stage::Quiet => SoundCheckStage::Quiet,
            Stage::Alone => SoundCheckStage::Alone,
            Stage::Over => SoundCheckStage::Over,
        };
        (self.tell)(CheckLine::Stage { stage: told });
        let length = Duration::from_millis(Pcm16::ms_in(pcm.frames()));
        self.audio.send(Command::Play { segment, pcm });
        self.audio.send(Command::EndSegment { segment });
        let end = Instant::now() + length + AFTER;
        // As in a conversation, it speaks softer where somebody may be speaking.
        let mut soft: Option<Instant> = None;
        while Instant::now() < end {
            let wait = soft.unwrap_or(end).min(end).saturating_duration_since(Instant::now());
            match self.events.recv_timeout(wait) {
                Ok(event) => {
                    if event == Event::Voice(Voice::Onset) && soft.is_none() {
                        soft = Some(Instant::now() + UNCONFIRMED);
                        self.audio.send(Command::Loudness(Loudness::Soft));
                    } else if event == Event::Voice(Voice::Over) {
                        soft = soft.map(|_| Instant::now());
                    }
                    self.handle(stage, &event);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if soft.take_if(|until| *until <= Instant::now()).is_some() {
                self.audio.send(Command::Loudness(Loudness::Full));
            }
        }
        self.audio.send(Command::Loudness(Loudness::Full));
    }

    fn handle(&mut self, stage: Stage, event: &Event) {
        self.sound.handle(stage, event);
        if let Event::DeviceReady { direction: Direction::Output, name } = event {
            self.audio.send(Command::Echo(self.modes.of(name.as_deref())));
        }
        if let Event::Level { input, output, .. } = event {
            (self.tell)(CheckLine::Level { input_dbfs: input.0, output_dbfs: output.0 });
        }
    }
}

/// Is the sound check of a parent process: prints its lines, and as the last one how it ended.
pub fn check_for_parent(settings: &Path, models: PathBuf) {
    let settings = Settings::load(settings).unwrap_or_default();
    let mut out = std::io::stdout();
    let mut tell = |line: CheckLine| {
        if let Ok(json) = serde_json::to_string(&line) {
            // A parent that reads no more ends this process.
            let _ = writeln!(out, "{json}").and_then(|()| out.flush());
        }
    };
    if let Err(words) = check_sound(&settings, models, &mut tell) {
        tell(failed(words));
    }
}

/// Starts a program that prints such lines; it ends when nobody reads them any more.
pub(crate) fn start(program: &Path) -> mpsc::Receiver<CheckLine> {
    let (tell, lines) = mpsc::channel(INBOX);
    let mut command = tokio::process::Command::new(program);
    command.arg("sound-check").stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    tokio::spawn(async move {
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                let _ = tell.send(failed(format!("The sound check cannot be started: {error}."))).await;
                return;
            }
        };
        let Some(out) = child.stdout.take() else { return };
        let mut out = BufReader::new(out).lines();
        let mut is_over = false;
        loop {
            let line = tokio::select! {
                line = out.next_line() => line,
                () = tell.closed() => return,
            };
            let Ok(Some(line)) = line else { break };
            let Ok(line) = serde_json::from_str::<CheckLine>(&line) else { continue };
            is_over |=
                matches!(line, CheckLine::Stage { stage: SoundCheckStage::Done | SoundCheckStage::Failed { .. } });
            if tell.send(line).await.is_err() {
                return;
            }
        }
        if !is_over {
            let _ = tell.send(failed("The sound check ended before its time.".into())).await;
        }
    });
    lines
}

fn failed(words: String) -> CheckLine {
    CheckLine::Stage { stage: SoundCheckStage::Failed { words } }
}
