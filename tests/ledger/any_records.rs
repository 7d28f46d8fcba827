//! Any records at all: the stores agree about them, and what was kept already alters nothing.

use generect_guard::ledger::{
    Change, ChangeKind, FindingKind, KeptFinding, Match, MatchedBy, Reader, Record, SavedBy, Saving,
};
use generect_guard::transaction::{
    Transaction, TransactionId, TransactionSource, TransactionStatus,
};
use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::entries::{id, with_holds};
use crate::support::{NOON, Place, at, finding, micros, row_id};

/// Anything that can be kept, and some things that cannot.
fn any_record(random: &mut StdRng) -> Record {
    let name = |random: &mut StdRng| ["a", "b", "c", "d", "e", "f"][random.random_range(0..6)];
    let source = |random: &mut StdRng| match random.random_bool(0.5) {
        true => TransactionSource::V1,
        false => TransactionSource::Legacy,
    };
    let any_id = TransactionId {
        source: source(random),
        id: name(random).into(),
    };
    let moment = at(NOON) + SignedDuration::from_hours(random.random_range(-30..30));
    match random.random_range(0..14) {
        0..5 => Record::Transaction(Transaction {
            id: any_id,
            at: moment,
            kind: name(random).into(),
            amount: micros(random.random_range(-50..20)),
            status: [
                TransactionStatus::Pending,
                TransactionStatus::Success,
                TransactionStatus::Error,
                TransactionStatus::Unknown,
            ][random.random_range(0..4)],
        }),
        5..7 => Record::Matched(Match {
            transaction: any_id,
            hold: id(random.random_range(1..6)),
            how: MatchedBy::ALL[random.random_range(0..4)],
        }),
        7 => Record::Unmatched(any_id),
        8..10 => {
            let kind = FindingKind::ALL[random.random_range(0..8)];
            let mut found = finding(name(random), kind, None, random.random_range(-9..9));
            found.at = moment;
            found.transaction = random.random_bool(0.5).then_some(any_id);
            found.hold = random.random_bool(0.5).then_some(id(2));
            found.team = random.random_bool(0.5).then(|| name(random).into());
            Record::Found(found)
        }
        10 => Record::Changed(Change {
            name: name(random).into(),
            at: moment,
            who: name(random).into(),
            what: ChangeKind::ALL[random.random_range(0..5)],
            about: name(random).into(),
            detail: name(random).into(),
            reason: String::new(),
        }),
        11 => Record::Saved(Saving {
            day: moment,
            team: name(random).into(),
            operation: name(random).into(),
            how: SavedBy::ALL[random.random_range(0..4)],
            calls: random.random_range(0..9),
            credits: micros(random.random_range(0..99)),
        }),
        12 => Record::Closed {
            name: name(random).into(),
            at: moment,
            why: name(random).into(),
        },
        _ => Record::Note {
            name: name(random).into(),
            value: random.random_bool(0.7).then(|| name(random).into()),
        },
    }
}

/// Everything that can be read, in words.
fn everything(reader: &dyn Reader) -> Vec<String> {
    let day = |hours| at(NOON) + SignedDuration::from_hours(hours);
    let mut all = vec![format!(
        "{:?}",
        reader.open_transactions(Timestamp::MIN).unwrap()
    )];
    for (from, to) in [(day(-50), day(50)), (day(-4), day(7))] {
        all.push(format!("{:?}", paged(reader, from, to)));
        for open_only in [false, true] {
            all.push(format!("{:?}", paged_findings(reader, from, to, open_only)));
        }
        all.push(format!("{:?}", reader.taken_by_kind(from, to).unwrap()));
        all.push(format!("{:?}", reader.found(from, to).unwrap()));
        let changes = reader.changes(from, to, 0, usize::MAX).unwrap();
        let half = changes.len() / 2;
        let after = half.checked_sub(1).map_or(0, |last| changes[last].number);
        let rest = reader.changes(from, to, after, 2).unwrap();
        assert!(changes[half..].starts_with(&rest), "{changes:?} {rest:?}");
        all.push(format!("{changes:?} {rest:?}"));
        all.push(format!("{:?}", reader.savings(from, to).unwrap()));
    }
    for hold in 1..6 {
        all.push(format!("{:?}", reader.matches_of(id(hold)).unwrap()));
        all.push(format!("{:?}", reader.matched_after(hold).unwrap()));
    }
    for name in ["a", "b", "c", "d", "e", "f"] {
        all.push(format!("{:?}", reader.note(name).unwrap()));
        all.push(format!("{:?}", reader.transaction(&row_id(name)).unwrap()));
    }
    all
}

/// Two at a time; the pages must give each row once, oldest first, whatever the moments.
fn paged(reader: &dyn Reader, from: Timestamp, to: Timestamp) -> Vec<Transaction> {
    let mut all: Vec<Transaction> = Vec::new();
    loop {
        let after = all.last().map(|row| (row.at, &row.id));
        let page = reader.transactions(from, to, after, 2).unwrap();
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    let whole = reader.transactions(from, to, None, usize::MAX).unwrap();
    assert_eq!(all, whole);
    all
}

fn paged_findings(
    reader: &dyn Reader,
    from: Timestamp,
    to: Timestamp,
    open_only: bool,
) -> Vec<KeptFinding> {
    let mut all: Vec<KeptFinding> = Vec::new();
    loop {
        let last = all.last().map(|kept| &kept.finding);
        let after = last.map(|finding| (finding.at, &*finding.name));
        let page = reader.findings(from, to, open_only, after, 2).unwrap();
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    let whole = reader.findings(from, to, open_only, None, usize::MAX);
    assert_eq!(all, whole.unwrap());
    all
}

#[test]
fn the_stores_agree_about_any_records_and_keeping_them_again_alters_nothing() {
    let only = std::env::var("SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    for seed in only.map_or(0..6, |seed: u64| seed..seed + 1) {
        println!("SEED={seed}");
        let mut random = StdRng::seed_from_u64(seed);
        let (memory, file) = (Place::memory(), Place::file());
        let (mut one, mut other) = (with_holds(&memory, 4), with_holds(&file, 4));
        let (mut kept, mut refused) = (0, 0);
        for _ in 0..40 {
            let length = random.random_range(1..6);
            let batch = (0..length)
                .map(|_| any_record(&mut random))
                .collect::<Vec<_>>();
            let told = one.keep(&batch);
            assert_eq!(told, other.keep(&batch), "{batch:#?} SEED={seed}");
            match told {
                Ok(()) => kept += 1,
                Err(_) => refused += 1,
            }
            let after = everything(one.reader());
            assert_eq!(after, everything(other.reader()), "{batch:#?} SEED={seed}");
            if told.is_ok() {
                one.keep(&batch).unwrap();
                other.keep(&batch).unwrap();
                assert_eq!(after, everything(one.reader()), "{batch:#?} SEED={seed}");
                assert_eq!(after, everything(other.reader()), "{batch:#?} SEED={seed}");
            }
        }
        assert!(kept > 5 && refused > 5, "{kept} kept, {refused} refused");
        drop((one, other));
        file.assert_sound();
    }
}
