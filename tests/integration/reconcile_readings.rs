//! What the vendor does not say, each reading of it run (dossier section 7).

use generect_guard::credits::Credits;
use generect_guard::ledger::FindingKind;
use generect_guard::simulator::Fault;
use generect_guard::simulator::lists::ListKinds;
use generect_guard::simulator::settings::{
    BalanceShown, FundsStatus, JobPace, LegacyAmounts, TransactionGrain,
};
use jiff::SignedDuration;

use crate::account_floors::next_reading;
use crate::jobs::{items, poll, submit};
use crate::reconcile::{
    LONG_ENOUGH, SEARCH, findings, in_doubt, noon, plan, reconcile, search, world_that_was_shown,
};
use crate::reconcile_findings::{adds_up, doubt};
use crate::support::credits;

const LEADS: &str = "/api/linkedin/leads/by_icp/";

/// One row a request, or one a result; and a kind that says what was called, that says nothing, or
/// that nobody can read. Charges, doubts and somebody else's spending are told apart all the same.
#[tokio::test]
async fn a_row_is_a_request_or_a_result_and_its_kind_says_something_or_nothing() {
    for grain in [TransactionGrain::PerRequest, TransactionGrain::PerResult] {
        for kinds in [
            ListKinds::Operations,
            ListKinds::Platform,
            ListKinds::Scrambled,
        ] {
            let clock = noon();
            let plan = plan(&clock).simulator(move |settings| {
                settings.transaction_grain = grain;
                settings.lists.kinds = kinds;
            });
            let world = plan.start().await;
            for rows in [3, 1, 4, 1, 5, 9, 2, 6] {
                assert_eq!(search(&world, rows).await, 200);
                clock.advance(SignedDuration::from_secs(40));
            }
            clock.advance(LONG_ENOUGH);
            let summary = reconcile(&world).await;
            assert!(
                summary.contains("8 tied to settled charges") || summary.contains("31 tied"),
                "{grain:?} {kinds:?}: {summary}"
            );
            assert_eq!(findings(&world), [], "{grain:?} {kinds:?}");
            doubt(&world, 3, Fault::CutAfterCharge).await;
            clock.advance(LONG_ENOUGH);
            reconcile(&world).await;
            assert_eq!(in_doubt(&world).await, Credits::ZERO, "{grain:?} {kinds:?}");
            adds_up(&world, "0.68").await;
            assert_eq!(findings(&world), [], "{grain:?} {kinds:?}");
            world.simulator.spend_elsewhere("app", credits("1.5"));
            clock.advance(LONG_ENOUGH);
            reconcile(&world).await;
            assert_eq!(
                findings(&world),
                [(FindingKind::TheirsOnly, "1.5".into(), true)],
                "{grain:?} {kinds:?}"
            );
            world.end_with_nothing_open().await;
        }
    }
}

/// Legacy answers state counts or money. With the right setting books and list agree; with the wrong
/// one the charge is recorded wrongly, and the list shows it.
#[tokio::test]
async fn legacy_amounts_are_counts_or_money() {
    for (theirs, ours, settled, drift) in [
        (LegacyAmounts::Counts, "counts", "0.12", None),
        (LegacyAmounts::Money, "money", "0.12", None),
        (LegacyAmounts::Counts, "money", "3", Some("-2.88")),
    ] {
        let clock = noon();
        let plan = plan(&clock)
            .set("catalogue", &format!("legacy_amounts = \"{ours}\""))
            .simulator(move |settings| settings.legacy_amounts = theirs);
        let world = plan.start().await;
        let answer = world.post(LEADS, r#"{"limit_by":3}"#).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        world
            .budget_when("growth-month", |budget| budget.settled == credits(settled))
            .await;
        clock.advance(LONG_ENOUGH);
        reconcile(&world).await;
        adds_up(&world, "0.12").await;
        let open: Vec<_> = findings(&world)
            .into_iter()
            .filter(|(kind, _, is_open)| *is_open && *kind != FindingKind::UnexpectedPrice)
            .map(|(kind, drift, _)| (kind, drift))
            .collect();
        let expected = drift.map(|drift| (FindingKind::AmountDiffers, drift.to_owned()));
        assert_eq!(open, Vec::from_iter(expected), "{theirs:?} {ours}");
        world.end_with_nothing_open().await;
    }
}

/// The legacy list has the same charges under other words and in pages of a hundred at most.
#[tokio::test]
async fn the_legacy_list_is_read_as_the_other() {
    let clock = noon();
    let plan = || plan(&clock).set("reconciliation", "source = \"legacy\"");
    let world = world_that_was_shown(&clock, plan()).await;
    doubt(&world, 3, Fault::CutAfterCharge).await;
    clock.advance(LONG_ENOUGH);
    let summary = reconcile(&world).await;
    assert!(summary.contains("1 settled at 0.06"), "{summary}");
    doubt(&world, 3, Fault::CutBeforeCharge).await;
    clock.advance(LONG_ENOUGH);
    let summary = reconcile(&world).await;
    assert!(summary.contains("1 released"), "{summary}");
    assert_eq!(findings(&world), []);
    adds_up(&world, "0.08").await;
    world.end_with_nothing_open().await;
}

/// Jobs between readings: the summary says which of the two the balance seems to be.
#[tokio::test]
async fn a_balance_is_gross_or_net_of_what_jobs_may_take() {
    tokio::join!(
        seems_to_be(BalanceShown::Gross, "gross of running jobs"),
        seems_to_be(BalanceShown::Net, "net of running jobs"),
    );
}

async fn seems_to_be(shown: BalanceShown, words: &str) {
    let clock = noon();
    let plan = plan(&clock)
        .set("account", "poll_interval = \"1s\"")
        .set("account", "job_poll_interval = \"1h\"")
        .simulator(move |settings| {
            settings.balance_shown = shown;
            settings.job_pace = JobPace::ByHand;
        });
    let world = plan.start().await;
    world.account_read().await;
    let summary = reconcile(&world).await;
    assert!(!summary.contains("the balance seems"), "{summary}");
    let read = async || {
        clock.advance(SignedDuration::from_secs(5));
        next_reading(&world).await;
        reconcile(&world).await;
        clock.advance(SignedDuration::from_secs(5));
    };
    for settled in ["0.4", "0.8"] {
        let job = submit(&world, &items(1, 2)).await;
        read().await;
        world.simulator.complete_jobs();
        poll(&world, &job).await;
        world
            .budget_when("growth-month", |budget| budget.settled == credits(settled))
            .await;
        read().await;
    }
    let summary = reconcile(&world).await;
    let expected = format!("the balance seems to be {words}");
    assert!(summary.contains(&expected), "{shown:?}: {summary}");
    world.end_with_nothing_open().await;
}

/// The upstream's no for want of funds is a 402, or a 400 with that text: the account counts as empty
/// at once, until a reading that was begun after it says otherwise.
#[tokio::test]
async fn funds_are_refused_with_a_402_or_a_400() {
    let body = |name: &str| format!(r#"{{"limit_by":3,"job_titles":["{name}"]}}"#);
    for status in [FundsStatus::PaymentRequired, FundsStatus::BadRequest] {
        let clock = noon();
        let plan = plan(&clock)
            .set("account", "when_stale = \"refuse\"")
            .set("account", "poll_interval = \"1s\"")
            .simulator(move |settings| settings.funds_status = status);
        let world = plan.start().await;
        world.account_read().await;
        assert_eq!(world.post(SEARCH, &body("before")).await.status, 200);
        clock.advance(SignedDuration::from_secs(30));
        // No question about the account is answered until the fault is cleared.
        let faults = world.simulator.faults();
        faults.next_on(1, SEARCH, Fault::FundsGone);
        let failure = Fault::Failure {
            status: 500,
            charged: false,
            says_charge: false,
        };
        faults.on("/api/v1/accounts/me/", failure);
        let refused = world.post(SEARCH, &body("gone")).await;
        assert!([402, 400].contains(&refused.status), "{}", refused.text);
        assert_eq!(refused.refusal(), "", "the upstream's own no");
        let next = world.post(SEARCH, &body("next")).await;
        assert_eq!(
            (next.status, next.refusal()),
            (402, "account_low"),
            "{status:?} {}",
            next.text
        );
        clock.advance(SignedDuration::from_secs(1));
        world.simulator.faults().clear();
        let mut passed = false;
        for call in 0..400 {
            passed = world.post(SEARCH, &body(&format!("{call}"))).await.status == 200;
            if passed {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert!(passed, "{status:?}: it was read again");
        clock.advance(LONG_ENOUGH);
        reconcile(&world).await;
        assert_eq!(findings(&world), [], "{status:?}");
        adds_up(&world, "0.12").await;
        world.end_with_nothing_open().await;
    }
}
