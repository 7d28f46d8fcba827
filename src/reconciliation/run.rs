//! One run: read the account's list, look at our new entries, match, end doubts, keep what was found.
//!
//! The order matters. The list is read first and the books after it: a call is in the books before
//! it leaves, so whatever made a row that was read is there to explain it.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::task::spawn_blocking;

use super::balance_kind::BalanceKind;
use super::judge::{self, Judged};
use super::matching::{self, Answer, DoubtEnd, Known, Question};
use super::notes::{self, Notes};
use super::open::{ABSENT, Open, REMEMBERED, Times, open_findings};
use super::question::Asked;
use super::summary::Summary;
use super::telemetry;
use crate::account::{AccountClient, AccountError, PullSettings, Reading, Span};
use crate::catalogue::{Catalogue, Prices};
use crate::clock::Clock;
use crate::credits::Credits;
use crate::ledger::store::Reader;
use crate::ledger::{
    Decision, Finding, Ledger, LedgerError, Match, Note, NoteKind, Record, ResolveError, StoreError,
};
use crate::transaction::{Transaction, TransactionSource};

/// A backlog is read in spans of this length, oldest first.
const SPAN: SignedDuration = SignedDuration::from_hours(24);
/// Rows written by a clock ahead of ours are read too.
const AHEAD: SignedDuration = SignedDuration::from_hours(1);
/// A difference of clocks below this is the second that the account's clock is told to.
const SKEW_MIN: SignedDuration = SignedDuration::from_secs(3);

/// Opens a reader of the ledger's file, beside its writer.
pub type OpenReader = Arc<dyn Fn() -> Result<Box<dyn Reader>, StoreError> + Send + Sync>;
/// Tells the catalogue and the prices in force.
pub type InForce = Arc<dyn Fn() -> (Arc<Catalogue>, Arc<Prices>) + Send + Sync>;

/// What a reconciler is built from.
#[derive(Clone)]
pub struct ReconcilerSettings {
    /// Which of the account's lists is read.
    pub source: TransactionSource,
    /// How far the account's clock and ours, and a row's time and its call's, may be apart.
    pub tolerance: SignedDuration,
    /// How late a row may appear.
    pub rows_late: SignedDuration,
    /// How far each run reads back beyond the one before.
    pub overlap: SignedDuration,
    /// The longest a call may take.
    pub call_lasts: SignedDuration,
    /// What one unit of the list is in the account's credits.
    pub factor: Credits,
    /// How the list is paged.
    pub pull: PullSettings,
    /// Reads the ledger.
    pub open_reader: OpenReader,
    /// What charges are expected.
    pub in_force: InForce,
    /// Called when a charge departs from the prices in force: they should be asked for.
    pub prices_departed: Arc<dyn Fn() + Send + Sync>,
}

/// Why a run ended early. What it had kept is kept; the next run goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The account's list could not be read.
    #[error("the account's transactions cannot be read: {0}")]
    Account(#[from] AccountError),
    /// The ledger could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger could not be written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A part of it broke down.
    #[error("a part of the reconciliation broke down: {0}")]
    Broken(#[from] tokio::task::JoinError),
}

/// Holds the books against the account's list, run after run.
pub struct Reconciler {
    pub(super) settings: ReconcilerSettings,
    pub(super) client: AccountClient,
    pub(super) ledger: Ledger,
    pub(super) clock: Clock,
    pub(super) state: Option<State>,
    balance: BalanceKind,
    /// The prices of the run before, by which a call of that time was charged.
    prices_before: Option<Arc<Prices>>,
    /// A ledger without an entry is reconciled from here on.
    made_at: Timestamp,
}

/// What is remembered between runs.
pub(super) struct State {
    notes: Notes,
    open: Open,
    known: Known,
    /// Findings that were told already.
    told: BTreeSet<Arc<str>>,
    skew: SignedDuration,
}

impl Reconciler {
    /// A reconciler that has looked at nothing yet.
    pub fn new(
        settings: ReconcilerSettings,
        client: AccountClient,
        ledger: Ledger,
        clock: Clock,
    ) -> Self {
        Self {
            made_at: clock.now(),
            settings,
            client,
            ledger,
            clock,
            state: None,
            balance: BalanceKind::default(),
            prices_before: None,
        }
    }

    /// The account was read: a witness for what its balance means.
    pub fn observe(&mut self, reading: &Reading) {
        self.balance.read(reading.started_at, reading.balance);
    }

    /// Remembers where it begins: what the account's list says of earlier times is nobody's business.
    ///
    /// # Errors
    /// See [`ReconcileError`]; the first run does it then.
    pub async fn begin(&mut self) -> Result<(), ReconcileError> {
        let state = self.restore().await?;
        self.ledger.keep(state.notes.records()).await?;
        self.state = Some(state);
        Ok(())
    }

    /// Runs once, to the end of the backlog. `progress` is told how far the list has been read.
    ///
    /// # Errors
    /// See [`ReconcileError`].
    pub async fn run(
        &mut self,
        progress: &mut (dyn FnMut(Timestamp) + Send),
    ) -> Result<Summary, ReconcileError> {
        let mut state = match self.state.take() {
            Some(state) => state,
            None => self.restore().await?,
        };
        // Lost when a run fails, and restored by the next: memory and file then agree again.
        let mut summary = Summary::default();
        loop {
            let more = self.read_span(&mut state, &mut summary).await?;
            progress(state.notes.read_until);
            if !more {
                break;
            }
        }
        self.match_all(&mut state, &mut summary).await?;
        summary.complete_until = state.notes.complete_until(self.settings.rows_late);
        telemetry::behind(self.clock.now(), state.notes.read_until);
        summary.balance_seems = self.balance.seems();
        self.state = Some(state);
        Ok(summary)
    }

    async fn restore(&self) -> Result<State, ReconcileError> {
        let (settings, now, made_at) = (self.settings.clone(), self.clock.now(), self.made_at);
        let restore = move || {
            let reader = (settings.open_reader)()?;
            let notes = Notes::read(&*reader, made_at, settings.tolerance)?;
            let from = now.checked_sub(REMEMBERED).unwrap_or(Timestamp::MIN);
            let times = Times {
                tolerance: settings.tolerance,
                call_lasts: settings.call_lasts,
            };
            let open = Open::restore(&*reader, notes.seq, from.max(notes.start), times)?;
            Ok::<_, StoreError>(State {
                known: notes.known.clone(),
                told: open_findings(&*reader, from)?
                    .into_iter()
                    .map(|finding| finding.name)
                    .collect(),
                skew: SignedDuration::ZERO,
                notes,
                open,
            })
        };
        Ok(spawn_blocking(restore).await??)
    }

    /// Reads the next span of the list into the ledger. Says whether there is more to read.
    async fn read_span(
        &self,
        state: &mut State,
        summary: &mut Summary,
    ) -> Result<bool, ReconcileError> {
        let now = self.clock.now();
        let back = state.notes.read_until.checked_sub(self.settings.overlap);
        let from = back.unwrap_or(Timestamp::MIN).max(state.notes.start);
        let last = now.checked_add(AHEAD).unwrap_or(Timestamp::MAX);
        let after_overlap = state.notes.read_until.max(from);
        let end = after_overlap.checked_add(SPAN).unwrap_or(last);
        let (to, more) = if end < now {
            (end, true)
        } else {
            (last, false)
        };
        let span = Span { from, to };
        let mut pull = self
            .client
            .pull(self.settings.source, span, self.settings.pull);
        while let Some(rows) = pull.next().await? {
            self.keep_rows(state, rows, summary).await?;
        }
        let report = pull.report();
        summary.unreadable += report.unreadable_count;
        telemetry::pulled(&report);
        if let Some(skew) = report.skew {
            state.skew = if skew.abs() < SKEW_MIN {
                SignedDuration::ZERO
            } else {
                skew
            };
        }
        if !report.complete {
            return Ok(false);
        }
        state.notes.cannot_read(&report);
        let asked_at = report.started_at.unwrap_or(now);
        let read_until = if more { to } else { asked_at };
        state.notes.read_until = read_until.max(state.notes.read_until);
        self.ledger.keep(state.notes.records()).await?;
        Ok(more)
    }

    async fn keep_rows(
        &self,
        state: &mut State,
        rows: Vec<Transaction>,
        summary: &mut Summary,
    ) -> Result<(), ReconcileError> {
        let now = self.clock.now();
        let (catalogue, _) = (self.settings.in_force)();
        let mut records = Vec::new();
        let mut judged = Judged::default();
        for mut row in rows {
            if row.at < state.notes.start {
                continue;
            }
            row.amount = row.amount.in_units_of(self.settings.factor);
            let Some(seen) = state.open.take_row(row) else {
                continue;
            };
            summary.rows += 1;
            let known = state.known.stands_for(&seen.row.kind).next().is_some();
            let is_operation = known || catalogue.operation(&seen.row.kind).is_some();
            records.push(Record::Transaction(seen.row.clone()));
            let of_row = judge::seen(&seen, is_operation, now);
            judged.found.extend(of_row.found);
            judged.closed.extend(of_row.closed);
        }
        records.extend(self.told(state, &judged, summary));
        self.ledger.keep(records).await?;
        Ok(())
    }

    /// Tells what is new among the findings, once each, and makes records of them.
    fn told(&self, state: &mut State, judged: &Judged, summary: &mut Summary) -> Vec<Record> {
        for (name, _) in &judged.closed {
            state.told.remove(name);
        }
        for finding in &judged.found {
            if state.told.insert(Arc::clone(&finding.name)) {
                telemetry::found(finding);
                summary.add_finding(finding.kind, finding.drift);
            }
        }
        summary.closed += judged.closed.len();
        judged.records(self.clock.now())
    }

    /// Everything that is open on both sides, held against each other.
    async fn match_all(
        &mut self,
        state: &mut State,
        summary: &mut Summary,
    ) -> Result<(), ReconcileError> {
        let asked = self.ask(state, summary).await?;
        let known = state.known.clone();
        let complete_until = state.notes.complete_until(self.settings.rows_late);
        let (catalogue, _) = (self.settings.in_force)();
        let operations: Vec<_> = (catalogue.operations())
            .filter(|operation| operation.class.is_charged())
            .map(|operation| operation.name.clone())
            .collect();
        let look = move || {
            let question = Question {
                charges: &asked.charges,
                doubts: &asked.doubts,
                live: &asked.live,
                operations: &operations,
                rows: &asked.rows,
                complete_until: complete_until.unwrap_or(Timestamp::MIN),
            };
            let answer = matching::answer(question, &known);
            let differing = matching::pair_differing(question, &answer);
            (answer, differing, asked)
        };
        let (answer, differing, asked) = spawn_blocking(look).await?;
        self.take_matches(state, &answer, summary).await?;
        self.end_doubts(state, &answer, &asked, summary).await?;
        let holds: Vec<_> = asked.charges.iter().map(|charge| charge.hold).collect();
        let now = self.clock.now();
        let judged = judge::left(
            &mut state.open,
            &answer,
            &asked.rows,
            &holds,
            &differing,
            self.settings.factor,
            now,
        );
        let mut records = self.told(state, &judged, summary);
        summary.undecided = answer.undecided.len();
        state.known = answer.known;
        let reread = state.notes.read_until.checked_sub(self.settings.overlap);
        let found_before = now.checked_sub(REMEMBERED).unwrap_or(Timestamp::MIN);
        state
            .open
            .forget(reread.unwrap_or(Timestamp::MIN), found_before);
        records.extend(notes::after_a_run(
            state.open.settled_up_to(),
            &state.known,
            &answer.undecided,
        ));
        self.ledger.keep(records).await?;
        Ok(())
    }

    /// Reads our side: new entries, then the calls that are open.
    async fn ask(
        &mut self,
        state: &mut State,
        summary: &mut Summary,
    ) -> Result<Asked, ReconcileError> {
        let open_reader = Arc::clone(&self.settings.open_reader);
        let mut open = std::mem::take(&mut state.open);
        let read = move || {
            let reader = open_reader()?;
            let news = open.read_entries(&*reader)?;
            Ok::<_, StoreError>((open, news))
        };
        let (open, news) = spawn_blocking(read).await??;
        state.open = open;
        for movement in &news.movements {
            self.balance.moved(*movement);
        }
        let mut records = news.records;
        let (catalogue, prices) = (self.settings.in_force)();
        let now = self.clock.now();
        let in_force = [Some(&prices), self.prices_before.as_ref()];
        let unexpected = super::prices::unexpected(&news.stated, &catalogue, &in_force, now);
        if !unexpected.is_empty() {
            telemetry::prices_departed(unexpected.len());
            (self.settings.prices_departed)();
        }
        let judged = Judged {
            found: unexpected,
            ..Judged::default()
        };
        records.extend(self.told(state, &judged, summary));
        self.prices_before = Some(prices);
        self.ledger.keep(records).await?;
        let calls = self.ledger.open_calls().await?;
        Ok(Asked::of(&state.open, calls, state.skew, now))
    }

    async fn take_matches(
        &self,
        state: &mut State,
        answer: &Answer,
        summary: &mut Summary,
    ) -> Result<(), ReconcileError> {
        let mut records = Vec::new();
        let mut judged = Judged::default();
        for found in &answer.matches {
            judged.closed.extend(
                judge::explained(&state.open, &found.transaction, found.hold)
                    .map(|name| (name, "its other half was found")),
            );
            let agrees = judge::agrees(&mut state.open, &found.transaction);
            judged
                .closed
                .extend(agrees.map(|name| (name, "its rows agree again")));
            state.open.charges.remove(&found.hold);
            records.extend(own(&mut state.open, found));
            summary.matched += 1;
        }
        records.extend(self.told(state, &judged, summary));
        self.ledger.keep(records).await?;
        Ok(())
    }

    /// Ends the doubts that the account's list decides. One that has ended meanwhile stays as it is.
    async fn end_doubts(
        &self,
        state: &mut State,
        answer: &Answer,
        asked: &Asked,
        summary: &mut Summary,
    ) -> Result<(), ReconcileError> {
        for end in &answer.ended {
            if end.matches.is_empty() && asked.is_blind(end.hold, &state.notes) {
                continue;
            }
            let (decision, note) = decision(end);
            match self.ledger.decide(end.hold, decision, note).await {
                Ok(_) => {}
                Err(ResolveError::Ledger(error)) => return Err(error.into()),
                // A poll or a person was first; the next run sees what they did.
                Err(_) => continue,
            }
            telemetry::doubt_ended(end);
            let mut records = Vec::new();
            for found in &end.matches {
                records.extend(own(&mut state.open, found));
            }
            let judged = Judged {
                found: allocated(end, self.clock.now()).into_iter().collect(),
                ..Judged::default()
            };
            records.extend(self.told(state, &judged, summary));
            self.ledger.keep(records).await?;
            match (end.allocated, end.matches.is_empty()) {
                (true, _) => summary.allocated += 1,
                (false, true) => summary.released += 1,
                (false, false) => {
                    summary.settled.0 += 1;
                    summary.settled.1 = summary.settled.1.saturating_add(end.charge);
                }
            }
        }
        Ok(())
    }
}

fn own(open: &mut Open, found: &Match) -> Option<Record> {
    open.owned(found.transaction.clone(), found.hold, found.how)
}

fn decision(end: &DoubtEnd) -> (Decision, Note) {
    if end.matches.is_empty() {
        return (Decision::Release, Note::reason(ABSENT));
    }
    let ids = end
        .matches
        .iter()
        .map(|found| found.transaction.to_string());
    let note = Note {
        kind: NoteKind::Transaction,
        text: ids.collect::<Vec<_>>().join(" "),
    };
    (Decision::Settle(end.charge), note)
}

/// What was allocated is said, so that a person can put it right.
fn allocated(end: &DoubtEnd, now: Timestamp) -> Option<Finding> {
    use crate::ledger::FindingKind::Allocated;
    if !end.allocated {
        return None;
    }
    let first = end.matches.first();
    let given = match first {
        Some(found) => format!("was given the nearest row, {}", found.transaction),
        None => "was released, since no row was near".to_owned(),
    };
    Some(Finding {
        name: format!("allocated:{}", end.hold).into(),
        kind: Allocated,
        found_at: now,
        at: now,
        operation: None,
        team: None,
        drift: Credits::ZERO,
        hold: Some(end.hold),
        transaction: first.map(|found| found.transaction.clone()),
        detail: format!(
            "nothing decided about hold {} within a day: it {given}",
            end.hold
        ),
    })
}
