//! Facts that a small model does not know and invents: a few, chosen by the words of the question.

/// A fact and the words that call for it: every group needs one of its words.
struct Fact {
    needs: &'static [&'static [&'static str]],
    text: &'static str,
}

const FACTS: &[Fact] = &[
    Fact {
        needs: &[&["unsend", "recall", "undo", "take back"], &["gmail", "email", "e-mail", "mail"]],
        text: "Right after sending in Gmail, click Undo at the bottom left of the screen. It is there for five to thirty seconds; the time is set in Settings, General, Undo Send. After that an email cannot be taken back.",
    },
    Fact {
        needs: &[&["who are you", "your name", "what are you"]],
        text: "You are Vivavoce, a voice assistant that runs on this computer. Nothing that is said leaves the computer unless another server is chosen.",
    },
    Fact {
        needs: &[&["leap year", "leap day"]],
        text: "A leap year has 366 days: February gets a twenty-ninth day. It comes every four years, but not in years that divide by 100 unless they divide by 400.",
    },
    Fact {
        needs: &[&["interrupt you", "stop you", "make you stop"]],
        text: "The user can simply talk over you, or press Escape, and you stop at once.",
    },
    Fact {
        needs: &[&["change", "other", "different", "choose"], &["voice", "tone"]],
        text: "Voice and tone are chosen in the two menus at the top of the window; a change holds from the next sentence.",
    },
    Fact {
        needs: &[&["microphone", "hear me", "mic"], &["mute", "off", "not working", "can't", "cannot"]],
        text: "The Mute button in the window, or Mute in the tray menu, closes the microphone. If nothing is heard at all, check the microphone in the system's sound settings.",
    },
    Fact {
        needs: &[&["screenshot", "screen shot"], &["windows"]],
        text: "In Windows, press the Windows key, Shift and S, then choose the area. It lands on the clipboard.",
    },
    Fact {
        needs: &[&["screenshot", "screen shot"], &["mac", "macos", "apple"]],
        text: "On a Mac, press Shift, Command and 4, then drag over the area; with 3 instead of 4 it is the whole screen.",
    },
    Fact {
        needs: &[&["force quit", "frozen", "not responding", "task manager"], &["windows", "mac", "program", "app"]],
        text: "In Windows, press Control, Shift and Escape, choose the program and End task. On a Mac, press Command, Option and Escape.",
    },
];

/// Returns the fact that a question calls for.
pub(crate) fn find(question: &str) -> Option<&'static str> {
    let question = format!(" {} ", question.to_lowercase());
    let called = |fact: &&Fact| fact.needs.iter().all(|group| group.iter().any(|word| has_word(&question, word)));
    FACTS.iter().find(called).map(|fact| fact.text)
}

fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let open = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        open(text[..at].chars().next_back()) && open(text[at + word.len()..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn a_question_gets_its_fact_and_others_none() {
        assert!(find("How do I unsend an email in Gmail?").is_some_and(|f| f.contains("Undo at the bottom left")));
        assert_eq!(find("What is the biggest planet in the solar system?"), None);
        assert_eq!(find("Can you email me?"), None);
    }
}
