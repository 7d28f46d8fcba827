//! What remains becomes findings. Pure.
//!
//! A finding is made as soon as nothing that is still to come could explain what is left: a row of
//! theirs at once, since every call of ours is in the books before it leaves; a charge of ours when
//! the account has been read completely for its time.

use std::sync::Arc;

use jiff::Timestamp;

use super::keeping::Judged;
use super::kinds::Kinds;
use super::matching::{Answer, Differing, LeftBecause};
use super::open::{FoundOf, Open, OpenCharge, Seen};
use super::question::Asked;
use super::unit::{self, Pair};
use super::wording::{changed, changed_detail, late};
use crate::credits::Credits;
use crate::ledger::{Finding, FindingKind, HoldId, Match, MatchedBy, Record};
use crate::transaction::{Transaction, TransactionId, TransactionStatus};

/// The words that findings about given money are named by.
const REFUND: &str = "refund";
const TOP_UP: &str = "top_up";

/// What a matching left, judged.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// What belongs together but for its amount.
    pub(super) differing: Vec<Judged>,
    /// Rows that came late: their findings, and the calls they belong to.
    pub(super) late: Vec<Late>,
    /// The places of rows that are nobody's. What is found of them is put into words as it is kept: there
    /// may be a million.
    pub(super) theirs: Vec<usize>,
    /// Holds whose charges have no row.
    pub(super) ours: Vec<HoldId>,
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
pub(super) fn left(open: &mut Open, matched: Matched<'_>, now: Timestamp) -> Left {
    let Matched { answer, asked, .. } = matched;
    let mut left = Left::default();
    for pair in matched.differing {
        left.differs(open, matched, pair, now);
    }
    for row in &answer.rows_left {
        let place = row.row;
        if row.because == LeftBecause::Unexplained
            && let Some(row) = asked.rows.get(place)
            && matched.is_nobodys(row)
            && left.is_theirs(open, row, matched.kinds, now)
        {
            left.theirs.push(place);
        }
    }
    for charge in &answer.charges_left {
        if charge.because == LeftBecause::Unexplained
            && let Some(charge) = asked.charges.get(charge.charge)
        {
            left.ours(open, charge.hold);
        }
    }
    left
}

impl Matched<'_> {
    /// Whether a row that is not explained now never will be: what a kind that nobody knows stands for
    /// may yet be learned from later rows.
    fn is_nobodys(&self, row: &Transaction) -> bool {
        let is_complete = self.complete_until.is_some_and(|until| row.at <= until);
        is_complete || self.kinds.is_known(&row.kind)
    }
}

impl Left {
    /// The rows are the hold's, and tell another amount: a witness for the unit of the list, too.
    fn differs(&mut self, open: &mut Open, matched: Matched<'_>, pair: &Differing, now: Timestamp) {
        let asked = matched.asked;
        let rows = pair.rows.iter();
        let theirs: Vec<_> = rows.filter_map(|row| asked.rows.get(*row)).collect();
        let (Some(charge), Some(first)) = (asked.charges.get(pair.charge), theirs.first()) else {
            return;
        };
        let hold = charge.hold;
        let Some(ours) = open.charges.get(&hold).cloned() else {
            return;
        };
        let (our, their) = (ours.amount, pair.theirs);
        let rows = theirs.len();
        let seen = Pair {
            ours: our,
            theirs: their,
            rows,
        };
        let wanted = open.units.differs(&first.kind, seen, matched.factor);
        let source = first.id.source;
        let unit = |wanted| unit::finding(source, &first.kind, seen, wanted, now);
        let owned = theirs.iter().map(|row| Match {
            transaction: row.id.clone(),
            hold,
            how: MatchedBy::Charge,
        });
        let mut judged = open.tie(owned, "the two belong together");
        judged.found.extend(wanted.map(unit));
        judged.found.push(Finding {
            name: format!("amount_differs:{}", first.id).into(),
            kind: FindingKind::AmountDiffers,
            found_at: now,
            at: ours.began_at,
            operation: Some(ours.operation),
            team: Some(ours.team),
            drift: their.saturating_sub(our),
            hold: Some(hold),
            transaction: Some(first.id.clone()),
            detail: format!("the account took {their}, the answer to hold {hold} stated {our}"),
        });
        self.differing.push(judged);
    }

    /// A row that nothing of ours explains: somebody used the account around the guard, or a call
    /// that was given up has been charged after all. Says whether it is the first, and new.
    fn is_theirs(
        &mut self,
        open: &mut Open,
        row: &Transaction,
        kinds: Kinds<'_>,
        now: Timestamp,
    ) -> bool {
        let left = open.rows.get(&row.id);
        if left.is_none_or(|left| left.finding.is_some()) {
            return false;
        }
        if let Some(late) = Late::find(open, row, kinds, now) {
            open.found_late(&late.finding);
            self.late.push(late);
            return false;
        }
        if let Some(left) = open.rows.get_mut(&row.id) {
            left.finding = Some(FoundOf::Theirs);
        }
        true
    }

    fn ours(&mut self, open: &mut Open, hold: HoldId) {
        if let Some(charge) = open.charges.get_mut(&hold)
            && !charge.is_found
        {
            charge.is_found = true;
            self.ours.push(hold);
        }
    }
}

/// A call that was given up, and that a row has come for.
#[derive(Debug)]
pub(super) struct Late {
    pub(super) hold: HoldId,
    pub(super) row: TransactionId,
    /// Nobody else's call fits, and it was given up for want of a row, not by a person.
    pub(super) is_certain: bool,
    /// That it came: its drift is what it took, unless its team is charged for it.
    pub(super) finding: Finding,
}

impl Late {
    /// The call this row fits best, of those that no row has come for: the nearest in time.
    fn find(open: &Open, row: &Transaction, kinds: Kinds<'_>, now: Timestamp) -> Option<Self> {
        let times = open.times;
        let fits = |call: &OpenCharge| {
            let span = times.from(call.began_at)..=call.to(times);
            call.amount >= row.charge()
                && span.contains(&row.at)
                && kinds.may_be(&row.kind, &call.operation)
        };
        let fitting = || open.given_up.iter().filter(|(_, call)| fits(call));
        let free = fitting().filter(|(_, call)| !call.is_found);
        let distance = |call: &OpenCharge| row.at.duration_since(call.began_at).abs();
        let (hold, call) = free.min_by_key(|(hold, call)| (distance(call), **hold))?;
        let payers = || fitting().map(|(_, call)| (&call.team, &call.key, &call.operation));
        let is_alone = payers().all(|payer| Some(payer) == payers().next());
        Some(Self {
            hold: *hold,
            row: row.id.clone(),
            is_certain: !call.by_operator && is_alone,
            finding: late(*hold, call.clone(), row, now),
        })
    }
}

/// Judges a row that is new or has changed: money that was given, and what a matched or a found row
/// has become since.
pub(super) fn seen(seen: &Seen, is_operation: bool, now: Timestamp) -> Judged {
    let row = &seen.row;
    let mut judged = Judged {
        records: vec![Record::Transaction(row.clone())],
        ..Judged::default()
    };
    let gone = seen.explained.iter().map(Arc::clone);
    judged
        .closed
        .extend(gone.map(|name| (name, "the account gave it back")));
    judged.again.extend(seen.found.clone());
    judged.given(seen, is_operation, now);
    match (seen.changed, seen.owner) {
        (Some(Credits::ZERO), _) => {
            let name = changed(&row.id).into();
            judged.closed.push((name, "the row is again as it was"));
        }
        (Some(by), Some(hold)) => {
            let detail = changed_detail(hold, row);
            let kind = FindingKind::AmountDiffers;
            let finding = about(seen, kind, changed(&row.id), by, detail, now);
            judged.found.push(finding);
        }
        _ => {}
    }
    judged
}

impl Judged {
    /// What the account gave by a row, and what it has taken back of that.
    fn given(&mut self, seen: &Seen, is_operation: bool, now: Timestamp) {
        let row = &seen.row;
        let (refund, top_up) = (
            format!("{REFUND}:{}", row.id),
            format!("{TOP_UP}:{}", row.id),
        );
        let is_given = is_given(row);
        if seen.before.as_ref().is_some_and(self::is_given) {
            let was_refund = !is_given || !is_operation;
            let was_top_up = !is_given || is_operation;
            let gone = [(was_refund, &refund), (was_top_up, &top_up)].into_iter();
            let gone = gone.filter_map(|(is_gone, name)| is_gone.then_some(name));
            let why = "the account took it back, or it was for something else";
            let gone = gone.map(|name| (Arc::from(name.as_str()), why));
            self.closed.extend(gone);
        }
        if !is_given {
            return;
        }
        let amount = row.amount;
        let finding = if is_operation {
            let detail = format!("the account gave back {amount} for {:?}", row.kind);
            let drift = Credits::ZERO.saturating_sub(amount);
            about(seen, FindingKind::AmountDiffers, refund, drift, detail, now)
        } else {
            let detail = format!(
                "the account got {amount} ({:?}): a top-up, since no charge of a call has had this kind yet",
                row.kind
            );
            about(seen, FindingKind::TopUp, top_up, Credits::ZERO, detail, now)
        };
        self.found.push(finding);
    }
}

fn is_given(row: &Transaction) -> bool {
    row.amount > Credits::ZERO && row.status == TransactionStatus::Success
}

fn about(
    seen: &Seen,
    kind: FindingKind,
    name: String,
    drift: Credits,
    detail: String,
    now: Timestamp,
) -> Finding {
    Finding {
        name: name.into(),
        kind,
        found_at: now,
        at: seen.row.at,
        operation: None,
        team: None,
        drift,
        hold: seen.owner,
        transaction: Some(seen.row.id.clone()),
        detail,
    }
}

/// A row has its charge's amount: the finding about its unit that this takes back.
pub(super) fn agrees(open: &mut Open, row: &TransactionId) -> Option<Arc<str>> {
    let kind = Arc::clone(&open.rows.get(row)?.row.kind);
    let taken_back = open.units.agrees(&kind);
    taken_back.then(|| unit::name(row.source, &kind))
}
