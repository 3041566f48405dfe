//! Full duplex in simulated rooms, the whole audio pipeline in the loop: the short form of `cargo xtask bench -- --echo`.

use audio::{
    EchoMode, Loudness,
    rooms::{Conditions, Outcome, talk},
};
use protocol::Pcm16;
use support::speech::espeak_as;

/// Half a minute of the assistant, and two interruptions by another voice.
fn hold(conditions: Conditions, mode: EchoMode) -> Outcome {
    let story = "The planets go round the sun in the same direction, each at a speed of its own. Mercury is the smallest of them. \
                 Venus is nearly as large as the Earth, and hotter than an oven under its clouds. Mars has the highest \
                 mountain that we know, and two little moons. Jupiter is so large that all the others would fit into it, \
                 and its red storm has raged for centuries. Saturn is famous for its rings, which are made of ice.";
    let over = |at_ms, text| (at_ms, Pcm16(espeak_as("en+f3", text, 150)));
    let user = [over(9_000, "Wait, what about Pluto?"), over(18_000, "Stop, please, and tell me of the moon.")];
    talk(conditions, mode, Loudness::Soft, &Pcm16(espeak_as("en", story, 150)), &user)
}

#[test]
#[ignore = "needs espeak-ng"]
fn the_assistant_never_hears_itself_and_always_hears_the_user() {
    let base = Conditions::default();
    for (name, conditions) in [
        ("living room", base),
        ("bare room", Conditions { rt60_s: 0.6, ..base }),
        ("Bluetooth", Conditions { delay_ms: 300.0, ..base }),
        ("two clocks", Conditions { drift_ppm: 200.0, ..base }),
        ("noise", Conditions { noise_dbfs: -45.0, ..base }),
    ] {
        let outcome = hold(conditions, EchoMode::FullDuplex);
        assert_eq!(outcome.false_alarms, 0, "{name}: {outcome:?}");
        assert!(outcome.found_ms.iter().all(|ms| ms.is_some_and(|ms| ms < 500)), "{name}: {outcome:?}");
        assert!(outcome.enhancement_db > 20.0, "{name}: {outcome:?}");
    }
}

#[test]
#[ignore = "needs espeak-ng"]
fn a_loud_speaker_that_clips_is_not_taken_for_the_user_either() {
    let outcome = hold(Conditions { echo_db: 10.0, bend: 4.0, ..Conditions::default() }, EchoMode::FullDuplex);
    assert_eq!(outcome.false_alarms, 0, "{outcome:?}");
    assert!(outcome.found_ms.iter().all(|ms| ms.is_some_and(|ms| ms < 1000)), "{outcome:?}");
}

#[test]
#[ignore = "needs espeak-ng"]
fn without_a_canceller_the_room_is_full_of_speech() {
    let outcome = hold(Conditions::default(), EchoMode::Headphones);
    assert!(outcome.onsets > 2 && outcome.enhancement_db < 1.0, "the room makes an echo that is speech: {outcome:?}");
}

#[test]
#[ignore = "needs espeak-ng"]
fn half_duplex_hears_nobody_while_it_speaks() {
    let outcome = hold(Conditions::default(), EchoMode::HalfDuplex);
    assert_eq!((outcome.false_alarms, outcome.found_ms), (0, vec![None, None]));
}
