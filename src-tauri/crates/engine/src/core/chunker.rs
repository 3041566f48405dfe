/// Words after which the first piece may be cut before a small word, without punctuation: it lets speech begin
/// while the sentence is still being written.
const FIRST_WORDS: usize = 3;
/// Words after which the first piece is cut anywhere.
const FIRST_MOST: usize = 8;
/// The same for the second piece, which has to be there when the short first one has been spoken.
const SECOND_WORDS: usize = 7;
/// Words after which a comma is enough in later pieces.
const LONG_WORDS: usize = 18;
/// A piece may begin with these without sounding torn.
const JOINTS: &[&str] = &[
    "and", "but", "or", "because", "which", "that", "who", "where", "when", "while", "with", "for", "from", "in", "on",
    "at", "to", "by", "so", "if", "as", "than", "about", "into", "through", "is", "are", "was", "were", "has", "have",
    "had", "can", "will", "would", "of",
];

/// Cuts an answer that is still being written into pieces to speak: the first as soon as it can be, then sentences.
#[derive(Debug, Default)]
pub(crate) struct Chunker {
    pending: String,
    cut: usize,
}

impl Chunker {
    /// Takes more text; returns the pieces it completes, white space included, nothing lost.
    pub fn push(&mut self, text: &str) -> Vec<String> {
        self.pending.push_str(text);
        let mut pieces = Vec::new();
        while let Some(end) = self.boundary() {
            let rest = self.pending.split_off(end);
            pieces.push(std::mem::replace(&mut self.pending, rest));
            self.cut += 1;
        }
        pieces
    }

    /// Returns what is left when the answer is complete.
    pub fn finish(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.pending);
        (!rest.trim().is_empty()).then_some(rest)
    }

    fn boundary(&self) -> Option<usize> {
        let text = &self.pending;
        let joint_from = [FIRST_WORDS, SECOND_WORDS].get(self.cut).copied().unwrap_or(usize::MAX);
        let mut words = 0;
        let mut in_word = false;
        let mut joint = None;
        let chars: Vec<(usize, char)> = text.char_indices().collect();
        for (n, (at, c)) in chars.iter().copied().enumerate() {
            if c.is_alphanumeric() && !in_word {
                if words >= joint_from && joint.is_none() && begins_with_joint(&text[at..]) {
                    joint = Some(at);
                }
                if self.cut == 0 && words >= FIRST_MOST {
                    return joint.or(Some(at));
                }
                words += 1;
                in_word = true;
            } else if c.is_whitespace() {
                in_word = false;
            }
            // A boundary is only known once the next character shows that the mark ends something.
            let Some((next_at, next)) = chars.get(n + 1).copied() else { break };
            if !next.is_whitespace() {
                continue;
            }
            let sentence = matches!(c, '.' | '!' | '?' | '…') && words > 0 && !is_abbreviation(&text[..=at]);
            let clause = matches!(c, ',' | ';' | ':' | '—');
            let enough = if self.cut == 0 { 3 } else { LONG_WORDS };
            if sentence || c == '\n' && words > 0 || clause && words >= enough {
                return Some(next_at);
            }
        }
        // The joint's own word is complete, and a word follows it: the rest will not be empty.
        joint.filter(|at| text[*at..].trim_end().contains(char::is_whitespace))
    }
}

fn begins_with_joint(text: &str) -> bool {
    let word = text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    word.len() < text.len() && JOINTS.contains(&word.to_lowercase().as_str())
}

fn is_abbreviation(text: &str) -> bool {
    let word = text.rsplit(char::is_whitespace).next().unwrap_or_default();
    let bare = word.trim_end_matches('.');
    let known = ["Mr", "Mrs", "Ms", "Dr", "Prof", "St", "vs", "e.g", "i.e", "etc", "approx", "No"];
    known.contains(&bare)
        || bare.chars().count() == 1 && bare.chars().all(char::is_alphabetic)
        || bare.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::Chunker;

    fn pieces(text: &str) -> Vec<String> {
        let mut chunker = Chunker::default();
        let mut out: Vec<String> = text.split_inclusive(' ').flat_map(|token| chunker.push(token)).collect();
        out.extend(chunker.finish());
        assert_eq!(out.concat(), text, "nothing is lost");
        out
    }

    #[test]
    fn sentences_are_pieces() {
        assert_eq!(pieces("Hi there. How are you? Fine!"), ["Hi there.", " How are you?", " Fine!"]);
    }

    #[test]
    fn the_first_clause_is_spoken_before_the_sentence_is_complete() {
        let text = "Yes, of course I can, and then we look at the stars, if you like to, all night long.";
        assert_eq!(
            pieces(text),
            ["Yes, of course I can,", " and then we look at the stars, ", "if you like to, all night long."]
        );
    }

    #[test]
    fn a_long_first_sentence_is_cut_before_a_small_word() {
        let text = "The biggest planet of them all is called Jupiter after the god.";
        assert_eq!(pieces(text)[..2], ["The biggest planet ", "of them all is called Jupiter after the god."]);
    }

    #[test]
    fn numbers_initials_and_titles_end_no_sentence() {
        assert_eq!(pieces("Dr. J. Smith paid 3.50."), ["Dr. J. Smith paid 3.50."]);
    }
}
