//! The rules, pure: (state, request, now) → entry or refusal.
//!
//! Every decision makes an [`Entry`], and `apply.rs` is the one place where entries become state: it
//! takes each as it was written ([`Book::apply`]), and a new hold as what its entry was made of. So it
//! does not matter how decisions were batched, and a book that is restored from a store cannot differ
//! from the one that wrote it.

mod account_limit;
mod apply;
mod callers;
mod decide;
mod open_calls;
mod repeats;
mod restore;
mod tally;
mod weigh;

use std::sync::Arc;

use ahash::AHashMap;
use jiff::{SignedDuration, Timestamp};

use crate::credits::Credits;
use crate::ids::JobId;

use super::budget::{BudgetStatus, Mode};
use super::entry::{Ending, Entry, EntryKind, Fingerprint, HoldId, Note, is_charge};
use super::hold::Made;
use super::levels::Level;
use super::request::{HoldError, HoldRequest, Reading, Settings, Tightest};

use account_limit::{AccountLimit, HeldState};
use callers::Callers;
use repeats::Repeats;
use tally::{Amounts, Tally, credits};
use weigh::asked;

pub(super) use restore::budget_statuses;

/// How long a job stays known after its call began: an hour more than the 25 that are promised.
const JOB_KNOWN: SignedDuration = SignedDuration::from_hours(26);

/// All that is needed to decide.
#[derive(Debug)]
pub(super) struct Book {
    /// The time of decision, which never goes back.
    now: Timestamp,
    /// What the clock said last. How old a reading of the account is goes by it alone: while `now`
    /// stands still, because the clock was set back, a fresh reading is still a fresh one.
    clock: Timestamp,
    tallies: Vec<Tally>,
    callers: Callers,
    open: AHashMap<HoldId, HeldCall>,
    jobs: AHashMap<JobId, KnownJob>,
    account: AccountLimit,
    repeats: Repeats,
}

/// A hold that has not ended.
#[derive(Clone, Debug)]
struct HeldCall {
    /// Its place in `callers`.
    caller: u32,
    quote: Credits,
    began_at: Timestamp,
    fingerprint: Option<Fingerprint>,
    job: Option<JobId>,
    bound_at: Option<Timestamp>,
    doubted_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
struct KnownJob {
    hold: HoldId,
    began_at: Timestamp,
    caller: u32,
}

impl HeldCall {
    fn state(&self, callers: &Callers) -> HeldState {
        let unknown_job = self.doubted_at.is_some() && callers.begins_jobs(self.caller);
        HeldState {
            bound_at: self.bound_at,
            is_job: self.job.is_some() || unknown_job,
            doubted_at: self.doubted_at,
        }
    }

    fn micros(&self) -> i128 {
        i128::from(self.quote.micros())
    }

    /// What it holds, `sign` times.
    fn held(&self, sign: i128) -> Amounts {
        let held = self.micros() * sign;
        Amounts {
            held,
            in_doubt: if self.doubted_at.is_some() { held } else { 0 },
            ..Amounts::default()
        }
    }
}

/// An ending that was decided, and what it means beyond its entry.
#[derive(Clone, Debug)]
pub(super) struct Decided {
    pub(super) entry: Entry,
    /// What was held for it.
    pub(super) quote: Credits,
    /// The job it was bound to.
    pub(super) job: Option<JobId>,
}

/// A decision about a hold that is not there to decide about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotOpen;

impl Book {
    pub(super) fn new(settings: &Settings, now: Timestamp) -> Self {
        let mut callers = Callers::new(settings.job_operations.clone());
        callers.set_budgets(&settings.budgets);
        Self {
            now,
            clock: now,
            tallies: settings
                .budgets
                .iter()
                .map(|budget| Tally::new(budget.clone(), now))
                .collect(),
            callers,
            open: AHashMap::new(),
            jobs: AHashMap::new(),
            account: AccountLimit::new(settings.account.clone()),
            repeats: Repeats::new(settings.repeat_window),
        }
    }

    /// Moves the time of decision to `now`. It never goes back: a clock that jumps does not open a
    /// window again, and entries stay in the order of their times.
    pub(super) fn advance(&mut self, now: Timestamp) {
        self.clock = now;
        self.now = self.now.max(now);
        self.account.forget_old(now);
    }

    /// The time of decision.
    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// What the clock said last.
    pub(super) fn clock(&self) -> Timestamp {
        self.clock
    }

    /// The latest reading of the account.
    pub(super) fn observe(&mut self, reading: Reading) {
        self.account.observe(reading, self.clock);
    }

    /// How many holds have not ended.
    pub(super) fn open_count(&self) -> usize {
        self.open.len()
    }

    /// Decides about a hold, and takes it into the books as entry `seq`.
    pub(super) fn hold(
        &mut self,
        request: HoldRequest,
        seq: i64,
    ) -> Result<(Entry, Made), HoldError> {
        let now = self.now;
        self.check_repeat(&request)?;
        let origin = request.origin();
        let caller = self.callers.find(&origin);
        let weighed = self.weigh(&request, caller);
        if !weighed.short.is_empty() {
            return Err(HoldError::Short(weighed.short.into()));
        }
        let quote = asked(&request);
        let id = HoldId::new(seq);
        let call = HeldCall {
            caller,
            quote,
            began_at: now,
            fingerprint: request.fingerprint,
            job: None,
            bound_at: None,
            doubted_at: None,
        };
        let entry = Entry {
            seq,
            kind: EntryKind::Held,
            hold: id,
            began_at: now,
            recorded_at: now,
            team: origin.team,
            key: origin.key,
            operation: origin.operation,
            amount: quote,
            job: None,
            budget: None,
            fingerprint: request.fingerprint,
            evidence: None,
        };
        self.begin(id, call);
        let made = Made {
            id,
            quote,
            began_at: now,
            tightest: self.tightest(caller),
            shadow: (!weighed.shadow.is_empty()).then(|| weighed.shadow.into()),
        };
        Ok((entry, made))
    }

    /// Whether any budget that refuses covers a call.
    pub(super) fn covers(&mut self, request: &HoldRequest) -> bool {
        let caller = self.callers.find(&request.origin());
        let mut covering = self.callers.budgets(caller).iter();
        covering.any(|&budget| self.tallies[budget as usize].budget.mode == Mode::Enforce)
    }

    fn tightest(&self, caller: u32) -> Option<Tightest> {
        let covering = self.callers.budgets(caller).iter();
        let tally = covering
            .map(|&budget| &self.tallies[budget as usize])
            .filter(|tally| tally.budget.mode == Mode::Enforce)
            .min_by_key(|tally| tally.headroom())?;
        Some(Tightest {
            budget: tally.budget.id.clone(),
            remaining: credits(tally.headroom()),
        })
    }

    /// Decides what an ending records, and takes it into the books as entry `seq`. `None`: nothing,
    /// because the hold has ended, or is in doubt already and stays so.
    pub(super) fn end(&mut self, hold: HoldId, ending: Ending, seq: i64) -> Option<Decided> {
        let call = self.open.get(&hold)?;
        let (kind, amount, note) = match ending {
            Ending::Settled { charge, evidence } if is_charge(charge) => {
                (EntryKind::Settled, charge, evidence.into())
            }
            Ending::Settled { charge, .. } => (
                EntryKind::Doubted,
                call.quote,
                Note::reason(format!("{charge} is no charge the ledger can record")),
            ),
            Ending::Released { why } => (EntryKind::Released, call.quote, Note::reason(why)),
            Ending::Doubted { why } => (EntryKind::Doubted, call.quote, Note::reason(why)),
        };
        if kind == EntryKind::Doubted && call.doubted_at.is_some() {
            return None;
        }
        self.decide(hold, kind, amount, note, seq)
    }

    fn decide(
        &mut self,
        hold: HoldId,
        kind: EntryKind,
        amount: Credits,
        note: Note,
        seq: i64,
    ) -> Option<Decided> {
        let call = self.open.get(&hold)?;
        let decided = Decided {
            entry: self.entry_about(hold, call, kind, amount, note, seq),
            quote: call.quote,
            job: call.job.clone(),
        };
        self.apply(&decided.entry);
        Some(decided)
    }

    /// Decides about a job that wants to be bound to a hold, and takes it into the books.
    pub(super) fn bind(&mut self, hold: HoldId, job: JobId, seq: i64) -> Result<Entry, NotOpen> {
        let call = self.open.get(&hold).ok_or(NotOpen)?;
        let note = Note::reason("the upstream took it as a job");
        let mut entry = self.entry_about(hold, call, EntryKind::Bound, call.quote, note, seq);
        entry.job = Some(job);
        self.apply(&entry);
        Ok(entry)
    }

    /// The hold a job belongs to, as long as the job is known.
    pub(super) fn job_holder(&self, job: &JobId) -> Option<HoldId> {
        self.jobs.get(job).map(|known| known.hold)
    }

    fn entry_about(
        &self,
        hold: HoldId,
        call: &HeldCall,
        kind: EntryKind,
        amount: Credits,
        note: Note,
        seq: i64,
    ) -> Entry {
        let origin = self.callers.origin(call.caller);
        Entry {
            seq,
            kind,
            hold,
            began_at: call.began_at,
            recorded_at: self.now,
            team: origin.team.clone(),
            key: origin.key.clone(),
            operation: origin.operation.clone(),
            amount,
            job: None,
            budget: None,
            fingerprint: None,
            evidence: Some(note),
        }
    }

    /// Forgets jobs that ended and began long ago; says which.
    pub(super) fn forget_old_jobs(&mut self) -> Vec<JobId> {
        let oldest = self.jobs_known_from();
        let open = &self.open;
        let old = self
            .jobs
            .extract_if(|_, job| job.began_at < oldest && !open.contains_key(&job.hold));
        old.map(|(job, _)| job).collect()
    }

    /// Calls that began earlier no longer have a known job, unless it is open.
    pub(super) fn jobs_known_from(&self) -> Timestamp {
        self.now.checked_sub(JOB_KNOWN).unwrap_or(Timestamp::MIN)
    }

    /// What others see of the budgets that refuse.
    pub(super) fn levels(&self) -> Vec<Arc<Level>> {
        let tallies = self.tallies.iter();
        let enforced = tallies.filter(|tally| tally.budget.mode == Mode::Enforce);
        enforced.map(|tally| Arc::clone(&tally.level)).collect()
    }

    /// How all budgets stand, in the order they were configured.
    pub(super) fn statuses(&mut self) -> Vec<BudgetStatus> {
        let now = self.now;
        let status = |tally: &mut Tally| {
            tally.advance(now);
            tally.status(now)
        };
        self.tallies.iter_mut().map(status).collect()
    }
}
