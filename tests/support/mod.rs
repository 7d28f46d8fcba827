//! The fluent harness of the tests: a pretend Generect and a real guard, both on port 0, with a
//! real ledger file in a folder of their own.
//!
//! A world must be ended ([`World::end`]), which drains the guard and looks at its books: no hold
//! may be left live, and the ledger must verify. A test that forgets to is failed by `Drop`.

#![expect(dead_code, reason = "a harness offers more than each test binary uses")]

pub mod audit;
pub mod child;
pub mod crash;
pub mod pages;
pub mod raw;
pub mod relay;
pub mod silence;
pub mod traffic;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use generect_guard::app::{Drained, Guard, Sockets};
use generect_guard::clock::Clock;
use generect_guard::config::{self, Environment};
use generect_guard::control::{self, Command, Question, Reply};
use generect_guard::credits::Credits;
use generect_guard::identity::KeyDigest;
use generect_guard::ledger::{self, BudgetStatus, Entry, Ledger};
use generect_guard::simulator::{LIVE_TOKEN, Simulator, SimulatorSettings};
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use tokio::net::TcpListener;

/// The secret of key `id` in every test.
pub fn secret_of(id: &str) -> String {
    format!("gg_secret-of-{id}-for-tests-only")
}

/// An amount, as a person writes it.
pub fn credits(text: &str) -> Credits {
    text.parse().unwrap()
}

/// Whether a path is one that the guard asks for by itself.
pub fn is_own_question(path: &str) -> bool {
    [
        "/api/v1/accounts/me/",
        "/api/v1/accounts/transactions/",
        "/api/v1/accounts/usage/",
        "/api/auth/tiers/my-tier/",
    ]
    .contains(&path)
}

/// What a world is made of. Every setting can be overridden by adding TOML.
pub struct Plan {
    toml: String,
    head: Vec<(String, String)>,
    simulator: SimulatorSettings,
    token: String,
    clock: Clock,
    folder: Option<tempfile::TempDir>,
}

/// A running guard before a running simulator.
pub struct World {
    /// The pretend Generect, and the truth of what it charged.
    pub simulator: Simulator,
    /// The guard, until the world ends.
    guard: Option<Guard>,
    folder: Option<tempfile::TempDir>,
    http: Client,
    address: SocketAddr,
    admin_address: SocketAddr,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            toml: String::new(),
            head: Vec::new(),
            simulator: SimulatorSettings::default(),
            token: LIVE_TOKEN.to_owned(),
            clock: Clock::system(),
            folder: None,
        }
    }
}

impl Plan {
    /// One team `growth` with key `growth-crm` and a budget `growth-month` of `limit` a month.
    pub fn one_team(limit: &str) -> Self {
        Self::one_team_with(limit, "")
    }

    /// The same; `more` is further TOML of the team.
    pub fn one_team_with(limit: &str, more: &str) -> Self {
        Self::default()
            .team("growth", more)
            .key("growth-crm", "growth", "")
            .budget(
                "growth-month",
                &format!("team = \"growth\"\nlimit = {limit}\nper = \"month\""),
            )
    }

    /// Adds a team; `more` is further TOML of it.
    pub fn team(self, id: &str, more: &str) -> Self {
        self.toml(&format!("[[team]]\nid = \"{id}\"\n{more}"))
    }

    /// Adds a key whose secret is [`secret_of`] its id; `more` is further TOML of it.
    pub fn key(self, id: &str, team: &str, more: &str) -> Self {
        let digest = KeyDigest::of(&secret_of(id));
        self.toml(&format!(
            "[[key]]\nid = \"{id}\"\nteam = \"{team}\"\nsha256 = \"{digest}\"\n{more}"
        ))
    }

    /// Adds a budget by the TOML of its fields.
    pub fn budget(self, id: &str, fields: &str) -> Self {
        self.toml(&format!("[[budget]]\nid = \"{id}\"\n{fields}"))
    }

    /// Adds any TOML.
    pub fn toml(mut self, text: &str) -> Self {
        self.toml += &format!("\n{text}\n");
        self
    }

    /// Sets a setting of a section, as TOML.
    pub fn set(mut self, section: &str, line: &str) -> Self {
        self.head.push((section.to_owned(), line.to_owned()));
        self
    }

    /// Changes the simulator's settings.
    pub fn simulator(mut self, change: impl FnOnce(&mut SimulatorSettings)) -> Self {
        change(&mut self.simulator);
        self
    }

    /// Uses another account token.
    pub fn token(mut self, token: &str) -> Self {
        self.token = token.to_owned();
        self
    }

    /// Uses a clock that the test moves.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.simulator.clock = clock.clone();
        self.clock = clock;
        self
    }

    /// Uses the ledger of a world that ended before.
    pub fn ledger_in(mut self, folder: tempfile::TempDir) -> Self {
        self.folder = Some(folder);
        self
    }

    /// The whole configuration as text, for a guard before the upstream at `base_url`.
    pub fn config_text(&self, base_url: &str, ledger: &std::path::Path) -> String {
        let section = |name: &str| {
            let lines = self.head.iter().filter(|(section, _)| section == name);
            lines
                .map(|(_, line)| format!("{line}\n"))
                .collect::<String>()
        };
        let default = |name: &str, key: &str, line: &str| {
            let set = self
                .head
                .iter()
                .any(|(section, line)| section == name && line.starts_with(key));
            if set {
                String::new()
            } else {
                format!("{line}\n")
            }
        };
        let mut text = String::new();
        text += "[server]\n";
        text += &default("server", "listen", "listen = \"127.0.0.1:0\"");
        text += &default("server", "admin_listen", "admin_listen = \"127.0.0.1:0\"");
        text += &default("server", "drain_timeout", "drain_timeout = \"20s\"");
        text += &section("server");
        text += &format!("[upstream]\nbase_url = \"{base_url}\"\ntoken_env = \"TEST_TOKEN\"\n");
        text += &default("upstream", "response_timeout", "response_timeout = \"20s\"");
        text += &section("upstream");
        text += &format!("[ledger]\npath = {:?}\n", ledger.display().to_string());
        text += &section("ledger");
        text += "[account]\n";
        text += &default("account", "when_stale", "when_stale = \"allow\"");
        text += &section("account");
        for name in [
            "slots",
            "slots.caps",
            "reconciliation",
            "kept_answers",
            "log",
            "catalogue",
        ] {
            let lines = section(name);
            if !lines.is_empty() {
                text += &format!("[{name}]\n{lines}");
            }
        }
        text + &self.toml
    }

    /// Starts the simulator and the guard.
    pub async fn start(self) -> World {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let simulator = Simulator::start(listener, self.simulator.clone()).await;
        let base_url = simulator.base_url();
        self.start_before(simulator, &base_url).await
    }

    /// Starts the guard before a simulator that is reached at `base_url`.
    pub async fn start_before(mut self, simulator: Simulator, base_url: &str) -> World {
        let folder = self
            .folder
            .take()
            .unwrap_or_else(|| tempfile::tempdir().unwrap());
        let guard = self.guard(base_url, folder.path()).await;
        World {
            simulator,
            address: guard.address,
            admin_address: guard.admin_address,
            guard: Some(guard),
            folder: Some(folder),
            http: client(),
        }
    }

    /// Starts a guard alone.
    pub async fn guard(&self, base_url: &str, folder: &std::path::Path) -> Guard {
        let path = folder.join("guard.toml");
        let text = self.config_text(base_url, &folder.join("ledger.db"));
        std::fs::write(&path, text).unwrap();
        let environment = Environment::from_iter([("TEST_TOKEN", self.token.as_str())]);
        let load = move || config::load(Some(&path), &environment);
        let config = load().unwrap_or_else(|errors| panic!("{errors}"));
        Guard::start_live(
            config,
            self.clock.clone(),
            Arc::new(load),
            Sockets::default(),
        )
        .await
        .unwrap_or_else(|error| panic!("{error}"))
    }
}

/// A client that follows nothing and repeats nothing.
pub fn client() -> Client {
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .tls_backend_preconfigured(no_tls())
        .build()
        .unwrap()
}

/// Connections are plain here: trust in nobody is enough.
pub fn no_tls() -> rustls::ClientConfig {
    let provider = rustls::crypto::ring::default_provider();
    rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answered {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub text: String,
}

impl Answered {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    /// A header as text, or the empty text.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The guard's reason, or the empty text.
    pub fn refusal(&self) -> &str {
        self.header("guard-refusal")
    }
}

/// Sends a request and reads its answer; an error is one of the connection.
pub async fn send(request: RequestBuilder) -> Result<Answered, reqwest::Error> {
    let response = request.send().await?;
    let answered = Answered {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        text: response.text().await?,
    };
    Ok(answered.silent())
}

impl World {
    /// Where clients call.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A URL of the guard's.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The guard's ledger.
    pub fn ledger(&self) -> &Ledger {
        &self.guard.as_ref().unwrap().ledger
    }

    /// The ledger's file.
    pub fn ledger_path(&self) -> PathBuf {
        self.folder.as_ref().unwrap().path().join("ledger.db")
    }

    /// The file the guard's settings were read from.
    pub fn config_path(&self) -> PathBuf {
        self.folder.as_ref().unwrap().path().join("guard.toml")
    }

    /// Asks the running guard through its control socket.
    pub async fn ask(&self, command: Command, reason: &str) -> Reply {
        let socket = control::socket_path(&self.ledger_path());
        let question = Question {
            command,
            who: "ann".into(),
            reason: reason.to_owned(),
        };
        let ask = move || control::ask(&socket, &question).unwrap();
        tokio::task::spawn_blocking(ask).await.unwrap()
    }

    /// Has the guard take over the settings of another plan.
    pub async fn reload(&self, plan: &Plan) -> Reply {
        let text = plan.config_text(&self.simulator.base_url(), &self.ledger_path());
        std::fs::write(self.config_path(), text).unwrap();
        self.ask(Command::Reload {}, "a test").await
    }

    /// A request with the key `id`'s secret.
    pub fn request(&self, method: Method, path: &str, key: &str) -> RequestBuilder {
        let request = self.http.request(method, self.url(path));
        request.header("authorization", format!("Token {}", secret_of(key)))
    }

    /// POSTs JSON with the key `growth-crm`.
    pub async fn post(&self, path: &str, body: &str) -> Answered {
        self.post_as("growth-crm", path, body).await
    }

    /// POSTs JSON with the key `key`.
    pub async fn post_as(&self, key: &str, path: &str, body: &str) -> Answered {
        let request = self.request(Method::POST, path, key);
        let request = request
            .header("content-type", "application/json")
            .body(body.to_owned());
        send(request).await.unwrap()
    }

    /// GETs with the key `growth-crm`.
    pub async fn get(&self, path: &str) -> Answered {
        self.get_as("growth-crm", path).await
    }

    /// GETs with the key `key`.
    pub async fn get_as(&self, key: &str, path: &str) -> Answered {
        send(self.request(Method::GET, path, key)).await.unwrap()
    }

    /// GETs a page of the admin listener.
    pub async fn admin(&self, path: &str) -> Answered {
        self.admin_pages().get(path).await
    }

    /// One budget as the running guard sees it.
    pub async fn budget(&self, id: &str) -> BudgetStatus {
        let budgets = self.ledger().budgets().await.unwrap();
        budgets
            .into_iter()
            .find(|budget| budget.id.as_str() == id)
            .unwrap()
    }

    /// Waits until `done` holds of a budget; endings are queued and not awaited by anybody.
    pub async fn budget_when(
        &self,
        id: &str,
        done: impl Fn(&BudgetStatus) -> bool,
    ) -> BudgetStatus {
        for _ in 0..500 {
            let budget = self.budget(id).await;
            if done(&budget) {
                return budget;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("budget {id} never got there: {:?}", self.budget(id).await);
    }

    /// All entries on disk, in order.
    pub fn entries(&self) -> Vec<Entry> {
        entries_of(&self.ledger_path())
    }

    /// Drains the guard and checks that its books are sound. Gives back the ledger's folder.
    pub async fn end(mut self) -> tempfile::TempDir {
        self.ended().await
    }

    async fn ended(&mut self) -> tempfile::TempDir {
        // The harness looks through it for secrets.
        self.admin("/metrics").await;
        let guard = self.guard.take().unwrap();
        assert_eq!(guard.drain().await, Drained::Clean);
        let folder = self.folder.take().unwrap();
        verify(&folder.path().join("ledger.db"));
        silence::assert_files_silent(folder.path());
        folder
    }

    /// Ends the guard and starts another on the same ledger, before the same simulator.
    pub async fn restarted(mut self, plan: Plan) -> Self {
        let folder = self.ended().await;
        let guard = plan.guard(&self.simulator.base_url(), folder.path()).await;
        self.address = guard.address;
        self.admin_address = guard.admin_address;
        self.guard = Some(guard);
        self.folder = Some(folder);
        self
    }

    /// Like [`end`](Self::end), and nothing may be in doubt or held either. Gives back all entries.
    pub async fn end_with_nothing_open(self) -> Vec<Entry> {
        let folder = self.end().await;
        let reader = ledger::open_reader(&folder.path().join("ledger.db")).unwrap();
        let open = reader.open_holds().unwrap();
        assert!(open.is_empty(), "left open: {open:?}");
        entries_of(&folder.path().join("ledger.db"))
    }
}

/// Recomputes everything in a ledger from its entries.
pub fn verify(path: &std::path::Path) {
    let reader = ledger::open_reader(path).unwrap();
    let report = reader.verify(&mut |_, _| {}).unwrap();
    assert!(report.mismatches.is_empty(), "{:#?}", report.mismatches);
}

/// All entries of a ledger, in order.
pub fn entries_of(path: &std::path::Path) -> Vec<Entry> {
    let reader = ledger::open_reader(path).unwrap();
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let after = entries.last().map_or(0, |entry| entry.seq);
        let page = reader.entries(after, 1000).unwrap();
        if page.is_empty() {
            return entries;
        }
        entries.extend(page);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let forgotten = self.guard.is_some() && !std::thread::panicking();
        assert!(
            !forgotten,
            "a world was not ended: its books were not looked at"
        );
    }
}
