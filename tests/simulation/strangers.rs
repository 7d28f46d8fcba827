//! Others who spend the account's money, around the guard: rows that are no call of ours, and a balance
//! that falls.

use std::collections::BTreeMap;

use generect_guard::credits::Credits;
use generect_guard::ledger::{Finding, FindingKind};
use rand::RngExt;
use rand::seq::IndexedRandom;

use crate::shadow::Shadow;
use crate::world::World;

/// What nobody here calls.
const FOREIGN: [&str; 3] = ["phone_find", "email_validate", "search_database_companies"];
/// What everybody calls.
const COMMON: &str = "search_database_leads";
/// Before this tick a row may count as one from before the ledger.
const FROM: u64 = 4_000;
/// The longest that a reading takes, in ticks.
const READING_LASTS: u64 = 2_001;

/// Something that another took.
#[derive(Debug)]
struct Taken {
    row: String,
    micros: i64,
    at: u64,
    /// The guard has read a balance without it.
    known_at: Option<u64>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Strangers(Vec<Taken>);

impl Strangers {
    pub(crate) fn have_row(&self, id: &str) -> bool {
        self.0.iter().any(|taken| taken.row == id)
    }

    /// What all of it comes to.
    pub(crate) fn sum(&self) -> i64 {
        self.0.iter().map(|taken| taken.micros).sum()
    }

    /// What the guard cannot have known of at this tick.
    pub(crate) fn unknown_at(&self, tick: u64) -> i64 {
        let is_known = |taken: &&Taken| taken.known_at.is_some_and(|at| at < tick);
        let unknown = self.0.iter().filter(|taken| !is_known(taken));
        unknown.map(|taken| taken.micros).sum()
    }

    /// The rows that are not found to be nobody's call, or not with what they took.
    pub(crate) fn not_found<'a>(&self, findings: impl Iterator<Item = &'a Finding>) -> Vec<String> {
        let theirs = findings.filter(|found| found.kind == FindingKind::TheirsOnly);
        let drift = |found: &Finding| {
            let row = found.transaction.as_ref()?;
            Some((row.id.to_string(), found.drift.micros()))
        };
        let found: BTreeMap<_, _> = theirs.filter_map(drift).collect();
        let is_found = |taken: &&Taken| found.get(&taken.row) == Some(&taken.micros);
        let lost = self.0.iter().filter(|taken| !is_found(taken));
        lost.map(|taken| format!("{taken:?} is not found to be nobody's call"))
            .collect()
    }
}

impl Shadow {
    /// The guard has read the balance.
    pub fn has_reading(&mut self) {
        let now = self.now;
        let before = |taken: &&mut Taken| taken.at + READING_LASTS < now;
        for taken in self.strangers.0.iter_mut().filter(before) {
            taken.known_at.get_or_insert(now);
        }
    }
}

impl World {
    /// Somebody uses the account elsewhere.
    pub(crate) fn somebody_spends(&mut self) {
        if self.tick < FROM {
            return;
        }
        let mut kind = *FOREIGN.choose(&mut self.random).unwrap();
        // Of the prices that calls have, or of none.
        let micros = match self.random.random_bool(0.5) {
            true => self.random.random_range(1..8) * 20_000,
            false => self.random.random_range(1..1_500) * 1_000,
        };
        // Where the list says what was called, this would be anybody's.
        if !self.shape.list.is_clear() && self.random.random_bool(0.5) {
            kind = COMMON;
        }
        (self.upstream).spend_elsewhere(kind, Credits::from_micros(micros));
        let rows = self.upstream.truth().rows();
        let row = rows.last().unwrap().id.clone();
        let shadow = &mut *self.shadow.lock().unwrap();
        shadow.trace.note(&[8, micros]);
        shadow.balance -= micros;
        shadow.strangers.0.push(Taken {
            row,
            micros,
            at: shadow.now,
            known_at: None,
        });
    }
}
