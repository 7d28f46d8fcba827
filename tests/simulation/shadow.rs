//! The model that the guard is held against: simple, its own, and told only what others could see.
//!
//! It learns of a call when its client makes it, of an entry when it is on disk, of a send when the
//! bytes leave, of a charge when the account is charged. From these it checks the promises of the
//! README by their numbers, at every step. What is broken is kept until the run looks.

use std::collections::{BTreeMap, BTreeSet};

use generect_guard::ledger::{Entry, EntryKind};

use crate::calls::Call;
use crate::gates::Gates;
pub use crate::known::{Attempt, Held, Known, Stands};
use crate::matched::Kept;
use crate::rates::Asks;
use crate::rules::Rules;
use crate::shape::{self, Shape};
use crate::strangers::Strangers;
use crate::trace::Trace;

pub struct Shadow {
    pub broken: Vec<String>,
    /// Says every entry, for whoever looks for the reason of something.
    pub(crate) tells: bool,
    /// How often clients got what.
    pub outcomes: BTreeMap<String, usize>,
    pub trace: Trace,
    pub now: u64,
    /// The latest time the clock ever showed.
    pub clock: i64,
    /// Which life of the guard this is.
    pub life: u32,
    /// From this tick on everything is well.
    pub calm_from: u64,
    /// Of the account: what it has, and what nobody could foresee.
    pub balance: i64,
    pub unforeseen: i64,
    /// The rules in force, and those that may be while they are read again.
    pub(crate) rules: Rules,
    pub(crate) coming: Option<Rules>,
    pub(crate) grants: BTreeMap<String, Vec<(i64, i64)>>,
    pub gates: Gates,
    pub asks: Asks,
    pub kept: Kept,
    pub strangers: Strangers,
    /// Whether rows can be told apart: see the shape.
    pub(crate) is_clear: bool,
    /// The clock was never set back.
    pub(crate) is_forward: bool,
    /// No call is made any more, and days go by.
    pub(crate) at_rest: bool,
    /// How a reconciliation went that was asked for.
    pub(crate) reconciled: Option<bool>,
    pub(crate) secrets: Vec<(String, String)>,
    pub calls: BTreeMap<u64, Known>,
    pub attempts: BTreeMap<String, Attempt>,
    pub holds: BTreeMap<i64, Held>,
    jobs: BTreeMap<String, i64>,
    pub(crate) dirty: BTreeSet<u64>,
    pub(crate) heads: BTreeMap<u64, Vec<u8>>,
    pub(crate) tails: BTreeMap<u64, Vec<u8>>,
    pub(crate) floors: BTreeMap<String, i64>,
}

impl Shadow {
    pub fn new(shape: &Shape, token: &str) -> Self {
        let keys = shape.keys().into_iter();
        let mut secrets: Vec<_> = keys.map(|(_, key)| (shape::secret_of(&key), key)).collect();
        secrets.push((token.to_owned(), "the account".into()));
        let floors = (0..shape.teams)
            .map(|team| (shape::team_id(team), shape::floor(shape::priority(team))));
        Self {
            broken: Vec::new(),
            tells: std::env::var_os("SIMULATION_TELLS").is_some_and(|how| how == "all"),
            outcomes: BTreeMap::new(),
            trace: Trace::default(),
            now: 0,
            clock: 0,
            life: 0,
            calm_from: shape.rough,
            balance: shape.balance,
            unforeseen: 0,
            rules: shape.rules.clone(),
            coming: None,
            grants: BTreeMap::new(),
            gates: Gates::new(shape),
            asks: Asks::default(),
            kept: Kept::default(),
            strangers: Strangers::default(),
            is_clear: shape.is_clear(),
            is_forward: !shape.jumps_back,
            at_rest: false,
            reconciled: None,
            secrets,
            calls: BTreeMap::new(),
            attempts: BTreeMap::new(),
            holds: BTreeMap::new(),
            jobs: BTreeMap::new(),
            dirty: BTreeSet::new(),
            heads: BTreeMap::new(),
            tails: BTreeMap::new(),
            floors: floors.collect(),
        }
    }

    pub fn breaks(&mut self, promise: &str, how: &str) {
        self.broken
            .push(format!("at tick {}: {promise}: {how}", self.now));
    }

    /// A client is about to make a call.
    pub fn attempted(&mut self, id: &str, call: &Call, named: Option<String>) {
        let print = call.fingerprint();
        let known = self.calls.entry(print).or_insert_with(|| Known {
            team: call.team.clone(),
            key: call.key.clone(),
            operation: call.operation.into(),
            ..Known::default()
        });
        known.made.push(id.to_owned());
        let attempt = Attempt {
            print,
            at: self.now,
            ask: self.asks(&call.team, &call.key, call.operation),
            named,
            sent: None,
            charged: None,
            answered: false,
        };
        self.attempts.insert(id.to_owned(), attempt);
    }

    /// These entries are on disk.
    pub fn written(&mut self, entries: &[Entry]) {
        for entry in entries {
            if self.tells {
                let now = self.now;
                let (kind, note) = (entry.kind, &entry.evidence);
                eprintln!(
                    "{now}: {kind:?} {} of {}, {} {note:?}",
                    entry.hold, entry.key, entry.amount
                );
            }
            self.trace.note(&[
                1,
                entry.seq,
                entry.kind as i64,
                entry.hold.get(),
                entry.amount.micros(),
            ]);
            match entry.kind {
                EntryKind::Held => self.held(entry),
                EntryKind::Granted => self.granted(entry),
                _ => self.goes_on(entry),
            }
        }
    }

    fn held(&mut self, entry: &Entry) {
        let (hold, began) = (entry.hold.get(), entry.began_at.as_microsecond());
        let print = entry.fingerprint.map_or(0, |print| print.0);
        let Some(known) = self.calls.get_mut(&print) else {
            return self.breaks("8 who pays", &format!("hold {hold} is for nobody's call"));
        };
        let origin = (
            entry.team.as_str(),
            entry.key.as_str(),
            entry.operation.as_str(),
        );
        let is_theirs = origin == (&known.team, &known.key, &known.operation);
        known.holds.push(hold);
        let in_doubt: Vec<_> = (known.holds.iter())
            .filter_map(|other| Some((*other, self.holds.get(other)?.stands)))
            .filter(|(_, stands)| match stands {
                Stands::InDoubt(since) => began - since < shape::REPEAT_WINDOW_SECONDS * 1_000_000,
                _ => false,
            })
            .collect();
        if !is_theirs {
            self.breaks("8 who pays", &format!("hold {hold} is for {origin:?}"));
        }
        if !in_doubt.is_empty() {
            self.breaks(
                "a doubted call is not repeated",
                &format!("hold {hold} while in doubt: {in_doubt:?}"),
            );
        }
        let held = Held {
            print,
            quote: entry.amount.micros(),
            began,
            stands: Stands::Live,
            job: None,
            at: self.now,
            doubted: false,
        };
        self.holds.insert(hold, held);
        self.nothing_of_refused(print);
        self.keeps_limits(hold, began);
        self.keeps_floor(hold, print, entry.team.as_str());
    }

    /// An entry about a hold: it ends once, and of one that has ended nothing more is told.
    fn goes_on(&mut self, entry: &Entry) {
        let (number, micros) = (entry.hold.get(), entry.amount.micros());
        let Some(held) = self.holds.get_mut(&number) else {
            return self.breaks("4 counted once", &format!("no hold for {entry:?}"));
        };
        self.dirty.insert(held.print);
        if entry.kind == EntryKind::Corrected {
            return self.corrected(entry);
        }
        self.reconciles(entry);
        let Some(held) = self.holds.get_mut(&number) else {
            return;
        };
        let is_open = matches!(held.stands, Stands::Live | Stands::InDoubt(_));
        let was = held.stands;
        match entry.kind {
            EntryKind::Settled => held.stands = Stands::Settled(micros),
            EntryKind::Released => held.stands = Stands::Released,
            EntryKind::Doubted => {
                held.doubted = true;
                held.stands = Stands::InDoubt(entry.recorded_at.as_microsecond());
            }
            _ => {}
        }
        let quote = held.quote;
        if let (EntryKind::Bound, Some(job)) = (entry.kind, &entry.job) {
            held.job = Some(job.as_str().to_owned());
            if let Some(other) = self.jobs.insert(job.as_str().to_owned(), number) {
                self.breaks(
                    "4 counted once",
                    &format!("job {job} is of hold {other} and of hold {number}"),
                );
            }
        }
        if !is_open {
            self.breaks(
                "4 counted once",
                &format!(
                    "hold {number} was {was:?} and is {:?} of {micros} again",
                    entry.kind
                ),
            );
        }
        if entry.kind == EntryKind::Released && micros != quote {
            self.breaks(
                "4 counted once",
                &format!("hold {number} gave back {micros} of {quote}"),
            );
        }
    }

    /// A client has its answer: `told` is the charge that stands in it.
    pub fn answered(&mut self, label: &str, status: u16, told: Option<i64>, replayed: bool) {
        let attempt = self.attempts.get_mut(label).unwrap();
        let (charged, sent) = (attempt.charged.unwrap_or(0), attempt.sent.is_some());
        attempt.answered = (200..300).contains(&status) && told.is_some_and(|told| told > 0);
        if replayed && (sent || told != Some(0)) {
            self.breaks(
                "4 counted once",
                &format!("{label} is replayed and sent: {told:?}"),
            );
        }
        if !replayed && told.is_some_and(|told| told != charged) {
            self.breaks(
                "4 counted once",
                &format!("{label} was charged {charged} and is told {told:?}"),
            );
        }
    }

    /// Everything has come to its end.
    pub fn ends(&mut self) {
        let calm = self.calm_from + 300;
        let mut wrong = Vec::new();
        for (number, held) in &self.holds {
            let known = &self.calls[&held.print];
            match held.stands {
                Stands::Live if held.job.is_none() => {
                    wrong.push(format!("hold {number} of {known:?} never ended"));
                }
                _ if held.doubted && held.at > calm => {
                    wrong.push(format!(
                        "hold {number} of {known:?} was in doubt of nothing"
                    ));
                }
                _ => {}
            }
        }
        for how in wrong {
            self.breaks("10 leaving does not cancel", &how);
        }
    }
}
