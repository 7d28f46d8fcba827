//! Promise 6: every method and path, in any spelling, meets the same stack. What reaches the
//! upstream is the one normal path of an operation in the catalogue, or nothing at all.

use std::collections::{BTreeMap, BTreeSet};

use generect_guard::catalogue::{Catalogue, Class, Count, Operation};

use crate::support::raw::{once, several};
use crate::support::{Plan, World, secret_of};

const SEARCH: &str = "/api/v1/search/database/leads/";
const COUNT: &str = "/api/v1/search/database/leads/count/";
const ORDINARY: &str = "growth-crm";
const WHOLE: &str = "whole-account";
const METHODS: &[&str] = &[
    "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "post", "GETS",
];

async fn world() -> World {
    Plan::one_team("100000")
        .key(WHOLE, "growth", "account = true")
        .simulator(|settings| settings.balance = crate::support::credits("1000000"))
        .start()
        .await
}

/// A body that the guard can price, so that only the path decides.
fn body_of(operation: &Operation) -> String {
    match operation.parts.first().map(|part| &part.count) {
        Some(Count::Items { arrays, .. }) => format!(r#"{{"{}":[{{}}]}}"#, arrays[0]),
        Some(Count::Body) => "[{}]".to_owned(),
        _ => r#"{"job_titles":["matches:1"],"limit_by":1}"#.to_owned(),
    }
}

/// A request as bytes; `label` goes on to the upstream, which remembers it.
fn request(method: &str, target: &[u8], key: &str, label: &str, body: &str) -> Vec<u8> {
    let head = format!(
        " HTTP/1.1\r\nHost: guard\r\nAuthorization: Token {}\r\nX-Request-Id: {label}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        secret_of(key),
        body.len()
    );
    [method.as_bytes(), b" ", target, head.as_bytes()].concat()
}

/// What reached the upstream under each label: method and path.
fn arrived(world: &World) -> BTreeMap<String, (String, String)> {
    let requests = world.simulator.truth().requests().into_iter();
    let labelled = requests.filter_map(|seen| {
        let label = seen.headers.get("x-request-id")?.to_str().unwrap();
        Some((label.to_owned(), (seen.method.to_string(), seen.path)))
    });
    labelled.collect()
}

/// Spellings with the same meaning for every reader.
fn harmless(path: &str) -> Vec<String> {
    let bare = path.trim_end_matches('/');
    vec![
        path.to_owned(),
        bare.to_owned(),
        format!("{path}/"),
        format!("/{bare}"),
        path.replace('/', "//"),
        path.replacen('/', "///", 2),
        format!("http://elsewhere.example{path}"),
        format!("https://user@elsewhere.example:1{bare}"),
    ]
}

/// Spellings that two readers could read differently, or that nobody should read as the path.
fn harmful(path: &str) -> Vec<Vec<u8>> {
    let bare = path.trim_end_matches('/');
    let (parent, last) = bare.rsplit_once('/').unwrap();
    let mut found: Vec<Vec<u8>> = [
        path.to_uppercase(),
        format!("{parent}/{}/", last.to_uppercase()),
        format!("{parent}/./{last}/"),
        format!("{parent}/x/../{last}/"),
        format!("/api/v1/webhooks/..{path}"),
        format!("{path}."),
        format!("{path}.."),
        format!("{path}../{last}/"),
        format!("{bare}./"),
        format!("{bare}.json"),
        format!("{parent}%2f{last}/"),
        format!("{parent}%2F{last}/"),
        format!("{parent}/%2e%2e/{last}/"),
        format!("{parent}/%2e/{last}/"),
        format!("{parent}/%{:02x}{}/", last.as_bytes()[0], &last[1..]),
        format!("{parent}/%25{:02x}{}/", last.as_bytes()[0], &last[1..]),
        format!("{bare}%2f"),
        format!("{bare}%20/"),
        format!("{bare}%00/"),
        format!("{bare}%0d%0aX:1/"),
        format!("{bare}%3fx=1"),
        format!("{bare}%23"),
        format!("{parent}\\{last}/"),
        format!("\\{bare}/"),
        format!("{bare};a=1/"),
        format!("{path};a=1"),
        format!("{bare}:80/"),
        format!("{bare}~/"),
        format!("{bare}+/"),
        format!("{bare}\u{0}/"),
        format!("{bare}\u{1}/"),
        format!("{bare}\u{7f}/"),
        format!("{bare}\t/"),
        format!("{bare} /"),
        format!("{bare}é/"),
        format!("{parent}\u{ff0f}{last}/"),
        format!("{parent}\u{2215}{last}/"),
        format!("{bare}\u{200b}/"),
        format!("{}{path}", "guard.example"),
        bare.trim_start_matches('/').to_owned(),
        format!("/x{path}"),
        format!("{path}x/"),
        format!("{path}{}", &path[1..]),
        format!("ftp:/{path}"),
    ]
    .into_iter()
    // A job's number has no upper case.
    .filter(|spelling| spelling != path)
    .map(String::into_bytes)
    .collect();
    // Bytes that are no text: an overlong slash, a lone byte.
    found.push([parent.as_bytes(), b"\xc0\xaf", last.as_bytes(), b"/"].concat());
    found.push([bare.as_bytes(), b"\xff/"].concat());
    found
}

fn passes(class: Class, key: &str) -> bool {
    match class {
        Class::Free | Class::Billable | Class::Submit => true,
        Class::Account | Class::Poll => key == WHOLE,
        Class::Denied => false,
    }
}

#[tokio::test]
async fn every_spelling_of_every_operation_is_the_normal_path_or_nothing() {
    let world = world().await;
    let catalogue = Catalogue::built_in().unwrap();
    let mut expected = BTreeMap::new();
    for operation in catalogue.operations() {
        let path = operation.path.replace("{job_id}", "17-1");
        let path = path.replace("{id}", "42");
        let body = body_of(operation);
        for key in [ORDINARY, WHOLE] {
            for (n, target) in harmless(&path).into_iter().enumerate() {
                let label = format!("good.{}.{key}.{n}", operation.name);
                let bytes = request(&operation.method, target.as_bytes(), key, &label, &body);
                let answer = once(world.address(), bytes).await.unwrap();
                let refused = !answer.refusal().is_empty();
                assert_eq!(refused, !passes(operation.class, key), "{label} {answer:?}");
                if !refused {
                    expected.insert(label, (operation.method.clone(), path.clone()));
                }
            }
        }
        for (n, target) in harmful(&path).into_iter().enumerate() {
            let label = format!("bad.{}.{n}", operation.name);
            let bytes = request(&operation.method, &target, WHOLE, &label, &body);
            let answer = once(world.address(), bytes).await;
            let answer = answer.map(|answer| (answer.status, answer.refusal().to_owned()));
            let text = String::from_utf8_lossy(&target);
            match answer {
                // The bytes are no request at all: the server says so itself, or hangs up.
                None => {}
                Some((400, reason)) => assert_eq!(reason, "", "{text}"),
                Some((403, reason)) => assert!(
                    ["unknown_operation", "operation_not_allowed"].contains(&reason.as_str()),
                    "{text}: {reason}"
                ),
                other => panic!("{text}: {other:?}"),
            }
        }
    }
    assert_eq!(arrived(&world), expected);
    world.end().await;
}

#[tokio::test]
async fn only_the_methods_of_the_catalogue_pass() {
    let world = world().await;
    let catalogue = Catalogue::built_in().unwrap();
    let known: BTreeSet<(String, String)> = catalogue
        .operations()
        .map(|operation| (operation.method.clone(), operation.path.clone()))
        .collect();
    let paths: BTreeSet<&String> = known.iter().map(|(_, path)| path).collect();
    for path in paths {
        let target = path.replace("{job_id}", "17-1").replace("{id}", "42");
        for method in METHODS {
            if known.contains(&((*method).to_owned(), path.clone())) {
                continue;
            }
            let label = format!("{method}{}", path.replace(['/', '{', '}'], "-"));
            let bytes = request(method, target.as_bytes(), WHOLE, &label, "");
            let answer = once(world.address(), bytes).await.unwrap();
            assert_eq!(
                (answer.status, answer.refusal()),
                (403, "unknown_operation"),
                "{label}"
            );
        }
    }
    for target in ["guard:80", "api.generect.com:443", SEARCH, "*"] {
        let bytes = request("CONNECT", target.as_bytes(), WHOLE, "connect", "");
        let answer = once(world.address(), bytes).await;
        assert!(
            answer.is_none_or(|answer| [400, 403].contains(&answer.status)),
            "{target}"
        );
    }
    let options = request("OPTIONS", b"*", WHOLE, "options", "");
    assert_eq!(once(world.address(), options).await.unwrap().status, 403);
    assert_eq!(arrived(&world), BTreeMap::new());
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn no_header_makes_another_operation_of_a_call() {
    let world = world().await;
    let overrides = [
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-HTTP-Method", "GET"),
        ("X-Method-Override", "PUT"),
        ("_method", "DELETE"),
        ("X-Original-URL", "/api/v1/webhooks/"),
        ("X-Rewrite-URL", "/api/v1/webhooks/"),
        ("X-Original-Path", "/api/v1/webhooks/"),
        ("X-Forwarded-Path", "/api/v1/webhooks/"),
        ("X-Forwarded-Prefix", "/api/v1/webhooks"),
        ("X-Forwarded-Host", "elsewhere.example"),
        ("Forwarded", "host=elsewhere.example"),
        ("Upgrade", "websocket"),
        ("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA"),
        ("Range", "bytes=0-0"),
        ("If-None-Match", "*"),
        ("Transfer-Encoding-Hint", "chunked"),
        ("X-Simulator-Fault", "overrun"),
    ];
    for (path, body) in [
        (SEARCH, r#"{"job_titles":["cto"],"limit_by":1}"#),
        (COUNT, r#"{"job_titles":["cto"]}"#),
    ] {
        for (name, value) in overrides {
            let label = format!("{name}.{}", path.len());
            let bytes = request("POST", path.as_bytes(), WHOLE, &label, body);
            let line = format!("\r\n{name}: {value}\r\nConnection: {name}, close\r\n\r\n");
            let text = String::from_utf8(bytes).unwrap();
            let text = text.replacen("\r\nConnection: close\r\n\r\n", &line, 1);
            let answer = once(world.address(), text).await.unwrap();
            assert_eq!(answer.status, 200, "{name} {}", answer.text);
        }
    }
    for (label, (method, path)) in arrived(&world) {
        assert_eq!(method, "POST", "{label}");
        assert!([SEARCH, COUNT].contains(&path.as_str()), "{label}");
    }
    let upstream = world.simulator.address().to_string();
    for seen in world.simulator.truth().requests() {
        for (name, value) in &seen.headers {
            let ours = overrides
                .iter()
                .any(|(theirs, _)| name.as_str() == theirs.to_lowercase());
            assert!(!ours, "{name}: {value:?}");
        }
        assert_eq!(seen.headers["host"], upstream.as_str());
    }
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_query_goes_on_behind_the_slash_or_is_refused() {
    let world = world().await;
    let page = "/api/v1/accounts/transactions";
    let bytes = request(
        "GET",
        format!("{page}?limit=5&x=/../").as_bytes(),
        WHOLE,
        "page",
        "",
    );
    assert_eq!(once(world.address(), bytes).await.unwrap().status, 200);
    for query in ["?", "?limit_by=1", "?%6cimit_by=9", "?a#b"] {
        let target = format!("{SEARCH}{query}");
        let bytes = request(
            "POST",
            target.as_bytes(),
            WHOLE,
            "billable",
            r#"{"limit_by":1}"#,
        );
        let answer = once(world.address(), bytes).await.unwrap();
        assert_eq!(
            (answer.status, answer.refusal()),
            (400, "unreadable_body"),
            "{query}"
        );
    }
    let seen = world.simulator.truth().requests();
    let page = seen.iter().find(|seen| {
        seen.headers
            .get("x-request-id")
            .is_some_and(|id| id == "page")
    });
    let page = page.unwrap();
    assert_eq!(page.path, "/api/v1/accounts/transactions/");
    assert_eq!(page.query.as_deref(), Some("limit=5&x=/../"));
    assert!(seen.iter().all(|seen| seen.path != SEARCH));
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn each_of_several_requests_on_one_connection_meets_the_gate() {
    let world = world().await;
    let mut bytes = Vec::new();
    for (n, (path, key)) in [
        (COUNT, ORDINARY),
        ("/api/v1/webhooks/", ORDINARY),
        (COUNT, "nobody"),
        ("/api/v1/../v1/", ORDINARY),
        (COUNT, WHOLE),
    ]
    .into_iter()
    .enumerate()
    {
        let one = request("POST", path.as_bytes(), key, &format!("pipe-{n}"), "{}");
        let one = String::from_utf8(one)
            .unwrap()
            .replace("Connection: close\r\n", "");
        bytes.extend_from_slice(one.as_bytes());
    }
    let answers = several(world.address(), bytes, 5).await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 403, 401, 403, 200]);
    let labels: Vec<_> = arrived(&world).into_keys().collect();
    assert_eq!(labels, ["pipe-0", "pipe-4"]);
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn other_versions_of_http_meet_the_gate_or_nothing() {
    let world = world().await;
    let old = |path: &str, key: &str| {
        let text = request("POST", path.as_bytes(), key, "old", "{}");
        String::from_utf8(text)
            .unwrap()
            .replace("HTTP/1.1\r\nHost: guard", "HTTP/1.0")
    };
    assert_eq!(
        once(world.address(), old(COUNT, ORDINARY))
            .await
            .unwrap()
            .status,
        200
    );
    assert_eq!(
        once(world.address(), old("/api/v1/webhooks/", WHOLE))
            .await
            .unwrap()
            .status,
        403
    );
    assert_eq!(
        once(world.address(), old(COUNT, "nobody"))
            .await
            .unwrap()
            .status,
        401
    );
    let before = world.simulator.truth().request_count();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00".to_vec();
    for bytes in [
        preface,
        format!("POST {COUNT}\r\n\r\n").into_bytes(),
        format!("POST {COUNT} HTTP/0.9\r\n\r\n").into_bytes(),
        format!("POST {COUNT} HTTP/2.0\r\nHost: guard\r\n\r\n").into_bytes(),
        format!("POST {COUNT} HTTP/1.10\r\nHost: guard\r\n\r\n").into_bytes(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
    ] {
        let answer = once(world.address(), bytes.clone()).await;
        let status = answer.map(|answer| answer.status);
        assert!(
            matches!(status, None | Some(400 | 401)),
            "{bytes:?} {status:?}"
        );
    }
    assert_eq!(arrived(&world).len(), 1);
    assert!(
        world.simulator.truth().request_count() <= before + 1,
        "but for the balance"
    );
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_job_is_shown_to_the_team_that_pays_for_it_and_to_nobody_else() {
    let world = Plan::one_team("100")
        .key(WHOLE, "growth", "account = true")
        .key("growth-other", "growth", "")
        .team("sales", "")
        .key("sales-crm", "sales", "")
        .key("sales-whole", "sales", "account = true")
        .budget(
            "sales-month",
            "team = \"sales\"\nlimit = 5\nper = \"month\"",
        )
        .start()
        .await;
    let items = r#"{"leads":[{"linkedin_url":"https://linkedin.example.com/in/person-1"}]}"#;
    let answer = world.post("/api/v1/phone/find/bulk/", items).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let job = answer.json();
    let job = job["meta"]["job_id"].as_str().unwrap().to_owned();
    let page = format!("/api/v1/phone/find/bulk/{job}/");
    let other_family = format!("/api/v1/email/find/bulk/{job}/");
    let before = world.simulator.truth().requests().len();
    for path in [
        &page,
        &other_family,
        &format!("/api/v1//phone/find/bulk/{job}"),
    ] {
        for key in ["sales-crm", "sales-whole"] {
            let answer = world.get_as(key, path).await;
            assert_eq!(
                (answer.status, answer.refusal()),
                (403, "operation_not_allowed"),
                "{key}"
            );
            assert!(answer.text.contains("team sales"), "{}", answer.text);
        }
    }
    let polls = |seen: &[generect_guard::simulator::RequestSeen]| {
        seen.iter().filter(|seen| seen.path.contains(&job)).count()
    };
    assert_eq!(polls(&world.simulator.truth().requests()[before..]), 0);
    for key in [ORDINARY, "growth-other", WHOLE] {
        assert_eq!(world.get_as(key, &page).await.status, 200, "{key}");
    }
    world.end().await;
}
