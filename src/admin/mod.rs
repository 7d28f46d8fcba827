//! The operator's side, on a listener of its own: is it alive, is it ready, what did it count.
//!
//! It needs no part of the guard, only answers to three questions ([`Conditions`]) and the
//! metrics. Nothing here asks for credentials, so nothing here may show a secret or change
//! anything: the listener belongs on loopback or a private network.

mod health;
mod routes;
mod server;

pub use health::{Conditions, ReadingState};
pub use routes::AdminState;
pub use server::serve;
