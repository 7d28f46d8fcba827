//! The map from a secret to the client it stands for.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::Arc;

use crate::identity::{Client, KeyDigest};
use crate::ids::KeyId;

/// Every known client, by the digest of its secret.
///
/// Never changed in place: whoever serves holds it in a swapped snapshot, so that a request sees
/// one state of it from beginning to end.
#[derive(Clone, Default)]
pub struct Directory {
    clients: HashMap<KeyDigest, Arc<Client>, ahash::RandomState>,
}

/// Two keys were registered with one and the same secret: nobody could say who pays.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("keys {first} and {second} have the same secret")]
pub struct DuplicateKey {
    /// The key that was there.
    pub first: KeyId,
    /// The key that came later.
    pub second: KeyId,
}

impl Directory {
    /// Builds the map; fails if two entries have the same digest.
    pub fn new(
        entries: impl IntoIterator<Item = (KeyDigest, Client)>,
    ) -> Result<Self, DuplicateKey> {
        let mut directory = Self::default();
        for (digest, client) in entries {
            match directory.clients.entry(digest) {
                Entry::Vacant(place) => {
                    place.insert(Arc::new(client));
                }
                Entry::Occupied(place) => {
                    return Err(DuplicateKey {
                        first: place.get().key.clone(),
                        second: client.key,
                    });
                }
            }
        }
        Ok(directory)
    }

    /// The client whose secret this is, if any.
    ///
    /// Looked up by digest, so the time it takes says nothing about how much of a guess was right.
    pub fn find(&self, secret: &str) -> Option<Arc<Client>> {
        self.clients.get(&KeyDigest::of(secret)).cloned()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Directory({} keys)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Priority, Team};

    fn client(key: &str) -> Client {
        Client {
            team: Arc::new(Team {
                id: "growth".into(),
                priority: Priority::Normal,
                unlimited: false,
            }),
            key: key.into(),
            account: false,
            operations: None,
        }
    }

    #[test]
    fn a_secret_finds_its_client_and_nothing_else_does() {
        let directory = Directory::new([
            (KeyDigest::of("gg_one"), client("one")),
            (KeyDigest::of("gg_two"), client("two")),
        ])
        .unwrap();
        assert_eq!(directory.find("gg_two").unwrap().key, "two".into());
        let digest = KeyDigest::of("gg_two").to_string();
        for guess in ["", "gg_", "gg_three", "GG_TWO", "gg_two ", &digest] {
            assert!(directory.find(guess).is_none(), "{guess:?}");
        }
    }

    #[test]
    fn two_keys_with_one_secret_are_refused_by_name() {
        let error = Directory::new([
            (KeyDigest::of("gg_one"), client("one")),
            (KeyDigest::of("gg_one"), client("two")),
        ])
        .unwrap_err();
        assert_eq!(
            error,
            DuplicateKey {
                first: "one".into(),
                second: "two".into()
            }
        );
    }
}
