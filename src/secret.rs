//! A text that nobody may see, ready to be looked for in whatever leaves.
//!
//! Every answer and every line is searched for it, and nearly all are short and do not have it: what
//! counts is how soon a search begins.
//!
//! Where it stands in a text that is shown or kept all the same, each of its bytes becomes an `x` (or
//! another letter that it has not: what is covered must not make it again), so that lengths stay as they
//! were told.

use std::borrow::Cow;
use std::fmt;

use memchr::memmem::Finder;

/// Up to this length the search has nothing to prepare.
const START_BYTES: usize = 16;

/// What a secret may be covered with, the first that it has not.
const LETTERS: [u8; 4] = *b"x*#~";

/// See the module. Not empty.
#[derive(Clone)]
pub struct Secret {
    whole: Box<[u8]>,
    /// Finds its beginning, which is rare enough.
    start: Finder<'static>,
    letter: u8,
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(hidden)")
    }
}

impl Secret {
    /// Ready to be looked for. An empty one would be found everywhere.
    pub fn new(secret: &[u8]) -> Self {
        let start = &secret[..secret.len().min(START_BYTES)];
        let is_free = |letter: &u8| !secret.contains(letter);
        Self {
            whole: secret.into(),
            start: Finder::new(start).into_owned(),
            letter: LETTERS.into_iter().find(is_free).unwrap_or(b'x'),
        }
    }

    /// What is looked for.
    pub fn bytes(&self) -> &[u8] {
        &self.whole
    }

    /// Where in these bytes it stands first.
    pub fn find(&self, bytes: &[u8]) -> Option<usize> {
        // Most fields of a head are shorter.
        if bytes.len() < self.whole.len() {
            return None;
        }
        let mut from = 0;
        loop {
            let at = from + self.start.find(&bytes[from..])?;
            if bytes[at..].starts_with(&self.whole) {
                return Some(at);
            }
            from = at + 1;
        }
    }

    /// These bytes with it covered; `None`: it does not stand there.
    pub fn covered(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut at = self.find(bytes)?;
        let mut covered = bytes.to_vec();
        loop {
            covered[at..at + self.whole.len()].fill(self.letter);
            match self.find(&covered[at..]) {
                Some(next) => at += next,
                None => return Some(covered),
            }
        }
    }

    /// A text with it covered; the same text if it does not stand there.
    pub fn covered_text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.covered(text.as_bytes()) {
            Some(covered) => String::from_utf8_lossy(&covered).into_owned().into(),
            None => text.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// It repeats itself, and the text is made of its beginnings: what only begins like it reaches into it.
        #[test]
        fn it_is_found_behind_its_own_beginnings(
            (part, times, end) in ("[ab]{1,4}", 4_usize..12, "[abc]{0,2}"),
            beginnings in prop::collection::vec(0_usize..50, 0..4),
            is_in in any::<bool>(),
        ) {
            let secret = part.repeat(times) + &end;
            let begin = |length: &usize| &secret[..*length.min(&secret.len())];
            let mut text: String = beginnings.iter().map(begin).collect();
            if is_in {
                text += &secret;
            }
            let found = Secret::new(secret.as_bytes()).find(text.as_bytes());
            prop_assert_eq!(found, text.find(&secret));
        }

        /// Of few letters, so that much begins like it.
        #[test]
        fn it_is_found_where_a_plain_search_finds_it(
            secret in "[ab]{1,24}",
            text in "[ab]{0,80}",
            at in 0_usize..80,
            is_in in any::<bool>(),
        ) {
            let mut text = text;
            if is_in {
                text.insert_str(at.min(text.len()), &secret);
            }
            let found = Secret::new(secret.as_bytes()).find(text.as_bytes());
            prop_assert_eq!(found, text.find(&secret));
        }
    }

    #[test]
    fn a_long_one_is_found_behind_what_only_begins_like_it() {
        let secret = "a-long-beginning-and-an-end";
        let almost = "a-long-beginning-and-an-".repeat(3);
        let sought = Secret::new(secret.as_bytes());
        assert_eq!(sought.find(almost.as_bytes()), None);
        let behind = format!("{almost}{secret}");
        assert_eq!(sought.find(behind.as_bytes()), Some(almost.len()));
    }
}
