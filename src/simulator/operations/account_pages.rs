//! The account's own pages: balance, usage, transactions, tier (dossier section 3).

use std::collections::BTreeMap;
use std::fmt::Write;

use http::StatusCode;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::Call;
use crate::credits::Credits;
use crate::simulator::answer::Answer;
use crate::simulator::prices::Prices;
use crate::simulator::settings::TierPage;
use crate::simulator::transactions::{Row, Selection, moment, query_pairs, written};

/// Start of the UTC calendar month of `now`.
pub(super) fn month_start(now: Timestamp) -> Timestamp {
    now.to_zoned(TimeZone::UTC)
        .first_of_month()
        .and_then(|day| day.start_of_day())
        .map_or(now, |day: Zoned| day.timestamp())
}

/// `accounts/me`.
pub(super) fn me(call: &Call<'_>) -> Answer {
    let standing = call.account.standing(call.now);
    let balance = standing.shown(call.settings.balance_shown);
    let used: Credits = call
        .account
        .spent(month_start(call.now), Timestamp::MAX)
        .iter()
        .map(|spent| spent.3)
        .sum();
    let quote = if call.settings.balance_as_text {
        "\""
    } else {
        ""
    };
    Answer::plain(format!(
        "{{\"data\":{{\"id\":\"00000000-0000-4000-8000-000000000001\",\
         \"email\":\"ops@example.com\",\"name\":\"Pretend Account\",\"plan\":\"Pro\",\
         \"credits\":{{\"balance\":{quote}{balance}{quote},\"used_this_month\":{used},\
         \"monthly_limit\":10000}},\"preview_tier\":{}}}}}",
        call.settings.preview_free
    ))
}

/// `accounts/usage`: positive sums by operation, of this month or of the asked-for days.
pub(super) fn usage(call: &Call<'_>) -> Answer {
    let pairs = query_pairs(call.query);
    let asked = |name: &str| {
        let (_, value) = pairs.iter().rev().find(|(key, _)| key == name)?;
        Some(value.clone())
    };
    let from = asked("start_date").and_then(|text| moment(&text));
    let to = asked("end_date").and_then(|text| moment(&text));
    let month = asked("period_month").unwrap_or_else(|| {
        let today = call.now.to_zoned(TimeZone::UTC);
        today.strftime("%Y-%m").to_string()
    });
    let spent = call.account.spent(
        from.unwrap_or_else(|| month_start(call.now)),
        to.unwrap_or(Timestamp::MAX),
    );
    let mut breakdown: BTreeMap<&str, Credits> = BTreeMap::new();
    for (usage, _, _, amount) in &spent {
        let sum = breakdown.entry(usage).or_default();
        *sum = sum.saturating_add(*amount);
    }
    let total: Credits = breakdown.values().copied().sum();
    let mut label = String::new();
    crate::simulator::bodies::write_text(&month, &mut label);
    Answer::plain(format!(
        "{{\"data\":{{\"period\":{label},\"total_credits\":{total},\"breakdown\":{}}}}}",
        amounts(&breakdown)
    ))
}

/// A map of amounts as JSON.
pub(super) fn amounts(sums: &BTreeMap<&str, Credits>) -> String {
    let members: Vec<String> = sums
        .iter()
        .map(|(name, amount)| format!("\"{name}\":{amount}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// `accounts/transactions`, newest first, without count or next.
pub(super) fn transactions(call: &Call<'_>) -> Answer {
    let selection = Selection::of_v1(&query_pairs(call.query));
    let rows = call.account.rows(call.now);
    let rows = selection.matching(rows, call.settings, call.now);
    let page = selection.page(&rows, &call.settings.lists);
    let mut out = String::from("{\"data\":{\"transactions\":[");
    for (index, row) in page.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_row(row, &mut out);
    }
    out.push_str("]}}");
    dated(call, Answer::plain(out))
}

/// An answer with the upstream's own clock in it.
pub(super) fn dated(call: &Call<'_>, answer: Answer) -> Answer {
    let ahead = call.settings.lists.clock_ahead;
    let now = call.now.checked_add(ahead).unwrap_or(call.now);
    let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    answer.with_header("date", date)
}

fn write_row(row: &Row, out: &mut String) {
    // Writing to a text cannot fail. In v1 the balance type is always the platform (section 3.3).
    let _ = write!(
        out,
        "{{\"id\":\"{}\",\"timestamp\":\"{}\",\"type\":\"{}\",\"credits\":{},\
         \"details\":{{\"balance_type\":\"platform\",\"status\":\"{}\"}}}}",
        row.id(),
        written(row.created_at),
        row.kind,
        row.amount,
        row.status.name()
    );
}

/// `my-tier`: the account's own prices. None for resolve, as there is no field for it.
pub(super) fn my_tier(call: &Call<'_>) -> Answer {
    let said = match &call.settings.tier_page {
        TierPage::Prices => tier_prices(&call.settings.prices),
        TierPage::Says(json) => json.clone(),
        TierPage::Absent => return Answer::refusal(StatusCode::NOT_FOUND, "Not found."),
        TierPage::Forbidden => {
            let detail = "You do not have permission to perform this action.";
            return Answer::refusal(StatusCode::FORBIDDEN, detail);
        }
    };
    let tier = &call.settings.prices.tier;
    Answer::plain(format!(
        "{{\"current_tier\":{{\"name\":\"{tier}\",\"service_prices\":{said}}}}}"
    ))
}

fn tier_prices(prices: &Prices) -> String {
    format!(
        "{{\"api_cached\":{},\"api_realtime\":{},\"api_preview\":{},\
         \"api_email_finder\":{},\"api_email_validation\":{},\"phones\":{}}}",
        prices.database,
        prices.realtime,
        prices.preview,
        prices.email_find,
        prices.email_validate,
        prices.phone
    )
}
