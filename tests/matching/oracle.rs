//! Beside a brute-force oracle on small questions: as many charges as can be are explained, and a doubt
//! is decided only as every best explanation would decide it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use generect_guard::reconciliation::matching::Known;
use proptest::prelude::*;

use crate::allocated::is_uncertain;
use crate::support::{Asked, SEARCH, decided};

/// A span within half a minute.
fn span() -> impl Strategy<Value = (i64, i64)> {
    (0_i64..20, 0_i64..12).prop_map(|(from, length)| (from, from + length))
}

fn amount() -> impl Strategy<Value = i64> {
    1_i64..4
}

/// A kind that is known to write one row a request, so that sums explain nothing.
fn one_row_a_request() -> Known {
    let text = format!(
        r#"{{"kinds":{{"{SEARCH}":{{"per_request":1000,"per_result":0,"stands_for":{{"{SEARCH}":1000}}}}}}}}"#
    );
    Known::from_text(&text).unwrap()
}

#[derive(Clone, Debug)]
struct Small {
    charges: Vec<(i64, (i64, i64))>,
    doubts: Vec<(i64, (i64, i64), u32)>,
    rows: Vec<(i64, i64)>,
}

fn small(
    charges: usize,
    doubts: RangeInclusive<usize>,
    rows: usize,
) -> impl Strategy<Value = Small> {
    let group = 0_u32..3;
    (
        prop::collection::vec((amount(), span()), 0..=charges),
        prop::collection::vec((amount(), span(), group), doubts),
        prop::collection::vec((amount(), 0_i64..32), 0..=rows),
    )
        .prop_map(|(charges, doubts, rows)| Small {
            charges,
            doubts,
            rows,
        })
}

impl Small {
    fn asked(&self) -> Asked {
        let mut asked = Asked::default().knowing(one_row_a_request());
        for (number, (amount, span)) in (1..).zip(&self.charges) {
            asked = asked.charge(number, SEARCH, *amount, *span);
        }
        for (number, (most, span, group)) in (101..).zip(&self.doubts) {
            asked = asked.doubt(number, *group, *most, *span);
        }
        for (number, (amount, at)) in self.rows.iter().enumerate() {
            asked = asked.row(&format!("r{number}"), SEARCH, *amount, *at);
        }
        asked
    }

    fn groups(&self) -> BTreeSet<u32> {
        self.doubts.iter().map(|doubt| doubt.2).collect()
    }

    /// The rows each claimant can own, charges first.
    fn choices(&self) -> Vec<Vec<usize>> {
        let rows = |fits: &dyn Fn(i64) -> bool, (from, to): (i64, i64)| -> Vec<usize> {
            let all = self.rows.iter().enumerate();
            all.filter(|(_, (amount, at))| fits(*amount) && from <= *at && *at <= to)
                .map(|(place, _)| place)
                .collect()
        };
        let charges = self.charges.iter();
        let charges = charges.map(|(exact, span)| rows(&|amount| amount == *exact, *span));
        let doubts = self.doubts.iter();
        let doubts = doubts.map(|(most, span, _)| rows(&|amount| amount <= *most, *span));
        charges.chain(doubts).collect()
    }
}

/// Calls `see` with every way to give each claimant a row of its own or none.
fn every_way(
    choices: &[Vec<usize>],
    given: &mut Vec<Option<usize>>,
    see: &mut impl FnMut(&[Option<usize>]),
) {
    let Some(own) = choices.get(given.len()) else {
        return see(given);
    };
    given.push(None);
    every_way(choices, given, see);
    given.pop();
    for row in own {
        if !given.contains(&Some(*row)) {
            given.push(Some(*row));
            every_way(choices, given, see);
            given.pop();
        }
    }
}

/// The ways that explain the most: first the most charges, then the most rows.
fn best_ways(small: &Small) -> Vec<Vec<Option<usize>>> {
    let charges = small.charges.len();
    let (mut best, mut ways) = ((0, 0), Vec::new());
    every_way(&small.choices(), &mut Vec::new(), &mut |given| {
        let of_charges = given[..charges].iter().flatten().count();
        let worth = (of_charges, given.iter().flatten().count());
        if worth > best {
            best = worth;
            ways.clear();
        }
        if worth == best {
            ways.push(given.to_vec());
        }
    });
    ways
}

/// What each group pays in a way, and each doubt.
fn sums(small: &Small, way: &[Option<usize>]) -> (BTreeMap<u32, i64>, Vec<i64>) {
    let doubts = &way[small.charges.len()..];
    let taken: Vec<i64> = (doubts.iter())
        .map(|row| row.map_or(0, |row| small.rows[row].0))
        .collect();
    let mut groups = BTreeMap::new();
    for ((_, _, group), taken) in small.doubts.iter().zip(&taken) {
        *groups.entry(*group).or_default() += taken;
    }
    (groups, taken)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn as_many_charges_are_explained_as_can_be(small in small(6, 0..=0, 6)) {
        let found = small.asked().answer();
        let best = best_ways(&small);
        let most = best[0].iter().flatten().count();
        prop_assert_eq!(found.matches.len(), most);
    }

    #[test]
    fn a_doubt_is_decided_only_as_every_best_explanation_decides_it(small in small(3, 0..=3, 5)) {
        let found = small.asked().answer();
        let ways = best_ways(&small);
        let numbers = || (101..).take(small.doubts.len());
        let is_open = |group: u32| {
            let mut of_group = numbers().zip(&small.doubts).filter(|(_, doubt)| doubt.2 == group);
            of_group.any(|(number, _)| decided(&found, number).is_none())
        };
        for group in small.groups() {
            if is_open(group) {
                continue;
            }
            let of_group = numbers().zip(&small.doubts).filter(|(_, doubt)| doubt.2 == group);
            let ours: i64 = of_group.filter_map(|(number, _)| decided(&found, number)).sum();
            for way in &ways {
                let theirs = sums(&small, way).0[&group];
                prop_assert_eq!(ours, theirs, "group {} in {:?}", group, way);
            }
        }
    }

    /// Each is overdue from a question on, and what is left is asked for again. Whoever ends without a word of doubt
    /// pays what every best explanation of all says.
    #[test]
    fn what_is_said_after_nearness_has_decided_is_certain_or_is_said_not_to_be(
        small in small(4, 2..=4, 5), overdue_from in prop::collection::vec(0..4, 4),
    ) {
        let (asked, mut ended) = (small.asked(), Vec::new());
        let mut next = asked.clone();
        for question in 0..3 {
            for (doubt, from) in asked.doubts.iter().zip(&overdue_from) {
                let mut left = next.doubts.iter_mut();
                if let Some(left) = left.find(|left| left.hold == doubt.hold) {
                    left.overdue = question >= *from;
                }
            }
            let found = next.answer();
            next = next.after(&found);
            ended.extend(found.ended);
        }
        let ways = best_ways(&small);
        for group in small.groups() {
            let is_its = |hold| asked.doubts.iter().any(|doubt| doubt.hold == hold && doubt.group == group);
            let of_group: Vec<_> = ended.iter().filter(|end| is_its(end.hold)).collect();
            let count = small.doubts.iter().filter(|doubt| doubt.2 == group).count();
            let is_certain = !of_group.iter().any(|end| is_uncertain(end));
            if of_group.len() < count || !is_certain {
                continue;
            }
            let ours: i64 = of_group.iter().map(|end| end.charge.micros() / 10_000).sum();
            for way in &ways {
                let theirs = sums(&small, way).0[&group];
                prop_assert_eq!(ours, theirs, "group {} in {:?}", group, way);
            }
        }
    }

    #[test]
    fn a_single_doubt_that_every_best_explanation_decides_alike_is_decided(small in small(4, 1..=1, 5)) {
        let found = small.asked().answer();
        let ways = best_ways(&small);
        let outcomes: BTreeSet<i64> = ways.iter().map(|way| sums(&small, way).1[0]).collect();
        // A charge without its row is a rival, which may own a row of another amount.
        let is_explained = ways[0][..small.charges.len()].iter().all(Option::is_some);
        if outcomes.len() == 1 && is_explained {
            prop_assert_eq!(decided(&found, 101), outcomes.first().copied());
        }
    }
}
