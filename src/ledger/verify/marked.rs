//! The list of open holds, held against what the entries say of its mark.

use std::collections::BTreeSet;

use crate::ledger::store::{Derived, Marked};

use super::VerifyReport;
use super::holds::Holds;

/// See the module's words.
pub(super) struct MarkCheck {
    mark: i64,
    /// The holds that were open there.
    open: BTreeSet<Marked>,
}

impl MarkCheck {
    pub(super) fn of(derived: &Derived) -> Self {
        Self {
            mark: derived.mark,
            open: BTreeSet::new(),
        }
    }

    /// The entries up to `seq` made `holds` what they are.
    pub(super) fn reached(&mut self, seq: i64, holds: &Holds) {
        if seq == self.mark {
            self.open = holds.marked();
        }
    }

    /// Compares, when all entries were read.
    pub(super) fn compare(&self, derived: Derived, report: &mut VerifyReport) {
        if derived.mark > derived.tail.seq {
            report.tell(format!(
                "the list of open holds claims to stand at entry {}, after the last one",
                derived.mark
            ));
        }
        let marked = derived.marked.into_iter().collect::<BTreeSet<_>>();
        let mark = self.mark;
        for unknown in marked.difference(&self.open) {
            report.tell(format!(
                "the list of open holds says of entry {mark}: {}; the entries do not",
                in_words(unknown)
            ));
        }
        for open in self.open.difference(&marked) {
            report.tell(format!(
                "the entries say of entry {mark}: {}; the list of open holds does not",
                in_words(open)
            ));
        }
    }
}

fn in_words(marked: &Marked) -> String {
    let about = |entry: Option<i64>| entry.map_or("none".to_owned(), |seq| format!("entry {seq}"));
    format!(
        "hold {} is open (bound: {}, in doubt: {})",
        marked.hold,
        about(marked.bound),
        about(marked.doubted)
    )
}
