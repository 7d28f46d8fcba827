//! What each adds to a call at a rate all of them bear: an open loop, rounds that alternate.

use std::time::Duration;

use crate::cases::{self, BARE, BILLABLE, Case, DIRECT, DIRECT_COUNT, PAGES};
use crate::contestants::Contestants;
use crate::support::load::Seen;
use crate::support::{median, number};
use crate::{disk, paced};

/// Before each measurement, so that connections and pools stand.
const WARM_UP: Duration = Duration::from_millis(300);
/// What a billable call may add to what the bare proxy adds: so many group commits, and so many
/// microseconds.
const COMMITS: f64 = 1.25;
const MICROS: f64 = 60.0;

/// Half and nearly all of the calls are answered within, in microseconds.
#[derive(Clone, Copy)]
struct Latency {
    half: f64,
    most: f64,
}

struct Round {
    latency: Latency,
    /// Calls answered a second.
    rate: f64,
    processor: f64,
}

struct Line<'a> {
    case: Case<'a>,
    rounds: Vec<Round>,
}

pub(crate) async fn show() {
    let per_second = u32::try_from(number("RATE", 3_000)).unwrap();
    let rounds = number("ROUNDS", 5);
    let span = Duration::from_secs(number("ROUND_SECONDS", 3));
    let them = Contestants::start().await;
    let folder = them.guard.folder.as_ref().unwrap().path();
    let mut lines = Vec::new();
    for case in cases::all(&them) {
        let rounds = Vec::new();
        lines.push(Line { case, rounds });
    }
    let (mut syncs, mut commits) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        syncs.push(latency(&disk::syncs(folder)));
        commits.push(latency(&disk::commits(folder)));
        for line in &mut lines {
            let round = round(&line.case, per_second, span).await;
            line.rounds.push(round);
        }
    }
    println!(
        "{per_second} calls/s, due at fixed times; medians of {rounds} rounds of {span:?}; \
         added: beyond calling the upstream directly\n"
    );
    print(&lines);
    let disk = |of: &[Latency], figure: fn(&Latency) -> f64| median(of.iter().map(figure));
    let [sync, commit] = [&syncs, &commits].map(|of| disk(of, |latency| latency.half));
    let [sync_most, commit_most] = [&syncs, &commits].map(|of| disk(of, |latency| latency.most));
    println!(
        "\n4 KiB appended and synced where the ledger is: p50 {sync:.0} us, p99 {sync_most:.0} us"
    );
    println!("a group commit (SQLite, WAL, FULL): p50 {commit:.0} us, p99 {commit_most:.0} us\n");
    judge(&lines, commit);
}

fn latency(seen: &Seen) -> Latency {
    Latency {
        half: seen.latency(500),
        most: seen.latency(990),
    }
}

async fn round(case: &Case<'_>, per_second: u32, span: Duration) -> Round {
    let address = case.proxy.address;
    paced::call(address, &case.requests, per_second, WARM_UP).await;
    let before = case.proxy.processor_time();
    let seen = paced::call(address, &case.requests, per_second, span).await;
    let processor = case.proxy.processor_time().saturating_sub(before);
    Round {
        latency: latency(&seen),
        rate: seen.calls() / seen.took.as_secs_f64(),
        processor: processor.as_secs_f64() * 1_000_000.0 / seen.calls(),
    }
}

impl Line<'_> {
    fn of(&self, figure: impl Fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().map(figure))
    }

    /// What it adds to calling the upstream directly, round by round.
    fn added(&self, direct: &Self, figure: fn(&Latency) -> f64) -> f64 {
        let pairs = self.rounds.iter().zip(&direct.rounds);
        median(pairs.map(|(own, direct)| figure(&own.latency) - figure(&direct.latency)))
    }
}

/// The upstream's own line for the same requests.
fn direct<'a, 'b>(lines: &'a [Line<'b>], of: &Line<'_>) -> Option<&'a Line<'b>> {
    let name = if of.case.bases[0] == BARE {
        DIRECT
    } else {
        DIRECT_COUNT
    };
    lines.iter().find(|line| line.case.name == name)
}

fn print(lines: &[Line<'_>]) {
    println!(
        "{:<36} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9}",
        "case", "calls/s", "us/call", "p50 us", "p99 us", "added p50", "added p99"
    );
    for line in lines {
        print!(
            "{:<36} {:>8.0} {:>8.1} {:>8.0} {:>8.0}",
            line.case.name,
            line.of(|round| round.rate),
            line.of(|round| round.processor),
            line.of(|round| round.latency.half),
            line.of(|round| round.latency.most),
        );
        if let Some(direct) = direct(lines, line) {
            let half = line.added(direct, |latency| latency.half);
            let most = line.added(direct, |latency| latency.most);
            print!(" {half:>9.0} {most:>9.0}");
        }
        println!();
    }
}

/// Says whether a billable call adds as little as wanted, and what anybody adds who has it on disk.
fn judge(lines: &[Line<'_>], commit: f64) {
    let added = |name| {
        let line = lines.iter().find(|line| line.case.name == name)?;
        Some(line.added(direct(lines, line)?, |latency| latency.half))
    };
    let (Some(bare), Some(billable)) = (added(BARE), added(BILLABLE)) else {
        return println!("wanted of a billable call's added p50: NOT MEASURED");
    };
    if let Some(pages) = added(PAGES) {
        println!("the bare proxy that only writes and syncs a page a batch adds {pages:.0} us");
    }
    let most = bare + COMMITS * commit + MICROS;
    let verdict = if billable <= most { "yes" } else { "NO" };
    println!(
        "wanted: billable adds at p50 <= the bare proxy's {bare:.0} us + {COMMITS} group commits \
         + {MICROS} us = {most:.0} us: {verdict}, {billable:.0} us"
    );
}
