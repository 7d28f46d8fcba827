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
            // Nearly always one; a page has no room for more than there are.
            self.of.reserve_exact(1);
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

    /// Whether what was found of a hold before the last start is here.
    pub(super) fn has_found(&self, hold: HoldId) -> bool {
        let number = hold.get();
        let pages = [false, true].map(|is_long| Place {
            is_in: IsIn::Findings,
            is_long,
            number: number.div_euclid(PAGE),
        });
        let mut pages = pages.iter().filter_map(|place| self.pages.get(place));
        pages.any(|page| page.has(number))
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credits::Credits;

    const TIMES: Times = Times {
        tolerance: SignedDuration::from_secs(2),
        call_lasts: SignedDuration::from_mins(5),
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    /// The charge of a call that began at a second and was answered a second later.
    fn charge(second: i64, seq: i64, is_found: bool) -> OpenCharge {
        OpenCharge {
            team: "growth".into(),
            key: None,
            operation: "search_database_leads".into(),
            amount: Credits::from_micros(20_000),
            began_at: at(second),
            ended_at: at(second + 1),
            settled_by: Some(seq),
            is_answered: true,
            by_operator: false,
            is_job: false,
            is_found,
        }
    }

    /// Two entries a call, a call a second; every other one was found to have no row.
    fn calls(count: i64) -> Aside {
        let mut aside = Aside::default();
        for call in 0..count {
            let charge = charge(call, 2 * call + 2, call % 2 == 0);
            aside.put(HoldId::new(2 * call + 1), &charge, TIMES);
        }
        aside
    }

    #[test]
    fn what_is_set_aside_takes_two_bytes_a_charge_at_most() {
        let aside = calls(100_000);
        let pages = aside.pages.len();
        assert_eq!(pages, 200_000 / 1_024 + 1);
        let of: usize = aside.pages.values().map(|page| page.of.capacity()).sum();
        let bytes = pages * (size_of::<Place>() + size_of::<Page>()) + of * size_of::<Of>();
        // The map it is in is half full at worst.
        assert!(2 * bytes < 200_000, "{bytes}");
        let all: u32 = aside.rowless().iter().map(|rowless| rowless.count).sum();
        assert_eq!(all, 100_000);
    }

    #[test]
    fn a_page_is_read_again_when_a_row_is_near_or_its_time_is_over() {
        let mut aside = calls(10_000);
        let near = |row: i64| {
            aside
                .near(|from, to| from <= at(row) && at(row) <= to)
                .len()
        };
        assert_eq!((near(-2), near(700), near(10_002)), (1, 1, 1));
        assert_eq!((near(-3), near(10_003)), (0, 0));
        assert_eq!(aside.due(at(3)), [], "the first was found already");
        assert_eq!(aside.due(at(4)).len(), 1);
        assert_eq!(aside.due(at(20_000)).len(), 20);
        assert_eq!(aside.first_unfound(), Some(HoldId::new(3)));
        let search = OperationName::from("search_database_leads");
        assert!(aside.lacks(&search, at(9_998), at(20_000)));
        assert!(!aside.lacks(&search, at(9_999), at(20_000)));
        assert!(!aside.lacks(&"another".into(), at(0), at(20_000)));
        let page = aside.take(aside.due(at(4))[0]).unwrap();
        assert!(page.has(2) && page.is_found(2) && page.has(4) && !page.is_found(4));
        assert!(!page.has(1) && !page.has(1_024));
        aside.forget(at(20_000));
        assert_eq!(aside.pages.len(), 19, "some may still have rows");
    }
}
