//! What really happened: every request that arrived, every charge that was made.
//!
//! The oracle of all tests. It is written by the account at the moment money moves, never derived
//! from an answer, so a fault that garbles an answer leaves it intact.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::account::Account;
use super::locked;
use super::slots::{Scope, Slots};
use crate::credits::Credits;

/// One request as it arrived, before anything was decided about it.
#[derive(Clone, Debug)]
pub struct RequestSeen {
    /// Counts requests from 1, in order of arrival.
    pub sequence: u64,
    /// When its body was complete.
    pub at: Timestamp,
    /// As sent.
    pub method: Method,
    /// As sent, without the query.
    pub path: String,
    /// As sent, without the question mark.
    pub query: Option<String>,
    /// Every header, in order.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// SHA-256 of the body, hex.
    pub body_sha256: String,
}

/// One charge: money that left the account for one call or one bulk job.
#[derive(Clone, Debug)]
pub struct Charged {
    /// Counts charges from 1, in order of settlement.
    pub sequence: u64,
    /// When it was settled.
    pub at: Timestamp,
    /// When the call was accepted and money set aside.
    pub accepted_at: Timestamp,
    /// The operation's path, in its documented spelling.
    pub path: &'static str,
    /// The token that paid.
    pub token: Arc<str>,
    /// What left the balance. Zero for a call that was settled without a charge.
    pub amount: Credits,
    /// What had been set aside.
    pub set_aside: Credits,
    /// How many units were billed.
    pub units: u64,
    /// The request that caused it.
    pub request: u64,
    /// The request's `x-simulator-marker` header.
    pub marker: Option<String>,
    /// SHA-256 of the request's body, hex.
    pub body_sha256: String,
    /// The bulk job, if it was one.
    pub job: Option<String>,
    /// Whether the whole answer was handed to the connection. For a job: whether a poll that
    /// showed it ended was.
    pub delivered: bool,
}

/// One row of the account's list, as it stands in the account's own books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowWritten {
    /// Its name in the v1 list.
    pub id: String,
    /// Below zero for what was taken, or is set aside as long as it is pending.
    pub amount: Credits,
    /// `pending`, `success` or `error`.
    pub status: &'static str,
    /// The request that caused it, where one did.
    pub request: Option<u64>,
}

/// A look at what really happened, at any time.
#[derive(Clone)]
pub struct Truth {
    pub(crate) account: Arc<Account>,
    pub(crate) arrivals: Arc<Arrivals>,
    pub(crate) slots: Arc<Slots>,
}

impl Truth {
    /// Every settled call and ended job that had money set aside, in order of settlement, also
    /// those settled at nothing. Empty when only totals are recorded.
    pub fn charges(&self) -> Vec<Charged> {
        self.account.charges()
    }

    /// The charges after the first `known` of [`charges`](Self::charges).
    pub fn charges_after(&self, known: usize) -> Vec<Charged> {
        self.account.charges_after(known)
    }

    /// The sum of all charges since the start.
    pub fn total_charged(&self) -> Credits {
        self.account.total_charged()
    }

    /// Whether start + top-ups − charges − what was spent elsewhere is the balance, to the micro.
    pub fn adds_up(&self) -> bool {
        self.account.adds_up()
    }

    /// The sum of charges by operation path. Empty when only totals are recorded.
    pub fn charged_by_path(&self) -> BTreeMap<&'static str, Credits> {
        let mut sums = BTreeMap::new();
        for charged in self.account.charges() {
            let sum = sums.entry(charged.path).or_insert(Credits::ZERO);
            *sum = sum.saturating_add(charged.amount);
        }
        sums
    }

    /// Every request, in order of arrival. Empty when only totals are recorded.
    pub fn requests(&self) -> Vec<RequestSeen> {
        locked(&self.arrivals.seen).clone()
    }

    /// Every row of the account's list, in order of writing, but for those that are written at an end
    /// that has not come.
    pub fn rows(&self) -> Vec<RowWritten> {
        let rows = self.account.rows_written().into_iter();
        let seen = rows.filter(|row| !row.hidden);
        seen.map(|row| RowWritten {
            id: row.id(),
            amount: row.amount,
            status: row.status.name(),
            request: row.request,
        })
        .collect()
    }

    /// The label (`X-Request-ID`) of the request with this number, if it is kept and had one.
    pub fn label_of(&self, request: u64) -> Option<String> {
        let place = usize::try_from(request.checked_sub(1)?).ok()?;
        let seen = locked(&self.arrivals.seen);
        let label = seen.get(place)?.headers.get("x-request-id")?;
        label.to_str().ok().map(str::to_owned)
    }

    /// How many requests arrived.
    pub fn request_count(&self) -> u64 {
        self.arrivals.requests.load(Ordering::SeqCst)
    }

    /// How many connections were accepted.
    pub fn connection_count(&self) -> u64 {
        self.arrivals.connections.load(Ordering::SeqCst)
    }

    /// The most calls that were ever in flight at once under one of the documented caps.
    pub fn in_flight_max(&self, scope: Scope) -> u64 {
        self.slots.peak(scope)
    }
}

/// The counters and the list behind [`Truth::requests`].
#[derive(Default)]
pub(crate) struct Arrivals {
    requests: AtomicU64,
    connections: AtomicU64,
    seen: std::sync::Mutex<Vec<RequestSeen>>,
}

impl Arrivals {
    pub(crate) fn connection(&self) {
        self.connections.fetch_add(1, Ordering::SeqCst);
    }

    /// Counts one request and answers its number.
    pub(crate) fn request(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn keep(&self, seen: RequestSeen) {
        locked(&self.seen).push(seen);
    }
}

/// Set once the whole answer has been handed to the connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delivery(Arc<AtomicBool>);

impl Delivery {
    pub(crate) fn done(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_done(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// SHA-256 in hex.
pub(crate) fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
