//! A budget as a team may see it: on its own page, in a dry run, and in a refusal.

use jiff::Timestamp;
use serde::Serialize;

use crate::credits::Credits;
use crate::ids::BudgetId;
use crate::ledger::{BudgetStatus, Filter};

/// One budget. Of one that several teams share only what is left: who took the rest, and how, is
/// theirs to know.
#[derive(Serialize)]
pub(super) struct BudgetRow<'a> {
    id: &'a BudgetId,
    mode: &'static str,
    shared: bool,
    limit: Credits,
    granted: Credits,
    #[serde(flatten)]
    taken: Option<Taken>,
    headroom: Credits,
    window_start: Option<Timestamp>,
    resets_at: Option<Timestamp>,
}

/// What was taken of a budget that one team has for itself.
#[derive(Serialize)]
pub(super) struct Taken {
    settled: Credits,
    held: Credits,
    in_doubt: Credits,
}

impl Taken {
    /// `None`: other teams share it.
    pub(super) fn of(status: &BudgetStatus) -> Option<Self> {
        (!is_shared(&status.filter)).then_some(Self {
            settled: status.settled,
            held: status.held,
            in_doubt: status.in_doubt,
        })
    }
}

impl<'a> BudgetRow<'a> {
    pub(super) fn of(status: &'a BudgetStatus) -> Self {
        Self {
            id: &status.id,
            mode: status.mode.as_str(),
            shared: is_shared(&status.filter),
            limit: status.limit,
            granted: status.granted,
            taken: Taken::of(status),
            headroom: status.headroom(),
            window_start: status.window.start,
            resets_at: status.resets_at,
        }
    }
}

/// Whether it counts calls of other teams too. A key belongs to one team.
pub(super) fn is_shared(filter: &Filter) -> bool {
    filter.team.is_none() && filter.key.is_none()
}
