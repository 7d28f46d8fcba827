//! Which kinds of rows stand for which operations: documented first, the others by what they explain.

use super::board::Board;
use super::exact::{Explained, explain};
use super::known::{EVIDENCE_MIN, Grain, Known, is_documented};
use super::lone::explain_lone;
use super::stands_for::{StandsFor, documented, is_anothers};

/// Rows of a kind that are looked at to learn what it is.
const SAMPLE_MAX: usize = 5_000;
/// All of something, in parts of it.
const WHOLE: u64 = 1_000_000;

/// How much of a kind's rows and of an operation's charges the one explains of the other.
struct Candidate {
    kind: u32,
    operation: u32,
    charges: u64,
    /// Parts of all rows of the kind.
    of_rows: u64,
    /// Parts of all charges of the operation.
    of_charges: u64,
    /// Charges it explained before.
    before: u64,
    /// What there is now of either, with what was before.
    rows_seen: u64,
    charges_seen: u64,
}

/// Explains what charges it can, learning on the way what kinds stand for.
pub(super) fn explain_all(board: &mut Board, known: &mut Known) -> StandsFor {
    let documented = documented(board);
    let mut unsure = stars(board, known, &documented);
    let adopted = adopt(board, known, &documented);
    for (unsure, also) in unsure.iter_mut().zip(stars(board, known, &adopted)) {
        *unsure |= also;
    }
    let found = StandsFor::of(board, known, (&documented, &adopted), unsure);
    explain_lone(board, known, &found);
    found
}

/// Explains charges of the operations of each kind by its rows. By kind: see [`star`].
fn stars(board: &mut Board, known: &mut Known, operations: &[Vec<u32>]) -> Vec<bool> {
    let (rows, open) = (board.free_rows(), board.open_charges());
    let mut unsure = Vec::with_capacity(rows.len());
    for ((kind, rows), operations) in (0..).zip(&rows).zip(operations) {
        let of_kind = operations.iter().flat_map(|number| &open[*number as usize]);
        let mut charges: Vec<u32> = of_kind
            .copied()
            .filter(|charge| !board.explained[*charge as usize])
            .collect();
        charges.sort_unstable();
        let rowless = operations.iter().map(|number| board.rowless(*number)).sum();
        unsure.push(star(board, known, kind, (rows, &charges), rowless));
    }
    unsure
}

/// Explains charges by rows of one kind, in the grain that explains more. `rowless`: so many more charges
/// have none. Gives whether the other grain explains more, and charges whose rows may come yet.
fn star(
    board: &mut Board,
    known: &mut Known,
    kind: u32,
    (rows, charges): (&[u32], &[u32]),
    rowless: u64,
) -> bool {
    if rows.is_empty() || charges.is_empty() {
        return false;
    }
    let name = board.kind(kind);
    let mut best = explain(board, rows, charges, Grain::PerRequest);
    let is_everything = best.charges == charges.len() as u64 + rowless;
    let mut is_unsure = false;
    if !is_everything || known.grain(name) == Grain::PerResult {
        let per_result = explain(board, rows, charges, Grain::PerResult);
        known.tried(name, evidence(board, &best), evidence(board, &per_result));
        if known.grain(name) == Grain::PerResult {
            best = per_result;
        } else {
            is_unsure = per_result.charges > best.charges;
        }
    }
    let mut last = None;
    for (charge, row) in best.pairs {
        board.give(charge, row);
        if last != Some(charge) {
            let operation = board.charges[charge as usize].operation;
            known.learn(name, board.operation(operation), 1);
        }
        last = Some(charge);
    }
    is_unsure
}

/// So many explained charges speak for their grain. Not one whose own row may come yet: somebody else's
/// rows may happen to add up to it.
fn evidence(board: &Board, explained: &Explained) -> u64 {
    let charges = explained.pairs.chunk_by(|one, other| one.0 == other.0);
    let is_read = |pairs: &&[(u32, u32)]| {
        let charge = board.charges[pairs[0].0 as usize];
        charge.to <= board.read_until()
    };
    charges.filter(is_read).count() as u64
}

/// What the grain that explains more explains.
fn in_better_grain(board: &Board, rows: &[u32], charges: &[u32]) -> Explained {
    let per_request = explain(board, rows, charges, Grain::PerRequest);
    if per_request.charges == charges.len() as u64 {
        return per_request;
    }
    let per_result = explain(board, rows, charges, Grain::PerResult);
    if per_result.charges > per_request.charges {
        per_result
    } else {
        per_request
    }
}

/// The further operations that each kind stands for, by what it explains of what is left.
fn adopt(board: &Board, known: &mut Known, documented: &[Vec<u32>]) -> Vec<Vec<u32>> {
    let (mut rows_left, mut charges_left, mut candidates) = candidates(board, known, documented);
    let mut adopted = vec![Vec::new(); board.kinds.len()];
    loop {
        let left = |candidate: &Candidate| {
            let rows = candidate.of_rows.min(rows_left[candidate.kind as usize]);
            let charges = (candidate.of_charges).min(charges_left[candidate.operation as usize]);
            candidate.shares(rows, charges)
        };
        let best = (0..candidates.len())
            .filter(|place| candidates[*place].is_enough(left(&candidates[*place])))
            .max_by_key(|place| {
                let (rows, charges) = left(&candidates[*place]);
                (rows * charges, std::cmp::Reverse(*place))
            });
        let Some(best) = best else {
            break;
        };
        let best = candidates.remove(best);
        let rows = &mut rows_left[best.kind as usize];
        *rows = rows.saturating_sub(best.of_rows);
        let charges = &mut charges_left[best.operation as usize];
        *charges = charges.saturating_sub(best.of_charges);
        adopted[best.kind as usize].push(best.operation);
    }
    for lost in candidates.iter().filter(|lost| lost.before > 0) {
        let operation = board.operation(lost.operation);
        known.doubt(board.kind(lost.kind), operation.as_str());
    }
    adopted
}

/// Every kind with rows left beside every operation with charges left, and the parts that are left.
fn candidates(
    board: &Board,
    known: &Known,
    documented: &[Vec<u32>],
) -> (Vec<u64>, Vec<u64>, Vec<Candidate>) {
    let (rows, charges) = (board.free_rows(), board.open_charges());
    let (all_rows, all_charges) = board.totals();
    let parts = |left: usize, all: u64| part(left as u64, all);
    let rows_left: Vec<u64> = (rows.iter().zip(&all_rows))
        .map(|(left, all)| parts(left.len(), *all))
        .collect();
    let charges_left: Vec<u64> = (0..)
        .zip(charges.iter().zip(&all_charges))
        .map(|(operation, (left, all))| part(left.len() as u64 + board.rowless(operation), *all))
        .collect();
    let mut found = Vec::new();
    for (kind, rows) in (0..).zip(&rows) {
        let sample = &rows[..rows.len().min(SAMPLE_MAX)];
        for (operation, charges) in (0..).zip(&charges) {
            let name = board.operation(operation).as_str();
            let charges = beside(board, sample, charges);
            let (first, last) = span(board, sample);
            let seen = charges.len() as u64 + board.rowless_beside(operation, first, last);
            let is_learned =
                !is_documented(board.kind(kind), name) && !is_anothers(documented, kind, operation);
            if sample.is_empty() || seen == 0 || !is_learned {
                continue;
            }
            let best = in_better_grain(board, sample, &charges);
            let rows_explained = part(best.pairs.len() as u64, sample.len() as u64);
            let explained = part(best.charges, seen);
            found.push(Candidate {
                kind,
                operation,
                charges: best.charges,
                of_rows: rows_explained * rows_left[kind as usize] / WHOLE,
                of_charges: explained * charges_left[operation as usize] / WHOLE,
                before: known.explained(board.kind(kind), name),
                rows_seen: all_rows[kind as usize],
                charges_seen: all_charges[operation as usize],
            });
        }
    }
    (rows_left, charges_left, found)
}

/// The charges whose time touches that of the rows.
fn beside(board: &Board, rows: &[u32], charges: &[u32]) -> Vec<u32> {
    let (first, last) = span(board, rows);
    let touches = |number: &u32| {
        let span = board.charges[*number as usize];
        span.to >= first && span.from <= last
    };
    charges.iter().copied().filter(touches).collect()
}

/// The times of the first row and of the last.
fn span(board: &Board, rows: &[u32]) -> (i64, i64) {
    let at = |row: Option<&u32>| row.map_or(0, |row| board.rows[*row as usize].at);
    (at(rows.first()), at(rows.last()))
}

fn part(some: u64, all: u64) -> u64 {
    (some * WHOLE).checked_div(all).unwrap_or(0)
}

impl Candidate {
    /// The parts explained, when at most so much is left to explain; what was explained before
    /// speaks too.
    fn shares(&self, rows: u64, charges: u64) -> (u64, u64) {
        let with_before = |share: u64, seen: u64| {
            (share * seen + WHOLE * self.before) / (seen + self.before).max(1)
        };
        (
            with_before(rows, self.rows_seen),
            with_before(charges, self.charges_seen),
        )
    }

    /// Whether it explains enough to be believed: some charges, and most of one side.
    fn is_enough(&self, (rows, charges): (u64, u64)) -> bool {
        self.charges + self.before >= EVIDENCE_MIN && rows.max(charges) >= WHOLE / 2
    }
}
