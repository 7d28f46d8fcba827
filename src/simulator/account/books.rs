//! The books of the pretend account, and what settling a call or a job writes into them.

use jiff::{SignedDuration, Timestamp};

use super::{Aside, Line, sum};
use crate::credits::Credits;
use crate::simulator::jobs::Jobs;
use crate::simulator::settings::{
    JobErrorCharge, JobPace, JobRows, Recording, SimulatorSettings, TransactionGrain,
};
use crate::simulator::transactions::{RowStatus, Rows};
use crate::simulator::truth::{Charged, Delivery};

/// How long a job can be polled (dossier section 5).
const JOB_LIFE: SignedDuration = SignedDuration::from_hours(24);

/// See the module.
pub(super) struct Books {
    pub(super) start: Credits,
    pub(super) balance: Credits,
    pub(super) aside: Credits,
    pub(super) charged: Credits,
    pub(super) elsewhere: Credits,
    pub(super) thin_rows: (i64, u64),
    settled: u64,
    pub(super) charges: Vec<Kept>,
    pub(super) rows: Rows,
    pub(super) jobs: Jobs,
    pub(super) policy: Policy,
}

/// What the books need of the settings.
#[derive(Clone, Copy)]
pub(super) struct Policy {
    pub(super) keep: bool,
    grain: TransactionGrain,
    pub(super) pace: JobPace,
    error_charge: JobErrorCharge,
    pub(super) job_rows: JobRows,
}

impl Policy {
    pub(super) fn of(settings: &SimulatorSettings) -> Self {
        Self {
            keep: settings.recording == Recording::Everything,
            grain: settings.transaction_grain,
            pace: settings.job_pace,
            error_charge: settings.job_error_charge,
            job_rows: settings.job_rows,
        }
    }
}

/// A charge, and what is asked about it beside.
pub(super) struct Kept {
    pub(super) charged: Charged,
    pub(super) usage: &'static str,
    pub(super) delivery: Delivery,
}

impl Books {
    pub(super) fn new(settings: &SimulatorSettings) -> Self {
        Self {
            start: settings.balance,
            balance: settings.balance,
            aside: Credits::ZERO,
            charged: Credits::ZERO,
            elsewhere: Credits::ZERO,
            thin_rows: (0, 0),
            settled: 0,
            charges: Vec::new(),
            rows: Rows::default(),
            jobs: Jobs::new(settings.seed),
            policy: Policy::of(settings),
        }
    }

    /// What time alone brings about: jobs that complete by themselves, jobs that expire.
    pub(super) fn tick(&mut self, now: Timestamp) {
        if self.jobs.is_empty() {
            return;
        }
        if let JobPace::After(span) = self.policy.pace {
            self.jobs.end_older_than(span, now);
        }
        // Accepted work runs to its end even if nobody looked (dossier section 4.2).
        self.jobs.end_older_than(JOB_LIFE, now);
        self.settle_ended_jobs(now);
        self.jobs.forget_older_than(JOB_LIFE, now);
    }

    pub(super) fn settle_ended_jobs(&mut self, now: Timestamp) {
        for ended in self.jobs.take_ended(self.policy.error_charge) {
            let charge = match ended.aside {
                Some(aside) => self.settle(
                    aside,
                    &ended.lines,
                    &ended.delivery,
                    Some(ended.id.clone()),
                    now,
                ),
                None => sum(&ended.lines),
            };
            self.jobs.charged(&ended.id, charge);
        }
    }

    pub(super) fn settle(
        &mut self,
        aside: Aside,
        lines: &[Line],
        delivery: &Delivery,
        job: Option<String>,
        now: Timestamp,
    ) -> Credits {
        let amount = sum(lines);
        self.aside = self.aside.saturating_sub(aside.amount);
        self.balance = self.balance.saturating_sub(amount);
        self.charged = self.charged.saturating_add(amount);
        self.settled += 1;
        if !self.policy.keep {
            return amount;
        }
        self.write_rows(&aside, lines, amount, now);
        let Aside {
            cause,
            amount: set_aside,
            accepted_at,
            ..
        } = aside;
        self.charges.push(Kept {
            charged: Charged {
                sequence: self.settled,
                at: now,
                accepted_at,
                path: cause.path,
                token: cause.token,
                amount,
                set_aside,
                units: lines.iter().map(|line| line.units).sum(),
                request: cause.request,
                marker: cause.marker,
                body_sha256: cause.body_sha256,
                job,
                delivered: false,
            },
            usage: cause.usage,
            delivery: delivery.clone(),
        });
        amount
    }

    /// The pending row becomes `success` with the charge, or `error` when all was given back.
    fn write_rows(&mut self, aside: &Aside, lines: &[Line], amount: Credits, now: Timestamp) {
        let Some(pending) = aside.row else {
            // Nothing had been set aside, yet something was charged (an overrun of a free call).
            if amount > Credits::ZERO {
                self.rows
                    .add(&aside.cause, amount, RowStatus::Success, now, now);
            }
            return;
        };
        if amount == Credits::ZERO {
            self.rows.end(pending, aside.amount, RowStatus::Error, now);
            return;
        }
        if self.policy.grain == TransactionGrain::PerRequest {
            self.rows.end(pending, amount, RowStatus::Success, now);
            return;
        }
        let mut units = lines
            .iter()
            .flat_map(|line| (0..line.units).map(|_| line.unit))
            .filter(|unit| *unit > Credits::ZERO);
        if let Some(first) = units.next() {
            self.rows.end(pending, first, RowStatus::Success, now);
        }
        // A row that is dated with its job's end has all of them dated then.
        let first = self.rows.all().get(pending);
        let dated = first.map_or(aside.accepted_at, |first| first.created_at);
        for unit in units {
            self.rows
                .add(&aside.cause, unit, RowStatus::Success, dated, now);
        }
    }
}
