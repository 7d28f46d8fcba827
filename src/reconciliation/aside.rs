//! Charges that no row of the list is near, set aside: all that is known of them is in the ledger, and
//! only which of its entries they are is remembered here.
//!
//! A list that stays empty, or is another account's, leaves every charge without a row for an hour, and
//! open to a late one for a week after that. Set aside, the charges of a thousand entries take some
//! hundred bytes, and are read again only when a row comes near them, or when their time is over. What
//! comes of them is the same: matching is told how many they are, and no row could be theirs.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::matching::Rowless;
use super::open::{OpenCharge, Times};
use crate::ids::OperationName;
use crate::ledger::HoldId;

/// Entries, or holds, of one page.
pub(super) const PAGE: i64 = 1_024;
/// A call that may have a row over a longer time than this stands on a page of its like, so that the
/// others are not read again with it.
const LONG: SignedDuration = SignedDuration::from_hours(1);
const WORD: usize = 64;
const WORDS: usize = 16;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Aside {
    pages: BTreeMap<Place, Page>,
}

/// Where the charges of a page are read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) is_in: IsIn,
    is_long: bool,
    pub(super) number: i64,
}

/// What a charge is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum IsIn {
    /// The entry that settled it.
    Entries,
    /// What was found of its hold before the last start.
    Findings,
}

/// Which of the numbers of a page.
#[derive(Clone, Copy, Debug, Default)]
struct Marks([u64; WORDS]);

/// The charges of a page that are set aside.
#[derive(Debug)]
pub(super) struct Page {
    members: Marks,
    /// Those that were found to have no row.
    found: Marks,
    /// Rows of this time may be theirs.
    from: Timestamp,
    to: Timestamp,
    /// When the first of their calls began, and the last.
    pub(super) began: (Timestamp, Timestamp),
    /// When the time of the first that was not found yet is over.
    due: Option<Timestamp>,
    /// The first hold that was not found yet.
    first_unfound: Option<HoldId>,
    of: Vec<Of>,
}

/// Those of one operation.
#[derive(Debug)]
struct Of {
    operation: OperationName,
    count: u32,
    /// When the first of those that were found began, and the last.
    found: Option<(Timestamp, Timestamp)>,
}

impl Marks {
    fn place(number: i64) -> (usize, u64) {
        let place = usize::try_from(number.rem_euclid(PAGE)).unwrap_or_default();
        (place / WORD, 1 << (place % WORD))
    }

    fn set(&mut self, number: i64) {
        let (word, bit) = Self::place(number);
        self.0[word] |= bit;
    }

    fn has(&self, number: i64) -> bool {
        let (word, bit) = Self::place(number);
        self.0[word] & bit != 0
    }
}

impl Place {
    /// The place of a charge, and its number there.
    fn of(hold: HoldId, charge: &OpenCharge, times: Times) -> (Self, i64) {
        let (is_in, number) = match charge.settled_by {
            Some(seq) => (IsIn::Entries, seq),
            None => (IsIn::Findings, hold.get()),
        };
        let lasts = charge.to(times).duration_since(charge.began_at);
        let place = Self {
            is_in,
            is_long: lasts > LONG,
            number: number.div_euclid(PAGE),
        };
        (place, number)
    }
}

impl Page {
    /// Whether an entry, or a hold, is one of those that are set aside.
    pub(super) fn has(&self, number: i64) -> bool {
        self.members.has(number)
    }

    /// Whether it was found to have no row.
    pub(super) fn is_found(&self, number: i64) -> bool {
        self.found.has(number)
    }

    fn new(charge: &OpenCharge, times: Times) -> Self {
        Self {
            members: Marks::default(),
            found: Marks::default(),
            from: times.from(charge.began_at),
            to: charge.to(times),
            began: (charge.began_at, charge.began_at),
            due: None,
            first_unfound: None,
            of: Vec::new(),
        }
    }

    fn put(&mut self, number: i64, hold: HoldId, charge: &OpenCharge, times: Times) {
        let (began_at, to) = (charge.began_at, charge.to(times));
        self.members.set(number);
        self.from = self.from.min(times.from(began_at));
        self.to = self.to.max(to);
        self.began = widened(Some(self.began), began_at);
        let known = self
            .of
            .iter()
            .position(|of| of.operation == charge.operation);
        let place = known.unwrap_or_else(|| {
            self.of.push(Of {
                operation: charge.operation.clone(),
                count: 0,
                found: None,
            });
            self.of.len() - 1
        });
        let of = &mut self.of[place];
        of.count += 1;
        if charge.is_found {
            self.found.set(number);
            of.found = Some(widened(of.found, began_at));
        } else {
            self.due = Some(self.due.map_or(to, |due| due.min(to)));
            let first = self.first_unfound.map_or(hold, |first| first.min(hold));
            self.first_unfound = Some(first);
        }
    }
}

/// A span with one more moment in it.
fn widened(span: Option<(Timestamp, Timestamp)>, at: Timestamp) -> (Timestamp, Timestamp) {
    span.map_or((at, at), |(first, last)| (first.min(at), last.max(at)))
}

impl Aside {
    /// Sets a charge aside.
    pub(super) fn put(&mut self, hold: HoldId, charge: &OpenCharge, times: Times) {
        let (place, number) = Place::of(hold, charge, times);
        let page = self.pages.entry(place);
        let page = page.or_insert_with(|| Page::new(charge, times));
        page.put(number, hold, charge, times);
    }

    /// Takes a page out, to read its charges again.
    pub(super) fn take(&mut self, place: Place) -> Option<Page> {
        self.pages.remove(&place)
    }

    /// The pages that rows are near. `is_near`: whether one is of this time.
    pub(super) fn near(&self, is_near: impl Fn(Timestamp, Timestamp) -> bool) -> Vec<Place> {
        let near = self
            .pages
            .iter()
            .filter(|(_, page)| is_near(page.from, page.to));
        near.map(|(place, _)| *place).collect()
    }

    /// The pages with charges whose time is over at `until`, and which were not found yet.
    pub(super) fn due(&self, until: Timestamp) -> Vec<Place> {
        let due = (self.pages.iter()).filter(|(_, page)| page.due.is_some_and(|due| due <= until));
        due.map(|(place, _)| *place).collect()
    }

    /// Whether charges of this operation that began in the span were found to have no row.
    pub(super) fn lacks(&self, operation: &OperationName, from: Timestamp, to: Timestamp) -> bool {
        let mut all = self.pages.values().flat_map(|page| &page.of);
        all.any(|of| {
            let is_inside = |(first, last)| first <= to && from <= last;
            of.operation == *operation && of.found.is_some_and(is_inside)
        })
    }

    /// How many there are, for matching.
    pub(super) fn rowless(&self) -> Vec<Rowless> {
        let pages = self.pages.values();
        let all = pages.flat_map(|page| {
            page.of.iter().map(|of| Rowless {
                operation: of.operation.clone(),
                from: page.from,
                to: page.to,
                count: of.count,
            })
        });
        all.collect()
    }

    /// The first hold whose charge has no row and was not found yet.
    pub(super) fn first_unfound(&self) -> Option<HoldId> {
        let pages = self.pages.values();
        pages.filter_map(|page| page.first_unfound).min()
    }

    /// Forgets what was found and is too old to be explained any more.
    pub(super) fn forget(&mut self, found_before: Timestamp) {
        self.pages.retain(|_, page| {
            let waits = page.due.is_some();
            waits || page.began.1 >= found_before
        });
    }

    #[cfg(test)]
    pub(super) fn pages(&self) -> usize {
        self.pages.len()
    }
}
