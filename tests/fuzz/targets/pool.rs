//! Calls that share connections of HTTP/2, of which the first says anything at all: each is sent once at most,
//! no two have one answer, and when all have ended no connection is left.
//!
//! The input's first line says what the calls do, a letter each: one begins (`c`), one begins that does not
//! read its answer (`u`), the newest leaves (`l`), a second passes (`s`). The lines behind it are those of
//! [`http2`](super::guard::http2).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use generect_guard::proxy::body::OutgoingBody;
use generect_guard::proxy::upstream::{SendError, Upstream};
use http::Request;
use http_body_util::BodyExt;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::answer::GOOD;
use super::guard::http2::{Script, Spoken, Then};
use super::guard::upstream_http2;

/// Calls at most.
const CALLS_MAX: usize = 12;
/// So long a call waits for its answer.
const PATIENCE: Duration = Duration::from_secs(600);
/// After that no connection is left.
const LONG: Duration = Duration::from_secs(7_200);

/// What a call knows in the end.
#[derive(Debug)]
enum Knows {
    /// It was not sent.
    Unsent,
    /// It was perhaps sent.
    Nothing,
    /// An answer began.
    Answered,
    /// All of an answer.
    Whole(Vec<u8>),
}

async fn call(upstream: Upstream, reads: bool) -> Knows {
    let request = Request::post("/api/").body(OutgoingBody::Empty).unwrap();
    let answer = match upstream.send(Box::new(request)).await {
        Ok(answer) => answer,
        Err(SendError::Unsent { .. }) => return Knows::Unsent,
        Err(SendError::Unanswered(_) | SendError::Refused(_)) => return Knows::Nothing,
    };
    if !reads {
        return Knows::Answered;
    }
    match answer.into_body().collect().await {
        Ok(body) => Knows::Whole(body.to_bytes().to_vec()),
        Err(_) => Knows::Answered,
    }
}

/// What is known in the end of each call that did not leave, and how many there were in all.
async fn calls(plan: &[u8], upstream: &Upstream) -> (Vec<Knows>, usize) {
    let mut running: Vec<JoinHandle<_>> = Vec::new();
    let mut begun = 0;
    for letter in plan {
        match letter {
            b'c' | b'u' if begun < CALLS_MAX => {
                begun += 1;
                let call = call(upstream.clone(), *letter == b'c');
                running.push(tokio::spawn(timeout(PATIENCE, call)));
            }
            b'l' => drop(running.pop().inspect(JoinHandle::abort)),
            b's' => sleep(Duration::from_secs(1)).await,
            _ => tokio::task::yield_now().await,
        }
    }
    let mut known = Vec::new();
    for one in running {
        known.push(one.await.unwrap().unwrap_or(Knows::Nothing));
    }
    (known, begun)
}

fn check(known: &[Knows], begun: usize, spoken: &Spoken, is_clear: bool) {
    let unsent = known.iter().filter(|one| matches!(one, Knows::Unsent));
    let answered = known
        .iter()
        .filter(|one| matches!(one, Knows::Answered | Knows::Whole(_)));
    let sent = answered.count()..=begun - unsent.count();
    assert!(sent.contains(&spoken.asked), "{known:?}: {spoken:?}");
    if !is_clear {
        return;
    }
    for one in known {
        let Knows::Whole(body) = one else { continue };
        let same = known
            .iter()
            .filter(|other| matches!(other, Knows::Whole(other) if other == body));
        // What is said behind an answer's end is not heard.
        let from = spoken.answers.iter();
        let from = from.filter(|(_, said)| said.starts_with(body));
        let bodiless = body.is_empty();
        assert!(
            bodiless || same.count() <= from.count(),
            "{known:?}: {spoken:?}"
        );
    }
}

pub fn run(input: &[u8]) {
    let Some((first, lines)) = memchr::memchr(b'\n', input).map(|end| input.split_at(end)) else {
        return;
    };
    let Some((how, plan)) = first.split_first() else {
        return;
    };
    let script = Script {
        lines: lines[1..].to_vec(),
        then: [Then::Answers, Then::Rests, Then::Ends][usize::from(how % 3)],
        good: GOOD,
    };
    let is_clear = script.is_clear();
    let spoken = Arc::new(Mutex::new(Spoken::default()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let (known, begun) = runtime.block_on(async {
        let upstream = upstream_http2(Arc::clone(&spoken), script);
        let known = calls(plan, &upstream).await;
        drop(upstream);
        sleep(LONG).await;
        known
    });
    let spoken = spoken.lock().unwrap();
    check(&known, begun, &spoken, is_clear);
    assert_eq!(spoken.open, 0, "a connection is left");
}
