//! `GET /_guard/budgets`: how the budgets over a key stand, and how long they last.
//!
//! Amounts are texts, as in refusals, so that no reader rounds them through a float.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use super::books::Outlook;
use crate::catalogue::Operation;
use crate::credits::Credits;
use crate::identity::Client;
use crate::ids::{KeyId, OperationName, TeamId};
use crate::ledger::{BudgetStatus, Filter};
use crate::proxy::budget_row::{BudgetRow, is_shared};

#[derive(Serialize)]
struct Page<'a> {
    team: &'a TeamId,
    key: &'a KeyId,
    /// The moment it shows, which may be a little ago.
    as_of: Timestamp,
    budgets: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    row: BudgetRow<'a>,
    window_end: Option<Timestamp>,
    /// Null: every one.
    operations: Option<&'a BTreeSet<OperationName>>,
    /// Absent on a budget that other teams share: their pace is theirs to know.
    #[serde(flatten)]
    forecast: Option<Forecast>,
}

#[derive(Serialize)]
struct Forecast {
    spent_last_day: Credits,
    /// Null: not before its window ends, or it gives back what it takes.
    runs_out_at: Option<Timestamp>,
}

/// The page for `client`: every budget that covers something the key may do.
pub(super) fn page<'a>(
    client: &Client,
    operations: impl Iterator<Item = &'a Operation>,
    outlook: &Outlook,
) -> Vec<u8> {
    let charged = operations.filter(|operation| operation.class.is_charged());
    let usable: Vec<&OperationName> = charged
        .map(|operation| &operation.name)
        .filter(|name| client.may_use(name))
        .collect();
    let covers = |filter: &Filter| {
        let (team, key) = (&client.team.id, &client.key);
        usable.iter().any(|name| filter.covers(team, key, name))
    };
    let over_key = outlook.budgets.iter().filter(|one| covers(&one.filter));
    let page = Page {
        team: &client.team.id,
        key: &client.key,
        as_of: outlook.at,
        budgets: over_key.map(|status| line(status, outlook)).collect(),
    };
    // Numbers and texts only: nothing in it can fail to be written.
    serde_json::to_vec(&page).unwrap_or_default()
}

fn line<'a>(status: &'a BudgetStatus, outlook: &Outlook) -> Line<'a> {
    let forecast = (!is_shared(&status.filter)).then(|| Forecast {
        spent_last_day: outlook.pace.of(&status.filter),
        runs_out_at: outlook.pace.runs_out(status, outlook.at),
    });
    Line {
        row: BudgetRow::of(status),
        window_end: status.window.end,
        operations: status.filter.operations.as_ref(),
        forecast,
    }
}
