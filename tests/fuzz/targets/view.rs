//! What the pages of a team's own books are asked for: queries that cut one list in different ways must
//! agree.

use std::sync::LazyLock;

use generect_guard::credits::Credits;
use generect_guard::ledger::{Entry, EntryKind, MemoryStore, Store};
use http::uri::PathAndQuery;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::guard::{KEY, answers, talk_over};
use super::strict::Said;

/// Calls of the team, each three hours after the one before.
const CALLS: i64 = 60;
const PAGES: [&str; 2] = ["/api/v1/accounts/transactions/", "/api/v1/accounts/usage/"];

static BOOKS: LazyLock<MemoryStore> = LazyLock::new(|| {
    let mut store = MemoryStore::new();
    let start: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
    let mut entries = Vec::new();
    for call in 0..CALLS {
        let at = start + SignedDuration::from_hours(3 * call);
        let hold = entries.len() + 1;
        let entry = |seq: usize, kind| Entry {
            seq: i64::try_from(seq).unwrap(),
            kind,
            hold: hold.to_string().parse().unwrap(),
            began_at: at,
            recorded_at: at,
            team: if call % 7 == 6 { "sales" } else { "growth" }.into(),
            key: "crm".into(),
            operation: ["email_find", "search_database_leads"][hold % 2].into(),
            amount: Credits::from_micros(1_000 * call + 1),
            job: None,
            budget: None,
            fingerprint: None,
            evidence: None,
        };
        entries.push(entry(hold, EntryKind::Held));
        let kind = match call % 5 {
            0 => continue,
            1 => EntryKind::Released,
            _ => EntryKind::Settled,
        };
        entries.push(entry(hold + 1, kind));
    }
    store.append(&entries).unwrap();
    store
});

/// Asks for all of them on one connection.
fn ask(targets: &[String]) -> Vec<Value> {
    let request = |target: &String| {
        format!("GET {target} HTTP/1.1\r\nHost: g\r\nAuthorization: Token {KEY}\r\n\r\n")
    };
    let says: String = targets.iter().map(request).collect();
    let nothing = |_: &_| Said {
        bytes: Vec::new(),
        is_last: true,
    };
    // The books are not written: what was in doubt at a start would be told of.
    let ended = talk_over(
        &copy_of_books(),
        says.into_bytes(),
        (64 << 10, false),
        nothing,
    );
    assert!(ended.seen.requests.is_empty(), "{:?}", ended.seen);
    let answers = answers(&ended.heard, false);
    assert_eq!(answers.len(), targets.len(), "{answers:?}");
    let read = |answer: &super::guard::Answer| {
        assert_eq!(answer.status, 200, "{answer:?}");
        serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{answer:?}"))
    };
    answers.iter().map(read).collect()
}

fn copy_of_books() -> MemoryStore {
    let mut copy = MemoryStore::new();
    let all = generect_guard::ledger::Reader::entries(&*BOOKS, 0, usize::MAX).unwrap();
    copy.append(&all).unwrap();
    copy
}

fn rows(page: &Value) -> &[Value] {
    let rows = page["data"]["transactions"].as_array();
    rows.unwrap_or_else(|| panic!("no rows: {page}"))
}

fn transactions(query: &str, offset: usize, limit: usize) {
    let of = |more: String| format!("{}?{query}{more}", PAGES[0]);
    let next = offset + limit;
    let whole = offset + 2 * limit;
    let asked = [
        of(String::new()),
        of("&limit=1000&offset=0".to_owned()),
        of(format!("&limit={limit}&offset={offset}")),
        of(format!("&limit={limit}&offset={next}")),
        of("&limit=1000&offset=0&status=pending".to_owned()),
        of("&limit=1000&offset=0&status=success".to_owned()),
        of("&limit=1000&offset=0&status=error".to_owned()),
    ];
    let pages = ask(&asked);
    let [plain, all, one, two, states @ ..] = pages.as_slice() else {
        panic!("{pages:?}");
    };
    let all = rows(all);
    let cut = |from: usize, to: usize| &all[from.min(all.len())..to.min(all.len())];
    assert_eq!(rows(one), cut(offset, next));
    assert_eq!(rows(two), cut(next, whole));
    assert!(rows(plain).iter().all(|row| {
        let known = all.contains(row);
        // A state that was asked for was asked for again in the others.
        known || query.contains("status") || query.contains('%')
    }));
    let time = |row: &Value| row["timestamp"].as_str().unwrap().parse::<Timestamp>();
    let times: Vec<_> = all.iter().map(|row| time(row).unwrap()).collect();
    assert!(
        times.is_sorted_by(|newer, older| newer >= older),
        "{times:?}"
    );
    let is_asked = query.contains("status") || query.contains('%') || query.contains('+');
    let states: usize = states.iter().map(|page| rows(page).len()).sum();
    assert!(is_asked || states == all.len(), "{states} of {}", all.len());
}

fn usage(query: &str) {
    let of = |more: &str| format!("{}?{query}{more}", PAGES[1]);
    let ends = ["2026-11-01", "2026-11-04", "2026-11-09"];
    let span = |from: usize, to: usize| {
        of(&format!(
            "&timezone=UTC&start_date={}&end_date={}",
            ends[from], ends[to]
        ))
    };
    let pages = ask(&[of(""), span(0, 1), span(1, 2), span(0, 2)]);
    let total = |page: &Value| {
        let amount = |value: &Value| value.to_string().parse::<Credits>().unwrap();
        let parts = page["data"]["breakdown"].as_object().unwrap().values();
        let total = amount(&page["data"]["total_credits"]);
        assert_eq!(parts.map(amount).sum::<Credits>(), total, "{page}");
        total
    };
    let totals: Vec<Credits> = pages.iter().map(total).collect();
    assert_eq!(totals[1].checked_add(totals[2]), Some(totals[3]));
    let label = pages[0]["data"]["period"].as_str().unwrap();
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (year, month) = label.trim_start_matches('-').split_once('-').unwrap();
    assert!(digits(year) && digits(month) && month.len() == 2, "{label}");
}

pub fn run(input: &[u8]) {
    let Some(([which, cut], query)) = input.split_first_chunk::<2>() else {
        return;
    };
    // What ends a target, or may not stand in one, is not part of it.
    let target = [b"/?", query].concat();
    let target = PathAndQuery::try_from(target.as_slice());
    let query = match &target {
        Ok(target) if !query.contains(&b'#') => target.query().unwrap_or_default(),
        _ => return,
    };
    if !query.bytes().all(|byte| byte.is_ascii_graphic()) {
        return;
    }
    if which % 3 == 0 {
        usage(query);
    } else {
        transactions(query, usize::from(*cut % 16), usize::from(*cut / 16) + 1);
    }
}
