//! Budgets in shadow, and what is asked without holding: neither changes what a hold is told.

use generect_guard::clock::Clock;
use generect_guard::ledger::{Budget, Hold, HoldRequest, Mode, Reading, Settings, WindowRule};
use jiff::SignedDuration;
use proptest::prelude::*;

use crate::failing::{Fault, failing, until_writable};
use crate::support::{NOON, Place, at, budget, micros, no, request, settle, with_budgets};

fn on_trial(id: &str, limit: i64) -> Budget {
    Budget {
        mode: Mode::Shadow,
        ..budget(id, limit, WindowRule::Total)
    }
}

/// The names of budgets in shadow that a hold did not keep.
fn passed(hold: &Hold) -> Vec<&str> {
    let shadow = hold.shadow().map(|short| &short.budgets);
    let budgets = shadow.into_iter().flatten();
    budgets.map(|one| one.status.id.as_str()).collect()
}

#[tokio::test]
async fn a_budget_in_shadow_holds_settles_and_is_restored_like_any_other() {
    let place = Place::file();
    let clock = Clock::manual(at(NOON));
    let settings = with_budgets(vec![
        on_trial("trial", 10),
        budget("real", 100, WindowRule::Total),
    ]);
    let ledger = place.open(settings.clone(), &clock);
    let fits = ledger.hold(request("growth", 10)).await.unwrap();
    assert_eq!(passed(&fits), [""; 0]);
    let over = ledger.hold(request("growth", 1)).await.unwrap();
    assert_eq!(passed(&over), ["trial"]);
    let busy = &over.shadow().unwrap().budgets[0];
    assert!(!busy.exhausted, "only what is held stood in the way");
    assert_eq!(over.tightest().unwrap().budget.as_str(), "real");
    settle(fits, 10);
    settle(over, 1);
    let refused = ledger.hold(request("growth", 90)).await.unwrap_err();
    assert_eq!(no(&refused), "exhausted");
    ledger.close().await.unwrap();
    let again = place.open(settings, &clock);
    let trial = &again.budgets().await.unwrap()[0];
    assert_eq!((trial.settled, trial.mode), (micros(11), Mode::Shadow));
    let over = again.hold(request("growth", 1)).await.unwrap();
    assert!(over.shadow().unwrap().budgets[0].exhausted);
    over.release("a test");
}

#[tokio::test]
async fn a_floor_in_shadow_tells_and_one_in_force_refuses() {
    let place = Place::memory();
    let clock = Clock::manual(at(NOON));
    let ledger = place.open(Settings::default(), &clock);
    ledger.observe(Reading {
        balance: micros(100),
        started_at: at(NOON),
    });
    let above = |floor, shadow_floor| HoldRequest {
        floor: Some(micros(floor)),
        shadow_floor: Some(micros(shadow_floor)),
        ..request("growth", 50)
    };
    let hold = ledger.hold(above(0, 50)).await.unwrap();
    assert_eq!(hold.shadow(), None);
    hold.release("a test");
    let hold = ledger.hold(above(0, 51)).await.unwrap();
    assert!(hold.shadow().unwrap().account.is_some());
    hold.release("a test");
    let refused = ledger.hold(above(51, 0)).await.unwrap_err();
    assert_eq!(no(&refused), "account");
}

#[tokio::test]
async fn what_is_asked_of_a_ledger_that_cannot_hold_is_answered_as_a_hold_would_be() {
    let place = Place::memory();
    let (ledger, faults) = failing(&place, with_budgets(vec![on_trial("trial", 10)]));
    faults.set(Fault::BeforeLanding, true);
    let refused = ledger.hold(request("growth", 7)).await.unwrap_err();
    let asked = ledger.consider(request("growth", 7)).await.unwrap_err();
    assert_eq!((no(&refused), no(&asked)), ("unavailable", "unavailable"));
    faults.set(Fault::None, false);
    until_writable(&ledger).await;
    let asked = ledger.consider(request("growth", 7)).await.unwrap();
    assert_eq!((asked.refused, asked.budgets.len()), (None, 1));
    ledger.close().await.unwrap();
    let asked = ledger.consider(request("growth", 7)).await.unwrap_err();
    assert_eq!(no(&asked), "closed");
    assert_eq!(place.reader().tail().unwrap().seq, 0, "nothing was written");
}

/// What happens next: a call of a team for so much, or the end of the oldest open one.
fn steps() -> impl Strategy<Value = Vec<(bool, u8, i64)>> {
    prop::collection::vec((any::<bool>(), 0..3_u8, 0..40_i64), 1..60)
}

/// Plays the steps. `look`: asks before each hold. Gives what each hold was told, and how all
/// stands at the end.
async fn play(
    budgets: Vec<Budget>,
    steps: &[(bool, u8, i64)],
    look: bool,
) -> (Vec<String>, String) {
    let place = Place::memory();
    let clock = Clock::manual(at(NOON));
    let ledger = place.open(with_budgets(budgets), &clock);
    let (mut open, mut told) = (Vec::new(), Vec::new());
    for (ends, team, amount) in steps {
        // What was said a moment ago is said again for a tenth of a second.
        clock.advance(SignedDuration::from_secs(1));
        if *ends && !open.is_empty() {
            settle(open.remove(0), *amount);
            continue;
        }
        let call = request(["a", "b", "c"][usize::from(*team)], *amount);
        let considered = match look {
            true => Some(ledger.consider(call.clone()).await.unwrap()),
            false => None,
        };
        let held = ledger.hold(call).await;
        if let Some(considered) = considered {
            assert_eq!(considered.refused.as_ref(), held.as_ref().err());
            let shadow = held.as_ref().ok().and_then(Hold::shadow);
            if held.is_ok() {
                let expected = shadow.map(|shadow| (**shadow).clone()).unwrap_or_default();
                assert_eq!(considered.shadow, expected);
            }
        }
        told.push(
            held.as_ref()
                .map_or_else(|error| no(error), |_| "ok")
                .to_owned(),
        );
        open.extend(held);
    }
    let statuses = ledger.budgets().await.unwrap();
    let enforced = statuses.iter().filter(|one| one.mode == Mode::Enforce);
    let stands = enforced.map(|one| format!("{} {} {}", one.id, one.settled, one.held));
    (told, stands.collect::<Vec<_>>().join(", "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn neither_budgets_in_shadow_nor_questions_change_what_a_hold_is_told(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let real = || vec![
            budget("all", 200, WindowRule::Total),
            budget("burst", 60, WindowRule::Rolling(SignedDuration::from_mins(1))),
        ];
        let plain = runtime.block_on(play(real(), &steps, false));
        let tried = [vec![on_trial("none", 0)], real(), vec![on_trial("some", 70)]].concat();
        prop_assert_eq!(&runtime.block_on(play(tried, &steps, true)), &plain);
        prop_assert_eq!(runtime.block_on(play(real(), &steps, true)), plain);
    }
}
