//! Works the derived figures out anew from the entries, and checks each hold's life.

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
    /// Everything that does not agree, each in a sentence. Empty is what one hopes for.
    pub mismatches: Vec<String>,
}

impl VerifyReport {
    /// Whether everything agrees.
    pub fn is_sound(&self) -> bool {
        self.mismatches.is_empty()
    }
}
