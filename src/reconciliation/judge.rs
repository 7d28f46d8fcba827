//! What remains becomes findings. Pure.
//!
//! A finding is made as soon as nothing that is still to come could explain what is left: a row of
//! theirs at once, since every call of ours is in the books before it leaves; a charge of ours when
//! the account has been read completely for its time.

use std::sync::Arc;

use jiff::Timestamp;

use super::matching::{Answer, Differing, LeftBecause};
use super::open::{Open, OpenCharge, Seen};
use super::unit::{self, Pair};
use crate::credits::Credits;
use crate::ledger::{Finding, FindingKind, HoldId, MatchedBy, Record};
use crate::transaction::{Transaction, TransactionId, TransactionStatus};

/// The findings of one look, and those that it explains.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) found: Vec<Finding>,
    pub(super) closed: Vec<(Arc<str>, &'static str)>,
    /// Rows that belong to a hold all the same.
    pub(super) owned: Vec<Record>,
}

/// Judges what a matching left. `charges` and `rows` are what it was asked about, `differing` what
/// belongs together but for its amount.
pub(super) fn left(
    open: &mut Open,
    answer: &Answer,
    rows: &[Transaction],
    charges: &[HoldId],
    differing: &[Differing],
    factor: Credits,
    now: Timestamp,
) -> Judged {
    let mut judged = Judged::default();
    for pair in differing {
        let theirs: Vec<_> = pair.rows.iter().filter_map(|row| rows.get(*row)).collect();
        if let (Some(hold), Some(first)) = (charges.get(pair.charge), theirs.first()) {
            judged.unit(open, first, pair, *hold, factor, now);
            judged.differs(open, &theirs, first.id.clone(), pair.theirs, *hold, now);
        }
    }
    for left in &answer.rows_left {
        if left.because == LeftBecause::Unexplained
            && let Some(row) = rows.get(left.row)
        {
            judged.theirs(open, row, now);
        }
    }
    for left in &answer.charges_left {
        if left.because == LeftBecause::Unexplained
            && let Some(hold) = charges.get(left.charge)
        {
            judged.ours(open, *hold, now);
        }
    }
    judged
}

impl Judged {
    /// The pair is a witness for the unit of the list.
    fn unit(
        &mut self,
        open: &mut Open,
        first: &Transaction,
        pair: &Differing,
        hold: HoldId,
        factor: Credits,
        now: Timestamp,
    ) {
        let Some(ours) = open.charges.get(&hold) else {
            return;
        };
        let pair = Pair {
            ours: ours.amount,
            theirs: pair.theirs,
            rows: pair.rows.len(),
        };
        let wanted = open.units.differs(&first.kind, pair, factor);
        let source = first.id.source;
        self.found
            .extend(wanted.map(|wanted| unit::finding(source, &first.kind, pair, wanted, now)));
    }

    /// The rows are the hold's, and tell another amount.
    fn differs(
        &mut self,
        open: &mut Open,
        rows: &[&Transaction],
        first: TransactionId,
        their: Credits,
        hold: HoldId,
        now: Timestamp,
    ) {
        let Some(ours) = open.charges.remove(&hold) else {
            return;
        };
        let mut explained: Vec<_> = ours.finding.into_iter().collect();
        for row in rows {
            let finding = open.rows.get(&row.id).and_then(|row| row.finding.clone());
            explained.extend(finding);
            let owned = open.owned(row.id.clone(), hold, MatchedBy::Charge);
            self.owned.extend(owned);
        }
        for finding in explained {
            self.closed.push((finding, "the two belong together"));
        }
        let our = ours.amount;
        self.found.push(Finding {
            name: format!("amount_differs:{first}").into(),
            kind: FindingKind::AmountDiffers,
            found_at: now,
            at: ours.began_at,
            operation: Some(ours.operation),
            team: Some(ours.team),
            drift: their.saturating_sub(our),
            hold: Some(hold),
            transaction: Some(first),
            detail: format!("the account took {their}, the answer to hold {hold} stated {our}"),
        });
    }

    /// A row that nothing of ours explains: somebody used the account around the guard, or a call
    /// that was given up has been charged after all.
    fn theirs(&mut self, open: &mut Open, row: &Transaction, now: Timestamp) {
        if open
            .rows
            .get(&row.id)
            .is_none_or(|open| open.finding.is_some())
        {
            return;
        }
        if let Some((hold, call)) = late_owner(open, row) {
            open.rows.remove(&row.id);
            open.given_up.remove(&hold);
            let name = format!("late:{}", row.id);
            let detail = format!(
                "hold {hold} had been released, and then a row of {} came for it",
                row.charge()
            );
            self.found.push(about_call(
                name,
                FindingKind::Late,
                row,
                hold,
                call,
                detail,
                now,
            ));
            return;
        }
        let name: Arc<str> = format!("theirs_only:{}", row.id).into();
        self.found.push(Finding {
            name: Arc::clone(&name),
            kind: FindingKind::TheirsOnly,
            found_at: now,
            at: row.at,
            operation: None,
            team: None,
            drift: row.charge(),
            hold: None,
            transaction: Some(row.id.clone()),
            detail: format!(
                "{} for {:?} at {}: no call through the guard explains it",
                row.charge(),
                row.kind,
                row.at
            ),
        });
        if let Some(left) = open.rows.get_mut(&row.id) {
            left.finding = Some(name);
        }
    }

    fn ours(&mut self, open: &mut Open, hold: HoldId, now: Timestamp) {
        let Some(charge) = open.charges.get_mut(&hold) else {
            return;
        };
        if charge.finding.is_some() {
            return;
        }
        let name: Arc<str> = format!("ours_only:{hold}").into();
        self.found.push(Finding {
            name: Arc::clone(&name),
            kind: FindingKind::OursOnly,
            found_at: now,
            at: charge.began_at,
            operation: Some(charge.operation.clone()),
            team: Some(charge.team.clone()),
            drift: Credits::ZERO.saturating_sub(charge.amount),
            hold: Some(hold),
            transaction: None,
            detail: format!(
                "hold {hold} was settled at {}, and the account's list is complete for its time without a row for it",
                charge.amount
            ),
        });
        charge.finding = Some(name);
    }
}

/// The call that was given up and that this row fits best: the nearest before it.
fn late_owner(open: &Open, row: &Transaction) -> Option<(HoldId, OpenCharge)> {
    let times = open.times;
    let fits = |call: &OpenCharge| {
        let span = times.from(call.began_at)..=times.to(call.began_at, None);
        call.amount >= row.charge() && span.contains(&row.at)
    };
    let nearest = open.given_up.iter().filter(|(_, call)| fits(call));
    nearest
        .min_by_key(|(hold, call)| (row.at.duration_since(call.began_at).abs(), **hold))
        .map(|(hold, call)| (*hold, call.clone()))
}

fn about_call(
    name: String,
    kind: FindingKind,
    row: &Transaction,
    hold: HoldId,
    call: OpenCharge,
    detail: String,
    now: Timestamp,
) -> Finding {
    Finding {
        name: name.into(),
        kind,
        found_at: now,
        at: call.began_at,
        operation: Some(call.operation),
        team: Some(call.team),
        drift: row.charge(),
        hold: Some(hold),
        transaction: Some(row.id.clone()),
        detail,
    }
}

/// Judges a row that is new or has changed: money that was given, and what a matched row has
/// become since.
pub(super) fn seen(seen: &Seen, is_operation: bool, now: Timestamp) -> Judged {
    let mut judged = Judged::default();
    let row = &seen.row;
    if let Some(finding) = &seen.explained {
        judged
            .closed
            .push((Arc::clone(finding), "the account gave it back"));
    }
    let given = row.amount > Credits::ZERO && row.status == TransactionStatus::Success;
    let taken = |row: &Transaction| match row.status {
        TransactionStatus::Success => row.charge(),
        _ => Credits::ZERO,
    };
    let (kind, word, drift, detail) = match (&seen.before, seen.owner) {
        _ if given && is_operation => (
            FindingKind::AmountDiffers,
            "refund",
            Credits::ZERO.saturating_sub(row.amount),
            format!("the account gave back {} for {:?}", row.amount, row.kind),
        ),
        _ if given => (
            FindingKind::TopUp,
            "top_up",
            Credits::ZERO,
            format!("the account got {} ({:?})", row.amount, row.kind),
        ),
        (Some(before), Some(hold)) if taken(before) != taken(row) => (
            FindingKind::AmountDiffers,
            "changed",
            taken(row).saturating_sub(taken(before)),
            format!(
                "the row of hold {hold} changed from {} ({}) to {} ({})",
                before.charge(),
                before.status.as_str(),
                row.charge(),
                row.status.as_str()
            ),
        ),
        _ => return judged,
    };
    judged.found.push(Finding {
        name: format!("{word}:{}", row.id).into(),
        kind,
        found_at: now,
        at: row.at,
        operation: None,
        team: None,
        drift,
        hold: seen.owner,
        transaction: Some(row.id.clone()),
        detail,
    });
    judged
}

impl Judged {
    /// As records, to be kept.
    pub(super) fn records(&self, now: Timestamp) -> Vec<Record> {
        let found = self.found.iter().cloned().map(Record::Found);
        let closed = self.closed.iter().map(|(name, why)| Record::Closed {
            name: Arc::clone(name),
            at: now,
            why: (*why).to_owned(),
        });
        let owned = self.owned.iter().cloned();
        owned.chain(closed).chain(found).collect()
    }
}

/// A row has its charge's amount: the finding about its unit that this takes back.
pub(super) fn agrees(open: &mut Open, row: &TransactionId) -> Option<Arc<str>> {
    let kind = Arc::clone(&open.rows.get(row)?.row.kind);
    let taken_back = open.units.agrees(&kind);
    taken_back.then(|| unit::name(row.source, &kind))
}

/// The findings that are explained once this row and this hold's charge have found each other.
pub(super) fn explained(
    open: &Open,
    row: &TransactionId,
    hold: HoldId,
) -> impl Iterator<Item = Arc<str>> + use<> {
    let of_row = open.rows.get(row).and_then(|row| row.finding.clone());
    let of_charge = (open.charges.get(&hold)).and_then(|charge| charge.finding.clone());
    of_row.into_iter().chain(of_charge)
}
