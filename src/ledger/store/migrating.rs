//! What is told of a ledger of an older schema while it is brought to this program's.

use std::fmt;
use std::sync::Arc;

/// How far that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migrating {
    /// The schema that the file had.
    pub from: i64,
    /// The schema that it is going to have.
    pub to: i64,
    /// The one that is being made; `None`: it is done.
    pub making: Option<i64>,
}

impl fmt::Display for Migrating {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, making } = self;
        match making {
            Some(making) => write!(
                out,
                "the ledger is being brought from schema {from} to {to} (now {making}), which takes some \
                 seconds for ten million entries; if it is broken off, the next start goes on with it"
            ),
            None => write!(out, "the ledger was brought from schema {from} to {to}"),
        }
    }
}

/// Hears it: when it begins, every few seconds as long as it gets on, and when it is done.
#[derive(Clone)]
pub struct HearMigrating(Arc<dyn Fn(Migrating) + Send + Sync>);

impl HearMigrating {
    /// Calls `hear`, on the thread that opens the ledger.
    pub fn new(hear: impl Fn(Migrating) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }

    /// Nobody hears it.
    pub fn nobody() -> Self {
        Self::new(|_| {})
    }

    pub(super) fn tell(&self, told: Migrating) {
        (self.0)(told);
    }
}

impl fmt::Debug for HearMigrating {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("HearMigrating")
    }
}
