//! The rows of the last pages, so that one that comes again is known.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::credits::Credits;
use crate::transaction::{Transaction, TransactionStatus};

/// Rows of one generation. Two are kept: a list that moves by five thousand rows between two
/// questions shows some of them twice, which does no harm.
const GENERATION_ROWS: usize = 5_000;

type Says = (Timestamp, Credits, TransactionStatus);

#[derive(Clone, Copy, Debug)]
struct Row {
    says: Says,
    place: u64,
}

/// What a row is beside those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Novelty {
    New,
    /// Known, but it says something else now: a pending row ended, say.
    Changed,
    Known,
}

/// The last five to ten thousand rows, by their ids, and the place of each among all that were read.
#[derive(Debug, Default)]
pub(super) struct Recent {
    young: HashMap<Arc<str>, Row>,
    old: HashMap<Arc<str>, Row>,
}

impl Recent {
    /// The place of a row that is known.
    pub(super) fn place(&self, row: &Transaction) -> Option<u64> {
        self.find(&row.id.id).map(|known| known.place)
    }

    /// Takes a row in. One that is known stays at the place it has.
    pub(super) fn take(&mut self, row: &Transaction, place: u64) -> Novelty {
        let says = (row.at, row.amount, row.status);
        let id = &row.id.id;
        let before = self.find(id);
        if self.young.len() >= GENERATION_ROWS {
            self.old = std::mem::take(&mut self.young);
        }
        let place = before.map_or(place, |before| before.place);
        self.young.insert(Arc::clone(id), Row { says, place });
        match before {
            None => Novelty::New,
            Some(before) if before.says == says => Novelty::Known,
            Some(_) => Novelty::Changed,
        }
    }

    fn find(&self, id: &str) -> Option<Row> {
        self.young.get(id).or_else(|| self.old.get(id)).copied()
    }
}
