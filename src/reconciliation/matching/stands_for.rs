//! Which kinds' rows may be an operation's, as far as is known.

use super::board::Board;
use super::known::{EVIDENCE_MIN, Known, is_documented};

/// The kinds whose rows may be an operation's.
#[derive(Debug, Default)]
pub(super) struct StandsFor {
    /// By operation: its kinds, in order.
    kinds: Vec<Vec<u32>>,
    /// By operation: those of them that bear another's name, and that nothing but the want of its own speaks for.
    guessed: Vec<Vec<u32>>,
    /// By operation: whether it is known what kind of rows it has.
    proven: Vec<bool>,
    /// By kind: whether several rows of it seem to be one charge's, and reading on may show another.
    unsure: Vec<bool>,
}

impl StandsFor {
    /// `documented` and `adopted`: by kind, the operations it bears the name of, and those it was learned for.
    /// `unsure`: see [`is_unsure`](Self::is_unsure).
    pub(super) fn of(
        board: &Board,
        known: &Known,
        (documented, adopted): (&[Vec<u32>], &[Vec<u32>]),
        unsure: Vec<bool>,
    ) -> Self {
        let mut found = Self {
            unsure,
            ..Self::default()
        };
        for (number, operation) in (0..).zip(&board.operations) {
            let name = operation.as_str();
            let is_own = |kind: u32| documented[kind as usize].contains(&number);
            let explained = |kind: u32| known.explained(board.kind(kind), name);
            let all = 0..board.kinds.len() as u32;
            let is_certain = |kind: &u32| {
                let is_learned = adopted[*kind as usize].contains(&number);
                is_own(*kind) || is_learned || explained(*kind) >= EVIDENCE_MIN
            };
            let certain: Vec<u32> = all.clone().filter(is_certain).collect();
            let proven = known.has_proven(name) || certain.iter().any(|kind| explained(*kind) > 0);
            let may_be = |kind: &u32| !proven && !is_anothers(documented, *kind, number);
            let kinds = all.filter(|kind| is_certain(kind) || may_be(kind));
            let kinds: Vec<u32> = kinds.collect();
            let mut guessed = kinds.clone();
            guessed
                .retain(|kind| !documented[*kind as usize].is_empty() && !certain.contains(kind));
            found.kinds.push(kinds);
            found.guessed.push(guessed);
            found.proven.push(proven);
        }
        found
    }

    /// The kinds whose rows may be `operation`'s. Where none is proven yet, kinds that nobody
    /// knows may be too, and any kind if none bears its name.
    pub(super) fn kinds(&self, operation: u32) -> &[u32] {
        &self.kinds[operation as usize]
    }

    /// Whether a kind is known to stand for an operation.
    pub(super) fn is_proven(&self, operation: u32) -> bool {
        self.proven[operation as usize]
    }

    /// Whether a kind is only perhaps one of an operation's.
    pub(super) fn is_guessed(&self, kind: u32, operation: u32) -> bool {
        self.guessed[operation as usize].contains(&kind)
    }

    /// Whether any is only perhaps one of an operation's.
    pub(super) fn has_guessed(&self, operation: u32) -> bool {
        !self.guessed[operation as usize].is_empty()
    }

    /// Whether what has not been read yet may say another thing of a kind's grain than what has been.
    pub(super) fn is_unsure(&self, kind: u32) -> bool {
        self.unsure[kind as usize]
    }
}

/// The operations each kind is documented to stand for.
pub(super) fn documented(board: &Board) -> Vec<Vec<u32>> {
    let operations = |kind: &str| {
        let all = (0..).zip(&board.operations);
        let named = all.filter(|(_, operation)| is_documented(kind, operation.as_str()));
        named.map(|(number, _)| number).collect()
    };
    board.kinds.iter().map(|kind| operations(kind)).collect()
}

/// Whether a kind bears another operation's name, while this one's own is borne by others: only then the name
/// says that its rows are not this one's. Rows of bulk jobs may be named as the single calls are.
pub(super) fn is_anothers(documented: &[Vec<u32>], kind: u32, operation: u32) -> bool {
    let named = &documented[kind as usize];
    let has_own = || documented.iter().any(|named| named.contains(&operation));
    !named.is_empty() && !named.contains(&operation) && has_own()
}
