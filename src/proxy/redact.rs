//! Keeps the account's token out of whatever the upstream says.
//!
//! The upstream can echo it: one of its own pages lists full tokens (dossier section 3.6), and an
//! error page may show the request. Wherever it stands in an answer, it is [covered](Secret::covered).

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::secret::Secret;

/// Finds one secret and covers it. Cheap to clone: every answer has one.
#[derive(Clone)]
pub struct Redactor {
    secret: Arc<Secret>,
}

/// A stream's end that may be the beginning of the secret, kept back until more is known.
#[derive(Debug, Default)]
pub struct KeptBack(Bytes);

impl KeptBack {
    /// Whether nothing is kept back.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Redactor(hidden)")
    }
}

impl Redactor {
    /// Covers `secret`, which is not empty.
    pub fn new(secret: &str) -> Self {
        Self {
            secret: Arc::new(Secret::new(secret.as_bytes())),
        }
    }

    /// Whether the secret stands in these bytes.
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.secret.find(bytes).is_some()
    }

    /// The bytes with the secret covered; the same bytes, untouched, if it is not there.
    pub fn cover(&self, bytes: Bytes) -> Bytes {
        let Some(covered) = self.secret.covered(&bytes) else {
            return bytes;
        };
        tracing::error!("the upstream's answer showed the account's token; it was covered");
        covered.into()
    }

    /// The same of a text: why there is no answer, say.
    pub fn cover_text(&self, text: &str) -> String {
        self.secret.covered_text(text).into_owned()
    }

    /// The next part of a stream, covered. What may be the start of the secret waits in `kept`.
    pub fn cover_next(&self, kept: &mut KeptBack, chunk: Bytes) -> Bytes {
        let joined = if kept.0.is_empty() {
            chunk
        } else {
            let mut both = BytesMut::from(&kept.0[..]);
            both.extend_from_slice(&chunk);
            both.freeze()
        };
        let mut covered = self.cover(joined);
        let hold_back = self.beginning_at_end_of(&covered);
        kept.0 = covered.split_off(covered.len() - hold_back);
        covered
    }

    /// What was kept back, when nothing more comes.
    pub fn end(&self, kept: &mut KeptBack) -> Bytes {
        std::mem::take(&mut kept.0)
    }

    /// The length of the longest end of `bytes` that the secret begins with.
    fn beginning_at_end_of(&self, bytes: &[u8]) -> usize {
        let secret = self.secret.bytes();
        let Some(first) = secret.first() else {
            return 0;
        };
        let longest = secret.len().saturating_sub(1).min(bytes.len());
        let tail = &bytes[bytes.len() - longest..];
        // Only where its first byte stands can it begin.
        let mut starts = memchr::memchr_iter(*first, tail).map(|at| &tail[at..]);
        starts
            .find(|end| secret.starts_with(end))
            .map_or(0, <[u8]>::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a s3cret-token b s3cret-tokens3cret-token s3cret-tokes3cret-token";

    #[test]
    fn the_secret_is_covered_and_every_length_stays() {
        let redactor = Redactor::new("s3cret-token");
        let covered = redactor.cover(Bytes::from(TEXT));
        assert_eq!(covered.len(), TEXT.len());
        assert!(!redactor.is_in(&covered));
        assert!(covered.starts_with(b"a xxxxxxxxxxxx b "));
    }

    #[test]
    fn what_is_covered_does_not_make_the_secret_again() {
        let redactor = Redactor::new("s3cret-x");
        let covered = redactor.cover(Bytes::from("s3cret-s3cret-x"));
        assert_eq!(covered, "s3cret-********");
    }

    #[test]
    fn a_secret_cut_at_any_place_is_still_covered() {
        let long = "a-token-as-long-as-they-are:0123456789abcdef";
        let of_long = format!(
            "a {long}{long} a-token-as-long-as-they-{long} b {}",
            &long[..40]
        );
        for (secret, text) in [("s3cret-token", TEXT), (long, &of_long)] {
            let redactor = Redactor::new(secret);
            let whole = redactor.cover(Bytes::from(text.to_owned()));
            for size in 1..text.len() {
                let mut kept = KeptBack::default();
                let mut out = BytesMut::new();
                for chunk in text.as_bytes().chunks(size) {
                    let chunk = Bytes::copy_from_slice(chunk);
                    out.extend_from_slice(&redactor.cover_next(&mut kept, chunk));
                }
                out.extend_from_slice(&redactor.end(&mut kept));
                assert_eq!(out, whole, "in chunks of {size}");
            }
        }
    }

    #[test]
    fn an_answer_without_the_secret_is_not_copied() {
        let redactor = Redactor::new("s3cret-token");
        let bytes = Bytes::from("nothing to see");
        let address = bytes.as_ptr();
        assert_eq!(redactor.cover(bytes).as_ptr(), address);
    }
}
