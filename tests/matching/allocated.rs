//! Doubts that were ended by nearness, and those that are decided after it.

use std::collections::BTreeSet;

use generect_guard::ledger::{HoldId, MatchedBy};
use generect_guard::reconciliation::matching::{Allocated, Answer, DoubtEnd};

use crate::support::{Asked, ENRICH, SEARCH, decided, hold, row};

/// The hold that makes it uncertain how another ended.
fn perhaps(found: &Answer, number: u64) -> Option<i64> {
    let end = found.ended.iter().find(|end| end.hold == hold(number))?;
    assert!(!end.allocated);
    end.perhaps.map(HoldId::get)
}

impl Asked {
    /// What is asked after an answer is kept: what it said is gone, and what it ended without certainty is known.
    pub fn after(&self, found: &Answer) -> Self {
        let of_doubts = found.ended.iter().flat_map(|end| &end.matches);
        let said = || found.matches.iter().chain(of_doubts.clone());
        let ended = found.ended.iter().map(|end| end.hold);
        let gone: BTreeSet<HoldId> = said().map(|one| one.hold).chain(ended).collect();
        let mut next = self.clone().knowing(found.known.clone());
        next.charges.retain(|charge| !gone.contains(&charge.hold));
        next.doubts.retain(|doubt| !gone.contains(&doubt.hold));
        next.rows
            .retain(|row| said().all(|one| one.transaction != row.id));
        let is_uncertain = |end: &&_| is_uncertain(end);
        for end in found.ended.iter().filter(is_uncertain) {
            let doubt = self.doubts.iter().find(|doubt| doubt.hold == end.hold);
            let doubt = doubt.unwrap();
            let its = |id: &_| end.matches.iter().any(|one| one.transaction == *id);
            next.allocated.push(Allocated {
                hold: end.hold,
                operation: doubt.operation.clone(),
                most: doubt.most,
                from: doubt.from,
                to: doubt.to,
                rows: (self.rows.iter().filter(|row| its(&row.id)))
                    .cloned()
                    .collect(),
            });
        }
        next
    }
}

/// Whether the end of a doubt says that it may be another.
pub fn is_uncertain(end: &DoubtEnd) -> bool {
    end.allocated || end.perhaps.is_some()
}

#[test]
fn a_release_is_not_certain_where_the_row_may_be_its_own_that_was_given_to_the_nearest() {
    let asked = Asked::default().doubt(1, 1, 10, (0, 60));
    let ask = |kind, amount, at| {
        let given = row("a", kind, amount, at);
        let asked = asked.clone().allocated(9, 20, (0, 100), &[given]);
        let found = asked.answer();
        assert_eq!(decided(&found, 1), Some(0));
        perhaps(&found, 1)
    };
    for (kind, amount, at) in [(SEARCH, 10, 0), (SEARCH, 4, 60), ("a word", 1, 30)] {
        assert_eq!(ask(kind, amount, at), Some(9), "{amount} at {at}");
    }
    for (kind, amount, at) in [(SEARCH, 11, 30), (SEARCH, 4, 61), (ENRICH, 4, 30)] {
        assert_eq!(ask(kind, amount, at), None, "{amount} at {at}");
    }
}

/// Each charge may have had the row of the next one, and the last the row that was given: then the first row is
/// the doubt's.
#[test]
fn a_release_is_not_certain_where_exchanges_lead_from_its_row_to_the_one_that_was_given() {
    let asked = Asked::default()
        .doubt(1, 1, 10, (0, 10))
        .charge(2, SEARCH, 4, (0, 30))
        .charge(3, SEARCH, 4, (20, 50))
        .row("a", SEARCH, 4, 5)
        .row("b", SEARCH, 4, 25);
    for (kind, amount, at, is_certain) in [
        (SEARCH, 4, 50, false),
        (SEARCH, 4, 51, true),
        (SEARCH, 5, 50, true),
        (SEARCH, 3, 50, true),
        (ENRICH, 4, 50, true),
    ] {
        let given = row("c", kind, amount, at);
        let found = (asked.clone())
            .allocated(9, 10, (40, 60), &[given])
            .answer();
        assert_eq!(decided(&found, 1), Some(0));
        let expected = (!is_certain).then_some(9);
        assert_eq!(perhaps(&found, 1), expected, "{amount} at {at}");
        assert_eq!(found.matches.len(), 2, "nothing keeps the charges open");
    }
}

#[test]
fn a_doubt_of_another_time_is_released_with_certainty() {
    let found = Asked::default()
        .doubt(1, 1, 10, (0, 10))
        .doubt(2, 2, 10, (100, 110))
        .charge(3, SEARCH, 4, (0, 10))
        .row("a", SEARCH, 4, 5)
        .allocated(9, 10, (100, 110), &[row("b", SEARCH, 4, 105)])
        .answer();
    assert_eq!((perhaps(&found, 1), decided(&found, 1)), (None, Some(0)));
    assert_eq!(perhaps(&found, 2), Some(9));
}

/// Whose is which is not known where two rows differ; one of them is given to the nearest, and what is left is not
/// the other's with any more certainty.
#[test]
fn a_row_that_is_left_beside_the_one_that_was_given_is_not_certain_either() {
    let mut asked = Asked::default()
        .doubt(1, 1, 10, (0, 60))
        .doubt(2, 2, 10, (0, 60))
        .row("a", SEARCH, 4, 0)
        .row("b", SEARCH, 6, 30);
    asked.doubts[0].overdue = true;
    let found = asked.answer();
    assert_eq!((decided(&found, 1), decided(&found, 2)), (Some(4), None));
    let found = asked.after(&found).answer();
    assert_eq!(decided(&found, 2), Some(6));
    assert_eq!(perhaps(&found, 2), Some(1));
    assert_eq!(found.ended[0].matches[0].how, MatchedBy::Allocated);
}

/// It got another one, or none was left for it then. Whom it could not have had it from is settled with certainty.
#[test]
fn a_row_is_not_certain_that_one_ended_by_nearness_could_have_had() {
    let asked = Asked::default()
        .doubt(1, 1, 4, (0, 60))
        .row("a", SEARCH, 4, 30);
    for rows in [vec![], vec![row("b", SEARCH, 9, 70)]] {
        let ask = |most, span| {
            let asked = asked.clone().allocated(9, most, span, &rows);
            let found = asked.answer();
            assert_eq!(decided(&found, 1), Some(4));
            perhaps(&found, 1)
        };
        assert_eq!(ask(10, (30, 80)), Some(9));
        assert_eq!(ask(3, (30, 80)), None);
        assert_eq!(ask(10, (31, 80)), None);
    }
}
