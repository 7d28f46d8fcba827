//! The answer to a dry run, in the guard's own shape.
//!
//! What it says of budgets is what a team may see of them ([`BudgetRow`]); of the account only
//! whether the call fits above its floor, and the figures a refusal would give if it does not.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::credits::Credits;
use crate::ids::OperationName;
use crate::ledger::{BudgetStatus, Considered, HoldError, Shortfall};
use crate::proxy::budget_row::BudgetRow;
use crate::proxy::exchange::Exchange;
use crate::proxy::refusal::Refusal;
use crate::proxy::short::{Short, budget_reason};
use crate::proxy::{Quoted, refusal_body, shadow};

const FITS: &str = "fits";

#[derive(Serialize)]
struct Page<'a> {
    dry_run: bool,
    request_id: &'a str,
    operation: &'a OperationName,
    /// `admitted`, `refused` or `free`.
    verdict: &'static str,
    quote: Option<Credits>,
    items: Option<u64>,
    refusal: Option<Refused>,
    /// Null where nothing is known of them.
    budgets: Option<Vec<Covering<'a>>>,
    account: Option<Account>,
    /// Limits that would let the call pass and mark it.
    shadow: Vec<Arc<str>>,
}

#[derive(Serialize)]
struct Refused {
    status_code: u16,
    code: &'static str,
    detail: String,
    retry_after: Option<u64>,
}

#[derive(Serialize)]
struct Covering<'a> {
    verdict: &'static str,
    #[serde(flatten)]
    row: BudgetRow<'a>,
}

#[derive(Serialize)]
struct Account {
    verdict: &'static str,
    #[serde(flatten)]
    figures: Option<Value>,
}

impl From<&Refusal> for Refused {
    fn from(refusal: &Refusal) -> Self {
        Self {
            status_code: refusal.status().as_u16(),
            code: refusal.reason(),
            detail: refusal.detail(),
            retry_after: refusal.retry_after().map(|wait| wait.as_secs()),
        }
    }
}

fn written(page: &Page<'_>) -> Vec<u8> {
    // Numbers and texts only: nothing in it can fail to be written.
    serde_json::to_vec(page).unwrap_or_default()
}

/// Of a call that takes nothing.
pub(super) fn free(
    exchange: &Exchange,
    operation: &OperationName,
    refused: Option<&Refusal>,
) -> Vec<u8> {
    written(&Page {
        dry_run: true,
        request_id: &exchange.request_id,
        operation,
        verdict: if refused.is_some() { "refused" } else { "free" },
        quote: None,
        items: None,
        refusal: refused.map(Refused::from),
        budgets: None,
        account: None,
        shadow: Vec::new(),
    })
}

/// Of a call that would be held. `first` is what would refuse it before its hold.
pub(super) fn charged(
    quoted: &Quoted,
    first: Option<Refusal>,
    considered: Result<Considered, HoldError>,
) -> Vec<u8> {
    let (error, known) = match considered {
        Ok(Considered {
            refused,
            shadow,
            budgets,
        }) => (refused, Some((shadow, budgets))),
        Err(error) => (Some(error), None),
    };
    let short = match &error {
        Some(HoldError::Short(short)) => Arc::clone(short),
        _ => Arc::default(),
    };
    let quote = quoted.quote.as_ref().map(|(quote, _)| quote);
    let (asked, items) = quote.map_or((Credits::ZERO, 0), |quote| (quote.amount, quote.items));
    let name = &quoted.operation.name;
    let from_hold = |error| Refusal::from_hold(error, name.clone(), asked, items);
    let refused = first.or_else(|| error.map(from_hold));
    let priority = quoted.client.team.priority;
    let marks = known
        .as_ref()
        .map(|(on_trial, _)| shadow::names(on_trial, &quoted.policy, priority));
    let budgets = known.as_ref().map(|(on_trial, budgets)| {
        let row = |status| covering(status, &short, on_trial);
        budgets.iter().map(row).collect()
    });
    let account = known.as_ref().map(|_| {
        let short = Short {
            shortfall: short,
            operation: name.clone(),
            asked,
            items,
        };
        let figures = refusal_body::account(&short);
        Account {
            verdict: short.account_reason().unwrap_or(FITS),
            figures: (!figures.is_null()).then_some(figures),
        }
    });
    written(&Page {
        dry_run: true,
        request_id: &quoted.exchange.request_id,
        operation: name,
        verdict: if refused.is_some() {
            "refused"
        } else {
            "admitted"
        },
        quote: Some(asked),
        items: Some(items),
        refusal: refused.as_ref().map(Refused::from),
        budgets,
        account,
        shadow: marks.unwrap_or_default(),
    })
}

/// A budget, and whether the call fits it. One in shadow that it does not fit says so too.
fn covering<'a>(status: &'a BudgetStatus, short: &Shortfall, on_trial: &Shortfall) -> Covering<'a> {
    let mut shorts = short.budgets.iter().chain(&on_trial.budgets);
    let found = shorts.find(|short| short.status.id == status.id);
    Covering {
        verdict: found.map_or(FITS, budget_reason),
        row: BudgetRow::of(status),
    }
}
