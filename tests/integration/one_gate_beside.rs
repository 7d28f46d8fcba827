//! Promise 6 again: headers, queries, pipelining, old versions and other teams' jobs lead no call
//! around the gate.

use crate::one_gate::{COUNT, ORDINARY, SEARCH, WHOLE, arrived, request, world};
use crate::support::raw::{once, several};
use crate::support::{Plan, is_own_question};

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
    let theirs = || {
        let seen = world.simulator.truth().requests().into_iter();
        seen.filter(|seen| !is_own_question(&seen.path)).count()
    };
    let before = theirs();
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
    assert_eq!(theirs(), before, "but for what the guard asks by itself");
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
