//! Clients that call a guard with everything mixed, until it is gone.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use generect_guard::simulator::Simulator;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::asked::{OPERATIONS, body_of, place_of_job};
use super::child::{Child, Home};
use super::{Answered, Plan};

/// The keys it uses.
pub const KEYS: [&str; 2] = ["growth-crm", "research-notebook"];

/// Two teams and budgets of every shape, none of which ever refuses.
pub fn plan() -> Plan {
    Plan::default()
        .team("growth", "")
        .team("research", "")
        .key("growth-crm", "growth", "")
        .key("research-notebook", "research", "")
        .budget(
            "growth-total",
            "team = \"growth\"\nlimit = 900000\nper = \"total\"",
        )
        .budget(
            "research-total",
            "team = \"research\"\nlimit = 900000\nper = \"total\"",
        )
        .budget(
            "searches-rolling",
            "operations = [\"search_*\"]\nlimit = 900000\nper = { rolling = \"24h\" }",
        )
        .budget(
            "one-key",
            "key = \"growth-crm\"\nlimit = 900000\nper = \"total\"",
        )
        // Outages are part of the mix; the breaker has tests of its own.
        .toml("[upstream.breaker]\nfailures = 10000")
        .simulator(|settings| {
            settings.balance = super::credits("900000");
            settings.latency = std::time::Duration::from_millis(3);
        })
}

/// A simulator with the settings of `plan`, and a folder for guards before it.
pub async fn set_up(plan: &Plan) -> (Simulator, Home) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let simulator = Simulator::start(listener, plan.simulator_settings()).await;
    let home = plan.home(&simulator.base_url());
    (simulator, home)
}

/// What the clients of one ledger share.
#[derive(Default)]
pub struct Traffic {
    /// No two calls are alike, so that each charge can be found again.
    calls: AtomicU64,
    /// Jobs that were accepted: whose, and where they are polled.
    jobs: Mutex<Vec<(&'static str, String)>>,
    /// Answers to billable calls that stated a charge.
    charged: AtomicU64,
}

impl Traffic {
    /// How many answers stated a charge.
    pub fn charged(&self) -> u64 {
        self.charged.load(Ordering::SeqCst)
    }

    /// Starts `clients` of them; each ends when the guard is gone.
    pub fn start(self: &Arc<Self>, child: &Arc<Child>, clients: u64, seed: u64) -> JoinSet<()> {
        let mut running = JoinSet::new();
        for client in 0..clients {
            let (traffic, child) = (Arc::clone(self), Arc::clone(child));
            let mut random = StdRng::seed_from_u64(seed ^ (client << 32));
            running.spawn(async move {
                let mut failures = 0;
                // A cut connection may be the fault of a call; two in a row are a dead guard.
                while failures < 2 {
                    match traffic.one(&child, &mut random).await {
                        Ok(answer) => failures = u32::from(answer.status == 503),
                        Err(_) => failures += 1,
                    }
                }
            });
        }
        running
    }

    /// One call of any kind.
    async fn one(&self, child: &Child, random: &mut StdRng) -> Result<Answered, reqwest::Error> {
        let key = KEYS[random.random_range(0..KEYS.len())];
        match random.random_range(0..10) {
            0 => {
                let request = child.request(
                    reqwest::Method::POST,
                    "/api/v1/search/database/leads/count/",
                    key,
                );
                let request = request.header("content-type", "application/json");
                super::send(request.body("{}")).await
            }
            1 | 2 => self.poll(child, random).await,
            _ => self.pay(child, key, random).await,
        }
    }

    async fn poll(&self, child: &Child, random: &mut StdRng) -> Result<Answered, reqwest::Error> {
        let job = {
            let jobs = self.jobs.lock().unwrap();
            let recent = jobs.len().saturating_sub(60);
            (!jobs.is_empty()).then(|| jobs[random.random_range(recent..jobs.len())].clone())
        };
        let (key, path) = job.unwrap_or((KEYS[0], "/api/auth/tiers/my-tier/".to_owned()));
        super::send(child.request(reqwest::Method::GET, &path, key)).await
    }

    async fn pay(
        &self,
        child: &Child,
        key: &'static str,
        random: &mut StdRng,
    ) -> Result<Answered, reqwest::Error> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        let (name, path, _) = OPERATIONS[random.random_range(0..OPERATIONS.len())];
        let some = random.random_range(1..6);
        let person = |index: u64| format!("P{index}");
        let search = || (some, some + random.random_range(0..20));
        let body = body_of(name, number, some, person, search);
        let answer = child.post_as(key, path, &body).await?;
        if answer.status == 202 {
            let id = answer.json()["meta"]["job_id"].as_str().unwrap().to_owned();
            let place = place_of_job(name, &id);
            self.jobs.lock().unwrap().push((key, place));
        }
        if !answer.header("guard-charge").is_empty() {
            self.charged.fetch_add(1, Ordering::SeqCst);
        }
        Ok(answer)
    }
}
