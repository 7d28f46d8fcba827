//! A closed loop: rounds that alternate between all cases, and their medians as a table.

use std::time::Duration;

use crate::cases::{self, Case, WANTED, Wanted};
use crate::contestants::Contestants;
use crate::disk;
use crate::support::children::{Child, own_processor_time};
use crate::support::load::{Until, drive};
use crate::support::{median, number};

/// Before each measurement, so that connections and pools stand.
const WARM_UP: Duration = Duration::from_millis(200);
/// Who has so much of a core has all of it. A proxy that has less waits for something else.
const BUSY: f64 = 0.95;
/// A quick disk, in microseconds for a sync.
const QUICK: f64 = 200.0;

struct Round {
    /// Calls a second.
    rate: f64,
    /// Processor time of the proxy for one call, in microseconds.
    processor: f64,
    /// The share of its core that the proxy had.
    busy: f64,
    /// The share of their core that the load and the upstream had.
    load: f64,
    half: f64,
    most: f64,
}

/// A case and what was measured of it.
struct Line<'a> {
    case: Case<'a>,
    rounds: Vec<Round>,
}

/// What the disk took in one round, in microseconds: half and nearly all of the syncs, and commits.
struct Disk([f64; 4]);

pub(crate) async fn compare() {
    let them = Contestants::start().await;
    let mut lines = Vec::new();
    for case in cases::all(&them) {
        let rounds = Vec::new();
        lines.push(Line { case, rounds });
    }
    let folder = them.guard.folder.as_ref().unwrap().path();
    let rounds = number("ROUNDS", 5);
    let span = Duration::from_secs(number("ROUND_SECONDS", 2));
    let mut disks = Vec::new();
    for _ in 0..rounds {
        let (syncs, commits) = (disk::syncs(folder), disk::commits(folder));
        let of = |seen: &dyn Fn(usize) -> f64| [seen(500), seen(990)];
        let [half, most] = of(&|part| syncs.latency(part));
        let [commit, commit_most] = of(&|part| commits.latency(part));
        disks.push(Disk([half, most, commit, commit_most]));
        for line in &mut lines {
            let round = round(&line.case, &them.upstream, span).await;
            line.rounds.push(round);
        }
    }
    println!(
        "medians of {rounds} rounds of {span:?}; shares are by calls/s and by processor time\n"
    );
    print(&lines);
    let [half, most, commit, commit_most] =
        [0, 1, 2, 3].map(|at| median(disks.iter().map(|disk| disk.0[at])));
    println!("\n4 KiB appended and synced where the ledger is: p50 {half:.0} us, p99 {most:.0} us");
    println!("a group commit (SQLite, WAL, FULL): p50 {commit:.0} us, p99 {commit_most:.0} us\n");
    for (name, child) in them.by_name() {
        println!("peak memory: {:>6.1} MiB {name}", in_mib(child.peak_kib()));
    }
    println!();
    for wanted in &WANTED {
        judge(&lines, wanted, half);
    }
}

fn in_mib(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap()) / 1_024.0
}

async fn round(case: &Case<'_>, upstream: &Child, span: Duration) -> Round {
    let address = case.proxy.address;
    drive(address, &case.requests, Until::Time(WARM_UP)).await;
    let used = || {
        [
            case.proxy.processor_time(),
            upstream.processor_time() + own_processor_time(),
        ]
    };
    let before = used();
    let seen = drive(address, &case.requests, Until::Time(span)).await;
    let after = used();
    let [processor, load] = [0, 1].map(|at| after[at].saturating_sub(before[at]).as_secs_f64());
    let took = seen.took.as_secs_f64();
    Round {
        rate: seen.calls() / took,
        processor: processor * 1_000_000.0 / seen.calls(),
        busy: processor / took,
        load: load / took,
        half: seen.latency(500),
        most: seen.latency(990),
    }
}

impl Line<'_> {
    fn of(&self, figure: impl Fn(&Round) -> f64) -> f64 {
        median(self.rounds.iter().map(figure))
    }

    /// Its speed as a share of the other's, round by round: by calls a second, by processor time.
    fn shares(&self, other: &Self) -> [f64; 2] {
        let pairs = || self.rounds.iter().zip(&other.rounds);
        [
            median(pairs().map(|(own, other)| own.rate / other.rate)),
            median(pairs().map(|(own, other)| other.processor / own.processor)),
        ]
    }

    fn is_busy(&self) -> bool {
        self.of(|round| round.busy) >= BUSY
    }

    /// Whether the load or the upstream could do no more.
    fn is_load_full(&self) -> bool {
        !self.is_busy() && self.of(|round| round.load) >= BUSY
    }
}

fn find<'a, 'b>(lines: &'a [Line<'b>], name: &str) -> Option<&'a Line<'b>> {
    lines.iter().find(|line| line.case.name == name)
}

fn print(lines: &[Line<'_>]) {
    println!(
        "{:<36} {:>8} {:>8} {:>6} {:>5} {:>8} {:>8}  {:>11}  {:>11}",
        "case", "calls/s", "us/call", "core", "load", "p50 us", "p99 us", "of bare", "of nginx"
    );
    for line in lines {
        print!(
            "{:<36} {:>8.0} {:>8.1} {:>4.0}%{} {:>4.0}% {:>8.0} {:>8.0}",
            line.case.name,
            line.of(|round| round.rate),
            line.of(|round| round.processor),
            line.of(|round| round.busy) * 100.0,
            if line.is_busy() { ' ' } else { '*' },
            line.of(|round| round.load) * 100.0,
            line.of(|round| round.half),
            line.of(|round| round.most),
        );
        for base in line.case.bases {
            let shares = find(lines, base).map(|base| line.shares(base));
            let text = shares.map(|[rate, work]| format!("{rate:.2}, {work:.2}"));
            print!("  {:>11}", text.unwrap_or_default());
        }
        println!();
    }
    println!(
        "* under {:.0} % of its core: it waited, for the disk or for a load that could do no more",
        BUSY * 100.0
    );
}

/// Says whether it is as fast as wanted.
fn judge(lines: &[Line<'_>], wanted: &Wanted, sync: f64) {
    let Wanted {
        case,
        of,
        share,
        disk,
    } = wanted;
    let (Some(line), Some(base)) = (find(lines, case), find(lines, of)) else {
        return println!("wanted: {case} >= {share:.2} of {of}: NOT MEASURED");
    };
    let [rate, work] = line.shares(base);
    // Where the load was the narrow place, the rates say nothing of the proxies.
    let full = [line, base].map(Line::is_load_full).contains(&true);
    let (is, by) = if full {
        (work, "processor time, for the load could do no more")
    } else {
        (rate, "calls/s")
    };
    let verdict = if is >= *share { "yes" } else { "NO" };
    print!(
        "wanted: {case} >= {share:.2} of {of}: {verdict} by {by}; {rate:.2} by calls/s, \
         {work:.2} by processor time"
    );
    if *disk && sync > QUICK {
        print!("; counts where a sync takes up to {QUICK} us, here it took {sync:.0}");
    }
    println!();
}
