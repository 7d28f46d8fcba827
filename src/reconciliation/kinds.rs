//! What a kind of row may stand for, as far as is known.

use super::matching::{Known, is_documented};
use crate::ids::OperationName;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kinds<'a> {
    /// Every operation that can be charged.
    pub(super) operations: &'a [OperationName],
    /// What was learned.
    pub(super) known: &'a Known,
}

impl Kinds<'_> {
    /// Whether rows of this kind are known to be charges of calls: by their name, or because they
    /// explained some.
    pub(super) fn is_known(self, kind: &str) -> bool {
        let mut operations = self.operations.iter();
        operations.any(|operation| is_documented(kind, operation.as_str()))
            || self.known.stands_for(kind).next().is_some()
    }

    /// Whether a row of this kind may be the operation's: also where nothing is known of it.
    pub(super) fn may_be(self, kind: &str, operation: &OperationName) -> bool {
        let mut learned = self.known.stands_for(kind);
        !self.is_known(kind)
            || is_documented(kind, operation.as_str())
            || learned.any(|(name, _)| name == operation)
    }

    /// Whether rows of this kind are the operation's: by their name, or because they explained enough of its
    /// charges, and not by a chance.
    pub(super) fn is_certain(self, kind: &str, operation: &OperationName) -> bool {
        is_documented(kind, operation.as_str()) || self.known.is_proven(kind, operation.as_str())
    }
}
