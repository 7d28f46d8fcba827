//! Bulk jobs: accepted at once, finished later, pollable for 24 hours (dossier section 5).

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::account::{Aside, Line, line_of, sum};
use super::mixed;
use super::settings::JobErrorCharge;
use super::truth::Delivery;
use crate::credits::Credits;

/// Which poll path a job answers on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobFamily {
    Leads,
    Companies,
    Emails,
    Phones,
}

/// A job to be.
pub(crate) struct NewJob {
    pub(crate) family: JobFamily,
    /// The row of each item, as JSON.
    pub(crate) rows: Vec<String>,
    /// Whether each item is billed when the job completes.
    pub(crate) billed: Vec<bool>,
    /// Price of one billed item.
    pub(crate) unit: Credits,
    /// Charged on top when the job ends.
    pub(crate) overrun: Credits,
    /// Whether the job is doomed to end in `error`.
    pub(crate) doomed: bool,
    /// In test mode two polls complete a job, whatever the pace (dossier 6.5).
    pub(crate) test: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Pending,
    Processing,
    Completed,
    Error,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Completed => "completed",
            Self::Error => "error",
        }
    }

    fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Processing)
    }
}

struct Job {
    job: NewJob,
    begun_at: Timestamp,
    state: State,
    polls: u32,
    /// Taken when the job is settled; `None` from the start in test mode.
    aside: Option<Aside>,
    settled: bool,
    charge: Credits,
    delivery: Delivery,
}

/// What a poll shows.
#[derive(Clone, Debug)]
pub(crate) struct JobView {
    pub(crate) status: &'static str,
    pub(crate) total: usize,
    pub(crate) processed: usize,
    /// Found items, once completed.
    pub(crate) found: Option<usize>,
    pub(crate) charge: Credits,
    pub(crate) rows: Option<Vec<String>>,
    pub(crate) failed: bool,
    pub(crate) ended: bool,
}

/// A job whose end has not been settled.
pub(crate) struct Ended {
    pub(crate) id: String,
    pub(crate) aside: Option<Aside>,
    pub(crate) lines: Vec<Line>,
    pub(crate) delivery: Delivery,
}

/// All jobs younger than a day.
pub(crate) struct Jobs {
    seed: u64,
    begun: u64,
    jobs: BTreeMap<String, Job>,
}

impl Jobs {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            begun: 0,
            jobs: BTreeMap::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Begins a job under a UUID that the seed and the order decide.
    pub(crate) fn begin(&mut self, aside: Option<Aside>, job: NewJob, now: Timestamp) -> String {
        self.begun += 1;
        let high = mixed(self.seed ^ mixed(self.begun));
        let bits = (u128::from(high) << 64) | u128::from(mixed(high));
        let id = uuid::Builder::from_random_bytes(bits.to_be_bytes())
            .into_uuid()
            .to_string();
        let job = Job {
            job,
            begun_at: now,
            state: State::Pending,
            polls: 0,
            aside,
            settled: false,
            charge: Credits::ZERO,
            delivery: Delivery::default(),
        };
        self.jobs.insert(id.clone(), job);
        id
    }

    /// One poll. The poll numbered `polls` (and in test mode the second) finds the job completed,
    /// earlier ones find it at work.
    pub(crate) fn step(&mut self, id: &str, family: JobFamily, polls: u32) {
        let Some(job) = self.jobs.get_mut(id) else {
            return;
        };
        if job.job.family != family || !job.state.is_open() {
            return;
        }
        job.polls += 1;
        let needed = if job.job.test { 2 } else { polls };
        if job.polls >= needed {
            job.end(false);
        } else {
            job.state = State::Processing;
        }
    }

    pub(crate) fn advance_all(&mut self) {
        for job in self.jobs.values_mut() {
            match job.state {
                State::Pending => job.state = State::Processing,
                State::Processing => job.end(false),
                State::Completed | State::Error => {}
            }
        }
    }

    pub(crate) fn end_all(&mut self, in_error: bool) -> usize {
        let mut ended = 0;
        for job in self.jobs.values_mut().filter(|job| job.state.is_open()) {
            job.end(in_error);
            ended += 1;
        }
        ended
    }

    pub(crate) fn end_older_than(&mut self, span: SignedDuration, now: Timestamp) {
        for job in self.jobs.values_mut() {
            if job.state.is_open() && now.duration_since(job.begun_at) >= span {
                job.end(false);
            }
        }
    }

    pub(crate) fn forget_older_than(&mut self, span: SignedDuration, now: Timestamp) {
        self.jobs
            .retain(|_, job| now.duration_since(job.begun_at) < span);
    }

    /// Every job that has ended and is not settled, with what it is charged.
    pub(crate) fn take_ended(&mut self, on_error: JobErrorCharge) -> Vec<Ended> {
        let mut all = Vec::new();
        for (id, job) in &mut self.jobs {
            if job.settled || job.state.is_open() {
                continue;
            }
            job.settled = true;
            let counted = match (job.state, on_error) {
                (State::Error, JobErrorCharge::Nothing) => 0,
                (State::Error, JobErrorCharge::Half) => job.job.billed.len() / 2,
                _ => job.job.billed.len(),
            };
            let mut lines = vec![Line {
                units: job.found_of(counted) as u64,
                unit: job.job.unit,
            }];
            if job.job.overrun > Credits::ZERO {
                let unit = job.job.unit.checked_times(job.job.billed.len() as u64);
                let rest = unit.unwrap_or(Credits::MAX).saturating_sub(sum(&lines));
                lines.push(line_of(rest.saturating_add(job.job.overrun)));
            }
            all.push(Ended {
                id: id.clone(),
                aside: job.aside.take(),
                lines,
                delivery: job.delivery.clone(),
            });
        }
        all
    }

    /// Writes down what a job was charged.
    pub(crate) fn charged(&mut self, id: &str, charge: Credits) {
        if let Some(job) = self.jobs.get_mut(id) {
            job.charge = charge;
        }
    }

    pub(crate) fn view(&self, id: &str, family: JobFamily) -> Option<(JobView, Delivery)> {
        let job = self.jobs.get(id).filter(|job| job.job.family == family)?;
        let total = job.job.rows.len();
        let completed = job.state == State::Completed;
        let view = JobView {
            status: job.state.name(),
            total,
            processed: match job.state {
                State::Pending => 0,
                State::Processing | State::Error => total / 2,
                State::Completed => total,
            },
            found: completed.then(|| job.found_of(total)),
            charge: job.charge,
            rows: completed.then(|| job.job.rows.clone()),
            failed: job.state == State::Error,
            ended: !job.state.is_open(),
        };
        Some((view, job.delivery.clone()))
    }
}

impl Job {
    fn end(&mut self, in_error: bool) {
        self.state = if in_error || self.job.doomed {
            State::Error
        } else {
            State::Completed
        };
    }

    fn found_of(&self, first: usize) -> usize {
        self.job
            .billed
            .iter()
            .take(first)
            .filter(|billed| **billed)
            .count()
    }
}
