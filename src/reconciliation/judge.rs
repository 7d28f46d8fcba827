//! What remains becomes findings. Pure.
//!
//! A finding is made as soon as nothing that is still to come could explain what is left: a row of
//! theirs at once, since every call of ours is in the books before it leaves; a charge of ours when
//! the account has been read completely for its time.

use std::sync::Arc;

use jiff::Timestamp;

use super::kinds::Kinds;
use super::matching::{Answer, Differing, DoubtEnd, LeftBecause};
use super::open::{Open, OpenCharge, Seen, changed};
use super::question::Asked;
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
    /// Rows that came late, and whose team is certain.
    pub(super) late: Vec<TransactionId>,
}

/// What a matching said, and what it was asked.
#[derive(Clone, Copy)]
pub(super) struct Matched<'a> {
    pub(super) answer: &'a Answer,
    pub(super) asked: &'a Asked,
    /// What belongs together but for its amount.
    pub(super) differing: &'a [Differing],
    pub(super) kinds: Kinds<'a>,
    /// What one unit of the list is in the account's credits.
    pub(super) factor: Credits,
    /// Up to when the list is complete, if it ever was.
    pub(super) complete_until: Option<Timestamp>,
}

/// Judges what a matching left.
pub(super) fn left(open: &mut Open, matched: Matched<'_>, now: Timestamp) -> Judged {
    let Matched {
        answer,
        asked,
        kinds,
        ..
    } = matched;
    let mut judged = Judged::default();
    let until = matched.complete_until;
    for pair in matched.differing {
        let rows = pair.rows.iter();
        let theirs: Vec<_> = rows.filter_map(|row| asked.rows.get(*row)).collect();
        if let (Some(charge), Some(first)) = (asked.charges.get(pair.charge), theirs.first()) {
            judged.unit(open, first, pair, charge.hold, matched.factor, now);
            judged.differs(
                open,
                &theirs,
                first.id.clone(),
                pair.theirs,
                charge.hold,
                now,
            );
        }
    }
    for left in &answer.rows_left {
        if left.because == LeftBecause::Unexplained
            && let Some(row) = asked.rows.get(left.row)
            // What a kind that nobody knows stands for may yet be learned from later rows.
            && (kinds.is_known(&row.kind) || until.is_some_and(|until| row.at <= until))
        {
            judged.theirs(open, row, kinds, now);
        }
    }
    for left in &answer.charges_left {
        if left.because == LeftBecause::Unexplained
            && let Some(charge) = asked.charges.get(left.charge)
        {
            judged.ours(open, charge.hold, now);
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
            self.owned.push(owned);
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
    fn theirs(&mut self, open: &mut Open, row: &Transaction, kinds: Kinds<'_>, now: Timestamp) {
        if open
            .rows
            .get(&row.id)
            .is_none_or(|open| open.finding.is_some())
        {
            return;
        }
        if let Some(late) = Late::find(open, row, kinds) {
            open.rows.remove(&row.id);
            open.given_up.remove(&late.hold);
            self.late.extend(late.is_certain.then(|| row.id.clone()));
            self.found.push(late.finding(row, now));
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

/// A call that was given up, and that a row has come for.
struct Late {
    hold: HoldId,
    call: OpenCharge,
    /// Nobody else's call fits, and it was given up for want of a row, not by a person.
    is_certain: bool,
}

impl Late {
    /// The call this row fits best: the nearest in time.
    fn find(open: &Open, row: &Transaction, kinds: Kinds<'_>) -> Option<Self> {
        let times = open.times;
        let fits = |call: &OpenCharge| {
            let span = times.from(call.began_at)..=times.to(call.began_at, None);
            call.amount >= row.charge()
                && span.contains(&row.at)
                && kinds.may_be(&row.kind, &call.operation)
        };
        let fitting = || open.given_up.iter().filter(|(_, call)| fits(call));
        let distance = |call: &OpenCharge| row.at.duration_since(call.began_at).abs();
        let (hold, call) = fitting().min_by_key(|(hold, call)| (distance(call), **hold))?;
        let payers = || fitting().map(|(_, call)| (&call.team, &call.key, &call.operation));
        let by_absence = call.answered_at.is_some();
        Some(Self {
            hold: *hold,
            call: call.clone(),
            is_certain: by_absence && payers().all(|payer| Some(payer) == payers().next()),
        })
    }

    fn finding(self, row: &Transaction, now: Timestamp) -> Finding {
        let (hold, charge) = (self.hold, row.charge());
        Finding {
            name: format!("late:{}", row.id).into(),
            kind: FindingKind::Late,
            found_at: now,
            at: self.call.began_at,
            operation: Some(self.call.operation),
            team: Some(self.call.team),
            drift: charge,
            hold: Some(hold),
            transaction: Some(row.id.clone()),
            detail: format!(
                "hold {hold} had been released, and then a row of {charge} came for it"
            ),
        }
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
    let (kind, name, drift, detail) = match (seen.changed, seen.owner) {
        _ if given && is_operation => (
            FindingKind::AmountDiffers,
            format!("refund:{}", row.id),
            Credits::ZERO.saturating_sub(row.amount),
            format!("the account gave back {} for {:?}", row.amount, row.kind),
        ),
        _ if given => (
            FindingKind::TopUp,
            format!("top_up:{}", row.id),
            Credits::ZERO,
            format!("the account got {} ({:?})", row.amount, row.kind),
        ),
        (Some(Credits::ZERO), _) => {
            let name = changed(&row.id).into();
            judged.closed.push((name, "the row is again as it was"));
            return judged;
        }
        (Some(by), Some(hold)) => {
            let (taken, status) = (row.taken(), row.status.as_str());
            (
                FindingKind::AmountDiffers,
                changed(&row.id),
                by,
                format!(
                    "the row of hold {hold} changed after its match: it takes {taken} now ({status})"
                ),
            )
        }
        _ => return judged,
    };
    judged.found.push(Finding {
        name: name.into(),
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

/// What was allocated is said, so that a person can put it right.
pub(super) fn allocated(end: &DoubtEnd, now: Timestamp) -> Option<Finding> {
    if !end.allocated {
        return None;
    }
    let first = end.matches.first();
    let given = match first {
        Some(found) => format!("was given the nearest row, {}", found.transaction),
        None => "was released, since no row was near".to_owned(),
    };
    Some(Finding {
        name: format!("allocated:{}", end.hold).into(),
        kind: FindingKind::Allocated,
        found_at: now,
        at: now,
        operation: None,
        team: None,
        drift: Credits::ZERO,
        hold: Some(end.hold),
        transaction: first.map(|found| found.transaction.clone()),
        detail: format!(
            "nothing decided about hold {} within a day: it {given}",
            end.hold
        ),
    })
}
