//! The account's own pages: balance, usage, transactions, tier (dossier section 3).

use std::collections::BTreeMap;
use std::fmt::Write;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::Call;
use crate::credits::Credits;
use crate::simulator::answer::Answer;
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
    let rows = selection.matching(rows, call.settings.transaction_delay, call.now);
    let mut out = String::from("{\"data\":{\"transactions\":[");
    for (index, row) in rows
        .iter()
        .skip(selection.offset)
        .take(selection.limit)
        .enumerate()
    {
        if index > 0 {
            out.push(',');
        }
        write_row(row, &mut out);
    }
    out.push_str("]}}");
    Answer::plain(out)
}

fn write_row(row: &Row, out: &mut String) {
    // Writing to a text cannot fail. In v1 the balance type is always the platform (section 3.3).
    let _ = write!(
        out,
        "{{\"id\":\"txn_{:08}\",\"timestamp\":\"{}\",\"type\":\"{}\",\"credits\":{},\
         \"details\":{{\"balance_type\":\"platform\",\"status\":\"{}\"}}}}",
        row.number,
        written(row.created_at),
        row.kind,
        row.amount,
        row.status.name()
    );
}

/// `my-tier`: the account's own prices. None for resolve, as there is no field for it.
pub(super) fn my_tier(call: &Call<'_>) -> Answer {
    let prices = &call.settings.prices;
    Answer::plain(format!(
        "{{\"current_tier\":{{\"name\":\"{}\",\"service_prices\":{{\"api_cached\":{},\
         \"api_realtime\":{},\"api_preview\":{},\"api_email_finder\":{},\
         \"api_email_validation\":{},\"phones\":{}}}}}}}",
        prices.tier,
        prices.database,
        prices.realtime,
        prices.preview,
        prices.email_find,
        prices.email_validate,
        prices.phone
    ))
}
