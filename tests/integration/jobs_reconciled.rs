//! Bulk jobs and the account's list: whichever shows the end first settles it, once.

use generect_guard::clock::Clock;
use generect_guard::credits::Credits;
use generect_guard::ledger::{EntryKind, FindingKind, NoteKind};
use generect_guard::simulator::Fault;
use generect_guard::simulator::settings::{JobErrorCharge, JobPace, JobRows};
use jiff::SignedDuration;

use crate::jobs::{PHONES, books, items, poll, settled_at, submit};
use crate::reconcile::{LONG_ENOUGH, findings, noon, reconcile};
use crate::support::{Plan, World, credits};

/// Nobody knows whether a job is charged when it is submitted or when it ends.
const READINGS: [JobRows; 2] = [JobRows::AtSubmission, JobRows::AtEnd];

/// Jobs end when a test says so, and the guard's own polls come too late to matter.
fn plan(clock: &Clock) -> Plan {
    crate::reconcile::plan(clock)
        .set("account", "job_poll_interval = \"1h\"")
        .simulator(|settings| settings.job_pace = JobPace::ByHand)
}

/// The same, and the guard asks for its jobs as often as a test can wait for.
fn polling(clock: &Clock) -> Plan {
    crate::reconcile::plan(clock)
        .set("account", "job_poll_interval = \"20ms\"")
        .simulator(|settings| settings.job_pace = JobPace::ByHand)
}

/// What nothing explains yet.
fn open_findings(world: &World) -> Vec<(FindingKind, String, bool)> {
    let all = findings(world).into_iter();
    all.filter(|(_, _, is_open)| *is_open).collect()
}

/// What ended holds, in order.
fn endings(world: &World) -> Vec<(EntryKind, Credits, NoteKind)> {
    let entries = world.entries().into_iter();
    let ends = entries.filter(|entry| {
        matches!(
            entry.kind,
            EntryKind::Settled | EntryKind::Released | EntryKind::Corrected
        )
    });
    ends.map(|entry| (entry.kind, entry.amount, entry.evidence.unwrap().kind))
        .collect()
}

#[tokio::test]
async fn a_row_that_is_read_before_any_poll_settles_the_job_and_the_poll_changes_nothing() {
    for rows in READINGS {
        let clock = noon();
        let world = plan(&clock)
            .simulator(move |settings| settings.job_rows = rows)
            .start()
            .await;
        let job = submit(&world, &items(2, 1)).await;
        world.simulator.complete_jobs();
        clock.advance(SignedDuration::from_secs(1));
        let summary = reconcile(&world).await;
        assert!(summary.contains("1 settled at 0.8"), "{summary}");
        poll(&world, &job).await;
        settled_at(&world, "0.8").await;
        let world = world
            .restarted(plan(&clock).simulator(move |settings| settings.job_rows = rows))
            .await;
        poll(&world, &job).await;
        clock.advance(LONG_ENOUGH);
        reconcile(&world).await;
        let settled = (EntryKind::Settled, credits("0.8"), NoteKind::Transaction);
        assert_eq!(endings(&world), [settled]);
        assert_eq!(findings(&world), []);
        world.end_with_nothing_open().await;
    }
}

#[tokio::test]
async fn a_poll_that_comes_before_the_row_settles_the_job_and_the_row_is_tied_to_it() {
    for rows in READINGS {
        let clock = noon();
        let late = SignedDuration::from_secs(50);
        let plan = || {
            plan(&clock).simulator(move |settings| {
                settings.transaction_delay = late;
                settings.job_rows = rows;
            })
        };
        let world = plan().start().await;
        let job = submit(&world, &items(2, 1)).await;
        world.simulator.complete_jobs();
        poll(&world, &job).await;
        settled_at(&world, "0.8").await;
        reconcile(&world).await;
        let world = world.restarted(plan()).await;
        clock.advance(LONG_ENOUGH);
        let summary = reconcile(&world).await;
        assert!(summary.contains("1 tied to settled charges"), "{summary}");
        let settled = (EntryKind::Settled, credits("0.8"), NoteKind::Stated);
        assert_eq!(endings(&world), [settled]);
        assert_eq!(findings(&world), []);
        world.end_with_nothing_open().await;
    }
}

/// Also where the job runs for hours: its row is dated when the job was taken up.
#[tokio::test]
async fn a_job_of_hours_is_tied_to_the_row_of_its_submission() {
    for rows in READINGS {
        let clock = noon();
        let world = plan(&clock)
            .simulator(move |settings| settings.job_rows = rows)
            .start()
            .await;
        let job = submit(&world, &items(2, 1)).await;
        for _ in 0..5 {
            clock.advance(SignedDuration::from_hours(1));
            let summary = reconcile(&world).await;
            assert!(summary.contains("1 undecided"), "{summary}");
            assert_eq!(books(&world).await, ["0", "1.2", "0"], "it runs");
        }
        assert_eq!(findings(&world), []);
        world.simulator.complete_jobs();
        poll(&world, &job).await;
        settled_at(&world, "0.8").await;
        clock.advance(LONG_ENOUGH);
        reconcile(&world).await;
        assert_eq!(findings(&world), []);
        world.end_with_nothing_open().await;
    }
}

#[tokio::test]
async fn a_job_that_ends_in_error_is_settled_at_what_the_account_took() {
    for (charge, settled) in [
        (JobErrorCharge::Nothing, "0"),
        (JobErrorCharge::Half, "0.8"),
    ] {
        let clock = noon();
        let plan = || polling(&clock).simulator(move |settings| settings.job_error_charge = charge);
        let world = plan().start().await;
        submit(&world, &items(4, 0)).await;
        world.simulator.fail_jobs();
        settled_at(&world, settled).await;
        clock.advance(LONG_ENOUGH);
        reconcile(&world).await;
        let world = world.restarted(plan()).await;
        reconcile(&world).await;
        assert_eq!(endings(&world).len(), 1, "{charge:?}");
        assert_eq!(findings(&world), [], "{charge:?}");
        world.end_with_nothing_open().await;
    }
}

/// Nobody polls it, and a day later the upstream has forgotten it: its poll says 404, the hold is in
/// doubt, and the account's row is all that is left to know what it took.
#[tokio::test]
async fn a_job_that_nobody_asked_for_in_time_is_settled_by_its_row() {
    for rows in READINGS {
        let clock = noon();
        let world = plan(&clock)
            .simulator(move |settings| settings.job_rows = rows)
            .start()
            .await;
        submit(&world, &items(3, 0)).await;
        world.simulator.complete_jobs();
        clock.advance(SignedDuration::from_hours(25));
        let world = world.restarted(polling(&clock)).await;
        world
            .budget_when("growth-month", |budget| budget.in_doubt == credits("1.2"))
            .await;
        let summary = reconcile(&world).await;
        assert!(summary.contains("1 settled at 1.2"), "{summary}");
        settled_at(&world, "1.2").await;
        let settled = (EntryKind::Settled, credits("1.2"), NoteKind::Transaction);
        assert_eq!(endings(&world), [settled]);
        assert_eq!(findings(&world), []);
        world.end_with_nothing_open().await;
    }
}

/// The same, but it took nothing: there is no row, and the list, which shows such charges, is
/// complete.
#[tokio::test]
async fn a_job_that_nobody_asked_for_and_that_took_nothing_is_released() {
    let clock = noon();
    let world = plan(&clock).start().await;
    let shown = submit(&world, &items(1, 0)).await;
    world.simulator.complete_jobs();
    poll(&world, &shown).await;
    settled_at(&world, "0.4").await;
    clock.advance(LONG_ENOUGH);
    let summary = reconcile(&world).await;
    assert!(summary.contains("1 tied"), "{summary}");
    submit(&world, &items(3, 0)).await;
    world.simulator.fail_jobs();
    clock.advance(SignedDuration::from_hours(25));
    let world = world.restarted(polling(&clock)).await;
    world
        .budget_when("growth-month", |budget| budget.in_doubt == credits("1.2"))
        .await;
    reconcile(&world).await;
    assert_eq!(
        books(&world).await,
        ["0.4", "1.2", "1.2"],
        "a row may come yet"
    );
    clock.advance(LONG_ENOUGH);
    reconcile(&world).await;
    settled_at(&world, "0.4").await;
    assert_eq!(findings(&world), []);
    world.end_with_nothing_open().await;
}

/// The submission's answer is cut: nobody knows the job's id, and only its row can tell.
#[tokio::test]
async fn a_job_whose_id_nobody_knows_is_settled_by_its_row() {
    let clock = noon();
    let world = plan(&clock).start().await;
    let faults = world.simulator.faults();
    faults.next_on(1, PHONES, Fault::CutAfterCharge);
    assert_eq!(world.post(PHONES, &items(2, 1)).await.status, 504);
    world
        .budget_when("growth-month", |budget| budget.in_doubt == credits("1.2"))
        .await;
    clock.advance(SignedDuration::from_hours(1));
    let summary = reconcile(&world).await;
    assert!(
        summary.contains("1 undecided"),
        "it may still run: {summary}"
    );
    let world = world.restarted(plan(&clock)).await;
    world.simulator.complete_jobs();
    clock.advance(SignedDuration::from_secs(1));
    reconcile(&world).await;
    settled_at(&world, "0.8").await;
    assert_eq!(findings(&world), []);
    world.end_with_nothing_open().await;
}

/// Two jobs alike, one of which found less: rows are tied to holds, whatever the order of looking.
#[tokio::test]
async fn jobs_side_by_side_are_each_settled_once_by_polls_and_rows() {
    for rows in READINGS {
        let clock = noon();
        let world = plan(&clock)
            .simulator(move |settings| settings.job_rows = rows)
            .start()
            .await;
        let first = submit(&world, &items(3, 0)).await;
        clock.advance(SignedDuration::from_mins(2));
        let second = submit(&world, &items(1, 2)).await;
        world.simulator.complete_jobs();
        poll(&world, &second).await;
        world
            .budget_when("growth-month", |budget| budget.settled == credits("0.4"))
            .await;
        clock.advance(SignedDuration::from_secs(1));
        reconcile(&world).await;
        poll(&world, &first).await;
        settled_at(&world, "1.6").await;
        clock.advance(LONG_ENOUGH);
        reconcile(&world).await;
        assert_eq!(endings(&world).len(), 2);
        assert_eq!(open_findings(&world), []);
        world.end_with_nothing_open().await;
    }
}

/// The same where a job is charged at its end: its row is nobody's for a day, and then the job's that
/// had ended by then. Nothing is released while the job may still run.
#[tokio::test]
async fn a_job_whose_id_nobody_knows_and_that_is_charged_at_its_end_is_settled_a_day_later() {
    let clock = noon();
    let plan = || plan(&clock).simulator(|settings| settings.job_rows = JobRows::AtEnd);
    let world = plan().start().await;
    let shown = submit(&world, &items(1, 0)).await;
    world.simulator.complete_jobs();
    poll(&world, &shown).await;
    settled_at(&world, "0.4").await;
    clock.advance(LONG_ENOUGH);
    reconcile(&world).await;
    let faults = world.simulator.faults();
    faults.next_on(1, PHONES, Fault::CutAfterCharge);
    assert_eq!(world.post(PHONES, &items(2, 1)).await.status, 504);
    world
        .budget_when("growth-month", |budget| budget.in_doubt == credits("1.2"))
        .await;
    clock.advance(SignedDuration::from_hours(3));
    reconcile(&world).await;
    world.simulator.complete_jobs();
    clock.advance(SignedDuration::from_hours(3));
    reconcile(&world).await;
    assert_eq!(books(&world).await, ["0.4", "1.2", "1.2"], "still held");
    let world = world.restarted(plan()).await;
    clock.advance(SignedDuration::from_hours(20));
    reconcile(&world).await;
    settled_at(&world, "1.2").await;
    assert_eq!(open_findings(&world), []);
    world.end_with_nothing_open().await;
}
