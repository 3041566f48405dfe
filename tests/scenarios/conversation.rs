//! Whole conversations with the real models, from recordings.

use support::{
    converse, home_with_models,
    models::{Ears, Voice},
    speech::{espeak, loud_ms, said, silence, with_noise, words, write},
};

/// Ten questions and a word that a right answer has; what the model knows is its own affair, so only some are asked for.
const QUESTIONS: &[&str] = &[
    "What is the biggest planet in the solar system?",
    "What is the capital of France?",
    "How many days are there in a week?",
    "What color is the sky on a clear day?",
    "Who wrote the play Romeo and Juliet?",
    "What do bees make?",
    "How do I unsend an email in Gmail?",
    "What is the opposite of hot?",
    "Can you tell me a short joke?",
    "What is two plus two?",
];

#[test]
#[ignore = "needs the models"]
fn the_biggest_planet_is_asked_for_and_jupiter_is_spoken() {
    let home = home_with_models();
    let dir = tempfile::tempdir().unwrap();
    let mut own = Voice::load();
    for (name, question, noise) in [
        ("clear", espeak(QUESTIONS[0], 150), 0),
        ("quick", espeak(QUESTIONS[0], 190), 0),
        ("noisy", espeak(QUESTIONS[0], 150), 300),
        ("our own voice, slow", own.speak(QUESTIONS[0], 0.85), 0),
        ("our own voice, quick and noisy", own.speak(QUESTIONS[0], 1.2), 300),
    ] {
        let path = dir.path().join("question.wav");
        let mut samples = silence(800);
        samples.extend(question);
        samples.extend(silence(2500));
        write(&path, &with_noise(samples, noise));
        let talk = converse(home.path(), &path, &[]);
        let items = talk.items();
        assert!(talk.output.status.success() && items.len() == 2, "{name}: {}", talk.report());
        assert!(items[0].1.to_lowercase().contains("planet"), "{name}: {}", talk.report());
        assert!(items[1].1.contains("Jupiter"), "{name}: {}", talk.report());
        assert!(loud_ms(&talk.played).len() > 80, "{name}: the answer was not played");
    }
}

#[test]
#[ignore = "needs the models"]
fn ten_questions_in_one_conversation_are_heard_and_answered_in_order_and_every_answer_is_spoken_as_written() {
    let home = home_with_models();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ten.wav");
    let mut samples = silence(500);
    let mut ends = Vec::new();
    for question in QUESTIONS {
        samples.extend(espeak(question, 150));
        ends.push(samples.len() * 2);
        // Long enough for any answer to end.
        samples.extend(silence(16_000));
    }
    write(&path, &samples);
    let talk = converse(home.path(), &path, &["--tone", "brisk"]);
    let items = talk.items();
    let asked: Vec<&str> = items.iter().filter(|i| i.0 == "user").map(|i| i.1.as_str()).collect();
    assert_eq!(asked.len(), QUESTIONS.len(), "{}", talk.report());
    for (heard, question) in asked.iter().zip(QUESTIONS) {
        let (heard, said) = (words(heard), words(question));
        let right = said.iter().filter(|w| heard.contains(w)).count();
        assert!(right * 10 >= said.len() * 7, "{question:?} was heard as {heard:?}");
    }
    let speakers: Vec<&str> = items.iter().map(|i| i.0.as_str()).collect();
    assert_eq!(speakers, ["user", "assistant"].repeat(QUESTIONS.len()), "{}", talk.report());
    assert!(items.iter().all(|i| !i.1.trim().is_empty()), "{}", talk.report());

    let mut ears = Ears::load();
    let answers = items.iter().filter(|i| i.0 == "assistant");
    for (n, (_, written, _)) in answers.enumerate() {
        let until = ends.get(n + 1).copied().unwrap_or(talk.played.len());
        let heard = ears.hear(&talk.played[ends[n]..until.min(talk.played.len())]);
        let heard = words(&engine::speech_text::spoken(&heard));
        let said = words(&engine::speech_text::spoken(written));
        let right = said.iter().filter(|w| heard.contains(w)).count();
        println!("{written} | {}", heard.join(" "));
        assert!(right * 10 >= said.len() * 6, "{written:?} was spoken as {heard:?}");
    }
}

#[test]
#[ignore = "needs the models"]
fn talking_over_the_answer_silences_the_speaker_within_300_ms() {
    let home = home_with_models();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("over.wav");
    let mut samples = said(500, "Please tell me a long story about a brave knight and a dragon.", 5000);
    let over = samples.len() as u64 / 24;
    let second = espeak("Wait, what is the capital of France?", 150);
    let onset = second.iter().position(|s| s.unsigned_abs() > 400).unwrap() as u64 / 24;
    samples.extend(second);
    samples.extend(silence(3000));
    write(&path, &samples);
    let talk = converse(home.path(), &path, &[]);
    let items = talk.items();
    let speech_at = over + onset;
    let loud = loud_ms(&talk.played);
    assert!(
        loud.iter().any(|ms| (speech_at - 300..speech_at).contains(ms)),
        "nothing was spoken over: {}",
        talk.report()
    );
    let until = loud.iter().copied().take_while(|ms| *ms < speech_at + 900).last().unwrap();
    println!("the speaker was silent {} ms after the speech began", until + 10 - speech_at.min(until));
    assert!(until < speech_at + 300, "the speaker was silent only after {} ms", until - speech_at);
    let cut = items.iter().find(|i| i.2.is_some()).unwrap_or_else(|| panic!("nothing was cut: {}", talk.report()));
    assert!(cut.2.unwrap() < cut.1.chars().count() as u64);
    assert!(items.last().unwrap().1.contains("Paris"), "{}", talk.report());
}
