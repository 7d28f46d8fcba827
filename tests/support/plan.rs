//! What a world is made of: settings, and what the pretend Generect does.

use std::sync::Arc;
use std::time::Duration;

use generect_guard::app::{Guard, Sockets};
use generect_guard::clock::Clock;
use generect_guard::config::{self, Environment};
use generect_guard::identity::KeyDigest;
use generect_guard::ledger::HearMigrating;
use generect_guard::simulator::{LIVE_TOKEN, Simulator, SimulatorSettings};
use tokio::net::TcpListener;

use super::{World, client};

/// The secret of key `id` in every test.
pub fn secret_of(id: &str) -> String {
    format!("gg_secret-of-{id}-for-tests-only")
}

/// Budgets of a day are whole again at midnight: a test that would run into it begins after it.
pub(super) fn wait_out_midnight() {
    const DAY_MS: i64 = 86_400_000;
    const TEST_MS: i64 = 30_000;
    let left = DAY_MS - Clock::system().now().as_millisecond().rem_euclid(DAY_MS);
    if left < TEST_MS {
        std::thread::sleep(Duration::from_millis(left.unsigned_abs()));
    }
}

/// What a world is made of. Every setting can be overridden by adding TOML.
pub struct Plan {
    toml: String,
    head: Vec<(String, String)>,
    pub(super) simulator: SimulatorSettings,
    pub(super) token: String,
    clock: Clock,
    folder: Option<tempfile::TempDir>,
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
        wait_out_midnight();
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
            &HearMigrating::nobody(),
        )
        .await
        .unwrap_or_else(|error| panic!("{error}"))
    }
}
