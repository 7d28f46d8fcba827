//! Promise 6: every method and path, in any spelling, meets the same stack. What reaches the
//! upstream is the one normal path of an operation in the catalogue, or nothing at all. What else
//! than the path could lead around the gate is in `one_gate_beside`.

use std::collections::{BTreeMap, BTreeSet};

use generect_guard::catalogue::{Catalogue, Class, Count, Operation};

use crate::support::raw::once;
use crate::support::{Plan, World, secret_of};

pub const SEARCH: &str = "/api/v1/search/database/leads/";
pub const COUNT: &str = "/api/v1/search/database/leads/count/";
pub const ORDINARY: &str = "growth-crm";
pub const WHOLE: &str = "whole-account";
const METHODS: &[&str] = &[
    "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "post", "GETS",
];

pub async fn world() -> World {
    Plan::one_team_with("100000", "account_view = \"account\"")
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
        _ => r#"{"job_titles":["matches:1"],"limit_by":2}"#.to_owned(),
    }
}

/// A request as bytes; `label` goes on to the upstream, which remembers it.
pub fn request(method: &str, target: &[u8], key: &str, label: &str, body: &str) -> Vec<u8> {
    let head = format!(
        " HTTP/1.1\r\nHost: guard\r\nAuthorization: Token {}\r\nX-Request-Id: {label}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        secret_of(key),
        body.len()
    );
    [method.as_bytes(), b" ", target, head.as_bytes()].concat()
}

/// What reached the upstream under each label: method and path.
pub fn arrived(world: &World) -> BTreeMap<String, (String, String)> {
    let requests = world.simulator.truth().requests().into_iter();
    let labelled = requests.filter_map(|seen| {
        let label = seen.headers.get("x-request-id")?.to_str().unwrap();
        Some((label.to_owned(), (seen.method.to_string(), seen.path)))
    });
    labelled.collect()
}

/// Spellings with the same meaning for every reader.
pub fn harmless(path: &str) -> Vec<String> {
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
                // The bytes are no request at all: it is told so, or the connection is closed.
                None => {}
                Some((400, reason)) => assert_eq!(reason, "bad_request", "{text}"),
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
