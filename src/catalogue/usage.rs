//! The kinds that the account's page of usage adds operations up by.

/// The kinds that are documented (dossier section 3.2).
pub const USAGE_KINDS: [&str; 5] = [
    "search_database",
    "search_realtime",
    "enrich_database",
    "enrich_realtime",
    "email_find",
];

/// The kind of usage an operation of this name is; the name itself where none is documented for it.
pub fn usage_kind(operation: &str) -> &str {
    let of_kind = |kind: &&str| {
        let rest = operation.strip_prefix(*kind);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    };
    USAGE_KINDS.into_iter().find(of_kind).unwrap_or(operation)
}
