//! The account never loses a micro-credit, whatever is called, in whatever order, with whatever
//! faults.

use std::time::Duration;

use generect_guard::credits::Credits;
use generect_guard::simulator::settings::{JobErrorCharge, TransactionGrain};
use generect_guard::simulator::{Fault, MetaFault, Prices, SimulatorSettings};
use proptest::prelude::*;

use crate::client::{Pretend, credits};

#[derive(Clone, Debug)]
enum Step {
    Post(&'static str, String),
    Fault(Fault),
    TopUp(i64),
    Elsewhere(i64),
    AdvanceJobs,
    FailJobs,
    Change(bool),
}

fn body(rows: u64, flag: bool) -> String {
    format!(
        "{{\"job_titles\":[\"matches:{rows}\"],\"industries\":[\"matches:{rows}\"],\
         \"limit_by\":40,\"full_data\":{flag},\"posts\":{flag},\"id\":\"FAKE{rows}\",\
         \"lead_id\":\"FAKE{rows}\",\"url\":\"https://x.example.com/{rows}\",\
         \"emails\":[\"a\",\"b\"],\"leads\":[{{\"lead_id\":\"FAKE{rows}\"}},\
         {{\"lead_id\":\"{}\"}}],\"profiles\":[{{\"id\":\"a\"}}],\
         \"lead_search_criteria\":{{\"job_titles\":[\"matches:{rows}\"],\"limit_by\":9}},\
         \"company_search_criteria\":{{\"industries\":[\"matches:{rows}\"],\"limit_by\":5}}}}",
        if flag { "not-found" } else { "job-error" }
    )
}

const PATHS: [&str; 12] = [
    "/api/v1/search/database/leads/",
    "/api/v1/search/realtime/companies/",
    "/api/v1/search/realtime/leads/count/",
    "/api/v1/search/realtime/company-leads/",
    "/api/v1/preview/leads/",
    "/api/v1/email/find/",
    "/api/v1/phone/find/bulk/",
    "/api/v1/profile/resolve/bulk/",
    "/api/v1/enrich/database/leads/bulk/",
    "/api/linkedin/leads/by_icp/",
    "/api/linkedin/leads/by_link/",
    "/api/linkedin/companies/by_icp/",
];

fn step() -> impl Strategy<Value = Step> {
    let fault = prop_oneof![
        Just(Fault::CutAfterCharge),
        Just(Fault::CutBeforeCharge),
        Just(Fault::CutMidBody),
        Just(Fault::Meta(MetaFault::Negative)),
        Just(Fault::Overrun(Credits::from_micros(777_777))),
        Just(Fault::FundsGone),
        any::<bool>().prop_map(|charged| Fault::Failure {
            status: 503,
            charged,
            says_charge: false
        }),
    ];
    prop_oneof![
        12 => (0..PATHS.len(), 0_u64..60, any::<bool>())
            .prop_map(|(path, rows, flag)| Step::Post(PATHS[path], body(rows, flag))),
        4 => fault.prop_map(Step::Fault),
        1 => (1_i64..5_000_000).prop_map(Step::TopUp),
        1 => (1_i64..5_000_000).prop_map(Step::Elsewhere),
        1 => Just(Step::AdvanceJobs),
        1 => Just(Step::FailJobs),
        1 => any::<bool>().prop_map(Step::Change),
    ]
}

/// The sum of the `success` rows of calls: what the transactions list says was charged.
async fn listed(pretend: &Pretend) -> Credits {
    let path = "/api/v1/accounts/transactions/?status=success&limit=1000000&credits__lt=0";
    let list = pretend.get(path).await.json();
    let rows = list["data"]["transactions"].as_array().unwrap().clone();
    rows.iter()
        .filter(|row| row["type"] != "elsewhere")
        .map(|row| credits(&row["credits"].to_string()).magnitude())
        .sum()
}

fn change(pretend: &Pretend, fine: bool) {
    pretend.simulator.change(|settings| {
        settings.transaction_grain = if fine {
            TransactionGrain::PerResult
        } else {
            TransactionGrain::PerRequest
        };
        settings.job_error_charge = if fine {
            JobErrorCharge::Half
        } else {
            JobErrorCharge::Nothing
        };
        settings.prices = if fine {
            Prices::before_august()
        } else {
            Prices::default()
        };
    });
}

async fn play(steps: Vec<Step>, start: Credits) {
    let pretend = Pretend::with(SimulatorSettings {
        balance: start,
        hit_percent: 70,
        section_hit_percent: 50,
        ..SimulatorSettings::default()
    })
    .await;
    let mut expected = start;
    for step in steps {
        match step {
            Step::Post(path, body) => {
                let before = pretend.simulator.truth().total_charged();
                let funds = pretend.simulator.balance();
                let answer = pretend.try_post(path, &body, &[]).await;
                let after = pretend.simulator.truth().total_charged();
                if let Ok(answer) = answer
                    && answer.status.is_client_error()
                {
                    assert_eq!(before, after, "a refusal is free: {path}");
                    assert_eq!(funds, pretend.simulator.balance());
                }
            }
            Step::Fault(fault) => pretend.simulator.faults().next(1, fault),
            Step::TopUp(micros) => {
                pretend.simulator.top_up(Credits::from_micros(micros));
                expected = expected.saturating_add(Credits::from_micros(micros));
            }
            Step::Elsewhere(micros) => {
                let amount = Credits::from_micros(micros);
                pretend.simulator.spend_elsewhere("elsewhere", amount);
                expected = expected.saturating_sub(amount);
            }
            Step::AdvanceJobs => pretend.simulator.advance_jobs(),
            Step::FailJobs => {
                pretend.simulator.fail_jobs();
            }
            Step::Change(fine) => change(&pretend, fine),
        }
    }
    pretend.simulator.complete_jobs();
    let truth = pretend.simulator.truth();
    let charges: Credits = truth.charges().iter().map(|charged| charged.amount).sum();
    assert_eq!(charges, truth.total_charged());
    assert_eq!(pretend.simulator.set_aside(), Credits::ZERO);
    assert_eq!(
        expected.saturating_sub(charges),
        pretend.simulator.balance()
    );
    assert!(truth.adds_up());
    assert_eq!(listed(&pretend).await, charges);
    assert_eq!(
        truth.charged_by_path().values().copied().sum::<Credits>(),
        charges
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn no_micro_is_lost(steps in prop::collection::vec(step(), 1..40), start in 0_i64..40_000_000) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(steps, Credits::from_micros(start)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_callers_at_once_cannot_overdraw_the_account() {
    let pretend = std::sync::Arc::new(
        Pretend::with(SimulatorSettings {
            balance: credits("1"),
            latency: Duration::from_millis(20),
            ..SimulatorSettings::default()
        })
        .await,
    );
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let pretend = std::sync::Arc::clone(&pretend);
        callers.spawn(async move {
            let answer = pretend
                .post("/api/v1/email/find/", r#"{"lead_id":"FAKE1"}"#)
                .await;
            answer.status.as_u16()
        });
    }
    let statuses = callers.join_all().await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 50);
    assert_eq!(statuses.iter().filter(|status| **status == 402).count(), 50);
    assert_eq!(pretend.simulator.balance(), credits("0"));
    assert_eq!(pretend.total(), credits("1"));
}
