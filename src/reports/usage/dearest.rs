//! What took most, and what it would have taken on stored data.

use super::{ByOperation, DearLine};
use crate::catalogue::{Catalogue, Class, Part, Prices};
use crate::credits::Credits;
use crate::ids::OperationName;

/// The operations that are looked at for a cheaper mode.
const DEAREST: usize = 5;

/// The dearest operations, and what each would have taken on stored data.
pub(super) fn dearest(
    spend: &ByOperation,
    catalogue: &Catalogue,
    prices: &Prices,
) -> Vec<DearLine> {
    let mut spend: Vec<_> = spend.iter().collect();
    spend.retain(|(_, (_, settled))| *settled > Credits::ZERO);
    spend.sort_by_key(|(name, (_, settled))| (std::cmp::Reverse(*settled), *name));
    spend.truncate(DEAREST);
    let line = |(name, (calls, settled)): (&OperationName, &(u64, Credits))| {
        let twin = twin(name.as_str(), *settled, catalogue, prices);
        let (database, in_database_mode) = twin.unzip();
        DearLine {
            operation: name.clone(),
            calls: *calls,
            settled: *settled,
            database,
            in_database_mode,
        }
    };
    spend.into_iter().map(line).collect()
}

/// The operation that does the same on stored data, and what it takes where this one took `settled`.
fn twin(
    name: &str,
    settled: Credits,
    catalogue: &Catalogue,
    prices: &Prices,
) -> Option<(OperationName, Credits)> {
    let own = catalogue.operation(name)?;
    let other = catalogue.twin_of(own)?;
    if other.class == Class::Free {
        return Some((other.name.clone(), Credits::ZERO));
    }
    let price = |parts: &[Part]| {
        let price = prices.get(parts.first()?.price.as_str())?;
        Some(i128::from(price.micros()))
    };
    let (here, there) = (price(&own.parts)?, price(&other.parts)?);
    let share = i128::from(settled.micros())
        .checked_mul(there)?
        .checked_div(here)?;
    let share = Credits::from_micros(i64::try_from(share).ok()?);
    Some((other.name.clone(), share))
}
