//! Holds a ledger on disk against what the simulator truly charged, call by call.
//!
//! A call is found again by its fingerprint, worked out here a second time by the rule of the
//! design: the team, the key, the operation and the bytes that arrived upstream.

use std::collections::HashMap;
use std::path::Path;

use generect_guard::credits::Credits;
use generect_guard::ids::JobId;
use generect_guard::ledger::{self, Entry, EntryKind, HoldId};
use generect_guard::simulator::{Charged, Truth};

use super::asked::{OPERATIONS, fingerprint};
use super::traffic::KEYS;

/// Everything that was ever said about one hold.
#[derive(Clone, Debug)]
pub struct Life {
    /// Its first entry.
    pub held: Entry,
    /// The job it was bound to.
    pub job: Option<JobId>,
    /// Whether it was ever put in doubt.
    pub doubted: bool,
    /// How it ended, and at what.
    pub ended: Option<(EntryKind, Credits)>,
}

/// The books as far as they were read.
#[derive(Default)]
pub struct Audit {
    last: i64,
    lives: HashMap<HoldId, Life>,
    by_fingerprint: HashMap<u64, HoldId>,
    /// Fingerprints of what arrived, by the request's number.
    arrived: HashMap<u64, Vec<u64>>,
}

impl Audit {
    /// Reads what was added since, and fails if a hold ended twice.
    pub fn read(&mut self, ledger: &Path) {
        let reader = ledger::open_reader(ledger).unwrap();
        loop {
            let page = reader.entries(self.last, 1000).unwrap();
            let Some(last) = page.last() else { return };
            self.last = last.seq;
            for entry in page {
                self.add(entry);
            }
        }
    }

    fn add(&mut self, entry: Entry) {
        if entry.kind == EntryKind::Held {
            let fingerprint = entry.fingerprint.unwrap().0;
            let before = self.by_fingerprint.insert(fingerprint, entry.hold);
            assert_eq!(before, None, "two holds of one call: {entry:?}");
            let life = Life {
                held: entry,
                job: None,
                doubted: false,
                ended: None,
            };
            self.lives.insert(life.held.hold, life);
            return;
        }
        let life = self.lives.get_mut(&entry.hold).unwrap();
        assert_eq!(life.ended, None, "{entry:?} after the end of {life:?}");
        match entry.kind {
            EntryKind::Bound => life.job = entry.job,
            EntryKind::Doubted => life.doubted = true,
            EntryKind::Settled | EntryKind::Released => {
                life.ended = Some((entry.kind, entry.amount));
            }
            other => panic!("nobody made a {other} entry: {entry:?}"),
        }
    }

    /// All holds.
    pub fn lives(&self) -> impl Iterator<Item = &Life> {
        self.lives.values()
    }

    /// The holds that have not ended.
    pub fn open(&self) -> impl Iterator<Item = &Life> {
        self.lives().filter(|life| life.ended.is_none())
    }

    /// Each charge of the simulator has a hold of its own, settled at that charge or still open
    /// and at least as large; and nothing was settled that was not charged. Answers how many
    /// charges there are.
    pub fn compare(&mut self, truth: &Truth) -> usize {
        let requests = truth.requests();
        for request in &requests[self.arrived.len()..] {
            let calls = OPERATIONS
                .iter()
                .filter(|(_, path, _)| *path == request.path);
            let clients = KEYS.map(|key| (key.split('-').next().unwrap(), key));
            let prints = calls.flat_map(|(name, ..)| {
                clients.map(|(team, key)| fingerprint(team, key, name, &request.body))
            });
            self.arrived.insert(request.sequence, prints.collect());
        }
        let charges = truth.charges();
        let mut charged: HashMap<HoldId, &Charged> = HashMap::new();
        for charge in &charges {
            let hold = self.hold_of(charge);
            let before = charged.insert(hold, charge);
            assert!(before.is_none(), "{charge:?} and {before:?} have one hold");
            self.check(&self.lives[&hold], charge);
        }
        for life in self.lives() {
            if let Some((EntryKind::Settled, amount)) = life.ended
                && amount > Credits::ZERO
            {
                let hold = life.held.hold;
                assert!(charged.contains_key(&hold), "never charged: {life:?}");
            }
        }
        charges.len()
    }

    fn hold_of(&self, charge: &Charged) -> HoldId {
        let prints = &self.arrived[&charge.request];
        let mut found = prints
            .iter()
            .filter_map(|print| self.by_fingerprint.get(print));
        let hold = found.next();
        *hold.unwrap_or_else(|| panic!("charged, and nothing was held for it: {charge:?}"))
    }

    fn check(&self, life: &Life, charge: &Charged) {
        match life.ended {
            Some((EntryKind::Settled, amount)) => {
                assert_eq!(amount, charge.amount, "{life:?}\n{charge:?}");
            }
            Some(_) => assert_eq!(charge.amount, Credits::ZERO, "{life:?}\n{charge:?}"),
            None => assert!(life.held.amount >= charge.amount, "{life:?}\n{charge:?}"),
        }
        if let (Some(job), Some(of_charge)) = (&life.job, &charge.job) {
            assert_eq!(job.as_str(), of_charge, "{life:?}\n{charge:?}");
        }
    }

    /// What the simulator charged for the calls that `covers` says yes to.
    pub fn truly_charged(&self, truth: &Truth, covers: impl Fn(&Entry) -> bool) -> Credits {
        let charges = truth.charges();
        let covered = charges
            .iter()
            .filter(|charge| covers(&self.lives[&self.hold_of(charge)].held));
        covered.fold(Credits::ZERO, |sum, charge| {
            sum.checked_add(charge.amount).unwrap()
        })
    }
}
