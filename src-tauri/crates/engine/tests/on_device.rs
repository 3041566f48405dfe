//! The real models. `cargo xtask test` installs them, says where they lie, and runs these.
#![cfg(feature = "on-device")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::disallowed_methods, reason = "tests")]

use std::{path::PathBuf, time::Instant};

use engine::{
    on_device::{Models, loaders},
    stages::{Author, Message, Request, Written},
};
use protocol::Pcm16;

fn models() -> Models {
    let folder = std::env::var_os("VIVAVOCE_MODELS").expect("VIVAVOCE_MODELS names the models' folder");
    Models { folder: PathBuf::from(folder), language_model: None, cache: None }
}

fn words(text: &str) -> Vec<String> {
    let letters: String = text.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    letters.split_whitespace().map(str::to_owned).collect()
}

#[test]
#[ignore = "needs the models"]
fn what_the_voice_says_is_what_the_transcriber_hears() {
    let stages = loaders(&models());
    let (mut voice, mut ears) = ((stages.synthesizer)().unwrap(), (stages.transcriber)().unwrap());
    for text in [
        "What is the biggest planet in the solar system?",
        "The cat sat on the warm window sill.",
        "Please tell me a story about the sea.",
    ] {
        let begun = Instant::now();
        let spoken = voice.speak(text, "heart", 1.0).unwrap();
        let said = begun.elapsed();
        let begun = Instant::now();
        let heard = ears.transcribe(&spoken).unwrap();
        println!(
            "{said:?} for {} ms of speech, {:?} to write it down: {heard}",
            Pcm16::ms_in(spoken.frames()),
            begun.elapsed()
        );
        assert_eq!(words(&heard), words(text));
    }
}

#[test]
#[ignore = "needs the models"]
fn kokoros_voices_say_what_they_are_given_each_in_its_own_way() {
    let stages = loaders(&models());
    let (mut voice, mut ears) = ((stages.synthesizer)().unwrap(), (stages.transcriber)().unwrap());
    let text = "The cat sat on the warm window sill.";
    let mut lengths = std::collections::BTreeSet::new();
    for name in ["af_heart", "am_michael", "bf_emma", "bm_george"] {
        let begun = Instant::now();
        let spoken = voice.speak(text, name, 1.0).unwrap();
        println!("{name}: {:?} for {} ms of speech", begun.elapsed(), Pcm16::ms_in(spoken.frames()));
        let heard = ears.transcribe(&spoken).unwrap();
        let right = words(text).iter().zip(words(&heard)).filter(|(a, b)| *a == b).count();
        assert!(right + 1 >= words(text).len(), "{name}: {heard}");
        lengths.insert(spoken.0);
    }
    assert_eq!(lengths.len(), 4, "two voices sound the same");
}

#[test]
#[ignore = "needs the models"]
fn speech_is_found_and_a_finished_question_is_told_from_a_cut_one() {
    let stages = loaders(&models());
    let mut voice = (stages.synthesizer)().unwrap();
    let (mut detector, mut judge) = ((stages.detector)().unwrap(), (stages.judge)().unwrap());
    let mut spoken = voice.speak("What is the biggest planet in the solar system?", "heart", 1.0).unwrap();
    let length = spoken.0.len();
    let mut cut = Pcm16(spoken.0[..length / 2].to_vec());
    spoken.0.extend(vec![0; 4800]);
    cut.0.extend(vec![0; 4800]);
    let begun = Instant::now();
    let (whole, half) = (judge.judge(&spoken).unwrap(), judge.judge(&cut).unwrap());
    println!("finished: {whole}, cut: {half}, {:?} for both", begun.elapsed());
    assert!(whole > 0.5 && whole > half, "{whole} {half}");

    let mut sound = Pcm16(vec![0; 24_000]);
    sound.0.extend(&spoken.0);
    sound.0.extend(vec![0; 24_000]);
    let windows = detector.listen(&sound).unwrap();
    let voiced: Vec<u64> = windows.iter().filter(|(_, p)| *p > 0.5).map(|(end, _)| *end).collect();
    assert!(voiced[0] > 24_000 && voiced[0] < 36_000, "speech begins at {}", voiced[0]);
    assert!(*voiced.last().unwrap() < (24_000 + length + 4800) as u64);
    assert!(voiced.len() > windows.len() / 3);
}

#[test]
#[ignore = "needs the models"]
fn the_language_model_answers_remembers_and_reads_its_instructions_once() {
    let mut model = (loaders(&models()).language_model)().unwrap();
    let message = |author, text: &str| Message::new(author, text);
    let mut messages = vec![
        message(Author::System, "You are a helpful voice assistant. Answer in one short spoken sentence."),
        message(Author::User, "What is the biggest planet in the solar system?"),
    ];
    let mut answer = String::new();
    let begun = Instant::now();
    let first =
        model.generate(&Request::new(messages.clone(), 60), &|| false, &mut |w| answer.push_str(text_of(&w))).unwrap();
    println!("{:?}, {first:?}: {answer}", begun.elapsed());
    assert!(answer.contains("Jupiter"), "{answer}");

    messages.push(message(Author::Assistant, answer.trim()));
    messages.push(message(Author::User, "How many moons does it have?"));
    let second = model.generate(&Request::new(messages.clone(), 60), &|| false, &mut |_| {}).unwrap();
    assert!(second.cached_tokens >= first.prompt_tokens, "{second:?} after {first:?}");

    let cancelled = model
        .generate(&Request::new(messages.clone(), 60), &|| true, &mut |_| panic!("wrote after it was cancelled"))
        .unwrap();
    assert_eq!(cancelled.output_tokens, 0);
}

#[test]
#[ignore = "needs the models"]
fn a_prompt_that_was_read_before_is_not_read_again_after_a_start() {
    let cache = tempfile::tempdir().unwrap();
    let models = || Models { cache: Some(cache.path().into()), ..models() };
    let system = Message::new(Author::System, "You are a helpful voice assistant. ".repeat(20));
    let question = Message::new(Author::User, "What do bees make?");
    let start = || {
        let mut model = (loaders(&models()).language_model)().unwrap();
        let begun = Instant::now();
        model.prefill(std::slice::from_ref(&system), &|| false).unwrap();
        println!("the prompt was read in {:?}", begun.elapsed());
        model.generate(&Request::new(vec![system.clone(), question.clone()], 1), &|| false, &mut |_| {}).unwrap()
    };
    let first = start();
    let saved = || std::fs::read_dir(cache.path()).unwrap().map(|e| e.unwrap().path()).collect::<Vec<_>>();
    assert_eq!(saved().len(), 1);

    // Not told of the prompt ahead, the model finds it itself.
    let mut model = (loaders(&models()).language_model)().unwrap();
    let second =
        model.generate(&Request::new(vec![system.clone(), question.clone()], 1), &|| false, &mut |_| {}).unwrap();
    assert!(second.cached_tokens > 100 && second.cached_tokens <= first.cached_tokens, "{second:?} after {first:?}");
    assert_eq!(start(), first);

    // A file that was cut short is read anew, and mended.
    let length = || std::fs::metadata(&saved()[0]).unwrap().len();
    let whole = length();
    std::fs::File::options().write(true).open(&saved()[0]).unwrap().set_len(whole / 2).unwrap();
    assert_eq!(start(), first);
    assert_eq!((saved().len(), length()), (1, whole));
}

#[test]
#[ignore = "needs the models"]
fn a_conversation_that_outgrows_the_prompt_is_not_read_again() {
    let mut model = (loaders(&models()).language_model)().unwrap();
    let message = |author, text: &str| Message::new(author, text);
    let mut messages =
        vec![message(Author::System, "You are a helpful voice assistant. Answer in one short sentence.")];
    for (asked, told) in [
        (
            "Where do penguins live?",
            "Penguins live in the southern half of the world, most of them on the coasts of Antarctica and on islands in the cold seas around it.",
        ),
        (
            "What is a fjord?",
            "A fjord is a long and narrow arm of the sea between steep cliffs, which a glacier has carved out of the rock a long time ago.",
        ),
        (
            "I have a red bicycle.",
            "How nice! A red bicycle is easy to see in the street, which makes riding safer, and it surely looks good in front of your house.",
        ),
        (
            "Why do cats purr?",
            "Cats purr when they are content, and sometimes also when they are hurt or afraid, for it seems to calm them and may even help them heal.",
        ),
    ] {
        messages.extend([message(Author::User, asked), message(Author::Assistant, told)]);
    }
    messages.push(message(Author::User, "What colour is my bicycle?"));
    let whole = model.generate(&Request::new(messages.clone(), 20), &|| false, &mut |_| {}).unwrap();
    messages.drain(1..5);
    let mut answer = String::new();
    let shorter =
        model.generate(&Request::new(messages.clone(), 20), &|| false, &mut |w| answer.push_str(text_of(&w))).unwrap();
    assert!(shorter.prompt_tokens < whole.prompt_tokens - 50);
    assert!(shorter.cached_tokens + 8 >= shorter.prompt_tokens, "{shorter:?}");
    assert!(answer.to_lowercase().contains("red"), "{answer}");
}

fn text_of(written: &Written) -> &str {
    match written {
        Written::Text(text) => text,
        Written::Call { .. } => "",
    }
}
