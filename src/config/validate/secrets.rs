//! Rules of what a `[[key]]` is known by, and for how long.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::config::complaint::Complaints;
use crate::config::file::KeyFile;
use crate::identity::{KeyDigest, Secret};

const HINT: &str = "write the SHA-256 that `generect-guard key new` prints";
/// An old secret and its successor. More of them would be a key that many share.
const DIGESTS_MAX: usize = 2;

/// The digests of a key's secrets, or nothing if one of them is none. `used` are those of all keys so
/// far. Never repeats what was written: it may be the secret itself.
pub(super) fn digests(
    raw: &KeyFile,
    item: &str,
    token: &Secret,
    used: &mut BTreeMap<KeyDigest, String>,
    complaints: &mut Complaints,
) -> Option<Vec<KeyDigest>> {
    let path = format!("{item}.sha256");
    let Some(texts) = &raw.sha256 else {
        complaints.missing(path, HINT);
        return None;
    };
    let texts = texts.as_slice();
    if texts.is_empty() || texts.len() > DIGESTS_MAX {
        let what = format!("is a list of {}", texts.len());
        let hint = "write one, or two while an old secret and a new one are both in use";
        complaints.error(path, what, hint);
        return None;
    }
    let mut own = Vec::with_capacity(texts.len());
    for text in texts {
        own.extend(digest(&text.0, &path, token, complaints));
    }
    for digest in &own {
        let Some(other) = used.insert(*digest, item.to_owned()) else {
            continue;
        };
        let what = if other == item {
            "is twice the same secret".to_owned()
        } else {
            format!("is the same secret as {other}'s: nobody could say who pays")
        };
        let hint = "make a secret of its own with `generect-guard key new`";
        complaints.error(&path, what, hint);
    }
    (own.len() == texts.len()).then_some(own)
}

fn digest(
    text: &str,
    path: &str,
    token: &Secret,
    complaints: &mut Complaints,
) -> Option<KeyDigest> {
    match KeyDigest::from_hex(text) {
        Err(error) => {
            complaints.error(path, format!("is {error}"), HINT);
            None
        }
        Ok(digest) if digest == KeyDigest::of("") => {
            complaints.error(path, "is the SHA-256 of an empty secret", HINT);
            None
        }
        Ok(digest) if !token.expose().is_empty() && digest == KeyDigest::of(token.expose()) => {
            complaints.error(
                path,
                "is the account's own token: clients must never have it",
                HINT,
            );
            None
        }
        Ok(digest) => Some(digest),
    }
}

/// When a key ends.
pub(super) fn expires(raw: &KeyFile, item: &str, complaints: &mut Complaints) -> Option<Timestamp> {
    let text = raw.expires.as_deref()?;
    let moment = text.parse();
    if moment.is_err() {
        complaints.error(
            format!("{item}.expires"),
            format!("{text:?} is no moment"),
            "write one with its offset, such as \"2027-01-01T00:00:00Z\"",
        );
    }
    moment.ok()
}
