//! The end of a run: no more calls, and so many days go by that everything can be known.

use generect_guard::control::{Command, Reply};
use jiff::SignedDuration;

use crate::world::World;

/// What a reconciliation may take, in ticks. Thousands of rows need twenty seconds through narrow links,
/// and one that is asked for waits for the one that runs.
const PATIENCE: u64 = 60_000;
const TRIES: usize = 4;
/// An end of a job is dated when somebody looks: well within the tolerance.
const GLANCE_SECONDS: i64 = 4;

impl World {
    /// Jobs that nobody asks for end after a day, and that is noticed within the next; what nothing
    /// decides is allocated after another.
    pub(crate) fn rests(&mut self) -> Result<(), Vec<String>> {
        self.shadow.lock().unwrap().at_rest = true;
        for hours in [1, 12, 12, 3, 25, 25] {
            for _ in 0..hours * 3_600 / GLANCE_SECONDS {
                self.clock
                    .advance(SignedDuration::from_secs(GLANCE_SECONDS));
                // Whoever looks at the account has it notice what the time brings.
                self.upstream.balance();
            }
            self.reconciles()?;
        }
        self.reconciles()
    }

    /// Reconciles now, and waits for the end of it.
    fn reconciles(&mut self) -> Result<(), Vec<String>> {
        for _ in 0..TRIES {
            self.shadow.lock().unwrap().reconciled = None;
            self.commands(Command::Reconcile {}, |shadow, reply| {
                shadow.reconciled = Some(matches!(reply, Reply::Reconciled(_)));
            });
            let until = self.tick + PATIENCE;
            while self.tick < until && self.shadow.lock().unwrap().reconciled.is_none() {
                self.step()?;
            }
            if self.shadow.lock().unwrap().reconciled == Some(true) {
                return Ok(());
            }
        }
        self.shadow
            .lock()
            .unwrap()
            .breaks("reconciliation", "with good links it comes to no end");
        self.step()
    }
}
