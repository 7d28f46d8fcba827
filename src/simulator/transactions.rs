//! The transactions list: rows written as money moves, and the filters of both list endpoints.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::account::Cause;
use super::lists::{self, ListSettings};
use super::settings::SimulatorSettings;
use crate::credits::Credits;

/// Where a row stands (dossier section 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowStatus {
    /// Set aside for a call in flight.
    Pending,
    /// Settled.
    Success,
    /// Given back.
    Error,
}

impl RowStatus {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Success => "success",
            Self::Error => "error",
        }
    }
}

/// One row. Charges are negative, top-ups positive.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) number: usize,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) kind: Cow<'static, str>,
    pub(crate) balance_type: &'static str,
    pub(crate) amount: Credits,
    pub(crate) status: RowStatus,
    /// The amount while it was pending, with the same sign.
    pub(crate) set_aside: Credits,
    /// Not written yet: it will be, dated then, when it ends.
    pub(crate) hidden: bool,
    /// When it ceased to be pending. A row that no call caused never was.
    pub(crate) ended_at: Timestamp,
    /// Running total of the row's `balance_type`.
    pub(crate) after_balance: Credits,
    /// The request that caused it, where one did.
    pub(crate) request: Option<u64>,
}

impl Row {
    /// Its name in the v1 list.
    pub(crate) fn id(&self) -> String {
        format!("txn_{:08}", self.number)
    }
}

/// All rows, in order of their writing.
#[derive(Default)]
pub(crate) struct Rows {
    rows: Vec<Row>,
    totals: BTreeMap<&'static str, Credits>,
}

impl Rows {
    pub(crate) fn all(&self) -> &[Row] {
        &self.rows
    }

    /// Writes a charge of `amount` and answers its place.
    pub(crate) fn add(
        &mut self,
        cause: &Cause,
        amount: Credits,
        status: RowStatus,
        created_at: Timestamp,
        now: Timestamp,
    ) -> usize {
        let place = self.rows.len();
        let balance_type = if cause.legacy { cause.kind } else { "platform" };
        self.rows.push(Row {
            number: place + 1,
            created_at,
            updated_at: now,
            kind: Cow::Borrowed(cause.kind),
            balance_type,
            amount: Credits::ZERO.saturating_sub(amount),
            status: RowStatus::Pending,
            set_aside: Credits::ZERO.saturating_sub(amount),
            hidden: false,
            ended_at: Timestamp::MAX,
            after_balance: Credits::ZERO,
            request: Some(cause.request),
        });
        if status != RowStatus::Pending {
            self.end(place, amount, status, now);
        }
        place
    }

    /// Writes a movement that no call caused.
    pub(crate) fn add_plain(&mut self, kind: &'static str, amount: Credits, now: Timestamp) {
        self.rows.push(Row {
            number: self.rows.len() + 1,
            created_at: now,
            updated_at: now,
            kind: Cow::Borrowed(kind),
            balance_type: "platform",
            amount,
            status: RowStatus::Success,
            set_aside: amount,
            hidden: false,
            ended_at: Timestamp::MIN,
            after_balance: self.totals.get("platform").copied().unwrap_or_default(),
            request: None,
        });
    }

    /// The newest charged row of a kind becomes an error. Answers what it had taken.
    pub(crate) fn take_back(&mut self, kind: &str, now: Timestamp) -> Option<Credits> {
        let row = self.rows.iter_mut().rev().find(|row| {
            row.kind == kind && row.status == RowStatus::Success && row.amount.is_negative()
        })?;
        row.status = RowStatus::Error;
        row.updated_at = now;
        let total = self.totals.entry(row.balance_type).or_default();
        *total = total.saturating_sub(row.amount);
        Some(row.amount.magnitude())
    }

    /// Keeps a pending row from being seen until it ends.
    pub(crate) fn hide(&mut self, place: usize) {
        if let Some(row) = self.rows.get_mut(place) {
            row.hidden = true;
        }
    }

    /// Ends a pending row with the amount that was charged or given back.
    pub(crate) fn end(&mut self, place: usize, amount: Credits, status: RowStatus, now: Timestamp) {
        let Some(row) = self.rows.get_mut(place) else {
            return;
        };
        let total = self.totals.entry(row.balance_type).or_default();
        if status == RowStatus::Success {
            *total = total.saturating_sub(amount);
        }
        row.amount = Credits::ZERO.saturating_sub(amount);
        row.status = status;
        row.updated_at = now;
        row.ended_at = now;
        if std::mem::take(&mut row.hidden) {
            row.created_at = now;
        }
        row.after_balance = *total;
    }
}

/// One comparison of a query: field, relation and value. What cannot be read is no comparison.
#[derive(Clone, Debug)]
enum Condition {
    Created(Relation, Timestamp),
    Amount(Relation, Credits),
    AfterBalance(Relation, Credits),
    Status(String),
    BalanceType(String),
}

#[derive(Clone, Copy, Debug)]
enum Relation {
    Over,
    AtLeast,
    Under,
    AtMost,
    Equal,
}

impl Relation {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "gt" => Self::Over,
            "gte" => Self::AtLeast,
            "lt" => Self::Under,
            "lte" => Self::AtMost,
            "exact" => Self::Equal,
            _ => return None,
        })
    }

    fn holds<T: Ord>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Over => left > right,
            Self::AtLeast => left >= right,
            Self::Under => left < right,
            Self::AtMost => left <= right,
            Self::Equal => left == right,
        }
    }
}

/// A read query of either list endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    pub(crate) limit: usize,
    pub(crate) offset: usize,
    conditions: Vec<Condition>,
}

/// Page size when none is given, and the legacy maximum.
const PAGE: usize = 100;

impl Selection {
    /// Reads v1 parameters: a bare `status`, `credits` as another name of `amount`. A value that
    /// cannot be read is dropped without a word (dossier section 3.3).
    pub(crate) fn of_v1(pairs: &[(String, String)]) -> Self {
        Self::read(pairs, usize::MAX, |name| match name {
            "status" => Some(("status", "exact")),
            "balance_type" => Some(("balance_type", "exact")),
            _ => match name.split_once("__")? {
                (_, "exact") => None,
                ("credits", relation) => Some(("amount", relation)),
                pair => Some(pair),
            },
        })
    }

    /// Reads legacy parameters: `__exact` and `__range=x,y` too; at most 100 rows a page.
    pub(crate) fn of_legacy(pairs: &[(String, String)]) -> Self {
        Self::read(pairs, PAGE, |name| name.split_once("__"))
    }

    fn read(
        pairs: &[(String, String)],
        limit_max: usize,
        parts: impl Fn(&str) -> Option<(&str, &str)>,
    ) -> Self {
        let number = |name: &str| {
            let (_, value) = pairs.iter().rev().find(|(key, _)| key == name)?;
            value.parse::<usize>().ok()
        };
        let limit = number("limit").filter(|limit| *limit > 0).unwrap_or(PAGE);
        let mut conditions = Vec::new();
        for (name, value) in pairs {
            let Some((field, relation)) = parts(name) else {
                continue;
            };
            if relation == "range" {
                if let Some((from, to)) = value.split_once(',') {
                    conditions.extend(condition(field, "gte", from));
                    conditions.extend(condition(field, "lte", to));
                }
                continue;
            }
            conditions.extend(condition(field, relation, value));
        }
        Self {
            limit: limit.min(limit_max),
            offset: number("offset").unwrap_or(0),
            conditions,
        }
    }

    /// The rows that are shown at `now` and meet every condition, newest first, before paging.
    pub(crate) fn matching(
        &self,
        rows: Vec<Row>,
        settings: &SimulatorSettings,
        now: Timestamp,
    ) -> Vec<Row> {
        let mut rows = lists::shown(rows, settings, now);
        if settings.lists.filters_read {
            rows.retain(|row| self.conditions.iter().all(|condition| condition.holds(row)));
        }
        rows.sort_by_key(|row| std::cmp::Reverse((row.created_at, row.number)));
        rows
    }

    /// The rows of the page that was asked for.
    pub(crate) fn page<'a>(&self, rows: &'a [Row], lists: &ListSettings) -> &'a [Row] {
        let first = self.offset.saturating_sub(lists.page_shift);
        let rest = rows.get(first..).unwrap_or_default();
        let most = self.limit.min(lists.page_max);
        rest.get(..most).unwrap_or(rest)
    }
}

impl Condition {
    fn holds(&self, row: &Row) -> bool {
        match self {
            Self::Created(relation, moment) => relation.holds(&row.created_at, moment),
            Self::Amount(relation, amount) => relation.holds(&row.amount, amount),
            Self::AfterBalance(relation, amount) => relation.holds(&row.after_balance, amount),
            Self::Status(status) => row.status.name() == status,
            Self::BalanceType(name) => row.balance_type == name,
        }
    }
}

fn condition(field: &str, relation: &str, value: &str) -> Option<Condition> {
    let relation = Relation::named(relation)?;
    Some(match field {
        "created_at" => Condition::Created(relation, moment(value)?),
        "amount" => Condition::Amount(relation, Credits::parse_nearest(value).ok()?),
        "after_balance" => Condition::AfterBalance(relation, Credits::parse_nearest(value).ok()?),
        "status" => ["pending", "success", "error"]
            .contains(&value)
            .then(|| Condition::Status(value.to_owned()))?,
        "balance_type" => Condition::BalanceType(value.to_owned()),
        _ => return None,
    })
}

/// A moment in a query: with an offset, without one (then UTC), or a bare date (its midnight).
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    // In a query a plus is a blank, so `+00:00` arrives as ` 00:00`.
    let text = text.trim().replace(' ', "+");
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    let local = match text.parse::<DateTime>() {
        Ok(local) => local,
        Err(_) => text
            .parse::<Date>()
            .ok()?
            .to_datetime(jiff::civil::Time::MIN),
    };
    Some(local.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// A moment as the lists write it: UTC without an offset, fractions only when there are any.
pub(crate) fn written(moment: Timestamp) -> String {
    let local = moment.to_zoned(TimeZone::UTC).datetime();
    if local.subsec_nanosecond() == 0 {
        local.strftime("%Y-%m-%dT%H:%M:%S").to_string()
    } else {
        local.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string()
    }
}

/// The pairs of a query string, decoded.
pub(crate) fn query_pairs(query: Option<&str>) -> Vec<(String, String)> {
    let decoded = |text: &str| super::bodies::decoded(text.as_bytes());
    query
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_come_in_three_spellings_and_go_without_an_offset() {
        for text in [
            "2026-09-15",
            "2026-09-15T00:00:00",
            "2026-09-15T00:00:00Z",
            "2026-09-15T02:00:00+02:00",
            "2026-09-15T02:00:00 02:00",
        ] {
            let moment = moment(text).unwrap();
            assert_eq!(written(moment), "2026-09-15T00:00:00", "{text}");
        }
        assert_eq!(moment("yesterday"), None);
        let fine = moment("2026-09-15T10:30:00.1").unwrap();
        assert_eq!(written(fine), "2026-09-15T10:30:00.100000");
    }

    #[test]
    fn what_cannot_be_read_is_no_condition() {
        let pairs = query_pairs(Some(
            "created_at__gte=soon&status=lost&amount__lte=-0.1&x__y=1",
        ));
        let selection = Selection::of_v1(&pairs);
        assert_eq!(selection.conditions.len(), 1);
        assert_eq!((selection.limit, selection.offset), (100, 0));
    }
}
