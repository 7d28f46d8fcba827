//! A row of a running job's end. Pure.
//!
//! A job's row is dated when the job was taken up, and matching looks for it there as long as the job
//! runs; but the account may take the charge only at the end (dossier section 3.3, inference), before
//! anybody has asked for the job. Such a row is the job's if nothing else explains it, nobody else may
//! have it, and the job may have no other.

use std::collections::BTreeMap;

use ahash::{AHashMap, AHashSet};

use super::kinds::Kinds;
use super::matching::{Answer, Differing, Doubt, DoubtEnd, Grain, LeftBecause, Why};
use super::question::Asked;
use crate::credits::Credits;
use crate::ids::OperationName;
use crate::ledger::{HoldId, Match, MatchedBy};
use crate::transaction::TransactionStatus;

/// Rows of one charge, by their places.
type Piece = Vec<usize>;

/// Moves what running jobs can have from what the answer left to what it ended.
pub(super) fn end_jobs(
    answer: &mut Answer,
    asked: &Asked,
    differing: &[Differing],
    operations: &[OperationName],
) {
    if asked.running.is_empty() {
        return;
    }
    let ends = {
        let kinds = Kinds {
            operations,
            known: &answer.known,
        };
        ends(answer, asked, differing, kinds)
    };
    let ended: AHashSet<HoldId> = ends.iter().map(|(end, _)| end.hold).collect();
    let rows: AHashSet<usize> = ends.iter().flat_map(|(_, rows)| rows.clone()).collect();
    answer
        .undecided
        .retain(|doubt| !ended.contains(&doubt.hold));
    answer.ended.retain(|end| !ended.contains(&end.hold));
    answer.rows_left.retain(|left| !rows.contains(&left.row));
    answer.ended.extend(ends.into_iter().map(|(end, _)| end));
    answer.ended.sort_by_key(|end| end.hold);
}

fn ends(
    answer: &Answer,
    asked: &Asked,
    differing: &[Differing],
    kinds: Kinds<'_>,
) -> Vec<(DoubtEnd, Piece)> {
    // One that has a row which is not final, or may have one of its beginning, has no other.
    let mut has_none = AHashSet::new();
    let absent = answer.ended.iter().filter(|end| end.matches.is_empty());
    has_none.extend(absent.map(|end| end.hold));
    let unread = answer.undecided.iter();
    let unread = unread.filter(|doubt| doubt.why == Why::NotRead && doubt.candidates.is_empty());
    has_none.extend(unread.map(|doubt| doubt.hold));
    let running = asked
        .doubts
        .iter()
        .filter(|doubt| has_none.contains(&doubt.hold));
    let running = running.filter(|doubt| asked.running.contains_key(&doubt.hold));
    let running: Vec<&Doubt> = running.collect();
    let mut pieces: AHashMap<HoldId, Vec<Piece>> = AHashMap::new();
    let mut is_shared: AHashSet<HoldId> = AHashSet::new();
    for piece in left(answer, asked, differing, kinds) {
        let owners: Vec<HoldId> = running
            .iter()
            .filter(|job| may_have(asked, job, &piece, kinds))
            .map(|job| job.hold)
            .collect();
        for owner in &owners {
            if owners.len() > 1 {
                is_shared.insert(*owner);
            }
            pieces.entry(*owner).or_default().push(piece.clone());
        }
    }
    let end = |job: &&Doubt| {
        let known = asked.running.get(&job.hold).copied().unwrap_or_default();
        let [piece] = pieces.get(&job.hold)?.as_slice() else {
            return None;
        };
        let is_alone = known && !is_shared.contains(&job.hold);
        let is_its_own = is_alone && is_certain(asked, job, piece, kinds);
        is_its_own.then(|| (ended(asked, job.hold, piece), piece.clone()))
    };
    running.iter().filter_map(end).collect()
}

/// The pieces that nothing explains: rows one by one, or those of one instant where that is a charge.
fn left(answer: &Answer, asked: &Asked, differing: &[Differing], kinds: Kinds<'_>) -> Vec<Piece> {
    let theirs: AHashSet<usize> = differing
        .iter()
        .flat_map(|pair| pair.rows.clone())
        .collect();
    let mut pieces: BTreeMap<_, Piece> = BTreeMap::new();
    for left in &answer.rows_left {
        let Some(row) = asked.rows.get(left.row) else {
            continue;
        };
        let is_final = row.status == TransactionStatus::Success;
        let is_left = left.because == LeftBecause::Unexplained && !theirs.contains(&left.row);
        if is_final && is_left && kinds.is_known(&row.kind) {
            let alone = kinds.known.grain(&row.kind) == Grain::PerRequest;
            let key = (row.at, &row.kind, alone.then_some(left.row));
            pieces.entry(key).or_default().push(left.row);
        }
    }
    pieces.into_values().collect()
}

/// Whether a piece may be all of a running job's charge.
fn may_have(asked: &Asked, job: &Doubt, piece: &Piece, kinds: Kinds<'_>) -> bool {
    let rows = piece.iter().filter_map(|place| asked.rows.get(*place));
    let rows: Vec<_> = rows.collect();
    let sum: Credits = rows.iter().map(|row| row.charge()).sum();
    let is_given_up = asked.given_up.iter().any(|call| {
        let mut rows = rows.iter();
        rows.any(|row| {
            let is_inside = call.from <= row.at && row.at <= call.to;
            is_inside && row.charge() <= call.most && kinds.may_be(&row.kind, &call.operation)
        })
    });
    let mut rows = rows.iter();
    sum <= job.most
        && !is_given_up
        && rows.all(|row| job.from <= row.at && kinds.may_be(&row.kind, &job.operation))
}

/// Whether rows of these kinds are known to be charges of the job's operation: whoever spends around the guard
/// may take as much at about the time, by another.
fn is_certain(asked: &Asked, job: &Doubt, piece: &Piece, kinds: Kinds<'_>) -> bool {
    let mut rows = piece.iter().filter_map(|place| asked.rows.get(*place));
    rows.all(|row| kinds.is_certain(&row.kind, &job.operation))
}

fn ended(asked: &Asked, hold: HoldId, piece: &Piece) -> DoubtEnd {
    let rows = piece.iter().filter_map(|place| asked.rows.get(*place));
    let rows: Vec<_> = rows.collect();
    DoubtEnd {
        hold,
        charge: rows.iter().map(|row| row.charge()).sum(),
        matches: rows
            .iter()
            .map(|row| Match {
                transaction: row.id.clone(),
                hold,
                how: MatchedBy::Job,
            })
            .collect(),
        allocated: false,
        perhaps: None,
    }
}
