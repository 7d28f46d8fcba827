//! Rounds that alternate between all cases, and their medians as a table.

use std::net::SocketAddr;
use std::time::Duration;

use crate::children::Child;
use crate::load::{Until, drive};
use crate::number;
use crate::requests::{self, Requests};
use crate::settings::{NARROW, WIDE};

/// Before each measurement, so that connections and pools stand.
const WARM_UP: Duration = Duration::from_millis(200);

/// One line of the table.
struct Case<'a> {
    name: &'static str,
    proxy: &'a Child,
    requests: Requests,
    /// The case it is measured against, and the share of its speed that is wanted.
    against: Option<(&'static str, Option<f64>)>,
    rounds: Vec<Round>,
}

struct Round {
    /// Calls a second.
    rate: f64,
    /// Processor time of the proxy for one call, in microseconds.
    processor: f64,
    /// The share of its core that the proxy had.
    busy: f64,
    half: f64,
    most: f64,
}

const BARE_FREE: &str = "bare hyper proxy, count";
const BARE_SEARCH: &str = "bare hyper proxy, search";

pub(crate) async fn compare() {
    let upstream = Child::upstream();
    let bare = Child::bare(upstream.address);
    let guard = Child::guard(upstream.address, NARROW, "info").await;
    let quiet = Child::guard(upstream.address, NARROW, "warn").await;
    let wide = Child::guard(upstream.address, WIDE, "info").await;
    let mut cases = cases(&bare, &guard, &quiet, &wide);
    if let Ok(only) = std::env::var("ONLY") {
        cases.retain(|case| case.name.contains(&only));
    }
    let resident = guard.resident_kib();
    let rounds = number("ROUNDS", 5);
    let span = Duration::from_secs(number("ROUND_SECONDS", 2));
    for _ in 0..rounds {
        for case in &mut cases {
            let round = round(case.proxy, &case.requests, span).await;
            case.rounds.push(round);
        }
    }
    println!(
        "upstream {}, medians of {rounds} rounds of {span:?}\n",
        upstream.address
    );
    print(&cases);
    println!(
        "\nguard: resident {resident} KiB before, {} KiB after",
        guard.resident_kib()
    );
}

fn cases<'a>(
    bare: &'a Child,
    guard: &'a Child,
    quiet: &'a Child,
    wide: &'a Child,
) -> Vec<Case<'a>> {
    let case = |name, proxy, requests, against| Case {
        name,
        proxy,
        requests,
        against,
        rounds: Vec::new(),
    };
    let search = |share| Some((BARE_SEARCH, share));
    let count = |share| Some((BARE_FREE, share));
    let billable = requests::billable;
    vec![
        case(BARE_FREE, bare, requests::free(), None),
        case("free", guard, requests::free(), count(Some(0.6))),
        case("free, log warn", quiet, requests::free(), count(None)),
        case(BARE_SEARCH, bare, billable(1), None),
        case("billable", guard, billable(1), search(Some(0.25))),
        case("billable, log warn", quiet, billable(1), search(None)),
        case(
            "billable, 301 budgets, 1001 keys",
            wide,
            billable(WIDE.keys),
            search(None),
        ),
        case(
            "refused: budget exhausted",
            guard,
            requests::exhausted(),
            search(Some(1.0)),
        ),
        case(
            "refused: unknown key",
            guard,
            requests::unknown(),
            search(Some(1.0)),
        ),
        case(
            "refused: unknown key, log warn",
            quiet,
            requests::unknown(),
            search(None),
        ),
    ]
}

async fn round(proxy: &Child, requests: &Requests, span: Duration) -> Round {
    let address: SocketAddr = proxy.address;
    drive(address, requests, Until::Time(WARM_UP)).await;
    let before = proxy.processor_time();
    let seen = drive(address, requests, Until::Time(span)).await;
    let processor = proxy.processor_time().saturating_sub(before).as_secs_f64();
    Round {
        rate: seen.calls() / seen.took.as_secs_f64(),
        processor: processor * 1_000_000.0 / seen.calls(),
        busy: processor / seen.took.as_secs_f64(),
        half: seen.latency(500),
        most: seen.latency(990),
    }
}

fn median(case: &Case<'_>, figure: impl Fn(&Round) -> f64) -> f64 {
    let mut figures: Vec<f64> = case.rounds.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn print(cases: &[Case<'_>]) {
    println!(
        "{:<34} {:>8} {:>9} {:>6} {:>8} {:>8}   share of bare",
        "case", "calls/s", "us/call", "core", "p50 us", "p99 us"
    );
    for case in cases {
        let of = |figure: fn(&Round) -> f64| median(case, figure);
        let (rate, processor) = (of(|round| round.rate), of(|round| round.processor));
        print!(
            "{:<34} {rate:>8.0} {processor:>9.1} {:>5.0}% {:>8.0} {:>8.0}",
            case.name,
            of(|round| round.busy) * 100.0,
            of(|round| round.half),
            of(|round| round.most),
        );
        let bare = case.against.and_then(|(name, share)| {
            Some((cases.iter().find(|other| other.name == name)?, share))
        });
        let Some((bare, share)) = bare else {
            println!();
            continue;
        };
        let speed = rate / median(bare, |round| round.rate);
        let work = median(bare, |round| round.processor) / processor;
        let wanted = share.map_or(String::new(), |share| format!(", wanted {share:.2}"));
        println!("   {speed:.2} by calls/s, {work:.2} by processor time{wanted}");
    }
}
