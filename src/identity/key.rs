//! What the guard keeps of a client's secret: its SHA-256.

use std::fmt;

use sha2::{Digest, Sha256};

/// The SHA-256 of a client's secret, in hexadecimal on the outside.
///
/// A secret of 256 random bits cannot be guessed from its digest, so a slow password hash would
/// only add time to every request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyDigest([u8; 32]);

/// A text is not a SHA-256 in hexadecimal. Never carries the text: it may be a secret that was
/// put into the wrong place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the 64 hexadecimal digits of a SHA-256")]
pub struct ParseKeyDigestError;

impl KeyDigest {
    /// The digest of a secret, exactly as the client sends it.
    pub fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    /// Reads 64 hexadecimal digits, upper or lower case.
    pub fn from_hex(text: &str) -> Result<Self, ParseKeyDigestError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| ParseKeyDigestError)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for KeyDigest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "KeyDigest({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The digest of the empty text and of "abc" as FIPS 180-4's examples give them.
    #[test]
    fn a_digest_is_the_sha256_in_hexadecimal() {
        assert_eq!(
            KeyDigest::of("abc").to_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            KeyDigest::of("").to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn a_digest_written_is_the_digest_read_in_either_case() {
        let digest = KeyDigest::of("some key");
        let text = digest.to_string();
        assert_eq!(KeyDigest::from_hex(&text), Ok(digest));
        assert_eq!(KeyDigest::from_hex(&text.to_uppercase()), Ok(digest));
    }

    #[test]
    fn what_is_no_digest_is_refused_without_repeating_it() {
        for text in ["", "9f86d0", "gg_secret", &"g".repeat(64), &"a".repeat(66)] {
            let error = KeyDigest::from_hex(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("gg_"), "{text}");
        }
    }
}
