//! The rows of the last pages, so that one that comes again is known.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::credits::Credits;
use crate::transaction::{Transaction, TransactionStatus};

/// Rows of one generation. Two are kept: a list that moves by five thousand rows between two
/// questions shows some of them twice, which does no harm.
const GENERATION_ROWS: usize = 5_000;

type Row = (Timestamp, Credits, TransactionStatus);

/// What a row is beside those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Novelty {
    New,
    /// Known, but it says something else now: a pending row ended, say.
    Changed,
    Known,
}

/// The last five to ten thousand rows, by their ids.
#[derive(Debug, Default)]
pub(super) struct Recent {
    young: HashMap<Arc<str>, Row>,
    old: HashMap<Arc<str>, Row>,
}

impl Recent {
    /// Takes a row in.
    pub(super) fn take(&mut self, row: &Transaction) -> Novelty {
        let says = (row.at, row.amount, row.status);
        let id = &row.id.id;
        let before = self.young.get(id).or_else(|| self.old.get(id)).copied();
        if self.young.len() >= GENERATION_ROWS {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(Arc::clone(id), says);
        match before {
            None => Novelty::New,
            Some(before) if before == says => Novelty::Known,
            Some(_) => Novelty::Changed,
        }
    }
}
