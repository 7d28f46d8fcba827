//! Whether a charge is one that the prices in force can make.
//!
//! A charge is a number of units at their prices. How many units an answer held is not counted, so
//! what can be told is whether *any* number of them makes the charge: a new price that nobody was
//! told of shows in the first charge that is no such sum, or that is above its quote.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::entries::StatedCharge;
use crate::catalogue::{Catalogue, Count, Operation, Prices};
use crate::credits::Credits;
use crate::ledger::store::Reader;
use crate::ledger::{Finding, FindingKind, Record, StoreError};

/// Charges are known to be rounded to four decimals in places (dossier section 4.2).
const ROUNDING: i64 = 50;

/// The note that the prices in force are kept under.
const IN_FORCE: &str = "account.prices";

/// The prices in force, to be kept for those who read the books without a guard. They decide nothing.
pub fn record_of_prices(prices: &Prices) -> Record {
    let by_name: BTreeMap<&str, Credits> = prices
        .iter()
        .map(|(name, price)| (name.as_str(), price))
        .collect();
    Record::Note {
        name: IN_FORCE.to_owned(),
        // Texts only: nothing in them can fail to be written.
        value: serde_json::to_string(&by_name).ok(),
    }
}

/// Puts the prices that were kept last in the place of those in `prices`.
///
/// # Errors
/// What the store says.
pub fn put_kept_prices(reader: &dyn Reader, prices: &mut Prices) -> Result<(), StoreError> {
    let text = reader.note(IN_FORCE)?.unwrap_or_default();
    let kept = serde_json::from_str::<BTreeMap<String, Credits>>(&text);
    for (name, price) in kept.unwrap_or_default() {
        // A name that the catalogue no longer has is nobody's.
        let _ = prices.set(&name, price);
    }
    Ok(())
}

/// What charges are expected.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub(super) catalogue: Arc<Catalogue>,
    /// The prices in force, and those of the run before.
    pub(super) in_force: Vec<Arc<Prices>>,
    pub(super) now: Timestamp,
}

impl Expected {
    /// Finds a stated charge that none of the prices in force can make: one finding for an operation
    /// and day, about the first of them.
    pub(super) fn check(&self, charge: &StatedCharge, found: &mut BTreeMap<Arc<str>, Finding>) {
        let Some(operation) = self.catalogue.operation(charge.operation.as_str()) else {
            return;
        };
        let mut prices = self.in_force.iter();
        let is_within = charge.quote.is_none_or(|quote| charge.charge <= quote);
        if is_within && prices.any(|prices| is_expected(operation, prices, charge.charge)) {
            return;
        }
        let day = charge.began_at.to_zoned(TimeZone::UTC).date();
        let name: Arc<str> = format!("unexpected_price:{}:{day}", charge.operation).into();
        found
            .entry(Arc::clone(&name))
            .or_insert_with(|| about(charge, name, self.now));
    }
}

fn about(charge: &StatedCharge, name: Arc<str>, now: Timestamp) -> Finding {
    let departs = match charge.quote {
        Some(quote) if charge.charge > quote => format!("more than its quote of {quote}"),
        _ => "no number of units at the prices in force".to_owned(),
    };
    Finding {
        name,
        kind: FindingKind::UnexpectedPrice,
        found_at: now,
        at: charge.began_at,
        operation: Some(charge.operation.clone()),
        team: Some(charge.team.clone()),
        drift: Credits::ZERO,
        hold: Some(charge.hold),
        transaction: None,
        detail: format!(
            "hold {} was charged {}, which is {departs}: the account's prices have changed, or quotes are wrong",
            charge.hold, charge.charge
        ),
    }
}

/// Whether some number of units of `operation`, at `prices`, is charged `charge`.
pub fn is_expected(operation: &Operation, prices: &Prices, charge: Credits) -> bool {
    let step = step(operation, prices);
    let charge = charge.micros();
    if step <= 2 * ROUNDING {
        // Free, or so cheap that every amount is near a sum.
        return step > 0 || charge <= ROUNDING;
    }
    let beyond = charge.rem_euclid(step);
    let is_sum = beyond <= ROUNDING || step - beyond <= ROUNDING;
    // What is flat is charged once or not at all, however many units it would make.
    is_sum && flat_total(operation, prices).is_none_or(|most| charge <= most + ROUNDING)
}

/// The greatest amount of which all unit prices are multiples.
fn step(operation: &Operation, prices: &Prices) -> i64 {
    let parts = operation.parts.iter();
    let names = parts.flat_map(|part| {
        let extras = part.extras.iter().map(|extra| &extra.price);
        std::iter::once(&part.price).chain(extras)
    });
    names
        .filter_map(|name| prices.get(name.as_str()))
        .map(Credits::micros)
        .fold(0, greatest_divisor)
}

/// What a call takes whose parts are all flat and without extras.
fn flat_total(operation: &Operation, prices: &Prices) -> Option<i64> {
    let each = operation.parts.iter().map(|part| match part.count {
        Count::Flat(units) if part.extras.is_empty() => {
            let price = prices.get(part.price.as_str())?.micros();
            price.checked_mul(i64::try_from(units).ok()?)
        }
        _ => None,
    });
    each.sum()
}

fn greatest_divisor(one: i64, other: i64) -> i64 {
    if other == 0 {
        one
    } else {
        greatest_divisor(other, one % other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;

    /// Operation, price in force, charge, whether it can be.
    #[test]
    fn a_charge_is_expected_when_a_number_of_units_makes_it() {
        let catalogue = Catalogue::built_in().unwrap();
        for (name, price, micros, expected) in [
            ("search_database_leads", 20_000, 0, true),
            ("search_database_leads", 20_000, 20_000, true),
            ("search_database_leads", 20_000, 1_240 * 20_000, true),
            ("search_database_leads", 20_000, 18_000, false),
            ("search_database_leads", 20_000, 50_000, false),
            // Three rows at 0.0067, told with four decimals.
            ("search_database_leads", 6_667, 20_000, true),
            ("search_database_leads", 6_700, 20_000, false),
            ("search_database_leads", 0, 0, true),
            ("search_database_leads", 0, 20_000, false),
            // One flat unit.
            ("search_realtime_leads_count", 40_000, 40_000, true),
            ("search_realtime_leads_count", 40_000, 0, true),
            ("search_realtime_leads_count", 40_000, 80_000, false),
        ] {
            let operation = catalogue.operation(name).unwrap();
            let mut prices = catalogue.prices().clone();
            for price_name in ["api_cached", "api_realtime"] {
                prices.set(price_name, Credits::from_micros(price)).unwrap();
            }
            let charge = Credits::from_micros(micros);
            assert_eq!(
                is_expected(operation, &prices, charge),
                expected,
                "{name} {price} {micros}"
            );
        }
    }

    #[test]
    fn every_quote_of_the_listed_prices_is_expected() {
        let catalogue = Catalogue::built_in().unwrap();
        for operation in catalogue.operations() {
            for part in &operation.parts {
                let price = catalogue.prices().get(part.price.as_str()).unwrap();
                assert!(
                    is_expected(operation, catalogue.prices(), price),
                    "{}",
                    operation.name
                );
            }
        }
    }
}
