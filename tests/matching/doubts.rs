//! Doubts: decided by what is left, all or none between groups, never by what is not known.

use generect_guard::ledger::MatchedBy;
use generect_guard::reconciliation::matching::{LeftBecause, Why};

use crate::support::{Asked, ENRICH, SEARCH, at, credits, decided, hold, left, rows_of};

#[test]
fn a_row_that_only_one_doubt_can_own_decides_it() {
    let found = Asked::default()
        .doubt(1, 0, 10, (0, 60))
        .row("a", SEARCH, 6, 30)
        .answer();
    assert_eq!(decided(&found, 1), Some(6));
    assert_eq!(found.ended[0].matches[0].how, MatchedBy::Doubt);
}

#[test]
fn a_row_above_the_most_is_no_candidate() {
    let asked = Asked::default()
        .doubt(1, 0, 10, (0, 60))
        .row("a", SEARCH, 11, 30);
    let found = asked.answer();
    assert_eq!(decided(&found, 1), Some(0));
    assert_eq!(left(&asked, &found, "a"), Some(LeftBecause::Unexplained));
}

#[test]
fn absence_releases_only_where_the_account_was_read_completely() {
    let asked = Asked::default().doubt(1, 0, 10, (0, 60));
    assert_eq!(decided(&asked.clone().read_until(60).answer(), 1), Some(0));
    let found = asked.read_until(59).answer();
    assert_eq!(decided(&found, 1), None);
    assert_eq!(found.undecided[0].why, Why::NotRead);
}

#[test]
fn a_row_that_is_not_final_decides_nothing_and_keeps_a_doubt_open() {
    let asked = Asked::default()
        .doubt(1, 0, 10, (0, 60))
        .pending("a", SEARCH, 10, 30);
    let found = asked.clone().answer();
    assert_eq!(found.undecided[0].why, Why::RowPending);
    assert_eq!(found.undecided[0].candidates.len(), 1);
    let found = asked.row("b", SEARCH, 4, 31).answer();
    assert_eq!(decided(&found, 1), None, "b may be somebody else's");
}

#[test]
fn doubts_of_one_group_share_the_rows_there_are() {
    let found = Asked::default()
        .doubt(1, 7, 10, (0, 60))
        .doubt(2, 7, 10, (0, 60))
        .doubt(3, 7, 10, (0, 60))
        .row("a", SEARCH, 4, 30)
        .row("b", SEARCH, 6, 31)
        .answer();
    let sum: i64 = (1..=3).map(|number| decided(&found, number).unwrap()).sum();
    assert_eq!(sum, 10);
}

#[test]
fn one_row_between_two_groups_decides_neither() {
    let asked = Asked::default()
        .doubt(1, 1, 10, (0, 60))
        .doubt(2, 2, 10, (0, 60))
        .row("a", SEARCH, 4, 30);
    let found = asked.answer();
    assert_eq!((decided(&found, 1), decided(&found, 2)), (None, None));
    assert_eq!(found.undecided[0].why, Why::Groups);
    assert_eq!(found.undecided[0].candidates.len(), 1);
    assert_eq!(left(&asked, &found, "a"), Some(LeftBecause::Contested));
}

#[test]
fn a_row_for_each_of_two_groups_decides_both_if_the_rows_are_alike() {
    let asked = Asked::default()
        .doubt(1, 1, 10, (0, 60))
        .doubt(2, 2, 10, (0, 60))
        .row("a", SEARCH, 4, 30);
    let found = asked.clone().row("b", SEARCH, 4, 40).answer();
    assert_eq!((decided(&found, 1), decided(&found, 2)), (Some(4), Some(4)));
    let found = asked.row("b", SEARCH, 5, 40).answer();
    assert_eq!((decided(&found, 1), decided(&found, 2)), (None, None));
    assert_eq!(found.undecided[0].why, Why::Amounts);
}

#[test]
fn a_row_that_a_call_in_flight_could_own_waits_unless_there_is_one_for_everybody() {
    let asked = Asked::default()
        .doubt(1, 1, 10, (0, 60))
        .live(10, (20, 90))
        .row("a", SEARCH, 4, 30);
    let found = asked.answer();
    assert_eq!(found.undecided[0].why, Why::Rivals);
    let asked = asked.row("b", SEARCH, 4, 40);
    let found = asked.answer();
    assert_eq!(decided(&found, 1), Some(4));
    assert_eq!(found.rows_left[0].because, LeftBecause::Contested);
}

#[test]
fn a_charge_without_its_row_could_own_one_of_another_amount() {
    let found = Asked::default()
        .charge(1, SEARCH, 8, (0, 60))
        .doubt(2, 1, 10, (0, 60))
        .row("a", SEARCH, 4, 30)
        .answer();
    assert_eq!(found.undecided[0].why, Why::Rivals);
}

#[test]
fn the_row_a_charge_took_may_be_the_doubts_if_the_charge_can_take_another() {
    // The charge takes the first row; only the exchange explains everything.
    let found = Asked::default()
        .charge(1, SEARCH, 4, (0, 60))
        .doubt(2, 1, 10, (0, 10))
        .row("early", SEARCH, 4, 5)
        .row("late", SEARCH, 4, 50)
        .answer();
    assert_eq!(rows_of(&found, 2), ["early"]);
    assert_eq!(rows_of(&found, 1), ["late"]);
}

#[test]
fn what_an_undecided_doubt_could_change_is_not_said() {
    // One of the two doubts was charged, and the charge has the other row: nobody knows which.
    let asked = Asked::default()
        .charge(1, SEARCH, 4, (0, 60))
        .doubt(2, 1, 10, (0, 10))
        .doubt(3, 2, 10, (45, 60))
        .row("early", SEARCH, 4, 5)
        .row("late", SEARCH, 4, 50);
    let found = asked.answer();
    assert!(found.matches.is_empty() && found.ended.is_empty());
    assert_eq!(found.charges_left[0].because, LeftBecause::Contested);
    assert_eq!(left(&asked, &found, "early"), Some(LeftBecause::Contested));
}

#[test]
fn overdue_doubts_get_the_nearest_row_and_the_others_nothing() {
    let found = Asked::default()
        .doubt(1, 1, 10, (0, 100))
        .doubt(2, 2, 10, (0, 40))
        .row("a", SEARCH, 4, 22)
        .overdue()
        .answer();
    assert_eq!((decided(&found, 1), decided(&found, 2)), (Some(0), Some(4)));
    assert!(found.ended.iter().all(|end| end.allocated));
    assert_eq!(found.ended[1].matches[0].how, MatchedBy::Allocated);
}

/// Not the one nearest to the middle of the time in which its row may be.
#[test]
fn an_overdue_doubt_gets_the_row_nearest_to_its_beginning() {
    for (began_at, given) in [(-30, "a"), (3, "b"), (40, "c")] {
        let mut asked = Asked::default()
            .doubt(1, 1, 10, (-60, 100))
            .row("c", SEARCH, 3, 50)
            .row("a", SEARCH, 1, -1)
            .row("b", SEARCH, 2, 5)
            .overdue();
        asked.doubts[0].began_at = at(began_at);
        let found = asked.answer();
        assert_eq!(rows_of(&found, 1), [given], "{began_at}");
        assert!(found.ended[0].allocated);
    }
}

/// Where rows are one for each result, a doubt may have parts of what stands together; but not of a row
/// that is more than its most.
#[test]
fn a_row_that_no_doubt_can_have_decides_nothing_and_is_somebody_elses() {
    let learned = Asked::default()
        .charge(1, SEARCH, 6, (0, 60))
        .row("x", SEARCH, 2, 30)
        .row("y", SEARCH, 2, 30)
        .row("z", SEARCH, 2, 30)
        .answer()
        .known;
    let asked = Asked::default()
        .knowing(learned)
        .doubt(2, 1, 10, (100, 160))
        .row("its own", SEARCH, 4, 130)
        .row("theirs", SEARCH, 500, 140);
    let found = asked.answer();
    assert_eq!(decided(&found, 2), Some(4));
    let asked = asked.doubt(3, 2, 10, (100, 160));
    let found = asked.answer();
    assert_eq!(decided(&found, 2), None);
    let theirs = left(&asked, &found, "theirs");
    assert_eq!(theirs, Some(LeftBecause::Unexplained));
}

/// Three rows of one second: one call's, or those of one call and of somebody else's.
#[test]
fn rows_of_one_moment_wait_until_it_is_known_whether_they_are_one_calls() {
    let rows = |asked: Asked| {
        asked
            .row("a", SEARCH, 2, 30)
            .row("b", SEARCH, 2, 31)
            .row("c", SEARCH, 2, 31)
    };
    let asked = rows(Asked::default().doubt(1, 1, 10, (0, 60)));
    let found = asked.answer();
    assert_eq!(decided(&found, 1), None);
    assert_eq!(found.undecided[0].why, Why::Grain);
    assert_eq!(found.undecided[0].candidates.len(), 3);
    assert_eq!(left(&asked, &found, "b"), Some(LeftBecause::Contested));
    let overdue = asked.clone().overdue().answer();
    assert!(
        overdue.ended[0].allocated,
        "after a day the nearest is given"
    );

    // Two groups, and a row for each: or all of one.
    let two = Asked::default()
        .doubt(1, 1, 10, (0, 60))
        .doubt(2, 2, 10, (0, 60))
        .row("a", SEARCH, 2, 30)
        .row("b", SEARCH, 2, 30);
    assert_eq!(two.answer().undecided[0].why, Why::Grain);
    // Of one group it is the same sum whoever has which.
    let mut one = two.clone();
    one.doubts[1].group = 1;
    assert_eq!(one.answer().ended.len(), 2);

    // Whatever is learned of the kind decides.
    let charges = |grain: &[(&str, i64)]| {
        let mut asked = Asked::default();
        for number in 0..3 {
            let at = i64::try_from(number).unwrap() * 100;
            asked = asked.charge(10 + number, SEARCH, 4, (at, at + 50));
            for (name, amount) in grain {
                asked = asked.row(&format!("{name}{number}"), SEARCH, *amount, at + 9);
            }
        }
        asked.answer().known
    };
    let known = asked.clone().knowing(charges(&[("x", 2), ("y", 2)]));
    let found = known.answer();
    assert_eq!(decided(&found, 1), Some(6), "a row for each result");
    let known = asked.knowing(charges(&[("x", 4)]));
    let found = known.answer();
    assert_eq!(decided(&found, 1), Some(2), "a row for each call");
}

#[test]
fn a_job_is_ended_by_its_row() {
    let mut asked = Asked::default()
        .doubt(1, 1, 10, (0, 86_400))
        .row("a", SEARCH, 4, 22);
    asked.doubts[0].is_job = true;
    let found = asked.answer();
    assert_eq!(found.ended[0].hold, hold(1));
    assert_eq!(found.ended[0].matches[0].how, MatchedBy::Job);
}

#[test]
fn a_doubt_may_be_several_rows_of_one_instant_once_the_grain_is_known() {
    let learnt = Asked::default()
        .charge(1, SEARCH, 6, (0, 60))
        .row("a", SEARCH, 2, 30)
        .row("b", SEARCH, 2, 30)
        .row("c", SEARCH, 2, 30)
        .answer()
        .known;
    let found = Asked::default()
        .knowing(learnt)
        .doubt(2, 1, 10, (100, 160))
        .row("d", SEARCH, 2, 130)
        .row("e", SEARCH, 2, 130)
        .answer();
    assert_eq!(decided(&found, 2), Some(4));
}

#[test]
fn rows_of_one_instant_may_be_those_of_several_doubts_of_one_group() {
    let mut asked = Asked::default()
        .charge(1, SEARCH, 4, (0, 9))
        .row("x", SEARCH, 2, 3)
        .row("y", SEARCH, 2, 3)
        .doubt(2, 1, 4, (100, 160))
        .doubt(3, 1, 4, (100, 160));
    for name in ["a", "b", "c"] {
        asked = asked.row(name, SEARCH, 2, 130);
    }
    let found = asked.answer();
    let sum = decided(&found, 2).unwrap() + decided(&found, 3).unwrap();
    assert_eq!(sum, 6);
    asked.doubts[1].group = 2;
    assert_eq!(
        asked.answer().ended.len(),
        0,
        "of two groups nobody knows whose"
    );
    let found = asked.overdue().answer();
    let sum = decided(&found, 2).unwrap() + decided(&found, 3).unwrap();
    assert_eq!(sum, 6);
}

/// Somebody spends around the guard, by another operation, while a call is in doubt whose own rows nobody has seen.
#[test]
fn a_row_that_bears_another_operations_name_settles_no_doubt() {
    let asked = Asked::default()
        .doubt(1, 0, 9, (0, 60))
        .row("a", ENRICH, 7, 30);
    let found = asked.answer();
    assert_eq!(found.undecided[0].why, Why::Kind);
    assert_eq!(left(&asked, &found, "a"), Some(LeftBecause::Contested));
    let overdue = asked.clone().overdue().answer();
    assert_eq!(overdue.ended[0].charge, credits(0), "nor is it the nearest");
    assert!(overdue.ended[0].allocated, "and it is said");
    assert_eq!(left(&asked, &overdue, "a"), Some(LeftBecause::Unexplained));
    // It is known what its rows are called: by what was charged elsewhere.
    let asked = asked.row("b", SEARCH, 4, 1_000);
    let found = asked.answer();
    assert_eq!(decided(&found, 1), Some(0));
    assert_eq!(left(&asked, &found, "a"), Some(LeftBecause::Unexplained));
}
