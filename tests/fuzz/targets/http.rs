//! A client's whole connection, through the guard itself.

use generect_guard::ledger::EntryKind;

use super::guard::{Answer, Ended, KEY, TOKEN, answers, talk};
use super::strict::{self, Arrived, Said};

/// What may stand in the heads of what goes upstream, beside the vendor's own.
const PASSED: [&str; 12] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "authorization",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "traceparent",
    "tracestate",
    "user-agent",
    "x-request-id",
];
/// The one answer of this upstream.
const GOOD: &str = r#"{"data":[],"meta":{"amount_charged":0.02}}"#;

fn good(_: &Arrived) -> Said {
    let length = GOOD.len();
    let text = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{GOOD}"
    );
    Said {
        bytes: text.into_bytes(),
        is_last: false,
    }
}

fn times(text: &[u8], part: &[u8]) -> usize {
    let windows = text.windows(part.len());
    windows.filter(|window| *window == part).count()
}

/// What went upstream is what the guard writes, with the token and nothing of the key.
fn check_sent(arrived: &Arrived) {
    let fields = arrived.head.split("\r\n").skip(1);
    for (name, value) in fields.filter_map(|field| field.split_once(": ")) {
        let name = name.to_ascii_lowercase();
        let known = PASSED.contains(&name.as_str()) || name.starts_with("x-generect-");
        assert!(known, "{name} went on");
        match name.as_str() {
            "authorization" => assert_eq!(value, format!("Token {TOKEN}")),
            "host" => assert_eq!(value, "upstream.test"),
            _ => assert!(!value.contains(TOKEN), "{name}: {value}"),
        }
        assert!(!value.contains(KEY), "{name}: {value}");
    }
    let has = |name: &str| {
        let line = format!("\r\n{name}: ");
        arrived.head.to_ascii_lowercase().contains(&line)
    };
    assert!(has("authorization") && has("host"), "{arrived:?}");
    let target = arrived.line.split(' ').nth(1).unwrap();
    let path = target.split('?').next().unwrap();
    assert!(
        path.ends_with('/') && !path.contains("//") && !path.contains(".."),
        "{path}"
    );
}

/// Requests that no two readers can take for different ones, if all of the input is such.
fn strictly(input: &[u8]) -> Option<Vec<Arrived>> {
    let mut rest = input.to_vec();
    let mut requests = Vec::new();
    while !rest.is_empty() {
        requests.push(strict::next(&mut rest).ok()??);
    }
    Some(requests)
}

/// Requests in a row are answered in their order, as long as the connection stays.
fn check_order(requests: &[Arrived], answers: &[Answer], sent: &[Arrived]) {
    assert!(answers.len() <= requests.len(), "{answers:?}");
    let mut asked = requests.iter();
    for one in sent {
        let method = one.line.split(' ').next();
        // A search without a bound is given one.
        let bounded = one.body.contains("limit");
        let same = |other: &Arrived| {
            other.line.split(' ').next() == method && (bounded || other.body == one.body)
        };
        assert!(asked.any(same), "{one:?} was not asked for");
    }
    // A refusal does not wait for the rest of a body: what is behind it is not read either.
    let says_close = |head: &str| head.to_ascii_lowercase().contains("\r\nconnection:");
    let closes = requests.iter().any(|one| says_close(&one.head))
        || answers.iter().any(|one| says_close(&one.head))
        || answers.last().is_some_and(|last| last.status >= 400);
    assert!(
        closes || answers.len() == requests.len(),
        "{} answers to {requests:?}",
        answers.len()
    );
}

/// What was sent was held, and is settled, or in doubt where the one answer says no charge of its kind.
fn check_ledger(ended: &Ended) {
    let count = |kind| {
        ended
            .entries
            .iter()
            .filter(|entry| entry.kind == kind)
            .count()
    };
    let held = count(EntryKind::Held);
    assert!(
        held <= ended.seen.requests.len(),
        "more was held than was sent"
    );
    for open in &ended.open {
        let operation = open.origin.operation.as_str();
        let has_another_form = operation.starts_with("legacy") || operation.contains("bulk");
        let ended = open.doubted_at.is_some() || open.job.is_some();
        assert!(has_another_form && ended, "{open:?}");
    }
    assert_eq!(
        count(EntryKind::Settled) + ended.open.len(),
        held,
        "{:?}",
        ended.entries
    );
}

pub fn run(input: &[u8]) {
    let Some(([pieces, how], says)) = input.split_first_chunk::<2>() else {
        return;
    };
    let leaves = how % 4 == 1;
    let ended = talk(says.to_vec(), (usize::from(*pieces) * 4 + 1, leaves), good);
    let strange = &ended.seen.strange;
    assert!(strange.is_empty(), "no requests: {strange:?}");
    let sent = &ended.seen.requests;
    sent.iter().for_each(check_sent);
    // Nobody is served without showing a key, and nobody twice.
    assert!(sent.len() <= times(says, KEY.as_bytes()), "{sent:?}");
    assert_eq!(
        times(&ended.heard, TOKEN.as_bytes()),
        0,
        "the token is told"
    );
    let answers = answers(&ended.heard, times(says, b"HEAD") > 0);
    // One that cannot be read may be answered too.
    assert!(answers.len() <= times(says, b"HTTP/1.") + 1, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.is_whole), "{answers:?}");
    // A call that has a name is given the answer it had before.
    let is_named = times(&says.to_ascii_lowercase(), b"idempotency-key") > 0;
    let served = |answer: &&Answer| answer.status == 200 && answer.body == GOOD.as_bytes();
    assert!(is_named || answers.iter().filter(served).count() <= sent.len());
    check_ledger(&ended);
    if let Some(requests) = strictly(says)
        && !leaves
    {
        check_order(&requests, &answers, sent);
    }
}
