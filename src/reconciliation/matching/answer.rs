//! Puts the question and says what was found.

use ahash::AHashSet;

use crate::credits::Credits;
use crate::ledger::{HoldId, Match, MatchedBy};
use crate::transaction::TransactionId;

use super::allocated::Perhaps;
use super::board::{Board, NONE, Span};
use super::contest::{Contest, Field, contests};
use super::decide::{Decisions, End, decide};
use super::learn::explain_all;
use super::pieces::Pieces;
use super::stands_for::StandsFor;
use super::{
    Answer, CANDIDATES_MAX, ChargeLeft, DoubtEnd, Known, LeftBecause, Question, RowLeft, Undecided,
};

/// Matches rows with calls. `known` is what the last answer knew, or nothing.
pub fn answer(question: Question, known: &Known) -> Answer {
    let mut known = known.clone();
    let mut board = Board::new(question);
    let stands_for = explain_all(&mut board, &mut known);
    let pieces = Pieces::new(&board, &known, &stands_for);
    let field = Field {
        board: &board,
        pieces: &pieces,
        stands_for: &stands_for,
    };
    let contests: Vec<Contest> = contests(field);
    let decisions = decide(field, &contests);
    let perhaps = Perhaps::of(field, &contests, &known);
    let (ended, undecided) = doubts(field, &decisions, &perhaps);
    let moved = decisions.moved.clone();
    let mut said = Said::new(&board, &decisions);
    for (row, owner) in moved {
        board.owner[row as usize] = owner;
    }
    said.pending = charges_waiting(&board, &stands_for);
    said.withhold(&board, &stands_for);
    Answer {
        matches: matches(&board, &said),
        ended,
        undecided,
        rows_left: rows_left(&board, &said),
        charges_left: charges_left(&board, &said),
        known,
    }
}

/// What must not be said of rows and charges, by their numbers.
struct Said {
    /// Rows of decided doubts.
    is_doubts: Vec<bool>,
    contested_rows: Vec<bool>,
    contested_charges: Vec<bool>,
    /// Charges without a row that may be one that is not final.
    pending: Vec<bool>,
}

impl Said {
    fn new(board: &Board, decisions: &Decisions) -> Self {
        let marked = |count: usize, numbers: &mut dyn Iterator<Item = u32>| {
            let mut marks = vec![false; count];
            for number in numbers {
                marks[number as usize] = true;
            }
            marks
        };
        let mut of_doubts = decisions.ends.iter().flat_map(|end| end.rows().to_vec());
        let mut charges = decisions.contested_charges.iter().copied();
        let mut rows = decisions.contested_rows.iter().copied();
        Self {
            is_doubts: marked(board.rows.len(), &mut of_doubts),
            contested_rows: marked(board.rows.len(), &mut rows),
            contested_charges: marked(board.charges.len(), &mut charges),
            pending: Vec::new(),
        }
    }
}

impl Said {
    /// Withholds matches that may still turn out otherwise: of charges whose time is not over for the
    /// account, or reaches into that of a call in flight. Of the others
    /// no later charge, and no row that comes in time, makes a better match.
    fn withhold(&mut self, board: &Board, stands_for: &StandsFor) {
        let mut firm_until = vec![board.read_until(); board.kinds.len()];
        for live in &board.live {
            for kind in stands_for.kinds(live.operation) {
                let until = &mut firm_until[*kind as usize];
                *until = live.from.min(*until);
            }
        }
        for (row, owner) in board.rows.iter().zip(&board.owner) {
            let charge = board.charges.get(*owner as usize);
            if charge.is_some_and(|charge| charge.to > firm_until[row.kind as usize]) {
                self.contested_charges[*owner as usize] = true;
            }
        }
    }
}

fn doubts(
    field: Field,
    decisions: &Decisions,
    perhaps: &Perhaps,
) -> (Vec<DoubtEnd>, Vec<Undecided>) {
    let (mut ended, mut undecided) = (Vec::new(), Vec::new());
    let contested: AHashSet<u32> = decisions.contested_rows.iter().copied().collect();
    let ends = field.board.doubts.iter().zip(&decisions.ends);
    for (number, (span, end)) in ends.enumerate() {
        let doubt = &field.board.question.doubts[span.place as usize];
        if let End::Undecided(why) = end {
            undecided.push(Undecided {
                hold: doubt.hold,
                why: *why,
                candidates: candidates(field, *span, &contested),
            });
            continue;
        }
        let mut rows = end.rows().to_vec();
        rows.sort_unstable();
        let allocated = matches!(end, End::Allocated(_));
        let perhaps = perhaps.of_doubt(number, !rows.is_empty());
        let perhaps = perhaps.filter(|_| !allocated);
        let how = match doubt.is_job {
            _ if allocated || perhaps.is_some() => MatchedBy::Allocated,
            true => MatchedBy::Job,
            false => MatchedBy::Doubt,
        };
        let amount = |row: &u32| Credits::from_micros(field.board.rows[*row as usize].amount);
        ended.push(DoubtEnd {
            hold: doubt.hold,
            charge: rows.iter().map(amount).sum(),
            matches: rows
                .iter()
                .map(|row| matched(field.board, *row, doubt.hold, how))
                .collect(),
            allocated,
            perhaps,
        });
    }
    ended.sort_by_key(|end| end.hold);
    undecided.sort_by_key(|doubt| doubt.hold);
    (ended, undecided)
}

/// The rows inside a doubt's time that could still be its own.
fn candidates(field: Field, span: Span, contested: &AHashSet<u32>) -> Vec<TransactionId> {
    let mut ranges = Vec::new();
    field.reach(span, &mut ranges);
    let kinds = field.kinds(span);
    let whole = ranges.iter().flat_map(|(begin, end)| *begin..*end);
    let pieces = whole.chain(field.pieces.reach_parts(span, kinds));
    let free = pieces.flat_map(|piece| field.pieces.rows(piece).iter().copied());
    let mut rows: Vec<u32> = free
        .filter(|row| contested.contains(row))
        .chain(field.pieces.pending(span, kinds).map(|(_, row)| row))
        .collect();
    rows.sort_unstable();
    rows.truncate(CANDIDATES_MAX);
    rows.iter()
        .map(|row| field.board.id(*row).clone())
        .collect()
}

fn matched(board: &Board, row: u32, hold: HoldId, how: MatchedBy) -> Match {
    Match {
        transaction: board.id(row).clone(),
        hold,
        how,
    }
}

fn matches(board: &Board, said: &Said) -> Vec<Match> {
    let mut pairs: Vec<(u32, u32)> = (0..)
        .zip(&board.owner)
        .filter(|(_, owner)| **owner != NONE && !said.contested_charges[**owner as usize])
        .map(|(row, owner)| (*owner, row))
        .collect();
    pairs.sort_unstable();
    let of = |(charge, row): (u32, u32)| {
        let place = board.charges[charge as usize].place as usize;
        let hold = board.question.charges[place].hold;
        matched(board, row, hold, MatchedBy::Charge)
    };
    pairs.into_iter().map(of).collect()
}

fn rows_left(board: &Board, said: &Said) -> Vec<RowLeft> {
    let mut left = Vec::new();
    for (number, (row, owner)) in board.rows.iter().zip(&board.owner).enumerate() {
        let of_charge = *owner != NONE && !said.contested_charges[*owner as usize];
        if of_charge || said.is_doubts[number] {
            continue;
        }
        let because = if !row.is_final {
            LeftBecause::Pending
        } else if *owner != NONE || said.contested_rows[number] {
            LeftBecause::Contested
        } else {
            LeftBecause::Unexplained
        };
        left.push(RowLeft {
            row: row.place as usize,
            because,
        });
    }
    left
}

fn charges_left(board: &Board, said: &Said) -> Vec<ChargeLeft> {
    let until = board.read_until();
    let mut left = Vec::new();
    for (number, charge) in board.charges.iter().enumerate() {
        let because = if board.explained[number] && !said.contested_charges[number] {
            continue;
        } else if said.pending[number] {
            LeftBecause::Pending
        } else if charge.to > until {
            LeftBecause::NotRead
        } else if said.contested_charges[number] {
            LeftBecause::Contested
        } else {
            LeftBecause::Unexplained
        };
        left.push(ChargeLeft {
            charge: charge.place as usize,
            because,
        });
    }
    left
}

/// Charges without a row, where a row that is not final could be it.
fn charges_waiting(board: &Board, stands_for: &StandsFor) -> Vec<bool> {
    let pending: Vec<_> = board.rows.iter().filter(|row| !row.is_final).collect();
    let waits = |charge: &Span| {
        let kinds = stands_for.kinds(charge.operation);
        let begin = pending.partition_point(|row| row.at < charge.from);
        pending[begin..]
            .iter()
            .take_while(|row| row.at <= charge.to)
            .any(|row| kinds.contains(&row.kind))
    };
    let charges = board.charges.iter().zip(&board.explained);
    charges
        .map(|(charge, explained)| !explained && waits(charge))
        .collect()
}
