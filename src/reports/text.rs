//! The spend report as tables for a terminal, readable at 100 columns.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use comfy_table::presets::{NOTHING, UTF8_HORIZONTAL_ONLY};
use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::spend::{
    AccountLine, BudgetLine, HoldLine, HoldState, SavedLine, SpendLine, SpendReport,
};
use crate::counted::counted;
use crate::credits::Credits;
use crate::ids::{BudgetId, TeamId};
use crate::ledger::{Budget, Mode, WindowRule};

/// What fits a usual terminal and a mail.
const WIDTH: u16 = 100;
/// Cells of a budget's bar.
const BAR: i128 = 18;
/// Live calls shown; they come and go, and those that matter are jobs and doubts, shown in full.
const LIVE_SHOWN: usize = 10;

/// What people call the teams, by their ids.
pub type TeamNames = BTreeMap<TeamId, String>;

/// Writes the report. `budgets` lends the time zones in which windows are told, `names` what the
/// spend of a team is written under beside its id.
pub fn spend_text(report: &SpendReport, budgets: &[Budget], names: &TeamNames) -> String {
    let mut out = String::new();
    if let Some(account) = &report.account {
        let _ = writeln!(out, "{}\n", account_text(account));
    }
    let _ = writeln!(out, "Budgets at {}", utc(report.as_of));
    if report.budgets.is_empty() {
        out.push_str("No budget is configured.\n");
    } else {
        let _ = writeln!(out, "{}", budget_table(&report.budgets, budgets).trim_fmt());
        out.push_str("▓ settled  ▒ held, in doubt included  ░ free\n");
        for line in &report.budgets {
            if let Some(at) = line.runs_out_at.filter(|_| line.remaining > Credits::ZERO) {
                let at = utc(at);
                let _ = writeln!(
                    out,
                    "At the pace of the last 24 hours {} is used up on {at}.",
                    line.id
                );
            }
        }
    }
    let period = report.period;
    let _ = writeln!(
        out,
        "\nSpend recorded from {} up to {}",
        utc(period.from),
        utc(period.to)
    );
    spend_tables(&mut out, &report.spend, names);
    saved_table(&mut out, &report.saved);
    let _ = writeln!(out, "\nOpen calls at {}", utc(report.as_of));
    hold_table(&mut out, &report.holds);
    out
}

/// Rows of one line need no lines between them.
pub(super) fn plain() -> TableStyle {
    NOTHING.header_separator(LineStyle::new('─', '─', '─', '─'))
}

pub(super) fn table(style: TableStyle, header: &[&str], numbers: &[usize]) -> Table {
    let mut table = Table::new();
    table
        .load_style(style)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH)
        .set_header(header.iter().enumerate().map(|(index, name)| {
            let cell = Cell::new(name);
            if numbers.contains(&index) {
                cell.set_alignment(CellAlignment::Right)
            } else {
                cell
            }
        }));
    for index in numbers {
        if let Some(column) = table.column_mut(*index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn budget_table(lines: &[BudgetLine], budgets: &[Budget]) -> Table {
    let rules: BTreeMap<&BudgetId, &WindowRule> = budgets
        .iter()
        .map(|budget| (&budget.id, &budget.window))
        .collect();
    let header = ["budget", "window", "", "settled", "held", "limit", "left"];
    let mut table = table(UTF8_HORIZONTAL_ONLY, &header, &[3, 4, 5, 6]);
    for line in lines {
        let rule = rules.get(&line.id).copied().unwrap_or(&WindowRule::Total);
        table.add_row([
            format!("{}\n{}", line.id, covers(line)),
            window(line, rule),
            bar(line),
            line.settled.to_string(),
            held(line),
            limit(line),
            line.remaining.to_string(),
        ]);
    }
    table
}

fn account_text(line: &AccountLine) -> String {
    let ends = match line.runs_out_at {
        _ if line.balance <= Credits::ZERO => "it is empty".to_owned(),
        Some(at) => format!("at that pace it is empty on {}", utc(at)),
        None => "at that pace it does not run out".to_owned(),
    };
    format!(
        "The account had {} at {}.\n{} went in the last 24 hours; {ends}.",
        line.balance.counted(),
        utc(line.read_at),
        line.spent_last_day
    )
}

fn covers(line: &BudgetLine) -> String {
    let mut parts = Vec::new();
    if let Some(team) = &line.team {
        parts.push(format!("team {team}"));
    }
    if let Some(key) = &line.key {
        parts.push(format!("key {key}"));
    }
    if let Some(operations) = &line.operations {
        match operations.first() {
            Some(only) if operations.len() == 1 => parts.push(only.to_string()),
            _ => parts.push(format!("{} operations", operations.len())),
        }
    }
    if parts.is_empty() {
        parts.push("every call".to_owned());
    }
    if line.mode == Mode::Shadow.as_str() {
        parts.push("in shadow".to_owned());
    }
    parts.join(", ")
}

/// A calendar window in its own zone, a rolling one by its span and when room comes back (UTC).
fn window(line: &BudgetLine, rule: &WindowRule) -> String {
    let told = |at: Option<Timestamp>, zone: &TimeZone| at.map(|at| local(at, zone));
    match rule {
        WindowRule::Total => "total".to_owned(),
        WindowRule::Rolling(span) => match told(line.resets_at, &TimeZone::UTC) {
            Some(frees) => format!("last {span:#}\nfrees {frees}"),
            None => format!("last {span:#}"),
        },
        WindowRule::Calendar { zone, .. } => {
            let end = |at| told(at, zone).unwrap_or_default();
            format!(
                "from {}\nuntil {}",
                end(line.window_start),
                end(line.resets_at)
            )
        }
    }
}

/// The moment as people of the zone write it, to the minute; midnight is the date alone.
fn local(at: Timestamp, zone: &TimeZone) -> String {
    let zoned = at.to_zoned(zone.clone());
    let midnight = zoned.time() == jiff::civil::Time::midnight();
    let format = if midnight { "%F" } else { "%F %H:%M" };
    zoned.strftime(format).to_string()
}

pub(super) fn utc(at: Timestamp) -> String {
    at.strftime("%F %H:%M UTC").to_string()
}

fn held(line: &BudgetLine) -> String {
    if line.in_doubt == Credits::ZERO {
        line.held.to_string()
    } else {
        format!("{}\n{} in doubt", line.held, line.in_doubt)
    }
}

fn limit(line: &BudgetLine) -> String {
    if line.granted == Credits::ZERO {
        line.limit.to_string()
    } else {
        format!("{}\n+{} granted", line.limit, line.granted)
    }
}

/// Settled, held and free in proportion. What is not nothing shows at least one cell, so that a
/// small hold is seen, and a full bar is only ever a full budget.
fn bar(line: &BudgetLine) -> String {
    let micros = |amount: Credits| i128::from(amount.micros().max(0));
    let (settled, held, free) = (
        micros(line.settled),
        micros(line.held),
        micros(line.remaining),
    );
    let total = settled + held + free;
    if total == 0 {
        return "░".repeat(usize::try_from(BAR).unwrap_or_default());
    }
    let share = |part: i128| (part * BAR / total).max(i128::from(part > 0));
    let mut cells = [share(settled), share(held), share(free)];
    // What rounding down left over is free if anything is; what lifting up took is the largest's.
    let spare = BAR - cells.iter().sum::<i128>();
    if spare > 0 && free > 0 {
        cells[2] += spare;
    } else if let Some(largest) = cells.iter_mut().max() {
        *largest += spare;
    }
    ["▓", "▒", "░"]
        .iter()
        .zip(cells)
        .map(|(letter, count)| letter.repeat(usize::try_from(count).unwrap_or_default()))
        .collect()
}

fn spend_tables(out: &mut String, lines: &[SpendLine], names: &TeamNames) {
    if lines.is_empty() {
        out.push_str("Nothing was charged.\n");
        return;
    }
    for name in ["team", "key", "operation"] {
        let mut sums: BTreeMap<&str, (u64, Credits)> = BTreeMap::new();
        for line in lines {
            let group = match name {
                "team" => line.team.as_str(),
                "key" => line.key.as_str(),
                _ => line.operation.as_str(),
            };
            let (calls, settled) = sums.entry(group).or_default();
            *calls = calls.saturating_add(line.calls);
            *settled = settled.saturating_add(line.settled);
        }
        // The largest first; equals by name.
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_by_key(|(_, (_, settled))| std::cmp::Reverse(*settled));
        let mut table = table(plain(), &[name, "calls", "settled"], &[1, 2]);
        for (group, (calls, settled)) in sums {
            let called = names
                .get(group)
                .filter(|called| name == "team" && *called != group);
            let group = match called {
                Some(called) => format!("{group} ({called})"),
                None => group.to_owned(),
            };
            table.add_row([group, calls.to_string(), settled.to_string()]);
        }
        let _ = writeln!(out, "{}\n", table.trim_fmt());
    }
    let calls: u64 = lines.iter().map(|line| line.calls).sum();
    let settled: Credits = lines.iter().map(|line| line.settled).sum();
    let calls = counted(calls, "call", "calls");
    let _ = writeln!(out, "{} for {calls}.", settled.counted());
}

/// Says nothing where nothing was saved: most guards are not asked to.
fn saved_table(out: &mut String, lines: &[SavedLine]) {
    if lines.is_empty() {
        return;
    }
    out.push_str("\nSaved on the days (UTC) that begin in the period\n");
    let header = ["team", "operation", "how", "calls", "credits"];
    let mut table = table(plain(), &header, &[3, 4]);
    for line in lines {
        table.add_row([
            line.team.to_string(),
            line.operation.to_string(),
            line.how.to_owned(),
            line.calls.to_string(),
            line.credits.to_string(),
        ]);
    }
    let credits: Credits = lines.iter().map(|line| line.credits).sum();
    let _ = writeln!(out, "{}\n\n{} saved.", table.trim_fmt(), credits.counted());
}

fn hold_table(out: &mut String, lines: &[HoldLine]) {
    if lines.is_empty() {
        out.push_str("None.\n");
        return;
    }
    let header = [
        "hold",
        "team, key",
        "operation",
        "quote",
        "began (UTC)",
        "state",
    ];
    let mut table = table(UTF8_HORIZONTAL_ONLY, &header, &[0, 3]);
    let mut live = 0;
    for line in lines {
        if line.state == HoldState::Live {
            live += 1;
            if live > LIVE_SHOWN {
                continue;
            }
        }
        let state = match &line.why {
            Some(why) => format!("{}: {}", line.state.as_str(), printable(why)),
            None => line.state.as_str().to_owned(),
        };
        table.add_row([
            line.id.to_string(),
            format!("{}\n{}", line.team, line.key),
            line.operation.to_string(),
            line.quote.to_string(),
            line.began_at.strftime("%F\n%T").to_string(),
            state,
        ]);
    }
    let _ = writeln!(out, "{}", table.trim_fmt());
    if live > LIVE_SHOWN {
        let more = counted(live - LIVE_SHOWN, "more live call", "more live calls");
        let _ = writeln!(out, "and {more}.");
    }
    let doubts = lines.iter().filter(|line| line.state == HoldState::InDoubt);
    let (count, sum) = doubts.fold((0_usize, Credits::ZERO), |(count, sum), line| {
        (count + 1, sum.saturating_add(line.quote))
    });
    if count > 0 {
        let _ = writeln!(
            out,
            "{count} in doubt, {}: counted as spent until the account's list or `resolve` decides.",
            sum.counted()
        );
    }
}

/// Reasons may quote what came off the wire: nothing in them may steer a terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(settled: i64, held: i64, limit: i64) -> BudgetLine {
        BudgetLine {
            id: "growth-month".into(),
            team: Some("growth".into()),
            key: None,
            operations: None,
            window_start: Some("2026-11-01T00:00:00Z".parse().unwrap()),
            resets_at: Some("2026-12-01T00:00:00Z".parse().unwrap()),
            limit: Credits::from_micros(limit),
            granted: Credits::ZERO,
            settled: Credits::from_micros(settled),
            held: Credits::from_micros(held),
            in_doubt: Credits::ZERO,
            mode: Mode::Enforce.as_str(),
            remaining: Credits::from_micros(limit - settled - held),
            runs_out_at: None,
        }
    }

    #[test]
    fn a_bar_shows_settled_held_and_free_in_proportion() {
        assert_eq!(bar(&line(90, 45, 180)), "▓▓▓▓▓▓▓▓▓▒▒▒▒░░░░░");
        assert_eq!(bar(&line(0, 0, 10)), "░".repeat(18));
        assert_eq!(bar(&line(0, 0, 0)), "░".repeat(18));
        assert_eq!(bar(&line(20, 0, 10)), "▓".repeat(18), "an overrun");
        assert_eq!(bar(&line(1, 1, 1_000_000)), format!("▓▒{}", "░".repeat(16)));
        assert_eq!(
            bar(&line(999_999, 0, 1_000_000)),
            format!("{}░", "▓".repeat(17))
        );
    }

    #[test]
    fn moments_are_told_in_the_budgets_own_zone() {
        let zone = TimeZone::get("Europe/Kyiv").unwrap();
        assert_eq!(
            local("2026-10-31T22:00:00Z".parse().unwrap(), &zone),
            "2026-11-01"
        );
        assert_eq!(
            local("2026-10-31T22:15:00Z".parse().unwrap(), &zone),
            "2026-11-01 00:15"
        );
    }

    #[test]
    fn what_came_off_the_wire_cannot_steer_a_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\r\nc"), "a [2Jb  c");
    }

    proptest! {
        #[test]
        fn a_bar_is_always_as_wide_as_the_others(
            settled in 0..i64::MAX / 4, held in 0..i64::MAX / 4, limit in 0..i64::MAX / 4,
        ) {
            let bar = bar(&line(settled, held, limit));
            prop_assert_eq!(bar.chars().count(), 18);
            prop_assert_eq!(bar.contains('▓'), settled > 0);
            prop_assert_eq!(bar.contains('▒'), held > 0);
        }
    }
}
