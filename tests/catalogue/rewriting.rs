//! Bounds that are written into a body.

use generect_guard::catalogue::{QuoteError, Unbounded};

use super::quoted;

fn written(operation: &str, body: &str, unbounded: Unbounded) -> String {
    let quote = quoted(operation, body, unbounded).unwrap();
    let body = quote.body.expect("a bound is written");
    String::from_utf8(body.to_vec()).unwrap()
}

#[test]
fn a_bound_is_written_where_the_upstream_reads_it() {
    let table = [
        ("search_database_leads", "{}", r#"{"limit_by":2400}"#),
        (
            "search_database_companies",
            "{ \"x\" : 1.50e+2 , \"y\":\"\\u00e9\" }",
            "{\"limit_by\":1600, \"x\" : 1.50e+2 , \"y\":\"\\u00e9\" }",
        ),
        (
            "search_realtime_leads",
            r#"{"a":1,"limit_by": null ,"b":2}"#,
            r#"{"a":1,"limit_by": 2400 ,"b":2}"#,
        ),
        (
            "preview_leads",
            "{}",
            r#"{"lead_search_criteria":{"limit_by":100}}"#,
        ),
        (
            "preview_leads",
            r#"{"lead_search_criteria":null,"a":{}}"#,
            r#"{"lead_search_criteria":{"limit_by":100},"a":{}}"#,
        ),
        (
            "preview_leads",
            r#"{"lead_search_criteria":{},"limit_by":1}"#,
            r#"{"lead_search_criteria":{"limit_by":100},"limit_by":1}"#,
        ),
        (
            "search_database_company_leads",
            r#"{"lead_search_criteria":{"a":[1]},"company_search_criteria":{}}"#,
            r#"{"lead_search_criteria":{"limit_by":2400,"a":[1]},"company_search_criteria":{"limit_by":1600}}"#,
        ),
        ("legacy_companies_by_icp", "{}", r#"{"limit_by":1599}"#),
    ];
    for (operation, body, expected) in table {
        assert_eq!(written(operation, body, Unbounded::Maximum), expected);
    }
}

#[test]
fn a_body_with_a_bound_is_left_alone() {
    for body in [r#"{"limit_by":25}"#, r#"{ "limit_by" : 9999 }"#] {
        for unbounded in [Unbounded::Maximum, Unbounded::Refuse, Unbounded::Limit(3)] {
            let quote = quoted("search_realtime_leads", body, unbounded).unwrap();
            assert_eq!(quote.body, None);
        }
    }
}

#[test]
fn a_bound_or_a_false_in_another_spelling_is_sent_in_the_documented_one() {
    let table = [
        (
            "search_database_leads",
            r#"{"limit_by":"25"}"#,
            r#"{"limit_by":25}"#,
            "0.5",
        ),
        (
            "search_database_leads",
            r#"{"a":1,"limit_by": 2.5e1 }"#,
            r#"{"a":1,"limit_by": 25 }"#,
            "0.5",
        ),
        (
            "search_realtime_leads",
            r#"{"max_profiles_scanned":"5","limit_by":100.0,"full_data":"No","include_full_profile":0}"#,
            r#"{"max_profiles_scanned":5,"limit_by":100,"full_data":false,"include_full_profile":false}"#,
            "0.2",
        ),
        (
            "search_realtime_leads",
            r#"{"include_full_profile":"false"}"#,
            r#"{"limit_by":2400,"include_full_profile":false}"#,
            "96",
        ),
        (
            "enrich_database_leads_bulk",
            r#"{"posts":"off","leads":[{"posts":"0"},{"posts":true},{"comments":"FALSE"}]}"#,
            r#"{"posts":false,"leads":[{"posts":false},{"posts":true},{"comments":false}]}"#,
            "0.08",
        ),
        (
            "search_realtime_company_leads",
            r#"{"company_search_criteria":{"limit_by":"3"},"lead_search_criteria":{"include_emails":"no","limit_by":"4"}}"#,
            r#"{"company_search_criteria":{"limit_by":3},"lead_search_criteria":{"include_emails":false,"limit_by":4}}"#,
            "0.28",
        ),
    ];
    for (operation, body, expected, credits) in table {
        let quote = quoted(operation, body, Unbounded::Maximum).unwrap();
        let sent = quote.body.as_deref().unwrap_or(body.as_bytes());
        assert_eq!(std::str::from_utf8(sent).unwrap(), expected);
        assert_eq!(quote.amount.to_string(), credits, "{body}");
    }
    // What would be read as true is not made so, and what says nothing stays.
    for body in [r#"{"id":"x","posts":"yes"}"#, r#"{"id":"x","posts":""}"#] {
        let quote = quoted("enrich_database_lead", body, Unbounded::Maximum).unwrap();
        assert_eq!(quote.body, None, "{body}");
    }
}

#[test]
fn a_team_may_have_its_own_bound_written() {
    let body = written("search_database_leads", "{}", Unbounded::Limit(30));
    assert_eq!(body, r#"{"limit_by":30}"#);
    let body = written("search_database_leads", "{}", Unbounded::Limit(1_000_000));
    assert_eq!(body, r#"{"limit_by":2400}"#);
    let body = written("search_database_leads", "{}", Unbounded::Limit(0));
    assert_eq!(body, r#"{"limit_by":1}"#);
}

#[test]
fn a_team_may_refuse_what_has_no_bound_and_is_told_what_would_fit() {
    for (operation, body, field, fits) in [
        ("search_database_leads", "{}", "limit_by", 2400),
        (
            "search_realtime_companies",
            r#"{"limit":5}"#,
            "limit_by",
            1600,
        ),
        (
            "preview_leads",
            r#"{"limit_by":5}"#,
            "lead_search_criteria.limit_by",
            100,
        ),
        (
            "search_realtime_company_leads",
            r#"{"company_search_criteria":{"limit_by":5},"lead_search_criteria":{}}"#,
            "lead_search_criteria.limit_by",
            2400,
        ),
    ] {
        let field = field.to_owned();
        assert_eq!(
            quoted(operation, body, Unbounded::Refuse),
            Err(QuoteError::Unbounded { field, fits })
        );
    }
}

#[test]
fn a_ceiling_or_a_list_of_addresses_becomes_a_bound() {
    let table = [
        (r#"{"max_profiles_scanned":40}"#, 40, "1.6"),
        (
            r#"{"max_investigated_leads":40,"max_profiles_scanned":2}"#,
            40,
            "1.6",
        ),
        (r#"{"find_by_emails":["a","b","c"]}"#, 3, "0.12"),
        (
            r#"{"emails":["a"],"find_by_emails":["a","b","c"]}"#,
            1,
            "0.04",
        ),
        (
            r#"{"find_by_emails":["a","b"],"max_profiles_scanned":1}"#,
            1,
            "0.04",
        ),
        (r#"{"max_profiles_scanned":9000}"#, 2400, "96"),
    ];
    for (body, bound, credits) in table {
        for unbounded in [Unbounded::Maximum, Unbounded::Refuse] {
            let quote = quoted("search_realtime_leads", body, unbounded).unwrap();
            let rest = &body[1..];
            let expected = format!("{{\"limit_by\":{bound},{rest}");
            assert_eq!(quote.body.as_deref(), Some(expected.as_bytes()), "{body}");
            assert_eq!(quote.amount.to_string(), credits, "{body}");
        }
    }
    let empty = quoted(
        "search_realtime_leads",
        r#"{"emails":[]}"#,
        Unbounded::Refuse,
    );
    assert!(matches!(empty, Err(QuoteError::Unbounded { .. })));
}

#[test]
fn criteria_that_are_not_there_are_held_but_never_made_up() {
    // Whether leads are searched at all depends on whether their criteria are there.
    let body = r#"{"company_search_criteria":{"limit_by":10}}"#;
    for unbounded in [Unbounded::Maximum, Unbounded::Limit(5)] {
        let quote = quoted("search_database_company_leads", body, unbounded).unwrap();
        assert_eq!(quote.amount.to_string(), "48.2");
        assert_eq!(quote.body, None);
    }
}
