//! The most each operation can take, as tables: operation, body, credits.

use generect_guard::catalogue::{Quote, Unbounded};
use generect_guard::credits::Credits;

use super::{amount, catalogue, quoted, refused};

#[test]
fn searches_are_held_at_their_bound() {
    let table = [
        ("search_database_leads", r#"{"limit_by":25}"#, "0.5"),
        (
            "search_database_leads",
            r#"{"limit_by":25,"detail":"thin"}"#,
            "0.5",
        ),
        ("search_database_leads", r#"{"limit_by":5000}"#, "100"),
        ("search_database_leads", "{}", "48"),
        ("search_database_leads", r#"{"limit_by":null}"#, "48"),
        (
            "search_database_leads",
            r#"{"limit":10,"per_page":10}"#,
            "48",
        ),
        ("search_database_companies", r#"{"limit_by":100}"#, "2"),
        ("search_database_companies", "{}", "32"),
        ("search_database_companies", r#"{"limit_by":10000}"#, "200"),
        ("search_realtime_leads", r#"{"limit_by":25}"#, "1"),
        ("search_realtime_leads", "{}", "96"),
        (
            "search_realtime_leads",
            r#"{"limit_by":25,"include_full_profile":true}"#,
            "2",
        ),
        (
            "search_realtime_leads",
            r#"{"limit_by":25,"full_data":true}"#,
            "2",
        ),
        (
            "search_realtime_leads",
            r#"{"limit_by":25,"include_emails":true}"#,
            "1",
        ),
        (
            "search_realtime_leads",
            r#"{"include_full_profile":true}"#,
            "192",
        ),
        ("search_realtime_companies", r#"{"limit_by":10}"#, "0.4"),
        ("search_realtime_companies", "{}", "64"),
        (
            "search_realtime_leads_count",
            r#"{"limit_by":1000}"#,
            "0.04",
        ),
        ("search_realtime_companies_count", "{}", "0.04"),
        (
            "preview_leads",
            r#"{"lead_search_criteria":{"limit_by":500}}"#,
            "1",
        ),
        ("preview_leads", "{}", "0.2"),
    ];
    for (operation, body, credits) in table {
        assert_eq!(amount(operation, body), credits, "{operation} {body}");
    }
}

#[test]
fn a_lookup_is_held_with_its_sections() {
    let table = [
        ("enrich_database_lead", r#"{"id":"x"}"#, "0.02"),
        ("enrich_realtime_lead", r#"{"id":"x"}"#, "0.04"),
        (
            "enrich_realtime_lead",
            r#"{"id":"x","posts":true,"comments":true,"reactions":true,"people_also_viewed":true}"#,
            "0.2",
        ),
        (
            "enrich_database_lead",
            r#"{"id":"x","posts":true,"people_also_follow":true}"#,
            "0.04",
        ),
        (
            "enrich_database_company",
            r#"{"id":"x","posts":true,"people_also_viewed":true,"people_also_follow":true}"#,
            "0.08",
        ),
        (
            "enrich_realtime_company",
            r#"{"id":"x","comments":true}"#,
            "0.04",
        ),
        ("email_find", r#"{"lead_id":"x"}"#, "0.02"),
        ("phone_find", r#"{"lead_id":"x"}"#, "0.4"),
        ("profile_resolve", r#"{"url":"x"}"#, "0.0005"),
        ("legacy_lead_by_link", r#"{"url":"x","posts":true}"#, "0.08"),
        ("legacy_company_by_link", r#"{"url":"x"}"#, "0.04"),
    ];
    for (operation, body, credits) in table {
        assert_eq!(amount(operation, body), credits, "{operation} {body}");
    }
}

#[test]
fn a_batch_is_held_for_every_entry() {
    let table = [
        (
            "enrich_database_leads_bulk",
            r#"{"leads":[{"id":"a"},{"id":"b"}]}"#,
            "0.04",
        ),
        // The vendor's SDK sends this name, which the upstream refuses.
        (
            "enrich_database_leads_bulk",
            r#"{"items":[{"id":"a"},{"id":"b"}]}"#,
            "0.04",
        ),
        (
            "enrich_realtime_leads_bulk",
            r#"{"leads":[{}],"items":[{},{}]}"#,
            "0.12",
        ),
        (
            "enrich_realtime_companies_bulk",
            r#"{"companies":[{},null],"items":null}"#,
            "0.08",
        ),
        (
            "enrich_database_leads_bulk",
            r#"{"leads":[{},{}],"posts":true}"#,
            "0.08",
        ),
        (
            "enrich_database_leads_bulk",
            r#"{"leads":[{"posts":true},{}]}"#,
            "0.06",
        ),
        ("email_find_bulk", r#"{"leads":[{},{},{}]}"#, "0.06"),
        ("phone_find_bulk", r#"{"leads":[{}]}"#, "0.4"),
        ("profile_resolve_bulk", r#"{"profiles":["a","a"]}"#, "0.001"),
        ("email_validate", r#"{"emails":["a","b","c"]}"#, "0.015"),
        ("legacy_email_finder", r#"[{},{}]"#, "0.04"),
        ("legacy_email_validator", r#"["a","b"]"#, "0.01"),
    ];
    for (operation, body, credits) in table {
        assert_eq!(amount(operation, body), credits, "{operation} {body}");
    }
    let batch =
        |name: &str, size: usize| format!(r#"{{"{name}":[{}]}}"#, vec!["{}"; size].join(","));
    assert_eq!(amount("phone_find_bulk", &batch("leads", 50)), "20");
    refused("phone_find_bulk", &batch("leads", 51));
    refused("profile_resolve_bulk", &batch("profiles", 51));
    assert_eq!(amount("email_validate", &batch("emails", 1000)), "5");
    for body in [
        "{}",
        r#"{"leads":[]}"#,
        r#"{"leads":null}"#,
        r#"{"leads":{}}"#,
        r#"{"leads":"a"}"#,
    ] {
        let what = refused("email_find_bulk", body);
        assert!(what.contains("leads"), "{what}");
    }
    refused(
        "enrich_realtime_leads_bulk",
        r#"{"leads":[{}],"items":"a"}"#,
    );
}

#[test]
fn legacy_searches_are_held_at_the_dearer_price() {
    let table = [
        ("legacy_leads_by_icp", r#"{"limit_by":25}"#, "1"),
        // An old client sends another name, which is not read.
        ("legacy_leads_by_icp", r#"{"limit":25}"#, "96"),
        ("legacy_leads_by_icp_count", "{}", "0.12"),
        ("legacy_companies_by_icp", r#"{"limit_by":25}"#, "1"),
        (
            "legacy_companies_by_icp",
            r#"{"limit_by":25,"get_max_companies":true}"#,
            "1.12",
        ),
        ("legacy_companies_by_icp", "{}", "63.96"),
        (
            "legacy_companies_by_icp_count",
            r#"{"get_max_companies":true}"#,
            "0.12",
        ),
    ];
    for (operation, body, credits) in table {
        assert_eq!(amount(operation, body), credits, "{operation} {body}");
    }
}

/// The dossier has it above 1, and all up to 1600 are taken without one: whether 1 is a bound nobody knows.
#[test]
fn a_bound_below_the_documented_least_is_refused_and_never_written() {
    for one in ["1", "\"1\"", "1.0"] {
        let what = refused(
            "legacy_companies_by_icp",
            &format!(r#"{{"limit_by":{one}}}"#),
        );
        assert!(
            what.contains("limit_by is not a whole number of at least 2"),
            "{what}"
        );
    }
    let least = quoted("legacy_companies_by_icp", "{}", Unbounded::Limit(1)).unwrap();
    assert_eq!(least.body.as_deref(), Some(&br#"{"limit_by":2}"#[..]));
    assert_eq!(least.amount.to_string(), "0.08");
    assert_eq!(least.items_within("0.07".parse().unwrap()), 0);
}

#[test]
fn what_is_not_charged_takes_nothing_whatever_its_body() {
    for operation in catalogue().operations() {
        if operation.parts.is_empty() {
            for body in ["", "garbage", "{}"] {
                let quote = quoted(operation.name.as_str(), body, Unbounded::Refuse).unwrap();
                assert_eq!((quote.amount, quote.body), (Credits::ZERO, None));
            }
        }
    }
}

#[test]
fn the_accounts_own_prices_are_used_when_known() {
    let catalogue = catalogue();
    let mut prices = catalogue.prices().clone();
    prices
        .set("api_realtime", "0.0067".parse().unwrap())
        .unwrap();
    let operation = catalogue.operation("search_realtime_leads").unwrap();
    let body = br#"{"limit_by":10,"full_data":true}"#;
    let quote =
        generect_guard::catalogue::quote(operation, &prices, body, Unbounded::Refuse).unwrap();
    assert_eq!(quote.amount.to_string(), "0.134");
    assert_eq!(quote.items, 10);
}

/// Operation, and its body with a place for how many items it asks for.
const BOUNDED: [(&str, &str); 6] = [
    ("search_database_leads", r#"{"limit_by":N}"#),
    (
        "search_realtime_leads",
        r#"{"limit_by":N,"full_data":true}"#,
    ),
    ("legacy_leads_by_icp", r#"{"limit_by":N}"#),
    ("legacy_companies_by_icp", r#"{"limit_by":N}"#),
    (
        "legacy_companies_by_icp",
        r#"{"limit_by":N,"get_max_companies":true}"#,
    ),
    ("email_validate", r#"{"emails":[LIST]}"#),
];

fn of_items(operation: &str, body: &str, items: u64) -> Quote {
    let list = vec![r#""a@example.com""#; usize::try_from(items).unwrap()].join(",");
    let body = body.replace('N', &items.to_string()).replace("LIST", &list);
    quoted(operation, &body, Unbounded::Maximum).unwrap()
}

#[test]
fn as_many_items_as_are_told_fit_into_the_room_and_not_one_more() {
    for (operation, body) in BOUNDED {
        let asked = of_items(operation, body, 100);
        for percent in [1, 7, 33, 50, 99, 100] {
            let room = Credits::from_micros(asked.amount.micros() / 100 * percent);
            let fits = asked.items_within(room);
            if fits > 0 {
                let less = of_items(operation, body, fits).amount;
                assert!(less <= room, "{operation} {body} {fits}: {less} of {room}");
            }
            let more = of_items(operation, body, (fits + 1).max(asked.items_min)).amount;
            assert!(more > room, "{operation} {body} {fits}: {more} of {room}");
        }
    }
    let flat = quoted("email_find", "{}", Unbounded::Maximum).unwrap();
    assert_eq!(flat.items_within(Credits::ZERO), 0);
    let nothing = quoted("search_database_leads_count", "{}", Unbounded::Maximum).unwrap();
    assert_eq!(nothing.items_within(Credits::ZERO), 0);
}
