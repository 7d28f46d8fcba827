//! The usage report as tables for a terminal.

use std::fmt::Write as _;

use super::{Checked, DearLine, UsageLine, UsageReport, UsageSums};
use crate::credits::Credits;
use crate::reports::tables::{plain, printable, table, utc};

/// Writes it as tables for a terminal.
pub fn usage_text(report: &UsageReport) -> String {
    let mut out = String::new();
    let period = report.period;
    let (from, to) = (utc(period.from), utc(period.to));
    let _ = writeln!(
        out,
        "The books beside the account's rows, from {from} up to {to}"
    );
    match (report.source, report.read_until) {
        (None, _) => {
            out.push_str("No list of the account is read: reconciliation.source is \"none\".\n")
        }
        (_, None) => out.push_str("The account's list has never been read completely.\n"),
        (Some(source), Some(at)) => {
            let at = utc(at);
            let _ = writeln!(out, "The account's list ({source}) is read up to {at}.");
        }
    }
    out.push('\n');
    lines_table(&mut out, report);
    if let Some(checked) = &report.checked {
        checked_table(&mut out, checked);
    }
    dearest_table(&mut out, &report.dearest);
    out
}

fn lines_table(out: &mut String, report: &UsageReport) {
    if report.lines.is_empty() {
        out.push_str("Nothing was charged on either side.\n");
        return;
    }
    let header = [
        "operation",
        "calls",
        "settled",
        "rows",
        "taken",
        "difference",
    ];
    let mut table = table(plain(), &header, &[1, 2, 3, 4, 5]);
    let row = |name: String, sums: &UsageSums| {
        [
            name,
            sums.calls.to_string(),
            sums.settled.to_string(),
            sums.rows.to_string(),
            sums.taken.to_string(),
            sums.difference.to_string(),
        ]
    };
    for line in &report.lines {
        table.add_row(row(name(line), &line.sums));
    }
    table.add_row(row("all".to_owned(), &report.total));
    let _ = writeln!(out, "{}", table.trim_fmt());
}

fn name(line: &UsageLine) -> String {
    if line.operations.is_empty() {
        let kinds: Vec<_> = line.kinds.iter().map(|kind| printable(kind)).collect();
        return format!("not known: {}", kinds.join(", "));
    }
    let names: Vec<_> = line.operations.iter().map(ToString::to_string).collect();
    names.join(",\n")
}

fn checked_table(out: &mut String, checked: &Checked) {
    let days = match checked.days {
        1 => format!("on {}", checked.first),
        count => format!("on {count} days from {} to {}", checked.first, checked.last),
    };
    let _ = writeln!(out, "\nThe account's own sums, {days} (UTC)");
    let header = [
        "key",
        "settled",
        "rows took",
        "account says",
        "says less rows",
    ];
    let mut table = table(plain(), &header, &[1, 2, 3, 4]);
    for line in &checked.keys {
        let key = line.key.as_deref().map(printable);
        let less = |said: Credits| said.saturating_sub(line.taken).to_string();
        table.add_row([
            key.unwrap_or_else(|| "not known".to_owned()),
            line.settled.to_string(),
            line.taken.to_string(),
            line.said.map(|said| said.to_string()).unwrap_or_default(),
            line.said.map(less).unwrap_or_default(),
        ]);
    }
    let _ = writeln!(out, "{}", table.trim_fmt());
}

fn dearest_table(out: &mut String, lines: &[DearLine]) {
    if lines.is_empty() {
        return;
    }
    out.push_str(
        "\nThe dearest operations, and about what they would have been in database mode\n",
    );
    let header = ["operation", "calls", "settled", "in database mode", "less"];
    let mut table = table(plain(), &header, &[1, 2, 3, 4]);
    for line in lines {
        let less = |there: Credits| line.settled.saturating_sub(there).to_string();
        table.add_row([
            line.operation.to_string(),
            line.calls.to_string(),
            line.settled.to_string(),
            line.in_database_mode
                .map(|there| there.to_string())
                .unwrap_or_default(),
            line.in_database_mode.map(less).unwrap_or_default(),
        ]);
    }
    let _ = writeln!(out, "{}", table.trim_fmt());
}
