//! What doubts can own: rows of a kind that stand together, free or taken by a charge.

use super::board::{Board, NONE, Span};
use super::known::{Grain, Known};
use super::stands_for::StandsFor;

/// Rows of one kind and instant that belong to one charge, or to nobody yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) kind: u32,
    /// All of it.
    pub(super) amount: i64,
    pub(super) at: i64,
    /// The smallest of its rows.
    pub(super) least: i64,
    /// The charge that has it.
    pub(super) owner: u32,
    first: u32,
    count: u32,
}

/// All pieces of the kinds in question, by kind, amount and time.
pub(super) struct Pieces {
    pub(super) all: Vec<Piece>,
    /// The rows of the pieces.
    rows: Vec<u32>,
    lanes: Vec<Lane>,
    /// Pieces of kinds that write a row for each result, by kind and time: parts of them may
    /// change hands, whatever their amount.
    pub(super) by_time: Vec<u32>,
    /// Rows that are not final, by kind and time: what is set aside, and the row.
    pending: Vec<(u32, i64, i64, u32)>,
    grains: Vec<Grain>,
    /// Whether each kind's grain is known, or taken for granted.
    are_known: Vec<bool>,
}

/// The pieces of one kind and amount.
#[derive(Clone, Copy, Debug)]
struct Lane {
    kind: u32,
    amount: i64,
    begin: u32,
    end: u32,
}

/// Which pieces a span can own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// Of its amount.
    Exactly,
    /// Of its amount or less.
    AtMost,
}

impl Pieces {
    /// Of the kinds that may stand for the operations of doubts and live calls.
    pub(super) fn new(board: &Board, known: &Known, stands_for: &StandsFor) -> Self {
        let mut asked = vec![false; board.kinds.len()];
        for span in board.doubts.iter().chain(&board.live) {
            for kind in stands_for.kinds(span.operation) {
                asked[*kind as usize] = true;
            }
        }
        let (mut rows, mut pending) = (Vec::new(), Vec::new());
        for (number, row) in (0..).zip(&board.rows) {
            if !asked[row.kind as usize] {
                continue;
            }
            if row.is_final {
                rows.push(number);
            } else {
                pending.push((row.kind, row.at, row.amount, number));
            }
        }
        pending.sort_unstable();
        let key = |row: &u32| {
            let owner = board.owner[*row as usize];
            let row = board.rows[*row as usize];
            (row.kind, row.at, owner)
        };
        rows.sort_by_key(key);
        let grains: Vec<Grain> = board.kinds.iter().map(|kind| known.grain(kind)).collect();
        let mut all = Vec::with_capacity(rows.len());
        let mut first = 0;
        for together in rows.chunk_by(|one, other| {
            let (kind, _, owner) = key(one);
            let joins = owner != NONE || grains[kind as usize] == Grain::PerResult;
            joins && key(one) == key(other)
        }) {
            all.push(piece(board, together, first));
            first += all.last().map_or(0, |piece| piece.count);
        }
        all.sort_unstable_by_key(|piece| (piece.kind, piece.amount, piece.at, piece.first));
        Self {
            lanes: lanes(&all),
            by_time: by_time(&all, &grains),
            all,
            rows,
            pending,
            grains,
            are_known: (0..)
                .zip(&board.kinds)
                .map(|(number, kind)| known.is_grain_known(kind) && !stands_for.is_unsure(number))
                .collect(),
        }
    }

    /// The grain of a kind.
    pub(super) fn grain(&self, kind: u32) -> Grain {
        self.grains[kind as usize]
    }

    /// Whether the grain of a kind is known.
    pub(super) fn is_grain_known(&self, kind: u32) -> bool {
        self.are_known[kind as usize]
    }

    /// The rows of a piece.
    pub(super) fn rows(&self, piece: u32) -> &[u32] {
        let piece = &self.all[piece as usize];
        &self.rows[piece.first as usize..][..piece.count as usize]
    }

    /// The pieces inside a span, each range of one kind and amount, in order.
    pub(super) fn reach(&self, span: Span, kinds: &[u32], fit: Fit, found: &mut Vec<(u32, u32)>) {
        found.clear();
        for kind in kinds {
            let lowest = match fit {
                Fit::Exactly => span.amount,
                Fit::AtMost => i64::MIN,
            };
            let begin = self
                .lanes
                .partition_point(|lane| (lane.kind, lane.amount) < (*kind, lowest));
            let lanes = self.lanes[begin..]
                .iter()
                .take_while(|lane| lane.kind == *kind && lane.amount <= span.amount);
            for lane in lanes {
                let pieces = &self.all[lane.begin as usize..lane.end as usize];
                let from = pieces.partition_point(|piece| piece.at < span.from);
                let inside = pieces[from..].partition_point(|piece| piece.at <= span.to);
                if let (Ok(from), Ok(inside @ 1..)) = (u32::try_from(from), u32::try_from(inside)) {
                    found.push((lane.begin + from, lane.begin + from + inside));
                }
            }
        }
    }

    /// The places in `by_time` of the pieces inside a span, each range of one kind.
    pub(super) fn reach_in_time(&self, span: Span, kinds: &[u32], found: &mut Vec<(u32, u32)>) {
        found.clear();
        let key = |number: &u32| {
            let piece = &self.all[*number as usize];
            (piece.kind, piece.at)
        };
        for kind in kinds {
            let from = (self.by_time).partition_point(|piece| key(piece) < (*kind, span.from));
            let inside =
                self.by_time[from..].partition_point(|piece| key(piece) <= (*kind, span.to));
            if let (Ok(from), Ok(inside @ 1..)) = (u32::try_from(from), u32::try_from(inside)) {
                found.push((from, from + inside));
            }
        }
    }

    /// Free pieces inside a span that are more than all of its amount, but not in each of their rows.
    pub(super) fn reach_parts(&self, span: Span, kinds: &[u32]) -> Vec<u32> {
        let mut ranges = Vec::new();
        self.reach_in_time(span, kinds, &mut ranges);
        let inside = ranges.iter().flat_map(|(begin, end)| *begin..*end);
        inside
            .map(|place| self.by_time[place as usize])
            .filter(|piece| {
                let piece = &self.all[*piece as usize];
                let is_free = piece.owner == NONE;
                is_free && piece.amount > span.amount && piece.least <= span.amount
            })
            .collect()
    }

    /// Rows that are not final and inside the span.
    pub(super) fn pending<'p>(
        &'p self,
        span: Span,
        kinds: &'p [u32],
    ) -> impl Iterator<Item = (i64, u32)> + 'p {
        kinds.iter().flat_map(move |kind| {
            let begin = self
                .pending
                .partition_point(|(of, at, ..)| (*of, *at) < (*kind, span.from));
            self.pending[begin..]
                .iter()
                .take_while(move |(of, at, ..)| (*of, *at) <= (*kind, span.to))
                .map(|(_, _, amount, row)| (*amount, *row))
        })
    }

    /// Whether a row inside the span may yet become its own.
    pub(super) fn has_pending(&self, span: Span, kinds: &[u32], fit: Fit) -> bool {
        self.pending(span, kinds)
            .any(|(amount, _)| fit == Fit::AtMost || amount >= span.amount)
    }
}

fn piece(board: &Board, rows: &[u32], first: u32) -> Piece {
    let mut piece = Piece {
        kind: 0,
        amount: 0,
        at: 0,
        least: i64::MAX,
        owner: NONE,
        first,
        count: 0,
    };
    for number in rows {
        let row = board.rows[*number as usize];
        piece.kind = row.kind;
        piece.at = row.at;
        piece.amount = piece.amount.saturating_add(row.amount);
        piece.least = piece.least.min(row.amount);
        piece.owner = board.owner[*number as usize];
        piece.count += 1;
    }
    piece
}

fn lanes(pieces: &[Piece]) -> Vec<Lane> {
    let mut lanes: Vec<Lane> = Vec::new();
    for (number, piece) in (0..).zip(pieces) {
        match lanes.last_mut() {
            Some(lane) if (lane.kind, lane.amount) == (piece.kind, piece.amount) => {
                lane.end = number + 1;
            }
            _ => lanes.push(Lane {
                kind: piece.kind,
                amount: piece.amount,
                begin: number,
                end: number + 1,
            }),
        }
    }
    lanes
}

fn by_time(pieces: &[Piece], grains: &[Grain]) -> Vec<u32> {
    let mut by_time: Vec<u32> = (0..)
        .zip(pieces)
        .filter(|(_, piece)| grains[piece.kind as usize] == Grain::PerResult)
        .map(|(number, _)| number)
        .collect();
    by_time.sort_by_key(|number| {
        let piece = &pieces[*number as usize];
        (piece.kind, piece.at)
    });
    by_time
}
