//! What kinds of rows stand for: documented for some, learned for the others.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::OperationName;

/// Evidence older than this much newer evidence counts half, so that what was learned wrongly, or
/// what the upstream has changed since, is unlearned.
const EVIDENCE_MAX: u64 = 1_000;
/// Charges that must speak for a kind before it stands for an operation.
pub(super) const EVIDENCE_MIN: u64 = 3;

/// Of so many kinds something is learned. They are written down after each run, and a list that has another
/// word for each row teaches nothing.
const KINDS_MAX: usize = 1_000;

/// Kinds whose operations are documented under another name (dossier sections 2.4 and 2.8), and jobs,
/// which are billed as the same thing done one by one (section 2.5).
const DOCUMENTED: &[(&str, &str)] = &[
    ("Profile URL resolve", "profile_resolve"),
    ("Profile URL resolve", "profile_resolve_bulk"),
    ("email_find", "email_find_bulk"),
    ("phone_find", "phone_find_bulk"),
    ("enrich_database_lead", "enrich_database_leads_bulk"),
    ("enrich_database_company", "enrich_database_companies_bulk"),
    ("enrich_realtime_lead", "enrich_realtime_leads_bulk"),
    ("enrich_realtime_company", "enrich_realtime_companies_bulk"),
    ("leads_by_icp", "legacy_leads_by_icp"),
    ("lead_by_link", "legacy_lead_by_link"),
];

/// What is known of the kinds of rows, with the evidence for it. Kept by the caller between questions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    kinds: BTreeMap<Arc<str>, KnownKind>,
}

/// What is known of one kind: how many charges each reading of it has explained.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownKind {
    /// Charges explained when a row is a charge.
    per_request: u64,
    /// Charges explained when a charge may be several rows.
    per_result: u64,
    /// Charges explained, by operation.
    stands_for: BTreeMap<OperationName, u64>,
}

/// How many rows of a kind one charge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grain {
    /// One.
    PerRequest,
    /// As many as were billed.
    PerResult,
}

/// Whether a kind of this name is documented to stand for the operation.
pub fn is_documented(kind: &str, operation: &str) -> bool {
    kind == operation || DOCUMENTED.contains(&(kind, operation))
}

impl Known {
    /// Reads what [`to_text`](Self::to_text) wrote.
    ///
    /// # Errors
    ///
    /// If the text is another's. Nothing is lost then but the time to learn it again.
    pub fn from_text(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// All of it as one line of text.
    ///
    /// # Errors
    ///
    /// None that is known of: the writer's own.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// The kinds that have explained anything, in the order of their names.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.kinds.keys().map(AsRef::as_ref)
    }

    /// The grain of a kind, as far as it is known.
    pub fn grain(&self, kind: &str) -> Grain {
        let grain = self.kinds.get(kind).map(KnownKind::grain);
        grain.unwrap_or(Grain::PerRequest)
    }

    /// Whether enough speaks for the grain of a kind: one reading explained more than the other, or some
    /// charges were explained and none wanted another reading.
    pub fn is_grain_known(&self, kind: &str) -> bool {
        let explained = self.stands_for(kind).map(|(_, count)| count).sum::<u64>();
        let tried = self.kinds.get(kind);
        let differs = tried.is_some_and(|kind| kind.per_request != kind.per_result);
        differs || explained >= EVIDENCE_MIN
    }

    /// The operations a kind has explained charges of, each with their number.
    pub fn stands_for(&self, kind: &str) -> impl Iterator<Item = (&OperationName, u64)> {
        let known = self.kinds.get(kind).into_iter();
        known.flat_map(|kind| kind.stands_for.iter().map(|(name, count)| (name, *count)))
    }

    /// How many charges of `operation` rows of `kind` have explained.
    pub(super) fn explained(&self, kind: &str, operation: &str) -> u64 {
        let known = self.kinds.get(kind);
        known
            .and_then(|kind| kind.stands_for.get(operation))
            .copied()
            .unwrap_or(0)
    }

    /// Whether it is known what kind of rows `operation` has.
    pub(super) fn has_proven(&self, operation: &str) -> bool {
        let mut kinds = self.kinds.keys();
        kinds.any(|kind| self.is_proven(kind, operation))
    }

    /// Whether rows of `kind` have explained charges of `operation`: enough of them, or any if that is
    /// documented.
    pub fn is_proven(&self, kind: &str, operation: &str) -> bool {
        let explained = self.explained(kind, operation);
        explained >= EVIDENCE_MIN || (explained > 0 && is_documented(kind, operation))
    }

    /// Both readings were tried and explained so many charges. Where they agree nothing is learned.
    pub(super) fn tried(&mut self, kind: &Arc<str>, per_request: u64, per_result: u64) {
        if per_request == per_result {
            return;
        }
        let Some(known) = self.learned_of(kind) else {
            return;
        };
        known.per_request = known.per_request.saturating_add(per_request);
        known.per_result = known.per_result.saturating_add(per_result);
        while known.per_request.max(known.per_result) > EVIDENCE_MAX {
            known.per_request /= 2;
            known.per_result /= 2;
        }
    }

    /// Rows of `kind` explained so many more charges of `operation`.
    pub(super) fn learn(&mut self, kind: &Arc<str>, operation: &OperationName, charges: u64) {
        let Some(known) = self.learned_of(kind) else {
            return;
        };
        let count = known.stands_for.entry(operation.clone()).or_default();
        *count = count.saturating_add(charges).min(EVIDENCE_MAX);
    }

    /// What is known of a kind, or will be. `None`: enough kinds are known.
    fn learned_of(&mut self, kind: &Arc<str>) -> Option<&mut KnownKind> {
        if self.kinds.len() >= KINDS_MAX && !self.kinds.contains_key(kind) {
            return None;
        }
        Some(self.kinds.entry(Arc::clone(kind)).or_default())
    }

    /// Something else explains more: what spoke for this counts half.
    pub(super) fn doubt(&mut self, kind: &str, operation: &str) {
        let Some(known) = self.kinds.get_mut(kind) else {
            return;
        };
        if let Some(count) = known.stands_for.get_mut(operation) {
            *count /= 2;
            if *count == 0 {
                known.stands_for.remove(operation);
            }
        }
    }
}

impl KnownKind {
    fn grain(&self) -> Grain {
        if self.per_result > self.per_request {
            Grain::PerResult
        } else {
            Grain::PerRequest
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_with_a_word_for_each_row_is_not_learned_by_heart() {
        let mut known = Known::default();
        let search = OperationName::from("search_database_leads");
        for number in 0..2 * KINDS_MAX {
            let kind = format!("row {number}").into();
            known.learn(&kind, &search, 1);
            known.tried(&kind, 1, 2);
        }
        assert_eq!(known.kinds.len(), KINDS_MAX);
        known.learn(&"row 0".into(), &search, 2);
        assert_eq!(known.explained("row 0", search.as_str()), 3, "it is known");
    }
}
