//! What one run did, in figures and in words.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::account::{Span, Stop};
use crate::counted::counted;
use crate::credits::Credits;
use crate::ledger::{BalanceIs, FindingKind};

/// What one run did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Told", into = "Told")]
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

/// A summary as JSON has it.
#[derive(Serialize, Deserialize)]
struct Told {
    rows: usize,
    unreadable: usize,
    matched: usize,
    settled: Settled,
    released: usize,
    allocated: usize,
    undecided: usize,
    findings: Vec<Found>,
    closed: usize,
    complete_until: Option<Timestamp>,
    stopped: Option<Stopped>,
    balance_seems: Option<Seems>,
}

#[derive(Serialize, Deserialize)]
struct Settled {
    holds: usize,
    charge: Credits,
}

#[derive(Serialize, Deserialize)]
struct Found {
    kind: String,
    count: usize,
    drift: Credits,
}

#[derive(Serialize, Deserialize)]
struct Stopped {
    from: Timestamp,
    to: Timestamp,
    why: Stop,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Seems {
    Gross,
    Net,
}

impl From<Summary> for Told {
    fn from(summary: Summary) -> Self {
        let findings = summary.findings.into_iter();
        let findings = findings.map(|(kind, (count, drift))| Found {
            kind: kind.as_str().to_owned(),
            count,
            drift,
        });
        Self {
            rows: summary.rows,
            unreadable: summary.unreadable,
            matched: summary.matched,
            settled: Settled {
                holds: summary.settled.0,
                charge: summary.settled.1,
            },
            released: summary.released,
            allocated: summary.allocated,
            undecided: summary.undecided,
            findings: findings.collect(),
            closed: summary.closed,
            complete_until: summary.complete_until,
            stopped: summary.stopped.map(|(span, why)| Stopped {
                from: span.from,
                to: span.to,
                why,
            }),
            balance_seems: summary.balance_seems.map(|seems| match seems {
                BalanceIs::Gross => Seems::Gross,
                BalanceIs::Net => Seems::Net,
            }),
        }
    }
}

impl From<Told> for Summary {
    fn from(told: Told) -> Self {
        let findings = told.findings.into_iter().filter_map(|found| {
            let kind = FindingKind::from_text(&found.kind)?;
            Some((kind, (found.count, found.drift)))
        });
        Self {
            rows: told.rows,
            unreadable: told.unreadable,
            matched: told.matched,
            settled: (told.settled.holds, told.settled.charge),
            released: told.released,
            allocated: told.allocated,
            undecided: told.undecided,
            findings: findings.collect(),
            closed: told.closed,
            complete_until: told.complete_until,
            stopped: told
                .stopped
                .map(|Stopped { from, to, why }| (Span { from, to }, why)),
            balance_seems: told.balance_seems.map(|seems| match seems {
                Seems::Gross => BalanceIs::Gross,
                Seems::Net => BalanceIs::Net,
            }),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "{} read ({} unreadable), {} tied to settled charges",
            counted(self.rows, "row", "rows"),
            self.unreadable,
            self.matched
        )?;
        writeln!(
            out,
            "doubts and jobs: {} settled at {}, {} released, {} allocated, {} undecided",
            self.settled.0,
            self.settled.1.counted(),
            self.released,
            self.allocated,
            self.undecided
        )?;
        if self.findings.is_empty() {
            writeln!(out, "nothing new disagrees")?;
        }
        for (kind, (count, drift)) in &self.findings {
            let drift = drift.counted();
            writeln!(out, "{count} new {}: drift {drift}", kind.as_str())?;
        }
        if self.closed > 0 {
            let earlier = counted(self.closed, "earlier finding", "earlier findings");
            writeln!(out, "{earlier} explained")?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_read_as_it_is_written() {
        let drift = Credits::from_micros(1_500_000);
        let summary = Summary {
            rows: 3,
            settled: (1, Credits::from_micros(20_000)),
            findings: BTreeMap::from([(FindingKind::TheirsOnly, (2, drift))]),
            complete_until: Some(Timestamp::UNIX_EPOCH),
            balance_seems: Some(BalanceIs::Net),
            ..Summary::default()
        };
        let text = serde_json::to_string(&summary).unwrap();
        assert!(
            text.contains(r#"{"kind":"theirs_only","count":2,"drift":"1.5"}"#),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Summary>(&text).unwrap(), summary);
    }
}
