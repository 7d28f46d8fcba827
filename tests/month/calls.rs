//! The calls of a month: what is asked, and what goes wrong with it.

use std::time::Duration;

use generect_guard::simulator::{Fault, MetaFault};
use rand::RngExt;
use rand::rngs::StdRng;

use crate::support::credits;
use crate::support::traffic::place_of_job;

/// Every operation that is called: its name in the books, its path, and how often of a hundred.
const OPERATIONS: [(&str, &str, u32); 6] = [
    (
        "search_database_leads",
        "/api/v1/search/database/leads/",
        35,
    ),
    (
        "search_realtime_leads",
        "/api/v1/search/realtime/leads/",
        20,
    ),
    (
        "enrich_database_company",
        "/api/v1/enrich/database/company/",
        15,
    ),
    ("email_find", "/api/v1/email/find/", 15),
    ("email_find_bulk", "/api/v1/email/find/bulk/", 8),
    (
        "enrich_database_leads_bulk",
        "/api/v1/enrich/database/leads/bulk/",
        7,
    ),
];

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    pub operation: &'static str,
    pub path: &'static str,
    pub body: String,
}

impl Call {
    /// Any call, unlike every other: the `number` stands in it.
    pub fn any(number: u64, random: &mut StdRng) -> Self {
        let mut dice = random.random_range(0..100);
        let mut operations = OPERATIONS.iter().copied();
        let chosen = operations.find(|(_, _, share)| {
            let is_it = dice < *share;
            dice = dice.saturating_sub(*share);
            is_it
        });
        let (operation, path, _) = chosen.unwrap_or(OPERATIONS[0]);
        Self {
            operation,
            path,
            body: body_of(operation, number, random),
        }
    }

    /// Where its job is asked for.
    pub fn place_of_job(&self, job: &str) -> String {
        place_of_job(self.operation, job)
    }
}

fn body_of(operation: &str, number: u64, random: &mut StdRng) -> String {
    let some = random.random_range(1..5);
    let is_doomed = random.random_range(0..10) == 0;
    let person = |index: u64| {
        let name = if is_doomed && index == 0 && operation == "email_find_bulk" {
            "job-error".to_owned()
        } else {
            format!("P{index}")
        };
        format!(r#"{{"first_name":"{name}","last_name":"N{number}","domain":"example.com"}}"#)
    };
    let list = |one: &dyn Fn(u64) -> String| (0..some).map(one).collect::<Vec<_>>().join(",");
    match operation {
        "email_find" => person(0),
        "email_find_bulk" => format!(r#"{{"leads":[{}]}}"#, list(&person)),
        "enrich_database_company" => format!(r#"{{"domain":"c{number}.example.com"}}"#),
        "enrich_database_leads_bulk" => {
            let lead = |index: u64| format!(r#"{{"id":"l{number}-{index}"}}"#);
            format!(r#"{{"leads":[{}]}}"#, list(&lead))
        }
        _ => {
            let most = some + random.random_range(0..4);
            format!(
                r#"{{"job_titles":["matches:{some}"],"keywords":["call {number}"],"limit_by":{most}}}"#
            )
        }
    }
}

/// Any misfortune of a call. The flag: whether it takes more than it was allowed to.
pub fn misfortune(random: &mut StdRng) -> (Fault, bool) {
    let charged = random.random_bool(0.5);
    let fault = match random.random_range(0..15) {
        0 | 1 => Fault::CutBeforeCharge,
        2..=4 => Fault::CutAfterCharge,
        5 => Fault::CutMidBody,
        6 => Fault::Failure {
            status: 500,
            charged,
            says_charge: false,
        },
        7 => Fault::Failure {
            status: 502,
            charged,
            says_charge: true,
        },
        8 => Fault::Html {
            status: if charged { 200 } else { 503 },
            charged,
        },
        9 => Fault::Meta(MetaFault::Missing),
        10 => Fault::Meta(MetaFault::Null),
        11 => Fault::TruncatedJson,
        12 => Fault::Throttled {
            retry_after_s: None,
        },
        13 => Fault::FundsGone,
        _ => return (Fault::Overrun(credits("0.11")), true),
    };
    (fault, false)
}

/// A call that hangs until the guard dies.
pub fn hangs(random: &mut StdRng) -> Fault {
    let charged = random.random_bool(0.5);
    if random.random_bool(0.5) {
        return Fault::NeverAnswers { charged };
    }
    Fault::SlowHeaders(Duration::from_millis(300))
}
