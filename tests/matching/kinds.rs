//! Kinds of rows: learned from what they explain, and unlearned.

use generect_guard::reconciliation::matching::{Known, LeftBecause};

use crate::support::{Asked, ENRICH, OPERATIONS, SEARCH, credits, rows_of};

/// `count` calls of an operation a minute apart from `begin` on, each with a row of `kind`.
fn calls(
    mut asked: Asked,
    operation: &str,
    kind: &str,
    amount: i64,
    begin: i64,
    count: i64,
) -> Asked {
    let first = u64::try_from(asked.charges.len()).unwrap() + 1_000;
    for (number, call) in (first..).zip(0..count) {
        let time = begin + 60 * call;
        asked = asked
            .charge(number, operation, amount, (time - 20, time + 20))
            .row(&format!("{number}"), kind, amount, time);
    }
    asked
}

#[test]
fn a_kind_nobody_knows_is_learned_by_what_it_explains() {
    let asked = calls(Asked::default(), SEARCH, "kind 17", 4, 0, 5);
    let asked = calls(asked, ENRICH, "kind 3", 4, 30, 5);
    let found = asked.answer();
    assert_eq!(found.matches.len(), 10);
    let stands_for = |kind: &str| -> Vec<String> {
        let all = found.known.stands_for(kind);
        all.map(|(name, _)| name.to_string()).collect()
    };
    assert_eq!(stands_for("kind 17"), [SEARCH]);
    assert_eq!(stands_for("kind 3"), [ENRICH]);
}

#[test]
fn one_kind_may_stand_for_several_operations() {
    let mut asked = Asked::default();
    for (number, operation) in (0..).zip(OPERATIONS) {
        asked = calls(asked, operation, "platform", 4, 15 * number, 6);
    }
    let found = asked.answer();
    assert_eq!(found.matches.len(), 24);
    assert_eq!(found.known.stands_for("platform").count(), 4);
}

#[test]
fn a_single_row_of_an_unknown_kind_explains_a_single_charge_and_no_second() {
    let asked = Asked::default()
        .charge(1, SEARCH, 4, (0, 60))
        .row("a", "kind 17", 4, 30);
    assert_eq!(rows_of(&asked.answer(), 1), ["a"]);
    let found = asked.row("b", "kind 3", 4, 31).answer();
    assert!(found.matches.is_empty(), "one of them is somebody else's");
    assert_eq!(found.charges_left[0].because, LeftBecause::Unexplained);
}

/// Rows of ours come late, and meanwhile somebody spends as much around the guard.
#[test]
fn a_kind_that_bears_anothers_name_is_not_an_operations_whose_own_rows_are_there() {
    for (has_own, matches) in [(true, 1), (false, 5)] {
        let asked = calls(Asked::default(), SEARCH, ENRICH, 4, 1_000, 5);
        let asked = calls(asked, SEARCH, SEARCH, 7, 0, i64::from(has_own));
        let found = asked.answer();
        assert_eq!(found.matches.len(), matches);
        let of_others = found.known.stands_for(ENRICH).count();
        assert_eq!(of_others, usize::from(!has_own));
    }
}

#[test]
fn a_wrong_guess_is_put_right_by_what_comes_later() {
    // By chance the first enrichments fit rows of searches.
    let first = calls(Asked::default(), ENRICH, "kind 17", 4, 0, 4);
    let known = first.answer().known;
    assert_eq!(known.stands_for("kind 17").count(), 1);
    let asked = calls(
        Asked::default().knowing(known),
        SEARCH,
        "kind 17",
        4,
        10_000,
        40,
    );
    let asked = calls(asked, ENRICH, "kind 3", 4, 10_030, 40);
    let found = asked.answer();
    assert_eq!(found.matches.len(), 80);
    let of_searches = found
        .known
        .stands_for("kind 17")
        .max_by_key(|(_, count)| *count);
    assert_eq!(of_searches.unwrap().0.as_str(), SEARCH);
}

#[test]
fn what_is_known_is_kept_as_text() {
    let known = calls(Asked::default(), SEARCH, "kind 17", 4, 0, 5)
        .answer()
        .known;
    let text = known.to_text().unwrap();
    assert_eq!(Known::from_text(&text).unwrap(), known);
    assert!(Known::from_text("{\"other\":1}").is_err());
}

#[test]
fn the_one_kind_that_is_documented_under_another_name_needs_no_learning() {
    // Two calls at once, of one operation and its twin: nothing here is unambiguous.
    let asked = Asked::default()
        .charge(1, "profile_resolve", 4, (0, 60))
        .charge(2, "profile_resolve_bulk", 4, (0, 60))
        .row("a", "Profile URL resolve", 4, 30)
        .row("b", "Profile URL resolve", 4, 31);
    assert_eq!(asked.answer().matches.len(), 2);
    let mut asked = asked;
    for row in &mut asked.rows {
        row.kind = "kind 17".into();
    }
    assert!(asked.answer().matches.is_empty(), "two are no evidence");
}

/// One explained charge says a little of a kind, and does not mean that its rows are not looked at any
/// more: a doubt that has its row is not released.
#[test]
fn a_kind_that_explained_too_little_yet_is_still_looked_at() {
    let first = Asked::default()
        .charge(1, SEARCH, 4, (0, 60))
        .row("a", "platform", 4, 30)
        .answer();
    assert_eq!(rows_of(&first, 1), ["a"]);
    let mut second = Asked::default()
        .doubt(2, 0, 9, (100, 160))
        .row("b", "platform", 7, 130);
    second.known = first.known;
    let ended = second.answer().ended;
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0].charge, credits(7));
}
