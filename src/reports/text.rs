//! The spend report as tables for a terminal, readable at 100 columns.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;

use super::budgets::budget_table;
use super::spend::{AccountLine, HoldLine, HoldState, SavedLine, SpendLine, SpendReport};
use super::tables::{plain, printable, table, utc};
use crate::counted::counted;
use crate::credits::Credits;
use crate::ids::TeamId;
use crate::ledger::Budget;

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
