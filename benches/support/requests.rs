//! The requests of the load, written out whole.

use super::settings::{SPENT_SECRET, secret};

/// So many different searches of one key, so that few of them are ever under way twice: the guard
/// looks whether one of two alike has been given up.
const SEARCHES: usize = 64;
const SEARCH: &str = "/api/v1/search/database/leads/";
const COUNT: &str = "/api/v1/search/database/leads/count/";

/// What is sent, in turn, and the status that must come back.
#[derive(Clone)]
pub(crate) struct Requests {
    pub(crate) texts: Vec<Vec<u8>>,
    pub(crate) status: u16,
}

/// A search for two leads.
fn body(number: usize) -> String {
    format!(
        r#"{{"job_titles":["Head of Operations","COO"],"locations":["Poland {number:04}"],"limit_by":2}}"#
    )
}

fn post(path: &str, secret: &str, number: usize) -> Vec<u8> {
    let body = body(number);
    let length = body.len();
    // The headers a Python client sends.
    format!(
        "POST {path} HTTP/1.1\r\nHost: guard.internal\r\nUser-Agent: generect-python/0.1.1\r\n\
         Accept-Encoding: gzip, deflate\r\nAccept: application/json\r\nConnection: keep-alive\r\n\
         Authorization: Token {secret}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A call that is charged, from each of so many keys in turn.
pub(crate) fn billable(keys: usize) -> Requests {
    Requests {
        texts: (0..keys.max(SEARCHES))
            .map(|number| post(SEARCH, &secret(number % keys), number))
            .collect(),
        status: 200,
    }
}

/// The search of a number.
pub(crate) fn search(number: usize) -> Vec<u8> {
    post(SEARCH, &secret(0), number)
}

/// A call that takes nothing.
pub(crate) fn free() -> Requests {
    Requests {
        texts: vec![post(COUNT, &secret(0), 0)],
        status: 200,
    }
}

/// A call that no budget has room for.
pub(crate) fn exhausted() -> Requests {
    Requests {
        texts: (0..SEARCHES)
            .map(|number| post(SEARCH, SPENT_SECRET, number))
            .collect(),
        status: 402,
    }
}

/// A call of a stranger.
pub(crate) fn unknown() -> Requests {
    Requests {
        texts: vec![post(SEARCH, "gg_secret-of-nobody-at-all-0000000000", 0)],
        status: 401,
    }
}

/// Everything that reaches the upstream, the guard's own reading of the account included.
pub(crate) fn of_the_account(token: &str) -> [Vec<u8>; 3] {
    let me = format!(
        "GET /api/v1/accounts/me/ HTTP/1.1\r\nHost: upstream\r\nAuthorization: Token {token}\r\n\r\n"
    );
    [
        post(SEARCH, token, 0),
        post(COUNT, token, 0),
        me.into_bytes(),
    ]
}
