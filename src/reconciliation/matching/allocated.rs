//! Doubts that were ended by nearness, and what is not certain for that reason.
//!
//! Nobody knows whose the rows are that they got, and whether those that others have are theirs. So what is decided
//! in a contest that would be theirs too, were they open and their rows free, is not certain:
//!
//! 1. A doubt may have been charged after all, or for another row, if anybody in its contest could have had a row
//!    that was given. That it cannot have that row itself says nothing: it may own the row of a settled charge, which
//!    may own that of another one alike, and so on up to the row that was given.
//! 2. A doubt that has a row may not have been charged, if one that was ended by nearness could have had a row of the
//!    contest.
//!
//! A contest ends where time, kind or amount admit no further exchange, and where all that it decides is decided:
//! charges whose rows are said then lead no further. As long as one doubt of it is open, none is said.

use std::sync::Arc;

use super::Allocated;
use super::board::{Board, NONE, Span};
use super::contest::{Contest, Field};
use super::exact::NextFree;
use super::known::{Grain, Known};
use super::pieces::Fit;
use crate::ledger::HoldId;
use crate::reconciliation::kinds::Kinds;

/// By doubt: one that was ended by nearness, and whose row may be this one's, or this one's row its own.
pub(super) struct Perhaps {
    /// Whose row it may have had.
    had: Vec<Option<HoldId>>,
    /// Who may have had its row.
    lost: Vec<Option<HoldId>>,
}

impl Perhaps {
    pub(super) fn of(field: Field, contests: &[Contest], known: &Known) -> Self {
        let doubts = field.board.doubts.len();
        let mut perhaps = Self {
            had: vec![None; doubts],
            lost: vec![None; doubts],
        };
        if field.board.question.allocated.is_empty() {
            return perhaps;
        }
        let given = Given::new(field.board, known);
        let claimed = claimed(field, contests);
        let all = contests.iter().zip(claimed);
        for (contest, claimed) in all.filter(|(contest, _)| !contest.doubts.is_empty()) {
            let had = given.in_contest(field, contest);
            for doubt in &contest.doubts {
                perhaps.had[*doubt as usize] = had;
                perhaps.lost[*doubt as usize] = claimed;
            }
        }
        perhaps
    }

    /// Whom a doubt may have exchanged with, for all that anybody knows.
    pub(super) fn of_doubt(&self, doubt: usize, has_rows: bool) -> Option<HoldId> {
        let lost = self.lost[doubt].filter(|_| has_rows);
        self.had[doubt].or(lost)
    }
}

/// Rows that were given to the nearest.
struct Given {
    /// By kind, amount, time, hold.
    rows: Vec<Row>,
    /// By operation: the kinds that may be its own, by their numbers here.
    kinds: Vec<Vec<u32>>,
}

/// A row that was given.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    kind: u32,
    amount: i64,
    at: i64,
    to: HoldId,
}

impl Given {
    fn new(board: &Board, known: &Known) -> Self {
        let all = board.question.allocated;
        let rows = || (all.iter()).flat_map(|one| one.rows.iter().map(move |row| (one.hold, row)));
        let mut names: Vec<&Arc<str>> = rows().map(|(_, row)| &row.kind).collect();
        names.sort_unstable();
        names.dedup();
        let number = |kind| names.partition_point(|name| *name < kind);
        let rows = rows().map(|(to, row)| Row {
            kind: u32::try_from(number(&row.kind)).unwrap_or(NONE),
            amount: row.charge().micros(),
            at: row.at.as_microsecond(),
            to,
        });
        let mut rows: Vec<Row> = rows.filter(|row| row.amount > 0).collect();
        rows.sort_unstable();
        let kinds = Kinds {
            operations: board.question.operations,
            known,
        };
        let of = |operation| {
            let may_be = (0..).zip(&names);
            let may_be = may_be.filter(|(_, name)| kinds.may_be(name, operation));
            may_be.map(|(number, _)| number).collect()
        };
        Self {
            kinds: board.operations.iter().map(|name| of(*name)).collect(),
            rows,
        }
    }

    /// Who got a row that somebody in a contest could have had.
    fn in_contest(&self, field: Field, contest: &Contest) -> Option<HoldId> {
        let board = field.board;
        let doubts = contest.doubts.iter();
        let doubts = doubts.map(|doubt| (board.doubts[*doubt as usize], Fit::AtMost));
        let pieces = contest.pieces.iter();
        let pieces = pieces.map(|piece| &field.pieces.all[*piece as usize]);
        let charges = pieces.filter(|piece| piece.owner != NONE).map(|piece| {
            let charge = board.charges[piece.owner as usize];
            let is_whole = field.is_whole(charge, piece.amount);
            let is_one = is_whole && field.pieces.grain(piece.kind) == Grain::PerRequest;
            (charge, if is_one { Fit::Exactly } else { Fit::AtMost })
        });
        let mut all = doubts.chain(charges);
        all.find_map(|(span, fit)| self.near(span, fit))
    }

    /// Who got a row that one could have had.
    fn near(&self, span: Span, fit: Fit) -> Option<HoldId> {
        let mut kinds = self.kinds[span.operation as usize].iter();
        kinds.find_map(|kind| self.near_of(*kind, span, fit))
    }

    /// The same of one kind: looks into one amount after the other.
    fn near_of(&self, kind: u32, span: Span, fit: Fit) -> Option<HoldId> {
        let mut amount = match fit {
            Fit::Exactly => span.amount,
            Fit::AtMost => 0,
        };
        loop {
            let from = (kind, amount, span.from);
            let place = (self.rows).partition_point(|row| (row.kind, row.amount, row.at) < from);
            let row = self.rows.get(place)?;
            if row.kind != kind || row.amount > span.amount {
                return None;
            }
            if row.amount == amount && row.at <= span.to {
                return Some(row.to);
            }
            amount = row.amount.max(amount + 1);
        }
    }
}

/// By contest: who could have had a row of it. Each piece is looked at once.
fn claimed(field: Field, contests: &[Contest]) -> Vec<Option<HoldId>> {
    let (pieces, board) = (field.pieces, field.board);
    let mut of_piece = vec![NONE; pieces.all.len()];
    for (number, contest) in (0..).zip(contests) {
        for piece in &contest.pieces {
            of_piece[*piece as usize] = number;
        }
    }
    let mut claimed = vec![None; contests.len()];
    let mut claim = |piece: u32, hold: HoldId| {
        let contest = of_piece[piece as usize] as usize;
        if let Some(claimed) = claimed.get_mut(contest) {
            claimed.get_or_insert(hold);
        }
    };
    let mut next = NextFree::new(pieces.all.len());
    let mut next_in_time = NextFree::new(pieces.by_time.len());
    let mut ranges = Vec::new();
    for one in board.question.allocated {
        let Some(span) = span(board, one) else {
            continue;
        };
        field.reach(span, &mut ranges);
        for (begin, end) in &ranges {
            next.take_all(*begin, *end, |piece| claim(piece, one.hold));
        }
        pieces.reach_in_time(span, field.kinds(span), &mut ranges);
        for (begin, end) in &ranges {
            let piece = |place: u32| pieces.by_time[place as usize];
            next_in_time.take_all(*begin, *end, |place| claim(piece(place), one.hold));
        }
    }
    claimed
}

/// As a doubt of an operation that is asked about.
fn span(board: &Board, one: &Allocated) -> Option<Span> {
    let operation = board.operations.binary_search(&&one.operation).ok()?;
    Some(Span {
        from: one.from.as_microsecond(),
        to: one.to.as_microsecond(),
        amount: one.most.micros(),
        operation: u32::try_from(operation).ok()?,
        place: NONE,
    })
}
