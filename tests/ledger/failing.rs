//! A ledger on a disk that says no when a test wants it to.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use generect_guard::clock::Clock;
use generect_guard::ledger::store::{Reader, Store, StoreError, Tail};
use generect_guard::ledger::{Entry, Ledger, Record, Settings};

use crate::support::{NOON, Place, at, start};

/// How the next appends go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Nothing was written.
    BeforeLanding,
    /// Everything was written, and the answer was lost.
    AfterLanding,
}

#[derive(Clone)]
pub struct Faults {
    pub append: Arc<Mutex<Fault>>,
    pub keep: Arc<Mutex<Fault>>,
    /// The store cannot even be read.
    blind: Arc<AtomicBool>,
}

impl Faults {
    fn none() -> Self {
        Self {
            append: Arc::new(Mutex::new(Fault::None)),
            keep: Arc::new(Mutex::new(Fault::None)),
            blind: Arc::new(AtomicBool::new(false)),
        }
    }

    pub fn set(&self, fault: Fault, blind: bool) {
        *self.append.lock().unwrap() = fault;
        self.blind.store(blind, Ordering::SeqCst);
    }
}

struct FailingStore {
    inner: Box<dyn Store>,
    faults: Faults,
}

impl Store for FailingStore {
    fn reader(&self) -> &dyn Reader {
        self.inner.reader()
    }

    fn append(&mut self, batch: &[Entry]) -> Result<(), StoreError> {
        let fault = *self.faults.append.lock().unwrap();
        match fault {
            Fault::None => self.inner.append(batch),
            Fault::BeforeLanding => Err(StoreError::Failed("disk full".into())),
            Fault::AfterLanding => {
                self.inner.append(batch)?;
                Err(StoreError::Failed("the sync failed".into()))
            }
        }
    }

    fn keep(&mut self, records: &[Record]) -> Result<(), StoreError> {
        let fault = *self.faults.keep.lock().unwrap();
        match fault {
            Fault::None => self.inner.keep(records),
            Fault::BeforeLanding => Err(StoreError::Failed("disk full".into())),
            Fault::AfterLanding => {
                self.inner.keep(records)?;
                Err(StoreError::Failed("the sync failed".into()))
            }
        }
    }

    fn reread(&mut self) -> Result<Tail, StoreError> {
        if self.faults.blind.load(Ordering::SeqCst) {
            return Err(StoreError::Failed("the disk is gone".into()));
        }
        self.inner.reread()
    }

    fn probe(&mut self) -> Result<(), StoreError> {
        match *self.faults.append.lock().unwrap() {
            Fault::None => self.inner.probe(),
            _ => Err(StoreError::Failed("disk full".into())),
        }
    }
}

pub fn failing(place: &Place, settings: Settings) -> (Ledger, Faults) {
    let (store, faults) = failing_store(place);
    let clock = Clock::manual(at(NOON));
    (start(store, settings, &clock), faults)
}

pub fn failing_store(place: &Place) -> (Box<dyn Store>, Faults) {
    let faults = Faults::none();
    let store = FailingStore {
        inner: place.store(),
        faults: faults.clone(),
    };
    (Box::new(store), faults)
}

pub async fn until_writable(ledger: &Ledger) {
    for _ in 0..3_000 {
        if ledger.writable() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the ledger did not recover by itself");
}
