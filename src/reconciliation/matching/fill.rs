//! Interchangeable doubts share rows of a kind that writes one for each result: a doubt may own
//! several pieces written shortly after one another, and a piece may be several doubts'.

use std::cmp::Reverse;

use super::contest::Field;
use super::known::Grain;

/// Rows of one call are written at one instant; a little more, should they straddle a second.
pub(super) const TOGETHER_MICROS: i64 = 2_000_000;

/// What a doubt has been given.
struct Given {
    room: i64,
    since: Option<i64>,
    rows: Vec<u32>,
}

/// The rows of each doubt, if every row of the free pieces can be somebody's.
pub(super) fn fill(field: Field, doubts: &[u32], free: &[u32]) -> Option<Vec<Vec<u32>>> {
    let span = |doubt: u32| field.board.doubts[doubt as usize];
    let given = |doubt: &u32| Given {
        room: span(*doubt).amount,
        since: None,
        rows: Vec::new(),
    };
    let mut given: Vec<Given> = doubts.iter().map(given).collect();
    let mut pieces = free.to_vec();
    pieces.sort_by_key(|piece| (field.pieces.all[*piece as usize].at, *piece));
    for number in pieces {
        let piece = &field.pieces.all[number as usize];
        if field.pieces.grain(piece.kind) == Grain::PerRequest {
            return None;
        }
        let can = |place: usize, given: &Given| {
            let span = span(doubts[place]);
            let is_together = given
                .since
                .is_none_or(|since| piece.at - since <= TOGETHER_MICROS);
            is_together && span.covers(piece.at) && field.kinds(span).contains(&piece.kind)
        };
        let mut open: Vec<usize> = (0..doubts.len())
            .filter(|place| can(*place, &given[*place]))
            .collect();
        // Whole to one doubt, if any has room for it; else row by row.
        if let Some(whole) = (open.iter()).position(|place| given[*place].room >= piece.amount) {
            open = vec![open[whole]];
        }
        let mut rows = field.pieces.rows(number).to_vec();
        rows.sort_by_key(|row| (Reverse(field.board.rows[*row as usize].amount), *row));
        for row in rows {
            let amount = field.board.rows[row as usize].amount;
            let place = (open.iter()).find(|place| given[**place].room >= amount)?;
            let given = &mut given[*place];
            given.room -= amount;
            given.since = given.since.or(Some(piece.at));
            given.rows.push(row);
        }
    }
    Some(given.into_iter().map(|given| given.rows).collect())
}
