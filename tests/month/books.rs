//! What the books of a month must say, held against what really happened.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use generect_guard::credits::Credits;
use generect_guard::ledger::store::Reader;
use generect_guard::ledger::{Entry, EntryKind, Finding, FindingKind, HoldId, open_reader};
use generect_guard::reconciliation;
use generect_guard::simulator::Truth;
use generect_guard::transaction::TransactionStatus;
use jiff::{SignedDuration, Timestamp};

use crate::month::Told;
use crate::shape::{Shape, team_id};
use crate::support::entries_of;

/// Everything that was said about one hold.
struct Life {
    held: Entry,
    ended: Option<Entry>,
    /// What it was charged, with corrections.
    charged: Credits,
}

/// Fails if a credit of the account is neither on a team nor in a finding.
pub fn check(shape: &Shape, ledger: &Path, truth: &Truth, told: &Told) {
    let reader = open_reader(ledger).unwrap();
    let lives = lives(ledger);
    let findings = findings(&*reader);
    let charged = truth.total_charged().micros();
    let settled: i64 = lives.values().map(|life| life.charged.micros()).sum();
    let drift: i64 = findings.iter().map(|found| found.drift.micros()).sum();
    assert!(truth.adds_up());
    let open: Vec<_> = (lives.values())
        .filter(|life| life.ended.is_none())
        .map(|life| &life.held)
        .collect();
    let undecided = reconciliation::undecided(&*reader).unwrap();
    assert!(
        open.is_empty(),
        "never decided: {undecided:#?} of {}",
        near(&*reader, &open)
    );
    rows_are_explained(&*reader, &lives, &findings);
    let taken = charged + told.elsewhere;
    if taken != settled + drift {
        tell(&lives, &findings, truth, told);
        panic!("taken {taken} is not settled {settled} and found {drift}");
    }
    if std::env::var_os("MONTH_TELLS").is_some() {
        tell(&lives, &findings, truth, told);
    }
    let is_plain = |found: &Finding| {
        use FindingKind::{TopUp, UnexpectedPrice};
        matches!(found.kind, TopUp | UnexpectedPrice)
    };
    if findings.iter().all(is_plain) {
        teams_are_right(shape, &lives, truth, told);
    }
}

/// The rows about open holds, for whoever looks why they are open.
fn near(reader: &dyn Reader, open: &[&Entry]) -> String {
    let mut told = String::new();
    for held in open {
        told += &format!(
            "{} {} {} {}\n",
            held.hold, held.operation, held.amount, held.began_at
        );
        let (from, to) = (
            held.began_at - SignedDuration::from_mins(1),
            held.began_at + SignedDuration::from_mins(2),
        );
        for row in reader.transactions(from, to, None, 40).unwrap() {
            told += &format!(
                "   {} {} {} {} {}\n",
                row.id,
                row.kind,
                row.charge(),
                row.status.as_str(),
                row.at
            );
        }
    }
    told
}

/// Each row that took something is one hold's or in a finding, and each charge has its rows.
fn rows_are_explained(reader: &dyn Reader, lives: &BTreeMap<HoldId, Life>, findings: &[Finding]) {
    let unexplained: Vec<_> = reader
        .open_transactions(jiff::Timestamp::MIN)
        .unwrap()
        .into_iter()
        .filter(|row| row.charge() > Credits::ZERO && row.status != TransactionStatus::Error)
        .collect();
    assert!(unexplained.is_empty(), "rows of nobody: {unexplained:#?}");
    for (hold, life) in lives {
        let rows = reader.matches_of(*hold).unwrap();
        let taken: Credits = rows
            .iter()
            .map(|row| {
                reader
                    .transaction(&row.transaction)
                    .unwrap()
                    .unwrap()
                    .charge()
            })
            .sum();
        // A row that came too late stays nobody's: it is the finding's.
        let about = findings
            .iter()
            .filter(|found| found.hold == Some(*hold) && found.kind != FindingKind::Late);
        let about_it: Vec<_> = about.collect();
        let drift: Credits = about_it.iter().map(|found| found.drift).sum();
        assert_eq!(
            taken,
            life.charged.saturating_add(drift),
            "rows of hold {hold}: {rows:#?}, {:#?}",
            (&life.ended, about_it)
        );
    }
}

/// Without others nobody pays for anybody else.
fn teams_are_right(shape: &Shape, lives: &BTreeMap<HoldId, Life>, truth: &Truth, told: &Told) {
    let of_call = charged_by_call(lives, truth, told);
    for team in 0..shape.teams {
        let of_team = lives
            .iter()
            .filter(|(_, life)| life.held.team.as_str() == team_id(team));
        let (mut charged, mut settled) = (0, 0);
        for (hold, life) in of_team {
            settled += life.charged.micros();
            charged += of_call.get(hold).map_or(0, |charge| charge.micros());
        }
        assert_eq!(charged, settled, "{} paid for others", team_id(team));
    }
}

/// What was truly charged for each hold.
fn charged_by_call(
    lives: &BTreeMap<HoldId, Life>,
    truth: &Truth,
    told: &Told,
) -> HashMap<HoldId, Credits> {
    let by_print: HashMap<u64, HoldId> = (lives.iter())
        .map(|(hold, life)| (life.held.fingerprint.unwrap().0, *hold))
        .collect();
    let by_request: HashMap<u64, u64> = (truth.requests().iter())
        .filter_map(|request| {
            let print = told.print_of(&request.body)?;
            Some((request.sequence, print))
        })
        .collect();
    let mut charged = HashMap::new();
    for charge in truth.charges() {
        if let Some(hold) = (by_request.get(&charge.request)).and_then(|print| by_print.get(print))
        {
            let sum = charged.entry(*hold).or_insert(Credits::ZERO);
            *sum = sum.saturating_add(charge.amount);
        } else {
            assert_eq!(
                charge.amount,
                Credits::ZERO,
                "nothing was held for {charge:?}"
            );
        }
    }
    charged
}

/// Every hold that was not settled at what it truly took, and all findings.
fn tell(lives: &BTreeMap<HoldId, Life>, findings: &[Finding], truth: &Truth, told: &Told) {
    let charged = charged_by_call(lives, truth, told);
    for (hold, life) in lives {
        let truly = charged.get(hold).copied().unwrap_or(Credits::ZERO);
        if truly != life.charged {
            let (held, ended) = (&life.held, life.ended.as_ref().unwrap());
            eprintln!(
                "hold {hold} {} {} began {}: settled {}, truly {truly}; {} {:?}",
                held.team, held.operation, held.began_at, life.charged, ended.kind, ended.evidence
            );
        }
    }
    for found in findings {
        eprintln!(
            "{:?} {} at {} drift {}: {}",
            found.kind, found.name, found.at, found.drift, found.detail
        );
    }
    eprintln!("{} calls, {} findings", lives.len(), findings.len());
}

fn lives(ledger: &Path) -> BTreeMap<HoldId, Life> {
    let mut lives: BTreeMap<HoldId, Life> = BTreeMap::new();
    for entry in entries_of(ledger) {
        if entry.kind == EntryKind::Held {
            let life = Life {
                held: entry,
                ended: None,
                charged: Credits::ZERO,
            };
            lives.insert(life.held.hold, life);
            continue;
        }
        let life = lives.get_mut(&entry.hold).unwrap();
        match entry.kind {
            EntryKind::Settled | EntryKind::Released => {
                assert!(life.ended.is_none(), "ended twice: {entry:#?}");
                if entry.kind == EntryKind::Settled {
                    life.charged = entry.amount;
                }
                life.ended = Some(entry);
            }
            EntryKind::Corrected => life.charged = life.charged.saturating_add(entry.amount),
            _ => {}
        }
    }
    lives
}

fn findings(reader: &dyn Reader) -> Vec<Finding> {
    let all = reader.findings(Timestamp::MIN, Timestamp::MAX, true, None, 1_000_000);
    all.unwrap().into_iter().map(|kept| kept.finding).collect()
}
