//! What a client asks of the guard is between the two of them: upstream goes what would have gone
//! without it, byte for byte.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use generect_guard::simulator::{Simulator, SimulatorSettings};
use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{Plan, send};

const SEARCH: &str = "/api/v1/search/database/leads/";
const ANSWER: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 43\r\n\r\n{\"data\":[],\"meta\":{\"amount_charged\":0.06}}\n";

/// An upstream that writes down each POST as it came, and charges a little.
async fn upstream() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let kept = Arc::clone(&kept);
            tokio::spawn(async move {
                let (mut text, mut piece) = (String::new(), vec![0; 65_536]);
                while !text.ends_with('}') {
                    let read = stream.read(&mut piece).await.unwrap_or(0);
                    if read == 0 {
                        return;
                    }
                    text += &String::from_utf8_lossy(&piece[..read]);
                    if text.starts_with("GET") {
                        return;
                    }
                }
                kept.lock().unwrap().push(text);
                let _ = stream.write_all(ANSWER.as_bytes()).await;
            });
        }
    });
    (address, heard)
}

/// What arrives of one call with these headers, before an upstream behind `plan`'s guard.
async fn arrives(plan: Plan, headers: &[(&str, &str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let simulator = Simulator::start(listener, SimulatorSettings::default()).await;
    let (address, heard) = upstream().await;
    let world = plan
        .start_before(simulator, &format!("http://{address}"))
        .await;
    let mut request = world
        .request(Method::POST, SEARCH, "growth-crm")
        .header("content-type", "application/json")
        .header("x-request-id", "one-call");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(r#"{"job_titles":["cto"],"limit_by":10}"#);
    let answer = send(request).await.unwrap();
    assert_eq!(
        (answer.status, answer.refusal()),
        (200, ""),
        "{}",
        answer.text
    );
    world.end_with_nothing_open().await;
    let mut heard = heard.lock().unwrap();
    assert_eq!(heard.len(), 1, "{heard:?}");
    heard.remove(0).replace(&address.to_string(), "UPSTREAM")
}

const AS_EVER: &str = "POST /api/v1/search/database/leads/ HTTP/1.1\r\n\
    content-type: application/json\r\n\
    x-request-id: one-call\r\n\
    accept: */*\r\n\
    content-length: 36\r\n\
    authorization: Token TOKEN\r\n\
    accept-encoding: identity\r\n\
    host: UPSTREAM\r\n\r\n\
    {\"job_titles\":[\"cto\"],\"limit_by\":10}";

#[tokio::test]
async fn headers_and_limits_on_trial_change_nothing_of_what_goes_upstream() {
    let as_ever = AS_EVER.replace("TOKEN", generect_guard::simulator::LIVE_TOKEN);
    assert_eq!(arrives(Plan::one_team("10"), &[]).await, as_ever);
    let asked = [("guard-dry-run", "false"), ("guard-max-charge", "0.2")];
    assert_eq!(arrives(Plan::one_team("10"), &asked).await, as_ever);
    let on_trial = Plan::one_team("10")
        .budget(
            "trial",
            "team = \"growth\"\nlimit = 0\nper = \"day\"\nmode = \"shadow\"",
        )
        .toml("[[rate]]\nper_second = 0.001\nmode = \"shadow\"")
        .toml(
            "[[floor]]\nbelow = 5\npriority = \"normal\"\naction = \"refuse\"\nmode = \"shadow\"",
        );
    assert_eq!(arrives(on_trial, &[]).await, as_ever);
}

#[tokio::test]
async fn of_several_request_ids_only_the_one_in_our_log_goes_on() {
    let as_ever = AS_EVER.replace("TOKEN", generect_guard::simulator::LIVE_TOKEN);
    let others = [
        ("x-request-id", "another, \"of any kind\""),
        ("x-request-id", "a-third"),
    ];
    assert_eq!(arrives(Plan::one_team("10"), &others).await, as_ever);
}
