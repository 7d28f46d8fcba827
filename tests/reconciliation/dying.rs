//! A ledger's store that fails, or waits, where records are kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use generect_guard::ledger::store::{Reader, Store, Tail};
use generect_guard::ledger::{Entry, NoteKind, Record, SqliteStore, StoreError};

/// Stops the records that follow the next decision of the account's list, until it is opened.
#[derive(Default)]
pub struct Gate {
    closes: AtomicBool,
    is_closed: AtomicBool,
    is_met: AtomicBool,
}

impl Gate {
    /// Closes it behind the next decision.
    pub fn close(&self) {
        self.closes.store(true, Ordering::SeqCst);
    }

    /// Waits until records stand before it.
    pub async fn met(&self) {
        while !self.is_met.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    pub fn open(&self) {
        self.is_closed.store(false, Ordering::SeqCst);
    }

    fn see(&self, batch: &[Entry]) {
        let decided = |entry: &Entry| {
            let note = entry.evidence.as_ref();
            note.is_some_and(|note| note.kind == NoteKind::Transaction)
        };
        if batch.iter().any(decided) && self.closes.swap(false, Ordering::SeqCst) {
            self.is_closed.store(true, Ordering::SeqCst);
        }
    }

    fn pass(&self) {
        while self.is_closed.load(Ordering::SeqCst) {
            self.is_met.store(true, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A store that keeps records so many times more and then no more, as if the process died there.
pub struct Dying {
    pub store: SqliteStore,
    pub keeps: Arc<AtomicI64>,
    pub gate: Arc<Gate>,
}

impl Store for Dying {
    fn reader(&self) -> &dyn Reader {
        self.store.reader()
    }

    fn append(&mut self, batch: &[Entry]) -> Result<(), StoreError> {
        self.gate.see(batch);
        self.store.append(batch)
    }

    fn keep(&mut self, records: &[Record]) -> Result<(), StoreError> {
        self.gate.pass();
        if self.keeps.fetch_sub(1, Ordering::Relaxed) <= 0 {
            return Err(StoreError::Failed("a test".into()));
        }
        self.store.keep(records)
    }

    fn reread(&mut self) -> Result<Tail, StoreError> {
        self.store.reread()
    }

    fn probe(&mut self) -> Result<(), StoreError> {
        self.store.probe()
    }
}
