//! Which kinds of rows stand beside which operations.

use std::collections::{BTreeMap, BTreeSet};

use super::{ByOperation, UsageLine, UsageSums};
use crate::ids::OperationName;
use crate::ledger::store::TakenSum;

/// Ties each kind of row to the operations it stands for. What shares an operation or a kind shares a
/// line: a kind for everything (`platform`) makes one of all.
pub(super) fn lines(
    spend: &ByOperation,
    rows: &[TakenSum],
    names: &dyn Fn(&str) -> Vec<OperationName>,
) -> Vec<UsageLine> {
    let mut kinds: BTreeMap<&str, UsageSums> = BTreeMap::new();
    for row in rows {
        kinds.entry(&row.kind).or_default().add(UsageSums {
            rows: row.rows,
            taken: row.taken,
            ..UsageSums::default()
        });
    }
    let mut lines: Vec<UsageLine> = Vec::new();
    for (kind, sums) in kinds {
        let named = names(kind);
        let called = named.iter().filter(|name| spend.contains_key(*name));
        let mut line = UsageLine {
            operations: called.cloned().collect(),
            kinds: BTreeSet::from([kind.to_owned()]),
            sums,
        };
        if line.operations.is_empty() {
            line.operations = named.into_iter().collect();
        }
        let (shared, others): (Vec<_>, Vec<_>) =
            (lines.into_iter()).partition(|known| !known.operations.is_disjoint(&line.operations));
        lines = others;
        for known in shared {
            line.operations.extend(known.operations);
            line.kinds.extend(known.kinds);
            line.sums.add(known.sums);
        }
        lines.push(line);
    }
    for (operation, (calls, settled)) in spend {
        let sums = UsageSums {
            calls: *calls,
            settled: *settled,
            ..UsageSums::default()
        };
        match lines
            .iter_mut()
            .find(|line| line.operations.contains(operation))
        {
            Some(line) => line.sums.add(sums),
            None => {
                let mut line = UsageLine::default();
                line.operations.insert(operation.clone());
                line.sums.add(sums);
                lines.push(line);
            }
        }
    }
    lines.sort_by(|one, other| {
        let most = |line: &UsageLine| line.sums.settled.max(line.sums.taken);
        let place = |line: &UsageLine| (line.operations.is_empty(), std::cmp::Reverse(most(line)));
        (place(one), &one.kinds).cmp(&(place(other), &other.kinds))
    });
    lines
}
