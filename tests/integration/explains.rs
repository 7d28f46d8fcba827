//! Promise 9: every no explains itself, in the same words in body, header and metric. What says no
//! for want of credits is in `explains_shortage`.

use generect_guard::simulator::{Fault, Listening};
use tokio::io::AsyncWriteExt;

use crate::support::{Answered, Plan, World, secret_of};

pub const SEARCH: &str = "/api/v1/search/database/leads/";
const COUNT: &str = "/api/v1/search/database/leads/count/";

/// Key, call, body, status, reason and the words that its sentence has.
const NOES: &str = r#"
    nobody     | POST /api/v1/search/database/leads/     | {}              | 401 | unknown_key           | not known + key new + Authorization
    growth-crm | POST /api/v1/nowhere/                   | {}              | 403 | unknown_operation     | /api/v1/nowhere/ + catalogue + platform owner
    growth-crm | POST /api/v1/a%2fb/                     | {}              | 403 | unknown_operation     | path + Send
    growth-crm | POST /api/v1/.../x/                     | {}              | 403 | unknown_operation     | path + Send
    growth-crm | GET /api/v1/search/database/leads/      |                 | 403 | unknown_operation     | GET + POST + /search/database/leads/
    growth-crm | PUT /api/v1/webhooks/                   |                 | 403 | unknown_operation     | PUT /api/v1/webhooks/ + never passed on
    growth-crm | POST /api/v1/webhooks/                  | {}              | 403 | operation_not_allowed | webhooks_create + every team
    growth-crm | GET /api/auth/transactions/             |                 | 403 | operation_not_allowed | growth-crm + account = true
    narrow     | POST /api/v1/search/database/leads/     | {}              | 403 | operation_not_allowed | narrow + search_database_leads + [[key]]
    growth-crm | GET /api/v1/phone/find/bulk/17-1/       |                 | 403 | operation_not_allowed | 17-1 + team growth
    growth-crm | POST /api/v1/search/database/leads/     | no              | 400 | unreadable_body       | search_database_leads + byte 0
    growth-crm | POST /api/v1/search/database/leads/     | {"limit_by":-1} | 400 | unreadable_body       | limit_by
    growth-crm | POST /api/v1/search/database/leads/?a=1 | {}              | 400 | unreadable_body       | query string
    strict-key | POST /api/v1/search/database/leads/     | {}              | 400 | unreadable_body       | limit_by + team
    growth-crm | POST /api/v1/search/database/leads/     | {"x":"LARGE"}   | 413 | body_too_large        | 1024 + server.body_bytes_max
    hasty      | POST /api/v1/phone/find/                | {}              | 429 | rate_exceeded         | key hasty + Retry-After
"#;

pub fn rows(count: u64) -> String {
    format!(r#"{{"job_titles":["cto"],"limit_by":{count}}}"#)
}

/// Looks at everything a refusal must have, and that it says each of these words.
pub async fn explained(
    world: &World,
    answer: &Answered,
    status: u16,
    reason: &str,
    words: &[&str],
) {
    assert_eq!(
        (answer.status, answer.refusal()),
        (status, reason),
        "{}",
        answer.text
    );
    assert_eq!(answer.header("content-type"), "application/json");
    let body = answer.json();
    assert_eq!(body["status"], "error", "{body}");
    assert_eq!(body["status_code"], status, "{body}");
    assert_eq!(body["code"], reason, "{body}");
    assert_eq!(body["request_id"], answer.header("guard-request-id"));
    assert_ne!(answer.header("guard-request-id"), "");
    let detail = body["detail"].as_str().unwrap();
    assert!(detail.ends_with('.') && detail.len() > 40, "{detail}");
    assert_eq!(
        detail.starts_with("Insufficient funds"),
        status == 402,
        "{detail}"
    );
    for word in words {
        assert!(detail.contains(word), "{word:?} is not in: {detail}");
    }
    let wait = answer.header("retry-after");
    if status == 429 || status == 503 {
        assert!((1..=30).contains(&wait.parse::<u64>().unwrap()), "{wait:?}");
    } else {
        assert_eq!(wait, "", "waiting does not help: {reason}");
    }
    for name in ["location", "guard-charge", "set-cookie"] {
        assert_eq!(answer.header(name), "", "{name}");
    }
    let page = world.admin("/metrics").await.text;
    let label = format!("reason=\"{reason}\"");
    assert!(
        page.lines()
            .any(|line| line.contains("refus") && line.contains(&label)),
        "{page}"
    );
}

#[tokio::test]
async fn what_is_no_matter_of_money_says_what_and_where() {
    let world = Plan::one_team("100")
        .set("server", "body_bytes_max = \"1KiB\"")
        .key("narrow", "growth", "operations = [\"phone_find\"]")
        .key("hasty", "growth", "")
        .toml("[[rate]]\nkey = \"hasty\"\nper_second = 0.001\nburst = 1")
        .team("strict", "unbounded = \"refuse\"")
        .key("strict-key", "strict", "")
        .budget(
            "strict-month",
            "team = \"strict\"\nlimit = 100\nper = \"month\"",
        )
        .start()
        .await;
    let answer = world.post_as("hasty", COUNT, "{}").await;
    assert_eq!(answer.refusal(), "", "uses up the rate");
    for row in NOES.lines().filter(|row| !row.trim().is_empty()) {
        let cells: Vec<&str> = row.split(" | ").map(str::trim).collect();
        let [key, call, body, status, reason, words] = cells[..] else {
            panic!("{row}");
        };
        let (method, path) = call.split_once(' ').unwrap();
        let body = body.replace("LARGE", &"a".repeat(2000));
        let request = world.request(method.parse().unwrap(), path, key).body(body);
        let answer = crate::support::send(request).await.unwrap();
        let words: Vec<&str> = words.split(" + ").collect();
        explained(&world, &answer, status.parse().unwrap(), reason, &words).await;
    }
    let twice = format!(
        "POST {SEARCH} HTTP/1.1\r\nHost: a\r\nHost: b\r\nX-Api-Key: {}\r\nContent-Length: 0\r\n\r\n",
        secret_of("growth-crm")
    );
    let answer = crate::support::raw::once(world.address(), twice)
        .await
        .unwrap();
    explained(&world, &answer, 400, "bad_request", &["Host"]).await;
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_bound_of_the_guards_own_is_named_with_its_setting() {
    let world = Plan::one_team("100")
        .set("server", "body_bytes_max = \"64KiB\"")
        .set("server", "answer_bytes_kept = \"1KiB\"")
        .set("server", "kept_bytes_max = \"65KiB\"")
        .start()
        .await;
    // All of a body but its end.
    let head = format!(
        "POST {SEARCH} HTTP/1.1\r\nHost: a\r\nX-Api-Key: {}\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n{}\r\n",
        secret_of("growth-crm"),
        " ".repeat(64 << 10)
    );
    let mut slow = tokio::net::TcpStream::connect(world.address())
        .await
        .unwrap();
    slow.write_all(head.as_bytes()).await.unwrap();
    let body = rows(1) + &" ".repeat(2000);
    let answer = loop {
        let answer = world.post(SEARCH, &body).await;
        if answer.status != 200 {
            break answer;
        }
    };
    explained(
        &world,
        &answer,
        503,
        "overloaded",
        &["server.kept_bytes_max", "Try again"],
    )
    .await;
    drop(slow);
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn an_upstream_that_fails_says_what_became_of_the_call() {
    let world = Plan::one_team("100")
        .set("upstream", "response_timeout = \"1s\"")
        .start()
        .await;
    let faults = world.simulator.faults();
    faults.next_on(1, SEARCH, Fault::CutAfterCharge);
    let answer = world.post(SEARCH, &rows(1)).await;
    explained(
        &world,
        &answer,
        504,
        "upstream_silent",
        &["sent", "in doubt", "not sent again"],
    )
    .await;
    let answer = world.post(SEARCH, &rows(1)).await;
    let hold = world.entries()[0].hold.to_string();
    explained(
        &world,
        &answer,
        504,
        "call_in_doubt",
        &["not sent again", &hold, "resolve"],
    )
    .await;
    faults.next_on(
        1,
        SEARCH,
        Fault::Redirect {
            status: 302,
            charged: true,
        },
    );
    let answer = world.post(SEARCH, &rows(2)).await;
    explained(
        &world,
        &answer,
        502,
        "upstream_redirected",
        &["302", "in doubt"],
    )
    .await;
    faults.next_on(
        1,
        SEARCH,
        Fault::Coding(generect_guard::simulator::CodingFault::Unknown),
    );
    let answer = world.post(SEARCH, &rows(3)).await;
    explained(
        &world,
        &answer,
        502,
        "upstream_unreadable",
        &["br", "in doubt"],
    )
    .await;
    world.end().await;
}

#[tokio::test]
async fn an_upstream_that_is_not_there_says_that_nothing_was_sent() {
    let world = Plan::one_team("100")
        .set("upstream", "connect_timeout = \"1s\"")
        .toml("[upstream.breaker]\nfailures = 1\nwithin = \"60s\"\npause = \"20s\"")
        .start()
        .await;
    let faults = world.simulator.faults();
    faults.listen(Listening::Refusing).await;
    faults.close_connections();
    let answer = world.post(SEARCH, &rows(4)).await;
    explained(
        &world,
        &answer,
        502,
        "upstream_unreachable",
        &["Nothing was sent", "try again"],
    )
    .await;
    let answer = world.post(SEARCH, &rows(5)).await;
    explained(
        &world,
        &answer,
        503,
        "upstream_failing",
        &["failing", "Retry-After"],
    )
    .await;
    world.end().await;
}
