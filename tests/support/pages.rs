//! The operator's side of a world: its pages, and what they say.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Client;

use super::{Answered, World, send};

/// The admin listener.
#[derive(Clone)]
pub struct AdminPages {
    http: Client,
    address: SocketAddr,
}

impl AdminPages {
    /// GETs a page.
    pub async fn get(&self, path: &str) -> Answered {
        let request = self.http.get(format!("http://{}{path}", self.address));
        send(request).await.unwrap()
    }

    /// Waits until `done` holds of a page, and gives it back.
    pub async fn wait_for(&self, path: &str, done: impl Fn(&Answered) -> bool) -> Answered {
        for _ in 0..3_000 {
            let page = self.get(path).await;
            if done(&page) {
                return page;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{path} never got there: {:?}", self.get(path).await);
    }
}

impl World {
    /// A way to the admin listener that outlives the borrow of the world.
    pub fn admin_pages(&self) -> AdminPages {
        AdminPages {
            http: self.http.clone(),
            address: self.admin_address,
        }
    }

    /// The value of a metric with exactly these labels, as text; empty if there is none.
    pub async fn metric(&self, name: &str, labels: &[(&str, &str)]) -> String {
        let page = self.admin("/metrics").await;
        for line in page.text.lines() {
            let Some(rest) = line.strip_prefix(name) else {
                continue;
            };
            let Some((all, value)) = rest.rsplit_once(' ') else {
                continue;
            };
            let inner = all.trim_start_matches('{').trim_end_matches('}');
            let mut found: Vec<&str> = inner.split(',').filter(|label| !label.is_empty()).collect();
            let wanted = labels
                .iter()
                .map(|(key, value)| format!("{key}=\"{value}\""));
            let mut wanted: Vec<String> = wanted.collect();
            found.sort_unstable();
            wanted.sort_unstable();
            if found == wanted {
                return value.to_owned();
            }
        }
        String::new()
    }

    /// What the metrics say a team was charged for an operation.
    pub async fn charged(&self, team: &str, operation: &str) -> String {
        let labels = [("team", team), ("operation", operation)];
        self.metric("guard_charged_credits_total", &labels).await
    }

    /// Waits until the guard has refused a call for `reason`.
    pub async fn refused_for(&self, reason: &str) {
        let label = format!("reason=\"{reason}\"");
        let pages = self.admin_pages();
        pages
            .wait_for("/metrics", |page| {
                let mut lines = page.text.lines();
                lines.any(|line| line.starts_with("guard_refusals_total") && line.contains(&label))
            })
            .await;
    }

    /// Waits until the account has been read.
    pub async fn account_read(&self) {
        let pages = self.admin_pages();
        pages
            .wait_for("/readyz", |page| page.text.contains(" s old\""))
            .await;
    }
}
