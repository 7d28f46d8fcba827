//! What answers say was taken.

use generect_guard::catalogue::{Answer, Charge, ChargeReader, LegacyAmounts};
use generect_guard::credits::Credits;
use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::catalogue;

const QUOTE: Credits = Credits::from_micros(7_000_000);

fn read_in_pieces(operation: &str, answer: &[u8], pieces: usize) -> Answer {
    let catalogue = catalogue();
    let mut reader = ChargeReader::new(catalogue.operation(operation).unwrap());
    for piece in answer.chunks(pieces.max(1)) {
        reader.feed(piece);
    }
    reader.finish(catalogue.prices(), QUOTE)
}

/// Reads an answer whole and in pieces of every small size; all readings must agree.
fn read(operation: &str, answer: &str) -> Answer {
    let whole = read_in_pieces(operation, answer.as_bytes(), answer.len());
    for pieces in 1..20 {
        assert_eq!(
            read_in_pieces(operation, answer.as_bytes(), pieces),
            whole,
            "{answer} in pieces of {pieces}"
        );
    }
    whole
}

fn charge(answer: &str) -> Charge {
    read("search_realtime_leads", answer).charge
}

fn stated(raw: &str, micros: i64) -> Charge {
    Charge::Stated {
        amount: Credits::from_micros(micros),
        raw: raw.to_owned(),
    }
}

#[test]
fn a_stated_charge_is_read_as_digits() {
    for (raw, micros) in [
        ("0.02", 20_000),
        ("0", 0),
        ("-0", 0),
        ("0.0", 0),
        ("1", 1_000_000),
        ("2e-2", 20_000),
        ("1.5E+1", 15_000_000),
        (
            "0.0200000000000000004163336342344337026588618755340576171875",
            20_000,
        ),
        ("0.0000005", 1),
    ] {
        for answer in [
            format!(r#"{{"data":{{}},"meta":{{"amount_charged":{raw}}}}}"#),
            format!(
                "{{\"meta\" :\n{{ \"a\":[], \"amount_charged\" : {raw} ,\"b\":1}} , \"data\":null}} \r\n\t"
            ),
            format!(r#"{{"meta":{{"amount_charged":"{raw}"}}}}"#),
            format!(r#"{{"m\u0065ta":{{"\u0061mount_charged":{raw}}}}}"#),
        ] {
            assert_eq!(charge(&answer), stated(raw, micros), "{answer}");
        }
    }
}

#[test]
fn only_the_outermost_meta_counts() {
    let answer = r#"{"data":{"leads":[{"meta":{"amount_charged":99},"amount":99,"x":"\"meta\":{\"amount_charged\":98}"}],
        "meta":{"amount_charged":97,"job_id":"not-this"}},"meta":{"amount_charged":0.04,"inner":{"amount_charged":5,"meta":{"job_id":"nor-this"}}}}"#;
    let answer = read("search_realtime_leads", answer);
    assert_eq!(answer.charge, stated("0.04", 40_000));
    assert_eq!(answer.job, None);
    for nothing in [
        r#"{"data":{"meta":{"amount_charged":1}}}"#,
        r#"{"amount_charged":1}"#,
        r#"{"meta":[{"amount_charged":1}]}"#,
        r#"{"meta":[["amount_charged",1]]}"#,
        r#"{"meta":{"inner":{"amount_charged":1}}}"#,
        r#"{"Meta":{"amount_charged":1}}"#,
        r#"{"meta ":{"amount_charged":1}}"#,
        r#"{"\ud800meta":{"amount_charged":1}}"#,
        r#"{"meta":{"amount_charged\u0000":1}}"#,
        r#"{"meta":{"amount_charged_in_all":1}}"#,
        r#"[{"meta":{"amount_charged":1}}]"#,
        r#"{"meta":null}"#,
        r#"{"meta":"amount_charged"}"#,
        r#"{"amount":1}"#,
        "{}",
        "[]",
        "0.02",
        "\"meta\"",
        "null",
    ] {
        assert_eq!(charge(nothing), Charge::Missing, "{nothing}");
    }
}

#[test]
fn a_charge_that_is_none_is_never_zero() {
    assert_eq!(charge(r#"{"meta":{"amount_charged":null}}"#), Charge::Null);
    for raw in ["-0.02", "-1e-9", "-5"] {
        let answer = format!(r#"{{"meta":{{"amount_charged":{raw}}}}}"#);
        let raw = raw.to_owned();
        assert_eq!(charge(&answer), Charge::Negative { raw });
    }
    let endless = "1".repeat(300);
    for bad in [
        "true",
        "{}",
        "[0.02]",
        r#""""#,
        r#""free""#,
        r#"" 0.02""#,
        "1e300",
        &endless,
    ] {
        let answer = format!(r#"{{"meta":{{"amount_charged":{bad}}}}}"#);
        assert!(matches!(charge(&answer), Charge::Nonsense(_)), "{bad}");
    }
}

#[test]
fn an_answer_that_is_not_one_document_says_nothing() {
    for answer in [
        "",
        "  ",
        r#"{"meta":{"amount_charged":1}"#,
        r#"{"meta":{"amount_charged":1}}}"#,
        r#"{"meta":{"amount_charged":1}} {"#,
        r#"{"meta":{"amount_charged":1}}{"meta":{"amount_charged":2}}"#,
        r#"{"meta":{"amount_charged":1},}"#,
        r#"{"meta":{"amount_charged":01}}"#,
        r#"{"meta":{"amount_charged":1.}}"#,
        r#"{"meta":{"amount_charged":NaN}}"#,
        r#"{"data":[1,2,"meta":{"amount_charged":1}}"#,
        r#"{"meta":{"amount_charged":1}]"#,
        "{\"a\":\"\u{1}\",\"meta\":{\"amount_charged\":1}}",
        "<html>",
    ] {
        assert!(matches!(charge(answer), Charge::Unreadable(_)), "{answer}");
    }
    for twice in [
        r#"{"meta":{"amount_charged":1},"meta":{"amount_charged":2}}"#,
        r#"{"meta":{"amount_charged":1},"m\u0065ta":null}"#,
        r#"{"meta":{"amount_charged":1,"amount_charged":2}}"#,
        r#"{"amount":1,"amount":2,"meta":{"amount_charged":1}}"#,
    ] {
        assert!(matches!(charge(twice), Charge::Nonsense(_)), "{twice}");
    }
    let mut cut = br#"{"a":""#.to_vec();
    cut.extend_from_slice(b"\xc3\"}");
    let answer = read_in_pieces("email_find", &cut, 1);
    assert!(matches!(answer.charge, Charge::Unreadable(_)));
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(charge(&nested(128)), Charge::Missing);
    assert!(matches!(charge(&nested(129)), Charge::Unreadable(_)));
}

#[test]
fn a_job_is_named_with_its_status() {
    let answer = r#"{"data":null,"meta":{"job_id":"7c9e-01","status":"pending","total":2,"amount_charged":0,"error":null}}"#;
    let answer = read("phone_find_bulk", answer);
    assert_eq!(answer.job.unwrap().as_str(), "7c9e-01");
    assert_eq!(answer.status.as_deref(), Some("pending"));
    assert_eq!(answer.charge, stated("0", 0));
    let answer =
        r#"{"meta":{"status":"completed","amount_charged":1.2,"job_id":""},"data":[{"phone":{}}]}"#;
    let answer = read("phone_find_bulk_job", answer);
    assert_eq!(answer.charge, stated("1.2", 1_200_000));
    assert_eq!(answer.status.as_deref(), Some("completed"));
    assert_eq!(answer.job, None);
    let long = "a".repeat(1000);
    let answer = read(
        "phone_find_bulk",
        &format!(r#"{{"meta":{{"job_id":"{long}"}}}}"#),
    );
    assert_eq!(answer.job, None, "an id that is cut is no id");
}

#[test]
fn an_empty_account_is_noticed_in_the_outermost_detail() {
    let says = |answer: &str| read("email_find", answer).funds_empty;
    assert!(says(
        r#"{"status":"error","status_code":402,"detail":"Insufficient funds in the account."}"#
    ));
    assert!(says(r#"{"detail":"Error: INSUFFICIENT FUNDS"}"#));
    assert!(!says(r#"{"detail":{"limit_by":["insufficient funds"]}}"#));
    assert!(!says(r#"{"data":{"detail":"insufficient funds"}}"#));
    assert!(!says(r#"{"detail":"Invalid token."}"#));
    assert!(!says(r#"{"details":"insufficient funds"}"#));
}

#[test]
fn a_legacy_amount_is_a_count_until_a_setting_says_money() {
    let estimated = |operation: &str, answer: &str| match read(operation, answer).charge {
        Charge::Estimated { amount, .. } => amount.to_string(),
        other => panic!("{answer}: {other:?}"),
    };
    for (amount, credits) in [
        ("-10", "0.4"),
        ("3", "0.12"),
        ("0", "0"),
        ("-1.0", "0.04"),
        ("\"-2\"", "0.08"),
    ] {
        let answer = format!(r#"{{"leads":[{{"amount":-99}}],"amount":{amount}}}"#);
        assert_eq!(
            estimated("legacy_leads_by_icp", &answer),
            credits,
            "{amount}"
        );
    }
    // A fraction cannot be a count.
    assert_eq!(
        estimated("legacy_lead_by_link", r#"{"amount":-0.4}"#),
        "0.4"
    );
    let missing = read("legacy_lead_by_link", r#"{"lead":{"amount":-1}}"#).charge;
    assert_eq!(missing, Charge::Missing);
    let null = read("legacy_lead_by_link", r#"{"amount":null}"#).charge;
    assert_eq!(null, Charge::Null);

    let catalogue = catalogue();
    let mut prices = catalogue.prices().clone();
    prices.set_legacy_amounts(LegacyAmounts::Money);
    let mut reader = ChargeReader::new(catalogue.operation("legacy_lead_by_link").unwrap());
    reader.feed(br#"{"amount":-0.04,"lead":{}}"#);
    assert_eq!(
        reader.finish(&prices, QUOTE).charge,
        stated("-0.04", 40_000)
    );
}

#[test]
fn legacy_addresses_are_counted_where_no_charge_is_stated() {
    let rows = r#"[{"valid_email":"a@x"},{"valid_email":null},{"valid_email":""},{},
        {"valid_email":"b@x","nested":{"valid_email":null}},{"nested":{"valid_email":"c@x"}},
        "valid_email",null,[{"valid_email":"d@x"}],{"valid_email":"e@x","valid_email":""}]"#;
    let Charge::Estimated { amount, how } = read("legacy_email_finder", rows).charge else {
        panic!("counted");
    };
    assert_eq!(amount.to_string(), "0.06");
    assert!(how.starts_with("3 valid"), "{how}");
    let Charge::Estimated { amount, .. } = read("legacy_email_finder", "[]").charge else {
        panic!("counted");
    };
    assert_eq!(amount, Credits::ZERO);
    let Charge::Estimated { amount, .. } = read("legacy_email_validator", r#"["a"]"#).charge else {
        panic!("the quote");
    };
    assert_eq!(amount, QUOTE);
    for operation in ["legacy_email_finder", "legacy_email_validator"] {
        assert_eq!(
            read(operation, r#"{"detail":"no"}"#).charge,
            Charge::Missing
        );
        assert!(matches!(
            read(operation, "[{}").charge,
            Charge::Unreadable(_)
        ));
    }
}

/// Any JSON value, not nested too deeply.
fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".{0,24}".prop_map(Into::into),
        Just("meta".into()),
    ];
    leaf.prop_recursive(6, 48, 6, |inner| {
        let name = prop_oneof![
            "[a-z\\PC]{0,9}",
            Just("meta".to_owned()),
            Just("amount_charged".to_owned()),
            Just("amount".to_owned()),
            Just("detail".to_owned())
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map(name, inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

/// What a reader that knows the whole document says.
fn expected(answer: &serde_json::Value) -> Charge {
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    match answer
        .get("meta")
        .and_then(|meta| meta.get("amount_charged"))
    {
        None => Charge::Missing,
        Some(serde_json::Value::Null) => Charge::Null,
        Some(value) => match text(value).map(|raw| (Credits::parse_nearest(&raw), raw)) {
            Some((Ok(_), raw))
                if raw.starts_with('-') && raw.bytes().any(|b| b.is_ascii_digit() && b != b'0') =>
            {
                Charge::Negative { raw }
            }
            Some((Ok(amount), raw)) => Charge::Stated { amount, raw },
            _ => Charge::Nonsense(String::new()),
        },
    }
}

/// Whether a reading found one sound document, whatever the document says.
fn is_document(charge: &Charge) -> bool {
    !matches!(charge, Charge::Unreadable(_))
}

proptest! {
    #[test]
    fn a_document_says_the_same_however_it_is_cut(
        rows in any_json(),
        amount in prop_oneof![any_json(), "(0|[1-9][0-9]{0,2})\\.[0-9]{1,6}".prop_map(|digits| serde_json::from_str(&digits).unwrap())],
        first in any::<bool>(),
        pieces in 1_usize..64,
        pretty in any::<bool>(),
    ) {
        let mut answer = serde_json::Map::new();
        let meta = serde_json::json!({"inner": rows, "amount_charged": amount});
        if first {
            answer.insert("a".to_owned(), meta["inner"].clone());
        }
        answer.insert("meta".to_owned(), meta);
        answer.insert("z".to_owned(), rows);
        let answer = serde_json::Value::Object(answer);
        let text = if pretty { serde_json::to_string_pretty(&answer) } else { serde_json::to_string(&answer) }.unwrap();
        let found = read_in_pieces("email_find", text.as_bytes(), pieces).charge;
        match (expected(&answer), found) {
            (Charge::Nonsense(_), Charge::Nonsense(_)) => {}
            (expected, found) => prop_assert_eq!(expected, found, "{}", text),
        }
    }

    #[test]
    fn what_is_accepted_is_what_another_parser_accepts(
        answer in any_json(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 0..3),
        pieces in 1_usize..32,
    ) {
        let mut text = serde_json::to_vec(&answer).unwrap();
        for (at, byte, change) in changes {
            if text.is_empty() { break }
            let at = at.index(text.len());
            match change {
                0 => { text.remove(at); }
                1 => text.insert(at, byte),
                _ => text[at] = b"{}[]\",:\\0 e.-tu"[usize::from(byte) % 15],
            }
        }
        let theirs = std::str::from_utf8(&text).is_ok() && serde_json::from_slice::<IgnoredAny>(&text).is_ok();
        for pieces in [pieces, text.len()] {
            let found = read_in_pieces("my_tier", &text, pieces).charge;
            prop_assert_eq!(is_document(&found), theirs, "{:?} {:?}", String::from_utf8_lossy(&text), found);
        }
    }

    #[test]
    fn random_tokens_are_judged_like_another_parser(text in "([{}\\[\\],:]|\"[a\\\\\"]?\"| |-?0?[0-9]{0,2}(\\.[0-9]?)?([eE][+-]?[0-9]?)?|true|null|\"meta\"|\"\\\\u00[46]1\"|\"\\\\ud8\"){0,9}", pieces in 1_usize..8) {
        let theirs = serde_json::from_slice::<IgnoredAny>(text.as_bytes()).is_ok();
        let found = read_in_pieces("my_tier", text.as_bytes(), pieces).charge;
        prop_assert_eq!(is_document(&found), theirs, "{:?} {:?}", text, found);
    }

    #[test]
    fn no_bytes_make_reading_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), pieces in 1_usize..50) {
        let _ = read_in_pieces("legacy_email_finder", &bytes, pieces);
    }
}
