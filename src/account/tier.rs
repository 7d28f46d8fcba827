//! The account's own prices: `GET /api/auth/tiers/my-tier/`.
//!
//! The page is not documented; the vendor's own tools read it and survive its failure (dossier
//! section 3.7). So its absence is normal, and each of its prices is looked at by itself.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::client::AccountClient;
use super::error::AccountError;
use super::json::{AmountFault, amount, document, members, name, object, printable};
use crate::credits::Credits;
use crate::secret::Secret;

const PATH: &str = "/api/auth/tiers/my-tier/";
const BYTES_MAX: usize = 64 * 1024;
const NAME_BYTES_MAX: usize = 64;
const PRICES: &str = "current_tier.service_prices";
/// The dearest documented unit is 0.4 credits. A thousand for one is no price but another unit.
const PRICE_MAX: Credits = Credits::from_micros(1_000_000_000);

/// What the upstream says its services take on this account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TierPrices {
    /// The tier's name.
    pub tier: Option<Arc<str>>,
    /// Credits a unit by the upstream's name of the price (`api_cached`, …), rounded up. Each is
    /// above zero and no more than a thousand.
    pub prices: BTreeMap<Arc<str>, Credits>,
    /// What stands there in place of a price, by name.
    pub faults: BTreeMap<Arc<str>, PriceFault>,
}

/// Why something is no price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PriceFault {
    /// It was there before and is no longer.
    Gone,
    /// `null`.
    Null,
    /// No decimal number.
    NotANumber,
    /// Below zero.
    Negative,
    /// Zero. Taken at its word it would make every quote of the service nothing, and a budget
    /// would hold nothing for it.
    Zero,
    /// More than any unit can take.
    TooMuch,
}

impl PriceFault {
    /// One word for metric labels and log fields.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Null => "null",
            Self::NotANumber => "not_a_number",
            Self::Negative => "negative",
            Self::Zero => "zero",
            Self::TooMuch => "too_much",
        }
    }
}

impl fmt::Display for PriceFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl TierPrices {
    /// These prices, with what `before` says where they say nothing that is a price.
    pub(super) fn over(mut self, before: &Self) -> Self {
        for (name, price) in &before.prices {
            if !self.prices.contains_key(name) {
                self.prices.insert(Arc::clone(name), *price);
                let fault = self.faults.entry(Arc::clone(name));
                fault.or_insert(PriceFault::Gone);
            }
        }
        self
    }
}

impl AccountClient {
    /// Reads the account's prices; `None` where there is no such page for this account (403, 404).
    ///
    /// # Errors
    /// Every other [`AccountError`]. A price that is none is no error: see
    /// [`TierPrices::faults`].
    pub async fn my_tier(&self) -> Result<Option<TierPrices>, AccountError> {
        match self.transport.page(PATH, &[], BYTES_MAX).await {
            Ok(answered) => read_tier(&answered.body, self.transport.token()).map(Some),
            Err(AccountError::Status(status)) if is_absence(status) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn is_absence(status: u16) -> bool {
    [StatusCode::FORBIDDEN, StatusCode::NOT_FOUND]
        .iter()
        .any(|absent| absent.as_u16() == status)
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    current_tier: &'a RawValue,
}

#[derive(Deserialize)]
struct Tier<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    service_prices: &'a RawValue,
}

/// What the page says, without the account's `token`. A price that is none is no error: see [`TierPrices::faults`].
///
/// # Errors
/// [`AccountError`]: the page is not such a page.
pub fn read_tier(body: &[u8], token: &Secret) -> Result<TierPrices, AccountError> {
    let envelope: Envelope = object(document(body)?, PRICES)?;
    let tier: Tier = object(envelope.current_tier, PRICES)?;
    let named: BTreeMap<String, &RawValue> =
        members(tier.service_prices).ok_or(AccountError::Missing(PRICES))?;
    let mut read = TierPrices {
        tier: tier
            .name
            .and_then(|raw| name(raw, NAME_BYTES_MAX, token))
            .map(Arc::from),
        ..TierPrices::default()
    };
    for (key, raw) in named {
        let key: Arc<str> = printable(&key, NAME_BYTES_MAX, token).into();
        match price(raw) {
            Ok(price) => {
                read.prices.insert(key, price);
            }
            Err(fault) => {
                read.faults.insert(key, fault);
            }
        }
    }
    Ok(read)
}

fn price(raw: &RawValue) -> Result<Credits, PriceFault> {
    match amount(raw, Credits::parse_rounded_up) {
        Ok(price) if price.is_negative() => Err(PriceFault::Negative),
        Ok(Credits::ZERO) => Err(PriceFault::Zero),
        Ok(price) if price > PRICE_MAX => Err(PriceFault::TooMuch),
        Ok(price) => Ok(price),
        Err(AmountFault::Null) => Err(PriceFault::Null),
        Err(AmountFault::NotANumber) => Err(PriceFault::NotANumber),
        Err(AmountFault::TooMuch) => Err(PriceFault::TooMuch),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn try_tier(json: &str) -> Result<TierPrices, AccountError> {
        super::read_tier(json.as_bytes(), &Secret::new(b"s3cret-token"))
    }

    fn read_tier(json: &str) -> TierPrices {
        try_tier(json).unwrap()
    }

    fn shown(prices: &TierPrices) -> Vec<String> {
        let shown = |(name, price): (&Arc<str>, &Credits)| format!("{name} {price}");
        prices.prices.iter().map(shown).collect()
    }

    #[test]
    fn the_documented_page_is_read_and_prices_are_rounded_up() {
        let tier = read_tier(
            r#"{"current_tier": {"name": "3", "service_prices": {"api_cached": 0.02,
            "api_realtime": "0.04", "api_preview": 0.00200001, "phones": 4e-1}}, "next_tier": null}"#,
        );
        assert_eq!(tier.tier.as_deref(), Some("3"));
        assert_eq!(
            shown(&tier),
            [
                "api_cached 0.02",
                "api_preview 0.002001",
                "api_realtime 0.04",
                "phones 0.4"
            ]
        );
        assert!(tier.faults.is_empty());
    }

    #[test]
    fn the_token_stands_in_no_name_of_a_tier_or_a_price() {
        let tier = read_tier(
            r#"{"current_tier": {"name": "s3cret-token", "service_prices": {"s3cret-token": 1,
            "no s3cret-token": null}}}"#,
        );
        assert_eq!(tier.tier.as_deref(), Some("xxxxxxxxxxxx"));
        assert_eq!(shown(&tier), ["xxxxxxxxxxxx 1"]);
        assert!(tier.faults.contains_key("no xxxxxxxxxxxx"));
    }

    #[test]
    fn what_is_no_price_is_named_one_by_one() {
        let tier = read_tier(
            r#"{"current_tier": {"name": 11, "service_prices": {"a": -0.02, "b": 0, "c": null,
            "d": "free", "e": 1000.000001, "f": 1e90, "g": [0.02], "h": 1000, "i": -0.0000001}}}"#,
        );
        assert_eq!(tier.tier.as_deref(), Some("11"));
        assert_eq!(shown(&tier), ["h 1000"]);
        let faults: Vec<String> = tier
            .faults
            .iter()
            .map(|(name, fault)| format!("{name} {fault}"))
            .collect();
        assert_eq!(
            faults,
            [
                "a negative",
                "b zero",
                "c null",
                "d not_a_number",
                "e too_much",
                "f too_much",
                "g not_a_number",
                "i zero"
            ]
        );
    }

    #[test]
    fn a_page_without_prices_is_an_error_and_never_no_price() {
        let missing = Err(AccountError::Missing(PRICES));
        for wrong in [
            "{}",
            r#"{"current_tier":null}"#,
            r#"{"current_tier":{"name":"3"}}"#,
            r#"{"current_tier":{"service_prices":[]}}"#,
            "[1]",
        ] {
            assert_eq!(try_tier(wrong), missing, "{wrong}");
        }
        assert_eq!(try_tier("<html>"), Err(AccountError::NotJson));
    }

    #[test]
    fn old_prices_stay_where_new_ones_are_none() {
        let old = read_tier(r#"{"current_tier":{"service_prices":{"a":0.02,"b":0.4,"c":1}}}"#);
        let new = read_tier(r#"{"current_tier":{"service_prices":{"a":0.01,"b":-1,"d":2}}}"#);
        let now = new.over(&old);
        assert_eq!(shown(&now), ["a 0.01", "b 0.4", "c 1", "d 2"]);
        assert_eq!(now.faults.get("b"), Some(&PriceFault::Negative));
        assert_eq!(now.faults.get("c"), Some(&PriceFault::Gone));
        assert_eq!(now.faults.len(), 2);
    }
}
