//! What a ledger tells, to be held against what it told before it was damaged.

use generect_guard::ledger::store::Reader;
use generect_guard::ledger::{Entry, EntryKind, StoreError};
use jiff::Timestamp;

/// What calls and totals go by: what happened to each hold, who was charged how much in which quarter hour,
/// each sum, each open hold; and everything that entries up to the mark say, which have digests. Of those after
/// it, the newest hour's at most, the texts, the quote of a call that was settled, and the times within their
/// quarter hours can be altered unseen.
#[derive(Debug, PartialEq)]
pub struct Told {
    pub entries: Vec<String>,
    pub sums: Vec<String>,
}

/// Reads all of it.
///
/// # Errors
/// What the store says.
pub fn told(reader: &dyn Reader) -> Result<Told, StoreError> {
    let mut sums = Vec::new();
    reader.each_sum(i64::MIN, i64::MAX, &mut |sum| sums.push(format!("{sum:?}")))?;
    let spent = reader.spend(Timestamp::MIN, Timestamp::MAX)?;
    sums.extend(spent.iter().map(|spent| format!("{spent:?}")));
    let open = reader.open_holds()?.into_iter();
    let quotes = open.map(|open| format!("{} {:?} {}", open.hold, open.origin, open.quote));
    sums.extend(quotes);
    let mark = reader.derived()?.mark;
    let told = |entry: Entry| {
        if entry.seq <= mark {
            return format!("{entry:?}");
        }
        let (seq, kind, hold) = (entry.seq, entry.kind, entry.hold);
        let origin = entry.origin();
        let quarter = entry.recorded_at.as_second() / 900;
        let is_charge = matches!(kind, EntryKind::Settled | EntryKind::Corrected);
        let charge = is_charge.then_some(entry.amount);
        format!("{seq} {kind} {hold} {quarter} {origin:?} {charge:?}")
    };
    let entries = reader.entries(0, 99_999)?.into_iter().map(told);
    Ok(Told {
        entries: entries.collect(),
        sums,
    })
}
