//! What the account says of itself.

use generect_guard::account::{read_balance, read_rows, read_spent, read_tier, read_usage};
use generect_guard::credits::Credits;
use generect_guard::transaction::TransactionSource;
use serde::de::IgnoredAny;

use super::json::Json;

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
    let Ok(rows) = read_rows(source, page) else {
        return;
    };
    if let Some(count) = rows_of(source, page) {
        assert_eq!(rows.len(), count);
    }
    for row in rows.iter().flatten() {
        assert_eq!(row.id.source, source);
        let id = &row.id.id;
        assert!(
            !id.is_empty() && id.len() <= 256 && !id.contains(char::is_control),
            "{id:?}"
        );
        assert!(!row.kind.contains(char::is_control), "{:?}", row.kind);
    }
}

pub fn run(input: &[u8]) {
    let Some((which, page)) = input.split_first() else {
        return;
    };
    let understood = match which % 6 {
        0 => read_balance(page).is_ok(),
        1 => read_tier(page).is_ok_and(|tier| {
            let most = Credits::from_micros(1_000_000_000);
            let mut prices = tier.prices.values();
            assert!(
                prices.all(|price| Credits::ZERO < *price && *price <= most),
                "{tier:?}"
            );
            true
        }),
        2 => read_usage(page).is_ok_and(|usage| {
            let names = usage.breakdown.keys().map(AsRef::as_ref);
            let mut names = names.chain(usage.unreadable.iter().map(String::as_str));
            assert!(
                !names.any(|name: &str| name.contains(char::is_control)),
                "{usage:?}"
            );
            true
        }),
        3 => read_spent(page).is_ok_and(|spent| {
            let _ = spent.by_path();
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
