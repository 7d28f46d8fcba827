//! What the guard understands in a text, the upstream understands too: the same number, the same
//! flag, or a refusal.

use generect_guard::catalogue::{Unbounded, quote};
use generect_guard::credits::Credits;
use generect_guard::simulator::SimulatorSettings;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::spellings::{FALSE_WORDS, ODD_BOUNDS, ODD_FLAGS, TRUE_WORDS};
use super::{Upstream, cases, catalogue, runner, seed};

const SEARCH: &str = "search_database_leads";
const RECORD: &str = "enrich_database_lead";

fn endless() -> Upstream {
    Upstream::start(SimulatorSettings {
        matches: 1_000_000,
        ..SimulatorSettings::default()
    })
}

/// Holds a bound's text against the upstream; says whether both took it.
fn read_alike(upstream: &Upstream, spelling: &str) -> Result<bool, String> {
    let body = format!("{{\"job_titles\":[\"cto\"],\"limit_by\":{spelling}}}");
    let operation = catalogue().operation(SEARCH).unwrap();
    let Ok(quote) = quote(
        operation,
        &upstream.prices,
        body.as_bytes(),
        Unbounded::Limit(3),
    ) else {
        return Ok(false);
    };
    let sent = quote.body.as_deref().unwrap_or(body.as_bytes());
    let taken = upstream.send(&operation.path, sent);
    match taken.status {
        200 if taken.charge == quote.amount => Ok(true),
        400 if taken.charge == Credits::ZERO => Ok(false),
        _ => Err(format!("{body}: quoted {}, {taken:?}", quote.amount)),
    }
}

#[test]
fn a_bound_is_the_same_number_to_both() {
    let upstream = endless();
    let read: Vec<&str> = ODD_BOUNDS
        .iter()
        .copied()
        .filter(|spelling| read_alike(&upstream, spelling).unwrap())
        .collect();
    let expected = [
        "1E1",
        "\"\\u0032\\u0035\"",
        "25.000000000000000000000000",
        "0.0000000000000000000000025e25",
        "2500000000000000000000000e-23",
    ];
    assert_eq!(read, expected);
}

#[test]
fn any_number_is_the_same_number_to_both() {
    let upstream = endless();
    let seed = seed();
    let number = prop_oneof![
        "-?[0-9]{1,5}(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,2})?",
        "[1-9][0-9]{0,2}\\.0{1,30}",
        "[1-9][0-9]{0,2}0{1,20}[eE]-[0-9]{1,2}",
        "\"[-+ ]?[0-9_]{1,4}(\\.[0-9]{0,2})?([eE][0-9])? ?\"",
        "\"[0-9\\u{660}-\\u{669}\\u{ff10}-\\u{ff19}\\u{b2}]{1,3}\"",
    ];
    let result = runner(cases(400), seed).run(&number, |spelling| {
        read_alike(&upstream, &spelling)
            .map(drop)
            .map_err(TestCaseError::fail)
    });
    result.unwrap_or_else(|error| panic!("with ORACLE_SEED={seed}: {error}"));
}

#[test]
fn a_flag_that_is_set_upstream_is_never_read_as_unset() {
    let upstream = endless();
    let operation = catalogue().operation(RECORD).unwrap();
    let known = TRUE_WORDS.iter().map(|word| (*word, Some(true)));
    let known = known.chain(FALSE_WORDS.iter().map(|word| (*word, Some(false))));
    for (spelling, set) in known.chain(ODD_FLAGS.iter().map(|odd| (*odd, None))) {
        let body = format!("{{\"email\":\"a@example.com\",\"posts\":{spelling}}}");
        let Ok(quote) = quote(
            operation,
            &upstream.prices,
            body.as_bytes(),
            Unbounded::Refuse,
        ) else {
            assert_eq!(set, None, "{spelling} is refused");
            continue;
        };
        let taken = upstream.send(&operation.path, body.as_bytes());
        assert!(taken.charge <= quote.amount, "{spelling} {taken:?}");
        if let Some(set) = set {
            assert_eq!(taken.status, 200, "{spelling}");
            let units = if set { 2 } else { 1 };
            let price = upstream.prices.get("api_cached").unwrap();
            assert_eq!(Some(taken.charge), price.checked_times(units), "{spelling}");
        }
    }
}

/// Every pair of spellings of a control that has an old and a new name, on a search for which a
/// wrong choice between them is seen.
fn no_pair_is_quoted_too_low(old: &str, new: &str, more: &str, spellings: &[&str]) {
    let upstream = endless();
    let operation = catalogue().operation("search_realtime_leads").unwrap();
    let (mut tried, mut charged) = (0, 0);
    for first in spellings {
        for second in spellings {
            let body = format!("{{{more}\"{new}\":{second},\"{old}\":{first}}}");
            tried += 1;
            let Ok(quote) = quote(
                operation,
                &upstream.prices,
                body.as_bytes(),
                Unbounded::Limit(9),
            ) else {
                continue;
            };
            let sent = quote.body.as_deref().unwrap_or(body.as_bytes());
            let taken = upstream.send(&operation.path, sent);
            charged += u32::from(taken.charge > Credits::ZERO);
            let covered = taken.charge <= quote.amount && taken.set_aside <= quote.amount;
            assert!(covered, "{body}: quoted {}, {taken:?}", quote.amount);
        }
    }
    assert!(
        charged * 20 > tried,
        "only {charged} of {tried} were charged"
    );
}

#[test]
fn of_two_spellings_of_a_flag_the_dearer_reading_is_quoted() {
    let spellings = [
        TRUE_WORDS,
        FALSE_WORDS,
        ODD_FLAGS,
        &["null", "true", "false", "1", "0"],
    ];
    no_pair_is_quoted_too_low(
        "full_data",
        "include_full_profile",
        "\"job_titles\":[\"cto\"],\"limit_by\":2,",
        &spellings.concat(),
    );
}

#[test]
fn of_two_spellings_of_a_ceiling_none_lowers_a_quote_too_far() {
    let spellings = [
        ODD_BOUNDS,
        &["null", "1", "2", "\"1\"", "1.0", "7", "2e0", "\"2\"", "8"],
    ];
    for more in [
        "\"job_titles\":[\"cto\"],\"limit_by\":9,",
        "\"job_titles\":[\"cto\"],",
    ] {
        no_pair_is_quoted_too_low(
            "max_investigated_leads",
            "max_profiles_scanned",
            more,
            &spellings.concat(),
        );
    }
}

#[test]
fn of_two_spellings_of_a_list_none_lowers_a_quote_too_far() {
    let spellings = [
        "null",
        "[]",
        "[\"a@example.com\"]",
        "[\"a\",\"b\",\"c\"]",
        "[1]",
        "{}",
        "\"\"",
        "\"a\"",
        "[[]]",
        "[null,null]",
        "3",
        "true",
    ];
    for more in ["", "\"limit_by\":null,", "\"limit_by\":2,"] {
        no_pair_is_quoted_too_low("emails", "find_by_emails", more, &spellings);
    }
}
