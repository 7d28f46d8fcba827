//! Header injection: what a client writes into a header or a path that the guard repeats, to it, to
//! the upstream or in a log line, stays one value in one place.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::recorder::{COUNT, Recorder, SEARCH};
use crate::support::raw::everything;
use crate::support::{Plan, secret_of};

/// Texts that would begin a line, a header, an answer or a JSON member of their own somewhere.
const TEXTS: &[&[u8]] = &[
    b"a\r\nEvil: 1",
    b"a\nEvil: 1",
    b"a\rEvil: 1",
    b"a\r\n Evil: 1",
    b"a\r\n\r\nHTTP/1.1 200 OK\r\nEvil: 1\r\n\r\n",
    b"a%0d%0aEvil:%201",
    b"a%0aEvil: 1",
    b"a\\r\\nEvil: 1",
    b"a\\u000d\\u000aEvil: 1",
    "a\u{2028}Evil: 1".as_bytes(),
    "a\u{85}Evil: 1".as_bytes(),
    "a\u{560d}\u{560a}Evil: 1".as_bytes(),
    b"a\x85Evil: 1",
    b"a\x00Evil: 1",
    b"a\x0bEvil: 1",
    b"a\x1b[2JEvil",
    b"a\x7fEvil",
    b"a\xffEvil",
    b"a\",\"evil\":\"1",
    b"a\\\",\"evil\":\"1",
    b"a</script><script>evil()",
    b"${jndi:ldap://evil/a}",
    b"{{evil}}",
    b"a, Evil",
    b"a; Evil=1",
    b" Evil ",
    b"\tEvil\t",
];

/// What the guard reads, repeats, or passes on.
const NAMES: &[&str] = &[
    "X-Request-Id",
    "Idempotency-Key",
    "guard-dry-run",
    "guard-max-charge",
    "guard-request-id",
    "User-Agent",
    "Accept",
    "Accept-Language",
    "Traceparent",
    "Tracestate",
    "X-Generect-Client",
    "Content-Type",
    "Content-Encoding",
    "Expect",
];

fn requests(n: usize, text: &[u8]) -> Vec<Vec<u8>> {
    let body = format!(r#"{{"job_titles":["t{n}"],"limit_by":1}}"#);
    let key = secret_of("growth-crm");
    let whole = |method: &[u8], path: &[u8], field: &[u8]| {
        let rest = format!(
            " HTTP/1.1\r\nHost: g\r\nX-Api-Key: {key}\r\nConnection: close\r\nContent-Length: {}\r\n",
            body.len()
        );
        [
            method,
            b" ",
            path,
            rest.as_bytes(),
            field,
            b"\r\n",
            body.as_bytes(),
        ]
        .concat()
    };
    let mut found = Vec::new();
    for path in [SEARCH, COUNT] {
        for name in NAMES {
            let field = [name.as_bytes(), b": ", text, b"\r\n"].concat();
            found.push(whole(b"POST", path.as_bytes(), &field));
        }
        found.push(whole(b"POST", &[path.as_bytes(), text].concat(), b""));
        found.push(whole(text, path.as_bytes(), b""));
    }
    found
}

/// The heads of all answers that a connection heard.
fn heads(heard: &str) -> Vec<&str> {
    let answers = heard.split("HTTP/1.1 ").skip(1);
    answers
        .map(|answer| answer.split("\r\n\r\n").next().unwrap())
        .collect()
}

#[tokio::test]
async fn what_a_client_writes_into_a_header_stays_one_value() {
    let recorder = Recorder::start().await;
    let plan = Plan::one_team("1000").set("server", "header_read_timeout = \"1s\"");
    let world = recorder.world(plan).await;
    let mut hearing = tokio::task::JoinSet::new();
    for (n, text) in TEXTS.iter().enumerate() {
        for bytes in requests(n, text) {
            let address = world.address();
            hearing.spawn(async move {
                let heard = everything(address, &bytes).await;
                (bytes, String::from_utf8_lossy(&heard).into_owned())
            });
        }
    }
    let mut answered = 0;
    for (bytes, heard) in hearing.join_all().await {
        let sent = String::from_utf8_lossy(&bytes);
        // Behind what the guard takes for the end of a head another request may begin: of nobody's.
        let heads = heads(&heard);
        let good = heads.iter().filter(|head| head.starts_with("200")).count();
        assert!(good <= 1, "{sent:?}\n{heard}");
        for head in &heads {
            for line in head.lines().skip(1) {
                let (name, value) = line.split_once(": ").unwrap();
                assert!(!name.to_lowercase().contains("evil"), "{sent:?}\n{heard}");
                assert!(
                    value.bytes().all(|byte| (b' '..0x7f).contains(&byte)),
                    "{sent:?}\n{heard}"
                );
            }
        }
        if let Some((_, body)) = heard.split_once("\r\n\r\n")
            && let Some(end) = body.rfind('}')
            && heads.len() == 1
        {
            let json: serde_json::Value = serde_json::from_str(&body[..=end]).unwrap();
            assert!(json.get("evil").is_none(), "{json}");
            answered += 1;
        }
    }
    assert!(answered > 100, "{answered}");
    // The recorder itself refuses fields with odd bytes, and whatever is no field.
    for seen in recorder.arrived() {
        for line in seen.head.lines() {
            let name = line.split(':').next().unwrap().to_lowercase();
            assert!(!name.contains("evil"), "{seen:?}");
        }
    }
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_request_id_is_the_label_it_was_or_one_that_the_guard_made() {
    let recorder = Recorder::start().await;
    let world = recorder.world(Plan::one_team("1000")).await;
    let mut stream = TcpStream::connect(world.address()).await.unwrap();
    let long = "a".repeat(65);
    let mut ids: Vec<&[u8]> = TEXTS.to_vec();
    ids.extend([
        b"sane-1".as_slice(),
        b"",
        long.as_bytes(),
        b"../../etc/passwd",
        b"0",
    ]);
    // Only what is one field on the wire at all.
    ids.retain(|id| {
        id.iter()
            .all(|byte| !matches!(byte, 0..=8 | 10..=31 | 0x7f))
    });
    for (n, id) in ids.iter().enumerate() {
        let body = format!(r#"{{"job_titles":["i{n}"],"limit_by":1}}"#);
        let head = format!(
            "POST {SEARCH} HTTP/1.1\r\nHost: g\r\nX-Api-Key: {}\r\nContent-Length: {}\r\nX-Request-Id: ",
            secret_of("growth-crm"),
            body.len()
        );
        let bytes = [head.as_bytes(), id, b"\r\n\r\n", body.as_bytes()].concat();
        stream.write_all(&bytes).await.unwrap();
        let answer = crate::support::raw::read_answer(&mut stream, &mut Vec::new())
            .await
            .unwrap();
        assert_eq!(answer.status, 200, "{id:?} {}", answer.text);
        let given = answer.header("guard-request-id");
        let label = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        assert!(
            (1..=64).contains(&given.len()) && given.bytes().all(label),
            "{given}"
        );
        let sane = (1..=64).contains(&id.len()) && id.iter().copied().all(label);
        assert_eq!(given.as_bytes() == *id, sane, "{id:?} {given}");
        // Upstream it is called the same, or nothing.
        let last = recorder.arrived().pop().unwrap();
        let fields = last.head.lines();
        let called: Vec<_> = fields
            .filter_map(|field| field.strip_prefix("x-request-id: "))
            .collect();
        assert!(called.is_empty() && !sane || called == [given], "{last:?}");
    }
    world.end_with_nothing_open().await;
}
