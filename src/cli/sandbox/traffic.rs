//! A little traffic that shows what the guard does, and says so line by line.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use http::HeaderMap;
use serde_json::Value;

use crate::app::Guard;
use crate::simulator::{Fault, Simulator};

const SEARCH: &str = "/api/v1/search/database/leads/";
const PHONE: &str = "/api/v1/phone/find/";
const BULK: &str = "/api/v1/email/find/bulk/";
/// The guard reads the account's balance before it lets anything billable pass.
const READY_WITHIN: Duration = Duration::from_secs(10);

/// One call: what it shows, as whom, what.
struct Call {
    shows: &'static str,
    secret: &'static str,
    path: &'static str,
    body: &'static str,
}

const CALLS: &[Call] = &[
    Call {
        shows: "a search is held at its most (10 rows) and settled at what came (3 rows)",
        secret: "sandbox-growth",
        path: SEARCH,
        body: r#"{"job_titles": ["matches:3"], "limit_by": 10}"#,
    },
    Call {
        shows: "a search without a bound gets its team's: 25 rows",
        secret: "sandbox-research",
        path: SEARCH,
        body: r#"{"job_titles": ["chemist"]}"#,
    },
    Call {
        shows: "a lookup that finds nothing takes nothing",
        secret: "sandbox-growth",
        path: PHONE,
        body: r#"{"linkedin_url": "https://www.linkedin.com/in/not-found-1/"}"#,
    },
    Call {
        shows: "more than the team has left is refused before it leaves",
        secret: "sandbox-research",
        path: SEARCH,
        body: r#"{"job_titles": ["chemist"], "limit_by": 500}"#,
    },
    Call {
        shows: "webhooks are never passed on: one would see every team's jobs",
        secret: "sandbox-growth",
        path: "/api/v1/webhooks/",
        body: r#"{"url": "https://example.com/hook"}"#,
    },
];

/// Runs the traffic; the result is what to show.
pub(super) async fn drive(guard: &Guard, simulator: &Simulator) -> anyhow::Result<String> {
    let client = Client::new(guard.address)?;
    client.wait_until_ready(guard.admin_address).await?;
    let mut out = String::new();
    for call in CALLS {
        client.show(call, &mut out).await?;
    }
    job(&client, &mut out).await?;
    let cut = Call {
        shows: "a connection cut after the charge: the hold stays, in doubt",
        secret: "sandbox-growth",
        path: PHONE,
        body: r#"{"linkedin_url": "https://www.linkedin.com/in/person-5/"}"#,
    };
    simulator.faults().next_on(1, PHONE, Fault::CutAfterCharge);
    client.show(&cut, &mut out).await?;
    let again = Call {
        shows: "the client tries again, and is not charged again",
        ..cut
    };
    client.show(&again, &mut out).await?;
    Ok(out)
}

/// A bulk job: held when it is accepted, settled when a poll shows its end.
async fn job(client: &Client, out: &mut String) -> anyhow::Result<()> {
    let submit = Call {
        shows: "a bulk job stays held until it ends",
        secret: "sandbox-growth",
        path: BULK,
        body: r#"{"leads": [{"first_name": "Person", "last_name": "One", "domain": "example.com"}]}"#,
    };
    let answer = client.show(&submit, out).await?;
    let job = answer["meta"]["job_id"]
        .as_str()
        .context("the job has no id")?;
    for _ in 0..3 {
        let answer = client.poll(&format!("{BULK}{job}/"), submit.secret).await?;
        if answer["meta"]["status"] == "completed" {
            let _ = writeln!(
                out,
                "  … and a poll that shows its end settles it: {}\n",
                answer["meta"]["amount_charged"]
            );
            return Ok(());
        }
    }
    anyhow::bail!("the job did not end")
}

struct Client {
    http: reqwest::Client,
    guard: SocketAddr,
}

impl Client {
    fn new(guard: SocketAddr) -> anyhow::Result<Self> {
        let provider = rustls::crypto::ring::default_provider();
        let tls = rustls::ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .build()?;
        Ok(Self { http, guard })
    }

    /// Until the first reading, billable calls are refused: nobody knows what the account has.
    async fn wait_until_ready(&self, admin: SocketAddr) -> anyhow::Result<()> {
        let url = format!("http://{admin}/readyz");
        let waiting = async {
            while !self.http.get(&url).send().await?.status().is_success() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            anyhow::Ok(())
        };
        let waited = tokio::time::timeout(READY_WITHIN, waiting).await;
        waited.context("the account's balance could not be read")?
    }

    async fn send(&self, call: &Call) -> anyhow::Result<(u16, HeaderMap, Value)> {
        let response = self
            .http
            .post(format!("http://{}{}", self.guard, call.path))
            .header("authorization", format!("Token {}", call.secret))
            .header("content-type", "application/json")
            .body(call.body)
            .send()
            .await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = serde_json::from_str(&response.text().await?).unwrap_or(Value::Null);
        Ok((status, headers, body))
    }

    async fn show(&self, call: &Call, out: &mut String) -> anyhow::Result<Value> {
        let (status, headers, body) = self.send(call).await?;
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let _ = writeln!(out, "{}", call.shows);
        let _ = write!(out, "  {} {} → {status}", call.secret, call.path);
        for (name, word) in [
            ("guard-quote", "quote"),
            ("guard-charge", "charge"),
            ("guard-remaining", "left"),
            ("guard-refusal", "refused"),
        ] {
            if let Some(value) = header(name) {
                let _ = write!(out, "  {word} {value}");
            }
        }
        out.push('\n');
        if let (Some(_), Some(detail)) = (header("guard-refusal"), body["detail"].as_str()) {
            let _ = writeln!(out, "  “{detail}”");
        }
        out.push('\n');
        Ok(body)
    }

    async fn poll(&self, path: &str, secret: &str) -> anyhow::Result<Value> {
        let response = self
            .http
            .get(format!("http://{}{path}", self.guard))
            .header("authorization", format!("Token {secret}"))
            .send()
            .await?;
        Ok(serde_json::from_str(&response.text().await?)?)
    }
}
