//! What is said of each contest. Doubts of one group are interchangeable; anything else is all or
//! none; and what several explanations would explain differently is not said.

use super::Why;
use super::board::{NONE, Span};
use super::contest::{Contest, Field};
use super::exchange::{Owner, Owners};
use super::fill::{self, TOGETHER_MICROS};
use super::nearest;

/// What becomes of one doubt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// These rows, by their numbers, are its own.
    Settled(Vec<u32>),
    /// It took nothing.
    Released,
    /// Nothing decided it: these rows were nearest, or none was there.
    Allocated(Vec<u32>),
    /// Not yet.
    Undecided(Why),
}

impl End {
    /// The rows that are its own now.
    pub(super) fn rows(&self) -> &[u32] {
        match self {
            Self::Settled(rows) | Self::Allocated(rows) => rows,
            Self::Released | Self::Undecided(_) => &[],
        }
    }
}

/// What was decided, by the numbers of the board.
#[derive(Debug)]
pub(super) struct Decisions {
    /// By doubt.
    pub(super) ends: Vec<End>,
    /// Rows of charges that have changed hands: the row, and its charge now or [`NONE`].
    pub(super) moved: Vec<(u32, u32)>,
    /// Rows that could be an undecided doubt's or a live call's.
    pub(super) contested_rows: Vec<u32>,
    /// Charges whose rows could be an undecided doubt's.
    pub(super) contested_charges: Vec<u32>,
}

/// Decides one contest after the other.
pub(super) struct Decider<'b, 'a> {
    pub(super) field: Field<'b, 'a>,
    pub(super) owners: Owners,
    pub(super) decisions: Decisions,
    /// Charges without rows.
    missing: Vec<Span>,
}

/// Decides all contests.
pub(super) fn decide(field: Field, contests: &[Contest]) -> Decisions {
    let board = field.board;
    let open = board.charges.iter().zip(&board.explained);
    let mut decider = Decider {
        field,
        owners: Owners::new(field),
        decisions: Decisions {
            ends: vec![End::Undecided(Why::NotRead); board.doubts.len()],
            moved: Vec::new(),
            contested_rows: Vec::new(),
            contested_charges: Vec::new(),
        },
        missing: open
            .filter(|(_, explained)| !**explained)
            .map(|(charge, _)| *charge)
            .collect(),
    };
    for contest in contests {
        decider.contest(contest);
        nearest::allocate(&mut decider, contest);
        decider.close(contest);
    }
    decider.decisions
}

impl Decider<'_, '_> {
    fn contest(&mut self, contest: &Contest) {
        self.owners.mark();
        let free = self.free(contest);
        if contest.doubts.is_empty() {
            return;
        }
        if contest.is_pending {
            return self.leave(contest, Why::RowPending);
        }
        if free.is_empty() {
            (contest.doubts.iter()).for_each(|doubt| self.absent(contest, *doubt));
            return;
        }
        let beside = if contest.is_partial {
            &contest.pieces
        } else {
            &free
        };
        let rivals = contest.live.len() + self.missing_beside(beside);
        let first = self.group(contest.doubts[0]);
        let is_one_group = contest
            .doubts
            .iter()
            .all(|doubt| self.group(*doubt) == first);
        let outcome = if self.is_guess(contest, &free) {
            Err(Why::Kind)
        } else if rivals == 0 && is_one_group {
            self.one_group(contest, &free)
        } else {
            self.all_or_none(contest, &free, rivals)
        };
        if let Err(why) = outcome {
            self.owners.take_back();
            let exhausted = self.owners.is_exhausted();
            self.leave(contest, if exhausted { Why::Tangled } else { why });
        }
    }

    /// Interchangeable doubts and nobody else: whoever gets which row, the same budgets move by
    /// the same sum, if every row is explained or all are alike.
    fn one_group(&mut self, contest: &Contest, free: &[u32]) -> Result<(), Why> {
        let field = self.field;
        let mut covered = 0;
        for doubt in &contest.doubts {
            covered += usize::from(self.owners.find(field, Owner::Doubt(*doubt)));
        }
        if self.owners.is_exhausted() {
            return Err(Why::Tangled);
        }
        if covered < free.len()
            && let Some(parts) = fill::fill(field, &contest.doubts, free)
        {
            self.owners.take_back();
            for piece in free {
                self.owners.give(*piece, Owner::Shared);
            }
            for (doubt, rows) in contest.doubts.iter().zip(parts) {
                if rows.is_empty() {
                    self.absent(contest, *doubt);
                } else {
                    self.decisions.ends[*doubt as usize] = End::Settled(rows);
                }
            }
            return Ok(());
        }
        if covered < free.len() && self.may_be_together(contest, free) {
            return Err(Why::Grain);
        }
        if covered < free.len() && !self.are_alike(contest, free) {
            return Err(Why::Amounts);
        }
        self.settle(contest);
        Ok(())
    }

    /// Several groups, or rivals that nobody can ask: only if there is a row for everybody, and it
    /// does not matter which.
    fn all_or_none(&mut self, contest: &Contest, free: &[u32], rivals: usize) -> Result<(), Why> {
        let why = if rivals > 0 { Why::Rivals } else { Why::Groups };
        if free.len() < contest.doubts.len() + rivals {
            return Err(why);
        }
        if self.may_be_together(contest, free) {
            return Err(Why::Grain);
        }
        if !self.are_alike(contest, free) {
            return Err(Why::Amounts);
        }
        let field = self.field;
        let doubts = contest.doubts.iter().map(|doubt| Owner::Doubt(*doubt));
        let live = contest.live.iter().map(|live| Owner::Live(*live));
        for owner in doubts.chain(live) {
            if !self.owners.find(field, owner) {
                return Err(why);
            }
        }
        for piece in &contest.pieces {
            if let Owner::Live(_) = self.owners.of(*piece) {
                self.owners.give(*piece, Owner::Nobody);
            }
        }
        self.settle(contest);
        Ok(())
    }

    /// Doubts that own pieces are settled to them; the others have none.
    fn settle(&mut self, contest: &Contest) {
        for doubt in &contest.doubts {
            self.absent(contest, *doubt);
        }
        for piece in &contest.pieces {
            if let Owner::Doubt(doubt) = self.owners.of(*piece) {
                let rows = self.field.pieces.rows(*piece);
                self.decisions.ends[doubt as usize] = End::Settled(rows.to_vec());
            }
        }
    }

    /// No row is left for this doubt: it took nothing, if all of its time was read, and that of the
    /// charges that may have its row.
    fn absent(&mut self, contest: &Contest, doubt: u32) {
        self.decisions.ends[doubt as usize] = if self.is_read(doubt) && !contest.is_unread {
            End::Released
        } else {
            End::Undecided(Why::NotRead)
        };
    }

    fn leave(&mut self, contest: &Contest, why: Why) {
        for doubt in &contest.doubts {
            self.decisions.ends[*doubt as usize] = End::Undecided(why);
        }
    }

    /// Says what has changed hands, and what may still.
    fn close(&mut self, contest: &Contest) {
        let field = self.field;
        let ends = &self.decisions.ends;
        let is_undecided = |doubt: &u32| matches!(ends[*doubt as usize], End::Undecided(_));
        let is_open = contest.doubts.iter().any(is_undecided);
        let most = self.most(contest);
        for piece in &contest.pieces {
            let (now, rows) = match self.owners.of(*piece) {
                Owner::Charge(charge) => {
                    if is_open {
                        self.decisions.contested_charges.push(charge);
                    }
                    (charge, field.pieces.rows(*piece))
                }
                Owner::Nobody => {
                    let rows = field.pieces.rows(*piece);
                    let may_be = field.pieces.all[*piece as usize].least <= most;
                    if may_be && (is_open || !contest.live.is_empty()) {
                        self.decisions.contested_rows.extend(rows);
                    }
                    (NONE, rows)
                }
                Owner::Doubt(_) | Owner::Live(_) | Owner::Shared => {
                    (NONE, field.pieces.rows(*piece))
                }
            };
            if now != field.pieces.all[*piece as usize].owner {
                let moved = rows.iter().map(|row| (*row, now));
                self.decisions.moved.extend(moved);
            }
        }
    }

    /// The pieces that nobody has, and somebody could.
    pub(super) fn free(&self, contest: &Contest) -> Vec<u32> {
        let most = self.most(contest);
        let pieces = contest.pieces.iter().copied();
        pieces
            .filter(|piece| self.field.pieces.all[*piece as usize].least <= most)
            .filter(|piece| self.owners.of(*piece) == Owner::Nobody)
            .collect()
    }

    /// The most that anybody in the contest could have taken: a row of more is nobody's.
    fn most(&self, contest: &Contest) -> i64 {
        let board = self.field.board;
        let doubts = contest.doubts.iter();
        let doubts = doubts.map(|doubt| board.doubts[*doubt as usize].amount);
        let live = contest.live.iter();
        let live = live.map(|live| board.live[*live as usize].amount);
        doubts.chain(live).max().unwrap_or(i64::MIN)
    }

    fn group(&self, doubt: u32) -> u32 {
        let place = self.field.board.doubts[doubt as usize].place as usize;
        self.field.board.question.doubts[place].group
    }

    pub(super) fn is_overdue(&self, doubt: u32) -> bool {
        let place = self.field.board.doubts[doubt as usize].place as usize;
        self.field.board.question.doubts[place].overdue
    }

    /// Whether the whole time of a doubt was read.
    pub(super) fn is_read(&self, doubt: u32) -> bool {
        self.field.board.doubts[doubt as usize].to <= self.field.board.read_until()
    }

    /// Whether it does not matter who gets which of the pieces.
    fn are_alike(&self, contest: &Contest, free: &[u32]) -> bool {
        let amount = |piece: &u32| self.field.pieces.all[*piece as usize].amount;
        let mut amounts = free.iter().map(amount);
        let first = amounts.next();
        !contest.is_partial && amounts.all(|amount| Some(amount) == first)
    }

    /// Whether one of the pieces is only perhaps of a kind that a doubt has: as well, somebody spent around the guard.
    fn is_guess(&self, contest: &Contest, free: &[u32]) -> bool {
        let field = self.field;
        contest.doubts.iter().any(|doubt| {
            let span = field.board.doubts[*doubt as usize];
            free.iter().any(|piece| {
                let piece = &field.pieces.all[*piece as usize];
                let is_guessed = field.stands_for.is_guessed(piece.kind, span.operation);
                is_guessed && span.covers(piece.at) && piece.least <= span.amount
            })
        })
    }

    /// Whether several of the pieces may be one call's: of a kind whose grain is not known, at about one
    /// moment, and together no more than a doubt's most.
    fn may_be_together(&self, contest: &Contest, free: &[u32]) -> bool {
        let field = self.field;
        let piece = |number: u32| field.pieces.all[number as usize];
        let mut open: Vec<u32> = free.to_vec();
        open.retain(|number| !field.pieces.is_grain_known(piece(*number).kind));
        open.sort_by_key(|number| (piece(*number).kind, piece(*number).at, *number));
        open.windows(2).any(|two| {
            let (one, other) = (piece(two[0]), piece(two[1]));
            let is_near = one.kind == other.kind && other.at - one.at <= TOGETHER_MICROS;
            let most = one.amount.saturating_add(other.amount);
            is_near
                && contest.doubts.iter().any(|doubt| {
                    let span = field.board.doubts[*doubt as usize];
                    let both = span.covers(one.at) && span.covers(other.at);
                    both && most <= span.amount && field.kinds(span).contains(&one.kind)
                })
        })
    }

    /// How many charges lack their rows and could own one of these, with another amount than ours.
    fn missing_beside(&self, free: &[u32]) -> usize {
        let could_own = |charge: &&Span| {
            let kinds = self.field.kinds(**charge);
            free.iter().any(|piece| {
                let piece = &self.field.pieces.all[*piece as usize];
                charge.covers(piece.at) && kinds.contains(&piece.kind)
            })
        };
        self.missing.iter().filter(could_own).count()
    }
}
