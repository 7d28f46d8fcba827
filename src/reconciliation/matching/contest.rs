//! Who competes with whom: doubts, calls in flight and charges that could own the same rows, also
//! through exchanges (a doubt takes the row of a charge, which takes another of its amount).

use ahash::AHashMap;

use super::board::{Board, NONE, Span};
use super::known::Grain;
use super::pieces::{Fit, Pieces};
use super::stands_for::StandsFor;

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
    /// A charge is in it whose own row may not have been read: it may have somebody else's.
    pub(super) is_unread: bool,
    /// Parts of pieces may change hands: a charge of several rows is in it, or a piece that is more
    /// than somebody's most.
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
    /// Which neighbours of one kind and amount are known to belong together.
    joined: NextGap,
    /// The same, of pieces by time.
    joined_in_time: NextGap,
    is_reached: Vec<bool>,
    waiting: Vec<u32>,
    /// The nodes that make their contest pending, unread, partial.
    pending: Vec<u32>,
    unread: Vec<u32>,
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
            joined: NextGap::new(pieces),
            joined_in_time: NextGap::new(field.pieces.by_time.len()),
            is_reached: vec![false; pieces],
            waiting: Vec::new(),
            pending: Vec::new(),
            unread: Vec::new(),
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
        self.join_in_time(claim, span);
        if !(field.pieces.reach_parts(span, field.kinds(span))).is_empty() {
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
        let until = field.board.read_until();
        let mut ranges = Vec::new();
        while let Some(number) = self.waiting.pop() {
            let piece = field.pieces.all[number as usize];
            if piece.owner == NONE {
                continue;
            }
            let node = self.claims + number;
            let span = field.board.charges[piece.owner as usize];
            let is_whole = field.is_whole(span, piece.amount);
            if !is_whole || field.pieces.grain(piece.kind) == Grain::PerResult {
                self.partial.push(node);
                self.join_in_time(node, span);
            }
            if (field.pieces).has_pending(span, field.kinds(span), Fit::Exactly) {
                self.pending.push(node);
            }
            if span.to > until {
                self.unread.push(node);
            }
            if is_whole {
                field.reach_exactly(span, &mut ranges);
            } else {
                field.reach(span, &mut ranges);
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
        while let Some(at) = self.joined.join_one(begin, end) {
            self.unite_pieces(at, at + 1);
        }
    }

    /// One node can reach parts of every piece that was written inside its time.
    fn join_in_time(&mut self, node: u32, span: Span) {
        let pieces = self.field.pieces;
        let mut ranges = Vec::new();
        pieces.reach_in_time(span, self.field.kinds(span), &mut ranges);
        for (begin, end) in ranges {
            let first = pieces.by_time[begin as usize];
            self.reach(first);
            self.unite(node, self.claims + first);
            while let Some(at) = self.joined_in_time.join_one(begin, end) {
                let next = pieces.by_time[at as usize + 1];
                self.unite_pieces(pieces.by_time[at as usize], next);
            }
        }
    }

    fn unite_pieces(&mut self, one: u32, other: u32) {
        self.reach(one);
        self.reach(other);
        self.unite(self.claims + one, self.claims + other);
    }

    fn reach(&mut self, piece: u32) {
        if !self.is_reached[piece as usize] {
            self.is_reached[piece as usize] = true;
            self.waiting.push(piece);
        }
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
        let pending = std::mem::take(&mut self.pending);
        let unread = std::mem::take(&mut self.unread);
        let partial = std::mem::take(&mut self.partial);
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
        let mut mark = |nodes: Vec<u32>, mark: fn(&mut Contest)| {
            for node in nodes {
                if let Some(place) = places.get(&self.root(node)) {
                    mark(&mut found[*place]);
                }
            }
        };
        mark(pending, |contest| contest.is_pending = true);
        mark(unread, |contest| contest.is_unread = true);
        mark(partial, |contest| contest.is_partial = true);
        found
    }
}

/// From a place in a list to the first one at or after it that is not yet joined with its next.
struct NextGap(Vec<u32>);

impl NextGap {
    fn new(count: usize) -> Self {
        Self((0..).take(count + 1).collect())
    }

    /// Joins the first pair of neighbours in a range that is not yet joined, and answers its place.
    fn join_one(&mut self, begin: u32, end: u32) -> Option<u32> {
        let mut at = begin as usize;
        while self.0[at] as usize != at {
            self.0[at] = self.0[self.0[at] as usize];
            at = self.0[at] as usize;
        }
        let place = self.0[at];
        if place + 1 >= end {
            return None;
        }
        self.0[at] = place + 1;
        Some(place)
    }
}
