//! What every test here needs: a ledger in a temporary folder, a clock to move, short ways to ask.

use std::path::PathBuf;

use generect_guard::clock::Clock;
use generect_guard::credits::Credits;
use generect_guard::ledger::store::{Reader, Store};
use generect_guard::ledger::{
    Budget, CalendarUnit, Evidence, Filter, Finding, FindingKind, Fingerprint, Hold, HoldError,
    HoldId, HoldRequest, Ledger, Match, MatchedBy, MemoryStore, Mode, Note, Record, Settings,
    SqliteStore, WindowRule, open_reader,
};
use generect_guard::transaction::{
    Transaction, TransactionId, TransactionSource, TransactionStatus,
};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

pub const NOON: &str = "2026-03-10T12:00:00Z";

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub fn micros(amount: i64) -> Credits {
    Credits::from_micros(amount)
}

pub fn budget(id: &str, limit: i64, window: WindowRule) -> Budget {
    Budget {
        id: id.into(),
        filter: Filter::default(),
        window,
        limit: micros(limit),
        mode: Mode::Enforce,
    }
}

pub fn calendar(unit: CalendarUnit) -> WindowRule {
    WindowRule::Calendar {
        unit,
        zone: TimeZone::UTC,
    }
}

pub fn with_budgets(budgets: Vec<Budget>) -> Settings {
    Settings {
        budgets,
        ..Settings::default()
    }
}

/// A total of 1000 micro-credits for everything.
pub fn one_budget() -> Settings {
    with_budgets(vec![budget("all", 1_000, WindowRule::Total)])
}

/// Settled and held of the first budget.
pub async fn stands(ledger: &Ledger) -> (i64, i64) {
    let status = ledger.budgets().await.unwrap().remove(0);
    (status.settled.micros(), status.held.micros())
}

pub fn request(team: &str, quote: i64) -> HoldRequest {
    HoldRequest {
        team: team.into(),
        key: format!("{team}-key").into(),
        operation: "search_leads".into(),
        quote: micros(quote),
        floor: None,
        shadow_floor: None,
        fingerprint: None,
    }
}

pub fn marked(team: &str, quote: i64, fingerprint: u64) -> HoldRequest {
    HoldRequest {
        fingerprint: Some(Fingerprint(fingerprint)),
        ..request(team, quote)
    }
}

pub fn stated(amount: i64) -> Evidence {
    Evidence::Stated {
        raw: micros(amount).to_string(),
    }
}

/// What a row of the account's list says.
pub fn evidence(row: &str) -> Note {
    Evidence::Transaction { id: row.into() }.into()
}

pub fn settle(hold: Hold, charge: i64) {
    hold.settle(micros(charge), stated(charge));
}

/// A place for a ledger that can be opened again and again.
pub enum Place {
    Memory(MemoryStore),
    File(TempDir),
}

impl Place {
    pub fn memory() -> Self {
        Self::Memory(MemoryStore::new())
    }

    pub fn file() -> Self {
        Self::File(TempDir::new().unwrap())
    }

    pub fn both() -> [Self; 2] {
        [Self::memory(), Self::file()]
    }

    pub fn path(&self) -> PathBuf {
        match self {
            Self::Memory(_) => panic!("a ledger in memory has no path"),
            Self::File(folder) => folder.path().join("ledger.db"),
        }
    }

    pub fn store(&self) -> Box<dyn Store> {
        match self {
            Self::Memory(store) => Box::new(store.clone()),
            Self::File(_) => Box::new(SqliteStore::open(&self.path()).unwrap()),
        }
    }

    pub fn reader(&self) -> Box<dyn Reader> {
        match self {
            Self::Memory(store) => Box::new(store.clone()),
            Self::File(_) => open_reader(&self.path()).unwrap(),
        }
    }

    pub fn open(&self, settings: Settings, clock: &Clock) -> Ledger {
        start(self.store(), settings, clock)
    }

    pub fn assert_sound(&self) {
        assert_sound(&*self.reader());
    }
}

pub fn assert_sound(reader: &dyn Reader) {
    let report = reader.verify(&mut |_, _| {}).unwrap();
    assert!(report.is_sound(), "{report:#?}");
}

/// Opens a ledger and runs its writer on a thread of its own.
pub fn start(store: Box<dyn Store>, settings: Settings, clock: &Clock) -> Ledger {
    let (ledger, writer) = Ledger::open(store, settings, clock.clone()).unwrap();
    writer.spawn().unwrap();
    ledger
}

/// What stands in the way, in a word.
pub fn no(error: &HoldError) -> &'static str {
    match error {
        HoldError::Short(short) if short.budgets.iter().any(|one| one.exhausted) => "exhausted",
        HoldError::Short(short) if !short.budgets.is_empty() => "busy",
        HoldError::Short(_) => "account",
        HoldError::InDoubt { .. } => "in doubt",
        HoldError::Uncovered => "uncovered",
        HoldError::Unavailable(_) => "unavailable",
        HoldError::Overloaded => "overloaded",
        HoldError::Closed => "closed",
    }
}

pub fn row_id(id: &str) -> TransactionId {
    TransactionId {
        source: TransactionSource::V1,
        id: id.into(),
    }
}

/// A final row, written `second` seconds after noon, that took `taken`.
pub fn row(id: &str, second: i64, taken: i64) -> Transaction {
    Transaction {
        id: row_id(id),
        at: at(NOON) + SignedDuration::from_secs(second),
        kind: "search_leads".into(),
        amount: micros(-taken),
        status: TransactionStatus::Success,
    }
}

pub fn matched(id: &str, hold: HoldId, how: MatchedBy) -> Record {
    Record::Matched(Match {
        transaction: row_id(id),
        hold,
        how,
    })
}

pub fn note(name: &str, value: &str) -> Record {
    Record::Note {
        name: name.into(),
        value: Some(value.into()),
    }
}

/// A finding about a row.
pub fn finding(name: &str, kind: FindingKind, row: Option<&str>, drift: i64) -> Finding {
    Finding {
        name: name.into(),
        kind,
        found_at: at(NOON) + SignedDuration::from_secs(90),
        at: at(NOON) + SignedDuration::from_secs(9),
        operation: None,
        team: None,
        drift: micros(drift),
        hold: None,
        transaction: row.map(row_id),
        detail: "a test's finding".into(),
    }
}
