//! Quotes against an oracle that knows nothing of them: the simulator reads each body in its own
//! way, prices it from its own list, and says what it really took.
//!
//! Bodies are generated, odd spellings included, so every run looks at others. `ORACLE_SEED`
//! repeats a run (a failing one prints its seed), `ORACLE_CASES` makes it longer.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, in the functions it calls too"
)]

#[path = "../support/mod.rs"]
mod support;

mod bodies;
mod charged;
mod document;
mod documented;
mod readings;
mod spellings;
mod through_the_guard;

use std::sync::LazyLock;

use generect_guard::catalogue::{Catalogue, Class, Operation, Prices};
use generect_guard::credits::Credits;
use generect_guard::simulator::{self, LIVE_TOKEN, Simulator, SimulatorSettings};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// The built-in catalogue.
pub fn catalogue() -> &'static Catalogue {
    static BUILT_IN: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::built_in().unwrap());
    &BUILT_IN
}

/// Every operation that takes something.
pub fn priced_operations() -> impl Iterator<Item = &'static Operation> {
    let priced = |class: Class| matches!(class, Class::Billable | Class::Submit);
    catalogue()
        .operations()
        .map(AsRef::as_ref)
        .filter(move |operation: &&Operation| priced(operation.class))
}

/// This run's seed.
pub fn seed() -> u64 {
    match std::env::var("ORACLE_SEED") {
        Ok(text) => text.parse().unwrap(),
        Err(_) => rand::random(),
    }
}

/// How many bodies of each operation are tried, unless the environment says.
pub fn cases(usually: u32) -> u32 {
    std::env::var("ORACLE_CASES").map_or(usually, |text| text.parse().unwrap())
}

/// A runner whose cases follow from `seed` alone.
pub fn runner(cases: u32, seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// Prices of which no two are alike, as on the list two are: so a wrong one is seen.
pub fn odd_prices() -> simulator::Prices {
    let price = Credits::from_micros;
    simulator::Prices {
        tier: "odd".to_owned(),
        database: price(20_011),
        realtime: price(40_009),
        preview: price(2_003),
        email_find: price(30_011),
        email_validate: price(5_009),
        phone: price(400_009),
        resolve: price(503),
        legacy_credit: price(40_009),
    }
}

/// The upstream's prices under the catalogue's names.
fn named(prices: &simulator::Prices) -> Prices {
    let mut named = catalogue().prices().clone();
    for (name, price) in [
        ("api_cached", prices.database),
        ("api_realtime", prices.realtime),
        ("api_preview", prices.preview),
        ("api_email_finder", prices.email_find),
        ("api_email_validation", prices.email_validate),
        ("phones", prices.phone),
        ("profile_resolve", prices.resolve),
    ] {
        named.set(name, price).unwrap();
    }
    named
}

/// A pretend Generect that is asked one thing at a time.
pub struct Upstream {
    /// What it takes for one unit of each thing.
    pub prices: Prices,
    runtime: Runtime,
    http: reqwest::Client,
    simulator: Simulator,
}

/// What came of one call.
#[derive(Debug)]
pub struct Taken {
    /// Of the answer.
    pub status: u16,
    /// What left the account, bulk jobs at their end included.
    pub charge: Credits,
    /// What the upstream itself took for the most this call can take.
    pub set_aside: Credits,
}

impl Upstream {
    /// Starts one with these settings and a balance that never runs out.
    pub fn start(mut settings: SimulatorSettings) -> Self {
        settings.balance = Credits::from_micros(1_000_000_000_000_000);
        let prices = named(&settings.prices);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let simulator = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            Simulator::start(listener, settings).await
        });
        Self {
            prices,
            runtime,
            http: support::client(),
            simulator,
        }
    }

    /// Sends one body as the guard would, and waits for the end of a job it may start.
    pub fn send(&self, path: &str, body: &[u8]) -> Taken {
        let before = self.simulator.truth().total_charged();
        let aside = self.simulator.set_aside();
        let request = self
            .http
            .post(format!("{}{path}", self.simulator.base_url()))
            .header("authorization", format!("Token {LIVE_TOKEN}"))
            .header("content-type", "application/json")
            .body(body.to_vec());
        let answer = self.runtime.block_on(support::send(request)).unwrap();
        let open = self.simulator.set_aside().saturating_sub(aside);
        self.simulator.complete_jobs();
        let truth = self.simulator.truth();
        let settled = truth.charges().last().map(|charged| charged.set_aside);
        Taken {
            status: answer.status,
            charge: truth.total_charged().saturating_sub(before),
            set_aside: match settled {
                Some(settled) if answer.status < 300 => settled.max(open),
                _ => open,
            },
        }
    }
}
