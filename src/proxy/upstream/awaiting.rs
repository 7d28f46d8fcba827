//! A call that has no answer yet.

use super::pool::Pool;

/// See the module. Dropped after its connection, it tells the pool that there is room again: a connection
/// that many can use outlives it, and nobody gives it back.
pub(super) struct Awaiting<'a>(Option<&'a Pool>);

impl<'a> Awaiting<'a> {
    pub(super) fn of(pool: &'a Pool) -> Self {
        Self(Some(pool))
    }

    /// Its connection goes with the answer, and is given back with that.
    pub(super) fn answered(mut self) {
        self.0 = None;
    }
}

impl Drop for Awaiting<'_> {
    fn drop(&mut self) {
        if let Some(pool) = self.0 {
            pool.has_more_room();
        }
    }
}
