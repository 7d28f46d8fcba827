//! Settled charges: each by rows of its exact amount inside its time.

use generect_guard::ids::OperationName;
use generect_guard::reconciliation::matching::{Grain, LeftBecause, pair_differing};

use crate::support::{Asked, ENRICH, OPERATIONS, SEARCH, credits, left, rows_of};

#[test]
fn as_many_charges_as_can_be_are_explained() {
    // The wide charge must leave the first row to the narrow one.
    let found = Asked::default()
        .charge(1, SEARCH, 4, (0, 60))
        .charge(2, SEARCH, 4, (0, 10))
        .row("early", SEARCH, 4, 5)
        .row("late", SEARCH, 4, 50)
        .answer();
    assert_eq!(rows_of(&found, 2), ["early"]);
    assert_eq!(rows_of(&found, 1), ["late"]);
}

#[test]
fn neither_another_operations_row_nor_one_outside_the_time_explains() {
    let asked = Asked::default()
        .charge(1, SEARCH, 4, (0, 60))
        .row("other", ENRICH, 4, 5)
        .row("late", SEARCH, 4, 61)
        .read_until(60);
    let found = asked.answer();
    assert_eq!(found.charges_left[0].because, LeftBecause::Unexplained);
    assert_eq!(
        left(&asked, &found, "other"),
        Some(LeftBecause::Unexplained)
    );
    let found = asked.read_until(59).answer();
    assert_eq!(found.charges_left[0].because, LeftBecause::NotRead);
}

#[test]
fn rows_that_add_up_are_one_charge() {
    let mut asked = Asked::default()
        .charge(1, SEARCH, 10, (0, 60))
        .charge(2, SEARCH, 14, (0, 60));
    for name in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"] {
        asked = asked.row(name, SEARCH, 2, 30);
    }
    let found = asked.answer();
    assert_eq!((rows_of(&found, 1).len(), rows_of(&found, 2).len()), (5, 7));
    assert_eq!(found.known.grain(SEARCH), Grain::PerResult);
}

#[test]
fn a_search_with_extras_is_rows_of_different_amounts() {
    let found = Asked::default()
        .charge(1, SEARCH, 12, (0, 60))
        .row("a", SEARCH, 2, 30)
        .row("b", SEARCH, 2, 30)
        .row("c", SEARCH, 4, 30)
        .row("d", SEARCH, 4, 30)
        .row("foreign", SEARCH, 2, 31)
        .answer();
    assert_eq!(rows_of(&found, 1), ["a", "b", "c", "d"]);
    let found = Asked::default()
        .charge(1, SEARCH, 6, (0, 60))
        .row("a", SEARCH, 2, 30)
        .row("b", ENRICH, 4, 30)
        .answer();
    assert_eq!(
        rows_of(&found, 1).len(),
        2,
        "the extras have their own kind"
    );
}

#[test]
fn calls_of_one_second_are_told_apart_by_their_amounts() {
    let found = Asked::default()
        .charge(1, SEARCH, 50, (0, 60))
        .charge(2, SEARCH, 20, (0, 60))
        .row("a", SEARCH, 20, 30)
        .row("b", SEARCH, 50, 30)
        .answer();
    assert_eq!(rows_of(&found, 1), ["b"]);
    assert_eq!(rows_of(&found, 2), ["a"]);
}

#[test]
fn what_is_left_is_paired_although_the_amount_differs() {
    let asked = Asked::default()
        .charge(1, SEARCH, 4, (0, 60))
        .charge(2, ENRICH, 4, (0, 60))
        .row("a", SEARCH, 3, 30)
        .row("b", "web export", 4, 30);
    let operations: Vec<OperationName> = OPERATIONS.map(Into::into).to_vec();
    // The export is of a kind nobody knows, at the right time, of the right amount.
    let found = asked.answer();
    let pairs = pair_differing(asked.question(&operations), &found);
    assert_eq!(pairs.len(), 1);
    assert_eq!((pairs[0].charge, &*pairs[0].rows), (0, &[0][..]));
    assert_eq!(pairs[0].theirs, credits(3));
}
