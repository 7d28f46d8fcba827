//! What handles and writer know of each other without a message.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use ahash::RandomState;
use arc_swap::{ArcSwap, ArcSwapOption};
use dashmap::DashMap;
use tokio::sync::Semaphore;

use crate::ids::JobId;

use super::entry::Ending;
use super::exhausted::Exhausted;
use super::levels::Levels;
use super::request::{Job, Reading, Settings};

const DOUBT_QUEUED: u8 = 1;
const END_QUEUED: u8 = 2;

/// See the module.
#[derive(Debug)]
pub(super) struct Known {
    /// One per hold under way.
    pub(super) places: Arc<Semaphore>,
    pub(super) jobs: DashMap<JobId, JobState, RandomState>,
    pub(super) reading: ArcSwapOption<Reading>,
    pub(super) exhausted: Exhausted,
    pub(super) levels: Levels,
    pub(super) writable: AtomicBool,
    /// Why it is not writable.
    pub(super) failure: ArcSwap<String>,
    /// What is wrong with its file.
    pub(super) damage: OnceLock<String>,
}

impl Known {
    /// Nothing is known yet, but that the ledger can be written.
    pub(super) fn new(settings: &Settings) -> Self {
        let places = settings.live_holds_max.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            places: Arc::new(Semaphore::new(places)),
            jobs: DashMap::with_hasher(RandomState::new()),
            reading: ArcSwapOption::empty(),
            exhausted: Exhausted::default(),
            levels: Levels::default(),
            writable: AtomicBool::new(true),
            failure: ArcSwap::default(),
            damage: OnceLock::new(),
        }
    }

    /// Why no hold can be made at all.
    pub(super) fn why_not(&self) -> Option<String> {
        if let Some(damage) = self.damage.get() {
            return Some(format!("the ledger is damaged: {damage}"));
        }
        let is_writable = self.writable.load(Ordering::Acquire);
        (!is_writable).then(|| self.failure.load().to_string())
    }
}

/// A job as the handles see it.
#[derive(Debug)]
pub(super) struct JobState {
    pub(super) job: Job,
    /// What was queued for it already, so that a job asked after a thousand times is queued twice
    /// at most: once in doubt, once with its end.
    queued: AtomicU8,
}

impl JobState {
    pub(super) fn new(job: Job) -> Self {
        Self {
            job,
            queued: AtomicU8::new(0),
        }
    }

    /// Whether this ending still has something to say. Remembers it.
    pub(super) fn queue(&self, ending: &Ending) -> bool {
        let bit = if ending.ends() {
            END_QUEUED
        } else {
            DOUBT_QUEUED
        };
        let before = self.queued.fetch_or(bit, Ordering::AcqRel);
        before & (bit | END_QUEUED) == 0
    }
}
