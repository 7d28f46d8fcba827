//! Giving a piece to somebody who has none, by exchanges that take nothing from anybody.

use super::board::{NONE, Span};
use super::contest::Field;

/// Steps all exchanges of one answer may take together; beyond, nothing more is decided.
const STEPS_MAX: u64 = 50_000_000;

/// Who owns which piece now: charges by their number, then doubts, then live calls.
pub(super) struct Owners {
    owners: Vec<u32>,
    charges: u32,
    doubts: u32,
    /// What was changed since the last mark: the piece, and who owned it.
    changes: Vec<(u32, u32)>,
    /// In which search a piece was last seen, and from which other piece.
    seen: Vec<(u32, u32)>,
    search: u32,
    steps: u64,
}

/// Somebody who can own pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Nobody,
    Charge(u32),
    Doubt(u32),
    Live(u32),
    /// Several doubts, row by row.
    Shared,
}

/// The number that means [`Owner::Shared`].
const SHARED: u32 = NONE - 1;

impl Owners {
    pub(super) fn new(field: Field) -> Self {
        let pieces = &field.pieces.all;
        let count = |all: &[Span]| u32::try_from(all.len()).unwrap_or(NONE);
        Self {
            owners: pieces.iter().map(|piece| piece.owner).collect(),
            charges: count(&field.board.charges),
            doubts: count(&field.board.doubts),
            changes: Vec::new(),
            seen: vec![(0, NONE); pieces.len()],
            search: 0,
            steps: 0,
        }
    }

    pub(super) fn of(&self, piece: u32) -> Owner {
        let owner = self.owners[piece as usize];
        if owner == NONE {
            Owner::Nobody
        } else if owner == SHARED {
            Owner::Shared
        } else if owner < self.charges {
            Owner::Charge(owner)
        } else if owner - self.charges < self.doubts {
            Owner::Doubt(owner - self.charges)
        } else {
            Owner::Live(owner - self.charges - self.doubts)
        }
    }

    /// Whether searching was given up: what is not found may still be there.
    pub(super) fn is_exhausted(&self) -> bool {
        self.steps >= STEPS_MAX
    }

    /// From here on changes can be taken back.
    pub(super) fn mark(&mut self) {
        self.changes.clear();
    }

    /// Takes back what was changed since the mark.
    pub(super) fn take_back(&mut self) {
        while let Some((piece, owner)) = self.changes.pop() {
            self.owners[piece as usize] = owner;
        }
    }

    /// Gives a piece to somebody, whoever has it.
    pub(super) fn give(&mut self, piece: u32, owner: Owner) {
        let number = match owner {
            Owner::Nobody => NONE,
            Owner::Shared => SHARED,
            Owner::Charge(number) => number,
            Owner::Doubt(number) => self.charges + number,
            Owner::Live(number) => self.charges + self.doubts + number,
        };
        self.changes.push((piece, self.owners[piece as usize]));
        self.owners[piece as usize] = number;
    }

    /// Finds a piece for `owner`, with the fewest exchanges that do it. Answers whether there is one.
    pub(super) fn find(&mut self, field: Field, owner: Owner) -> bool {
        self.search += 1;
        let (mut ranges, mut queue, mut next) = (Vec::new(), Vec::new(), 0);
        self.reach(field, owner, NONE, &mut ranges);
        let mut from = NONE;
        loop {
            for (begin, end) in ranges.drain(..) {
                for piece in begin..end {
                    self.steps += 1;
                    let seen = &mut self.seen[piece as usize];
                    if seen.0 == self.search {
                        continue;
                    }
                    *seen = (self.search, from);
                    if self.owners[piece as usize] == NONE {
                        self.exchange(piece, owner);
                        return true;
                    }
                    queue.push(piece);
                }
            }
            let Some(piece) = queue.get(next).copied() else {
                return false;
            };
            if self.is_exhausted() {
                return false;
            }
            next += 1;
            from = piece;
            self.reach(field, self.of(piece), piece, &mut ranges);
        }
    }

    /// What an owner could own in place of `piece`. A charge of several pieces keeps them.
    fn reach(&self, field: Field, owner: Owner, piece: u32, found: &mut Vec<(u32, u32)>) {
        found.clear();
        match owner {
            Owner::Nobody | Owner::Shared => {}
            Owner::Charge(charge) => {
                let span = field.board.charges[charge as usize];
                if field.is_whole(span, field.pieces.all[piece as usize].amount) {
                    field.reach_exactly(span, found);
                }
            }
            Owner::Doubt(doubt) => field.reach(field.board.doubts[doubt as usize], found),
            Owner::Live(live) => field.reach(field.board.live[live as usize], found),
        }
    }

    /// Hands the free piece to the one before it on the way, and so on up to `owner`.
    fn exchange(&mut self, free: u32, owner: Owner) {
        let mut piece = free;
        loop {
            let (_, from) = self.seen[piece as usize];
            if from == NONE {
                self.give(piece, owner);
                return;
            }
            self.give(piece, self.of(from));
            piece = from;
        }
    }
}
