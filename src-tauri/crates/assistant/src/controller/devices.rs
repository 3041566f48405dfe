//! What the devices say.

use std::time::Duration;

use audio::{Audio, Backend, Capture, Command, Direction, EchoMode, Event};
use session::{EchoState, EchoView, Input, NoticeAction, NoticeView, SegmentId, Severity, ViewEvent, Voice};
use tokio::sync::mpsc;

use super::{Controller, Observed};

/// Audio events that may wait for the loop: over half a minute of microphone.
const AUDIO_INBOX: usize = 4096;

impl Controller {
    pub(super) fn handle_audio(&mut self, event: Event) {
        match event {
            Event::Mic(pcm) => {
                self.observe(Observed::Mic);
                self.step(Input::Mic(pcm));
            }
            Event::MicDelay { ms } => self.step(Input::MicDelay { delay: Duration::from_millis(ms.into()) }),
            Event::Voice(voice) => self.step(Input::Voice(match voice {
                audio::Voice::Onset => Voice::Onset,
                audio::Voice::Confirmed => Voice::Confirmed,
                audio::Voice::Over => Voice::Over,
            })),
            Event::Echo(health) => self.step(Input::Echo(EchoView {
                state: match health.state {
                    audio::EchoState::Learning => EchoState::Learning,
                    audio::EchoState::Good => EchoState::Good,
                    audio::EchoState::Leaking => EchoState::Leaking,
                },
                softer_db: health.enhancement_db.map(|db| db.max(0.0).round() as u32),
                delay_ms: health.delay_ms,
            })),
            Event::Heard { segment, frames } => self.step(Input::Heard { segment: SegmentId(segment.0), frames }),
            Event::Flushed { generation } => self.step(Input::Flushed { generation }),
            Event::Level { input, output, .. } => {
                self.show(&ViewEvent::Level { input_dbfs: input.0, output_dbfs: output.0 });
            }
            Event::Underrun { buffer_ms } => tracing::info!(buffer_ms, "Sound was late; the playback buffer has grown"),
            Event::Overrun { frames } => tracing::warn!(frames, "Captured frames were lost"),
            Event::DeviceFailed { direction, error } => {
                let effect = match direction {
                    Direction::Input => "You can still type.",
                    Direction::Output => "Answers are shown, but not heard.",
                };
                self.step(works(direction, false));
                self.step(Input::Notice(NoticeView {
                    id: notice_of(direction).into(),
                    severity: Severity::Error,
                    text: format!("{}. {effect}", sentence(&error.to_string())),
                    action: NoticeAction::ChooseDevice,
                }));
            }
            Event::Recording(on) => self.step(Input::Recording(on)),
            Event::DeviceReady { direction, name } => self.handle_device(direction, name),
            Event::Capture(capture) => {
                let words = match capture {
                    Capture::Sound => return self.step(Input::NoticeGone { id: "capture".into() }),
                    Capture::Zeros => {
                        "The microphone gives nothing but silence. Is it switched off, or in use by another program?"
                    }
                    Capture::Nothing => "The microphone gives nothing any more. Plug it in again, or choose another.",
                };
                self.step(Input::Notice(NoticeView {
                    id: "capture".into(),
                    severity: Severity::Warning,
                    text: words.into(),
                    action: NoticeAction::ChooseDevice,
                }));
            }
            Event::InputEnded => self.observe(Observed::InputEnded),
        }
    }

    /// Returns how the echo of the speaker in use is dealt with.
    pub(super) fn echo_mode(&self) -> EchoMode {
        self.echo.of(self.in_use[Direction::Output as usize].as_deref())
    }

    /// A device is in use; another one than before is worth a word.
    fn handle_device(&mut self, direction: Direction, name: Option<String>) {
        self.step(works(direction, true));
        self.step(Input::NoticeGone { id: notice_of(direction).into() });
        let before = std::mem::replace(&mut self.in_use[direction as usize], name.clone());
        if direction == Direction::Output && before != name {
            self.audio.send(Command::Echo(self.echo_mode()));
        }
        let (Some(before), Some(name)) = (before, name) else { return };
        if before != name {
            self.step(Input::EchoAnew);
            let what = match direction {
                Direction::Input => "The microphone is now",
                Direction::Output => "The speaker is now",
            };
            self.step(Input::Notice(NoticeView {
                id: format!("{}-changed", notice_of(direction)),
                severity: Severity::Info,
                text: format!("{what} “{name}”."),
                action: NoticeAction::Dismiss,
            }));
        }
    }
}

pub(super) fn start_audio(
    backend: Box<dyn FnOnce() -> Box<dyn Backend> + Send>,
    echo: EchoMode,
) -> (Audio, mpsc::Receiver<Event>) {
    let (events, heard) = mpsc::channel(AUDIO_INBOX);
    let audio = Audio::start(backend, echo, move |event| {
        if events.try_send(event).is_err() {
            tracing::warn!("The controller is late; an audio event was dropped");
        }
    });
    (audio, heard)
}

pub(super) fn works(direction: Direction, works: bool) -> Input {
    match direction {
        Direction::Input => Input::Microphone { works },
        Direction::Output => Input::Speaker { works },
    }
}

/// Returns the name of the notice about a device.
pub(super) fn notice_of(direction: Direction) -> &'static str {
    match direction {
        Direction::Input => "microphone",
        Direction::Output => "speaker",
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
