//! What was too much: for budgets and the account, or for the client itself. The figures of such a
//! refusal and its words.

use std::sync::Arc;

use http::StatusCode;

use super::budget_row::is_shared;
use crate::credits::Credits;
use crate::ids::OperationName;
use crate::ledger::{AccountShort, BudgetShort, BudgetStatus, Shortfall};

/// What would have been too much: the request and what stood in its way.
#[derive(Debug)]
pub struct Short {
    /// Every budget, and perhaps the account, that had no room.
    pub shortfall: Arc<Shortfall>,
    /// The operation asked for.
    pub operation: OperationName,
    /// The most the call could have been charged.
    pub asked: Credits,
    /// Rows, items or records that quote stands for.
    pub items: u64,
}

/// More than the client allows: the call, and what it allows.
#[derive(Debug)]
pub struct AboveMax {
    /// The operation asked for.
    pub operation: OperationName,
    /// The most the call could have been charged.
    pub asked: Credits,
    /// The most its client allows.
    pub max: Credits,
    /// Rows, items or records that the quote stands for.
    pub items: u64,
    /// How many of them would have been within the maximum.
    pub items_that_fit: u64,
    /// What in the body bounds them, if anything does.
    pub bound: Option<String>,
}

impl AboveMax {
    pub(super) fn detail(&self) -> String {
        let fits = match (self.items_that_fit, &self.bound) {
            (items @ 1.., Some(bound)) => format!(
                "About {items} of the {} items asked for would fit ({bound}): ask for fewer, or allow more",
                self.items
            ),
            _ => "Allow more".into(),
        };
        format!(
            "This {} call can take up to {}, more than its guard-max-charge of {}, so it was not sent and nothing is held. {fits}.",
            self.operation, self.asked, self.max
        )
    }
}

impl Short {
    fn exhausted(&self) -> bool {
        self.shortfall.budgets.iter().any(|budget| budget.exhausted)
    }

    /// What no waiting mends comes first: a spent budget, then a low account, then the rest.
    pub(super) fn reason(&self) -> &'static str {
        match &self.shortfall.account {
            _ if self.exhausted() => "budget_exhausted",
            Some(AccountShort::Low { busy: false, .. }) => "account_low",
            Some(AccountShort::Stale { .. }) => "reading_stale",
            Some(AccountShort::Low { .. }) if self.shortfall.budgets.is_empty() => "account_busy",
            _ => "budget_busy",
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        match self.reason() {
            "budget_exhausted" | "account_low" => StatusCode::PAYMENT_REQUIRED,
            "reading_stale" => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// How many of the call's items would have fitted into `headroom`.
    pub fn items_that_fit(&self, headroom: Credits) -> u64 {
        let headroom = u64::try_from(headroom.micros()).unwrap_or(0);
        let asked = u64::try_from(self.asked.micros()).unwrap_or(0);
        if asked == 0 {
            return 0;
        }
        let fits = u128::from(headroom) * u128::from(self.items) / u128::from(asked);
        u64::try_from(fits).unwrap_or(u64::MAX).min(self.items)
    }

    /// Why the account stood in the way, if it did.
    pub fn account_reason(&self) -> Option<&'static str> {
        let account = self.shortfall.account.as_ref()?;
        Some(match account {
            AccountShort::Stale { .. } => "reading_stale",
            AccountShort::Low { busy: true, .. } => "account_busy",
            AccountShort::Low { busy: false, .. } => "account_low",
        })
    }

    pub(super) fn detail(&self) -> String {
        let mut parts = Vec::new();
        for budget in &self.shortfall.budgets {
            let status = &budget.status;
            let resets = match status.resets_at {
                Some(at) => format!(", resets at {at}"),
                None => ", never resets".into(),
            };
            let fits = status.headroom().max(Credits::ZERO);
            let rows = match self.items_that_fit(fits) {
                0 => String::new(),
                items if self.items > 1 => {
                    format!(" (about {items} of the {} items asked for)", self.items)
                }
                _ => String::new(),
            };
            parts.push(format!(
                "budget {}: limit {}, {}, this {} call can take up to {}{resets}; {fits} would fit{rows}",
                status.id,
                status.limit_with_grants(),
                taken(status),
                self.operation,
                self.asked,
            ));
        }
        if let Some(account) = &self.shortfall.account {
            parts.push(account_words(account));
        }
        let what = parts.join("; ");
        match self.reason() {
            "budget_exhausted" => format!("Insufficient funds in {what}."),
            "account_low" => format!("Insufficient funds in the account: {what}."),
            "reading_stale" => format!("Billable calls are held back: {what}."),
            _ => format!("No room at the moment, other calls hold it: {what}. Try again shortly."),
        }
    }
}

/// What was taken of a budget, where that is its team's own matter.
fn taken(status: &BudgetStatus) -> String {
    if is_shared(&status.filter) {
        "shared with other teams".into()
    } else {
        format!("settled {}, held {}", status.settled, status.held)
    }
}

/// Why this one budget stood in the way.
pub(super) fn budget_reason(short: &BudgetShort) -> &'static str {
    if short.exhausted {
        "budget_exhausted"
    } else {
        "budget_busy"
    }
}

fn account_words(account: &AccountShort) -> String {
    match account {
        AccountShort::Low {
            safe_to_spend,
            floor,
            asked,
            balance,
            read_at,
            ..
        } => format!(
            "account balance {balance} (read at {read_at}), safe to spend {safe_to_spend}, floor for this priority {floor}, asked {asked}"
        ),
        AccountShort::Stale { read_at: Some(at) } => {
            format!(
                "the account's balance was last read at {at}, which is too long ago (account.stale_after)"
            )
        }
        AccountShort::Stale { read_at: None } => {
            "the account's balance has not been read yet".into()
        }
    }
}
