//! Budgets that are replaced while calls are made.

use generect_guard::clock::Clock;
use generect_guard::ledger::{Budget, CalendarUnit, Filter, Grant, HoldError, Ledger, WindowRule};
use jiff::SignedDuration;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::support::{
    NOON, Place, at, budget, calendar, micros, no, request, settle, with_budgets,
};

fn of_team(id: &str, limit: i64, team: &str) -> Budget {
    Budget {
        filter: Filter {
            team: Some(team.into()),
            ..Filter::default()
        },
        ..budget(id, limit, calendar(CalendarUnit::Day))
    }
}

#[tokio::test]
async fn who_needs_a_budget_is_refused_as_soon_as_none_covers_it_and_capped_as_soon_as_one_does() {
    let place = Place::memory();
    let clock = Clock::manual(at(NOON));
    let ledger = place.open(with_budgets(vec![of_team("growth", 100, "growth")]), &clock);
    let first = ledger.hold_covered(request("growth", 60)).await.unwrap();
    let sales = ledger.hold_covered(request("sales", 1)).await.unwrap_err();
    assert_eq!(sales, HoldError::Uncovered);
    let free = ledger.hold(request("sales", 40)).await.unwrap();
    let budgets = vec![of_team("sales", 50, "sales")];
    ledger.set_budgets(budgets).await.unwrap();
    let growth = ledger.hold_covered(request("growth", 1)).await.unwrap_err();
    assert_eq!(growth, HoldError::Uncovered);
    let full = ledger.hold_covered(request("sales", 20)).await.unwrap_err();
    assert_eq!(
        no(&full),
        "busy",
        "what was held before there was a limit counts"
    );
    settle(free, 40);
    settle(first, 60);
    let full = ledger.hold_covered(request("sales", 20)).await.unwrap_err();
    assert_eq!(no(&full), "exhausted");
    ledger.close().await.unwrap();
    place.assert_sound();
}

/// Any of a few budgets under four names: the same, with another limit, filter or window, or gone.
fn any_budgets(random: &mut StdRng) -> Vec<Budget> {
    let mut budgets = Vec::new();
    for id in ["a", "b", "c", "d"] {
        if random.random_bool(0.2) {
            continue;
        }
        let window = match random.random_range(0..4) {
            0 => calendar(CalendarUnit::Day),
            1 => WindowRule::Total,
            2 => WindowRule::Rolling(SignedDuration::from_hours(5)),
            _ => WindowRule::Rolling(SignedDuration::from_mins(20)),
        };
        let limit = 10_000 + random.random_range(0..3);
        budgets.push(match random.random_bool(0.5) {
            true => budget(id, limit, window),
            false => Budget {
                window,
                ..of_team(id, limit, "growth")
            },
        });
    }
    budgets
}

async fn something_happens(ledger: &Ledger, random: &mut StdRng) {
    let team = ["growth", "sales"][random.random_range(0..2)];
    let quote = random.random_range(1..40);
    if random.random_bool(0.2) {
        let grant = Grant {
            budget: ["a", "b", "c", "d"][random.random_range(0..4)].into(),
            amount: micros(random.random_range(-20..40)),
            who: "ann".into(),
            reason: "seed".into(),
        };
        // Refused where there is no such budget, or more is taken back than was given.
        let _ = ledger.grant(grant).await;
        return;
    }
    let hold = ledger.hold(request(team, quote)).await.unwrap();
    match random.random_range(0..4) {
        0 => settle(hold, quote),
        1 => settle(hold, quote / 2),
        2 => hold.release("it was no call"),
        _ => hold.doubt("nobody knows"),
    }
}

/// Whatever is replaced by whatever, and whenever: the budgets stand as a start would find them.
#[tokio::test]
async fn budgets_that_go_on_counting_stand_as_if_they_were_counted_anew() {
    let only = std::env::var("SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    for seed in only.map_or(0..40, |seed: u64| seed..seed + 1) {
        println!("SEED={seed}");
        let mut random = StdRng::seed_from_u64(seed);
        let place = Place::memory();
        let clock = Clock::manual(at(NOON));
        let mut budgets = any_budgets(&mut random);
        let ledger = place.open(with_budgets(budgets.clone()), &clock);
        for _ in 0..40 {
            clock.advance(SignedDuration::from_secs(random.random_range(0..2_400)));
            something_happens(&ledger, &mut random).await;
            if random.random_bool(0.3) {
                budgets = any_budgets(&mut random);
                ledger.set_budgets(budgets.clone()).await.unwrap();
            }
            ledger.open_calls().await.unwrap(); // Its answer comes when all ends are on disk.
            let live = ledger.budgets().await.unwrap();
            let anew = place.reader().budget_statuses(&budgets, clock.now());
            assert_eq!(live, anew.unwrap(), "SEED={seed}");
        }
        ledger.close().await.unwrap();
        place.assert_sound();
    }
}
