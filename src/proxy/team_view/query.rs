//! What the query strings of usage and transactions ask for.
//!
//! A value that cannot be read is no condition, and the rest holds: that is what the upstream does
//! (dossier section 3.3), and what its clients are written for.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use super::rows::{Row, Status};
use crate::credits::Credits;

/// Rows of a page when nothing is said.
const PAGE: usize = 100;
/// Rows of the longest page.
const PAGE_MAX: usize = 1_000;
/// What the moment before another is earlier.
const INSTANT: SignedDuration = SignedDuration::from_micros(1);
/// The one kind of balance there is.
pub(super) const PLATFORM: &str = "platform";

/// The readable pairs of a query string; of a name that is given twice the last counts.
struct Pairs<'a>(BTreeMap<Cow<'a, str>, Cow<'a, str>>);

impl<'a> Pairs<'a> {
    fn read(query: Option<&'a str>) -> Self {
        let query = query.unwrap_or_default().as_bytes();
        Self(form_urlencoded::parse(query).collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(AsRef::as_ref)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Over,
    AtLeast,
    Under,
    AtMost,
}

impl Relation {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "gt" => Self::Over,
            "gte" => Self::AtLeast,
            "lt" => Self::Under,
            "lte" => Self::AtMost,
            _ => return None,
        })
    }

    fn holds<T: Ord>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Over => left > right,
            Self::AtLeast => left >= right,
            Self::Under => left < right,
            Self::AtMost => left <= right,
        }
    }
}

/// Which transactions, and which of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TransactionsQuery {
    /// The most rows of the page.
    pub(super) limit: usize,
    /// Matching rows before it.
    pub(super) offset: usize,
    status: Option<Status>,
    created: Vec<(Relation, Timestamp)>,
    credits: Vec<(Relation, Credits)>,
    balance_type: Option<String>,
}

impl TransactionsQuery {
    pub(super) fn read(query: Option<&str>) -> Self {
        let pairs = Pairs::read(query);
        let number = |name| pairs.get(name).and_then(|text| text.parse::<usize>().ok());
        let mut asked = Self {
            limit: number("limit").filter(|limit| *limit > 0).unwrap_or(PAGE),
            offset: number("offset").unwrap_or(0),
            status: pairs.get("status").and_then(Status::named),
            created: Vec::new(),
            credits: Vec::new(),
            balance_type: pairs.get("balance_type").map(str::to_owned),
        };
        asked.limit = asked.limit.min(PAGE_MAX);
        for (name, value) in &pairs.0 {
            let Some((field, relation)) = name.split_once("__") else {
                continue;
            };
            let Some(relation) = Relation::named(relation) else {
                continue;
            };
            match field {
                "created_at" => asked
                    .created
                    .extend(moment(value, &TimeZone::UTC).map(|at| (relation, at))),
                "amount" | "credits" => asked
                    .credits
                    .extend(Credits::parse_nearest(value).map(|amount| (relation, amount))),
                _ => {}
            }
        }
        asked
    }

    /// No earlier call is asked for.
    pub(super) fn from(&self) -> Option<Timestamp> {
        let lower = self
            .created
            .iter()
            .filter(|(relation, _)| matches!(relation, Relation::Over | Relation::AtLeast));
        lower.map(|(_, at)| *at).max()
    }

    /// Whether a row meets every condition.
    pub(super) fn wants(&self, row: &Row) -> bool {
        let created = |(relation, at): &(Relation, Timestamp)| relation.holds(&row.began_at, at);
        let credits =
            |(relation, amount): &(Relation, Credits)| relation.holds(&row.credits, amount);
        self.status.is_none_or(|status| status == row.status)
            && self
                .balance_type
                .as_ref()
                .is_none_or(|name| name == PLATFORM)
            && self.created.iter().all(created)
            && self.credits.iter().all(credits)
    }
}

/// A span of time and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UsageSpan {
    /// Its first moment.
    pub(super) from: Timestamp,
    /// The first moment after it.
    pub(super) to: Timestamp,
    /// The month it is called by, `YYYY-MM`.
    pub(super) label: String,
}

impl UsageSpan {
    /// The days from `start_date` to `end_date`, in `timezone`; without them the month named by
    /// `period_month`, and without that the one of `now`. A bare date is its midnight, as with
    /// the upstream's other dates. `period` is about a series that its answer does not have.
    pub(super) fn read(query: Option<&str>, now: Timestamp) -> Self {
        let pairs = Pairs::read(query);
        let zone = pairs
            .get("timezone")
            .and_then(|name| TimeZone::get(name).ok());
        let zone = zone.unwrap_or(TimeZone::UTC);
        let date = |name| pairs.get(name).and_then(|text| moment(text, &zone));
        let (start, end) = (date("start_date"), date("end_date"));
        let month = pairs.get("period_month").and_then(month);
        let last = end.map(|end| end.saturating_sub(INSTANT).unwrap_or(end));
        let beside = start.or(last).unwrap_or(now).to_zoned(zone.clone());
        let beside = beside.date().first_of_month();
        let first = month.unwrap_or(beside);
        let (from, to) = match (start, end) {
            (None, None) => {
                let next = first.checked_add(1.month()).unwrap_or(Date::MAX);
                (midnight(first, &zone), midnight(next, &zone))
            }
            (Some(start), end) => (start, end.unwrap_or(Timestamp::MAX)),
            (None, Some(end)) => (midnight(beside, &zone), end),
        };
        Self {
            from,
            to,
            label: first.strftime("%Y-%m").to_string(),
        }
    }
}

/// The first moment of the UTC month of `now`.
pub(super) fn month_start(now: Timestamp) -> Timestamp {
    let today = now.to_zoned(TimeZone::UTC).date();
    midnight(today.first_of_month(), &TimeZone::UTC)
}

fn midnight(day: Date, zone: &TimeZone) -> Timestamp {
    let first = day.to_datetime(Time::MIN).to_zoned(zone.clone());
    first.map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

/// The first day of `YYYY-MM`.
fn month(text: &str) -> Option<Date> {
    format!("{text}-01").parse().ok()
}

/// A moment: with an offset, without one (then as `zone` counts it), or a bare date.
fn moment(text: &str, zone: &TimeZone) -> Option<Timestamp> {
    // In a query a plus is a blank, so `+00:00` arrives as ` 00:00`.
    let text = text.trim().replace(' ', "+");
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    let local = match text.parse::<DateTime>() {
        Ok(local) => local,
        Err(_) => text.parse::<Date>().ok()?.to_datetime(Time::MIN),
    };
    Some(local.to_zoned(zone.clone()).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-15T12:00:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn row(began_at: &str, credits: &str, status: Status) -> Row {
        Row {
            hold: "7".parse().unwrap(),
            began_at: at(began_at),
            operation: "email_find".into(),
            key: "crm".into(),
            credits: credits.parse().unwrap(),
            status,
        }
    }

    /// Whether a call of ten credits at noon is asked for by a query.
    const WANTED: &[(&str, bool)] = &[
        ("", true),
        ("status=success", true),
        ("status=pending", false),
        ("status=lost", true),
        ("status=pending&status=success", true),
        ("created_at__gte=2026-11-15", true),
        ("created_at__gte=2026-11-15T12:00:00", true),
        ("created_at__gt=2026-11-15T12:00:00", false),
        ("created_at__lte=2026-11-15T12:00:00Z", true),
        ("created_at__lt=2026-11-15T12%3A00%3A00Z", false),
        ("created_at__lt=2026-11-15T14:00:01+02:00", true),
        ("created_at__lt=2026-11-15T14:00:00%2B02:00", false),
        ("created_at__gte=tomorrow", true),
        ("created_at__exact=2020-01-01", true),
        ("amount__lte=-10", true),
        ("amount__lt=-10", false),
        ("credits__gte=-10.0", true),
        ("credits__gt=-1e1", false),
        ("amount__gte=0", false),
        ("amount__gte=NaN", true),
        ("amount__gte=many", true),
        ("amount__range=1,2", true),
        ("after_balance__gte=1000", true),
        ("balance_type=platform", true),
        ("balance_type=leads_by_icp", false),
        ("amount__lte=-1&created_at__lt=2020-01-01", false),
        ("__=&=&&%zz=%ff&limit=&colour=red", true),
    ];

    #[test]
    fn every_condition_holds_and_what_cannot_be_read_is_none() {
        let row = row("2026-11-15T12:00:00Z", "-10", Status::Success);
        for (query, wanted) in WANTED {
            let asked = TransactionsQuery::read(Some(query));
            assert_eq!(asked.wants(&row), *wanted, "{query}");
        }
    }

    #[test]
    fn a_page_has_a_hundred_rows_unless_more_or_less_are_asked_for() {
        let of = |query: &str| {
            let asked = TransactionsQuery::read(Some(query));
            (asked.limit, asked.offset)
        };
        assert_eq!(of(""), (100, 0));
        assert_eq!(of("limit=7&offset=3"), (7, 3));
        assert_eq!(of("limit=1000000"), (1_000, 0));
        for unreadable in [
            "limit=0",
            "limit=-1&offset=-1",
            "limit=x&offset=1.5",
            "limit=99999999999999999999",
        ] {
            assert_eq!(of(unreadable), (100, 0), "{unreadable}");
        }
    }

    #[test]
    fn the_earliest_call_asked_for_bounds_the_look_back() {
        let from = |query| TransactionsQuery::read(Some(query)).from();
        assert_eq!(from("created_at__lte=2026-11-15"), None);
        let two = "created_at__gt=2026-11-02&created_at__gte=2026-11-03&created_at__lt=2026-11-09";
        assert_eq!(from(two), Some(at("2026-11-03T00:00:00Z")));
    }

    /// query | from | to | label
    const SPANS: &str = "
         | 2026-11-01T00:00:00Z | 2026-12-01T00:00:00Z | 2026-11
        period=week | 2026-11-01T00:00:00Z | 2026-12-01T00:00:00Z | 2026-11
        timezone=Europe/Kyiv | 2026-10-31T22:00:00Z | 2026-11-30T22:00:00Z | 2026-11
        timezone=Mars/Base | 2026-11-01T00:00:00Z | 2026-12-01T00:00:00Z | 2026-11
        period_month=2026-02 | 2026-02-01T00:00:00Z | 2026-03-01T00:00:00Z | 2026-02
        period_month=2026-13 | 2026-11-01T00:00:00Z | 2026-12-01T00:00:00Z | 2026-11
        period_month=2026-10&timezone=Europe%2FKyiv | 2026-09-30T21:00:00Z | 2026-10-31T22:00:00Z | 2026-10
        start_date=2026-05-01&end_date=2026-05-31 | 2026-05-01T00:00:00Z | 2026-05-31T00:00:00Z | 2026-05
        start_date=2026-05-01&end_date=2026-05-31T23:59:59 | 2026-05-01T00:00:00Z | 2026-05-31T23:59:59Z | 2026-05
        start_date=2026-05-01&end_date=2026-06-01&period_month=2026-04 | 2026-05-01T00:00:00Z | 2026-06-01T00:00:00Z | 2026-04
        end_date=2026-06-01 | 2026-05-01T00:00:00Z | 2026-06-01T00:00:00Z | 2026-05
        start_date=soon&end_date=later | 2026-11-01T00:00:00Z | 2026-12-01T00:00:00Z | 2026-11
    ";

    #[test]
    fn a_span_of_usage_is_days_or_a_month_in_a_zone() {
        for line in SPANS.lines().filter(|line| line.contains('|')) {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let span = UsageSpan::read(Some(cells[0]), at(NOW));
            let shown = [span.from.to_string(), span.to.to_string(), span.label];
            assert_eq!(shown, [cells[1], cells[2], cells[3]], "{}", cells[0]);
        }
        let open = UsageSpan::read(Some("start_date=2026-05-01"), at(NOW));
        assert_eq!(
            (open.from, open.to),
            (at("2026-05-01T00:00:00Z"), Timestamp::MAX)
        );
    }
}
