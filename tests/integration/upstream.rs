//! The ways to the upstream: TLS with an authority of one's own, HTTP/2, an egress proxy.

use generect_guard::simulator::Simulator;

use crate::support::relay::{self, Identity};
use crate::support::{Plan, World, client, credits, send};

const SEARCH: &str = "/api/v1/search/database/leads/";
const A_ROW: &str = r#"{"job_titles":["cto"],"limit_by":1}"#;

/// A guard whose upstream is `base_url`, with the simulator somewhere behind it.
async fn guard_before(simulator: Simulator, base_url: &str, plan: Plan) -> World {
    plan.start_before(simulator, base_url).await
}

async fn simulator() -> Simulator {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    Simulator::start(
        listener,
        generect_guard::simulator::SimulatorSettings::default(),
    )
    .await
}

/// The plan of a guard that trusts `identity`.
fn trusting(identity: &Identity, folder: &std::path::Path) -> Plan {
    let file = folder.join("ca.pem");
    std::fs::write(&file, &identity.certificate).unwrap();
    Plan::one_team("10").set("upstream", &format!("ca_file = {file:?}"))
}

#[tokio::test]
async fn an_upstream_behind_tls_is_trusted_by_a_ca_file() {
    for protocols in [&["http/1.1"][..], &["h2", "http/1.1"], &["h2"], &[]] {
        let (identity, folder, simulator) = (
            Identity::new(),
            tempfile::tempdir().unwrap(),
            simulator().await,
        );
        let tls = relay::tls(&identity, protocols, simulator.address()).await;
        let base_url = format!("https://localhost:{}", tls.address.port());
        let world = guard_before(simulator, &base_url, trusting(&identity, folder.path())).await;
        let answer = world.post(SEARCH, A_ROW).await;
        assert_eq!(answer.status, 200, "{protocols:?} {}", answer.text);
        assert_eq!(answer.header("guard-charge"), "0.02", "{protocols:?}");
        let truth = world.simulator.truth();
        assert_eq!(truth.total_charged(), credits("0.02"));
        let seen = truth
            .requests()
            .into_iter()
            .find(|seen| seen.path == SEARCH)
            .unwrap();
        let authorization = seen.headers["authorization"].to_str().unwrap();
        assert_eq!(
            authorization,
            format!("Token {}", generect_guard::simulator::LIVE_TOKEN)
        );
        world.end_with_nothing_open().await;
    }
}

#[tokio::test]
async fn an_upstream_that_nobody_vouches_for_gets_nothing() {
    let (identity, stranger) = (Identity::new(), Identity::new());
    let (folder, simulator) = (tempfile::tempdir().unwrap(), simulator().await);
    let tls = relay::tls(&stranger, &["http/1.1"], simulator.address()).await;
    let base_url = format!("https://localhost:{}", tls.address.port());
    let world = guard_before(simulator, &base_url, trusting(&identity, folder.path())).await;
    let answer = world.post(SEARCH, A_ROW).await;
    assert_eq!(
        (answer.status, answer.refusal()),
        (502, "upstream_unreachable"),
        "{}",
        answer.text
    );
    assert_eq!(world.simulator.truth().request_count(), 0);
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn all_connections_go_through_the_egress_proxy() {
    let (identity, folder) = (Identity::new(), tempfile::tempdir().unwrap());
    let (proxy, simulator) = (relay::egress_proxy().await, simulator().await);
    let tls = relay::tls(&identity, &["http/1.1"], simulator.address()).await;
    let base_url = format!("https://localhost:{}", tls.address.port());
    let plan = trusting(&identity, folder.path())
        .set("upstream", &format!("proxy = \"http://{}\"", proxy.address));
    let world = guard_before(simulator, &base_url, plan).await;
    assert_eq!(world.post(SEARCH, A_ROW).await.status, 200);
    let free = world
        .post("/api/v1/search/database/leads/count/", A_ROW)
        .await;
    assert_eq!(free.status, 200);
    assert!(proxy.uses() >= 1);
    assert_eq!(proxy.uses(), tls.uses(), "none went past the proxy");
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn an_egress_proxy_in_tls_is_shown_its_name_and_password() {
    let (identity, folder) = (Identity::new(), tempfile::tempdir().unwrap());
    let field = "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n";
    let proxy = relay::guarded_egress_proxy(&identity, field).await;
    for protocol in ["http/1.1", "h2"] {
        let simulator = simulator().await;
        let tls = relay::tls(&identity, &[protocol], simulator.address()).await;
        let base_url = format!("https://localhost:{}", tls.address.port());
        let at = format!("localhost:{}", proxy.address.port());
        let plan = trusting(&identity, folder.path()).set(
            "upstream",
            &format!("proxy = \"https://Aladdin:open%20sesame@{at}\""),
        );
        let world = guard_before(simulator, &base_url, plan).await;
        let answer = world.post(SEARCH, A_ROW).await;
        assert_eq!(answer.status, 200, "{protocol} {}", answer.text);
        assert!(tls.uses() >= 1);
        world.end_with_nothing_open().await;
    }
}

#[tokio::test]
async fn an_egress_proxy_that_is_not_there_means_nothing_was_sent() {
    let simulator = simulator().await;
    let base_url = simulator.base_url();
    let plan = Plan::one_team("10").set("upstream", "proxy = \"http://127.0.0.1:9\"");
    let world = guard_before(simulator, &base_url, plan).await;
    let answer = world.post(SEARCH, A_ROW).await;
    assert_eq!(
        (answer.status, answer.refusal()),
        (502, "upstream_unreachable"),
        "{}",
        answer.text
    );
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_client_may_use_one_connection_for_many_calls() {
    let world = Plan::one_team("10").start().await;
    let http = client();
    for _ in 0..3 {
        let call = http
            .post(world.url(SEARCH))
            .header("x-api-key", crate::support::secret_of("growth-crm"))
            .body(A_ROW);
        assert_eq!(send(call).await.unwrap().status, 200);
    }
    assert_eq!(world.simulator.truth().total_charged(), credits("0.06"));
    world.end_with_nothing_open().await;
}
