//! A ledger that is open for writing, as a running guard has it, and the commands that are run beside it.

use std::thread::JoinHandle;

use generect_guard::clock::Clock;
use generect_guard::config;
use generect_guard::credits::Credits;
use generect_guard::ledger::store::open_locked;
use generect_guard::ledger::{
    Evidence, Hold, HoldRequest, Ledger, LedgerLock, Settings, open_reader,
};
use generect_guard::reports::{Period, SpendReport, spend_report, spend_text};
use jiff::SignedDuration;

use crate::support::{Folder, Ran, environment};

/// Four budgets of two teams.
pub const CONFIG: &str = r#"
[upstream]
token_env = "NOT_SET"
[ledger]
path = "books.db"
[[team]]
id = "growth"
name = "Growth marketing"
[[team]]
id = "research"
[[key]]
id = "crm"
team = "growth"
sha256 = "1111111111111111111111111111111111111111111111111111111111111111"
[[key]]
id = "notebook"
team = "research"
sha256 = "2222222222222222222222222222222222222222222222222222222222222222"
[[budget]]
id = "growth-month"
team = "growth"
limit = 10
per = "month"
timezone = "Europe/Kyiv"
[[budget]]
id = "research-day"
key = "notebook"
limit = 0.1
per = { rolling = "24h" }
[[budget]]
id = "mail"
operations = ["email_find", "email_find_bulk"]
limit = 5
per = "total"
[[budget]]
id = "everything"
limit = 100
per = "year"
"#;

/// The last seconds of a November, so that its end can be crossed.
const START: &str = "2025-11-30T23:00:00Z";

/// See the module.
pub struct Books {
    pub folder: Folder,
    pub clock: Clock,
    pub ledger: Ledger,
    writer: JoinHandle<()>,
    _lock: LedgerLock,
}

pub fn credits(text: &str) -> Credits {
    text.parse().unwrap()
}

pub fn stated(raw: &str) -> Evidence {
    Evidence::Stated { raw: raw.into() }
}

impl Books {
    pub fn open() -> Self {
        let folder = Folder::with(CONFIG);
        let clock = Clock::manual(START.parse().unwrap());
        let path = folder.dir.path().join("books.db");
        let (lock, store) = open_locked(&path, clock.now()).unwrap();
        let settings = Settings {
            budgets: Self::configured(&folder).budgets,
            ..Settings::default()
        };
        let (ledger, writer) = Ledger::open(Box::new(store), settings, clock.clone()).unwrap();
        Self {
            folder,
            clock,
            ledger,
            writer: writer.spawn().unwrap(),
            _lock: lock,
        }
    }

    pub fn configured(folder: &Folder) -> config::Books {
        config::load_books(Some(&folder.config()), &environment(&[])).unwrap()
    }

    pub fn pass(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    pub async fn hold(&self, team: &str, operation: &str, quote: &str) -> Hold {
        let key = if team == "growth" { "crm" } else { "notebook" };
        let request = HoldRequest {
            team: team.into(),
            key: key.into(),
            operation: operation.into(),
            quote: credits(quote),
            floor: None,
            shadow_floor: None,
            fingerprint: None,
        };
        self.ledger.hold(request).await.unwrap()
    }

    /// Two calls charged, one given back, one in doubt, one a job; the one that is returned is live.
    pub async fn filled() -> (Self, Hold) {
        let books = Self::open();
        let find = books.hold("growth", "email_find", "0.02").await;
        find.settle(credits("0.02"), stated("2e-2"));
        books.pass(60);
        let search = books
            .hold("research", "search_database_leads", "0.08")
            .await;
        search.settle(
            credits("0.06"),
            Evidence::Estimated {
                how: "=3 x 0.02".into(),
            },
        );
        let missed = books.hold("growth", "phone_find", "0.4").await;
        missed.release("answered 404, \"none\"");
        books.pass(60);
        let cut = books.hold("growth", "search_realtime_leads", "4").await;
        cut.doubt("cut after 310 s\u{1b}[2J");
        let bulk = books.hold("growth", "email_find_bulk", "1").await;
        bulk.bind_job("job-7".into()).await.unwrap();
        books.pass(60);
        let live = books.hold("growth", "enrich_realtime_lead", "0.2").await;
        (books, live)
    }

    pub fn report(&self) -> SpendReport {
        let books = Self::configured(&self.folder);
        let reader = open_reader(&self.folder.dir.path().join("books.db")).unwrap();
        let now = self.clock.now();
        spend_report(&*reader, &books.budgets, Period::month_of(now), now).unwrap()
    }

    pub fn text(&self) -> String {
        let books = Self::configured(&self.folder);
        spend_text(&self.report(), &books.budgets, &books.team_names())
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.folder.run(arguments)
    }

    /// The guard has ended. What it leaves is there as long as its folder is held.
    pub async fn close(self) -> Folder {
        self.ledger.close().await.unwrap();
        self.writer.join().unwrap();
        self.folder
    }
}
