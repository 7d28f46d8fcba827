//! How long a million settled charges beside a million rows take, one in a hundred of them missing,
//! foreign or in doubt. Prints seconds and the most memory the process ever had.

#![expect(clippy::print_stdout, reason = "a benchmark's figures are its output")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run should stop"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures the real time"
)]

use std::time::{Duration, Instant};

use generect_guard::credits::Credits;
use generect_guard::ids::OperationName;
use generect_guard::reconciliation::matching::{Charge, Doubt, Grain, Known, Question, answer};
use generect_guard::transaction::{
    Transaction, TransactionId, TransactionSource, TransactionStatus,
};
use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const CALLS: i64 = 1_000_000;
/// A row for each result: so many rows are those of fewer calls.
const ROWS_MAX: usize = 1_000_000;
/// What one result takes.
const UNIT: Credits = Credits::from_micros(20_000);
/// One call in so many lacks its row, one has a foreign row beside it, one is in doubt.
const DISTURBED: i64 = 300;
/// What calls are apart: a day of ten a second, or a month of less than one.
const STEPS: [(&str, SignedDuration); 2] = [
    ("a month", SignedDuration::from_millis(2_600)),
    ("a day", SignedDuration::from_millis(86)),
];
/// Wide enough for a clock that is seconds off.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(5);
const OPERATIONS: [&str; 8] = [
    "search_database_leads",
    "search_database_companies",
    "search_realtime_leads",
    "enrich_database_lead",
    "enrich_realtime_lead",
    "email_find",
    "email_validate",
    "phone_find",
];

struct History {
    charges: Vec<Charge>,
    doubts: Vec<Doubt>,
    rows: Vec<Transaction>,
    end: Timestamp,
}

/// A call of any operation: two in three take one price, the others up to a hundred.
fn history(step: SignedDuration, is_scrambled: bool, grain: Grain) -> History {
    let mut random = StdRng::seed_from_u64(1);
    let begin: Timestamp = "2026-03-01T00:00:00Z".parse().unwrap();
    let mut history = History {
        charges: Vec::new(),
        doubts: Vec::new(),
        rows: Vec::new(),
        end: begin,
    };
    for number in 1..=CALLS {
        if history.rows.len() >= ROWS_MAX {
            break;
        }
        let began = begin + step * i32::try_from(number).unwrap();
        let lasted = SignedDuration::from_millis(random.random_range(50..20_000));
        let operation = random.random_range(0..OPERATIONS.len());
        let units = if random.random_range(0..3) > 0 {
            1
        } else {
            random.random_range(1..=100)
        };
        let amount = Credits::from_micros(UNIT.micros() * units);
        let (from, to) = (began - TOLERANCE, began + lasted + TOLERANCE);
        let hold = number.to_string().parse().unwrap();
        let name: OperationName = OPERATIONS[operation].into();
        let kind = if is_scrambled {
            format!("kind {operation}")
        } else {
            OPERATIONS[operation].into()
        };
        let disturbance = random.random_range(0..DISTURBED);
        if disturbance == 0 {
            history.doubts.push(Doubt {
                hold,
                operation: name,
                most: Credits::from_micros(2_000_000),
                began_at: began,
                from,
                to,
                group: random.random_range(0..20),
                is_job: false,
                overdue: false,
            });
        } else {
            history.charges.push(Charge {
                hold,
                operation: name,
                amount,
                from,
                to,
            });
        }
        let copies = match disturbance {
            1 => 0,
            2 => 2,
            _ => 1,
        };
        for copy in 0..copies {
            let at = began + SignedDuration::from_millis(random.random_range(0..50));
            let at = at + SignedDuration::from_secs(copy);
            let id = format!("{number}-{copy}");
            history.rows.extend(rows(grain, &id, &kind, units, at));
        }
        history.end = to;
    }
    history
}

/// The rows of a call with so many results.
fn rows(grain: Grain, id: &str, kind: &str, units: i64, at: Timestamp) -> Vec<Transaction> {
    let (count, each) = match grain {
        Grain::PerRequest => (1, units),
        Grain::PerResult => (units, 1),
    };
    let amount = Credits::from_micros(UNIT.micros() * each);
    (0..count)
        .map(|result| row(format!("{id}-{result}"), kind, amount, at))
        .collect()
}

fn row(id: String, kind: &str, amount: Credits, at: Timestamp) -> Transaction {
    Transaction {
        id: TransactionId {
            source: TransactionSource::V1,
            id: id.into(),
        },
        at,
        kind: kind.into(),
        amount: Credits::from_micros(-amount.micros()),
        status: TransactionStatus::Success,
    }
}

/// The processor time this thread has had: what it takes where nobody else wants the core.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split_whitespace().next().map(str::parse);
    Duration::from_nanos(nanos.unwrap_or(Ok(0)).unwrap())
}

/// The most memory this process ever had, as the system counts it.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.unwrap_or("unknown").trim().to_owned()
}

fn main() {
    println!("before anything: {}", peak());
    for (span, step) in STEPS {
        for (kinds, is_scrambled, is_overdue, grain) in [
            ("documented", false, false, Grain::PerRequest),
            ("never seen", true, false, Grain::PerRequest),
            ("documented, doubts overdue", false, true, Grain::PerRequest),
            (
                "documented, a row for each result",
                false,
                false,
                Grain::PerResult,
            ),
            (
                "never seen, a row for each result",
                true,
                false,
                Grain::PerResult,
            ),
        ] {
            let mut history = history(step, is_scrambled, grain);
            for doubt in &mut history.doubts {
                doubt.overdue = is_overdue;
            }
            let operations = OPERATIONS.map(Into::into);
            let with_question = peak();
            let (started, before) = (Instant::now(), processor_time());
            let question = Question {
                charges: &history.charges,
                rowless: &[],
                doubts: &history.doubts,
                live: &[],
                operations: &operations,
                allocated: &[],
                rows: &history.rows,
                complete_until: history.end,
            };
            let found = answer(question, &Known::default());
            let (took, processor) = (started.elapsed(), processor_time() - before);
            println!(
                "{span}, kinds {kinds}: {} charges, {} doubts, {} rows in {:.2} s, {:.2} s of them on a core; {} matches, {} doubts \
                 ended, {} charges and {} rows left; at most {with_question} with the question, {} in all",
                history.charges.len(),
                history.doubts.len(),
                history.rows.len(),
                took.as_secs_f64(),
                processor.as_secs_f64(),
                found.matches.len(),
                found.ended.len(),
                found.charges_left.len(),
                found.rows_left.len(),
                peak(),
            );
        }
    }
}
