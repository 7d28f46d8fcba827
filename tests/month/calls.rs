//! The calls of a month: what is asked, and what goes wrong with it.

use std::time::Duration;

use generect_guard::simulator::{Fault, MetaFault};
use rand::RngExt;
use rand::rngs::StdRng;

use crate::support::{asked, credits};

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
        let (operation, path) = asked::operation_of(random.random_range(0..100));
        Self {
            operation,
            path,
            body: body_of(operation, number, random),
        }
    }

    /// Where its job is asked for.
    pub fn place_of_job(&self, job: &str) -> String {
        asked::place_of_job(self.operation, job)
    }
}

fn body_of(operation: &str, number: u64, random: &mut StdRng) -> String {
    let some = random.random_range(1..5);
    let is_doomed = random.random_range(0..10) == 0;
    let name = |index: u64| {
        if is_doomed && index == 0 && operation == "email_find_bulk" {
            "job-error".to_owned()
        } else {
            format!("P{index}")
        }
    };
    asked::body_of(operation, number, some, name, || {
        (some, some + random.random_range(0..4))
    })
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
