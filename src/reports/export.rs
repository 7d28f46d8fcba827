//! The entries of a period, for finance: CSV or JSON lines, one entry a line, in order.
//!
//! By `recorded_at`, so the export of a closed period is the same whenever it is made. Read in
//! short pages beside a running guard, in constant memory.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;

use super::period::Period;
use crate::credits::Credits;
use crate::ids::{BudgetId, JobId, KeyId, OperationName, TeamId};
use crate::ledger::store::Reader;
use crate::ledger::{Entry, StoreError};

/// Entries read at a time: short enough not to hold up anything.
const PAGE: usize = 2000;

/// The form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Comma separated, with a header line, safe to open in a spreadsheet.
    Csv,
    /// One JSON object a line, texts exactly as they are in the books.
    Jsonl,
}

/// Why an export broke off.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The books could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The export could not be written.
    #[error("the export could not be written: {0}")]
    Write(#[from] io::Error),
}

/// One line of an export.
#[derive(Serialize)]
struct Line<'a> {
    seq: i64,
    recorded_at: String,
    began_at: String,
    kind: &'static str,
    hold: i64,
    team: &'a TeamId,
    key: &'a KeyId,
    operation: &'a OperationName,
    amount: Credits,
    job: Option<&'a JobId>,
    budget: Option<&'a BudgetId>,
    evidence: Option<&'static str>,
    note: Option<&'a str>,
}

/// Column names of a CSV export, in the order of [`Line`]'s fields.
const COLUMNS: [&str; 13] = [
    "seq",
    "recorded_at",
    "began_at",
    "kind",
    "hold",
    "team",
    "key",
    "operation",
    "amount",
    "job",
    "budget",
    "evidence",
    "note",
];

/// Where entries are read: in the archives first, in their order.
pub struct Entries<'a> {
    /// Those that the period reaches into.
    pub archives: &'a [Box<dyn Reader>],
    /// The rest.
    pub ledger: &'a dyn Reader,
    /// Told how many entries are done, and how many there are.
    pub progress: &'a dyn Fn(i64, i64),
}

/// Writes every entry recorded in the period, and gives their number.
///
/// # Errors
///
/// The books could not be read, or the export not be written; what was written before stays.
pub fn export(
    entries: &Entries<'_>,
    period: Period,
    format: Format,
    out: &mut dyn Write,
) -> Result<u64, ExportError> {
    let mut lines = Lines::start(format, out)?;
    let mut count = 0;
    let mut last = None;
    let mut all = 0;
    let archives = entries.archives.iter().map(|archive| &**archive);
    for reader in archives.chain([entries.ledger]) {
        all += size(reader, period)?;
        let mut seq = 0;
        loop {
            let page = reader.entries_recorded(period.from, period.to, seq, PAGE)?;
            for entry in &page {
                continues(last, entry)?;
                last = Some(entry.seq);
                lines.write(entry)?;
                count += 1;
            }
            let Some(end) = page.last() else { break };
            seq = end.seq;
            (entries.progress)(i64::try_from(count).unwrap_or(i64::MAX), all);
        }
    }
    complete(entries, period)?;
    lines.finish()?;
    Ok(count)
}

/// Entries that were moved to an archive meanwhile would be missing.
fn complete(entries: &Entries<'_>, period: Period) -> Result<(), StoreError> {
    let known = entries.ledger.archives()?.into_iter();
    let needed = known.filter(|archived| period.from <= archived.span.recorded_at);
    if needed.count() == entries.archives.len() {
        return Ok(());
    }
    let moved = "entries were moved to an archive meanwhile: export again";
    Err(StoreError::Failed(moved.into()))
}

/// How many entries a reader has of the period, as far as the numbers say.
fn size(reader: &dyn Reader, period: Period) -> Result<i64, StoreError> {
    let first = |moment| {
        let first = reader.entries_recorded(moment, Timestamp::MAX, 0, 1)?.pop();
        Ok::<_, StoreError>(first.map(|entry| entry.seq))
    };
    let Some(from) = first(period.from)? else {
        return Ok(0);
    };
    let end = first(period.to)?;
    Ok(end.map_or(reader.tail()?.seq + 1, |end| end) - from)
}

/// An export leaves nothing out.
fn continues(last: Option<i64>, entry: &Entry) -> Result<(), StoreError> {
    match last {
        Some(last) if entry.seq != last + 1 => Err(StoreError::Failed(format!(
            "entry {} comes after {last}, and what is between is not there: `verify` the ledger",
            entry.seq
        ))),
        _ => Ok(()),
    }
}

enum Lines<'a> {
    Csv(Box<csv::Writer<&'a mut dyn Write>>),
    Jsonl(&'a mut dyn Write),
}

impl<'a> Lines<'a> {
    fn start(format: Format, out: &'a mut dyn Write) -> Result<Self, ExportError> {
        match format {
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(out);
                writer.write_record(COLUMNS).map_err(io::Error::from)?;
                Ok(Self::Csv(Box::new(writer)))
            }
            Format::Jsonl => Ok(Self::Jsonl(out)),
        }
    }

    fn write(&mut self, entry: &Entry) -> Result<(), ExportError> {
        let line = line(entry);
        match self {
            Self::Csv(writer) => writer
                .write_record(fields(&line))
                .map_err(io::Error::from)?,
            Self::Jsonl(out) => {
                serde_json::to_writer(&mut **out, &line).map_err(io::Error::from)?;
                out.write_all(b"\n")?;
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<(), ExportError> {
        match self {
            Self::Csv(mut writer) => writer.flush()?,
            Self::Jsonl(out) => out.flush()?,
        }
        Ok(())
    }
}

fn line(entry: &Entry) -> Line<'_> {
    Line {
        seq: entry.seq,
        recorded_at: moment(entry.recorded_at),
        began_at: moment(entry.began_at),
        kind: entry.kind.as_str(),
        hold: entry.hold.get(),
        team: &entry.team,
        key: &entry.key,
        operation: &entry.operation,
        amount: entry.amount,
        job: entry.job.as_ref(),
        budget: entry.budget.as_ref(),
        evidence: entry.evidence.as_ref().map(|note| note.kind.as_str()),
        note: entry.evidence.as_ref().map(|note| note.text.as_str()),
    }
}

/// Always six decimals, so that the texts sort as the moments do.
fn moment(at: Timestamp) -> String {
    format!("{at:.6}")
}

fn fields(line: &Line<'_>) -> [String; 13] {
    let text = |text: Option<&str>| text.map(unspreadsheeted).unwrap_or_default();
    [
        line.seq.to_string(),
        line.recorded_at.clone(),
        line.began_at.clone(),
        line.kind.to_owned(),
        line.hold.to_string(),
        text(Some(line.team.as_str())),
        text(Some(line.key.as_str())),
        text(Some(line.operation.as_str())),
        line.amount.to_string(),
        text(line.job.map(JobId::as_str)),
        text(line.budget.map(BudgetId::as_str)),
        text(line.evidence),
        text(line.note),
    ]
}

/// A spreadsheet takes a text that begins with one of these for a formula, and some of our texts
/// come from clients and off the wire. An apostrophe in front makes it a text again. Amounts are
/// ours and stay numbers.
fn unspreadsheeted(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_looks_like_a_formula_is_made_a_text() {
        for text in ["=1+1", "+1", "-1", "@sum", "\t=1", "\r=1", "\n=1"] {
            assert_eq!(unspreadsheeted(text), format!("'{text}"));
        }
        for text in ["", "a=1", "0.02", "stated"] {
            assert_eq!(unspreadsheeted(text), text);
        }
    }

    #[test]
    fn moments_sort_as_texts() {
        let one: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
        let other: Timestamp = "2026-11-01T00:00:00.5Z".parse().unwrap();
        assert_eq!(moment(one), "2026-11-01T00:00:00.000000Z");
        assert!(moment(one) < moment(other));
    }
}
