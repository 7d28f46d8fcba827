//! How budgets stand, who spent what, and which calls are open: one model, shown as text or JSON.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::period::Period;
use crate::credits::Credits;
use crate::ids::{BudgetId, KeyId, OperationName, TeamId};
use crate::ledger::store::{OpenHold, Reader, Spend};
use crate::ledger::{
    Budget, BudgetStatus, EntryKind, HoldId, Pace, Reading, SavedBy, Saving, StoreError,
    runs_out_at,
};

/// Entries read at a time while looking for the reasons of doubts.
const PAGE: usize = 1000;

/// The whole report. Amounts are written as decimal texts, so that no reader rounds them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SpendReport {
    /// The moment budgets and holds are told of.
    pub as_of: Timestamp,
    /// The span spend is told of.
    pub period: Period,
    /// What the account has left; absent if no guard has read it yet.
    pub account: Option<AccountLine>,
    /// How each budget stands, in the order of the configuration.
    pub budgets: Vec<BudgetLine>,
    /// What was recorded in the period.
    pub spend: Vec<SpendLine>,
    /// What calls would have taken and did not, on the days (UTC) that begin in the period.
    pub saved: Vec<SavedLine>,
    /// The calls that have not ended, oldest first.
    pub holds: Vec<HoldLine>,
}

/// How the account stands, as far as the guard has kept it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountLine {
    /// What it had left, in credits.
    pub balance: Credits,
    /// When that was read. While a guard runs it is a minute or two ago.
    pub read_at: Timestamp,
    /// What left it in the last 24 hours: through the guard, and around it as far as that was found.
    pub spent_last_day: Credits,
    /// When it is empty at that pace; absent: never.
    pub runs_out_at: Option<Timestamp>,
}

/// How one budget stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BudgetLine {
    /// Its name.
    pub id: BudgetId,
    /// Only this team's calls, if it says so.
    pub team: Option<TeamId>,
    /// Only this key's calls, if it says so.
    pub key: Option<KeyId>,
    /// Only these operations, if it says so.
    pub operations: Option<BTreeSet<OperationName>>,
    /// Where its window begins; absent for a total.
    pub window_start: Option<Timestamp>,
    /// When room comes back by itself.
    pub resets_at: Option<Timestamp>,
    /// What settled and held together may not pass.
    pub limit: Credits,
    /// What was granted on top in this window.
    pub granted: Credits,
    /// What was charged.
    pub settled: Credits,
    /// What is held for calls that have not ended, those in doubt included.
    pub held: Credits,
    /// The part of `held` whose outcome is unknown.
    pub in_doubt: Credits,
    /// `enforce`, or `shadow`: it refuses nothing.
    pub mode: &'static str,
    /// What may still be held; below zero after an overrun or a lowered limit.
    pub remaining: Credits,
    /// When that is used up at the pace of the last 24 hours. Absent if it is not, before the window
    /// ends; and where the window is rolling, for it gives back what it takes.
    pub runs_out_at: Option<Timestamp>,
}

/// What one key spent on one operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SpendLine {
    /// Who paid.
    pub team: TeamId,
    /// With which key.
    pub key: KeyId,
    /// For what.
    pub operation: OperationName,
    /// Settled calls.
    pub calls: u64,
    /// What was charged, corrections included.
    pub settled: Credits,
}

/// What calls of one team and operation did not take, for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SavedLine {
    /// Who would have paid.
    pub team: TeamId,
    /// For what.
    pub operation: OperationName,
    /// Why nobody did: `replayed`, `joined`, `idempotent` or `database`.
    pub how: &'static str,
    /// How many calls.
    pub calls: u64,
    /// What they would have taken.
    pub credits: Credits,
}

/// One call that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HoldLine {
    /// Its hold: the number that `resolve` asks for.
    pub id: i64,
    /// Who pays.
    pub team: TeamId,
    /// Which key was used.
    pub key: KeyId,
    /// What was called.
    pub operation: OperationName,
    /// What is held.
    pub quote: Credits,
    /// When the call began.
    pub began_at: Timestamp,
    /// What it waits for.
    pub state: HoldState,
    /// The job it is bound to, or why it is in doubt.
    pub why: Option<String>,
}

/// What an open hold waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldState {
    /// Its answer.
    Live,
    /// The end of its bulk job.
    Job,
    /// Reconciliation or an operator.
    InDoubt,
}

impl HoldState {
    /// The words for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Job => "job",
            Self::InDoubt => "in doubt",
        }
    }
}

/// Makes the report from one unchanging view of the books.
///
/// # Errors
///
/// What the store says when it cannot be read.
pub fn spend_report(
    reader: &dyn Reader,
    budgets: &[Budget],
    period: Period,
    now: Timestamp,
) -> Result<SpendReport, StoreError> {
    let mut report = SpendReport {
        as_of: now,
        period,
        account: None,
        budgets: Vec::new(),
        spend: Vec::new(),
        saved: Vec::new(),
        holds: Vec::new(),
    };
    reader.in_one_view(&mut || {
        let pace = Pace::read(reader, now)?;
        let reading = Reading::kept(reader)?;
        report.account = reading.map(|reading| account_line(reading, &pace, now));
        let statuses = reader.budget_statuses(budgets, now)?;
        report.budgets = statuses
            .into_iter()
            .map(|status| budget_line(status, &pace, now))
            .collect();
        let spend = reader.spend(period.from, period.to)?;
        report.spend = spend.into_iter().map(SpendLine::from).collect();
        report.saved = saved(reader.savings(period.from, period.to)?);
        let open = reader.open_holds()?;
        let reasons = reasons(reader, &open)?;
        report.holds = open.into_iter().map(|hold| line(hold, &reasons)).collect();
        Ok(())
    })?;
    report.spend.sort_by(|one, other| {
        let place =
            |line: &SpendLine| (line.team.clone(), line.key.clone(), line.operation.clone());
        place(one).cmp(&place(other))
    });
    Ok(report)
}

fn account_line(reading: Reading, pace: &Pace, now: Timestamp) -> AccountLine {
    let spent = pace.of_account();
    AccountLine {
        balance: reading.balance,
        read_at: reading.started_at,
        spent_last_day: spent,
        runs_out_at: runs_out_at(reading.balance, spent, now),
    }
}

fn budget_line(status: BudgetStatus, pace: &Pace, now: Timestamp) -> BudgetLine {
    BudgetLine {
        remaining: status.headroom(),
        runs_out_at: pace.runs_out(&status, now),
        id: status.id,
        team: status.filter.team,
        key: status.filter.key,
        operations: status.filter.operations,
        window_start: status.window.start,
        resets_at: status.resets_at,
        limit: status.limit,
        granted: status.granted,
        settled: status.settled,
        held: status.held,
        in_doubt: status.in_doubt,
        mode: status.mode.as_str(),
    }
}

/// The days put together.
fn saved(savings: Vec<Saving>) -> Vec<SavedLine> {
    let mut sums: BTreeMap<_, (u64, Credits)> = BTreeMap::new();
    for saving in savings {
        let place = (saving.team, saving.operation, saving.how);
        let (calls, credits) = sums.entry(place).or_default();
        *calls = calls.saturating_add(saving.calls);
        *credits = credits.saturating_add(saving.credits);
    }
    let line = |((team, operation, how), (calls, credits)): ((_, _, SavedBy), _)| SavedLine {
        team,
        operation,
        how: how.as_str(),
        calls,
        credits,
    };
    sums.into_iter().map(line).collect()
}

impl From<Spend> for SpendLine {
    fn from(spend: Spend) -> Self {
        Self {
            team: spend.team,
            key: spend.key,
            operation: spend.operation,
            calls: spend.calls,
            settled: spend.settled,
        }
    }
}

fn line(open: OpenHold, reasons: &BTreeMap<HoldId, String>) -> HoldLine {
    let (state, why) = match (open.doubted_at, open.job) {
        (Some(_), _) => (HoldState::InDoubt, reasons.get(&open.hold).cloned()),
        (None, Some(job)) => (HoldState::Job, Some(format!("job {job}"))),
        (None, None) => (HoldState::Live, None),
    };
    HoldLine {
        id: open.hold.get(),
        team: open.origin.team,
        key: open.origin.key,
        operation: open.origin.operation,
        quote: open.quote,
        began_at: open.began_at,
        state,
        why,
    }
}

/// Why holds are in doubt, from the entries that put them there.
///
/// Those are found by their time of recording. Many share one (a restart doubts all at once), so
/// each moment is read once, not once a hold.
fn reasons(reader: &dyn Reader, open: &[OpenHold]) -> Result<BTreeMap<HoldId, String>, StoreError> {
    let mut wanted: BTreeMap<Timestamp, BTreeSet<HoldId>> = BTreeMap::new();
    for hold in open {
        if let Some(at) = hold.doubted_at {
            wanted.entry(at).or_default().insert(hold.hold);
        }
    }
    let mut found = BTreeMap::new();
    for (at, mut holds) in wanted {
        let after = at
            .checked_add(SignedDuration::from_micros(1))
            .unwrap_or(Timestamp::MAX);
        let mut seq = 0;
        while !holds.is_empty() {
            let page = reader.entries_recorded(at, after, seq, PAGE)?;
            let Some(last) = page.last() else {
                break;
            };
            seq = last.seq;
            for entry in page {
                if entry.kind == EntryKind::Doubted && holds.remove(&entry.hold) {
                    let why = entry.evidence.map(|note| note.to_string());
                    found.insert(entry.hold, why.unwrap_or_default());
                }
            }
        }
    }
    Ok(found)
}
