//! From the patterns of a list (`email_find`, `search_*`) to the operations they name.

use std::collections::BTreeSet;

use crate::catalogue::{Catalogue, Class, Operation};
use crate::config::complaint::Complaints;
use crate::ids::OperationName;

/// What a list of operations is for, which decides what may stand in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// What a key may use; with `account` also what shows the whole account.
    Key {
        /// Whether the key has `account = true`.
        account: bool,
        /// Whether its team sees its own books in place of some pages of the account.
        own_pages: bool,
    },
    /// What a budget counts: only what takes something.
    Budget,
    /// What a rate slows.
    Rate,
}

impl Purpose {
    fn admits(self, operation: &Operation) -> bool {
        let class = operation.class;
        match self {
            Self::Key { account, own_pages } => match class {
                Class::Denied => false,
                Class::Account => account || (own_pages && operation.own_page.is_some()),
                Class::Free | Class::Billable | Class::Submit | Class::Poll => true,
            },
            Self::Budget => class.is_charged(),
            Self::Rate => class != Class::Denied,
        }
    }

    /// Why an operation that exists may not stand in the list.
    fn objection(self, operation: &Operation) -> (String, String) {
        let name = &operation.name;
        if operation.class == Class::Denied {
            let what = format!(
                "{name} is denied to every key: {}",
                operation.explanation.trim_end_matches('.')
            );
            return (what, "take it out".to_owned());
        }
        match self {
            Self::Key { .. } => (
                format!("{name} shows the whole account"),
                "set account = true if this key may see it, or take it out".to_owned(),
            ),
            Self::Budget | Self::Rate => (
                format!("{name} takes nothing from the balance"),
                "take it out: a budget counts charges".to_owned(),
            ),
        }
    }
}

/// The operations that patterns name. `Ok(None)` where no list is written: any operation.
/// `Err` where the list cannot be told, which was complained about if it is this list's fault.
pub(super) fn expand(
    catalogue: Option<&Catalogue>,
    patterns: Option<&[String]>,
    path: &str,
    purpose: Purpose,
    complaints: &mut Complaints,
) -> Result<Option<BTreeSet<OperationName>>, Untold> {
    if complaints.is_unread(path) {
        return Err(Untold);
    }
    let Some(patterns) = patterns else {
        return Ok(None);
    };
    if patterns.is_empty() {
        complaints.error(path, "is empty", "leave it out to mean every operation");
        return Err(Untold);
    }
    let catalogue = catalogue.ok_or(Untold)?;
    let before = complaints.errors();
    let mut named = BTreeSet::new();
    for pattern in patterns {
        named.extend(matching(catalogue, pattern, path, purpose, complaints));
    }
    if complaints.errors() == before {
        Ok(Some(named))
    } else {
        Err(Untold)
    }
}

/// A list of operations cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Untold;

fn matching(
    catalogue: &Catalogue,
    pattern: &str,
    path: &str,
    purpose: Purpose,
    complaints: &mut Complaints,
) -> Vec<OperationName> {
    let prefix = pattern.strip_suffix('*');
    let named: Vec<_> = catalogue
        .operations()
        .filter(|operation| match prefix {
            Some(prefix) => operation.name.as_str().starts_with(prefix),
            None => operation.name.as_str() == pattern,
        })
        .collect();
    let admitted: Vec<OperationName> = named
        .iter()
        .filter(|operation| purpose.admits(operation))
        .map(|operation| operation.name.clone())
        .collect();
    match named.first() {
        None => complaints.error(
            path,
            format!("{pattern:?} names no operation"),
            unknown_hint(catalogue, pattern),
        ),
        Some(first) if admitted.is_empty() => {
            let (what, hint) = purpose.objection(first);
            complaints.error(path, what, hint);
        }
        Some(_) => {}
    }
    admitted
}

fn unknown_hint(catalogue: &Catalogue, pattern: &str) -> String {
    let wanted = pattern.trim_end_matches('*');
    let names = catalogue
        .operations()
        .map(|operation| operation.name.as_str());
    match crate::config::tree::nearest(wanted, names) {
        Some(name) => format!("did you mean {name}?"),
        None => "write an operation's name, or the beginning of some with a * after it".to_owned(),
    }
}
