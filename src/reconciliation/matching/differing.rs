//! Charges and rows that nothing explains and that belong to one another but for their amount.

use crate::credits::Credits;
use crate::transaction::Transaction;

use super::known::is_documented;
use super::{Answer, Charge, Grain, LeftBecause, Question};

/// A settled charge and the rows that are probably its own, though their amount differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differing {
    /// The charge's place in [`Question::charges`].
    pub charge: usize,
    /// The rows' places in [`Question::rows`]: one, or all of one instant.
    pub rows: Vec<usize>,
    /// What the rows say was taken.
    pub theirs: Credits,
}

/// Pairs what an answer left unexplained: a charge with rows inside its time, of a kind that stands
/// for its operation. Each once; oldest first.
pub fn pair_differing(question: Question, answer: &Answer) -> Vec<Differing> {
    let mut charges: Vec<usize> = (answer.charges_left.iter())
        .filter(|left| left.because == LeftBecause::Unexplained)
        .map(|left| left.charge)
        .collect();
    let of = |place: &usize| &question.charges[*place];
    charges.sort_by_key(|place| (of(place).to, of(place).from, of(place).hold));
    let mut groups = groups(question, answer);
    let mut found = Vec::new();
    for place in charges {
        let charge = of(&place);
        let begin = groups.partition_point(|group| group.first.at < charge.from);
        let inside = groups[begin..]
            .iter_mut()
            .take_while(|group| group.first.at <= charge.to);
        let mut theirs = inside.filter(|group| !group.rows.is_empty());
        if let Some(group) = theirs.find(|group| stands_for(answer, group.first, charge)) {
            let rows = std::mem::take(&mut group.rows);
            let taken = |row: &usize| question.rows[*row].charge();
            found.push(Differing {
                charge: place,
                theirs: rows.iter().map(taken).sum(),
                rows,
            });
        }
    }
    found
}

/// Rows of one kind that stand together; none once they are given away.
struct Group<'a> {
    first: &'a Transaction,
    rows: Vec<usize>,
}

fn groups<'a>(question: Question<'a>, answer: &Answer) -> Vec<Group<'a>> {
    let mut groups: Vec<Group> = Vec::new();
    let mut rows: Vec<usize> = (answer.rows_left.iter())
        .filter(|left| left.because == LeftBecause::Unexplained)
        .map(|left| left.row)
        .collect();
    let row = |place: usize| &question.rows[place];
    rows.sort_by(|one, other| {
        let key = |place: usize| (row(place).at, &row(place).kind, &row(place).id);
        key(*one).cmp(&key(*other))
    });
    for place in rows {
        let row = row(place);
        match groups.last_mut() {
            Some(group)
                if (group.first.at, &group.first.kind) == (row.at, &row.kind)
                    && answer.known.grain(&row.kind) == Grain::PerResult =>
            {
                group.rows.push(place);
            }
            _ => groups.push(Group {
                first: row,
                rows: vec![place],
            }),
        }
    }
    groups
}

fn stands_for(answer: &Answer, row: &Transaction, charge: &Charge) -> bool {
    let operation = charge.operation.as_str();
    is_documented(&row.kind, operation) || answer.known.explained(&row.kind, operation) > 0
}
