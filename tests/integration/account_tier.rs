//! The account's own prices, in a running guard: a new tier is in the next quote.

use std::time::Duration;

use generect_guard::credits::Credits;
use generect_guard::ledger::FindingKind;
use generect_guard::simulator::settings::TierPage;

use crate::reconcile::{SEARCH, findings, noon, plan, reconcile, search};
use crate::support::{World, credits};

/// The quote of a search for `rows` that finds nobody.
async fn quote(world: &World, call: usize) -> Credits {
    let body = format!(r#"{{"limit_by":10,"job_titles":["matches:0 {call}"]}}"#);
    let answer = world.post(SEARCH, &body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    credits(answer.header("guard-quote"))
}

/// Waits until the quote of ten rows is this; prices are asked for at most every six seconds.
async fn quote_becomes(world: &World, wanted: &str) {
    let mut last = Credits::ZERO;
    for call in 0..1_000 {
        last = quote(world, call).await;
        if last == credits(wanted) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the quote is {last} and never was {wanted}");
}

#[tokio::test]
async fn the_accounts_own_prices_are_in_the_first_quotes() {
    let clock = noon();
    let plan = plan(&clock).simulator(|settings| settings.prices.database = credits("0.016"));
    let world = plan.start().await;
    quote_becomes(&world, "0.16").await;
    assert_eq!(search(&world, 3).await, 200);
    reconcile(&world).await;
    assert_eq!(findings(&world), [], "the price that was told is expected");
    world.end_with_nothing_open().await;
}

/// The account moves to another tier while the guard runs: the first charge that departs from its
/// price is a finding, the prices are asked for again, and the next quote has them.
#[tokio::test]
async fn a_new_tier_at_run_time_is_in_the_next_quote() {
    let clock = noon();
    let world = plan(&clock).start().await;
    quote_becomes(&world, "0.2").await;
    world
        .simulator
        .change(|settings| settings.prices.database = credits("0.018"));
    assert_eq!(search(&world, 3).await, 200);
    reconcile(&world).await;
    let expected = [(FindingKind::UnexpectedPrice, "0".to_owned(), true)];
    assert_eq!(findings(&world), expected);
    quote_becomes(&world, "0.18").await;
    assert_eq!(search(&world, 4).await, 200);
    reconcile(&world).await;
    assert_eq!(findings(&world), expected, "the new price is expected");
    world.end_with_nothing_open().await;
}

/// A page that says nonsense, says nothing, or is gone: the price that was known stays.
#[tokio::test]
async fn a_tier_page_that_says_nonsense_changes_no_price() {
    for page in [
        TierPage::Says(r#"{"api_cached":"soon","api_realtime":-1}"#.to_owned()),
        TierPage::Says(r#"{"api_cached":0}"#.to_owned()),
        TierPage::Says("[]".to_owned()),
        TierPage::Absent,
        TierPage::Forbidden,
    ] {
        let clock = noon();
        let plan = plan(&clock).simulator(|settings| settings.tier_page = page.clone());
        let world = plan.start().await;
        let asked = || {
            let seen = world.simulator.truth().requests();
            seen.iter().any(|seen| seen.path.contains("/my-tier/"))
        };
        while !asked() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for call in 0..10 {
            assert_eq!(quote(&world, call).await, credits("0.2"), "{page:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        world.end_with_nothing_open().await;
    }
}

/// The same at run time: what the account said last that made sense is still in the quotes.
#[tokio::test]
async fn nonsense_after_a_price_keeps_the_price() {
    let clock = noon();
    let plan = plan(&clock).simulator(|settings| settings.prices.database = credits("0.016"));
    let world = plan.start().await;
    quote_becomes(&world, "0.16").await;
    let nonsense = TierPage::Says(r#"{"api_cached":"soon"}"#.to_owned());
    world.simulator.change(move |settings| {
        settings.prices.database = credits("0.015");
        settings.tier_page = nonsense;
    });
    let questions = || {
        let seen = world.simulator.truth().requests();
        let tier = seen.iter().filter(|seen| seen.path.contains("/my-tier/"));
        tier.count()
    };
    let before = questions();
    assert_eq!(search(&world, 3).await, 200);
    reconcile(&world).await;
    while questions() == before {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for call in 0..10 {
        assert_eq!(quote(&world, call).await, credits("0.16"));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    world.end_with_nothing_open().await;
}
