//! From a quote to a charge: what each way an exchange can end does to the books.

use generect_guard::credits::Credits;
use generect_guard::ledger::EntryKind;
use generect_guard::simulator::{CodingFault, Fault, MetaFault};

use crate::support::{Plan, World, credits};

const ENRICH: &str = "/api/v1/enrich/database/lead/";
const SEARCH: &str = "/api/v1/search/database/leads/";
const TEN_ROWS: &str = r#"{"job_titles":["matches:3"],"limit_by":10}"#;

/// What the books hold after all is settled: settled, in doubt.
async fn books(world: &World) -> (Credits, Credits) {
    let budget = world
        .budget_when("growth-month", |budget| budget.held == budget.in_doubt)
        .await;
    (budget.settled, budget.in_doubt)
}

#[tokio::test]
async fn a_call_is_held_at_its_most_and_settled_at_what_was_charged() {
    let world = Plan::one_team("200").start().await;
    let answer = world.post(SEARCH, TEN_ROWS).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("guard-quote"), "0.2");
    assert_eq!(answer.header("guard-charge"), "0.06");
    assert_eq!(answer.header("guard-budget"), "growth-month");
    assert_eq!(answer.header("guard-remaining"), "199.94");
    assert_eq!(books(&world).await, (credits("0.06"), Credits::ZERO));
    assert_eq!(world.simulator.truth().total_charged(), credits("0.06"));
    let entries = world.end_with_nothing_open().await;
    let kinds: Vec<_> = entries
        .iter()
        .map(|entry| (entry.kind, entry.amount))
        .collect();
    let expected = [
        (EntryKind::Held, credits("0.2")),
        (EntryKind::Settled, credits("0.06")),
    ];
    assert_eq!(kinds, expected);
}

#[tokio::test]
async fn a_miss_that_is_refused_with_400_gives_the_hold_back() {
    let world = Plan::one_team("200").start().await;
    let answer = world
        .post(
            ENRICH,
            r#"{"linkedin_url":"https://www.linkedin.com/in/not-found-1/"}"#,
        )
        .await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert_eq!(
        answer.refusal(),
        "",
        "the upstream's no is passed on as it came"
    );
    assert_eq!(books(&world).await, (Credits::ZERO, Credits::ZERO));
    let entries = world.end_with_nothing_open().await;
    assert_eq!(entries.last().unwrap().kind, EntryKind::Released);
}

#[tokio::test]
async fn free_calls_leave_no_trace_in_the_books() {
    let world = Plan::one_team("200").start().await;
    let answer = world
        .post("/api/v1/search/database/leads/count/", TEN_ROWS)
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json()["data"]["results_count"], 3);
    assert!(world.entries().is_empty());
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn unknown_is_not_zero() {
    // Each of these was charged, and none of the answers says so in a way that can be trusted.
    for fault in [
        Fault::Meta(MetaFault::Missing),
        Fault::Meta(MetaFault::ChargeMissing),
        Fault::Meta(MetaFault::Null),
        Fault::Meta(MetaFault::Negative),
        Fault::Meta(MetaFault::Word),
        Fault::Meta(MetaFault::InRowsOnly),
        Fault::Meta(MetaFault::Duplicate),
        Fault::Meta(MetaFault::Broken),
        Fault::Coding(CodingFault::Unknown),
        Fault::Coding(CodingFault::TruncatedGzip),
        Fault::TruncatedJson,
        Fault::LengthTooLong,
        Fault::LengthTooShort,
        Fault::CutAfterCharge,
        Fault::CutMidBody,
        Fault::Html {
            status: 200,
            charged: true,
        },
        Fault::Failure {
            status: 500,
            charged: true,
            says_charge: false,
        },
        Fault::Failure {
            status: 502,
            charged: true,
            says_charge: false,
        },
        Fault::Redirect {
            status: 302,
            charged: true,
        },
    ] {
        let world = Plan::one_team("200").start().await;
        world.simulator.faults().next_on(1, SEARCH, fault.clone());
        let answer = world.post(SEARCH, TEN_ROWS).await;
        assert_eq!(answer.header("guard-charge"), "", "{fault:?}");
        let (settled, in_doubt) = books(&world).await;
        assert_eq!(
            (settled, in_doubt),
            (Credits::ZERO, credits("0.2")),
            "{fault:?}: {answer:?}"
        );
        assert!(
            world.simulator.truth().total_charged() <= in_doubt,
            "{fault:?}"
        );
        world.end().await;
    }
}

#[tokio::test]
async fn a_charge_is_read_however_it_is_written() {
    for (fault, charge) in [
        (Fault::Meta(MetaFault::Text), "0.06"),
        (Fault::Meta(MetaFault::Exponent), "0.06"),
        (Fault::Meta(MetaFault::BinaryNoise), "0.06"),
        (Fault::Coding(CodingFault::Gzip), "0.06"),
        (Fault::Huge { bytes: 3_000_000 }, "0.06"),
        (
            Fault::Failure {
                status: 500,
                charged: true,
                says_charge: true,
            },
            "0.06",
        ),
        (
            Fault::SlowBody {
                pause: std::time::Duration::from_millis(2),
                chunk_bytes: 7,
            },
            "0.06",
        ),
    ] {
        let world = Plan::one_team("200").start().await;
        world.simulator.faults().next_on(1, SEARCH, fault.clone());
        let answer = world.post(SEARCH, TEN_ROWS).await;
        assert_eq!(
            books(&world).await,
            (credits(charge), Credits::ZERO),
            "{fault:?} {}",
            answer.status
        );
        world.end_with_nothing_open().await;
    }
}

#[tokio::test]
async fn a_charge_above_its_hold_is_recorded_in_full() {
    let world = Plan::one_team("200").start().await;
    world
        .simulator
        .faults()
        .next_on(1, SEARCH, Fault::Overrun(credits("5")));
    let answer = world.post(SEARCH, TEN_ROWS).await;
    let truth = world.simulator.truth().total_charged();
    assert!(truth > credits("0.2"));
    assert_eq!(answer.header("guard-charge"), truth.to_string());
    assert_eq!(books(&world).await, (truth, Credits::ZERO));
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn legacy_answers_without_an_amount_are_estimated_and_marked() {
    let world = Plan::one_team("200").start().await;
    let body = r#"[{"first_name":"Person","last_name":"Seventeen","domain":"example.com"}]"#;
    let answer = world.post("/api/linkedin/email_finder/", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let truth = world.simulator.truth().total_charged();
    assert_eq!(books(&world).await, (truth, Credits::ZERO));
    let entries = world.end_with_nothing_open().await;
    let settled = entries.last().unwrap();
    assert_eq!(settled.kind, EntryKind::Settled);
    assert!(format!("{settled:?}").contains("stimated"), "{settled:?}");
}

#[tokio::test]
async fn test_mode_takes_nothing_when_token_and_answer_agree() {
    let world = Plan::one_team("200")
        .token(generect_guard::simulator::TEST_TOKEN)
        .start()
        .await;
    let answer = world.post(SEARCH, TEN_ROWS).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.header("x-generect-mode"), "test");
    assert_eq!(answer.header("guard-charge"), "0");
    assert_eq!(books(&world).await, (Credits::ZERO, Credits::ZERO));
    world.end_with_nothing_open().await;
}

#[tokio::test]
async fn an_upstream_that_is_not_there_holds_nothing() {
    let plan = Plan::one_team("200").set("upstream", "connect_timeout = \"1s\"");
    let world = plan.start().await;
    world
        .simulator
        .faults()
        .listen(generect_guard::simulator::Listening::Refusing)
        .await;
    let answer = world.post(SEARCH, TEN_ROWS).await;
    assert_eq!(
        (answer.status, answer.refusal()),
        (502, "upstream_unreachable"),
        "{}",
        answer.text
    );
    assert_eq!(books(&world).await, (Credits::ZERO, Credits::ZERO));
    world.end_with_nothing_open().await;
}
