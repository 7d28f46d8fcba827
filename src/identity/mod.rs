//! Who is calling: teams, keys, and the map from a secret to the client that sent it.
//!
//! A client is named by its secret alone. The guard keeps only the secret's SHA-256, so neither
//! the settings nor a memory dump of the directory gives a key away. What a caller writes about
//! itself in a header, a path or a body is never looked at: clients do not choose who pays.

mod directory;
mod key;
mod pauses;
mod secret;
mod team;

pub use directory::{Directory, DuplicateKey, Found, Key};
pub use key::{KeyDigest, ParseKeyDigestError};
pub use pauses::{Pause, Pauses, Whose};
pub use secret::{NoRandomness, Secret, new_secret};
pub use team::{AccountView, Client, Priority, Team};
