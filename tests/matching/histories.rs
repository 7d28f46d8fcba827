//! Long histories of which the truth is known: both grains, names that say nothing, clocks that
//! differ, rows that are missing, foreign or there twice over.

use std::collections::{BTreeMap, BTreeSet};

use generect_guard::ledger::HoldId;
use generect_guard::reconciliation::matching::{Answer, Grain, LeftBecause};
use generect_guard::transaction::{Transaction, TransactionId};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use crate::support::{Asked, OPERATIONS, row};

/// How far a row may lie outside the time of its call.
pub const TOLERANCE: i64 = 4;

/// What kind of a history.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub calls: u64,
    /// Seconds between calls, at most.
    pub apart: i64,
    pub grain: Grain,
    pub is_scrambled: bool,
    /// One call in so many loses its row, has a foreign one beside it, or one of the same amount.
    pub disturbed: Option<u32>,
    /// How many teams have doubts.
    pub groups: u32,
}

pub const CALM: Shape = Shape {
    calls: 400,
    apart: 60,
    grain: Grain::PerRequest,
    is_scrambled: false,
    disturbed: None,
    groups: 3,
};

/// One call, as it was.
#[derive(Clone, Debug)]
pub struct Call {
    pub number: u64,
    pub operation: &'static str,
    pub amount: i64,
    pub most: i64,
    pub began: i64,
    pub ended: i64,
    /// Ours never knew how it ended.
    pub in_doubt: bool,
    pub was_charged: bool,
    pub group: u32,
}

impl Call {
    pub fn span(&self) -> (i64, i64) {
        (self.began - TOLERANCE, self.ended + TOLERANCE)
    }
}

pub struct History {
    pub calls: Vec<Call>,
    pub rows: Vec<Transaction>,
}

pub fn history(shape: Shape, seed: u64) -> History {
    let mut random = StdRng::seed_from_u64(seed);
    let skew = random.random_range(-TOLERANCE..=TOLERANCE);
    let (mut calls, mut rows, mut now) = (Vec::new(), Vec::new(), 0);
    for number in 1..=shape.calls {
        now += random.random_range(0..=shape.apart);
        let place = random.random_range(0..OPERATIONS.len());
        let (unit, units) = match place {
            0 => (2, random.random_range(1..=20)),
            3 => (40, 1),
            _ => (2, 1),
        };
        let lasted = random.random_range(0..20);
        let in_doubt = random.random_range(0..12) == 0;
        let call = Call {
            number,
            operation: OPERATIONS[place],
            amount: unit * units,
            most: unit * units.max(if place == 0 { 20 } else { 1 }),
            began: now,
            ended: now + lasted,
            in_doubt,
            was_charged: !in_doubt || random.random_range(0..2) == 0,
            group: random.random_range(0..shape.groups),
        };
        let kind = if shape.is_scrambled {
            format!("kind {}", (place * 7 + 3) % 10)
        } else {
            call.operation.to_owned()
        };
        let written = random.random_range(call.began..=call.ended) + skew;
        let fate = shape
            .disturbed
            .map_or(u32::MAX, |one_in| random.random_range(0..one_in));
        let copies = if call.was_charged { 1 } else { 0 };
        let copies = match fate {
            0 => 0,
            1 => copies + 1,
            _ => copies,
        };
        for copy in 0..copies {
            let at = written + copy;
            match shape.grain {
                Grain::PerRequest => {
                    rows.push(row(&format!("{number}-{copy}"), &kind, call.amount, at));
                }
                Grain::PerResult => rows.extend((0..units).map(|unit_number| {
                    row(&format!("{number}-{copy}-{unit_number}"), &kind, unit, at)
                })),
            }
        }
        if fate == 2 {
            rows.push(row(
                &format!("{number}-export"),
                "web export",
                call.amount,
                written,
            ));
        }
        calls.push(call);
    }
    History { calls, rows }
}

impl History {
    /// Asks about all of it at once.
    fn asked(&self) -> Asked {
        let mut asked = Asked::default();
        for call in &self.calls {
            if !call.in_doubt {
                asked = asked.charge(call.number, call.operation, call.amount, call.span());
            } else {
                asked = doubt(asked, call);
            }
        }
        asked.rows = self.rows.clone();
        asked
    }

    fn call(&self, hold: HoldId) -> &Call {
        let number = u64::try_from(hold.get()).unwrap();
        self.calls
            .iter()
            .find(|call| call.number == number)
            .unwrap()
    }

    /// Adds up what was decided and what was true of the same doubts, by group.
    pub fn compare(&self, ended: &[(HoldId, i64)]) -> BTreeMap<u32, (i64, i64)> {
        let mut sums: BTreeMap<u32, (i64, i64)> = BTreeMap::new();
        for (hold, charge) in ended {
            let call = self.call(*hold);
            let sum = sums.entry(call.group).or_default();
            sum.0 += charge;
            sum.1 += if call.was_charged { call.amount } else { 0 };
        }
        sums
    }
}

pub fn doubt(asked: Asked, call: &Call) -> Asked {
    let mut asked = asked.doubt(call.number, call.group, call.most, call.span());
    asked.doubts.last_mut().unwrap().operation = call.operation.into();
    asked
}

fn ended(found: &Answer) -> Vec<(HoldId, i64)> {
    let ends = found.ended.iter();
    ends.map(|end| (end.hold, end.charge.micros() / 10_000))
        .collect()
}

/// An answer by names, so that answers to questions in another order compare.
fn named(asked: &Asked, found: &Answer) -> impl PartialEq + std::fmt::Debug + use<> {
    let matches: BTreeSet<(TransactionId, HoldId)> = (found.matches.iter())
        .map(|matched| (matched.transaction.clone(), matched.hold))
        .collect();
    let rows: BTreeMap<TransactionId, LeftBecause> = (found.rows_left.iter())
        .map(|left| (asked.rows[left.row].id.clone(), left.because))
        .collect();
    let charges: BTreeMap<HoldId, LeftBecause> = (found.charges_left.iter())
        .map(|left| (asked.charges[left.charge].hold, left.because))
        .collect();
    let known = found.known.to_text().unwrap();
    let doubts = (found.ended.clone(), found.undecided.clone());
    (matches, rows, charges, doubts, known)
}

fn shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for grain in [Grain::PerRequest, Grain::PerResult] {
        for is_scrambled in [false, true] {
            for apart in [2, 15, 60] {
                for disturbed in [None, Some(40)] {
                    shapes.push(Shape {
                        apart,
                        grain,
                        is_scrambled,
                        disturbed,
                        ..CALM
                    });
                }
            }
        }
    }
    shapes
}

#[test]
fn whatever_the_history_every_answer_is_sound_and_the_order_of_asking_does_not_matter() {
    for shape in shapes() {
        for seed in 0..4 {
            println!("{shape:?} seed {seed}");
            let asked = history(shape, seed).asked();
            let found = asked.answer();
            let mut shuffled = asked.clone();
            let mut random = StdRng::seed_from_u64(seed + 1_000);
            shuffled.charges.shuffle(&mut random);
            shuffled.doubts.shuffle(&mut random);
            shuffled.rows.shuffle(&mut random);
            let again = shuffled.answer();
            assert_eq!(named(&asked, &found), named(&shuffled, &again));
        }
    }
}

#[test]
fn where_nothing_is_missing_everything_is_explained_and_what_is_decided_is_true() {
    for shape in shapes() {
        if shape.disturbed.is_some() {
            continue;
        }
        for seed in 0..20 {
            let history = history(shape, seed);
            let asked = history.asked();
            let found = asked.answer();
            println!("{shape:?} seed {seed}");
            let is_unexplained = |because| because == LeftBecause::Unexplained;
            let rows = found.rows_left.iter();
            let rows = rows.filter(|left| is_unexplained(left.because)).count();
            let charges = found.charges_left.iter();
            let charges = charges.filter(|left| is_unexplained(left.because)).count();
            // Rows of several calls of one second cannot always be told apart again.
            let allowed = if shape.grain == Grain::PerResult && shape.apart == 2 {
                20
            } else {
                0
            };
            assert!(
                rows <= allowed && charges <= allowed,
                "{rows} rows, {charges} charges"
            );
            for (group, (ours, true_sum)) in history.compare(&ended(&found)) {
                assert_eq!(ours, true_sum, "group {group}");
            }
            // A row and a half a minute of one operation leave little in doubt.
            let is_calm = shape.apart == 60;
            assert!(!is_calm || found.ended.len() * 10 >= asked.doubts.len() * 9);
        }
    }
}
