//! One question after the other, as time goes on: rows come late and pending, calls end while others
//! begin, and what was said once is never asked again.

use std::collections::{BTreeMap, BTreeSet};

use generect_guard::ledger::HoldId;
use generect_guard::reconciliation::matching::{Answer, Grain, Known};
use generect_guard::transaction::{TransactionId, TransactionStatus};

use crate::histories::{CALM, Call, History, Shape, TOLERANCE, doubt, history};
use crate::support::{Asked, SEARCH, at, credits, decided, rows_of};

/// Seconds between questions, seconds until a row is seen, and what reading allows for that.
const STEP: i64 = 45;
const DELAY: i64 = 8;
const LAG: i64 = 10;

/// What has been said so far.
#[derive(Default)]
struct Said {
    known: Known,
    rows: BTreeSet<TransactionId>,
    charges: BTreeSet<HoldId>,
    doubts: BTreeMap<HoldId, i64>,
}

impl Said {
    fn take(&mut self, found: &Answer) {
        self.known = found.known.clone();
        for matched in &found.matches {
            assert!(self.rows.insert(matched.transaction.clone()));
            self.charges.insert(matched.hold);
        }
        for end in &found.ended {
            let before = self.doubts.insert(end.hold, end.charge.micros() / 10_000);
            assert_eq!(before, None, "hold {} ends twice", end.hold);
            for matched in &end.matches {
                assert!(self.rows.insert(matched.transaction.clone()));
            }
        }
    }
}

/// What can be asked at a moment.
fn asked_at(history: &History, said: &Said, now: i64) -> Asked {
    let mut asked = Asked::default()
        .knowing(said.known.clone())
        .read_until(now - LAG);
    for call in history.calls.iter().filter(|call| call.began <= now) {
        let hold = crate::support::hold(call.number);
        if call.ended > now {
            asked = live(asked, call, now);
        } else if !call.in_doubt && !said.charges.contains(&hold) {
            asked = asked.charge(call.number, call.operation, call.amount, call.span());
        } else if call.in_doubt && !said.doubts.contains_key(&hold) {
            asked = doubt(asked, call);
        }
    }
    for row in &history.rows {
        let (number, _) = row.id.id.split_once('-').unwrap();
        let call = &history.calls[number.parse::<usize>().unwrap() - 1];
        if row.at > at(now - DELAY) || said.rows.contains(&row.id) {
            continue;
        }
        let mut row = row.clone();
        if call.ended > now - 1 {
            row.status = TransactionStatus::Pending;
            row.amount = credits(-call.most);
        }
        asked.rows.push(row);
    }
    asked
}

fn live(asked: Asked, call: &Call, now: i64) -> Asked {
    let mut asked = asked.live(call.most, (call.began - TOLERANCE, now + TOLERANCE));
    asked.live.last_mut().unwrap().operation = call.operation.into();
    asked
}

#[test]
fn whenever_it_is_asked_nothing_is_said_twice_and_what_is_decided_is_true() {
    for grain in [Grain::PerRequest, Grain::PerResult] {
        for apart in [3, 15, 60] {
            for seed in 0..10 {
                let shape = Shape {
                    calls: 200,
                    apart,
                    grain,
                    ..CALM
                };
                println!("{shape:?} seed {seed}");
                let history = history(shape, seed);
                let end = history.calls.last().unwrap().ended + 100;
                let mut said = Said::default();
                for now in (0..end)
                    .step_by(usize::try_from(STEP).unwrap())
                    .chain([end])
                {
                    said.take(&asked_at(&history, &said, now).answer());
                }
                let decided: Vec<_> = said.doubts.clone().into_iter().collect();
                let sums = history.compare(&decided);
                for (group, (ours, true_sum)) in sums {
                    assert_eq!(ours, true_sum, "group {group}");
                }
                let doubts = history.calls.iter().filter(|call| call.in_doubt).count();
                assert!(apart < 60 || decided.len() * 10 >= doubts * 9);
                // Once everything is read and over, everything is said.
                let rest = asked_at(&history, &said, end);
                assert!(
                    apart < 60 || rest.charges.len() <= doubts,
                    "{}",
                    rest.charges.len()
                );
            }
        }
    }
}

/// The rows of two doubts happen to be, together, a charge whose own row has not been read yet.
#[test]
fn what_adds_up_by_chance_before_all_is_read_teaches_nothing() {
    let asked = Asked::default()
        .charge(1, SEARCH, 3, (0, 20))
        .row("own", SEARCH, 3, 5)
        .charge(2, SEARCH, 4, (0, 60))
        .doubt(3, 0, 2, (0, 20))
        .doubt(4, 1, 2, (0, 20))
        .row("one", SEARCH, 2, 10)
        .row("other", SEARCH, 2, 10);
    let first = asked.clone().read_until(30).answer();
    assert_eq!(first.known.grain(SEARCH), Grain::PerRequest);
    assert!(first.ended.is_empty(), "{:?}", first.ended);
    assert_eq!(rows_of(&first, 1), ["own"]);
    let asked = asked.row("late", SEARCH, 4, 40).knowing(first.known);
    let found = asked.read_until(100).answer();
    assert_eq!(rows_of(&found, 2), ["late"]);
    assert_eq!((decided(&found, 3), decided(&found, 4)), (Some(2), Some(2)));
}
