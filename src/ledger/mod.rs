//! The books: what was held, what was charged, and what may still be spent.
//!
//! # The words
//!
//! A call's **quote** is the most it can take. Before the call leaves, the quote is **held** in every
//! **budget** that covers the call. A hold ends once: it is **settled** (replaced by the **charge**)
//! or **released** (given back). A hold whose call was sent and whose outcome is unknown is **in
//! doubt**: it stays held until a person or the account's own records decide. A charge above its hold
//! is an **overrun**: recorded in full, reported, never hidden. **Headroom** is what a budget still
//! has: limit + grants − settled − held, of one **window**.
//!
//! # The promises
//!
//! 1. **Hard cap.** However many callers there are at once, settled + held never passes a limit,
//!    except by an overrun the upstream caused. Budgets are decided in one place, one after another,
//!    each seeing the one before. A budget in shadow ([`Mode`]) counts and caps nothing.
//! 2. **Held before sent.** A [`Hold`] is given out only after its entry is synced to disk.
//! 3. **Nothing lost.** What was held when the process died is in doubt at the next start. What the
//!    disk refuses is kept until it is written.
//! 4. **Counted once.** A hold ends once, a job belongs to one hold, and a commit that failed is
//!    looked for before it is repeated.
//! 5. **Unknown is not zero.** A hold that is dropped, or settled to something that is no charge, is
//!    in doubt, never free.
//! 10. **Leaving does not cancel.** Endings are queued without waiting and without a way to fail; a
//!     caller that leaves before it is given its hold holds nothing.
//! 11. **The account keeps its floor.** The account is one more limit in the same decision: a hold
//!     that could take the balance below its caller's floor is not made, as far as the last reading
//!     and the books show.
//!
//! The numbers are those of the README; the others are kept elsewhere.
//!
//! # How it is made
//!
//! **Facts are only added** ([`Entry`]), **budgets are views of them**: the sum over the calls a
//! filter covers that *began* inside a window. So a budget added at noon counts the morning, and no
//! job resets anything. Finance goes by the time of recording, so a closed month never changes.
//!
//! **Records** ([`Record`]) stand beside the entries: the account's own rows, which hold each belongs
//! to, and where both do not agree. They say why a doubt was decided or a charge corrected
//! ([`Ledger::decide`], [`Ledger::correct`]), who changed what while the guard ran ([`Change`]), and
//! what calls did not take ([`Saving`]); no sum is taken from them.
//!
//! **Digests** ([`Digested`]) of the entries, each chained to the one before, show what was altered behind
//! the guard's back: all of it up to a mark that follows the writer by an hour at most.
//!
//! **One writer** decides everything ([`Writer`]): it takes what is waiting, decides each by the pure
//! rules of `book/`, writes the batch in one transaction, and answers all. Everybody else has a
//! [`Ledger`], which asks it, and readers of their own ([`open_reader`]), which never disturb it.
//!
//! **Time** never goes back here: the time of a decision is the clock's or that of the last entry,
//! whichever is later. A clock that is set back opens no window a second time.
//!
//! Read on in `entry.rs`, `book/mod.rs`, `writer/mod.rs`, `store/mod.rs`.

mod archive;
mod book;
mod budget;
mod change;
mod digest;
mod entry;
mod exhausted;
mod grant;
mod handle;
mod hold;
mod known;
mod levels;
mod pace;
mod record;
mod request;
mod shortfall;
pub mod store;
mod verify;
mod window;
mod writer;

pub use archive::{
    ArchiveError, ArchiveSpan, Archived, archive_span, checked_archive, write_archive,
};
pub use budget::{Budget, BudgetStatus, Filter, Mode};
pub use change::{Change, ChangeKind, KeptChange, SavedBy, Saving};
pub use digest::Digested;
pub use entry::{Ending, Entry, EntryKind, Evidence, Fingerprint, HoldId, Note, NoteKind, Origin};
pub use grant::{Grant, GrantError, Granted};
pub use handle::Ledger;
pub use hold::Hold;
pub use pace::{Pace, runs_out_at};
pub use record::{Finding, FindingKind, Match, MatchedBy, Record};
pub use request::{
    AccountRule, BalanceIs, Considered, Decision, HoldError, HoldRequest, Job, LedgerError,
    OpenCall, Reading, Resolution, ResolveError, Settings, Tightest, WhenStale,
};
pub use shortfall::{AccountShort, BudgetShort, Shortfall, Wording};
pub use store::{
    After, Closing, FoundSum, HearMigrating, KeptFinding, KeptRow, LedgerLock, LockError,
    MemoryStore, Migrating, OpenError, OpenReader, Reader, RecordReader, RecordsCheck, SqliteStore,
    Store, StoreError, TakenSum, open_locked, open_reader,
};
pub use verify::VerifyReport;
pub use window::{CalendarUnit, Window, WindowRule};
pub use writer::Writer;
