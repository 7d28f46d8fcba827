//! The books: what was held, what was charged, and what may still be spent.

mod book;
mod budget;
mod entry;
mod handle;
mod hold;
mod request;
pub mod store;
mod verify;
mod window;
mod writer;

pub use budget::{Budget, BudgetStatus, Filter};
pub use entry::{Ending, Entry, EntryKind, Evidence, Fingerprint, HoldId, Note, NoteKind, Origin};
pub use handle::Ledger;
pub use hold::Hold;
pub use request::{
    AccountRule, AccountShort, BalanceIs, BudgetShort, Decision, HoldError, HoldRequest, Job,
    LedgerError, Reading, Resolution, ResolveError, Settings, Shortfall, Tightest, WhenStale,
};
pub use store::{LedgerLock, LockError, MemoryStore, SqliteStore, Store, StoreError, open_reader};
pub use verify::VerifyReport;
pub use window::{CalendarUnit, Window, WindowRule};
pub use writer::Writer;
