//! `doctor --sound`: a quiet moment, a spoken sentence, and the same sentence with the user over it.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant},
};

use assistant::prelude::*;
use audio::{
    Audio, Command, Event, Loudness, Segment, Voice,
    sound_check::{Grade, SoundCheck, Stage},
};
use protocol::Pcm16;
use serde_json::json;

use crate::{
    Exit,
    run::{fail, models_folder, say},
};

const QUIET: Duration = Duration::from_secs(3);
/// What is not confirmed as speech within this is played as loud as before.
const SOFT: Duration = Duration::from_millis(400);
/// After the last word, for what comes back late.
const AFTER: Duration = Duration::from_millis(600);
/// Long enough for the canceller to learn the room.
const SENTENCES: &str = "This is the sound check. I am listening to myself while I speak, and learning how your room sounds. \
                         If all is well, I will not interrupt myself, however long I go on.";
const OVER: &str = "And now, please say something while I am still speaking, as you would to interrupt me. Any words will do: \
                    I only want to know whether I can hear you over my own voice.";

pub(crate) fn sound_check(json: bool) -> Exit {
    let settings = Settings::load(&Paths::from_env().settings()).unwrap_or_default();
    let spoken = |text: &str| -> Option<Result<Pcm16, String>> {
        let mut voice = (assistant::models::stages(models_folder())?.synthesizer)();
        Some(match &mut voice {
            Ok(voice) => voice.speak(text, &settings.voice, 1.0).map_err(|e| e.to_string()),
            Err(error) => Err(error.to_string()),
        })
    };
    let (alone, over) = match (spoken(SENTENCES), spoken(OVER)) {
        (Some(Ok(alone)), Some(Ok(over))) => (alone, over),
        (Some(Err(error)), _) | (_, Some(Err(error))) => {
            return fail(json, Exit::Missing, &format!("The check speaks with the voice on this device: {error}."));
        }
        (None, _) | (_, None) => return fail(json, Exit::Missing, "This build has no voice of its own."),
    };
    let (input, output) = (settings.input_device.clone(), settings.output_device.clone());
    let (tell, events) = channel();
    let audio = Audio::start(
        move || Box::new(CpalBackend::new(input, output)),
        assistant::compose::echo(&settings),
        move |event| {
            let _ = tell.send(event);
        },
    );
    let mut check = SoundCheck::default();
    audio.send(Command::Mic { open: true });
    say(json, "Please be quiet for a moment …", &json!({ "stage": "quiet" }));
    listen(&mut check, Stage::Quiet, &events, QUIET);
    say(json, "It speaks; please stay quiet …", &json!({ "stage": "alone" }));
    play(&audio, 1, alone, &mut check, Stage::Alone, &events);
    say(json, "Now speak while it speaks.", &json!({ "stage": "over" }));
    play(&audio, 2, over, &mut check, Stage::Over, &events);
    let mut exit = Exit::Done;
    for found in check.findings() {
        let grade = match found.grade {
            Grade::Good => "good",
            Grade::Fair => "fair",
            Grade::Bad => "bad",
        };
        if found.grade == Grade::Bad {
            exit = Exit::Failed;
        }
        let value = json!({ "check": found.what, "grade": grade, "words": found.words });
        say(json, &format!("{grade:<5} {:<18} {}", found.what, found.words), &value);
    }
    exit
}

fn play(audio: &Audio, segment: u32, pcm: Pcm16, check: &mut SoundCheck, stage: Stage, events: &Receiver<Event>) {
    let segment = Segment(segment);
    let length = Duration::from_millis(Pcm16::ms_in(pcm.frames()));
    audio.send(Command::Play { segment, pcm });
    audio.send(Command::EndSegment { segment });
    let end = Instant::now() + length + AFTER;
    // As in a conversation, it speaks softer where somebody may be speaking: an echo gives itself away by that.
    let mut soft: Option<Instant> = None;
    while Instant::now() < end {
        let event = events.recv_timeout(soft.unwrap_or(end).min(end).saturating_duration_since(Instant::now()));
        match event {
            Ok(event) => {
                if let Event::Voice(voice) = event {
                    match voice {
                        Voice::Onset if soft.is_none() => {
                            soft = Some(Instant::now() + SOFT);
                            audio.send(Command::Loudness(Loudness::Soft));
                        }
                        Voice::Over => soft = soft.map(|_| Instant::now()),
                        Voice::Onset | Voice::Confirmed => {}
                    }
                }
                check.handle(stage, &event);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if soft.take_if(|until| *until <= Instant::now()).is_some() {
            audio.send(Command::Loudness(Loudness::Full));
        }
    }
    audio.send(Command::Loudness(Loudness::Full));
}

fn listen(check: &mut SoundCheck, stage: Stage, events: &Receiver<Event>, time: Duration) {
    let end = Instant::now() + time;
    while let Ok(event) = events.recv_timeout(end.saturating_duration_since(Instant::now())) {
        check.handle(stage, &event);
    }
}
