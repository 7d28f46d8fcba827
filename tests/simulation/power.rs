//! The guard's power: what it does to the world is done while it is on, and not a step longer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// Never.
const NO_FUSE: i64 = i64::MAX;

/// Shared by everything of one guard's life.
#[derive(Clone, Debug)]
pub struct Power(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    on: AtomicBool,
    fuse: AtomicI64,
}

impl Power {
    fn with(on: bool) -> Self {
        Self(Arc::new(Inner {
            on: AtomicBool::new(on),
            fuse: AtomicI64::new(NO_FUSE),
        }))
    }

    pub fn on() -> Self {
        Self::with(true)
    }

    pub fn off() -> Self {
        Self::with(false)
    }

    /// It goes before the step after so many more.
    pub fn goes_after(&self, steps: i64) {
        self.0.fuse.store(steps, Ordering::SeqCst);
    }

    pub fn is_on(&self) -> bool {
        self.0.on.load(Ordering::SeqCst)
    }

    pub fn cut(&self) {
        self.0.on.store(false, Ordering::SeqCst);
    }

    /// The guard is about to do something that others see: whether it still does.
    pub fn works(&self) -> bool {
        if self.0.fuse.fetch_sub(1, Ordering::SeqCst) <= 0 {
            self.cut();
        }
        self.is_on()
    }
}
