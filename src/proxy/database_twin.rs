//! Database instead of realtime, for a team that wants it when a budget is nearly used up.
//!
//! A realtime search, count or enrichment whose every field is read by its twin on stored data is sent
//! as that twin: same body, other path; quoted, held and settled as what it is sent as. The client is
//! told (`guard-sent-as`), and what the call did not take is added up
//! ([`savings`](super::savings)).

use std::sync::Arc;

use ahash::RandomState;
use bytes::Bytes;
use dashmap::DashMap;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use super::exchange::Exchange;
use super::policy::Policy;
use super::savings::Savings;
use crate::catalogue::{self, Operation, Quote};
use crate::credits::Credits;
use crate::identity::Client;
use crate::ids::{JobId, OperationName, TeamId};
use crate::ledger::{Ledger, Origin, SavedBy};

/// What the call was sent as, where that is not what was asked for.
const GUARD_SENT_AS: HeaderName = HeaderName::from_static("guard-sent-as");
/// At so many jobs it is looked which of them have ended in another way; those beyond save unseen.
const JOBS_MAX: usize = 10_000;

/// A call that is sent as the twin of what it asks for.
#[derive(Debug)]
pub struct Instead {
    /// What it is sent as.
    pub operation: Arc<Operation>,
    /// The most that can take.
    pub quote: Quote,
    /// Where it is sent.
    pub uri: Uri,
    /// What it would have been.
    pub asked: Asked,
}

/// What a call that was sent as a twin asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The operation.
    pub operation: OperationName,
    /// The most it could have taken.
    quote: Credits,
    /// The most it can take as it is sent.
    quote_as_sent: Credits,
}

impl Asked {
    /// What the call would have taken beyond `charge`: its charge in the proportion of the two
    /// quotes, since both count the same rows. A call that takes nothing as it is sent is worth its
    /// whole quote.
    fn saved(&self, charge: Credits) -> Credits {
        let (asked, sent) = (self.quote.micros(), self.quote_as_sent.micros());
        if sent <= 0 {
            return self.quote;
        }
        let there = i128::from(charge.micros()) * i128::from(asked) / i128::from(sent);
        let there = Credits::from_micros(i64::try_from(there).unwrap_or(i64::MAX));
        there.saturating_sub(charge).max(Credits::ZERO)
    }
}

/// What to send in the place of a call for `operation`, if its team wants that now, its key may, and
/// the twin would read all of `body`. `asked` is the quote of the call as it came.
pub(super) fn instead(
    client: &Client,
    policy: &Policy,
    ledger: &Ledger,
    operation: &Operation,
    body: &Bytes,
    asked: &Quote,
) -> Option<Instead> {
    let twin = operation.twin.as_ref()?;
    let percent = policy.database_beyond(&client.team.id)?;
    let found = policy.catalogue.twin_of(operation)?;
    let origin = Origin {
        team: client.team.id.clone(),
        key: client.key.clone(),
        operation: operation.name.clone(),
    };
    let wanted = client.may_use(&found.name) && ledger.is_used_beyond(percent, &origin);
    if !wanted || !twin.reads_all(body) {
        return None;
    }
    let unbounded = policy.unbounded(&client.team.id);
    let quote = catalogue::quote(found, &policy.prices, body, unbounded).ok()?;
    let uri = found.path.parse().ok()?;
    (quote.amount < asked.amount).then(|| Instead {
        operation: Arc::clone(found),
        uri,
        asked: Asked {
            operation: operation.name.clone(),
            quote: asked.amount,
            quote_as_sent: quote.amount,
        },
        quote,
    })
}

/// Tells the client what its call was sent as.
pub(super) fn tell(headers: &mut HeaderMap, exchange: &Exchange) {
    let facts = exchange.facts();
    if let (Some(_), Some(operation)) = (&facts.asked, &facts.operation)
        && let Ok(name) = HeaderValue::from_str(operation.as_str())
    {
        headers.insert(GUARD_SENT_AS, name);
    }
}

/// Adds up what calls that were sent as twins did not take.
#[derive(Debug)]
pub struct TwinSavings {
    savings: Savings,
    /// Jobs that were begun as twins. Forgotten with the process: this is information, no money.
    jobs: DashMap<JobId, Asked, RandomState>,
}

impl TwinSavings {
    /// Adds to `savings`.
    pub fn new(savings: Savings) -> Self {
        Self {
            savings,
            jobs: DashMap::default(),
        }
    }

    /// An exchange was charged this.
    pub fn settled(&self, exchange: &Exchange, charge: Credits) {
        let (asked, team) = {
            let facts = exchange.facts();
            let team = facts.client.as_ref().map(|client| client.team.id.clone());
            (facts.asked.clone(), team)
        };
        if let (Some(asked), Some(team)) = (asked, team) {
            self.add(&team, &asked, charge);
        }
    }

    /// An exchange has begun this job.
    pub fn begun(&self, exchange: &Exchange, job: &JobId, ledger: &Ledger) {
        let Some(asked) = exchange.facts().asked.clone() else {
            return;
        };
        if self.jobs.len() >= JOBS_MAX {
            self.jobs
                .retain(|job, _| ledger.job(job).is_some_and(|job| job.open));
        }
        if self.jobs.len() < JOBS_MAX {
            self.jobs.insert(job.clone(), asked);
        }
    }

    /// A job of `team` has ended; `charge` is what it took, if that is known.
    pub fn job_ended(&self, team: &TeamId, job: &JobId, charge: Option<Credits>) {
        if let (Some((_, asked)), Some(charge)) = (self.jobs.remove(job), charge) {
            self.add(team, &asked, charge);
        }
    }

    fn add(&self, team: &TeamId, asked: &Asked, charge: Credits) {
        let saved = asked.saved(charge);
        self.savings
            .add(team, &asked.operation, SavedBy::Database, saved);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_goes_by_what_was_found_not_by_what_was_asked_for() {
        let micros = Credits::from_micros;
        let asked = |quote, quote_as_sent| Asked {
            operation: "search_realtime_leads".into(),
            quote: micros(quote),
            quote_as_sent: micros(quote_as_sent),
        };
        let saved = |asked: Asked, charge| asked.saved(micros(charge)).micros();
        assert_eq!(saved(asked(400_000, 200_000), 60_000), 60_000);
        assert_eq!(saved(asked(400_000, 200_000), 0), 0, "nothing found");
        assert_eq!(saved(asked(40_000, 0), 0), 40_000, "a count");
        assert_eq!(saved(asked(400_000, 200_000), 300_000), 300_000);
        let huge = asked(i64::MAX, 1);
        assert_eq!(saved(huge, i64::MAX), 0, "no sum passes the ends");
    }
}
