//! Puts the question and says what was found.

use crate::ledger::{Match, MatchedBy};

use super::board::{Board, NONE};
use super::learn::explain_all;
use super::{Answer, ChargeLeft, Known, LeftBecause, Question, RowLeft, Undecided, Why};

/// Matches rows with calls. `known` is what the last answer knew.
pub fn answer(question: Question, known: &Known) -> Answer {
    let mut known = known.clone();
    let mut board = Board::new(question);
    let _stands_for = explain_all(&mut board, &mut known);
    Answer {
        matches: matches(&board),
        ended: Vec::new(),
        undecided: undecided(&board),
        rows_left: rows_left(&board),
        charges_left: charges_left(&board),
        known,
    }
}

fn matches(board: &Board) -> Vec<Match> {
    let mut pairs: Vec<(u32, u32)> = (0..)
        .zip(&board.owner)
        .filter(|(_, owner)| **owner != NONE)
        .map(|(row, owner)| (*owner, row))
        .collect();
    pairs.sort_unstable();
    let of = |(charge, row): (u32, u32)| {
        let charge = board.charges[charge as usize].place as usize;
        let row = board.rows[row as usize].place as usize;
        Match {
            transaction: board.question.rows[row].id.clone(),
            hold: board.question.charges[charge].hold,
            how: MatchedBy::Charge,
        }
    };
    pairs.into_iter().map(of).collect()
}

fn undecided(board: &Board) -> Vec<Undecided> {
    let doubts = board.question.doubts.iter();
    doubts
        .map(|doubt| Undecided {
            hold: doubt.hold,
            why: Why::NotRead,
            candidates: Vec::new(),
        })
        .collect()
}

fn rows_left(board: &Board) -> Vec<RowLeft> {
    let left = board.rows.iter().zip(&board.owner);
    left.filter(|(_, owner)| **owner == NONE)
        .map(|(row, _)| RowLeft {
            row: row.place as usize,
            because: if row.is_final {
                LeftBecause::Unexplained
            } else {
                LeftBecause::Pending
            },
        })
        .collect()
}

fn charges_left(board: &Board) -> Vec<ChargeLeft> {
    let until = board.question.complete_until.as_microsecond();
    let left = board.charges.iter().zip(&board.explained);
    left.filter(|(_, explained)| !**explained)
        .map(|(charge, _)| ChargeLeft {
            charge: charge.place as usize,
            because: if charge.to <= until {
                LeftBecause::Unexplained
            } else {
                LeftBecause::NotRead
            },
        })
        .collect()
}
