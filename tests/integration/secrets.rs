//! Promise 7: no answer shows the account's token or a client's key, and neither reaches a place
//! it does not belong to. What the logs show is in `secrets_in_logs`.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use generect_guard::ledger::EntryKind;
use generect_guard::simulator::LIVE_TOKEN;

use crate::support::raw::{Hostile, everything, once};
use crate::support::{Plan, World, entries_of, secret_of};

const SEARCH: &str = "/api/v1/search/database/leads/";
const COUNT: &str = "/api/v1/search/database/leads/count/";
const KEY: &str = "growth-crm";

/// A guard before an upstream that answers with whatever bytes it is told to.
async fn world_before(hostile: &Hostile) -> World {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = generect_guard::simulator::SimulatorSettings::default();
    let simulator = generect_guard::simulator::Simulator::start(listener, settings).await;
    Plan::one_team("100000")
        .start_before(simulator, &format!("http://{}", hostile.address))
        .await
}

/// A call whose body differs with `n`, so that it is no repeat of one in doubt.
fn call(path: &str, n: usize) -> String {
    let body = format!(r#"{{"job_titles":["t{n}"],"limit_by":1}}"#);
    format!(
        "POST {path} HTTP/1.1\r\nHost: guard\r\nAuthorization: Token {}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        secret_of(KEY),
        body.len()
    )
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "{head}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Every answer to be given, with a name: the token stands somewhere in each.
fn leaks() -> Vec<(String, Vec<u8>)> {
    let token = LIVE_TOKEN;
    let meta = r#""meta":{"amount_charged":0.02}}"#;
    let small = format!(r#"{{"debug":"Authorization: Token {token}",{meta}"#).into_bytes();
    let echo = format!("{token}{token} Token {token}\n");
    let huge = format!(r#"{{"debug":"{}",{meta}"#, echo.trim_end().repeat(50_000)).into_bytes();
    let mut found = Vec::new();
    for status in [
        "200 OK",
        "400 Bad Request",
        "402 Payment Required",
        "500 Oops",
        "502 Bad",
    ] {
        let line = format!("HTTP/1.1 {status}");
        found.push((format!("small {status}"), answer(&line, &small)));
        found.push((format!("huge {status}"), answer(&line, &huge)));
        for (name, body) in [("small", &small), ("huge", &huge)] {
            let line = format!("{line}\r\ncontent-encoding: gzip");
            found.push((format!("gzip {name} {status}"), answer(&line, &gzip(body))));
        }
        let line = format!("HTTP/1.1 {} Token {token}", &status[..3]);
        found.push((format!("reason {status}"), answer(&line, b"{}")));
    }
    found.extend(leaks_in_the_head(&small));
    found.extend(leaks_beside(&small));
    found
}

/// The token in header fields and beside the status.
fn leaks_in_the_head(small: &[u8]) -> Vec<(String, Vec<u8>)> {
    let (token, mut found) = (LIVE_TOKEN, Vec::new());
    for header in [
        format!("x-debug: {token}"),
        format!("www-authenticate: Token {token}"),
        format!("set-cookie: session={token}"),
        format!("set-cookie2: session={token}"),
        format!("guard-charge: {token}"),
        format!("content-type: text/{token}"),
        format!("{token}: 1"),
        format!("etag: \"{token}\""),
        format!("location: /?token={token}"),
    ] {
        let line = format!("HTTP/1.1 200 OK\r\n{header}");
        found.push((header, answer(&line, small)));
    }
    found.push((
        "redirect".to_owned(),
        answer(
            &format!("HTTP/1.1 302 {token}\r\nlocation: /?{token}"),
            small,
        ),
    ));
    found
}

/// The token in framing, in early answers, in what is no answer.
fn leaks_beside(small: &[u8]) -> Vec<(String, Vec<u8>)> {
    let (token, mut found) = (LIVE_TOKEN, Vec::new());
    let half = token.len() / 2;
    let chunks = [
        small,
        &token.as_bytes()[..half],
        &token.as_bytes()[half..],
        b"}",
    ];
    let mut chunked =
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-end\r\n\r\n".to_vec();
    for chunk in chunks {
        let extension = format!("{:x};token={token}\r\n", chunk.len());
        chunked.extend_from_slice(&[extension.as_bytes(), chunk, b"\r\n"].concat());
    }
    chunked.extend_from_slice(format!("0\r\nx-end: {token}\r\n\r\n").as_bytes());
    found.push(("chunks and trailers".to_owned(), chunked));
    found.push((
        "early hints".to_owned(),
        [
            format!("HTTP/1.1 103 {token}\r\nlink: <{token}>\r\n\r\n").as_bytes(),
            &answer("HTTP/1.1 200 OK", small),
        ]
        .concat(),
    ));
    found.push((
        "other protocol".to_owned(),
        format!("HTTP/1.1 101 Sure\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n{token}").into(),
    ));
    found.push((
        "cut".to_owned(),
        format!("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{token}").into(),
    ));
    found.push(("no HTTP".to_owned(), format!("{token}\r\n\r\n").into()));
    found.push((
        "bad header".to_owned(),
        format!("HTTP/1.1 200 OK\r\nx y {token}\r\n\r\n").into(),
    ));
    found
}

/// Everything a client could read in these bytes, unpacked where they are packed.
fn readable(bytes: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    let starts = memchr::memmem::find_iter(bytes, b"\x1f\x8b\x08");
    for start in starts {
        let mut unpacked = Vec::new();
        // What follows the packed part is none of its business.
        let _ = MultiGzDecoder::new(&bytes[start..]).read_to_end(&mut unpacked);
        text += &String::from_utf8_lossy(&unpacked);
    }
    text
}

#[tokio::test]
async fn the_token_is_covered_in_whatever_the_upstream_says() {
    let hostile = Hostile::start().await;
    let world = world_before(&hostile).await;
    for (n, (name, bytes)) in leaks().into_iter().enumerate() {
        hostile.answers(bytes);
        for path in [SEARCH, COUNT] {
            let text = readable(&everything(world.address(), call(path, n)).await);
            assert!(!text.contains(LIVE_TOKEN), "{path} {name}: {text:.3000}");
        }
    }
    let page = world.admin("/metrics").await;
    assert!(!page.text.contains(LIVE_TOKEN) && !page.text.contains("gg_secret"));
    world.end().await;
}

#[tokio::test]
async fn a_leaking_answer_keeps_its_charge_and_its_length() {
    use generect_guard::simulator::Fault;
    let world = Plan::one_team("100").start().await;
    world
        .simulator
        .faults()
        .next_on(1, SEARCH, Fault::LeaksToken);
    let answer = once(world.address(), call(SEARCH, 0)).await.unwrap();
    assert_eq!(
        (answer.status, answer.header("guard-charge")),
        (200, "0.02")
    );
    let covered = format!("Authorization: Token {}", "x".repeat(LIVE_TOKEN.len()));
    assert_eq!(answer.json()["debug"], covered);
    world
        .simulator
        .faults()
        .next_on(1, SEARCH, Fault::SetsCookie);
    let answer = once(world.address(), call(SEARCH, 1)).await.unwrap();
    assert_eq!((answer.status, answer.header("set-cookie")), (200, ""));
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_job_whose_id_is_the_token_is_in_doubt_and_the_books_do_not_tell_it() {
    let hostile = Hostile::start().await;
    let world = world_before(&hostile).await;
    let accepted = format!(r#"{{"status":"pending","meta":{{"job_id":"{LIVE_TOKEN}"}}}}"#);
    hostile.answers(answer("HTTP/1.1 202 Accepted", accepted.as_bytes()));
    let leads = r#"{"leads":[{"first_name":"a","last_name":"b","domain":"c.d"}]}"#;
    let told = world.post("/api/v1/email/find/bulk/", leads).await;
    assert_eq!(told.status, 202, "{}", told.text);
    let kept = world.end().await;
    let entries = entries_of(&kept.path().join("ledger.db"));
    let kinds: Vec<_> = entries.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [EntryKind::Held, EntryKind::Doubted]);
    assert!(!format!("{entries:?}").contains(LIVE_TOKEN));
}

#[tokio::test]
async fn a_clients_key_reaches_the_upstream_in_no_header() {
    let world = Plan::one_team("100").start().await;
    let secret = secret_of(KEY);
    for (name, value) in [
        ("X-Api-Key", secret.clone()),
        ("X-Request-Id", secret.clone()),
        ("X-Request-Id", format!("job-{secret}")),
        ("User-Agent", format!("tool/1 ({secret})")),
        ("Traceparent", secret.clone()),
        ("Tracestate", format!("vendor={secret}")),
        ("X-Generect-Client", secret.clone()),
        ("X-Generect-Token", format!("Token {secret}")),
        ("Accept", format!("text/{secret}")),
        ("Accept-Language", secret.clone()),
        ("Cookie", format!("session={secret}")),
        ("Referer", format!("https://elsewhere.example/?{secret}")),
        ("Proxy-Authorization", format!("Bearer {secret}")),
        ("X-Auth-Token", secret.clone()),
        ("Api-Key", secret.clone()),
        ("X-Forwarded-Authorization", secret.clone()),
    ] {
        for path in [SEARCH, COUNT] {
            let with = format!("\r\n{name}: {value}\r\nHost: guard\r\n");
            let bytes = call(path, 1).replacen("\r\nHost: guard\r\n", &with, 1);
            let answer = once(world.address(), bytes).await.unwrap();
            assert_eq!(answer.status, 200, "{name} {}", answer.text);
            let label = answer.header("guard-request-id");
            assert!(!label.contains(&secret), "{name}: {label}");
        }
    }
    let seen = world.simulator.truth().requests();
    assert!(seen.iter().filter(|seen| seen.path == SEARCH).count() > 10);
    for request in seen {
        for (name, value) in &request.headers {
            let value = String::from_utf8_lossy(value.as_bytes());
            assert!(!value.contains(&secret), "{} {name}: {value}", request.path);
        }
        let token = format!("Token {LIVE_TOKEN}");
        let sent: Vec<_> = request.headers.get_all("authorization").iter().collect();
        assert_eq!(sent, [token.as_str()], "{}", request.path);
    }
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn no_refusal_repeats_a_key_that_stands_in_the_path() {
    let world = Plan::one_team("100")
        .key("whole", "growth", "account = true")
        .start()
        .await;
    let secret = secret_of("whole");
    for (method, path) in [
        ("GET", format!("/{secret}/")),
        ("POST", format!("/api/v1/{secret}")),
        ("POST", format!("{SEARCH}?key={secret}")),
        ("POST", format!("/%2e/{secret}/")),
        ("GET", format!("/api/v1/phone/find/bulk/{secret}/")),
        ("POST", format!("/api/v1/phone/find/bulk/{secret}/")),
        ("DELETE", format!("/api/v1/webhooks/{secret}/")),
        ("TRACE", format!("/api/v1/webhooks/{secret}/")),
    ] {
        let bytes = format!(
            "{method} {path} HTTP/1.1\r\nHost: a\r\nX-Api-Key: {secret}\r\nContent-Length: 0\r\n\r\n"
        );
        let answer = once(world.address(), bytes).await.unwrap();
        assert_ne!(answer.refusal(), "", "{method} {path}");
        assert!(!answer.text.contains(&secret), "{}", answer.text);
    }
    let requests = world.simulator.truth().requests();
    assert!(requests.iter().all(|seen| !seen.path.contains(&secret)));
    world.end_with_nothing_open().await;
}
