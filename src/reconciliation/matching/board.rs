//! The question, laid out for matching: names as numbers, times as microseconds, everything in an
//! order that does not depend on the order of asking, and what has been matched so far.

use std::sync::Arc;

use ahash::AHashMap;

use crate::ids::OperationName;
use crate::transaction::{TransactionId, TransactionStatus};

use super::Question;

/// No place.
pub(super) const NONE: u32 = u32::MAX;

/// A row that took something.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) at: i64,
    pub(super) amount: i64,
    pub(super) kind: u32,
    pub(super) is_final: bool,
    /// Its place in the question.
    pub(super) place: u32,
}

/// Somebody who may own rows: a charge (of exactly `amount`), a doubt or a call in flight (of at most).
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) amount: i64,
    pub(super) operation: u32,
    /// Its place in the question.
    pub(super) place: u32,
}

/// The question, and what has been matched.
pub(super) struct Board<'a> {
    pub(super) question: Question<'a>,
    /// Every kind, by name.
    pub(super) kinds: Vec<&'a Arc<str>>,
    /// Every operation, by name.
    pub(super) operations: Vec<&'a OperationName>,
    /// By time, kind, amount, id.
    pub(super) rows: Vec<Row>,
    /// By end, begin, hold.
    pub(super) charges: Vec<Span>,
    /// By end, begin, hold.
    pub(super) doubts: Vec<Span>,
    /// By end, begin, operation, most.
    pub(super) live: Vec<Span>,
    /// By operation: the times and numbers of charges that no row is near.
    rowless: Vec<Vec<(i64, i64, u64)>>,
    /// The charge that owns each row.
    pub(super) owner: Vec<u32>,
    /// Whether each charge has its rows.
    pub(super) explained: Vec<bool>,
}

impl Span {
    pub(super) fn covers(&self, at: i64) -> bool {
        self.from <= at && at <= self.to
    }
}

impl<'a> Board<'a> {
    pub(super) fn new(question: Question<'a>) -> Self {
        let kinds = names(question.rows.iter().map(|row| &row.kind));
        let of_charges = question.charges.iter().map(|charge| &charge.operation);
        let of_doubts = question.doubts.iter().map(|doubt| &doubt.operation);
        let of_live = question.live.iter().map(|live| &live.operation);
        let of_rowless = question.rowless.iter().map(|rowless| &rowless.operation);
        let all = of_charges.chain(of_rowless).chain(of_doubts).chain(of_live);
        let operations = names(all.chain(question.operations));
        let mut board = Self {
            question,
            rows: rows(question, &kinds),
            charges: charges(question, &operations),
            doubts: doubts(question, &operations),
            live: live(question, &operations),
            rowless: rowless(question, &operations),
            kinds,
            operations,
            owner: Vec::new(),
            explained: Vec::new(),
        };
        board.owner = vec![NONE; board.rows.len()];
        board.explained = vec![false; board.charges.len()];
        board
    }

    pub(super) fn kind(&self, kind: u32) -> &'a Arc<str> {
        self.kinds[kind as usize]
    }

    pub(super) fn operation(&self, operation: u32) -> &'a OperationName {
        self.operations[operation as usize]
    }

    /// Until when the account was read completely.
    pub(super) fn read_until(&self) -> i64 {
        self.question.complete_until.as_microsecond()
    }

    pub(super) fn id(&self, row: u32) -> &'a TransactionId {
        &self.question.rows[self.rows[row as usize].place as usize].id
    }

    /// The row of a number is owned by the charge of a number.
    pub(super) fn give(&mut self, charge: u32, row: u32) {
        self.owner[row as usize] = charge;
        self.explained[charge as usize] = true;
    }

    /// The final rows without an owner, by kind and then in order.
    pub(super) fn free_rows(&self) -> Vec<Vec<u32>> {
        let mut lists = vec![Vec::new(); self.kinds.len()];
        for (number, row) in (0..).zip(&self.rows) {
            if self.is_free(number) {
                lists[row.kind as usize].push(number);
            }
        }
        lists
    }

    /// The final rows without an owner, in order.
    pub(super) fn free(&self) -> Vec<u32> {
        let all = (0..).take(self.rows.len());
        all.filter(|row| self.is_free(*row)).collect()
    }

    /// The charges without rows, in order.
    pub(super) fn open(&self) -> Vec<u32> {
        let all = (0..).zip(&self.explained);
        let open = all.filter(|(_, explained)| !**explained);
        open.map(|(number, _)| number).collect()
    }

    /// Whether a row is final and nobody's.
    pub(super) fn is_free(&self, row: u32) -> bool {
        self.rows[row as usize].is_final && self.owner[row as usize] == NONE
    }

    /// The charges without rows, by operation and then in order.
    pub(super) fn open_charges(&self) -> Vec<Vec<u32>> {
        let mut lists = vec![Vec::new(); self.operations.len()];
        for (number, charge) in (0..).zip(&self.charges) {
            if !self.explained[number as usize] {
                lists[charge.operation as usize].push(number);
            }
        }
        lists
    }

    /// How many final rows there are of each kind, and charges of each operation.
    pub(super) fn totals(&self) -> (Vec<u64>, Vec<u64>) {
        let mut rows = vec![0; self.kinds.len()];
        for row in self.rows.iter().filter(|row| row.is_final) {
            rows[row.kind as usize] += 1;
        }
        let mut charges = vec![0; self.operations.len()];
        for charge in &self.charges {
            charges[charge.operation as usize] += 1;
        }
        for (charges, rowless) in charges.iter_mut().zip(&self.rowless) {
            *charges += rowless.iter().map(|(.., count)| count).sum::<u64>();
        }
        (rows, charges)
    }

    /// How many charges of an operation no row is near.
    pub(super) fn rowless(&self, operation: u32) -> u64 {
        let of = &self.rowless[operation as usize];
        of.iter().map(|(.., count)| count).sum()
    }

    /// The same, of those whose time touches a span.
    pub(super) fn rowless_beside(&self, operation: u32, first: i64, last: i64) -> u64 {
        let of = self.rowless[operation as usize].iter();
        let touching = of.filter(|(from, to, _)| *to >= first && *from <= last);
        touching.map(|(.., count)| count).sum()
    }
}

/// Every name once, in order.
fn names<'a, T: Ord + std::hash::Hash>(all: impl Iterator<Item = &'a T>) -> Vec<&'a T> {
    let mut seen: ahash::AHashSet<&T> = ahash::AHashSet::new();
    for name in all {
        seen.insert(name);
    }
    let mut names: Vec<&T> = seen.into_iter().collect();
    names.sort_unstable();
    names
}

fn numbers<'a, T: Eq + std::hash::Hash>(names: &[&'a T]) -> AHashMap<&'a T, u32> {
    names.iter().copied().zip(0..).collect()
}

fn rows<'a>(question: Question<'a>, kinds: &[&'a Arc<str>]) -> Vec<Row> {
    let numbers = numbers(kinds);
    let mut rows: Vec<Row> = (0..)
        .zip(question.rows)
        .filter(|(_, row)| row.status != TransactionStatus::Error)
        .map(|(place, row)| Row {
            at: row.at.as_microsecond(),
            amount: row.charge().micros(),
            kind: numbers[&row.kind],
            is_final: row.status == TransactionStatus::Success,
            place,
        })
        .filter(|row| row.amount > 0)
        .collect();
    let id = |row: &Row| &question.rows[row.place as usize].id;
    rows.sort_unstable_by(|one, other| {
        let key = |row: &Row| (row.at, row.kind, row.amount, !row.is_final);
        key(one)
            .cmp(&key(other))
            .then_with(|| id(one).cmp(id(other)))
    });
    rows
}

fn charges<'a>(question: Question<'a>, names: &[&'a OperationName]) -> Vec<Span> {
    let numbers = numbers(names);
    let spans = (0..).zip(question.charges).map(|(place, charge)| Span {
        from: charge.from.as_microsecond(),
        to: charge.to.as_microsecond(),
        amount: charge.amount.micros(),
        operation: numbers[&charge.operation],
        place,
    });
    let mut spans: Vec<Span> = spans.filter(|span| span.amount > 0).collect();
    let hold = |span: &Span| question.charges[span.place as usize].hold;
    spans.sort_unstable_by_key(|span| (span.to, span.from, hold(span)));
    spans
}

fn rowless(question: Question<'_>, names: &[&OperationName]) -> Vec<Vec<(i64, i64, u64)>> {
    let numbers = numbers(names);
    let mut all = vec![Vec::new(); names.len()];
    for rowless in question.rowless {
        let span = (rowless.from.as_microsecond(), rowless.to.as_microsecond());
        let of = &mut all[numbers[&rowless.operation] as usize];
        of.push((span.0, span.1, u64::from(rowless.count)));
    }
    all
}

fn doubts<'a>(question: Question<'a>, names: &[&'a OperationName]) -> Vec<Span> {
    let numbers = numbers(names);
    let spans = (0..).zip(question.doubts).map(|(place, doubt)| Span {
        from: doubt.from.as_microsecond(),
        to: doubt.to.as_microsecond(),
        amount: doubt.most.micros(),
        operation: numbers[&doubt.operation],
        place,
    });
    let mut spans: Vec<Span> = spans.collect();
    let hold = |span: &Span| question.doubts[span.place as usize].hold;
    spans.sort_unstable_by_key(|span| (span.to, span.from, hold(span)));
    spans
}

fn live<'a>(question: Question<'a>, names: &[&'a OperationName]) -> Vec<Span> {
    let numbers = numbers(names);
    let spans = (0..).zip(question.live).map(|(place, live)| Span {
        from: live.from.as_microsecond(),
        to: live.to.as_microsecond(),
        amount: live.most.micros(),
        operation: numbers[&live.operation],
        place,
    });
    let mut spans: Vec<Span> = spans.collect();
    spans.sort_unstable_by_key(|span| (span.to, span.from, span.operation, span.amount));
    spans
}
