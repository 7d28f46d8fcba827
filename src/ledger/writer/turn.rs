//! One turn of the loop: decide, commit, answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::Instant;

use crate::ids::JobId;
use crate::ledger::book::Decided;
use crate::ledger::budget::Budget;
use crate::ledger::entry::{Ending, Entry, EntryKind, HoldId};
use crate::ledger::hold::{Delivery, Hold};
use crate::ledger::known::JobState;
use crate::ledger::request::{HoldError, Job, LedgerError};
use crate::ledger::store::StoreError;

use super::batch::{WaitingBind, WaitingDecision, WaitingGrant, WaitingHold};
use super::keep::Keeping;
use super::{Cover, ENDINGS_MAX, Ended, FORGET_EVERY, Next, Request, Writer, telemetry};

impl Writer {
    /// Takes everything gathered through the books and to the disk.
    pub(super) fn turn(&mut self) -> Next {
        self.move_time();
        self.notice_calls();
        for ended in std::mem::take(&mut self.waiting_endings) {
            self.end(ended);
        }
        for request in std::mem::take(&mut self.waiting_requests) {
            self.take(request);
        }
        // A no has nothing on the disk to wait for.
        self.answers.say();
        self.commit();
        self.answers.say();
        self.keep_records();
        self.forget_old_jobs();
        if self.closing.is_empty() {
            Next::Turn
        } else {
            Next::End
        }
    }

    pub(super) fn move_time(&mut self) {
        self.book.advance(self.clock.now());
        let latest = &self.inbox.known.reading;
        let reading = latest.load_full();
        match reading.as_deref() {
            // The clock was set back since it was taken. Charges that come now would seem to be
            // older than it, and to be in it: it is worth nothing, and must not keep the next out.
            Some(ahead) if ahead.started_at > self.book.clock() => {
                latest.compare_and_swap(&reading, None);
            }
            Some(reading) => self.book.observe(*reading),
            None => {}
        }
    }

    pub(super) fn next_seq(&self) -> i64 {
        let waiting = i64::try_from(self.batch.entries.len()).unwrap_or(i64::MAX);
        self.last_seq + waiting + 1
    }

    /// An ending. Decided once, here; from now on it is only a matter of writing it.
    pub(super) fn end(&mut self, ended: Ended) {
        let seq = self.next_seq();
        if let Some(decided) = self.book.end(ended.hold, ended.ending, seq) {
            self.put(decided);
        }
        self.batch.places.extend(ended.place);
    }

    pub(super) fn put(&mut self, decided: Decided) {
        telemetry::report_overrun(&decided);
        let ends = decided.entry.kind != EntryKind::Doubted;
        if let Some(job) = decided.job {
            self.batch.left.push(decided.entry.hold);
            if ends {
                self.batch.ended_jobs.push(job);
            }
        }
        self.batch.entries.push(decided.entry);
    }

    fn take(&mut self, request: Request) {
        if self.unsure.is_some() {
            return self.refuse(request); // A commit inside this very turn has failed.
        }
        match request {
            Request::Hold {
                request,
                cover,
                place,
                reply,
            } => {
                let seq = self.next_seq();
                let made = match cover {
                    Cover::Needed if !self.book.covers(&request) => Err(HoldError::Uncovered),
                    Cover::Needed | Cover::Any => self.book.hold(request, seq),
                };
                match made {
                    Ok((entry, made)) => {
                        self.batch.entries.push(entry);
                        self.batch.holds.push(WaitingHold { made, place, reply });
                    }
                    Err(refused) => self.answers.add(reply, Err(refused)),
                }
            }
            Request::Consider { request, reply } => {
                drop(reply.send(Ok(self.book.consider(&request))));
            }
            Request::Bind {
                hold,
                job,
                place,
                reply,
            } => self.bind(WaitingBind {
                hold,
                job,
                place,
                reply,
            }),
            Request::Decide {
                hold,
                decision,
                evidence,
                reply,
            } => self.decide(hold, decision, evidence, reply),
            Request::Correct {
                ended,
                difference,
                evidence,
                reply,
            } => self.correct(&ended, difference, evidence, reply),
            Request::Grant { grant, reply } => self.grant(*grant, reply),
            Request::Keep { records, reply } => self.keeping.push(Keeping { records, reply }),
            Request::Archive { archived, reply } => {
                drop(reply.send(self.archive(&archived)));
            }
            Request::ClearArchived { reply } => drop(reply.send(self.clear_archived())),
            Request::OpenCalls { reply } => {
                self.commit();
                drop(reply.send(self.open_calls()));
            }
            Request::Budgets { reply } => drop(reply.send(self.book.statuses())),
            Request::SetBudgets { budgets, reply } => {
                drop(reply.send(self.set_budgets(budgets)));
            }
            Request::Close { reply } => self.closing.push(reply),
        }
    }

    fn set_budgets(&mut self, budgets: Vec<Budget>) -> Result<(), LedgerError> {
        // What is decided must be in the store before it is read.
        self.commit();
        if self.unsure.is_some() || !self.batch.entries.is_empty() {
            return Err(LedgerError::Store(StoreError::Failed(self.failure())));
        }
        let read = self.book.set_budgets(self.store.reader(), budgets);
        self.inbox.known.exhausted.lift();
        self.inbox.known.levels.replace(self.book.levels());
        read.map_err(LedgerError::from)
    }

    /// Binds a hold to its job; a job that belongs to another hold already puts this one in doubt.
    pub(super) fn bind(&mut self, waiting: WaitingBind) {
        if let Some(holder) = self.book.job_holder(&waiting.job) {
            let WaitingBind {
                hold,
                job,
                place,
                reply,
            } = waiting;
            let why = format!("the upstream named job {job}, which is bound to hold {holder}");
            self.end(Ended {
                hold,
                ending: Ending::Doubted { why },
                place: Some(place),
            });
            drop(reply.send(Err(LedgerError::JobTaken { job, hold: holder })));
            return;
        }
        let seq = self.next_seq();
        match self.book.bind(waiting.hold, waiting.job.clone(), seq) {
            Ok(entry) => {
                self.batch.entries.push(entry);
                self.batch.binds.push(waiting);
            }
            // Cannot be: whoever binds owns the hold.
            Err(_) => drop(waiting.reply.send(Err(LedgerError::Closed))),
        }
    }

    /// Writes the batch and answers everybody who waits for it.
    pub(super) fn commit(&mut self) {
        if self.batch.entries.is_empty() {
            self.batch.places.clear();
            return;
        }
        if self.unsure.is_some() {
            return; // Failing: recovery writes it.
        }
        let started = Instant::now();
        match self.store.append(&self.batch.entries) {
            Ok(()) => {
                let entries = u32::try_from(self.batch.entries.len()).unwrap_or(u32::MAX);
                telemetry::committed(entries, started.elapsed(), self.book.open_count());
                self.written();
            }
            Err(error) => self.commit_failed(&error),
        }
    }

    /// The whole batch is on disk.
    pub(super) fn written(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        self.last_seq = batch
            .entries
            .last()
            .map_or(self.last_seq, |entry| entry.seq);
        self.expects_endings = !batch.holds.is_empty();
        self.deliver(batch.holds);
        for waiting in batch.binds {
            self.publish_job(waiting.job, waiting.hold);
            self.job_places.insert(waiting.hold, waiting.place);
            drop(waiting.reply.send(Ok(())));
        }
        // Before the answers: who is told that a job is over must find it so.
        self.settle_places(&batch.ended_jobs, &batch.left);
        for WaitingDecision { mut entry, reply } in batch.decisions {
            // After a failure its number and time may be others than those it was decided under.
            let mut entries = batch.entries.iter();
            if let Some(written) = entries.find(|written| written.is_the_same_fact(&entry)) {
                entry.clone_from(written);
            }
            if entry.kind == EntryKind::Corrected && entry.amount.is_negative() {
                self.inbox.known.exhausted.lift();
            }
            drop(reply.send(Ok(entry)));
        }
        self.answer_grants(batch.grants, &batch.entries);
    }

    /// Calls that are made from here on have the room.
    fn answer_grants(&self, grants: Vec<WaitingGrant>, written: &[Entry]) {
        if grants.is_empty() {
            return;
        }
        self.inbox.known.exhausted.lift();
        // After a failure its number may be another; those that landed then are no longer among
        // the entries, and were the first.
        let entries = written.iter().rev();
        let mut entries = entries.filter(|entry| entry.kind == EntryKind::Granted);
        for WaitingGrant { mut granted, reply } in grants.into_iter().rev() {
            if let Some(entry) = entries.next() {
                granted.entry = entry.clone();
            }
            drop(reply.send(Ok(granted)));
        }
    }

    fn deliver(&mut self, holds: Vec<WaitingHold>) {
        if holds.is_empty() {
            return;
        }
        let shared = self.inbox.shared.upgrade();
        for WaitingHold { made, place, reply } in holds {
            // Without a handle there is nobody to answer; the next start finds the hold open.
            if let Some(shared) = &shared {
                let hold = Hold::new(made, Arc::clone(shared), place);
                self.answers.add(reply, Ok(Delivery::new(hold)));
            }
        }
    }

    pub(super) fn publish_job(&self, job: JobId, hold: HoldId) {
        let Some((team, operation)) = self.book.job_origin(&job) else {
            return;
        };
        let state = Job {
            hold,
            team,
            operation,
            open: true,
        };
        let jobs = &self.inbox.known.jobs;
        jobs.insert(job, JobState::new(state));
    }

    pub(super) fn settle_places(&mut self, ended_jobs: &[JobId], left: &[HoldId]) {
        for job in ended_jobs {
            if let Some(mut state) = self.inbox.known.jobs.get_mut(job) {
                state.job.open = false;
            }
        }
        for hold in left {
            self.job_places.remove(hold);
        }
    }

    fn forget_old_jobs(&mut self) {
        let now = self.book.clock();
        if now.duration_since(self.forgot_at) >= FORGET_EVERY {
            self.forgot_at = now;
            for job in self.book.forget_old_jobs() {
                self.inbox.known.jobs.remove(&job);
            }
        }
    }

    pub(super) fn failure(&self) -> String {
        self.inbox.known.failure.load().to_string()
    }

    /// Everything that can still be done at the end: what is queued is written, who waits is told.
    pub(super) fn finish(&mut self) {
        self.inbox.requests.close();
        while let Ok(request) = self.inbox.requests.try_recv() {
            match request {
                Request::Hold { reply, .. } => self.answers.add(reply, Err(HoldError::Closed)),
                Request::Close { reply } => self.closing.push(reply),
                Request::Bind { .. } => self.take(request),
                Request::Consider { .. }
                | Request::Decide { .. }
                | Request::Correct { .. }
                | Request::Grant { .. }
                | Request::Keep { .. }
                | Request::Archive { .. }
                | Request::ClearArchived { .. }
                | Request::OpenCalls { .. }
                | Request::Budgets { .. }
                | Request::SetBudgets { .. } => {}
            }
        }
        self.inbox.endings.close();
        self.move_time();
        while let Ok(ended) = self.inbox.endings.try_recv() {
            self.end(ended);
            if self.batch.entries.len() >= ENDINGS_MAX {
                self.commit();
            }
        }
        self.commit();
        let outcome = if self.batch.entries.is_empty() {
            Ok(())
        } else {
            self.recover().map_err(LedgerError::from)
        };
        let writable = outcome.is_ok();
        self.inbox.known.writable.store(writable, Ordering::Release);
        self.answers.say();
        for reply in self.closing.drain(..) {
            drop(reply.send(outcome.clone()));
        }
        let unwritten = std::mem::take(&mut self.batch);
        if !unwritten.entries.is_empty() {
            let entries = unwritten.entries.len();
            tracing::error!(
                entries,
                "the ledger was closed with entries that could not be written; their holds will be in doubt"
            );
        }
    }
}
