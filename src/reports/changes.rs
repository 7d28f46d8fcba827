//! Who changed what while the guard ran.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use jiff::Timestamp;
use serde::Serialize;

use super::period::Period;
use super::tables::{printable, table, utc};
use crate::ledger::{ChangeKind, Entry, Reader, StoreError};

/// Changes read at a time.
const PAGE: usize = 1000;

/// All changes of a period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChangesReport {
    /// The span they were made in.
    pub period: Period,
    /// The changes, oldest first.
    pub changes: Vec<ChangeLine>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ChangeLine {
    /// When.
    pub at: Timestamp,
    /// Who: the name the asker gave, and the kernel's word for them.
    pub who: String,
    /// What was done: `granted`, `paused`, `resumed`, `reloaded`, `resolved` or `archived`.
    pub what: &'static str,
    /// To what, e.g. `budget growth-month`.
    pub about: String,
    /// What is different since.
    pub detail: String,
    /// Why.
    pub reason: String,
}

/// Gathers them.
///
/// # Errors
///
/// What the store says when it cannot be read.
pub fn changes_report(reader: &dyn Reader, period: Period) -> Result<ChangesReport, StoreError> {
    let mut changes = Vec::new();
    reader.in_one_view(&mut || {
        let mut after = 0;
        loop {
            let page = reader.changes(period.from, period.to, after, PAGE)?;
            let Some(last) = page.last() else { break };
            after = last.number;
            changes.extend(page.into_iter().map(|kept| ChangeLine {
                at: kept.change.at,
                who: kept.change.who,
                what: kept.change.what.as_str(),
                about: kept.change.about,
                detail: kept.change.detail,
                reason: kept.change.reason,
            }));
        }
        let grants = reader.grants(Some(period.from))?;
        let unlisted = unlisted(grants, &changes, period);
        changes.extend(unlisted);
        Ok(())
    })?;
    changes.sort();
    Ok(ChangesReport { period, changes })
}

/// Grants whose line is missing: a guard that is killed between the two has written the entry alone.
fn unlisted(grants: Vec<Entry>, listed: &[ChangeLine], period: Period) -> Vec<ChangeLine> {
    let granted = ChangeKind::Granted.as_str();
    let listed = listed.iter().filter(|line| line.what == granted);
    let listed: BTreeSet<_> = listed.map(|line| (line.at, line.about.as_str())).collect();
    let lines = grants.into_iter().filter_map(|entry| {
        let about = format!("budget {}", entry.budget.as_ref()?);
        let at = entry.recorded_at;
        let is_wanted =
            (period.from..period.to).contains(&at) && !listed.contains(&(at, about.as_str()));
        is_wanted.then(|| ChangeLine {
            at,
            who: String::new(),
            what: granted,
            about,
            detail: entry.amount.counted().to_string(),
            // Who and why stand in it together.
            reason: entry.evidence.map(|note| note.text).unwrap_or_default(),
        })
    });
    lines.collect()
}

/// The changes as a table, readable at 100 columns.
pub fn changes_text(report: &ChangesReport) -> String {
    let period = report.period;
    let mut out = format!(
        "Changes from {} up to {}\n",
        utc(period.from),
        utc(period.to)
    );
    if report.changes.is_empty() {
        out.push_str("None.\n");
        return out;
    }
    let header = ["when (UTC)", "who", "what", "details"];
    let mut table = table(UTF8_HORIZONTAL_ONLY, &header, &[]);
    for line in &report.changes {
        let mut details = printable(&line.detail);
        if !line.reason.is_empty() {
            let _ = write!(details, "\nbecause: {}", printable(&line.reason));
        }
        table.add_row([
            line.at.strftime("%F\n%T").to_string(),
            printable(&line.who),
            format!("{}\n{}", line.what, printable(&line.about)),
            details,
        ]);
    }
    let _ = writeln!(out, "{}", table.trim_fmt());
    out
}
