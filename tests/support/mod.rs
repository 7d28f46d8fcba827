//! The fluent harness of the tests: a pretend Generect and a real guard, both on port 0, with a
//! real ledger file in a folder of their own.
//!
//! A world must be ended ([`World::end`]), which drains the guard and looks at its books: no hold
//! may be left live, and the ledger must verify. A test that forgets to is failed by `Drop`.

#![expect(dead_code, reason = "a harness offers more than each test binary uses")]

pub mod answered;
pub mod asked;
pub mod audit;
pub mod child;
pub mod crash;
pub mod no_tls;
pub mod pages;
mod plan;
pub mod raw;
pub mod relay;
pub mod silence;
pub mod traffic;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use generect_guard::app::{Drained, Guard};
use generect_guard::control::{self, Command, Question, Reply};
use generect_guard::credits::Credits;
use generect_guard::ledger::{self, BudgetStatus, Entry, Ledger};
use generect_guard::simulator::Simulator;
use reqwest::{Client, Method, RequestBuilder};

pub use answered::{Answered, client, send};
pub use plan::{Plan, secret_of};

/// An amount, as a person writes it.
pub fn credits(text: &str) -> Credits {
    text.parse().unwrap()
}

/// How long the upstream takes for what lasts until a test tells it to hurry.
pub const UNTIL_TOLD: Duration = Duration::from_secs(60);

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

    /// Waits until `done` holds of a budget, on disk too; endings are queued and not awaited by anybody.
    pub async fn budget_when(
        &self,
        id: &str,
        done: impl Fn(&BudgetStatus) -> bool,
    ) -> BudgetStatus {
        for _ in 0..3_000 {
            let budget = self.budget(id).await;
            if done(&budget) {
                // Budgets count what is decided a moment before it is on disk; this is answered after.
                let _ = self.ledger().open_calls().await;
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
