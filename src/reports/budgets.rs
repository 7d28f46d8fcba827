//! The table of budgets, with a bar for each.

use std::collections::BTreeMap;

use comfy_table::Table;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::spend::BudgetLine;
use super::tables::table;
use crate::credits::Credits;
use crate::ids::BudgetId;
use crate::ledger::{Budget, Mode, WindowRule};

/// Cells of a budget's bar.
const BAR: i128 = 18;

/// `budgets` lends the time zones in which windows are told.
pub(super) fn budget_table(lines: &[BudgetLine], budgets: &[Budget]) -> Table {
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
