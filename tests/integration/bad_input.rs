//! Bad input gets a clear refusal or a closed connection: never a hold that is left, never a byte
//! upstream, and the guard stays up. What is wrong on the wire is in `bad_wire`.

use crate::support::raw::once;
use crate::support::{Answered, Plan, World, is_own_question, secret_of};

pub const SEARCH: &str = "/api/v1/search/database/leads/";
pub const COUNT: &str = "/api/v1/search/database/leads/count/";
const BULK: &str = "/api/v1/enrich/database/leads/bulk/";
const KEY: &str = "growth-crm";

/// A guard that has little patience with half-sent requests.
pub async fn world() -> World {
    Plan::one_team("100")
        .set("server", "header_read_timeout = \"1s\"")
        .set("server", "body_read_timeout = \"1s\"")
        .start()
        .await
}

/// Nothing of what was sent so far reached the upstream or the books, and the guard still works.
pub async fn unharmed(world: World) {
    let requests = world.simulator.truth().requests();
    let seen: Vec<_> = requests
        .iter()
        .filter(|seen| !is_own_question(&seen.path))
        .collect();
    assert!(seen.is_empty(), "{seen:?}");
    let budget = world.budget("growth-month").await;
    assert!(
        budget.held.micros() == 0 && budget.settled.micros() == 0,
        "{budget:?}"
    );
    let answer = world
        .post(SEARCH, r#"{"job_titles":["cto"],"limit_by":1}"#)
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let entries = world.end_with_nothing_open().await;
    assert_eq!(entries.len(), 2, "a hold and its end: {entries:?}");
}

/// The head of a POST, to which headers and an empty line are to be added.
pub fn head(path: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: guard\r\nAuthorization: Token {}\r\n",
        secret_of(KEY)
    )
}

/// Sends a body under these headers, with the right length.
async fn post(world: &World, path: &str, headers: &str, body: &[u8]) -> Answered {
    let head = format!(
        "{}{headers}Content-Length: {}\r\n\r\n",
        head(path),
        body.len()
    );
    once(world.address(), [head.as_bytes(), body].concat())
        .await
        .unwrap()
}

fn assert_refused(answer: &Answered, status: u16, reason: &str, what: &str) {
    let found = (answer.status, answer.refusal());
    assert_eq!(found, (status, reason), "{what:.200}: {}", answer.text);
    let body = answer.json();
    assert_eq!(
        (&body["status"], &body["code"]),
        (&"error".into(), &reason.into())
    );
    assert_eq!(body["request_id"], answer.header("guard-request-id"));
    assert!(body["detail"].as_str().unwrap().len() > 30, "{body}");
}

const JSON: &str = "Content-Type: application/json\r\n";

#[tokio::test]
async fn a_body_that_two_readers_could_read_differently_is_refused() {
    let world = world().await;
    let deep = |open: &str, close: &str, times: usize| {
        format!(
            r#"{{"limit_by":1,"x":{}1{}}}"#,
            open.repeat(times),
            close.repeat(times)
        )
    };
    let many: Vec<_> = (0..50_000)
        .map(|n| format!("\"k{}\":1", n % 49_999))
        .collect();
    for body in [
        String::new(),
        " \n".to_owned(),
        "not json".to_owned(),
        "limit_by=1&job_titles=cto".to_owned(),
        "<limit_by>1</limit_by>".to_owned(),
        r#"{"limit_by":1"#.to_owned(),
        r#"{"limit_by":1}{"limit_by":1000}"#.to_owned(),
        r#"{"limit_by":1}]"#.to_owned(),
        r#"{"limit_by":1,}"#.to_owned(),
        r#"{limit_by:1}"#.to_owned(),
        r#"{'limit_by':1}"#.to_owned(),
        r#"/* 1 */{"limit_by":1}"#.to_owned(),
        "\u{feff}{\"limit_by\":1}".to_owned(),
        r#"{"limit_by":1,"limit_by":1000}"#.to_owned(),
        r#"{"limit_by":1,"limit_b\u0079":1000}"#.to_owned(),
        r#"{"limit_by":1,"a":{"b":1,"b":2}}"#.to_owned(),
        r#"{"limit_by":1,"a":[[[{"b":{"c":1,"d":2,"c":3}}]]]}"#.to_owned(),
        format!("{{\"limit_by\":1,{}}}", many.join(",")),
        r#"{"limit_by":NaN}"#.to_owned(),
        r#"{"limit_by":1,"x":NaN}"#.to_owned(),
        r#"{"limit_by":Infinity}"#.to_owned(),
        r#"{"limit_by":-Infinity}"#.to_owned(),
        r#"{"limit_by":0x10}"#.to_owned(),
        r#"{"limit_by":01}"#.to_owned(),
        r#"{"limit_by":1_000}"#.to_owned(),
        r#"{"limit_by":1,"x":"\ud800"}"#.to_owned(),
        "{\"limit_by\":1,\"x\":\"\u{0}\"}".to_owned(),
        "{\"limit_by\":1\u{0}}".to_owned(),
        deep("[", "]", 100_000),
        deep("{\"a\":", "}", 100_000),
        "[".repeat(100_000),
        "{\"a\":".repeat(100_000),
    ] {
        let answer = post(&world, SEARCH, JSON, body.as_bytes()).await;
        assert_refused(&answer, 400, "unreadable_body", &body);
    }
    for bytes in [
        &b"{\"limit_by\":1,\"x\":\"\xff\"}"[..],
        b"{\"limit_by\":1,\"x\":\"\xed\xa0\x80\"}",
        b"\xff\xfe{\0\"\0l\0\"\0:\x001\0}\0",
        b"\0\0\0{\0\0\0}",
        b"\x1f\x8b\x08\0\0\0\0\0",
    ] {
        let answer = post(&world, SEARCH, JSON, bytes).await;
        assert_refused(&answer, 400, "unreadable_body", &format!("{bytes:?}"));
    }
    unharmed(world).await;
}

#[tokio::test]
async fn a_bound_that_is_no_plain_count_is_refused() {
    let world = world().await;
    for bound in [
        "-1",
        "-0.5",
        "0.5",
        "1.5",
        "\"-1\"",
        "\"1.5\"",
        "\"1e2\"",
        "\"ten\"",
        "\"\"",
        "\"0x10\"",
        "\"１\"",
        "true",
        "false",
        "[]",
        "[1]",
        "{}",
        "{\"$gt\":1}",
        "1e400",
        "-1e400",
        "99999999999999999999999999",
        "\"99999999999999999999999999\"",
        "1e-400",
    ] {
        let body = format!(r#"{{"job_titles":["cto"],"limit_by":{bound}}}"#);
        let answer = post(&world, SEARCH, JSON, body.as_bytes()).await;
        assert!(
            (answer.status, answer.refusal()) == (400, "unreadable_body")
                || (answer.status, answer.refusal()) == (402, "budget_exhausted"),
            "{bound}: {} {}",
            answer.status,
            answer.text
        );
    }
    for body in ["1", "\"x\"", "null", "true", "[]", "[{\"limit_by\":1}]"] {
        let answer = post(&world, SEARCH, JSON, body.as_bytes()).await;
        assert_refused(&answer, 400, "unreadable_body", body);
    }
    for body in [
        r#"{"leads":1}"#,
        r#"{"leads":"x"}"#,
        r#"{"leads":{"0":{}}}"#,
        r#"{"leads":[{}],"items":{}}"#,
        r#"[{"leads":[]}]"#,
    ] {
        let answer = post(&world, BULK, JSON, body.as_bytes()).await;
        assert_refused(&answer, 400, "unreadable_body", body);
    }
    unharmed(world).await;
}

#[tokio::test]
async fn a_body_that_says_it_is_something_else_than_json_is_refused() {
    let world = world().await;
    let body = br#"{"job_titles":["cto"],"limit_by":1}"#;
    for headers in [
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: multipart/form-data; boundary=x\r\n",
        "Content-Type: text/plain\r\n",
        "Content-Type: text/json\r\n",
        "Content-Type: \r\n",
        "Content-Type: application/json; charset=utf-16\r\n",
        "Content-Type: application/json; charset=utf-7\r\n",
        "Content-Type: application/json; charset=utf-8; charset=utf-16\r\n",
        "Content-Type: application/json, text/plain\r\n",
        "Content-Type: application/json\r\nContent-Type: text/plain\r\n",
        "Content-Type: application/json\r\nContent-Type: application/json\r\n",
        "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
        "Content-Type: application/json\r\nContent-Encoding: br\r\n",
        "Content-Type: application/json\r\nContent-Encoding: identity\r\n",
        "Content-Type: application/json\r\ncontent-encoding:\r\n",
    ] {
        let answer = post(&world, SEARCH, headers, body).await;
        assert_refused(&answer, 400, "unreadable_body", headers);
    }
    unharmed(world).await;
}

#[tokio::test]
async fn a_body_of_a_hundred_megabytes_is_refused_by_its_word_or_by_its_length() {
    let world = world().await;
    for path in [SEARCH, COUNT] {
        for length in ["104857600", "1152921504606846976", "1048577"] {
            let bytes = format!("{}{JSON}Content-Length: {length}\r\n\r\n{{", head(path));
            let answer = once(world.address(), bytes).await.unwrap();
            assert_refused(&answer, 413, "body_too_large", length);
            let declared = format!(
                "{}{JSON}Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n",
                head(path)
            );
            let answer = once(world.address(), declared).await.unwrap();
            assert_refused(&answer, 413, "body_too_large", length);
        }
        let mut bytes =
            format!("{}{JSON}Transfer-Encoding: chunked\r\n\r\n", head(path)).into_bytes();
        let chunk = [b"10000\r\n", &vec![b' '; 0x10000][..], b"\r\n"].concat();
        for _ in 0..1600 {
            bytes.extend_from_slice(&chunk);
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        // The guard answers early and closes; what is still on its way may hide the answer.
        if let Some(answer) = once(world.address(), bytes).await {
            assert_refused(&answer, 413, "body_too_large", "chunked");
        }
        let mut bytes =
            format!("{}{JSON}Transfer-Encoding: chunked\r\n\r\n", head(path)).into_bytes();
        for _ in 0..17 {
            bytes.extend_from_slice(&chunk);
        }
        let answer = once(world.address(), bytes).await.unwrap();
        assert_refused(&answer, 413, "body_too_large", "a little too large");
    }
    unharmed(world).await;
}
