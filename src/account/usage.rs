//! Sums of what was taken, by operation: the account's own cross-check of single rows.
//!
//! `GET /api/v1/accounts/usage/` has positive numbers by a handful of keys,
//! `GET /api/auth/transactions/spent_credits/` negative ones by path (dossier sections 3.2 and
//! 3.4). Neither says its unit, its lag, or whether what is pending is in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::client::AccountClient;
use super::error::AccountError;
use super::json::{amount, document, members, object, printable};
use crate::credits::Credits;
use crate::secret::Secret;

const USAGE_PATH: &str = "/api/v1/accounts/usage/";
const SPENT_PATH: &str = "/api/auth/transactions/spent_credits/";
const BYTES_MAX: usize = 1024 * 1024;
const NAME_BYTES_MAX: usize = 128;

/// What was taken, by key.
pub type Sums = BTreeMap<Arc<str>, Credits>;

/// What `accounts/usage/` says of a span.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// By the upstream's key, above zero for what was taken. Only five keys are documented.
    pub breakdown: Sums,
    /// The sum it states.
    pub total: Option<Credits>,
    /// The keys whose amounts cannot be read. They are in no sum of ours.
    pub unreadable: Vec<String>,
}

/// What `spent_credits` says of some days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// By UTC day and path, above zero for what was taken. Spend of v1 operations stands under the
    /// bare word `platform`.
    pub days: BTreeMap<Date, Sums>,
    /// What cannot be read: days, or paths of a day. They are in no sum of ours.
    pub unreadable: Vec<String>,
}

impl Spent {
    /// The sums of all days.
    pub fn by_path(&self) -> Sums {
        let mut sums = Sums::new();
        for (path, amount) in self.days.values().flatten() {
            let sum = sums.entry(Arc::clone(path)).or_default();
            *sum = sum.saturating_add(*amount);
        }
        sums
    }
}

impl AccountClient {
    /// Asks what was taken from `from` to before `to`. Whole UTC days are safest: how the upstream
    /// reads a moment within a day is not documented.
    ///
    /// # Errors
    /// Every [`AccountError`]. A key whose amount cannot be read is none.
    pub async fn usage(&self, from: Timestamp, to: Timestamp) -> Result<Usage, AccountError> {
        let query = [
            ("timezone", "UTC".to_owned()),
            ("period", "day".to_owned()),
            ("start_date", day_or_moment(from)),
            ("end_date", last_moment(to)),
        ];
        let answered = self.transport.page(USAGE_PATH, &query, BYTES_MAX).await?;
        read_usage(&answered.body, self.transport.token())
    }

    /// Asks what was taken on the UTC days from `first` to `last`, both included.
    ///
    /// # Errors
    /// Every [`AccountError`]. A day or a path that cannot be read is none.
    pub async fn spent(&self, first: Date, last: Date) -> Result<Spent, AccountError> {
        let query = [
            ("timezone", "UTC".to_owned()),
            ("period", "day".to_owned()),
            ("start_date", first.to_string()),
            ("end_date", last.to_string()),
        ];
        let answered = self.transport.page(SPENT_PATH, &query, BYTES_MAX).await?;
        read_spent(&answered.body, self.transport.token())
    }
}

/// A midnight as its date, which every reading of the parameter takes for that midnight.
fn day_or_moment(moment: Timestamp) -> String {
    let local = moment.to_zoned(TimeZone::UTC).datetime();
    if local == local.date().to_datetime(jiff::civil::Time::MIN) {
        local.date().to_string()
    } else {
        local.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string()
    }
}

/// The last moment before `to`. A bare date at the end may mean its midnight or all of the day;
/// this means the same to both (dossier sections 3.3 and 3.6).
fn last_moment(to: Timestamp) -> String {
    let last = to.checked_sub(SignedDuration::from_micros(1));
    let local = last.unwrap_or(to).to_zoned(TimeZone::UTC).datetime();
    local.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

#[derive(Deserialize)]
struct UsageEnvelope<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct UsageData<'a> {
    #[serde(borrow)]
    breakdown: &'a RawValue,
    #[serde(borrow)]
    total_credits: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct SpentEnvelope<'a> {
    #[serde(borrow)]
    spent_credits: &'a RawValue,
}

type Named<'a> = BTreeMap<String, &'a RawValue>;

/// What a page of usage says, without the account's `token`. A key whose amount cannot be read is no error.
///
/// # Errors
/// [`AccountError`]: the page is not such a page.
pub fn read_usage(body: &[u8], token: &Secret) -> Result<Usage, AccountError> {
    const WHAT: &str = "data.breakdown";
    let envelope: UsageEnvelope = object(document(body)?, WHAT)?;
    let data: UsageData = object(envelope.data, WHAT)?;
    let named: Named = object(data.breakdown, WHAT)?;
    let mut usage = Usage {
        total: data
            .total_credits
            .and_then(|raw| amount(raw, Credits::parse_nearest).ok()),
        ..Usage::default()
    };
    for (key, raw) in named {
        let key = printable(&key, NAME_BYTES_MAX, token);
        match amount(raw, Credits::parse_nearest) {
            Ok(amount) => add(&mut usage.breakdown, &key, amount),
            Err(_) => usage.unreadable.push(key),
        }
    }
    Ok(usage)
}

/// What a page of `spent_credits` says, without the account's `token`. A day or a path that cannot be read is no error.
///
/// # Errors
/// [`AccountError`]: the page is not such a page.
pub fn read_spent(body: &[u8], token: &Secret) -> Result<Spent, AccountError> {
    const WHAT: &str = "spent_credits";
    let envelope: SpentEnvelope = object(document(body)?, WHAT)?;
    let periods: Named = object(envelope.spent_credits, WHAT)?;
    let mut spent = Spent::default();
    for (start, raw) in periods {
        let day = start.parse::<DateTime>().map(DateTime::date);
        let (Ok(day), Some(named)) = (day, members::<Named>(raw)) else {
            spent
                .unreadable
                .push(printable(&start, NAME_BYTES_MAX, token));
            continue;
        };
        let sums = spent.days.entry(day).or_default();
        for (path, raw) in named {
            let path = printable(&path, NAME_BYTES_MAX, token);
            match amount(raw, Credits::parse_nearest) {
                // What was taken is below zero here.
                Ok(amount) => add(sums, &path, Credits::ZERO.saturating_sub(amount)),
                Err(_) => spent.unreadable.push(format!("{day} {path}")),
            }
        }
    }
    Ok(spent)
}

fn add(sums: &mut Sums, key: &str, amount: Credits) {
    let sum = sums.entry(key.into()).or_default();
    *sum = sum.saturating_add(amount);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_usage(body: &[u8]) -> Result<Usage, AccountError> {
        super::read_usage(body, &Secret::new(b"s3cret-token"))
    }

    fn read_spent(body: &[u8]) -> Result<Spent, AccountError> {
        super::read_spent(body, &Secret::new(b"s3cret-token"))
    }

    fn shown(sums: &Sums) -> Vec<String> {
        let shown = |(key, amount): (&Arc<str>, &Credits)| format!("{key} {amount}");
        sums.iter().map(shown).collect()
    }

    #[test]
    fn usage_is_a_map_of_any_keys_and_what_is_no_amount_is_named() {
        let usage = read_usage(
            br#"{"data": {"period": "2026-09", "total_credits": "12.86", "breakdown":
            {"search_database": 6.2, "email_find": "0.86", "phone": -0.4, "new": null,
             "far": 1e90, "odd": {"a": 1}}, "series": []}}"#,
        )
        .unwrap();
        assert_eq!(
            shown(&usage.breakdown),
            ["email_find 0.86", "phone -0.4", "search_database 6.2"]
        );
        assert_eq!(usage.unreadable, ["far", "new", "odd"]);
        assert_eq!(usage.total.unwrap().to_string(), "12.86");
        let missing = Err(AccountError::Missing("data.breakdown"));
        for wrong in ["{}", r#"{"data":{"breakdown":[]}}"#, r#"{"data":null}"#] {
            assert_eq!(read_usage(wrong.as_bytes()), missing, "{wrong}");
        }
        assert_eq!(read_usage(b"<p>"), Err(AccountError::NotJson));
    }

    #[test]
    fn spent_credits_are_turned_round_and_summed_by_path() {
        let spent = read_spent(
            br#"{"spent_credits": {
                "2026-09-01T00:00:00": {"/api/linkedin/leads/by_icp/": -40.0, "platform": -12.5},
                "2026-09-02": {"platform": -0.02, "refunds": 3, "odd": "x"},
                "soon": {"platform": -1}, "2026-09-03T00:00:00": 7},
             "total_spent_credits": -52.0}"#,
        )
        .unwrap();
        assert_eq!(
            shown(&spent.by_path()),
            [
                "/api/linkedin/leads/by_icp/ 40",
                "platform 12.52",
                "refunds -3"
            ]
        );
        assert_eq!(spent.days.len(), 2);
        let odd = ["2026-09-02 odd", "2026-09-03T00:00:00", "soon"];
        assert_eq!(spent.unreadable, odd);
    }

    #[test]
    fn the_token_stands_in_no_key_and_no_day() {
        let usage =
            read_usage(br#"{"data": {"breakdown": {"s3cret-token": 1, "no s3cret-token": null}}}"#)
                .unwrap();
        assert_eq!(shown(&usage.breakdown), ["xxxxxxxxxxxx 1"]);
        assert_eq!(usage.unreadable, ["no xxxxxxxxxxxx"]);
        let spent = read_spent(
            br#"{"spent_credits": {"2026-09-01": {"s3cret-token": -1, "no s3cret-token": null},
                "s3cret-token": {}}}"#,
        )
        .unwrap();
        assert_eq!(shown(&spent.by_path()), ["xxxxxxxxxxxx 1"]);
        let unreadable = ["2026-09-01 no xxxxxxxxxxxx", "xxxxxxxxxxxx"];
        assert_eq!(spent.unreadable, unreadable);
    }

    #[test]
    fn the_last_moment_of_a_day_is_that_day_however_it_is_read() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        assert_eq!(day_or_moment(at("2026-09-15T00:00:00Z")), "2026-09-15");
        assert_eq!(
            day_or_moment(at("2026-09-15T10:30:00Z")),
            "2026-09-15T10:30:00.000000"
        );
        assert_eq!(
            last_moment(at("2026-09-16T00:00:00Z")),
            "2026-09-15T23:59:59.999999"
        );
    }
}
