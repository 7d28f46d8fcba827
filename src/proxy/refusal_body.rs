//! The body of a refusal: the upstream's own error envelope with added members.
//!
//! Written from its own types and not through a general JSON value: a client that is refused tends
//! to try again at once, and a refusal should be less work than a call.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::budget_row::{Taken, is_shared};
use super::exchange::Exchange;
use super::refusal::Refusal;
use super::short::{Short, budget_reason};
use crate::credits::Credits;
use crate::ids::BudgetId;
use crate::ledger::AccountShort;

/// Where the request's id goes.
const UNSIGNED: &[u8] = br#""request_id":"""#;
/// Room for a body of the usual length.
const BODY_BYTES: usize = 1_024;

/// The upstream's error envelope (dossier section 1.1) with our own members added.
#[derive(Serialize)]
struct Envelope<'a> {
    status: &'static str,
    status_code: u16,
    detail: String,
    code: &'static str,
    /// Written in at the end: it alone differs where the same is said again.
    request_id: &'static str,
    /// Only where there was no room, or the client allows less.
    #[serde(skip_serializing_if = "Option::is_none")]
    asked: Option<Credits>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_charge: Option<Credits>,
    #[serde(skip_serializing_if = "Option::is_none")]
    items_that_fit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    budgets: Option<Vec<BudgetRow<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<Value>,
}

#[derive(Serialize)]
struct BudgetRow<'a> {
    id: &'a BudgetId,
    shared: bool,
    limit: Credits,
    granted: Credits,
    /// Not of a budget that other teams share.
    #[serde(flatten)]
    taken: Option<Taken>,
    asked: Credits,
    would_fit: Credits,
    items_that_fit: u64,
    window_start: Option<Timestamp>,
    resets_at: Option<Timestamp>,
    reason: &'static str,
}

/// What a client reads: what failed, and what would fit.
pub(super) fn body(refusal: &Refusal, exchange: &Exchange) -> Vec<u8> {
    let unsigned = match refusal {
        Refusal::Short(short) => (short.shortfall.wording).of(short.items, || written(refusal)),
        _ => Cow::Owned(written(refusal)),
    };
    signed(&unsigned, &exchange.request_id)
}

/// Puts the request's id in its place. In no text before it can this be found: there its quotes
/// would be escaped.
fn signed(unsigned: &[u8], id: &str) -> Vec<u8> {
    let place = memchr::memmem::find(unsigned, UNSIGNED).map(|at| at + UNSIGNED.len() - 1);
    let (before, after) = unsigned.split_at(place.unwrap_or(unsigned.len()));
    [before, id.as_bytes(), after].concat()
}

fn written(refusal: &Refusal) -> Vec<u8> {
    let (short, above) = match refusal {
        Refusal::Short(short) => (Some(short), None),
        Refusal::AboveMaxCharge(above) => (None, Some(above)),
        _ => (None, None),
    };
    let asked = short.map(|short| short.asked);
    let envelope = Envelope {
        status: "error",
        status_code: refusal.status().as_u16(),
        detail: refusal.detail(),
        code: refusal.reason(),
        request_id: "",
        asked: asked.or(above.map(|above| above.asked)),
        max_charge: above.map(|above| above.max),
        items_that_fit: above.map(|above| above.items_that_fit),
        budgets: short.map(|short| budgets(short)),
        account: short.map(|short| account(short)),
    };
    let mut body = Vec::with_capacity(BODY_BYTES);
    // Numbers and texts only: nothing in it can fail to be written.
    let _ = serde_json::to_writer(&mut body, &envelope);
    body
}

fn budgets(short: &Short) -> Vec<BudgetRow<'_>> {
    let rows = short.shortfall.budgets.iter().map(|budget| {
        let status = &budget.status;
        let fits = status.headroom().max(Credits::ZERO);
        BudgetRow {
            id: &status.id,
            shared: is_shared(&status.filter),
            limit: status.limit,
            granted: status.granted,
            taken: Taken::of(status),
            asked: budget.asked,
            would_fit: fits,
            items_that_fit: short.items_that_fit(fits),
            window_start: status.window.start,
            resets_at: status.resets_at,
            reason: budget_reason(budget),
        }
    });
    rows.collect()
}

/// What stood in the way at the account, or null.
pub(super) fn account(short: &Short) -> Value {
    match &short.shortfall.account {
        None => Value::Null,
        Some(AccountShort::Stale { read_at }) => json!({
            "read_at": read_at.map(|at| at.to_string()),
            "reason": "reading_stale",
        }),
        Some(AccountShort::Low {
            safe_to_spend,
            floor,
            asked,
            balance,
            read_at,
            ..
        }) => {
            let fits = safe_to_spend.saturating_sub(*floor).max(Credits::ZERO);
            json!({
                "balance": balance,
                "read_at": read_at.to_string(),
                "safe_to_spend": safe_to_spend,
                "floor": floor,
                "asked": asked,
                "would_fit": fits,
                "items_that_fit": short.items_that_fit(fits),
                "reason": short.account_reason(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Wording;

    #[test]
    fn the_same_no_is_told_in_the_same_words_and_other_items_in_their_own() {
        let wording = Wording::default();
        let say = |items, words: &str| wording.of(items, || words.into()).into_owned();
        assert_eq!(say(3, "of three"), b"of three");
        assert_eq!(say(3, "never asked for"), b"of three");
        assert_eq!(say(5, "of five"), b"of five");
        assert_eq!(say(3, "never asked for"), b"of three");
        assert_eq!(
            wording.clone().of(3, || "anew".into()).into_owned(),
            b"anew"
        );
    }

    #[test]
    fn each_request_is_told_its_own_id_whatever_stands_before_it() {
        let detail = r#"a team named "request_id":"" asked"#;
        let unsigned = json!({"detail": detail})
            .to_string()
            .replace('}', r#","request_id":"","code":"x"}"#);
        for id in ["one", "another-1"] {
            let body: Value = serde_json::from_slice(&signed(unsigned.as_bytes(), id)).unwrap();
            assert_eq!(body["request_id"], id);
            assert_eq!(
                (&body["detail"], &body["code"]),
                (&json!(detail), &json!("x"))
            );
        }
    }
}
