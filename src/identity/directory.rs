//! The map from a secret to the client it stands for.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use crate::identity::{Client, KeyDigest};
use crate::ids::KeyId;

/// A key as it is registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Whom it makes of a request.
    pub client: Client,
    /// Of its secret; two while an old secret and its successor are both in use.
    pub digests: Vec<KeyDigest>,
    /// From this moment on it is known no more.
    pub expires: Option<Timestamp>,
}

impl From<(KeyDigest, Client)> for Key {
    /// One secret, for ever.
    fn from((digest, client): (KeyDigest, Client)) -> Self {
        Self {
            client,
            digests: vec![digest],
            expires: None,
        }
    }
}

/// Every known client, by the digest of its secret.
///
/// Never changed in place: whoever serves holds it in a swapped snapshot, so that a request sees
/// one state of it from beginning to end.
#[derive(Clone, Default)]
pub struct Directory {
    clients: HashMap<KeyDigest, Found, ahash::RandomState>,
}

/// Whose secret it was.
#[derive(Clone, Debug)]
pub struct Found {
    /// The client.
    pub client: Arc<Client>,
    /// When its key ends.
    pub expires: Option<Timestamp>,
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
    /// Builds the map; fails if two secrets have the same digest.
    pub fn new<K: Into<Key>>(keys: impl IntoIterator<Item = K>) -> Result<Self, DuplicateKey> {
        let mut directory = Self::default();
        for key in keys {
            let key: Key = key.into();
            let client = Arc::new(key.client);
            for digest in key.digests {
                match directory.clients.entry(digest) {
                    Entry::Vacant(place) => {
                        let (client, expires) = (Arc::clone(&client), key.expires);
                        place.insert(Found { client, expires });
                    }
                    Entry::Occupied(place) => {
                        return Err(DuplicateKey {
                            first: place.get().client.key.clone(),
                            second: client.key.clone(),
                        });
                    }
                }
            }
        }
        Ok(directory)
    }

    /// The client whose secret this is, if any. Whether its key has ended is for the asker to see.
    ///
    /// Looked up by digest, so the time it takes says nothing about how much of a guess was right.
    pub fn find(&self, secret: &str) -> Option<&Found> {
        self.clients.get(&KeyDigest::of(secret))
    }

    /// Everybody, in no order; who has two secrets comes twice.
    pub fn iter(&self) -> impl Iterator<Item = &Found> {
        self.clients.values()
    }

    /// How many secrets there are.
    pub fn len(&self) -> usize {
        self.clients.len()
    }

    /// Whether there is no secret at all.
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Directory({} secrets)", self.len())
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
        assert_eq!(directory.find("gg_two").unwrap().client.key, "two".into());
        let digest = KeyDigest::of("gg_two").to_string();
        for guess in ["", "gg_", "gg_three", "GG_TWO", "gg_two ", &digest] {
            assert!(directory.find(guess).is_none(), "{guess:?}");
        }
    }

    #[test]
    fn both_secrets_of_a_key_that_is_renewed_find_one_client() {
        let renewed = Key {
            client: client("one"),
            digests: vec![KeyDigest::of("gg_old"), KeyDigest::of("gg_new")],
            expires: Some(Timestamp::UNIX_EPOCH),
        };
        let directory = Directory::new([renewed]).unwrap();
        let [old, new] = ["gg_old", "gg_new"].map(|secret| directory.find(secret).unwrap());
        assert!(Arc::ptr_eq(&old.client, &new.client));
        assert_eq!(new.expires, Some(Timestamp::UNIX_EPOCH));
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
