//! The legacy account pages (dossier sections 3.3 to 3.5).

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::account_pages::{amounts, dated};
use super::{Call, invalid};
use crate::credits::Credits;
use crate::simulator::answer::Answer;
use crate::simulator::bodies::Complaints;
use crate::simulator::transactions::{RowStatus, Selection, query_pairs, written};

/// `users/me`: the balance, what is blocked of it, and running totals by operation.
pub(super) fn users_me(call: &Call<'_>) -> Answer {
    if call.method != Method::GET && call.method != Method::HEAD {
        return Answer::refusal(
            StatusCode::FORBIDDEN,
            "You do not have permission to perform this action.",
        );
    }
    let standing = call.account.standing(call.now);
    let balance = standing.shown(call.settings.balance_shown);
    let mut totals: BTreeMap<&str, Credits> = [
        "leads_by_icp",
        "companies_by_icp",
        "company_by_link",
        "lead_by_link",
        "email_finder",
        "email_verifier",
    ]
    .into_iter()
    .map(|kind| (kind, Credits::ZERO))
    .collect();
    for row in call.account.rows(call.now) {
        if let Some(total) = totals.get_mut(row.balance_type)
            && row.status == RowStatus::Success
        {
            *total = total.saturating_add(row.amount);
        }
    }
    let counters: Vec<String> = totals
        .iter()
        .map(|(kind, total)| format!("\"balance_{kind}\":{total},"))
        .collect();
    Answer::plain(format!(
        "{{{}\"balance_platform\":\"{balance}\",\"blocked_balance_platform\":{},\
         \"email\":\"ops@example.com\",\"full_name\":\"Pretend Account\",\"is_staff\":false,\
         \"max_credits\":10000,\"max_parallel_searches\":50,\"max_searches_daily\":1000,\
         \"count_searches_completed_today\":0,\"count_parallel_searches\":0,\
         \"subscription\":\"pro\",\"logo\":null}}",
        counters.concat(),
        standing.aside
    ))
}

/// The legacy list, with count, paging links and running totals.
pub(super) fn transactions(call: &Call<'_>) -> Answer {
    let selection = Selection::of_legacy(&query_pairs(call.query));
    let rows = call.account.rows(call.now);
    let rows = selection.matching(rows, call.settings, call.now);
    let (limit, offset) = (selection.limit, selection.offset);
    let results: Vec<String> = selection
        .page(&rows, &call.settings.lists)
        .iter()
        .map(|row| {
            format!(
                "{{\"id\":\"txn_{:08}\",\"created_at\":\"{}\",\"updated_at\":\"{}\",\
                 \"status\":\"{}\",\"balance_type\":\"{}\",\"amount\":{},\
                 \"description\":\"{}\",\"after_balance\":{}}}",
                row.number,
                written(row.created_at),
                written(row.updated_at),
                row.status.name(),
                row.balance_type,
                row.amount,
                row.kind,
                row.after_balance
            )
        })
        .collect();
    let page = |offset: usize| {
        let path = call.route.path;
        format!("\"https://api.example.com{path}?limit={limit}&offset={offset}\"")
    };
    let next = if offset.saturating_add(limit) < rows.len() {
        page(offset + limit)
    } else {
        "null".to_owned()
    };
    let previous = if offset == 0 {
        "null".to_owned()
    } else {
        page(offset.saturating_sub(limit))
    };
    let list = format!(
        "{{\"count\":{},\"limit\":{limit},\"max_limit\":100,\"offset\":{offset},\"next\":{next},\
         \"previous\":{previous},\"results\":[{}]}}",
        rows.len(),
        results.join(",")
    );
    dated(call, Answer::plain(list))
}

/// `spent_credits`: negative sums by period and path. Spend of v1 operations is the platform's.
pub(super) fn spent_credits(call: &Call<'_>) -> Answer {
    let pairs = query_pairs(call.query);
    let asked = |name: &str| {
        let found = pairs.iter().rev().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    let mut complaints = Complaints::default();
    let zone = TimeZone::get(asked("timezone"));
    let from = asked("start_date").parse::<Date>();
    let to = asked("end_date").parse::<Date>();
    let period = asked("period");
    for (name, readable) in [
        ("timezone", zone.is_ok()),
        ("period", period_start(period, Date::MIN).is_some()),
        ("start_date", from.is_ok()),
        ("end_date", to.is_ok()),
    ] {
        if !readable {
            complaints.add(name, "This field is required.");
        }
    }
    let (Ok(zone), Ok(from), Ok(to)) = (zone, from, to) else {
        return invalid(&complaints.detail());
    };
    if !complaints.is_empty() {
        return invalid(&complaints.detail());
    }
    let instant = |day: Date| {
        let start = day.to_datetime(Time::MIN).to_zoned(zone.clone());
        start.map_or(Timestamp::MAX, |start| start.timestamp())
    };
    let after = to.checked_add(1.day()).unwrap_or(to);
    let mut periods: BTreeMap<DateTime, BTreeMap<&str, Credits>> = BTreeMap::new();
    let mut total = Credits::ZERO;
    for (_, path, at, amount) in call.account.spent(instant(from), instant(after)) {
        let day = at.to_zoned(zone.clone()).date();
        let start = period_start(period, day).unwrap_or(day);
        let sums = periods.entry(start.to_datetime(Time::MIN)).or_default();
        let sum = sums.entry(spent_key(path)).or_default();
        *sum = sum.saturating_sub(amount);
        total = total.saturating_sub(amount);
    }
    let members: Vec<String> = periods
        .iter()
        .map(|(start, sums)| {
            let start = start.strftime("%Y-%m-%dT%H:%M:%S");
            format!("\"{start}\":{}", amounts(sums))
        })
        .collect();
    Answer::plain(format!(
        "{{\"spent_credits\":{{{}}},\"total_spent_credits\":{total}}}",
        members.join(",")
    ))
}

/// The key of a path: the older singular spelling of two of them, one word for all v1 paths.
fn spent_key(path: &'static str) -> &'static str {
    match path {
        "/api/linkedin/leads/by_link/" => "/api/linkedin/lead/by_link/",
        "/api/linkedin/companies/by_link/" => "/api/linkedin/company/by_link/",
        _ if path.starts_with("/api/linkedin/") => path,
        _ => "platform",
    }
}

/// First day of the period that holds `day`; `None` for a period that does not exist.
fn period_start(period: &str, day: Date) -> Option<Date> {
    let back = match period {
        "day" => return Some(day),
        "week" => i64::from(day.weekday().to_monday_zero_offset()),
        "month" => return Some(day.first_of_month()),
        "quarter" => {
            let month = (day.month() - 1) / 3 * 3 + 1;
            return Date::new(day.year(), month, 1).ok();
        }
        "year" => return Some(day.first_of_year()),
        _ => return None,
    };
    Some(day.checked_sub(back.days()).unwrap_or(day))
}
