//! A text that must not be shown, and the making of new ones.

use std::fmt;

use rand::TryRng;
use rand::rngs::SysRng;

/// A text that neither `Debug` nor `Display` shows: a client's key or the upstream's token.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// The operating system gave no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no randomness for a new secret")]
pub struct NoRandomness;

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. Each use of this is a place where a secret can leak: keep them few.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(hidden)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad("(hidden)")
    }
}

/// What a new secret begins with, so that a scanner for leaked keys can know one by sight.
const PREFIX: &str = "gg_";

/// Makes the secret of a new key: `gg_` and 256 bits from the operating system, in hexadecimal.
///
/// Fails only where the system has no source of randomness at all.
pub fn new_secret() -> Result<Secret, NoRandomness> {
    let mut bits = [0_u8; 32];
    SysRng.try_fill_bytes(&mut bits).map_err(|_| NoRandomness)?;
    Ok(Secret(format!("{PREFIX}{}", hex::encode(bits))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_hides_itself_however_it_is_formatted() {
        let secret = Secret::new("gg_do_not_show");
        for shown in [
            format!("{secret}"),
            format!("{secret:?}"),
            format!("{secret:#?}"),
            format!("{:?}", Some(&secret)),
            format!("{secret:>40}"),
        ] {
            assert!(!shown.contains("gg_"), "{shown}");
        }
        assert_eq!(secret.expose(), "gg_do_not_show");
    }

    #[test]
    fn a_new_secret_has_256_bits_and_is_never_the_same_twice() {
        let one = new_secret().unwrap();
        let two = new_secret().unwrap();
        assert_eq!(one.expose().len(), 3 + 64);
        assert!(one.expose().starts_with("gg_"));
        assert!(one.expose()[3..].bytes().all(|b| b.is_ascii_hexdigit()));
        assert!(one != two);
    }
}
