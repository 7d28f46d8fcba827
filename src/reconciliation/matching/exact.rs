//! Rows of one kind and the charges they may explain: as many as can be, each by its exact amount.
//!
//! Charges are taken by the end of their time, and each takes the earliest row it can. Where a charge is one
//! row of a certain amount that explains as many as any other way would: a later charge can do
//! with whatever an earlier one could have left to it.

use super::board::{Board, Row, Span};
use super::known::Grain;

/// The most rows a charge of several rows looks at.
const LOOKED_AT_MAX: usize = 1_024;

/// What explains what, by the numbers of the board.
#[derive(Debug, Default)]
pub(super) struct Explained {
    /// A charge and a row of it; the rows of a charge stand together.
    pub(super) pairs: Vec<(u32, u32)>,
    /// How many charges.
    pub(super) charges: u64,
}

/// Rows of one kind that stand together: one row, or all that were written at one instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub(super) amount: i64,
    pub(super) at: i64,
    /// Where its rows begin in the list it was made from, and how many there are.
    pub(super) first: u32,
    pub(super) count: u32,
}

/// Explains charges (numbers in order) by rows of one kind (numbers in order).
pub(super) fn explain(board: &Board, rows: &[u32], charges: &[u32], grain: Grain) -> Explained {
    let mut explained = Explained::default();
    if rows.is_empty() || charges.is_empty() {
        return explained;
    }
    let tokens = tokens(board, rows, grain);
    let (mut free, mut open) = (vec![true; rows.len()], Vec::new());
    let taken = pair_up(board, &tokens, charges);
    for (charge, token) in (charges.iter()).zip(taken) {
        let Some(token) = token else {
            open.push(*charge);
            continue;
        };
        explained.charges += 1;
        for place in token.first..token.first + token.count {
            free[place as usize] = false;
            explained.pairs.push((*charge, rows[place as usize]));
        }
    }
    if grain == Grain::PerResult {
        fill(board, rows, free, &open, &mut explained);
    }
    explained
}

/// The rows as tokens, in order of amount and time.
pub(super) fn tokens(board: &Board, rows: &[u32], grain: Grain) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::with_capacity(rows.len());
    for (place, number) in (0..).zip(rows) {
        let row = board.rows[*number as usize];
        match tokens.last_mut() {
            Some(last) if grain == Grain::PerResult && last.at == row.at => {
                last.amount = last.amount.saturating_add(row.amount);
                last.count += 1;
            }
            _ => tokens.push(Token {
                amount: row.amount,
                at: row.at,
                first: place,
                count: 1,
            }),
        }
    }
    tokens.sort_unstable_by_key(|token| (token.amount, token.at, token.first));
    tokens
}

/// The token each charge takes.
fn pair_up(board: &Board, tokens: &[Token], charges: &[u32]) -> Vec<Option<Token>> {
    let span = |place: u32| board.charges[charges[place as usize] as usize];
    let mut order: Vec<u32> = (0..).take(charges.len()).collect();
    // The order of their ends within an amount is that of the board.
    order.sort_by_key(|place| span(*place).amount);
    let mut next = NextFree::new(tokens.len());
    let mut taken = vec![None; charges.len()];
    let mut rest = tokens;
    let mut passed = 0;
    for place in order {
        let span = span(place);
        let smaller = rest.partition_point(|token| token.amount < span.amount);
        passed += smaller;
        rest = &rest[smaller..];
        let early =
            rest.partition_point(|token| (token.amount, token.at) < (span.amount, span.from));
        let at = next.from(passed + early);
        let Some(token) = tokens.get(at) else {
            continue;
        };
        if token.amount == span.amount && token.at <= span.to {
            taken[place as usize] = Some(*token);
            next.take(at);
        }
    }
    taken
}

/// Explains charges by several rows each, from rows that are no whole token of anybody.
fn fill(board: &Board, rows: &[u32], free: Vec<bool>, charges: &[u32], explained: &mut Explained) {
    let mut next = NextFree::new(rows.len());
    for (place, free) in free.into_iter().enumerate() {
        if !free {
            next.take(place);
        }
    }
    let row = |place: usize| board.rows[rows[place] as usize];
    let mut window = Vec::new();
    for number in charges {
        let span = board.charges[*number as usize];
        window.clear();
        let mut place = rows.partition_point(|row| board.rows[*row as usize].at < span.from);
        loop {
            place = next.from(place);
            if place >= rows.len() || row(place).at > span.to || window.len() >= LOOKED_AT_MAX {
                break;
            }
            window.push((place, row(place)));
            place += 1;
        }
        if let Some(sum) = sum_up(&window, span) {
            explained.charges += 1;
            for place in sum {
                next.take(place);
                explained.pairs.push((*number, rows[place]));
            }
        }
    }
}

/// Rows that add up to the charge: of one instant if any instant has them, else of one amount.
fn sum_up(window: &[(usize, Row)], span: Span) -> Option<Vec<usize>> {
    window
        .chunk_by(|(_, one), (_, other)| one.at == other.at)
        .find_map(|instant| {
            let mut largest_first = instant.to_vec();
            largest_first.sort_by_key(|(place, row)| (std::cmp::Reverse(row.amount), *place));
            greedily(largest_first.into_iter(), span.amount)
        })
        .or_else(|| {
            let mut amounts: Vec<i64> = window.iter().map(|(_, row)| row.amount).collect();
            amounts.sort_unstable();
            amounts.dedup();
            amounts.into_iter().find_map(|amount| {
                let alike = window.iter().filter(|(_, row)| row.amount == amount);
                greedily(alike.copied(), span.amount)
            })
        })
}

/// Takes every row that still fits. `None` if that leaves a rest.
fn greedily(rows: impl Iterator<Item = (usize, Row)>, amount: i64) -> Option<Vec<usize>> {
    let (mut rest, mut taken) = (amount, Vec::new());
    for (place, row) in rows {
        if row.amount <= rest {
            rest -= row.amount;
            taken.push(place);
        }
        if rest == 0 {
            return Some(taken);
        }
    }
    None
}

/// Which places are free, from any place on: as many steps as there are places, all together.
pub(super) struct NextFree(Vec<u32>);

impl NextFree {
    pub(super) fn new(count: usize) -> Self {
        Self((0..).take(count + 1).collect())
    }

    /// The first free place at or after `place`; the count of places if there is none.
    fn from(&mut self, place: usize) -> usize {
        let mut at = place;
        while self.0[at] as usize != at {
            // Each look halves the way of the next.
            self.0[at] = self.0[self.0[at] as usize];
            at = self.0[at] as usize;
        }
        at
    }

    fn take(&mut self, place: usize) {
        self.0[place] = self.0[place + 1];
    }

    /// Takes what is free in a range.
    pub(super) fn take_all(&mut self, begin: u32, end: u32, mut taken: impl FnMut(u32)) {
        let mut place = self.from(begin as usize);
        while place < end as usize {
            self.take(place);
            taken(u32::try_from(place).unwrap_or(u32::MAX));
            place = self.from(place);
        }
    }
}
