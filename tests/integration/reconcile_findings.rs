//! Each kind of finding, from what makes it to what explains it.
//!
//! After each: what the account took is on the teams, or is the drift of an open finding.

use generect_guard::credits::Credits;
use generect_guard::ledger::{Decision, FindingKind, HoldId, Resolution, open_reader};
use generect_guard::simulator::Fault;
use generect_guard::simulator::settings::TierPage;
use jiff::{SignedDuration, Timestamp};

use crate::reconcile::{
    LONG_ENOUGH, SEARCH, findings, in_doubt, noon, plan, reconcile, search, world_that_was_shown,
};
use crate::support::{World, credits};

const KIND: &str = "search_database_leads";

/// Name, drift, and by what it was explained, of every finding.
fn told(world: &World) -> Vec<(String, String, Option<String>)> {
    let reader = open_reader(&world.ledger_path()).unwrap();
    let kept = reader.findings(Timestamp::MIN, Timestamp::MAX, false, None, 1_000);
    let told = kept.unwrap().into_iter().map(|kept| {
        let why = kept.closed.map(|closed| closed.why);
        let finding = kept.finding;
        (finding.name.to_string(), finding.drift.to_string(), why)
    });
    told.collect()
}

/// The drift of all open findings together.
pub fn open_drift(world: &World) -> Credits {
    let reader = open_reader(&world.ledger_path()).unwrap();
    let sums = reader.found(Timestamp::MIN, Timestamp::MAX).unwrap();
    sums.iter().map(|sum| sum.open_drift).sum()
}

/// What was taken in all is on the team or an open finding.
pub async fn adds_up(world: &World, taken: &str) {
    let settled = world.budget("growth-month").await.settled;
    let ours = settled.checked_add(open_drift(world)).unwrap();
    assert_eq!(ours, credits(taken), "{:?}", told(world));
}

/// Makes one call whose answer never comes, and gives back its hold.
pub async fn doubt(world: &World, rows: usize, fault: Fault) -> HoldId {
    world.simulator.faults().next_on(1, SEARCH, fault);
    assert_eq!(search(world, rows).await, 504);
    let calls = world.ledger().open_calls().await.unwrap();
    calls.iter().map(|call| call.hold).max().unwrap()
}

async fn decide(world: &World, hold: HoldId, decision: Decision) {
    let resolution = Resolution {
        decision,
        who: "ops".into(),
        reason: "a guess".into(),
    };
    world.ledger().resolve(hold, resolution).await.unwrap();
}

#[tokio::test]
async fn theirs_only_is_explained_when_the_account_gives_it_back() {
    let clock = noon();
    let world = plan(&clock).start().await;
    world.simulator.spend_elsewhere(KIND, credits("1.5"));
    reconcile(&world).await;
    assert_eq!(
        findings(&world),
        [(FindingKind::TheirsOnly, "1.5".into(), true)]
    );
    adds_up(&world, "1.5").await;
    clock.advance(SignedDuration::from_secs(30));
    assert!(world.simulator.take_back(KIND));
    let summary = reconcile(&world).await;
    assert!(summary.contains("1 earlier finding explained"), "{summary}");
    assert_eq!(
        findings(&world),
        [(FindingKind::TheirsOnly, "1.5".into(), false)]
    );
    adds_up(&world, "0").await;
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn ours_only_is_found_when_the_list_is_complete_and_explained_by_a_row_that_is_late() {
    let clock = noon();
    let late = SignedDuration::from_mins(5);
    let plan = plan(&clock).simulator(move |settings| settings.transaction_delay = late);
    let world = plan.start().await;
    assert_eq!(search(&world, 2).await, 200);
    clock.advance(SignedDuration::from_mins(1));
    reconcile(&world).await;
    assert_eq!(findings(&world), [], "a row may come yet");
    clock.advance(SignedDuration::from_mins(2));
    reconcile(&world).await;
    assert_eq!(
        findings(&world),
        [(FindingKind::OursOnly, "-0.04".into(), true)]
    );
    adds_up(&world, "0").await;
    clock.advance(SignedDuration::from_mins(3));
    let summary = reconcile(&world).await;
    assert!(summary.contains("1 tied to settled charges"), "{summary}");
    assert_eq!(
        findings(&world),
        [(FindingKind::OursOnly, "-0.04".into(), false)]
    );
    adds_up(&world, "0.04").await;
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn ours_only_is_explained_after_a_restart_too() {
    let clock = noon();
    let late = SignedDuration::from_mins(5);
    let plan = || super::reconcile::plan(&clock);
    let first = plan().simulator(move |settings| settings.transaction_delay = late);
    let world = first.start().await;
    assert_eq!(search(&world, 2).await, 200);
    clock.advance(SignedDuration::from_mins(3));
    reconcile(&world).await;
    adds_up(&world, "0").await;
    let world = world.restarted(plan()).await;
    clock.advance(SignedDuration::from_mins(3));
    reconcile(&world).await;
    assert_eq!(
        findings(&world),
        [(FindingKind::OursOnly, "-0.04".into(), false)]
    );
    adds_up(&world, "0.04").await;
    world.end_with_nothing_open().await;
}

/// A person decided a doubt by a guess; the row is found at once, and becomes the hold's own when
/// nothing better can come any more.
#[tokio::test]
async fn amount_differs_when_a_settled_charge_and_its_row_tell_other_figures() {
    let clock = noon();
    let world = plan(&clock).start().await;
    let hold = doubt(&world, 4, Fault::CutAfterCharge).await;
    decide(&world, hold, Decision::Settle(credits("0.06"))).await;
    reconcile(&world).await;
    clock.advance(LONG_ENOUGH);
    reconcile(&world).await;
    let all = told(&world);
    let open: Vec<_> = all.iter().filter(|(_, _, why)| why.is_none()).collect();
    assert_eq!(open.len(), 1, "{all:?}");
    let (name, drift, _) = open[0];
    assert!(name.starts_with("amount_differs:"), "{all:?}");
    assert_eq!(drift, "0.02");
    adds_up(&world, "0.08").await;
    reconcile(&world).await;
    assert_eq!(told(&world), all, "told once");
    let world = world.restarted(plan(&clock)).await;
    reconcile(&world).await;
    assert_eq!(told(&world), all, "also after a restart");
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn amount_differs_when_the_account_gives_money_back_for_a_call() {
    let clock = noon();
    let world = plan(&clock).start().await;
    assert_eq!(search(&world, 3).await, 200);
    clock.advance(LONG_ENOUGH);
    reconcile(&world).await;
    world.simulator.refund(KIND, credits("0.02"));
    reconcile(&world).await;
    reconcile(&world).await;
    assert_eq!(
        findings(&world),
        [(FindingKind::AmountDiffers, "-0.02".into(), true)],
        "a refund, and no top-up"
    );
    adds_up(&world, "0.04").await;
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn amount_differs_when_a_row_changes_after_its_match() {
    let clock = noon();
    let world = plan(&clock).start().await;
    assert_eq!(search(&world, 3).await, 200);
    clock.advance(SignedDuration::from_mins(3));
    let summary = reconcile(&world).await;
    assert!(summary.contains("1 tied to settled charges"), "{summary}");
    assert!(world.simulator.take_back(KIND));
    clock.advance(SignedDuration::from_mins(1));
    reconcile(&world).await;
    assert_eq!(
        findings(&world),
        [(FindingKind::AmountDiffers, "-0.06".into(), true)]
    );
    adds_up(&world, "0").await;
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_row_that_changes_after_its_match_and_a_restart_is_still_its_calls() {
    let clock = noon();
    let world = plan(&clock).start().await;
    assert_eq!(search(&world, 3).await, 200);
    clock.advance(SignedDuration::from_mins(3));
    reconcile(&world).await;
    let world = world.restarted(plan(&clock)).await;
    assert!(world.simulator.take_back(KIND));
    clock.advance(SignedDuration::from_mins(1));
    reconcile(&world).await;
    assert_eq!(
        findings(&world),
        [(FindingKind::AmountDiffers, "-0.06".into(), true)]
    );
    adds_up(&world, "0").await;
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn rows_that_are_read_again_after_a_long_pause_are_still_their_calls() {
    let clock = noon();
    let world = plan(&clock).start().await;
    assert_eq!(search(&world, 3).await, 200);
    clock.advance(SignedDuration::from_mins(3));
    reconcile(&world).await;
    clock.advance(SignedDuration::from_hours(9 * 24));
    let world = world.restarted(plan(&clock)).await;
    let summary = reconcile(&world).await;
    assert!(summary.contains("0 rows read"), "{summary}");
    assert_eq!(findings(&world), []);
    world.end_with_nothing_open().await;
}

/// The account shows a row as pending again, and then as it was: nothing is left to explain.
#[tokio::test]
async fn a_row_that_changes_and_changes_back_leaves_no_drift() {
    let clock = noon();
    let world = plan(&clock).start().await;
    assert_eq!(search(&world, 3).await, 200);
    clock.advance(SignedDuration::from_mins(3));
    reconcile(&world).await;
    let pending = |span| {
        world
            .simulator
            .change(move |settings| settings.lists.pending_for = span);
    };
    pending(SignedDuration::from_hours(1));
    reconcile(&world).await;
    adds_up(&world, "0").await;
    let world = world.restarted(plan(&clock)).await;
    world
        .simulator
        .change(|settings| settings.lists.pending_for = SignedDuration::ZERO);
    reconcile(&world).await;
    adds_up(&world, "0.06").await;
    assert_eq!(findings(&world).iter().filter(|found| found.2).count(), 0);
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn late_is_a_row_that_comes_after_its_doubt_was_released() {
    let clock = noon();
    let late = SignedDuration::from_mins(5);
    let plan = plan(&clock).simulator(move |settings| settings.transaction_delay = late);
    let world = world_that_was_shown(&clock, plan).await;
    doubt(&world, 4, Fault::CutAfterCharge).await;
    clock.advance(SignedDuration::from_mins(3));
    let summary = reconcile(&world).await;
    assert!(summary.contains("1 released"), "{summary}");
    adds_up(&world, "0.02").await;
    clock.advance(SignedDuration::from_mins(3));
    reconcile(&world).await;
    let found = findings(&world);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].0, found[0].2), (FindingKind::Late, true));
    adds_up(&world, "0.1").await;
    let world = world.restarted(super::reconcile::plan(&clock)).await;
    reconcile(&world).await;
    assert_eq!(findings(&world), found, "told once");
    adds_up(&world, "0.1").await;
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_row_for_a_doubt_that_a_person_released_is_late_and_open() {
    let clock = noon();
    let world = plan(&clock).start().await;
    let hold = doubt(&world, 4, Fault::CutAfterCharge).await;
    decide(&world, hold, Decision::Release).await;
    clock.advance(LONG_ENOUGH);
    reconcile(&world).await;
    assert_eq!(
        findings(&world),
        [(FindingKind::Late, "0.08".into(), true)],
        "what a person decided is not overruled"
    );
    adds_up(&world, "0.08").await;
    world.end_with_nothing_open().await;
}

/// Two teams' calls went unanswered and one was charged: nobody can say whose, until a day is over.
#[tokio::test]
async fn allocated_is_a_doubt_that_nothing_decided_for_a_day() {
    let clock = noon();
    let two_teams = || {
        plan(&clock)
            .team("sales", "")
            .key("sales-crm", "sales", "")
            .budget(
                "sales-month",
                "team = \"sales\"\nlimit = 100\nper = \"month\"",
            )
    };
    let world = world_that_was_shown(&clock, two_teams()).await;
    doubt(&world, 4, Fault::CutAfterCharge).await;
    clock.advance(SignedDuration::from_secs(1));
    let faults = world.simulator.faults();
    faults.next_on(1, SEARCH, Fault::CutBeforeCharge);
    let body = r#"{"limit_by":4,"job_titles":["matches:4"]}"#;
    assert_eq!(world.post_as("sales-crm", SEARCH, body).await.status, 504);
    world
        .budget_when("sales-month", |budget| budget.in_doubt == credits("0.08"))
        .await;
    clock.advance(LONG_ENOUGH);
    let summary = reconcile(&world).await;
    assert!(summary.contains("2 undecided"), "{summary}");
    clock.advance(SignedDuration::from_hours(25));
    let world = world.restarted(two_teams()).await;
    let summary = reconcile(&world).await;
    assert!(summary.contains("0 undecided"), "{summary}");
    assert_eq!(world.budget("growth-month").await.settled, credits("0.1"));
    assert_eq!(world.budget("sales-month").await.settled, Credits::ZERO);
    let found = findings(&world);
    assert!(!found.is_empty());
    for (kind, drift, _) in &found {
        assert_eq!((*kind, drift.as_str()), (FindingKind::Allocated, "0"));
    }
    reconcile(&world).await;
    assert_eq!(findings(&world), found, "told once");
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn unexpected_price_is_found_on_the_first_call() {
    let clock = noon();
    let plan = plan(&clock).simulator(|settings| {
        settings.prices.database = credits("0.018");
        settings.tier_page = TierPage::Absent;
    });
    let world = plan.start().await;
    assert_eq!(search(&world, 3).await, 200);
    let summary = reconcile(&world).await;
    assert!(summary.contains("1 new unexpected_price"), "{summary}");
    let expected = [(FindingKind::UnexpectedPrice, "0".into(), true)];
    assert_eq!(findings(&world), expected);
    assert_eq!(search(&world, 4).await, 200);
    clock.advance(LONG_ENOUGH);
    reconcile(&world).await;
    assert_eq!(findings(&world), expected, "once a day for an operation");
    adds_up(&world, "0.126").await;
    world.end_with_nothing_open().await;
}

/// Twice the price is a number of units too; but no call is charged more than its quote.
#[tokio::test]
async fn unexpected_price_is_a_charge_above_its_quote_too() {
    let clock = noon();
    let plan = plan(&clock).simulator(|settings| {
        settings.prices.database = credits("0.04");
        settings.tier_page = TierPage::Absent;
    });
    let world = plan.start().await;
    assert_eq!(search(&world, 3).await, 200);
    assert_eq!(world.budget("growth-month").await.settled, credits("0.12"));
    reconcile(&world).await;
    assert_eq!(
        findings(&world),
        [(FindingKind::UnexpectedPrice, "0".into(), true)]
    );
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn a_top_up_by_hand_or_by_itself_is_recorded_once_each() {
    let clock = noon();
    let world = plan(&clock).start().await;
    world.simulator.top_up(credits("50"));
    clock.advance(SignedDuration::from_secs(5));
    world.simulator.top_up(credits("20"));
    reconcile(&world).await;
    let world = world.restarted(plan(&clock)).await;
    clock.advance(LONG_ENOUGH);
    reconcile(&world).await;
    let top_up = (FindingKind::TopUp, "0".to_owned(), true);
    assert_eq!(findings(&world), [top_up.clone(), top_up]);
    assert_eq!(in_doubt(&world).await, Credits::ZERO);
    adds_up(&world, "0").await;
    world.end_with_nothing_open().await;
}
