//! What a client hears of its connection: what hyper says by itself comes in the guard's words, and an
//! answer behind which nothing more is read says so.

use serde_json::Value;

use crate::support::raw::{once, several};
use crate::support::{Answered, Plan, World, secret_of};

const SEARCH: &str = "/api/v1/search/database/leads/";
const BODY: &str = r#"{"limit_by":1,"job_titles":["matches:1"]}"#;

async fn world() -> World {
    let bounds = "body_bytes_max = \"4KiB\"\nheader_bytes_max = \"8KiB\"";
    Plan::one_team("10").set("server", bounds).start().await
}

/// The head of a search with these fields.
fn head(fields: &str) -> String {
    let key = secret_of("growth-crm");
    format!("POST {SEARCH} HTTP/1.1\r\nHost: guard\r\nX-Api-Key: {key}\r\n{fields}\r\n\r\n")
}

fn whole(kind: &str) -> String {
    let length = BODY.len();
    head(&format!("Content-Type: {kind}\r\nContent-Length: {length}")) + BODY
}

#[tokio::test]
async fn a_head_that_cannot_be_read_is_told_so_in_the_envelope() {
    let world = world().await;
    let large = "x".repeat(64 << 10);
    for (bytes, status, word) in [
        (
            "POST / HTTP/1.1\r\nno colon\r\n\r\n".to_owned(),
            400,
            "head",
        ),
        ("\0\0\0\0\r\n\r\n".to_owned(), 400, "head"),
        (
            head(&format!("X-Large: {large}")),
            431,
            "server.header_bytes_max",
        ),
        (
            head(&"X-Many: x\r\n".repeat(200)),
            431,
            "server.header_count_max",
        ),
    ] {
        let Some(answer) = once(world.address(), bytes).await else {
            // It was still being sent when the connection closed.
            assert_eq!(word, "server.header_bytes_max");
            continue;
        };
        assert_eq!((answer.status, answer.refusal()), (status, "bad_request"));
        assert_eq!(answer.header("connection"), "close");
        assert_eq!(answer.header("content-type"), "application/json");
        let body = answer.json();
        assert_eq!(body["status"], "error", "{body}");
        assert_eq!(body["status_code"], status, "{body}");
        assert_eq!(body["code"], "bad_request", "{body}");
        assert!(answer.text.contains(word), "{body}");
    }
    // What is told behind an answer is hyper's alone: nobody could tell it from a part of that.
    let two = whole("application/json") + "no head\r\n\r\n";
    let answers = several(world.address(), two, 2).await;
    let told: Vec<_> = answers
        .iter()
        .map(|one| (one.status, one.refusal()))
        .collect();
    assert_eq!(told, [(200, ""), (400, "")]);
    world.end_with_nothing_open().await;
}

fn says_close(answer: &Answered, reason: &str) -> bool {
    assert_eq!(answer.refusal(), reason, "{}", answer.text);
    let _: Value = answer.json();
    answer.header("connection") == "close"
}

#[tokio::test]
async fn a_refusal_behind_which_nothing_is_read_says_that_the_connection_closes() {
    let world = world().await;
    let chunked = "Content-Type: application/json\r\nTransfer-Encoding: chunked";
    let too_large = head(chunked) + "1400\r\n" + &" ".repeat(0x1400) + "\r\n";
    let told = head("Content-Type: application/json\r\nContent-Length: 5000");
    for bytes in [too_large, told] {
        let answer = once(world.address(), bytes).await.unwrap();
        assert!(says_close(&answer, "body_too_large"), "{answer:?}");
    }
    // Where nothing is wrong with where the body ends it is read past, and the next call is answered.
    let two = whole("text/plain") + &whole("application/json");
    let answers = several(world.address(), two, 2).await;
    assert!(!says_close(&answers[0], "unreadable_body"), "{answers:?}");
    assert_eq!(answers[1].status, 200, "{answers:?}");
    world.end_with_nothing_open().await;
}
