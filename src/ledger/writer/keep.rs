//! Records on their way to the store: after the calls of a turn, in a transaction of their own.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::ledger::record::Record;
use crate::ledger::request::LedgerError;
use crate::ledger::store::StoreError;

use super::{Request, Writer, telemetry};

/// While calls are made, records have one part in so many of the writer's time.
const RECORDS_SHARE: u32 = 32;
/// Calls that came so lately are still being made.
const LATELY: Duration = Duration::from_millis(100);

/// Records that wait for the end of the turn, and who gave them.
#[derive(Debug)]
pub(super) struct Keeping {
    pub(super) records: Vec<Record>,
    pub(super) reply: oneshot::Sender<Result<Duration, LedgerError>>,
}

impl Writer {
    /// Remembers that calls are being made, when it is they who have something to do.
    pub(super) fn notice_calls(&mut self) {
        let is_call =
            |request: &Request| matches!(request, Request::Hold { .. } | Request::Bind { .. });
        if !self.waiting_endings.is_empty() || self.waiting_requests.iter().any(is_call) {
            self.called_at = Some(Instant::now());
        }
    }

    /// Keeps what was given in this turn. No call waits for it: they have been answered.
    pub(super) fn keep_records(&mut self) {
        for Keeping { records, reply } in std::mem::take(&mut self.keeping) {
            let started = Instant::now();
            let kept = if self.unsure.is_some() {
                Err(StoreError::Failed(self.failure()))
            } else {
                self.store.keep(&records)
            };
            match &kept {
                Ok(()) | Err(StoreError::NotKept(_)) => {}
                Err(error) => self.keeping_failed(error),
            }
            let rest = self.rest_since(started);
            // Nobody minds if the caller has left.
            drop(reply.send(kept.map(|()| rest).map_err(LedgerError::from)));
        }
    }

    /// The rest that calls should have from work that began then and has ended.
    pub(super) fn rest_since(&self, started: Instant) -> Duration {
        let took = started.elapsed();
        telemetry::kept(took);
        let since_call = self.called_at.map(|at| started.duration_since(at));
        rest(took, since_call)
    }

    /// Records are no reason to refuse calls; but what a store remembers after a failure is worth
    /// nothing, so it is read again, and one that cannot be read is treated as one that fails.
    pub(super) fn keeping_failed(&mut self, error: &StoreError) {
        if self.unsure.is_some() {
            return; // Failing already: recovery reads it.
        }
        match self.store.reread() {
            Ok(tail) if tail.seq == self.last_seq => {
                tracing::warn!(%error, "what is kept beside the entries could not be written");
            }
            Ok(_) | Err(_) => self.commit_failed(error),
        }
    }
}

/// How long calls should have the writer to themselves after records took it for `took`.
fn rest(took: Duration, since_call: Option<Duration>) -> Duration {
    if since_call.is_some_and(|since| since < LATELY) {
        took * (RECORDS_SHARE - 1)
    } else {
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_little_of_the_writer_while_calls_are_made_and_all_of_it_otherwise() {
        let millis = Duration::from_millis;
        for (since_call, expected) in [
            (None, 0),
            (Some(0), 93),
            (Some(99), 93),
            (Some(100), 0),
            (Some(5_000), 0),
        ] {
            assert_eq!(rest(millis(3), since_call.map(millis)), millis(expected));
        }
    }
}
