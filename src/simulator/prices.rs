//! What the pretend account pays for one unit of each thing.
//!
//! The list prices that hold since 2026-08-19 (dossier section 4.1). Written down here a second
//! time on purpose: an oracle that read the guard's catalogue could not find a fault in it.

use crate::credits::Credits;

/// Prices of one account, in credits a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prices {
    /// Name of the tier, as `my-tier` shows it.
    pub tier: String,
    /// One row of a database search, or one database enrichment.
    pub database: Credits,
    /// One row of a realtime search, one realtime enrichment, or one realtime count.
    pub realtime: Credits,
    /// One masked row of Preview. The same on every tier.
    pub preview: Credits,
    /// One valid email found.
    pub email_find: Credits,
    /// One address submitted for validation, whatever the verdict.
    pub email_validate: Credits,
    /// One phone number found.
    pub phone: Credits,
    /// One profile resolved. The same on every tier.
    pub resolve: Credits,
    /// One "credit" of the legacy linkedin endpoints. Undocumented; taken as one realtime result,
    /// the dearest reading.
    pub legacy_credit: Credits,
}

impl Default for Prices {
    fn default() -> Self {
        Self {
            tier: "3".to_owned(),
            database: Credits::from_micros(20_000),
            realtime: Credits::from_micros(40_000),
            preview: Credits::from_micros(2_000),
            email_find: Credits::from_micros(20_000),
            email_validate: Credits::from_micros(5_000),
            phone: Credits::from_micros(400_000),
            resolve: Credits::from_micros(500),
            legacy_credit: Credits::from_micros(40_000),
        }
    }
}

impl Prices {
    /// The stale figures that pages showed before 2026-08-19 and clients still carry: database
    /// rows at 0.0067 (a price with no exact binary form), realtime at 0.02.
    pub fn before_august() -> Self {
        Self {
            tier: "0".to_owned(),
            database: Credits::from_micros(6_700),
            realtime: Credits::from_micros(20_000),
            legacy_credit: Credits::from_micros(20_000),
            ..Self::default()
        }
    }
}
