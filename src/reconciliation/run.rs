//! One run: read the account's list, look at our new entries, match, end doubts, keep what was found.
//!
//! The order matters. The list is read first and the books after it: a call is in the books before
//! it leaves, so whatever made a row that was read is there to explain it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::task::spawn_blocking;

use super::allocated::AllocatedKept;
use super::balance_kind::BalanceKind;
use super::entries::Sought;
use super::judge::{self, Matched};
use super::keeping::{AT_HAND_MAX, Judged};
use super::kinds::Kinds;
use super::list::AHEAD;
use super::matching::{self, Answer, Question};
use super::notes::{Notes, UndecidedNote};
use super::open::{Open, REMEMBERED, Times};
use super::prices::Expected;
use super::question::Asked;
use super::restore::Beginning;
use super::running;
use super::state::State;
use super::summary::Summary;
use super::telemetry;
use super::twins::Twins;
use crate::account::{AccountClient, AccountError, PullSettings, Reading, Seen};
use crate::catalogue::{Catalogue, Class, Prices};
use crate::clock::Clock;
use crate::credits::Credits;
use crate::ids::OperationName;
use crate::ledger::{BalanceIs, Finding, Ledger, LedgerError, OpenReader, StoreError};
use crate::transaction::TransactionSource;

/// How far back a run reads the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Some minutes, unless the whole overlap is due.
    Quick,
    /// The whole overlap.
    Full,
}

/// Tells the catalogue and the prices in force.
pub type InForce = Arc<dyn Fn() -> (Arc<Catalogue>, Arc<Prices>) + Send + Sync>;

/// How many charges without a row a guard keeps in memory: some megabytes of them.
pub const CHARGES_KEPT: usize = 20_000;

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
    /// How many charges without a row are kept in memory although no row is near them; the others are
    /// read again from the ledger when one comes near.
    pub charges_kept: usize,
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
        // What a run before this asked to have kept may still be on its way, if nobody waited for its end.
        self.ledger.keep_together(Vec::new()).await?;
        let (settings, now, made_at) = (self.settings.clone(), self.clock.now(), self.made_at);
        let restore = move || {
            let reader = settings.open_reader.open()?;
            let mut notes = Notes::read(&*reader, made_at, settings.tolerance, settings.source)?;
            notes.read_from_now_on(settings.source, settings.rows_late, now);
            let remembered = now.checked_sub(REMEMBERED).unwrap_or(Timestamp::MIN);
            let beginning = Beginning {
                seq: notes.seq,
                priced: notes.priced,
                // By their clock, which may be behind ours.
                from: remembered.max(notes.start.checked_sub(AHEAD).unwrap_or(notes.start)),
                times: Times {
                    tolerance: settings.tolerance,
                    call_lasts: settings.call_lasts,
                },
                submits: settings.submits(),
                kept_max: settings.charges_kept,
            };
            let (open, told) = Open::restore(&*reader, beginning)?;
            let twins = Twins::restore(&*reader, &notes, &open, now)?;
            Ok::<_, StoreError>(State {
                told,
                allocated: AllocatedKept::new(),
                skew: SignedDuration::ZERO,
                notes,
                open,
                twins,
                is_bounded: true,
            })
        };
        Ok(spawn_blocking(restore).await??)
    }

    /// Everything that is open on both sides, held against each other.
    pub(super) async fn match_all(
        &mut self,
        state: &mut State,
        summary: &mut Summary,
    ) -> Result<(), ReconcileError> {
        let asked = self.ask(state, summary).await?;
        let known = state.notes.known.clone();
        let complete_until = state.notes.complete_until(self.settings.rows_late);
        let operations = self.charged_operations();
        let allocated = if asked.doubts.is_empty() {
            Vec::new()
        } else {
            self.allocated(state).await?
        };
        let look = move || {
            let question = Question {
                charges: &asked.charges,
                rowless: &asked.rowless,
                doubts: &asked.doubts,
                live: &asked.live,
                operations: &operations,
                allocated: &allocated,
                rows: &asked.rows,
                complete_until: complete_until.unwrap_or(Timestamp::MIN),
            };
            let answer = matching::answer(question, &known);
            let differing = matching::pair_differing(question, &answer);
            (answer, differing, asked, operations)
        };
        let (mut answer, differing, asked, operations) = spawn_blocking(look).await?;
        running::end_jobs(&mut answer, &asked, &differing, &operations);
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
        let left = judge::left(&mut state.open, matched, now);
        self.keep_left(state, left, &asked, summary).await?;
        if let Some(until) = complete_until {
            self.judge_aside(state, until, summary).await?;
        }
        let mut undecided: Vec<_> = answer.undecided.iter().map(UndecidedNote::from).collect();
        undecided.extend(kept);
        summary.undecided = undecided.len();
        state.forget(now, asked.doubts.iter().map(|doubt| doubt.from).min());
        state.open.set_aside_at_last(state.skew);
        let looked_at = (state.open.settled_up_to(), state.open.priced);
        let notes = state.notes.after_a_run(looked_at, undecided);
        self.ledger.keep_together(notes).await?;
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
        let open_reader = self.settings.open_reader.clone();
        let (catalogue, prices) = (self.settings.in_force)();
        let in_force = std::iter::once(Arc::clone(&prices)).chain(self.prices_before.clone());
        let skew = state.skew;
        let mut open = std::mem::take(&mut state.open);
        open.submits = self.settings.submits();
        let sought = Sought {
            rows: open.row_times(skew),
            calls: calls.iter().map(|call| call.hold).collect(),
            expected: Expected {
                catalogue,
                in_force: in_force.collect(),
                now: self.clock.now(),
            },
        };
        let read = move || {
            let reader = open_reader.open()?;
            let news = open.read_entries(&*reader, &sought)?;
            open.read_aside(&*reader, &sought.rows, skew)?;
            Ok::<_, StoreError>((open, news))
        };
        let (open, news) = spawn_blocking(read).await??;
        state.open = open;
        self.balance.catch_up(news.movements);
        self.keep(state, news.left_out, summary).await?;
        self.keep_unexpected(state, news.unexpected, summary)
            .await?;
        self.prices_before = Some(prices);
        calls.retain(|call| !news.ended.contains(&call.hold));
        Ok(Asked::of(&state.open, calls, state.skew, self.clock.now()))
    }

    /// Keeps what was found of the charges that the prices in force cannot make.
    async fn keep_unexpected(
        &self,
        state: &mut State,
        unexpected: BTreeMap<Arc<str>, Finding>,
        summary: &mut Summary,
    ) -> Result<(), ReconcileError> {
        let operations = unexpected.len();
        let judged = unexpected.into_values().map(Judged::found).collect();
        self.keep(state, judged, summary).await?;
        if operations > 0 {
            telemetry::prices_departed(operations);
            (self.settings.prices_departed)();
        }
        Ok(())
    }

    async fn take_matches(
        &self,
        state: &mut State,
        answer: &Answer,
        summary: &mut Summary,
    ) -> Result<(), ReconcileError> {
        // What was learned first: from rows that have their calls nothing is learned again. And a charge
        // of several rows has all of them or none.
        let mut judged = vec![Judged {
            records: state.notes.learned(&answer.known),
            ..Judged::default()
        }];
        for found in answer.matches.chunk_by(|one, other| one.hold == other.hold) {
            let agree = found
                .iter()
                .filter_map(|found| judge::agrees(&mut state.open, &found.transaction));
            let agree: Vec<_> = agree.collect();
            let charge = found
                .first()
                .and_then(|found| state.open.charges.get(&found.hold));
            let shown = charge.and_then(|charge| state.notes.show(&charge.operation));
            let rows = found.iter().cloned();
            let mut tied = state.open.tie(rows, "its other half was found");
            tied.records.extend(shown);
            let agree = agree.into_iter().map(|name| (name, "its rows agree again"));
            tied.closed.extend(agree);
            judged.push(tied);
            summary.matched += found.len();
            if judged.len() == AT_HAND_MAX {
                let some = std::mem::take(&mut judged);
                self.keep(state, some, summary).await?;
            }
        }
        self.keep(state, judged, summary).await
    }
}

impl ReconcilerSettings {
    /// The operations whose calls begin jobs.
    fn submits(&self) -> BTreeSet<OperationName> {
        let (catalogue, _) = (self.in_force)();
        let all = catalogue.operations();
        let submits = all.filter(|operation| operation.class == Class::Submit);
        submits.map(|operation| operation.name.clone()).collect()
    }
}
