//! Short ways to write down what is asked, and what must hold for every answer.

use std::collections::{BTreeMap, BTreeSet};

use generect_guard::credits::Credits;
use generect_guard::ids::OperationName;
use generect_guard::ledger::HoldId;
use generect_guard::reconciliation::matching::{
    Allocated, Answer, Charge, Doubt, Known, LeftBecause, Live, Question, answer,
};
use generect_guard::transaction::{
    Transaction, TransactionId, TransactionSource, TransactionStatus,
};
use jiff::Timestamp;

/// Names of operations, as the catalogue has them.
pub const OPERATIONS: [&str; 4] = [
    "search_database_leads",
    "enrich_database_lead",
    "email_find",
    "phone_find",
];

/// A search for leads.
pub const SEARCH: &str = OPERATIONS[0];
/// An enrichment.
pub const ENRICH: &str = OPERATIONS[1];

/// Everything a question is made of. Times are seconds after noon, amounts hundredths of a credit.
#[derive(Clone, Debug)]
pub struct Asked {
    pub charges: Vec<Charge>,
    pub doubts: Vec<Doubt>,
    pub live: Vec<Live>,
    pub allocated: Vec<Allocated>,
    pub rows: Vec<Transaction>,
    pub complete_until: Timestamp,
    pub known: Known,
}

impl Default for Asked {
    fn default() -> Self {
        Self {
            charges: Vec::new(),
            doubts: Vec::new(),
            live: Vec::new(),
            allocated: Vec::new(),
            rows: Vec::new(),
            complete_until: at(1_000_000),
            known: Known::default(),
        }
    }
}

pub fn at(seconds: i64) -> Timestamp {
    let noon: Timestamp = "2026-03-10T12:00:00Z".parse().unwrap();
    noon + jiff::SignedDuration::from_secs(seconds)
}

pub fn credits(hundredths: i64) -> Credits {
    Credits::from_micros(hundredths * 10_000)
}

pub fn hold(number: u64) -> HoldId {
    number.to_string().parse().unwrap()
}

pub fn row(id: &str, kind: &str, amount: i64, seconds: i64) -> Transaction {
    Transaction {
        id: TransactionId {
            source: TransactionSource::V1,
            id: id.into(),
        },
        at: at(seconds),
        kind: kind.into(),
        amount: credits(-amount),
        status: TransactionStatus::Success,
    }
}

impl Asked {
    /// A settled charge.
    pub fn charge(mut self, number: u64, operation: &str, amount: i64, span: (i64, i64)) -> Self {
        self.charges.push(Charge {
            hold: hold(number),
            operation: operation.into(),
            amount: credits(amount),
            from: at(span.0),
            to: at(span.1),
        });
        self
    }

    /// A doubt of a group.
    pub fn doubt(mut self, number: u64, group: u32, most: i64, span: (i64, i64)) -> Self {
        self.doubts.push(Doubt {
            hold: hold(number),
            operation: SEARCH.into(),
            most: credits(most),
            began_at: at(span.0),
            from: at(span.0),
            to: at(span.1),
            group,
            is_job: false,
            overdue: false,
        });
        self
    }

    /// A search in flight.
    pub fn live(mut self, most: i64, span: (i64, i64)) -> Self {
        self.live.push(Live {
            operation: SEARCH.into(),
            most: credits(most),
            from: at(span.0),
            to: at(span.1),
        });
        self
    }

    /// A final row.
    pub fn row(mut self, id: &str, kind: &str, amount: i64, seconds: i64) -> Self {
        self.rows.push(row(id, kind, amount, seconds));
        self
    }

    /// A row that is not final.
    pub fn pending(mut self, id: &str, kind: &str, amount: i64, seconds: i64) -> Self {
        let mut row = row(id, kind, amount, seconds);
        row.status = TransactionStatus::Pending;
        self.rows.push(row);
        self
    }

    /// A search that was ended by nearness before, and got these rows.
    pub fn allocated(
        mut self,
        number: u64,
        most: i64,
        span: (i64, i64),
        rows: &[Transaction],
    ) -> Self {
        self.allocated.push(Allocated {
            hold: hold(number),
            operation: SEARCH.into(),
            most: credits(most),
            from: at(span.0),
            to: at(span.1),
            rows: rows.to_vec(),
        });
        self
    }

    /// All doubts have waited long enough.
    pub fn overdue(mut self) -> Self {
        for doubt in &mut self.doubts {
            doubt.overdue = true;
        }
        self
    }

    pub fn read_until(mut self, seconds: i64) -> Self {
        self.complete_until = at(seconds);
        self
    }

    pub fn knowing(mut self, known: Known) -> Self {
        self.known = known;
        self
    }

    /// Asks, and looks whether the answer is sound.
    pub fn answer(&self) -> Answer {
        let operations: Vec<OperationName> = OPERATIONS.map(Into::into).to_vec();
        let found = answer(self.question(&operations), &self.known);
        self.assert_sound(&found);
        found
    }

    pub fn question<'a>(&'a self, operations: &'a [OperationName]) -> Question<'a> {
        Question {
            charges: &self.charges,
            rowless: &[],
            doubts: &self.doubts,
            live: &self.live,
            operations,
            allocated: &self.allocated,
            rows: &self.rows,
            complete_until: self.complete_until,
        }
    }

    /// What must hold for every answer: each row at most once, inside its time, final; each charge by
    /// its exact amount; no doubt above its most; everything is said once.
    fn assert_sound(&self, found: &Answer) {
        let rows: BTreeMap<_, _> = self.rows.iter().map(|row| (&row.id, row)).collect();
        let mut seen = BTreeSet::new();
        let mut sums: BTreeMap<HoldId, Credits> = BTreeMap::new();
        let of_doubts = found.ended.iter().flat_map(|end| &end.matches);
        let spans = self.spans();
        for matched in found.matches.iter().chain(of_doubts) {
            let row = rows[&matched.transaction];
            assert!(seen.insert(&row.id), "{} is given twice", row.id);
            assert_eq!(row.status, TransactionStatus::Success, "{}", row.id);
            let (from, to) = spans[&matched.hold];
            assert!(from <= row.at && row.at <= to, "{} is outside", row.id);
            *sums.entry(matched.hold).or_default() = sums
                .get(&matched.hold)
                .copied()
                .unwrap_or_default()
                .saturating_add(row.charge());
        }
        let left: BTreeSet<usize> = found.charges_left.iter().map(|left| left.charge).collect();
        assert_eq!(left.len(), found.charges_left.len());
        for (place, charge) in self.charges.iter().enumerate() {
            let sum = sums.get(&charge.hold);
            assert_eq!(sum.is_none(), left.contains(&place), "hold {}", charge.hold);
            assert!(sum.is_none_or(|sum| *sum == charge.amount));
        }
        for end in &found.ended {
            let doubt = self
                .doubts
                .iter()
                .find(|doubt| doubt.hold == end.hold)
                .unwrap();
            assert!(end.charge <= doubt.most, "hold {} above its most", end.hold);
            let sum = sums.get(&end.hold).copied().unwrap_or_default();
            assert_eq!(end.charge, sum, "hold {}", end.hold);
            if end.matches.is_empty() {
                assert!(
                    doubt.to <= self.complete_until,
                    "hold {} is not read",
                    end.hold
                );
            }
        }
        assert_eq!(found.ended.len() + found.undecided.len(), self.doubts.len());
        let took = self
            .rows
            .iter()
            .filter(|row| row.charge() > Credits::ZERO && row.status != TransactionStatus::Error);
        assert_eq!(took.count(), seen.len() + found.rows_left.len());
        for left in &found.rows_left {
            assert!(!seen.contains(&self.rows[left.row].id));
        }
    }

    fn spans(&self) -> BTreeMap<HoldId, (Timestamp, Timestamp)> {
        let charges = self
            .charges
            .iter()
            .map(|one| (one.hold, (one.from, one.to)));
        let doubts = self.doubts.iter().map(|one| (one.hold, (one.from, one.to)));
        charges.chain(doubts).collect()
    }
}

/// What was decided of a doubt: `None` if nothing, else its charge in hundredths.
pub fn decided(found: &Answer, number: u64) -> Option<i64> {
    let end = found.ended.iter().find(|end| end.hold == hold(number))?;
    Some(end.charge.micros() / 10_000)
}

/// The rows of a hold.
pub fn rows_of(found: &Answer, number: u64) -> Vec<String> {
    let of_doubts = found.ended.iter().flat_map(|end| &end.matches);
    let all = found.matches.iter().chain(of_doubts);
    all.filter(|matched| matched.hold == hold(number))
        .map(|matched| matched.transaction.id.to_string())
        .collect()
}

/// Why a row is left, by its id.
pub fn left(asked: &Asked, found: &Answer, id: &str) -> Option<LeftBecause> {
    let is_it = |place: usize| &*asked.rows[place].id.id == id;
    let left = found.rows_left.iter().find(|left| is_it(left.row))?;
    Some(left.because)
}
