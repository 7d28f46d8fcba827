//! When the disk says no.
//!
//! A failed commit drops the batch's new holds: nothing was sent for them. Its endings stay in
//! memory, each in the place its hold owned for it, and are tried again until they are written;
//! meanwhile every new hold is refused at once. A commit that was reported as failed may still have
//! landed, so the store is read again before anything is written: no ending is written twice, none
//! is lost, and a hold that landed after its caller was told no is given back. What is written at last is
//! recorded as of then, not of when it was decided: a month that is over gets no more entries.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::ledger::entry::{Ending, Entry, EntryKind, HoldId};
use crate::ledger::request::{HoldError, LedgerError};
use crate::ledger::store::{StoreError, Tail};

use super::batch::{WaitingBind, WaitingHold};
use super::{ENDINGS_MAX, Ended, Next, Request, Writer, telemetry};

/// The first pause before trying again, and the longest.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Why a hold is released that landed although its commit was reported as failed.
const LANDED: &str = "its commit was reported as failed, and its caller refused; nothing was sent";
/// Why a bound hold is in doubt whose binding was reported as failed.
const NOT_BOUND: &str = "binding it to its job could not be written in time";

/// A batch that was sent to the store, and of which nobody knows yet whether it is there.
#[derive(Debug)]
pub(super) struct Unsure {
    /// What was sent.
    sent: Vec<Entry>,
    /// How many of these still stand at the front of the batch, waiting to be written.
    kept: usize,
}

impl Writer {
    /// The commit of the batch was reported as failed.
    pub(super) fn commit_failed(&mut self, error: &StoreError) {
        let sent = self.batch.entries.clone();
        let landed = match self.store.reread() {
            Ok(tail) => self.has_landed(&sent, tail).unwrap_or(false),
            Err(_) => false,
        };
        if landed {
            let error = error.to_string();
            tracing::warn!(error, "a commit was reported as failed, but is on disk");
            return self.written();
        }
        let text = error.to_string();
        telemetry::failed(&text);
        let known = &self.inbox.known;
        known.failure.store(text.clone().into());
        known.writable.store(false, Ordering::Release);
        self.batch
            .entries
            .retain(|entry| entry.kind != EntryKind::Held);
        self.unsure = Some(Unsure {
            sent,
            kept: self.batch.entries.len(),
        });
        for WaitingHold { made, reply, .. } in std::mem::take(&mut self.batch.holds) {
            self.book.forget(made.id);
            self.answers
                .add(reply, Err(HoldError::Unavailable(text.clone())));
        }
        for waiting in std::mem::take(&mut self.batch.binds) {
            self.doubt_unbound(waiting, error);
        }
    }

    /// A binding that cannot be written now is kept like an ending, and so is the doubt that its
    /// caller is told of: the job stays known, and its end will still end the hold.
    fn doubt_unbound(&mut self, waiting: WaitingBind, error: &StoreError) {
        let WaitingBind {
            hold,
            job,
            place,
            reply,
        } = waiting;
        self.publish_job(job, hold);
        let ending = Ending::Doubted {
            why: NOT_BOUND.into(),
        };
        self.end(Ended {
            hold,
            ending,
            place: Some(place),
        });
        drop(reply.send(Err(LedgerError::Store(error.clone()))));
    }

    /// If the last commit failed: refuses and keeps until the store can be written again.
    pub(super) async fn recover_if_failing(&mut self) -> Next {
        let mut pause = PAUSE_MIN;
        while self.unsure.is_some() {
            if self.wait_failing(Instant::now() + pause).await == Next::End {
                return Next::End; // `finish` tries once more.
            }
            self.move_time();
            let waiting = self.batch.entries.len();
            match self.recover() {
                Ok(()) => telemetry::recovered(waiting),
                Err(error) => telemetry::still_failing(&error.to_string()),
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
        Next::Turn
    }

    /// Answers what comes until `deadline`.
    async fn wait_failing(&mut self, deadline: Instant) -> Next {
        loop {
            tokio::select! {
                biased;
                () = sleep_until(deadline) => return Next::Turn,
                request = self.inbox.requests.recv() => match request {
                    Some(request) => {
                        self.refuse(request);
                        self.answers.say();
                    }
                    None => return Next::End,
                },
                ended = self.inbox.endings.recv() => match ended {
                    Some(ended) => {
                        self.move_time();
                        self.end(ended);
                    }
                    None => return Next::End,
                },
            }
            if !self.closing.is_empty() {
                return Next::End;
            }
        }
    }

    pub(super) fn refuse(&mut self, request: Request) {
        let failure = self.failure();
        let error = StoreError::Failed(failure.clone());
        match request {
            Request::Hold { reply, .. } => {
                self.answers
                    .add(reply, Err(HoldError::Unavailable(failure)));
            }
            Request::Consider { reply, .. } => {
                drop(reply.send(Err(HoldError::Unavailable(failure))));
            }
            Request::Bind {
                hold,
                job,
                place,
                reply,
            } => {
                self.move_time();
                self.bind(WaitingBind {
                    hold,
                    job,
                    place,
                    reply,
                });
                for waiting in std::mem::take(&mut self.batch.binds) {
                    self.doubt_unbound(waiting, &error);
                }
            }
            Request::Decide { reply, .. } | Request::Correct { reply, .. } => {
                drop(reply.send(Err(LedgerError::Store(error).into())));
            }
            Request::Grant { reply, .. } => {
                drop(reply.send(Err(LedgerError::Store(error).into())));
            }
            Request::Keep { reply, .. } => drop(reply.send(Err(error.into()))),
            Request::Archive { reply, .. } => drop(reply.send(Err(error.into()))),
            Request::ClearArchived { reply } => drop(reply.send(Err(error.into()))),
            Request::OpenCalls { reply } => drop(reply.send(self.open_calls())),
            Request::Budgets { reply } => drop(reply.send(self.book.statuses())),
            Request::SetBudgets { reply, .. } => drop(reply.send(Err(error.into()))),
            Request::Close { reply } => self.closing.push(reply),
        }
    }

    /// Reads the store again and writes what waits.
    pub(super) fn recover(&mut self) -> Result<(), StoreError> {
        let tail = self.store.reread()?;
        self.learn(tail)?;
        if self.batch.entries.is_empty() {
            self.store.probe()?;
        }
        let mut written = 0;
        while written < self.batch.entries.len() {
            let end = (written + ENDINGS_MAX).min(self.batch.entries.len());
            let now = self.book.now();
            for (seq, entry) in (self.last_seq + 1..).zip(&mut self.batch.entries[written..end]) {
                entry.seq = seq;
                // Finance goes by it: what is over by now has been exported without it.
                entry.recorded_at = now;
                if entry.kind == EntryKind::Granted {
                    entry.hold = HoldId::new(seq); // A grant is known by its own number.
                }
            }
            let some = &self.batch.entries[written..end];
            if let Err(error) = self.store.append(some) {
                self.unsure = Some(Unsure {
                    sent: some.to_vec(),
                    kept: some.len(),
                });
                self.batch.entries.drain(..written);
                return Err(error);
            }
            self.last_seq += i64::try_from(some.len()).unwrap_or(0);
            written = end;
        }
        self.unsure = None;
        self.written();
        self.inbox.known.writable.store(true, Ordering::Release);
        Ok(())
    }

    /// Finds out whether the batch nobody was sure of is on disk.
    fn learn(&mut self, tail: Tail) -> Result<(), StoreError> {
        let Some(unsure) = self.unsure.take() else {
            self.last_seq = tail.seq;
            return Ok(());
        };
        let landed = match self.has_landed(&unsure.sent, tail) {
            Ok(landed) => landed,
            Err(error) => {
                self.unsure = Some(unsure);
                return Err(error);
            }
        };
        self.last_seq = tail.seq;
        self.unsure = Some(Unsure {
            sent: Vec::new(),
            kept: 0,
        });
        if landed {
            self.batch.entries.drain(..unsure.kept);
            self.give_back(&unsure.sent);
        }
        Ok(())
    }

    /// Whether `sent` is what the store ends with (true) or what it does not have at all (false).
    fn has_landed(&self, sent: &[Entry], tail: Tail) -> Result<bool, StoreError> {
        let (Some(first), Some(last)) = (sent.first(), sent.last()) else {
            return if tail.seq == self.last_seq {
                Ok(false)
            } else {
                Err(strange(tail))
            };
        };
        if tail.seq == first.seq - 1 {
            return Ok(false);
        }
        let stored = self.store.reader().entries(first.seq - 1, sent.len())?;
        if tail.seq == last.seq && stored == sent {
            return Ok(true);
        }
        Err(strange(tail))
    }

    /// Holds that landed although their callers were refused.
    fn give_back(&mut self, sent: &[Entry]) {
        let held = sent.iter().filter(|entry| entry.kind == EntryKind::Held);
        for entry in held {
            self.book.apply(entry);
            self.end(Ended {
                hold: entry.hold,
                ending: Ending::Released { why: LANDED.into() },
                place: None,
            });
        }
    }
}

fn strange(tail: Tail) -> StoreError {
    StoreError::Damaged(format!(
        "it ends at entry {}, where this guard did not leave it: does another one write it?",
        tail.seq
    ))
}
