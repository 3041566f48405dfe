/// Turns repeated transcriptions of a growing utterance into words that are never taken back.
///
/// A word is out when two transcriptions in a row agree on it; the last word is held, it may still grow.
/// There is no event on this protocol to retract a delta.
#[derive(Debug, Default)]
pub(crate) struct StableWords {
    last: Vec<String>,
    given: Vec<String>,
}

impl StableWords {
    /// Takes a transcription of all so far; returns new stable words.
    pub fn push(&mut self, text: &str) -> Option<String> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        let agreed =
            self.last.iter().zip(&words).take_while(|(a, b)| a == b).count().min(words.len().saturating_sub(1));
        self.last = words;
        let stands = self.given.iter().zip(&self.last).all(|(a, b)| a == b);
        if !stands || agreed <= self.given.len() {
            return None;
        }
        let from = self.given.len();
        self.given = self.last[..agreed].to_vec();
        Some(joined(from, &self.given[from..]))
    }

    /// Takes the final transcription; returns the words that complete it, if what was given stands.
    pub fn finish(&mut self, text: &str) -> Option<String> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        if !words.starts_with(&self.given) || words.len() == self.given.len() {
            return None;
        }
        Some(joined(self.given.len(), &words[self.given.len()..]))
    }
}

fn joined(from: usize, words: &[String]) -> String {
    let text = words.join(" ");
    if from == 0 { text } else { format!(" {text}") }
}

#[cfg(test)]
mod tests {
    use super::StableWords;

    #[test]
    fn gives_words_that_two_transcriptions_agree_on_and_completes_them() {
        let mut stable = StableWords::default();
        assert_eq!(stable.push("What is the way"), None);
        assert_eq!(stable.push("What is the weather?").as_deref(), Some("What is the"));
        assert_eq!(stable.finish("What is the weather in Paris?").as_deref(), Some(" weather in Paris?"));
    }

    #[test]
    fn never_gives_twice_when_a_transcription_changes_its_mind() {
        let mut stable = StableWords::default();
        stable.push("I scream for");
        assert_eq!(stable.push("I scream for you").as_deref(), Some("I scream for"));
        assert_eq!(stable.push("Ice cream for you"), None);
        assert_eq!(stable.finish("Ice cream for you."), None);
    }
}
