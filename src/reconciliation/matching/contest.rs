//! Who competes with whom: doubts, calls in flight and charges that could own the same rows, also
//! through exchanges (a doubt takes the row of a charge, which takes another of its amount).

use ahash::AHashMap;

use super::board::{Board, NONE, Span};
use super::learn::StandsFor;
use super::pieces::{Fit, Pieces};

/// Doubts and live calls that could own the same pieces, with all the pieces they could own.
#[derive(Debug, Default)]
pub(super) struct Contest {
    /// Numbers of the board, in order.
    pub(super) doubts: Vec<u32>,
    /// How many calls in flight.
    pub(super) live: Vec<u32>,
    /// The pieces, in order.
    pub(super) pieces: Vec<u32>,
    /// A row that is not final may change it.
    pub(super) is_pending: bool,
    /// A charge of several instants is in it, or a piece that is more than somebody's most: parts
    /// of pieces may change hands.
    pub(super) is_partial: bool,
}

/// Everything needed to say who can own what.
#[derive(Clone, Copy)]
pub(super) struct Field<'b, 'a> {
    pub(super) board: &'b Board<'a>,
    pub(super) pieces: &'b Pieces,
    pub(super) stands_for: &'b StandsFor,
}

impl Field<'_, '_> {
    pub(super) fn kinds(&self, span: Span) -> &[u32] {
        self.stands_for.kinds(span.operation)
    }

    /// The pieces a doubt or live call could own whole.
    pub(super) fn reach(&self, span: Span, found: &mut Vec<(u32, u32)>) {
        self.pieces
            .reach(span, self.kinds(span), Fit::AtMost, found);
    }

    /// The pieces that are all of a charge.
    pub(super) fn reach_exactly(&self, charge: Span, found: &mut Vec<(u32, u32)>) {
        self.pieces
            .reach(charge, self.kinds(charge), Fit::Exactly, found);
    }

    /// Whether a piece of that amount is all of the charge.
    pub(super) fn is_whole(&self, charge: Span, amount: i64) -> bool {
        charge.amount == amount
    }
}

/// All contests, in the order of their first doubt or live call.
pub(super) fn contests(field: Field) -> Vec<Contest> {
    let mut flood = Flood::new(field);
    let doubts = (0..).zip(&field.board.doubts);
    for (number, span) in doubts.chain((flood.doubts..).zip(&field.board.live)) {
        flood.claim(number, *span);
    }
    flood.spread();
    flood.gather()
}

/// Spreads from the claims over all pieces they can reach, each piece once.
struct Flood<'b, 'a> {
    field: Field<'b, 'a>,
    /// How many doubts; live calls follow.
    doubts: u32,
    claims: u32,
    /// Of claims, then of pieces.
    parents: Vec<u32>,
    /// From a piece to the first one at or after it that is not yet joined with its next.
    joined: Vec<u32>,
    is_reached: Vec<bool>,
    waiting: Vec<u32>,
    pending: Vec<u32>,
    partial: Vec<u32>,
}

impl<'b, 'a> Flood<'b, 'a> {
    fn new(field: Field<'b, 'a>) -> Self {
        let pieces = field.pieces.all.len();
        let doubts = field.board.doubts.len();
        let claims = doubts + field.board.live.len();
        Self {
            field,
            doubts: u32::try_from(doubts).unwrap_or(NONE),
            claims: u32::try_from(claims).unwrap_or(NONE),
            parents: (0..).take(claims + pieces).collect(),
            joined: (0..).take(pieces + 1).collect(),
            is_reached: vec![false; pieces],
            waiting: Vec::new(),
            pending: Vec::new(),
            partial: Vec::new(),
        }
    }

    fn claim(&mut self, claim: u32, span: Span) {
        let field = self.field;
        let mut ranges = Vec::new();
        field.reach(span, &mut ranges);
        for range in &ranges {
            self.join(claim, *range);
        }
        for piece in field.pieces.reach_parts(span, field.kinds(span)) {
            self.join(claim, (piece, piece + 1));
            self.partial.push(claim);
        }
        let is_doubt = claim < self.doubts;
        if is_doubt && (field.pieces).has_pending(span, field.kinds(span), Fit::AtMost) {
            self.pending.push(claim);
        }
    }

    /// Follows what the owners of reached pieces could own instead.
    fn spread(&mut self) {
        let field = self.field;
        let mut ranges = Vec::new();
        while let Some(number) = self.waiting.pop() {
            let piece = field.pieces.all[number as usize];
            if piece.owner == NONE {
                continue;
            }
            let node = self.claims + number;
            let span = field.board.charges[piece.owner as usize];
            if field.is_whole(span, piece.amount) {
                field.reach_exactly(span, &mut ranges);
            } else {
                self.partial.push(node);
                field.reach(span, &mut ranges);
            }
            if field
                .pieces
                .has_pending(span, field.kinds(span), Fit::Exactly)
            {
                self.pending.push(node);
            }
            for range in &ranges {
                self.join(node, *range);
            }
        }
    }

    /// One node can reach every piece of the range.
    fn join(&mut self, node: u32, (begin, end): (u32, u32)) {
        self.reach(begin);
        self.unite(node, self.claims + begin);
        let mut at = self.next_gap(begin);
        while at + 1 < end {
            self.reach(at);
            self.reach(at + 1);
            self.unite(self.claims + at, self.claims + at + 1);
            self.joined[at as usize] = at + 1;
            at = self.next_gap(at + 1);
        }
    }

    fn reach(&mut self, piece: u32) {
        if !self.is_reached[piece as usize] {
            self.is_reached[piece as usize] = true;
            self.waiting.push(piece);
        }
    }

    fn next_gap(&mut self, piece: u32) -> u32 {
        let mut at = piece as usize;
        while self.joined[at] as usize != at {
            self.joined[at] = self.joined[self.joined[at] as usize];
            at = self.joined[at] as usize;
        }
        u32::try_from(at).unwrap_or(NONE)
    }

    fn root(&mut self, node: u32) -> u32 {
        let mut at = node as usize;
        while self.parents[at] as usize != at {
            self.parents[at] = self.parents[self.parents[at] as usize];
            at = self.parents[at] as usize;
        }
        self.parents[at]
    }

    fn unite(&mut self, one: u32, other: u32) {
        let (one, other) = (self.root(one), self.root(other));
        // The smaller number leads, so that a contest is found at its first claim.
        let (first, second) = (one.min(other), one.max(other));
        self.parents[second as usize] = first;
    }

    fn gather(mut self) -> Vec<Contest> {
        let mut places: AHashMap<u32, usize> = AHashMap::new();
        let mut found: Vec<Contest> = Vec::new();
        for claim in 0..self.claims {
            let root = self.root(claim);
            let place = *places.entry(root).or_insert_with(|| {
                found.push(Contest::default());
                found.len() - 1
            });
            match claim.checked_sub(self.doubts) {
                None => found[place].doubts.push(claim),
                Some(live) => found[place].live.push(live),
            }
        }
        for piece in (0..).take(self.is_reached.len()) {
            if self.is_reached[piece as usize] {
                let root = self.root(self.claims + piece);
                if let Some(place) = places.get(&root) {
                    found[*place].pieces.push(piece);
                }
            }
        }
        for node in std::mem::take(&mut self.pending) {
            if let Some(place) = places.get(&self.root(node)) {
                found[*place].is_pending = true;
            }
        }
        for node in std::mem::take(&mut self.partial) {
            if let Some(place) = places.get(&self.root(node)) {
                found[*place].is_partial = true;
            }
        }
        found
    }
}
