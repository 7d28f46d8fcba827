//! The answer to a dry run, in the guard's own shape.
//!
//! What it says of budgets is what a team may see of them ([`BudgetRow`]); of the account only
//! whether the call fits above its floor, and the figures a refusal would give if it does not.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::credits::Credits;
use crate::ids::OperationName;
use crate::ledger::{BudgetStatus, Considered, HoldError, Shortfall};
use crate::proxy::budget_row::BudgetRow;
use crate::proxy::exchange::Exchange;
use crate::proxy::refusal::Refusal;
use crate::proxy::short::{Short, budget_reason};
use crate::proxy::slots::{Prospect, Would};
use crate::proxy::{Quoted, refusal_body, shadow};

const FITS: &str = "fits";

#[derive(Serialize)]
struct Page<'a> {
    dry_run: bool,
    request_id: &'a str,
    operation: &'a OperationName,
    /// `admitted`, `refused` or `free`; `replayed` or `joined` where it would be given the answer of
    /// another.
    verdict: &'static str,
    quote: Option<Credits>,
    items: Option<u64>,
    refusal: Option<Refused>,
    /// Null where nothing is known of them.
    budgets: Option<Vec<Covering<'a>>>,
    account: Option<Account>,
    /// Null where the upstream has no cap on such calls.
    slot: Option<SlotRow<'a>>,
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

/// What a call would meet before its hold.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// What would refuse it there.
    pub(super) refused: Option<Refusal>,
    /// How it would be answered without being made.
    pub(super) kept: Option<&'static str>,
    /// The slots it needs one of.
    pub(super) slot: Option<Prospect>,
}

#[derive(Serialize)]
struct SlotRow<'a> {
    verdict: &'static str,
    family: &'a str,
    cap: u32,
    waiting: usize,
    /// In whole seconds. Null: none was freed of late.
    expected_wait_s: Option<u64>,
}

impl<'a> SlotRow<'a> {
    fn of(foreseen: &'a Prospect) -> Self {
        let standing = &foreseen.standing;
        let expected = standing.expected;
        let (verdict, expected) = match foreseen.would {
            Would::Pass => (FITS, Some(Duration::ZERO)),
            Would::Wait => ("waits", expected),
            Would::BeRefused => ("slots_full", expected),
        };
        Self {
            verdict,
            family: &foreseen.family,
            cap: standing.cap,
            waiting: standing.waiting,
            expected_wait_s: expected
                .map(|wait| wait.as_millis().div_ceil(1_000))
                .map(whole),
        }
    }
}

fn whole(seconds: u128) -> u64 {
    u64::try_from(seconds).unwrap_or(u64::MAX)
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
pub(super) fn free(exchange: &Exchange, operation: &OperationName, ahead: Ahead) -> Vec<u8> {
    written(&Page {
        dry_run: true,
        request_id: &exchange.request_id,
        operation,
        verdict: verdict(ahead.refused.as_ref(), &ahead, "free"),
        quote: None,
        items: None,
        refusal: ahead.refused.as_ref().map(Refused::from),
        budgets: None,
        account: None,
        slot: ahead.slot.as_ref().map(SlotRow::of),
        shadow: Vec::new(),
    })
}

fn verdict(refused: Option<&Refusal>, ahead: &Ahead, otherwise: &'static str) -> &'static str {
    let refused = refused.map(|_| "refused");
    refused.or(ahead.kept).unwrap_or(otherwise)
}

/// Of a call that would be held, if it is made.
pub(super) fn charged(
    quoted: &Quoted,
    mut ahead: Ahead,
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
    let later = error.filter(|_| ahead.kept.is_none()).map(from_hold);
    let refused = ahead.refused.take().or(later);
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
        verdict: verdict(refused.as_ref(), &ahead, "admitted"),
        quote: Some(asked),
        items: Some(items),
        refusal: refused.as_ref().map(Refused::from),
        budgets,
        account,
        slot: ahead.slot.as_ref().map(SlotRow::of),
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
