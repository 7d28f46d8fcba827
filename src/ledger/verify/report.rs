//! What a check found.

/// Mismatches told in full; a ledger with more has one cause, and the rest is only counted.
const TOLD_MAX: usize = 1_000;

/// What a check of the whole ledger found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// How many entries were read.
    pub entries: i64,
    /// How many holds they tell of.
    pub holds: i64,
    /// How many of them have not ended.
    pub open: i64,
    /// How many derived sums were compared.
    pub sums: usize,
    /// How many archives there are.
    pub archives: usize,
    /// How many entries in archives were not read, because these were not given.
    pub unread: i64,
    /// How many rows of the account are kept beside the entries.
    pub transactions: i64,
    /// How many of those belong to a hold.
    pub matches: i64,
    /// How many findings there are, closed ones included.
    pub findings: i64,
    /// Everything that does not agree, each in a sentence. Empty is what one hopes for.
    pub mismatches: Vec<String>,
    /// Mismatches beyond the first thousand, which are only counted.
    pub untold: u64,
}

impl VerifyReport {
    /// Whether everything agrees.
    pub fn is_sound(&self) -> bool {
        self.mismatches.is_empty()
    }

    pub(super) fn tell(&mut self, mismatch: String) {
        if self.mismatches.len() < TOLD_MAX {
            self.mismatches.push(mismatch);
        } else {
            self.untold += 1;
        }
    }
}
