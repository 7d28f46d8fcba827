//! What the books of a month must say, held against what really happened.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use generect_guard::credits::Credits;
use generect_guard::ledger::store::Reader;
use generect_guard::ledger::{Entry, EntryKind, Finding, FindingKind, HoldId, open_reader};
use generect_guard::reconciliation;
use generect_guard::simulator::Truth;
use generect_guard::transaction::{Transaction, TransactionStatus};
use jiff::{SignedDuration, Timestamp};

use crate::account::Told;
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
    let (given, taken): (Vec<_>, Vec<_>) = findings.iter().partition(|found| is_given(found));
    let sum = |found: &[&Finding]| -> i64 { found.iter().map(|found| found.drift.micros()).sum() };
    let (drift, given_back) = (sum(&taken), -sum(&given));
    assert!(truth.adds_up());
    let undecided = reconciliation::undecided(&*reader).unwrap();
    // Of an operation that the list has never shown, its silence says nothing: those stay.
    let is_silent = |hold: HoldId| {
        let mut of = undecided.iter().filter(|known| known.hold == hold.get());
        of.any(|known| known.why.contains("never shown"))
    };
    let open: Vec<_> = (lives.values())
        .filter(|life| life.ended.is_none() && !is_silent(life.held.hold))
        .map(|life| &life.held)
        .collect();
    assert!(
        open.is_empty(),
        "never decided: {undecided:#?} of {}",
        near(&*reader, &open)
    );
    rows_are_explained(&*reader, &lives, &findings, told);
    if shape.names_kinds() {
        assert_eq!(
            given_back, told.given_back,
            "given back, and found to be: {given:#?}"
        );
    }
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

/// Whether it is about a row that gave money. Only where the list names its kinds can anybody tell
/// what was paid in from what was given back.
fn is_given(found: &Finding) -> bool {
    found.name.starts_with("refund:") || found.kind == FindingKind::TopUp
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
            told += &format!("   {}\n", told_of(&row));
        }
    }
    told
}

/// Each row that took something is one hold's or in a finding, and each charge has its rows.
fn rows_are_explained(
    reader: &dyn Reader,
    lives: &BTreeMap<HoldId, Life>,
    findings: &[Finding],
    told: &Told,
) {
    let unexplained: Vec<_> = reader
        .open_transactions(jiff::Timestamp::MIN)
        .unwrap()
        .into_iter()
        .filter(|row| row.charge() > Credits::ZERO && row.status != TransactionStatus::Error)
        .collect();
    assert!(unexplained.is_empty(), "rows of nobody: {unexplained:#?}");
    let wrong =
        holds_and_rows(reader, lives, findings) + &rows_and_owners(reader, lives, findings, told);
    assert!(wrong.is_empty(), "charges and rows disagree:\n{wrong}");
}

/// What is wrong with the rows of each hold.
fn holds_and_rows(
    reader: &dyn Reader,
    lives: &BTreeMap<HoldId, Life>,
    findings: &[Finding],
) -> String {
    let mut wrong = String::new();
    for (hold, life) in lives {
        let owned = reader.matches_of(*hold).unwrap();
        let rows: Vec<_> = owned
            .iter()
            .map(|one| reader.transaction(&one.transaction).unwrap().unwrap())
            .collect();
        // What was given back took nothing; a row that came too late is the finding's.
        let taken: Credits = (rows.iter())
            .filter(|row| row.status != TransactionStatus::Error)
            .map(Transaction::charge)
            .sum();
        let about: Vec<_> = findings
            .iter()
            .filter(|found| found.hold == Some(*hold) && found.kind != FindingKind::Late)
            .collect();
        let drift: Credits = about.iter().map(|found| found.drift).sum();
        if taken != life.charged.saturating_add(drift) {
            wrong += &format!(
                "{} has rows of {taken}, was charged {}, and {drift} of drift was found\n",
                described(life),
                life.charged
            );
            for (row, one) in rows.iter().zip(&owned) {
                wrong += &format!("   {:?} {}\n", one.how, told_of(row));
            }
            let named = life
                .ended
                .iter()
                .filter_map(|ended| ended.evidence.as_ref());
            let named = named.flat_map(|note| note.text.split_whitespace());
            for id in named.filter_map(|id| id.parse().ok()) {
                let row = reader.transaction(&id).unwrap().unwrap();
                let kept = reader.kept_rows(&[id]).unwrap().pop();
                let owner = kept.and_then(|kept| kept.hold);
                let owner = owner.map(|owner| described(&lives[&owner]));
                wrong += &format!("   {} is of {owner:?}\n", told_of(&row));
            }
            for found in about {
                wrong += &format!("   {} {}\n", found.name, found.detail);
            }
        }
    }
    wrong
}

/// Which rows are not one hold's or in one finding.
fn rows_and_owners(
    reader: &dyn Reader,
    lives: &BTreeMap<HoldId, Life>,
    findings: &[Finding],
    told: &Told,
) -> String {
    let mut wrong = String::new();
    let (first, last) = (Timestamp::MIN, Timestamp::MAX);
    let rows = reader.transactions(first, last, None, 1_000_000).unwrap();
    let ids: Vec<_> = rows.iter().map(|row| row.id.clone()).collect();
    let kept = reader.kept_rows(&ids).unwrap().into_iter();
    let owners: HashMap<_, _> = kept
        .filter_map(|kept| Some((kept.row.id, kept.hold?)))
        .collect();
    let paid_in: i64 = rows.iter().map(|row| row.amount.micros().max(0)).sum();
    assert_eq!(
        paid_in,
        told.given_back + told.paid_in,
        "rows that gave money"
    );
    let ids: HashSet<_> = rows.iter().map(|row| row.id.id.to_string()).collect();
    for number in 1..=ids.len() {
        if !ids.contains(&format!("txn_{number:08}")) {
            let near = rows.iter().filter(|row| {
                *row.id.id > *format!("txn_{:08}", number.saturating_sub(3))
                    && *row.id.id < *format!("txn_{:08}", number + 3)
            });
            wrong += &format!(
                "row {number} was never kept; {:#?}\n",
                near.map(told_of).collect::<Vec<_>>()
            );
        }
    }
    for row in rows {
        let found: Vec<_> = findings
            .iter()
            .filter(|found| found.transaction.as_ref() == Some(&row.id))
            // What came late and is booked as a correction is its hold's, and told of besides.
            .filter(|found| match found.kind {
                FindingKind::TheirsOnly => true,
                FindingKind::Late => found.drift != Credits::ZERO,
                _ => false,
            })
            .collect();
        let took = row.charge() > Credits::ZERO && row.status != TransactionStatus::Error;
        let said = usize::from(owners.contains_key(&row.id)) + found.len();
        if said != usize::from(took) {
            let owner = owners.get(&row.id).map(|owner| described(&lives[owner]));
            wrong += &format!("{} is of {owner:?} and in {found:#?}\n", told_of(&row));
        }
    }
    wrong
}

fn described(life: &Life) -> String {
    let held = &life.held;
    let how = life.ended.as_ref().map(|ended| {
        let evidence = ended.evidence.as_ref().map(|note| (note.kind, &note.text));
        format!("{} at {} {evidence:?}", ended.kind, ended.recorded_at)
    });
    format!(
        "hold {} {} {} {} of {}: {how:?}",
        held.hold, held.team, held.operation, held.amount, held.began_at
    )
}

fn told_of(row: &Transaction) -> String {
    let (kind, status) = (&row.kind, row.status.as_str());
    format!("{} {kind} {} {status} {}", row.id, row.charge(), row.at)
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
