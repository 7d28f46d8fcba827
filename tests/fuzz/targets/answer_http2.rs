//! An upstream's whole connection of HTTP/2, through the guard itself: whatever its frames are, no call is
//! free, sent twice or lost, and none has the answer of another.

use generect_guard::ledger::EntryKind;

use super::answer::{
    ASKED, GOOD, NEXT, check_end, holds, is_charged, is_unreached, of_hold, request,
};
use super::guard::http2::{Script, Spoken, Then};
use super::guard::{Answer, Ended, TOKEN, answers, talk_http2};

/// Set in what says how: the client leaves when it has asked.
const LEAVES: u8 = 0x40;

/// Every hold ended once, or is in doubt, or waits for its job.
fn check_ledger(ended: &Ended) {
    let begun = ended.entries.iter();
    let begun = begun
        .filter(|entry| entry.kind == EntryKind::Held)
        .map(|entry| entry.hold);
    for hold in begun {
        let of_it = ended.entries.iter().filter(|entry| entry.hold == hold);
        let kinds: Vec<_> = of_it.map(|entry| entry.kind).collect();
        assert!(
            matches!(
                kinds[..],
                [
                    EntryKind::Held,
                    EntryKind::Settled
                        | EntryKind::Released
                        | EntryKind::Doubted
                        | EntryKind::Bound
                ]
            ),
            "{kinds:?}"
        );
    }
}

/// What a client has of an answer is what was said on one stream, and on each another.
fn check_whose(answers: &[Answer], spoken: &Spoken) {
    let mut streams = Vec::new();
    let mut heard = 0;
    for answer in answers {
        let is_own = answer.header("guard-refusal").is_some();
        if is_own || answer.body.is_empty() {
            continue;
        }
        heard += 1;
        let before = streams.len();
        let from = spoken.answers.iter();
        let from = from.filter(|(_, said)| said.starts_with(&answer.body));
        streams.extend(from.map(|(stream, _)| *stream));
        assert!(streams.len() > before, "nobody said {answer:?}: {spoken:?}");
    }
    streams.sort_unstable();
    streams.dedup();
    assert!(streams.len() >= heard, "one for two: {spoken:?}");
}

pub fn run(input: &[u8]) {
    let Some(([which, how], lines)) = input.split_first_chunk::<2>() else {
        return;
    };
    let script = Script {
        lines: lines.to_vec(),
        then: [Then::Answers, Then::Rests, Then::Ends][usize::from(how % 3)],
        good: GOOD,
    };
    let asked = ASKED[usize::from(*which) % ASKED.len()];
    let both = (request(asked) + &request(NEXT)).into_bytes();
    let leaves = how & LEAVES != 0;
    let (ended, spoken) = talk_http2(both, (4096, leaves), script.clone());
    assert!(!holds(&ended.heard, TOKEN.as_bytes()), "the token is told");
    assert!(!holds(&ended.log, TOKEN.as_bytes()), "the log tells it");
    let books = format!("{:?}", ended.entries);
    assert!(!books.contains(TOKEN), "the books tell it: {books}");
    assert!(spoken.asked <= 2, "sent again: {spoken:?}");
    check_ledger(&ended);
    if leaves {
        return;
    }
    let answers = answers(&ended.heard, false);
    if script.is_clear() {
        check_whose(&answers, &spoken);
    }
    // Only a no takes nothing, and what was not sent.
    let free = script.may_say_no() || spoken.asked < 2;
    let Some(first) = answers.first() else {
        assert!(!is_charged(asked.1), "no answer at all");
        return;
    };
    if is_charged(asked.1) {
        check_end(&of_hold(&ended, 0), free, first);
    }
    match &answers[1..] {
        [] => assert!(
            !first.is_whole || first.header("connection") == Some("close"),
            "{first:?}"
        ),
        [second] => {
            let hold = of_hold(&ended, usize::from(is_charged(asked.1)));
            if !is_unreached(second) || !hold.is_empty() {
                check_end(&hold, free, second);
            }
        }
        more => panic!("{} answers to two calls", more.len() + 1),
    }
}
