//! One run: read the account's list, look at our new entries, match, end doubts, keep what was found.
//!
//! The order matters. The list is read first and the books after it: a call is in the books before
//! it leaves, so whatever made a row that was read is there to explain it.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::task::spawn_blocking;

use super::balance_kind::BalanceKind;
use super::judge::{self, Judged, Matched};
use super::kinds::Kinds;
use super::list::AHEAD;
use super::matching::{self, Answer, DoubtEnd, Known, Question};
use super::notes::{self, Notes, UndecidedNote};
use super::open::{ABSENT, Open, REMEMBERED, Times, open_findings};
use super::question::Asked;
use super::summary::Summary;
use super::telemetry;
use crate::account::{AccountClient, AccountError, PullSettings, Reading, Seen};
use crate::catalogue::{Catalogue, Class, Prices};
use crate::clock::Clock;
use crate::credits::Credits;
use crate::ids::OperationName;
use crate::ledger::store::Reader;
use crate::ledger::{
    BalanceIs, Decision, Ledger, LedgerError, Match, Note, NoteKind, Record, ResolveError,
    StoreError,
};
use crate::transaction::TransactionSource;

/// How far back a run reads the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Some minutes, unless the whole overlap is due.
    Quick,
    /// The whole overlap.
    Full,
}

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
    /// What the settings say a balance is while jobs run.
    pub balance_is: BalanceIs,
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
    /// What was told of it last.
    balance_told: Option<BalanceIs>,
    /// The prices of the run before, by which a call of that time was charged.
    prices_before: Option<Arc<Prices>>,
    /// A ledger without an entry is reconciled from here on.
    made_at: Timestamp,
}

/// What is remembered between runs.
pub(super) struct State {
    pub(super) notes: Notes,
    pub(super) open: Open,
    /// Whether the list was last seen to look at the times it is asked for.
    pub(super) is_bounded: bool,
    pub(super) known: Known,
    /// Findings that were told already.
    told: BTreeSet<Arc<str>>,
    /// How far the account's clock is ahead of ours.
    pub(super) skew: SignedDuration,
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
            balance_told: None,
            prices_before: None,
        }
    }

    /// The account was read: a witness for what its balance means.
    pub fn observe(&mut self, reading: &Reading) {
        // What the upstream's refusal of a call makes of the balance is no reading of it.
        if reading.seen != Seen::Refused {
            self.balance.observe(reading.started_at, reading.balance);
        }
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
        depth: Depth,
        progress: &mut (dyn FnMut(Timestamp) + Send),
    ) -> Result<Summary, ReconcileError> {
        let mut state = match self.state.take() {
            Some(state) => state,
            None => self.restore().await?,
        };
        // Lost when a run fails, and restored by the next: memory and file then agree again.
        let mut summary = Summary::default();
        self.read_list(&mut state, depth, &mut summary, progress)
            .await?;
        self.read_pending(&mut state, &mut summary).await?;
        self.match_all(&mut state, &mut summary).await?;
        summary.complete_until = state.notes.complete_until(self.settings.rows_late);
        telemetry::behind(self.clock.now(), state.notes.read_until);
        summary.balance_seems = self.balance.seems();
        if let Some(seems) = summary.balance_seems
            && seems != self.settings.balance_is
            && self.balance_told.replace(seems) != Some(seems)
        {
            telemetry::balance_seems(seems);
        }
        self.state = Some(state);
        Ok(summary)
    }

    pub(super) async fn restore(&self) -> Result<State, ReconcileError> {
        let (settings, now, made_at) = (self.settings.clone(), self.clock.now(), self.made_at);
        let restore = move || {
            let reader = (settings.open_reader)()?;
            let notes = Notes::read(&*reader, made_at, settings.tolerance)?;
            let from = now.checked_sub(REMEMBERED).unwrap_or(Timestamp::MIN);
            let times = Times {
                tolerance: settings.tolerance,
                call_lasts: settings.call_lasts,
            };
            // By their clock, which may be behind ours.
            let start = notes.start.checked_sub(AHEAD).unwrap_or(notes.start);
            let found_from = from.max(start);
            let open = Open::restore(&*reader, notes.seq, found_from, times)?;
            Ok::<_, StoreError>(State {
                known: notes.known.clone(),
                told: open_findings(&*reader, from)?
                    .into_iter()
                    .map(|finding| finding.name)
                    .collect(),
                skew: SignedDuration::ZERO,
                notes,
                open,
                is_bounded: true,
            })
        };
        Ok(spawn_blocking(restore).await??)
    }

    /// Tells what is new among the findings, once each, and makes records of them.
    pub(super) fn told(
        &self,
        state: &mut State,
        judged: &Judged,
        summary: &mut Summary,
    ) -> Vec<Record> {
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
    pub(super) async fn match_all(
        &mut self,
        state: &mut State,
        summary: &mut Summary,
    ) -> Result<(), ReconcileError> {
        let asked = self.ask(state, summary).await?;
        let known = state.known.clone();
        let complete_until = state.notes.complete_until(self.settings.rows_late);
        let operations = self.charged_operations();
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
            (answer, differing, asked, operations)
        };
        let (answer, differing, asked, operations) = spawn_blocking(look).await?;
        self.take_matches(state, &answer, summary).await?;
        let kept = self.end_doubts(state, &answer, &asked, summary).await?;
        let now = self.clock.now();
        let matched = Matched {
            answer: &answer,
            asked: &asked,
            differing: &differing,
            kinds: Kinds {
                operations: &operations,
                known: &answer.known,
            },
            factor: self.settings.factor,
            complete_until,
        };
        let mut judged = judge::left(&mut state.open, matched, now);
        self.correct_late(&mut judged).await?;
        let mut records = self.told(state, &judged, summary);
        let mut undecided: Vec<_> = answer.undecided.iter().map(UndecidedNote::from).collect();
        undecided.extend(kept);
        summary.undecided = undecided.len();
        state.known = answer.known;
        let found_before = now.checked_sub(REMEMBERED).unwrap_or(Timestamp::MIN);
        state.open.forget(found_before);
        records.extend(notes::after_a_run(
            state.open.settled_up_to(),
            &state.known,
            &state.notes.shown,
            &undecided,
        ));
        self.ledger.keep(records).await?;
        Ok(())
    }

    /// The operations whose calls can be charged.
    pub(super) fn charged_operations(&self) -> Vec<OperationName> {
        let (catalogue, _) = (self.settings.in_force)();
        let charged = catalogue
            .operations()
            .filter(|known| known.class.is_charged());
        charged.map(|operation| operation.name.clone()).collect()
    }

    /// Reads our side: new entries, then the calls that are open.
    async fn ask(
        &mut self,
        state: &mut State,
        summary: &mut Summary,
    ) -> Result<Asked, ReconcileError> {
        // Asked first: a call that ends from here on is seen twice, open and ended, but never not at
        // all. Its row would be taken for somebody else's.
        let mut calls = self.ledger.open_calls().await?;
        let open_reader = Arc::clone(&self.settings.open_reader);
        let mut open = std::mem::take(&mut state.open);
        let read = move || {
            let reader = open_reader()?;
            let news = open.read_entries(&*reader)?;
            Ok::<_, StoreError>((open, news))
        };
        let (open, news) = spawn_blocking(read).await??;
        state.open = open;
        self.balance.catch_up(&news.movements);
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
        calls.retain(|call| !news.ended.contains(&call.hold));
        let begins_job = |name: &OperationName| {
            let operation = catalogue.operation(name.as_str());
            operation.is_some_and(|operation| operation.class == Class::Submit)
        };
        Ok(Asked::of(&state.open, calls, &begins_job, state.skew, now))
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
            if let Some(charge) = state.open.charges.remove(&found.hold) {
                state.notes.shown.insert(charge.operation);
            }
            records.push(own(&mut state.open, found));
            summary.matched += 1;
        }
        records.extend(self.told(state, &judged, summary));
        self.ledger.keep(records).await?;
        Ok(())
    }

    /// A charge that came after its hold had been released for want of it is its team's after all.
    async fn correct_late(&self, judged: &mut Judged) -> Result<(), ReconcileError> {
        let late = std::mem::take(&mut judged.late);
        for finding in &mut judged.found {
            let of = finding.transaction.as_ref().filter(|id| late.contains(id));
            let (Some(id), Some(hold)) = (of, finding.hold) else {
                continue;
            };
            let open_reader = Arc::clone(&self.settings.open_reader);
            let ended = spawn_blocking(move || open_reader()?.ending_of(hold)).await??;
            let Some(ended) = ended else { continue };
            let note = Note {
                kind: NoteKind::Transaction,
                text: id.to_string(),
            };
            match self.ledger.correct(ended, finding.drift, note).await {
                Ok(_) | Err(ResolveError::AlreadyCorrected { .. }) => {
                    finding.drift = Credits::ZERO;
                    finding.detail += "; its team is charged by a correction";
                }
                Err(ResolveError::Ledger(error)) => return Err(error.into()),
                Err(error) => tracing::warn!(hold.id = %hold, "a late row is not booked: {error}"),
            }
        }
        Ok(())
    }

    /// Ends the doubts that the account's list decides. One that has ended meanwhile stays as it is.
    /// Gives those that are not ended although there is no row: the list's silence must be worth
    /// something.
    async fn end_doubts(
        &self,
        state: &mut State,
        answer: &Answer,
        asked: &Asked,
        summary: &mut Summary,
    ) -> Result<Vec<UndecidedNote>, ReconcileError> {
        let mut kept = Vec::new();
        for end in &answer.ended {
            if end.matches.is_empty()
                && let Some(why) = asked.no_silence(end.hold, &state.open, &state.notes)
            {
                kept.push(UndecidedNote {
                    hold: end.hold.get(),
                    why: why.to_owned(),
                    candidates: Vec::new(),
                });
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
            if !end.matches.is_empty() && !end.allocated {
                let doubt = asked.doubts.iter().find(|doubt| doubt.hold == end.hold);
                state
                    .notes
                    .shown
                    .extend(doubt.map(|doubt| doubt.operation.clone()));
            }
            let mut records = Vec::new();
            let mut explained = Vec::new();
            for found in &end.matches {
                let names = judge::explained(&state.open, &found.transaction, end.hold);
                explained.extend(names.map(|name| (name, "its call was found")));
                records.push(own(&mut state.open, found));
            }
            let judged = Judged {
                found: judge::allocated(end, self.clock.now())
                    .into_iter()
                    .collect(),
                closed: explained,
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
        Ok(kept)
    }
}

fn own(open: &mut Open, found: &Match) -> Record {
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
