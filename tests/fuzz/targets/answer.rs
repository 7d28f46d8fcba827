//! An upstream's whole connection, through the guard itself: nothing it says makes a call free, or is
//! heard by the client of another call.

use generect_guard::credits::Credits;
use generect_guard::ledger::{Entry, EntryKind, NoteKind};

use super::guard::{Answer, Ended, KEY, TOKEN, answers, talk};
use super::strict::{Arrived, Said};

/// What is asked first: every class of operation that goes upstream without a job.
pub const ASKED: [(&str, &str, &str); 6] = [
    (
        "POST",
        "/api/v1/search/database/leads/",
        r#"{"limit_by":9}"#,
    ),
    ("POST", "/api/v1/search/database/leads/count/", "{}"),
    ("POST", "/api/linkedin/leads/by_icp/", r#"{"limit_by":2}"#),
    (
        "POST",
        "/api/v1/email/find/bulk/",
        r#"{"leads":[{"first_name":"a","last_name":"b","domain":"c.d"}]}"#,
    ),
    (
        "POST",
        "/api/v1/profile/resolve/",
        r#"{"linkedin_url":"x"}"#,
    ),
    ("POST", "/api/v1/phone/find/", r#"{"linkedin_url":"x"}"#),
];
/// What is asked next, of which the answer is known.
pub const NEXT: (&str, &str, &str) = ("POST", "/api/v1/email/validate/", r#"{"emails":["a@b.c"]}"#);
pub const GOOD: &str = r#"{"data":"the second","meta":{"amount_charged":0.01}}"#;

pub fn request((method, path, body): (&str, &str, &str)) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: g\r\nAuthorization: Token {KEY}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// The first call hears `says`, every other one what is good.
fn upstream(says: Vec<u8>, is_last: bool) -> impl FnMut(&Arrived) -> Said + Send + 'static {
    move |arrived| match arrived.line.contains(NEXT.1) {
        true => {
            let length = GOOD.len();
            let text = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{GOOD}");
            Said {
                bytes: text.into_bytes(),
                is_last: false,
            }
        }
        false => Said {
            bytes: says.clone(),
            is_last,
        },
    }
}

pub fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// The entries of the hold that began `nth`.
pub fn of_hold(ended: &Ended, nth: usize) -> Vec<&Entry> {
    let entries = ended.entries.iter();
    let mut begun = entries.filter(|entry| entry.kind == EntryKind::Held);
    let hold = begun.nth(nth).map(|entry| entry.hold);
    let entries = ended.entries.iter();
    entries.filter(|entry| Some(entry.hold) == hold).collect()
}

/// What the ledger was told of a call, held against its answer; `free`: it could have taken nothing.
pub fn check_end(entries: &[&Entry], free: bool, asked: &Answer) {
    let end = entries.last().unwrap_or_else(|| panic!("nothing was held"));
    let note = end
        .evidence
        .as_ref()
        .map(|note| (note.kind, note.text.as_str()));
    match (end.kind, note) {
        (EntryKind::Released, _) => {
            assert!(free, "given back: {end:?}");
            assert!(asked.status >= 400, "{asked:?}");
        }
        (EntryKind::Settled, Some((NoteKind::Stated, raw))) => {
            assert_eq!(Credits::parse_nearest(raw), Ok(end.amount), "{end:?}");
        }
        (EntryKind::Settled, Some((NoteKind::Estimated, _))) => {
            assert!(end.operation.as_str().starts_with("legacy"), "{end:?}");
        }
        (EntryKind::Doubted | EntryKind::Bound, _) => {}
        _ => panic!("not ended: {end:?}"),
    }
}

pub fn run(input: &[u8]) {
    let Some(([which, how], says)) = input.split_first_chunk::<2>() else {
        return;
    };
    // One byte stands for the token, so that it is met often.
    let mut said = Vec::new();
    for byte in says {
        match byte {
            1 => said.extend_from_slice(TOKEN.as_bytes()),
            byte => said.push(*byte),
        }
    }
    let asked = ASKED[usize::from(*which) % ASKED.len()];
    let both = request(asked) + &request(NEXT);
    let ended = talk(
        both.into_bytes(),
        (4096, false),
        upstream(said.clone(), how % 2 == 0),
    );
    assert!(ended.seen.strange.is_empty(), "{:?}", ended.seen);
    assert!(!holds(&ended.heard, TOKEN.as_bytes()), "the token is told");
    assert!(!holds(&ended.log, TOKEN.as_bytes()), "the log tells it");
    let books = format!("{:?}", ended.entries);
    assert!(!books.contains(TOKEN), "the books tell it: {books}");
    let answers = answers(&ended.heard, false);
    let [first, rest @ ..] = answers.as_slice() else {
        // What is streamed on may break off before its head has left.
        assert!(!is_charged(asked.1), "no answer at all");
        return;
    };
    match rest {
        // The first broke off: nobody could tell where the next begins.
        [] => assert!(
            !first.is_whole || first.header("connection") == Some("close"),
            "{first:?}"
        ),
        [second] => {
            let own = is_unreached(second);
            assert!(own || second.body == GOOD.as_bytes(), "{second:?}");
            let entries = of_hold(&ended, usize::from(is_charged(asked.1)));
            let kinds: Vec<_> = entries.iter().map(|entry| entry.kind).collect();
            assert!(
                own || kinds == [EntryKind::Held, EntryKind::Settled],
                "{kinds:?}"
            );
        }
        more => panic!("{} answers to two calls", more.len() + 1),
    }
    if is_charged(asked.1) {
        // Only a no takes nothing.
        let no = holds(&said, b" 4") || holds(&said, b" 5");
        check_end(&of_hold(&ended, 0), no, first);
    }
}

/// Whether a call is told that the upstream did not answer it: all that may keep one from its answer here.
pub fn is_unreached(answer: &Answer) -> bool {
    let refusal = answer.header("guard-refusal");
    let is_upstreams = |refusal: &str| refusal.starts_with("upstream_");
    assert!(refusal.is_none_or(is_upstreams), "{answer:?}");
    refusal.is_some()
}

pub fn is_charged(path: &str) -> bool {
    !path.ends_with("/count/")
}
