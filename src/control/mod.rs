//! The way for commands to change something in a running guard: a Unix socket beside the ledger.
//!
//! One JSON line asks, one answers. The socket can be opened by the guard's own user only (mode
//! 0600, from its first moment); who asked is taken from the kernel, not from the asker.

mod archiving;
mod audit;
mod client;
mod message;
mod pausing;
mod reload;
mod server;

use std::path::{Path, PathBuf};

pub use audit::{Asker, keep};
pub use client::{AskError, ask};
pub use message::{Command, HearProgress, Question, Reply, Running};
pub use pausing::{Names, Pausing};
pub use reload::{Reload, ReloadNow};
pub use server::ControlSocket;

/// Where the socket of the ledger at `ledger_path` is.
pub fn socket_path(ledger_path: &Path) -> PathBuf {
    let mut name = ledger_path.as_os_str().to_owned();
    name.push(".sock");
    name.into()
}
