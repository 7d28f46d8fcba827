//! Prices by name, and how a charge in legacy units is turned into credits.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::credits::Credits;

/// The name of a unit price, as the account's own price list spells it where it has one:
/// `api_cached`, `api_realtime`, `api_preview`, `api_email_finder`, `api_email_validation`,
/// `phones` (dossier section 3.7), and `profile_resolve`, which that list lacks.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PriceName(Arc<str>);

impl PriceName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for PriceName {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl std::borrow::Borrow<str> for PriceName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PriceName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(&self.0)
    }
}

impl fmt::Debug for PriceName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, out)
    }
}

/// What the number in a legacy `amount` is. The documents leave it open (dossier section 2.8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LegacyAmounts {
    /// A number of results: each is charged at the operation's price, and marked estimated.
    #[default]
    Counts,
    /// Credits of the account's balance: taken as stated.
    Money,
}

/// Unit prices: one snapshot of them. The caller swaps a new one in when the account's change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    by_name: BTreeMap<PriceName, Credits>,
    legacy_amounts: LegacyAmounts,
}

/// Why a price was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// No operation has a price of this name.
    #[error("no operation has a price named {0}")]
    Unknown(String),
    /// A price below zero.
    #[error("the price {0} would be below zero")]
    Negative(String),
}

impl Prices {
    /// The price of one unit, if the name is known.
    pub fn get(&self, name: &str) -> Option<Credits> {
        self.by_name.get(name).copied()
    }

    /// Every price, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&PriceName, Credits)> {
        self.by_name.iter().map(|(name, price)| (name, *price))
    }

    /// Changes one price. The name must already be one of the catalogue's, so that a misspelt
    /// name cannot leave the old price standing unseen.
    pub fn set(&mut self, name: &str, price: Credits) -> Result<(), PriceError> {
        if price.is_negative() {
            return Err(PriceError::Negative(name.to_owned()));
        }
        match self.by_name.get_mut(name) {
            Some(known) => {
                *known = price;
                Ok(())
            }
            None => Err(PriceError::Unknown(name.to_owned())),
        }
    }

    /// What a legacy `amount` counts.
    pub fn legacy_amounts(&self) -> LegacyAmounts {
        self.legacy_amounts
    }

    /// Says what a legacy `amount` counts.
    pub fn set_legacy_amounts(&mut self, meaning: LegacyAmounts) {
        self.legacy_amounts = meaning;
    }

    /// Adds a price. Only the catalogue's own file may bring new names.
    pub(super) fn insert(&mut self, name: PriceName, price: Credits) {
        self.by_name.insert(name, price);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_price_is_refused_and_changes_nothing() {
        let mut prices = Prices::default();
        prices.insert("phones".into(), Credits::from_micros(400_000));
        let before = prices.clone();
        assert_eq!(
            prices.set("phone", Credits::ZERO),
            Err(PriceError::Unknown("phone".to_owned()))
        );
        assert_eq!(
            prices.set("phones", Credits::from_micros(-1)),
            Err(PriceError::Negative("phones".to_owned()))
        );
        assert_eq!(prices, before);
        prices.set("phones", Credits::from_micros(5)).unwrap();
        assert_eq!(prices.get("phones"), Some(Credits::from_micros(5)));
    }
}
