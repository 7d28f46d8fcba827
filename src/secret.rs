//! A text that nobody may see, ready to be looked for in whatever leaves.
//!
//! Every answer and every line is searched for it, and nearly all are short and do not have it: what
//! counts is how soon a search begins.

use memchr::memmem::Finder;

/// Up to this length the search has nothing to prepare.
const START_BYTES: usize = 16;

/// See the module. Not empty.
#[derive(Clone)]
pub(crate) struct Secret {
    whole: Box<[u8]>,
    /// Finds its beginning, which is rare enough.
    start: Finder<'static>,
}

impl Secret {
    pub(crate) fn new(secret: &[u8]) -> Self {
        let start = &secret[..secret.len().min(START_BYTES)];
        Self {
            whole: secret.into(),
            start: Finder::new(start).into_owned(),
        }
    }

    /// What is looked for.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.whole
    }

    /// Where in these bytes it stands first.
    pub(crate) fn find(&self, bytes: &[u8]) -> Option<usize> {
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
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
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
