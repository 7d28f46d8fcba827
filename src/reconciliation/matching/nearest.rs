//! What is left of doubts that are overdue: the nearest row in time, or nothing.

use super::board::Span;
use super::contest::{Contest, Field};
use super::decide::{Decider, End};
use super::exchange::Owner;
use super::pieces::Fit;

/// Ends the overdue doubts of a contest that are still undecided.
pub(super) fn allocate(decider: &mut Decider, contest: &Contest) {
    let ends = &decider.decisions.ends;
    let is_left = |doubt: &u32| {
        matches!(ends[*doubt as usize], End::Undecided(_)) && decider.is_overdue(*doubt)
    };
    let overdue: Vec<u32> = contest.doubts.iter().copied().filter(is_left).collect();
    if overdue.is_empty() {
        return;
    }
    by_distance(decider, &overdue);
    for doubt in overdue {
        let field = decider.field;
        let end = &decider.decisions.ends[doubt as usize];
        if matches!(end, End::Undecided(_)) {
            let span = field.board.doubts[doubt as usize];
            let is_any = !decider.free(contest).is_empty();
            let may_ask = is_any && !field.stands_for.has_guessed(span.operation);
            if may_ask && decider.owners.find(field, Owner::Doubt(doubt)) {
                continue;
            }
            let pending = (field.pieces).has_pending(span, field.kinds(span), Fit::AtMost);
            let is_known = decider.is_read(doubt) && !pending && !decider.owners.is_exhausted();
            if is_known {
                decider.decisions.ends[doubt as usize] = End::Allocated(Vec::new());
            }
        }
    }
    own(decider, contest);
}

/// Gives free pieces to doubts, the nearest pairs first.
fn by_distance(decider: &mut Decider, overdue: &[u32]) {
    let field = decider.field;
    let mut pairs: Vec<((i64, i64), u32, u32)> = Vec::new();
    let mut ranges = Vec::new();
    for doubt in overdue {
        let span = field.board.doubts[*doubt as usize];
        field.reach(span, &mut ranges);
        let direct = ranges.iter().flat_map(|(begin, end)| *begin..*end);
        let parts = field.pieces.reach_parts(span, field.kinds(span));
        for piece in direct.chain(parts) {
            let kind = field.pieces.all[piece as usize].kind;
            // A row that bears another operation's name is not even the nearest.
            let is_guessed = field.stands_for.is_guessed(kind, span.operation);
            if decider.owners.of(piece) == Owner::Nobody && !is_guessed {
                let began_at = field.board.question.doubts[span.place as usize].began_at;
                let at = field.pieces.all[piece as usize].at;
                let distance = distance(span, began_at.as_microsecond(), at);
                pairs.push((distance, piece, *doubt));
            }
        }
    }
    pairs.sort_unstable();
    let mut shared: Vec<u32> = Vec::new();
    for (_, piece, doubt) in pairs {
        if !matches!(decider.decisions.ends[doubt as usize], End::Undecided(_)) {
            continue;
        }
        let most = field.board.doubts[doubt as usize].amount;
        let is_whole = field.pieces.all[piece as usize].amount <= most;
        match decider.owners.of(piece) {
            Owner::Nobody if is_whole => {
                decider.owners.give(piece, Owner::Doubt(doubt));
                let rows = field.pieces.rows(piece).to_vec();
                decider.decisions.ends[doubt as usize] = End::Allocated(rows);
            }
            Owner::Nobody | Owner::Shared => {
                let rows = part(field, piece, most, &shared);
                if !rows.is_empty() {
                    decider.owners.give(piece, Owner::Shared);
                    shared.extend(&rows);
                    decider.decisions.ends[doubt as usize] = End::Allocated(rows);
                }
            }
            _ => {}
        }
    }
}

/// How far a moment is outside of a doubt's time, and then from the beginning of its call: most rows
/// are written then.
fn distance(span: Span, began_at: i64, at: i64) -> (i64, i64) {
    let outside = (span.from - at).max(at - span.to).max(0);
    (outside, (at - began_at).abs())
}

/// As many rows of a piece as fit under `most`.
fn part(field: Field, piece: u32, most: i64, taken: &[u32]) -> Vec<u32> {
    let mut room = most;
    let rows = field.pieces.rows(piece).iter().copied();
    rows.filter(|row| {
        let amount = field.board.rows[*row as usize].amount;
        let fits = amount <= room && !taken.contains(row);
        if fits {
            room -= amount;
        }
        fits
    })
    .collect()
}

/// Doubts that own pieces now are allocated them. An exchange may have given another piece to one
/// that had its end already.
fn own(decider: &mut Decider, contest: &Contest) {
    for piece in &contest.pieces {
        if let Owner::Doubt(doubt) = decider.owners.of(*piece) {
            let rows = decider.field.pieces.rows(*piece).to_vec();
            let end = &mut decider.decisions.ends[doubt as usize];
            *end = match end {
                End::Settled(_) => End::Settled(rows),
                _ => End::Allocated(rows),
            };
        }
    }
}
