//! A list in memory that behaves well or badly.

use jiff::Timestamp;

use crate::account::transactions::moment::second_of;
use crate::account::transactions::page::{Page, TransactionsQuery};
use crate::credits::Credits;
use crate::transaction::{Transaction, TransactionId, TransactionSource, TransactionStatus};

/// Moments of the model, in tenths of a second.
pub(super) fn at(tenths: i64) -> Timestamp {
    Timestamp::from_millisecond(1_789_468_200_000 + tenths * 100).unwrap()
}

/// A row by its number and its moment.
pub(super) type Row = (u32, i64);

/// How a list is kept and asked.
#[derive(Clone, Debug)]
pub(super) struct Manners {
    pub(super) reads_from: bool,
    pub(super) reads_to: bool,
    /// Moments are shown without their fractions.
    pub(super) whole_seconds: bool,
    pub(super) page_max: usize,
    pub(super) order: Order,
    /// What happens between two pages: (rows added on top, rows added late, rows gone).
    pub(super) between: Vec<(usize, usize, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Order {
    NewestFirst,
    OldestFirst,
    /// In order of writing, newest first; a late row stands among newer ones.
    Written,
}

pub(super) struct List {
    pub(super) rows: Vec<Row>,
    pub(super) manners: Manners,
    next: u32,
    newest: i64,
}

impl List {
    pub(super) fn new(times: &[i64], manners: Manners) -> Self {
        let mut rows: Vec<Row> = (0..).zip(times.iter().copied()).collect();
        match manners.order {
            Order::NewestFirst => {
                rows.sort_by_key(|(number, at)| std::cmp::Reverse((*at, *number)))
            }
            Order::OldestFirst => rows.sort_by_key(|(number, at)| (*at, *number)),
            Order::Written => {
                rows.sort_by_key(|(number, at)| std::cmp::Reverse((*at, *number)));
                // A few rows came late: each stands a little above its place.
                for index in (10..rows.len()).step_by(17) {
                    rows[index - 9..=index].rotate_right(1);
                }
            }
        }
        Self {
            next: u32::try_from(rows.len()).unwrap(),
            newest: times.iter().copied().max().unwrap_or(0),
            rows,
            manners,
        }
    }

    pub(super) fn shown(&self, tenths: i64) -> Timestamp {
        let moment = at(tenths);
        if self.manners.whole_seconds {
            second_of(moment)
        } else {
            moment
        }
    }

    pub(super) fn answer(&self, query: &TransactionsQuery) -> Page {
        let from = query.from.filter(|_| self.manners.reads_from);
        let to = query.to.filter(|_| self.manners.reads_to);
        let found = self.rows.iter().filter(|(_, tenths)| {
            from.is_none_or(|from| at(*tenths) >= from) && to.is_none_or(|to| at(*tenths) < to)
        });
        let limit = query.limit.min(self.manners.page_max);
        let rows: Vec<Transaction> = found
            .skip(query.offset)
            .take(limit)
            .map(|(number, tenths)| transaction(*number, self.shown(*tenths)))
            .collect();
        page(rows)
    }

    pub(super) fn go_on(&mut self, (added, late, gone): (usize, usize, usize)) {
        for _ in 0..gone.min(self.rows.len()) {
            self.rows.remove(0);
        }
        for _ in 0..added {
            self.newest += 1;
            self.put_in(self.newest);
        }
        for step in 0..late {
            let tenths = self.newest - 40 * i64::try_from(step + 1).unwrap();
            self.put_in(tenths);
        }
    }

    fn put_in(&mut self, tenths: i64) {
        let row = (self.next, tenths);
        self.next += 1;
        let place = match self.manners.order {
            Order::NewestFirst => {
                let above = |(number, at): &Row| (*at, *number) > (tenths, row.0);
                self.rows.partition_point(above)
            }
            Order::OldestFirst => self.rows.len(),
            Order::Written => 0,
        };
        self.rows.insert(place, row);
    }
}

pub(super) fn transaction(number: u32, at: Timestamp) -> Transaction {
    Transaction {
        id: TransactionId {
            source: TransactionSource::V1,
            id: number.to_string().into(),
        },
        at,
        kind: "kind".into(),
        amount: Credits::from_micros(-20_000),
        status: TransactionStatus::Success,
    }
}

pub(super) fn page(rows: Vec<Transaction>) -> Page {
    Page {
        raw_count: rows.len(),
        rows,
        unreadable: Vec::new(),
        server_time: None,
        started_at: at(0),
        finished_at: at(0),
    }
}
