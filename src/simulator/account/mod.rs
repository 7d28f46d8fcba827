//! The pretend account: a balance, what is set aside of it, and every movement.
//!
//! Money is set aside when a call is accepted and the unused part is given back when it is settled
//! (dossier section 4.2). All of it happens under one short lock, so that at every moment
//! `balance = start + top-ups − charges − what was spent elsewhere`, to the micro-credit.

mod books;

use std::sync::{Arc, Mutex};

use jiff::Timestamp;

use super::jobs::{JobFamily, JobView, NewJob};
use super::locked;
use super::settings::{BalanceShown, JobPace, JobRows, SimulatorSettings};
use super::transactions::{Row, RowStatus};
use super::truth::{Charged, Delivery};
use crate::credits::Credits;

use books::{Books, Kept, Policy};

/// What a movement is written under.
#[derive(Clone, Debug)]
pub(crate) struct Cause {
    /// The operation's documented path.
    pub(crate) path: &'static str,
    /// Type of its transactions.
    pub(crate) kind: &'static str,
    /// Key in the usage breakdown.
    pub(crate) usage: &'static str,
    /// A legacy operation: its rows carry the kind as `balance_type`.
    pub(crate) legacy: bool,
    pub(crate) token: Arc<str>,
    pub(crate) request: u64,
    pub(crate) marker: Option<String>,
    pub(crate) body_sha256: String,
}

/// So many units at so much each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) units: u64,
    pub(crate) unit: Credits,
}

/// One unit of so much.
pub(crate) fn line_of(unit: Credits) -> Line {
    Line { units: 1, unit }
}

/// The sum of lines.
pub(crate) fn sum(lines: &[Line]) -> Credits {
    lines
        .iter()
        .map(|line| line.unit.checked_times(line.units).unwrap_or(Credits::MAX))
        .sum()
}

/// Money set aside for one accepted call. Must be settled.
#[derive(Debug)]
#[must_use]
pub(crate) struct Aside {
    cause: Cause,
    amount: Credits,
    accepted_at: Timestamp,
    row: Option<usize>,
}

/// The balance does not cover what would have to be set aside.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FundsShort;

/// The account and its books.
pub(crate) struct Account {
    books: Mutex<Books>,
}

/// Totals for `accounts/me` and `users/me`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    pub(crate) balance: Credits,
    pub(crate) aside: Credits,
}

impl Standing {
    /// The balance as the account shows it.
    pub(crate) fn shown(self, how: BalanceShown) -> Credits {
        match how {
            BalanceShown::Gross => self.balance,
            BalanceShown::Net => self.balance.saturating_sub(self.aside),
        }
    }
}

impl Account {
    pub(crate) fn new(settings: &SimulatorSettings) -> Self {
        Self {
            books: Mutex::new(Books::new(settings)),
        }
    }

    /// Takes over changed settings.
    pub(crate) fn follow(&self, settings: &SimulatorSettings) {
        locked(&self.books).policy = Policy::of(settings);
    }

    /// Accepts a call that may take up to `amount`. A call that can take nothing is accepted at
    /// any balance; all others need a positive one that covers them.
    pub(crate) fn set_aside(
        &self,
        cause: Cause,
        amount: Credits,
        now: Timestamp,
    ) -> Result<Aside, FundsShort> {
        let books = &mut *locked(&self.books);
        books.tick(now);
        let free = books.balance.saturating_sub(books.aside);
        if amount > Credits::ZERO && free < amount {
            return Err(FundsShort);
        }
        books.aside = books.aside.saturating_add(amount);
        let row = (books.policy.keep && amount > Credits::ZERO)
            .then(|| books.rows.add(&cause, amount, RowStatus::Pending, now, now));
        Ok(Aside {
            cause,
            amount,
            accepted_at: now,
            row,
        })
    }

    /// Charges `lines` and gives the rest back. Answers the charge.
    pub(crate) fn settle(
        &self,
        aside: Aside,
        lines: &[Line],
        delivery: &Delivery,
        now: Timestamp,
    ) -> Credits {
        locked(&self.books).settle(aside, lines, delivery, None, now)
    }

    /// Turns what was set aside into a bulk job and answers its id.
    pub(crate) fn begin_job(&self, aside: Option<Aside>, job: NewJob, now: Timestamp) -> String {
        let books = &mut *locked(&self.books);
        if books.policy.job_rows == JobRows::AtEnd
            && let Some(row) = aside.as_ref().and_then(|aside| aside.row)
        {
            books.rows.hide(row);
        }
        books.jobs.begin(aside, job, now)
    }

    /// One poll of a job; a step, if polls are the pace. `None`: unknown, foreign or expired.
    pub(crate) fn poll(
        &self,
        id: &str,
        family: JobFamily,
        now: Timestamp,
    ) -> Option<(JobView, Delivery)> {
        let books = &mut *locked(&self.books);
        books.tick(now);
        if let JobPace::Polls(polls) = books.policy.pace {
            books.jobs.step(id, family, polls);
        }
        books.settle_ended_jobs(now);
        books.jobs.view(id, family)
    }

    /// Moves every open job one step: `pending`, `processing`, `completed`.
    pub(crate) fn advance_jobs(&self, now: Timestamp) {
        let books = &mut *locked(&self.books);
        books.jobs.advance_all();
        books.settle_ended_jobs(now);
    }

    /// Ends every open job. Answers how many there were.
    pub(crate) fn end_jobs(&self, in_error: bool, now: Timestamp) -> usize {
        let books = &mut *locked(&self.books);
        let ended = books.jobs.end_all(in_error);
        books.settle_ended_jobs(now);
        ended
    }

    /// Adds money.
    pub(crate) fn top_up(&self, amount: Credits, now: Timestamp) {
        self.refund("top_up", amount, now);
    }

    /// Adds money under the kind of an operation.
    pub(crate) fn refund(&self, kind: &'static str, amount: Credits, now: Timestamp) {
        let books = &mut *locked(&self.books);
        books.start = books.start.saturating_add(amount);
        books.balance = books.balance.saturating_add(amount);
        books.rows.add_plain(kind, amount, now);
    }

    /// Gives the money of the newest charged row of a kind back; the row becomes an error.
    pub(crate) fn take_back(&self, kind: &str, now: Timestamp) -> bool {
        let books = &mut *locked(&self.books);
        let Some(amount) = books.rows.take_back(kind, now) else {
            return false;
        };
        books.start = books.start.saturating_add(amount);
        books.balance = books.balance.saturating_add(amount);
        true
    }

    /// Money that somebody else took, around the API.
    pub(crate) fn spend_elsewhere(&self, kind: &'static str, amount: Credits, now: Timestamp) {
        let books = &mut *locked(&self.books);
        books.elsewhere = books.elsewhere.saturating_add(amount);
        books.balance = books.balance.saturating_sub(amount);
        let taken = Credits::ZERO.saturating_sub(amount);
        books.rows.add_plain(kind, taken, now);
    }

    pub(crate) fn standing(&self, now: Timestamp) -> Standing {
        let books = &mut *locked(&self.books);
        books.tick(now);
        Standing {
            balance: books.balance,
            aside: books.aside,
        }
    }

    /// Whether start, charges and balance agree to the micro.
    pub(crate) fn adds_up(&self) -> bool {
        let books = locked(&self.books);
        let gone = books.charged.saturating_add(books.elsewhere);
        books.start.saturating_sub(gone) == books.balance
    }

    pub(crate) fn total_charged(&self) -> Credits {
        locked(&self.books).charged
    }

    pub(crate) fn charges(&self) -> Vec<Charged> {
        self.charges_after(0)
    }

    pub(crate) fn charges_after(&self, known: usize) -> Vec<Charged> {
        let books = locked(&self.books);
        let shown = |kept: &Kept| Charged {
            delivered: kept.delivery.is_done(),
            ..kept.charged.clone()
        };
        let new = books.charges.get(known..).unwrap_or_default();
        new.iter().map(shown).collect()
    }

    /// Charges settled in `[from, to)`, as (usage key, path, moment, amount).
    pub(crate) fn spent(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Vec<(&'static str, &'static str, Timestamp, Credits)> {
        let books = locked(&self.books);
        let mut spent = Vec::new();
        for kept in &books.charges {
            let at = kept.charged.at;
            if at >= from && at < to {
                spent.push((kept.usage, kept.charged.path, at, kept.charged.amount));
            }
        }
        spent
    }

    /// The transaction rows, in order of their writing.
    pub(crate) fn rows(&self, now: Timestamp) -> Vec<Row> {
        let books = &mut *locked(&self.books);
        books.tick(now);
        books.rows.all().to_vec()
    }

    /// The same as they stand, whatever the time.
    pub(crate) fn rows_written(&self) -> Vec<Row> {
        locked(&self.books).rows.all().to_vec()
    }

    /// Takes `rows` of the day's free thin rows, if there are as many left.
    pub(crate) fn take_thin_rows(&self, rows: u64, daily: u64, now: Timestamp) -> bool {
        let books = &mut *locked(&self.books);
        let today = now.as_second().div_euclid(86_400);
        let (day, taken) = books.thin_rows;
        let taken = if day == today { taken } else { 0 };
        if taken >= daily {
            return false;
        }
        books.thin_rows = (today, taken.saturating_add(rows));
        true
    }
}
