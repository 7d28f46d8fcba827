//! What the account says of itself.

use generect_guard::account::{read_balance, read_rows, read_spent, read_tier, read_usage};
use generect_guard::credits::Credits;
use generect_guard::secret::Secret;
use generect_guard::transaction::TransactionSource;
use serde::de::IgnoredAny;

use super::json::Json;

const TOKEN: &str = "5ec2e7a1b0c94d3f";

fn token() -> Secret {
    Secret::new(TOKEN.as_bytes())
}

/// The page, in which one byte stands for the token, so that it is met often.
fn with_the_token(page: &[u8]) -> Vec<u8> {
    let pieces: Vec<&[u8]> = page.split(|byte| *byte == 1).collect();
    pieces.join(TOKEN.as_bytes())
}

/// A text that goes into the books, the log and reports.
fn is_fit_to_keep(text: &str) -> bool {
    !text.contains(char::is_control) && !text.contains(TOKEN)
}

/// The array that a list's rows stand in, as another parser finds it.
fn rows_of(source: TransactionSource, page: &[u8]) -> Option<usize> {
    let root = Json::read(page)?;
    let list = match source {
        TransactionSource::V1 => root.all("data").last()?.all("transactions"),
        TransactionSource::Legacy => root.all("results"),
    };
    match list.last()? {
        Json::List(rows) => Some(rows.len()),
        _ => None,
    }
}

fn list(source: TransactionSource, page: &[u8]) {
    let Ok(rows) = read_rows(source, page, &token()) else {
        return;
    };
    if let Some(count) = rows_of(source, page) {
        assert_eq!(rows.len(), count);
    }
    for row in rows.iter().flatten() {
        assert_eq!(row.id.source, source);
        let id = &row.id.id;
        assert!(
            !id.is_empty() && id.len() <= 256 && is_fit_to_keep(id),
            "{id:?}"
        );
        assert!(is_fit_to_keep(&row.kind), "{:?}", row.kind);
    }
    let unreadable = rows.iter().filter_map(|row| row.as_ref().err());
    for id in unreadable.filter_map(|row| row.id.as_deref()) {
        assert!(is_fit_to_keep(id), "{id:?}");
    }
}

pub fn run(input: &[u8]) {
    let Some((which, page)) = input.split_first() else {
        return;
    };
    let page = &with_the_token(page);
    let understood = match which % 6 {
        0 => read_balance(page).is_ok(),
        1 => read_tier(page, &token()).is_ok_and(|tier| {
            let most = Credits::from_micros(1_000_000_000);
            let mut prices = tier.prices.values();
            assert!(
                prices.all(|price| Credits::ZERO < *price && *price <= most),
                "{tier:?}"
            );
            let named = tier.prices.keys().chain(tier.faults.keys());
            let mut named = named.chain(&tier.tier);
            assert!(named.all(|name| is_fit_to_keep(name)), "{tier:?}");
            true
        }),
        2 => read_usage(page, &token()).is_ok_and(|usage| {
            let names = usage.breakdown.keys().map(AsRef::as_ref);
            let mut names = names.chain(usage.unreadable.iter().map(String::as_str));
            assert!(names.all(is_fit_to_keep), "{usage:?}");
            true
        }),
        3 => read_spent(page, &token()).is_ok_and(|spent| {
            let sums = spent.by_path();
            let names = sums.keys().map(AsRef::as_ref);
            let mut names = names.chain(spent.unreadable.iter().map(String::as_str));
            assert!(names.all(is_fit_to_keep), "{spent:?}");
            true
        }),
        4 => {
            list(TransactionSource::V1, page);
            return;
        }
        _ => {
            list(TransactionSource::Legacy, page);
            return;
        }
    };
    let document = std::str::from_utf8(page).map(serde_json::from_str::<IgnoredAny>);
    assert!(
        !understood || matches!(document, Ok(Ok(_))),
        "no JSON, and read all the same"
    );
}
