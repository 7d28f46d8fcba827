//! Works the derived figures out anew from the entries, checks each hold's life, and whether the
//! records name what there is.
//!
//! Runs beside a writing guard: what is derived is read in one look, and the entries, which never
//! change, are then read in short pages up to the point that look reached.

use std::collections::{BTreeMap, BTreeSet};

use ahash::AHashMap;
use jiff::Timestamp;

use crate::credits::Credits;

use super::entry::{Entry, EntryKind, HoldId, Origin};
use super::store::{Derived, Marked, Reader, RecordsCheck, StoreError};
use super::window::quarter_of;

/// Entries read at a time.
const PAGE: usize = 8_192;
/// Mismatches told in full; a ledger with more has one cause, and the rest is only counted.
const TOLD_MAX: usize = 1_000;

/// What a check of the whole ledger found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// How many entries were read.
    pub entries: i64,
    /// How many holds they tell of.
    pub holds: i64,
    /// How many of them have not ended.
    pub open: i64,
    /// How many derived sums were compared.
    pub sums: usize,
    /// How many rows of the account are kept beside the entries.
    pub transactions: i64,
    /// How many of those belong to a hold.
    pub matches: i64,
    /// How many findings there are, closed ones included.
    pub findings: i64,
    /// Everything that does not agree, each in a sentence. Empty is what one hopes for.
    pub mismatches: Vec<String>,
    /// Mismatches beyond the first thousand, which are only counted.
    pub untold: u64,
}

impl VerifyReport {
    /// Whether everything agrees.
    pub fn is_sound(&self) -> bool {
        self.mismatches.is_empty()
    }

    fn tell(&mut self, mismatch: String) {
        if self.mismatches.len() < TOLD_MAX {
            self.mismatches.push(mismatch);
        } else {
            self.untold += 1;
        }
    }
}

/// See the module's words.
pub(super) fn verify(
    reader: &dyn Reader,
    progress: &mut dyn FnMut(i64, i64),
) -> Result<VerifyReport, StoreError> {
    let derived = reader.derived()?;
    let end = derived.tail.seq;
    let mut check = Check::new(derived.mark);
    for defect in &derived.defects {
        check.report.tell(defect.clone());
    }
    let mut after = 0;
    while after < end {
        let page = reader.entries(after, PAGE)?;
        let Some(last) = page.last() else {
            let missing = format!("entries end at {after}, but {end} were told of");
            check.report.tell(missing);
            break;
        };
        after = last.seq;
        for entry in page.iter().filter(|entry| entry.seq <= end) {
            check.entry(entry);
        }
        progress(after.min(end), end);
    }
    check.compare(derived);
    check.corrections(reader)?;
    check.records(reader.check_records()?);
    Ok(check.report)
}

/// How far a hold's life has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    NoHold,
    Held,
    Doubted,
    Settled,
    Released,
}

/// What a hold began with, and every later entry must repeat.
#[derive(Debug)]
struct Begun {
    origin: Origin,
    began_at: Timestamp,
    bound: Option<i64>,
    doubted: Option<i64>,
}

struct Check {
    report: VerifyReport,
    expected_seq: i64,
    recorded_at: Timestamp,
    /// By sequence number, from 1: a byte for each entry there is.
    lives: Vec<Life>,
    open: AHashMap<HoldId, Begun>,
    /// Few: each is somebody's second look.
    corrected: Vec<Entry>,
    sums: BTreeMap<(i64, i64, Origin), (i64, i128)>,
    mark: i64,
    open_at_mark: BTreeSet<Marked>,
}

impl Check {
    fn new(mark: i64) -> Self {
        Self {
            report: VerifyReport::default(),
            expected_seq: 1,
            recorded_at: Timestamp::MIN,
            lives: vec![Life::NoHold],
            open: AHashMap::new(),
            corrected: Vec::new(),
            sums: BTreeMap::new(),
            mark,
            open_at_mark: BTreeSet::new(),
        }
    }

    fn entry(&mut self, entry: &Entry) {
        self.report.entries += 1;
        let seq = entry.seq;
        if seq != self.expected_seq {
            let expected = self.expected_seq;
            self.report
                .tell(format!("entry {seq} stands where {expected} should"));
        }
        while i64::try_from(self.lives.len()).is_ok_and(|length| length <= seq) {
            self.lives.push(Life::NoHold);
        }
        self.expected_seq = seq + 1;
        if entry.recorded_at < self.recorded_at {
            self.report.tell(format!(
                "entry {seq} was recorded before the one ahead of it"
            ));
        }
        self.recorded_at = self.recorded_at.max(entry.recorded_at);
        if entry.began_at > entry.recorded_at {
            self.report
                .tell(format!("entry {seq} was recorded before its call began"));
        }
        // What corrects or grants may take back.
        let may_take = matches!(entry.kind, EntryKind::Corrected | EntryKind::Granted);
        if entry.amount.is_negative() && !may_take {
            self.report.tell(format!(
                "entry {seq} has an amount below zero: {}",
                entry.amount
            ));
        }
        self.life(entry);
        if entry.kind.charges() {
            let place = (
                quarter_of(entry.began_at),
                quarter_of(entry.recorded_at),
                entry.origin(),
            );
            let (calls, settled) = self.sums.entry(place).or_default();
            *calls += i64::from(entry.kind == EntryKind::Settled);
            *settled += i128::from(entry.amount.micros());
        }
        if seq == self.mark {
            let marked = |(hold, begun): (&HoldId, &Begun)| Marked {
                hold: *hold,
                bound: begun.bound,
                doubted: begun.doubted,
            };
            self.open_at_mark = self.open.iter().map(marked).collect();
        }
    }

    fn life(&mut self, entry: &Entry) {
        let hold = entry.hold;
        let life = self.life_of(hold);
        let next = match (entry.kind, life) {
            (EntryKind::Held, Life::NoHold) if hold.get() == entry.seq => {
                self.report.holds += 1;
                let begun = Begun {
                    origin: entry.origin(),
                    began_at: entry.began_at,
                    bound: None,
                    doubted: None,
                };
                self.open.insert(hold, begun);
                Life::Held
            }
            (EntryKind::Granted, Life::NoHold) if hold.get() == entry.seq => return,
            (EntryKind::Bound, Life::Held | Life::Doubted) => life,
            (EntryKind::Doubted, Life::Held) => Life::Doubted,
            (EntryKind::Settled, Life::Held | Life::Doubted) => Life::Settled,
            (EntryKind::Released, Life::Held | Life::Doubted) => Life::Released,
            (EntryKind::Corrected, Life::Settled | Life::Released) => {
                self.corrected.push(entry.clone());
                return;
            }
            (kind, life) => {
                self.report.tell(format!(
                    "entry {}: hold {hold} cannot be {kind}, {}",
                    entry.seq,
                    life.in_words()
                ));
                return;
            }
        };
        self.repeats_what_began(entry);
        if matches!(next, Life::Settled | Life::Released) {
            self.open.remove(&hold);
        }
        if let Some(place) = usize::try_from(hold.get())
            .ok()
            .and_then(|index| self.lives.get_mut(index))
        {
            *place = next;
        }
    }

    fn life_of(&self, hold: HoldId) -> Life {
        let index = usize::try_from(hold.get()).ok();
        index
            .and_then(|index| self.lives.get(index))
            .map_or(Life::NoHold, |life| *life)
    }

    fn repeats_what_began(&mut self, entry: &Entry) {
        let Some(begun) = self.open.get_mut(&entry.hold) else {
            return;
        };
        let seq = entry.seq;
        if begun.origin != entry.origin() || begun.began_at != entry.began_at {
            self.report.tell(another_call(entry));
        }
        if entry.kind == EntryKind::Doubted {
            begun.doubted = Some(seq);
        }
        if entry.kind == EntryKind::Bound {
            if entry.job.is_none() {
                self.report.tell(format!("entry {seq} is bound to no job"));
            }
            if begun.bound.replace(seq).is_some() {
                self.report
                    .tell(format!("entry {seq}: hold {} is bound twice", entry.hold));
            }
        }
    }

    /// A correction is one of the same call, and takes back no more than was charged.
    fn corrections(&mut self, reader: &dyn Reader) -> Result<(), StoreError> {
        let mut charged: AHashMap<HoldId, (Entry, i128)> = AHashMap::new();
        for entry in std::mem::take(&mut self.corrected) {
            let hold = entry.hold;
            if !charged.contains_key(&hold)
                && let Some(ended) = reader.ending_of(hold)?
            {
                let settles = ended.kind == EntryKind::Settled;
                let charge = if settles { ended.amount.micros() } else { 0 };
                charged.insert(hold, (ended, i128::from(charge)));
            }
            let Some((ended, total)) = charged.get_mut(&hold) else {
                continue; // Told already: its hold never ended.
            };
            *total += i128::from(entry.amount.micros());
            if *total < 0 {
                self.report.tell(format!(
                    "entry {}: hold {hold} is corrected to less than nothing",
                    entry.seq
                ));
            }
            if ended.origin() != entry.origin() || ended.began_at != entry.began_at {
                self.report.tell(another_call(&entry));
            }
        }
        Ok(())
    }

    fn records(&mut self, check: RecordsCheck) {
        self.report.transactions = check.transactions;
        self.report.matches = check.matches;
        self.report.findings = check.findings;
        for defect in check.defects {
            self.report.tell(defect);
        }
    }

    fn compare(&mut self, derived: Derived) {
        self.report.open = i64::try_from(self.open.len()).unwrap_or(i64::MAX);
        self.report.sums = derived.sums.len();
        let mut expected = std::mem::take(&mut self.sums);
        for row in derived.sums {
            let place = (row.began_quarter, row.recorded_quarter, row.origin);
            let found = (row.calls, i128::from(row.settled.micros()));
            let should = expected.remove(&place).unwrap_or((0, 0));
            if found != should {
                self.report.tell(different(&place, Some(found), should));
            }
        }
        for (place, should) in expected {
            self.report.tell(different(&place, None, should));
        }
        if derived.mark > derived.tail.seq {
            self.report.tell(format!(
                "the list of open holds claims to stand at entry {}, after the last one",
                derived.mark
            ));
        }
        let marked = derived.marked.into_iter().collect::<BTreeSet<_>>();
        let mark = self.mark;
        for unknown in marked.difference(&self.open_at_mark) {
            self.report.tell(format!(
                "the list of open holds says of entry {mark}: {}; the entries do not",
                in_words(unknown)
            ));
        }
        let left_out = self
            .open_at_mark
            .iter()
            .filter(|open| !marked.contains(open));
        for open in left_out {
            self.report.tell(format!(
                "the entries say of entry {mark}: {}; the list of open holds does not",
                in_words(open)
            ));
        }
    }
}

fn another_call(entry: &Entry) -> String {
    format!(
        "entry {} tells another team, key, operation or beginning than its hold {}",
        entry.seq, entry.hold
    )
}

fn in_words(marked: &Marked) -> String {
    let about = |entry: Option<i64>| entry.map_or("none".to_owned(), |seq| format!("entry {seq}"));
    format!(
        "hold {} is open (bound: {}, in doubt: {})",
        marked.hold,
        about(marked.bound),
        about(marked.doubted)
    )
}

impl Life {
    fn in_words(self) -> &'static str {
        match self {
            Self::NoHold => "there is no such hold",
            Self::Held => "it is held",
            Self::Doubted => "it is in doubt already",
            Self::Settled => "it was settled before",
            Self::Released => "it was released before",
        }
    }
}

fn different(
    (began, recorded, origin): &(i64, i64, Origin),
    found: Option<(i64, i128)>,
    should: (i64, i128),
) -> String {
    let said = match found {
        Some((calls, settled)) => format!("says {calls} calls and {}", in_credits(settled)),
        None => "is missing".to_owned(),
    };
    let Origin {
        team,
        key,
        operation,
    } = origin;
    format!(
        "the sum of quarter {began}, recorded in {recorded}, of {team} {key} {operation} {said}; \
         the entries say {} calls and {} credits",
        should.0,
        in_credits(should.1)
    )
}

fn in_credits(micros: i128) -> String {
    i64::try_from(micros).map_or_else(
        |_| format!("{micros} micro-credits"),
        |micros| Credits::from_micros(micros).to_string(),
    )
}
