//! The first half of a run: the account's list, read into the ledger.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use tokio::task::spawn_blocking;

use super::judge;
use super::kinds::Kinds;
use super::run::{Depth, ReconcileError, Reconciler};
use super::state::State;
use super::summary::Summary;
use super::telemetry;
use crate::account::Span;
use crate::ledger::{KeptRow, StoreError};
use crate::transaction::{Transaction, TransactionId};

/// A backlog is read in spans of this length, oldest first.
const SPAN: SignedDuration = SignedDuration::from_hours(24);
/// Rows written by a clock so far ahead of ours, or behind, are read too.
pub(super) const AHEAD: SignedDuration = SignedDuration::from_hours(1);

/// Each run reads back this far at least, beside the tolerance.
const QUICK_OVERLAP: SignedDuration = SignedDuration::from_mins(5);
/// How often it reads back over the whole overlap: what came late counts only then.
const FULL_EVERY: SignedDuration = SignedDuration::from_mins(15);

impl Reconciler {
    /// Reads the list into the ledger, a day at a time, up to now.
    pub(super) async fn read_list(
        &self,
        state: &mut State,
        depth: Depth,
        summary: &mut Summary,
        progress: &mut (dyn FnMut(Timestamp) + Send),
    ) -> Result<(), ReconcileError> {
        let now = self.clock.now();
        let full = now.duration_since(state.notes.full_until) >= FULL_EVERY;
        let (base, back) = match depth {
            Depth::Quick if !full => {
                let back = QUICK_OVERLAP.saturating_add(self.settings.tolerance);
                (state.notes.read_until, back)
            }
            _ => {
                let both = state.notes.read_until.min(state.notes.full_until);
                (both, self.settings.overlap)
            }
        };
        let is_full = full || depth == Depth::Full;
        let mut from = base.checked_sub(back).unwrap_or(Timestamp::MIN);
        // Their clock may be behind ours: how far, only an answer tells.
        let start = state.notes.start.checked_sub(AHEAD);
        from = from.max(start.unwrap_or(Timestamp::MIN));
        let last = now.checked_add(AHEAD).unwrap_or(Timestamp::MAX);
        loop {
            let end = from.checked_add(SPAN).unwrap_or(last);
            let (to, more) = if end < now {
                (end, true)
            } else {
                (last, false)
            };
            let Some(asked_at) = self.read_span(state, Span { from, to }, summary).await? else {
                return Ok(());
            };
            let read_until = if more { to } else { asked_at };
            state.notes.read_until = read_until.max(state.notes.read_until);
            if is_full && !more {
                state.notes.full_until = asked_at.max(state.notes.full_until);
            }
            self.ledger.keep(state.notes.records()).await?;
            progress(state.notes.read_until);
            if !more {
                return Ok(());
            }
            from = to;
        }
    }

    /// Reads a span once more that was read before, and matches what came to light. How far the list
    /// has been read stays as it is.
    ///
    /// # Errors
    /// See [`ReconcileError`]; the next run goes on from what was kept.
    pub(super) async fn read_again(&mut self, span: Span) -> Result<Summary, ReconcileError> {
        let mut state = match self.state.take() {
            Some(state) => state,
            None => self.restore().await?,
        };
        let mut summary = Summary::default();
        self.read_span(&mut state, span, &mut summary).await?;
        if !summary.is_quiet() {
            self.match_all(&mut state, &mut summary).await?;
        }
        self.state = Some(state);
        Ok(summary)
    }

    /// Reads a span of the list into the ledger. Gives the moment at which its reading began, if it
    /// was read completely.
    async fn read_span(
        &self,
        state: &mut State,
        span: Span,
        summary: &mut Summary,
    ) -> Result<Option<Timestamp>, ReconcileError> {
        let (source, pull) = (self.settings.source, self.settings.pull);
        let mut pull = self.client.pull(source, span, pull);
        while let Some(rows) = pull.next().await? {
            state.tell_skew(pull.report().skew);
            self.keep_rows(state, rows, summary).await?;
        }
        let report = pull.report();
        state.is_bounded = !report.bounds_dropped;
        summary.unreadable += report.unreadable_count;
        telemetry::pulled(&report);
        state.tell_skew(report.skew);
        if !report.complete {
            summary.stopped = report.stop.map(|stop| (span, stop));
            return Ok(None);
        }
        state.notes.cannot_read(&report);
        Ok(Some(report.started_at.unwrap_or_else(|| self.clock.now())))
    }

    /// Brings rows into the account's credits, and leaves out those from before the ledger.
    fn wanted(&self, rows: Vec<Transaction>, state: &State) -> Vec<Transaction> {
        let mut rows = rows;
        rows.retain(|row| state.by_our_clock(row.at) >= state.notes.start);
        for row in &mut rows {
            row.amount = row.amount.in_units_of(self.settings.factor);
        }
        rows
    }

    /// What the ledger has of these rows.
    async fn kept(
        &self,
        rows: &[Transaction],
    ) -> Result<HashMap<TransactionId, KeptRow>, ReconcileError> {
        let open_reader = self.settings.open_reader.clone();
        let ids: Vec<_> = rows.iter().map(|row| row.id.clone()).collect();
        let look = move || {
            let kept = open_reader.open()?.kept_rows(&ids)?.into_iter();
            let kept = kept.map(|kept| (kept.row.id.clone(), kept));
            Ok::<_, StoreError>(kept.collect())
        };
        Ok(spawn_blocking(look).await??)
    }

    pub(super) async fn keep_rows(
        &self,
        state: &mut State,
        rows: Vec<Transaction>,
        summary: &mut Summary,
    ) -> Result<(), ReconcileError> {
        let now = self.clock.now();
        let operations = self.charged_operations();
        let mut rows = self.wanted(rows, state);
        let kept = self.kept(&rows).await?;
        let mut twins = std::mem::take(&mut state.twins);
        let at = |row: &Transaction| state.by_our_clock(row.at);
        let replaced = twins.leave_out(&mut rows, at, |row| kept.contains_key(&row.id));
        state.twins = twins;
        for id in replaced {
            state.open.rows.remove(&id);
        }
        let mut judged = Vec::new();
        for row in rows {
            let kept = kept.get(&row.id);
            let Some(seen) = state.open.take_row(row, kept, now) else {
                continue;
            };
            summary.rows += 1;
            let kinds = Kinds {
                operations: &operations,
                known: &state.notes.known,
            };
            let is_operation = kinds.is_known(&seen.row.kind);
            judged.push(judge::seen(&seen, is_operation, now));
        }
        self.keep(state, judged, summary).await
    }
}
