//! What a quote reads of a body: where a control may stand, how it may be spelled, which values it may
//! have; and what is refused.

use generect_guard::catalogue::{QuoteError, Unbounded};

use super::{amount, quoted, refused};

#[test]
fn a_bound_is_read_only_where_the_upstream_reads_it() {
    let both =
        r#"{"company_search_criteria":{"limit_by":10},"lead_search_criteria":{"limit_by":25}}"#;
    let table = [
        ("search_database_company_leads", both, "0.7"),
        ("search_realtime_company_leads", both, "1.4"),
        // Outside the criteria it is not read: 1600 companies and 2400 leads.
        ("search_database_company_leads", r#"{"limit_by":5}"#, "80"),
        ("search_realtime_company_leads", r#"{"limit_by":5}"#, "160"),
        ("preview_leads", r#"{"limit_by":5}"#, "0.2"),
        (
            "search_database_company_leads",
            r#"{"lead_search_criteria":{"limit_by":25}}"#,
            "32.5",
        ),
        // Flags outside the criteria are not read either.
        (
            "search_realtime_company_leads",
            r#"{"include_emails":true,"company_search_criteria":{"limit_by":10},"lead_search_criteria":{"limit_by":25}}"#,
            "1.4",
        ),
        (
            "search_realtime_company_leads",
            r#"{"company_search_criteria":{"limit_by":10},"lead_search_criteria":{"limit_by":25,"include_emails":true}}"#,
            "1.9",
        ),
        (
            "search_realtime_company_leads",
            r#"{"company_search_criteria":{"limit_by":10},"lead_search_criteria":{"limit_by":25,"search_emails":1,"full_data":"yes"}}"#,
            "2.9",
        ),
    ];
    for (operation, body, credits) in table {
        assert_eq!(amount(operation, body), credits, "{operation} {body}");
    }
}

#[test]
fn of_two_spellings_the_old_one_counts() {
    let table = [
        (
            r#"{"limit_by":25,"full_data":false,"include_full_profile":true}"#,
            "1",
        ),
        (
            r#"{"limit_by":25,"full_data":true,"include_full_profile":false}"#,
            "2",
        ),
        (
            r#"{"limit_by":25,"full_data":null,"include_full_profile":true}"#,
            "2",
        ),
        (
            r#"{"limit_by":25,"full_data":"","include_full_profile":true}"#,
            "2",
        ),
        (r#"{"limit_by":25,"max_profiles_scanned":10}"#, "0.4"),
        (r#"{"limit_by":25,"max_investigated_leads":5}"#, "0.2"),
        (
            r#"{"limit_by":25,"max_investigated_leads":20,"max_profiles_scanned":5}"#,
            "0.8",
        ),
        // The old spelling is there and says nothing: no ceiling is relied on.
        (
            r#"{"limit_by":25,"max_investigated_leads":null,"max_profiles_scanned":5}"#,
            "1",
        ),
        (r#"{"limit_by":25,"max_profiles_scanned":500}"#, "1"),
        (r#"{"limit_by":25,"max\u005fprofiles_scanned":10}"#, "0.4"),
    ];
    for (body, credits) in table {
        assert_eq!(amount("search_realtime_leads", body), credits, "{body}");
    }
}

#[test]
fn a_flag_counts_unless_it_is_clearly_false() {
    for no in [
        "false",
        "0",
        "-0",
        "0.0",
        "0e3",
        "null",
        r#""false""#,
        r#""FALSE""#,
        r#""0""#,
        r#""off""#,
        r#""No""#,
        r#""""#,
    ] {
        let body = format!(r#"{{"limit_by":1,"include_full_profile":{no}}}"#);
        assert_eq!(amount("search_realtime_leads", &body), "0.04", "{no}");
    }
    for yes in [
        "true",
        "1",
        "2",
        "-1",
        "0.1",
        "1e400",
        r#""true""#,
        r#""t""#,
        r#""yes""#,
        r#""on""#,
        r#"" ""#,
        r#""maybe""#,
        r#""f""#,
    ] {
        let body = format!(r#"{{"limit_by":1,"include_full_profile":{yes}}}"#);
        assert_eq!(amount("search_realtime_leads", &body), "0.08", "{yes}");
    }
    for silly in ["{}", "[]", "[false]"] {
        let body = format!(r#"{{"limit_by":1,"include_full_profile":{silly}}}"#);
        let what = refused("search_realtime_leads", &body);
        assert!(what.contains("include_full_profile"), "{what}");
    }
}

#[test]
fn a_bound_is_a_whole_number_of_at_least_one() {
    for good in ["25", r#""25""#, "25.0", "2.5e1", "250e-1", r#""025""#] {
        let body = format!(r#"{{"limit_by":{good}}}"#);
        assert_eq!(amount("search_database_leads", &body), "0.5", "{good}");
    }
    for bad in [
        "0",
        "-1",
        "25.5",
        "true",
        "false",
        "[25]",
        "{}",
        r#""""#,
        r#""all""#,
        r#"" 25""#,
        r#""2_5""#,
        r#""+25""#,
        r#""25.0""#,
        r#""-25""#,
        r#""٢٥""#,
        "-0",
        "1e-1",
    ] {
        let body = format!(r#"{{"limit_by":{bad}}}"#);
        let what = refused("search_database_leads", &body);
        assert!(what.contains("limit_by"), "{bad}: {what}");
        let body = format!(r#"{{"limit_by":5,"max_profiles_scanned":{bad}}}"#);
        refused("search_realtime_leads", &body);
    }
    for huge in ["1e30", "18446744073709551616", "9223372036854775807"] {
        let body = format!(r#"{{"limit_by":{huge}}}"#);
        let result = quoted("search_database_leads", &body, Unbounded::Maximum);
        assert_eq!(result, Err(QuoteError::TooLarge), "{huge}");
    }
}

#[test]
fn a_body_of_the_wrong_shape_is_refused() {
    for body in [
        "",
        " ",
        "[]",
        "1",
        "null",
        "\"x\"",
        "{",
        "{}}",
        "\u{feff}{}",
    ] {
        refused("search_database_leads", body);
        refused("email_find", body);
    }
    for body in ["", "{}", "[]", "null", "[1,]"] {
        refused("legacy_email_finder", body);
        refused("legacy_email_validator", body);
    }
    for body in [
        r#"{"lead_search_criteria":[]}"#,
        r#"{"lead_search_criteria":"x"}"#,
    ] {
        refused("preview_leads", body);
    }
    refused("search_database_leads", r#"{"limit_by":5,"limit_by":500}"#);
}
