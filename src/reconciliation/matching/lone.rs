//! Rows that no rule has found a place for, where there is only one: rows of several kinds at one
//! instant that add up to a charge (a search and its extras), and rows of kinds that nobody knows.

use super::board::{Board, Span};
use super::exact::{Token, tokens};
use super::known::{Grain, Known};
use super::stands_for::StandsFor;

/// Explains charges that have one possible explanation, which explains nothing else.
pub(super) fn explain_lone(board: &mut Board, known: &mut Known, stands_for: &StandsFor) {
    let rows = board.free();
    let open = board.open();
    if rows.is_empty() || open.is_empty() {
        return;
    }
    let mut sums = tokens(board, &rows, Grain::PerResult);
    let kind = |place: u32| board.rows[rows[place as usize] as usize].kind;
    // One kind alone would have been summed up, were that its grain.
    sums.retain(|token| {
        let mut others = token.first..token.first + token.count;
        others.any(|place| kind(place) != kind(token.first))
    });
    explain(board, known, stands_for, &rows, &sums, &open);

    let unproven = |charge: &u32| !stands_for.is_proven(board.charges[*charge as usize].operation);
    let open: Vec<u32> = board.open().into_iter().filter(unproven).collect();
    let rows = board.free();
    let mut all = tokens(board, &rows, Grain::PerRequest);
    let sums = tokens(board, &rows, Grain::PerResult);
    all.extend(sums.iter().filter(|token| token.count > 1));
    all.sort_unstable_by_key(|token| (token.amount, token.at, token.first, token.count));
    explain(board, known, stands_for, &rows, &all, &open);
}

/// Gives each token that only one charge covers to that charge, if it covers no other.
fn explain(
    board: &mut Board,
    known: &mut Known,
    stands_for: &StandsFor,
    rows: &[u32],
    tokens: &[Token],
    charges: &[u32],
) {
    let mut coming = vec![0_i64; tokens.len() + 1];
    let mut alone = Vec::new();
    for number in charges {
        let charge = board.charges[*number as usize];
        let from = (charge.amount, charge.from);
        let begin = tokens.partition_point(|token| (token.amount, token.at) < from);
        let end = begin
            + tokens[begin..]
                .partition_point(|token| (token.amount, token.at) <= (charge.amount, charge.to));
        coming[begin] += 1;
        coming[end] -= 1;
        if end == begin + 1 {
            alone.push((*number, begin));
        }
    }
    let mut covering = 0;
    let is_single: Vec<bool> = (coming.iter())
        .map(|step| {
            covering += step;
            covering == 1
        })
        .collect();
    for (number, token) in alone {
        let (is_single, token) = (is_single[token], tokens[token]);
        let rows = &rows[token.first as usize..][..token.count as usize];
        let charge = board.charges[number as usize];
        if is_single && may_have(board, stands_for, charge, rows) {
            for row in rows {
                board.give(number, *row);
            }
            let kind = board.rows[rows[0] as usize].kind;
            let main = (rows.iter())
                .map(|row| board.rows[*row as usize].kind)
                .find(|kind| stands_for.kinds(charge.operation).contains(kind));
            let kind = board.kind(main.unwrap_or(kind));
            known.learn(kind, board.operation(charge.operation), 1);
        }
    }
}

/// Whether the rows are still free, one of them is of a kind the charge can have, and no doubt or live
/// call could have it.
fn may_have(board: &Board, stands_for: &StandsFor, charge: Span, rows: &[u32]) -> bool {
    let kinds = |operation| stands_for.kinds(operation);
    let is_rival = |rival: &Span| {
        rows.iter().any(|row| {
            let row = board.rows[*row as usize];
            rival.covers(row.at)
                && row.amount <= rival.amount
                && kinds(rival.operation).contains(&row.kind)
        })
    };
    rows.iter().all(|row| board.is_free(*row))
        && rows
            .iter()
            .any(|row| kinds(charge.operation).contains(&board.rows[*row as usize].kind))
        && !board.doubts.iter().chain(&board.live).any(is_rival)
}
