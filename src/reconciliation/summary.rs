//! What one run did, in figures and in words.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

use crate::account::{Span, Stop};
use crate::credits::Credits;
use crate::ledger::{BalanceIs, FindingKind};

/// What one run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Rows of the account that were new or had changed.
    pub rows: usize,
    /// Rows that could not be read.
    pub unreadable: usize,
    /// Rows that were tied to a settled charge.
    pub matched: usize,
    /// Doubts and jobs that a row ended, and what they were charged.
    pub settled: (usize, Credits),
    /// Doubts that ended because there is no row for them.
    pub released: usize,
    /// Doubts that got the nearest row because nothing decided.
    pub allocated: usize,
    /// Doubts that are still open.
    pub undecided: usize,
    /// New findings, and the sum of their drift in credits.
    pub findings: BTreeMap<FindingKind, (usize, Credits)>,
    /// Findings that were explained.
    pub closed: usize,
    /// Up to when the absence of a row counts; `None`: the list was never read completely.
    pub complete_until: Option<Timestamp>,
    /// The span that could not be read to its beginning, which ended the run's reading, and why.
    pub stopped: Option<(Span, Stop)>,
    /// What the balance seems to be while jobs run, if the readings agree.
    pub balance_seems: Option<BalanceIs>,
}

impl Summary {
    /// Whether there is anything to tell a person.
    pub fn is_quiet(&self) -> bool {
        let done = self.rows + self.matched + self.settled.0 + self.released + self.allocated;
        done == 0 && self.findings.is_empty() && self.closed == 0
    }

    /// Adds what a further part of the same run did.
    pub(super) fn add_finding(&mut self, kind: FindingKind, drift: Credits) {
        let (count, sum) = self.findings.entry(kind).or_default();
        *count += 1;
        *sum = sum.saturating_add(drift);
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "{} rows read ({} unreadable), {} tied to settled charges",
            self.rows, self.unreadable, self.matched
        )?;
        writeln!(
            out,
            "doubts and jobs: {} settled at {} credits, {} released, {} allocated, {} undecided",
            self.settled.0, self.settled.1, self.released, self.allocated, self.undecided
        )?;
        if self.findings.is_empty() {
            writeln!(out, "nothing new disagrees")?;
        }
        for (kind, (count, drift)) in &self.findings {
            writeln!(out, "{count} new {}: drift {drift} credits", kind.as_str())?;
        }
        if self.closed > 0 {
            writeln!(out, "{} earlier findings explained", self.closed)?;
        }
        match self.complete_until {
            Some(at) => write!(out, "complete up to {at}")?,
            None => write!(out, "the list has not been read completely yet")?,
        }
        if let Some((span, why)) = self.stopped {
            write!(
                out,
                "\nthe list of {} to {} was not read to its beginning: {why}; it is tried again, and doubts from then on stay held",
                span.from, span.to
            )?;
        }
        match self.balance_seems {
            None => Ok(()),
            Some(BalanceIs::Gross) => {
                write!(out, "\nthe balance seems to be gross of running jobs")
            }
            Some(BalanceIs::Net) => write!(out, "\nthe balance seems to be net of running jobs"),
        }
    }
}
