//! What an answer says was taken, read while it streams by.
//!
//! Only the outermost object's `meta` and `amount` count: rows are other people's text and may
//! say anything. A name that is written with escapes is the name it stands for. An answer that is
//! not exactly one JSON document, or says its charge twice, says nothing.

use super::operation::{ChargeFrom, Operation};
use super::price::{LegacyAmounts, PriceName, Prices};
use super::scan::Scanner;
use capture::{Capture, Told};

use crate::credits::Credits;
use crate::ids::JobId;

mod capture;

/// What an answer says was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Charge {
    /// The answer states it.
    Stated {
        /// To the nearest micro-credit.
        amount: Credits,
        /// The digits as they came.
        raw: String,
    },
    /// The answer does not state it in credits; worked out.
    Estimated {
        /// The estimate.
        amount: Credits,
        /// From what.
        how: String,
    },
    /// The answer is readable and says nothing.
    Missing,
    /// The answer says `null`.
    Null,
    /// A v1 answer says less than nothing.
    Negative {
        /// The digits as they came.
        raw: String,
    },
    /// The answer says something that is no amount, or says it twice.
    Nonsense(String),
    /// The answer is not one JSON document, or is cut short.
    Unreadable(String),
}

/// What one answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What was taken. For a submit it means nothing yet; for a poll it is final only when
    /// `status` is `completed` or `error` (dossier section 5).
    pub charge: Charge,
    /// Top-level `meta.job_id`.
    pub job: Option<JobId>,
    /// Top-level `meta.status`.
    pub status: Option<String>,
    /// The top-level `detail` says that the account's funds are insufficient.
    pub funds_empty: bool,
}

/// Reads one answer in pieces of any size, in constant memory.
pub struct ChargeReader {
    charge_from: ChargeFrom,
    /// The price that a count is turned into credits with.
    price: Option<PriceName>,
    scanner: Scanner,
    capture: Capture,
}

impl ChargeReader {
    /// A reader for the answer to one call of `operation`.
    pub fn new(operation: &Operation) -> Self {
        Self {
            charge_from: operation.charge_from,
            price: operation.parts.first().map(|part| part.price.clone()),
            scanner: Scanner::new(),
            capture: Capture::new(),
        }
    }

    /// Reads the next piece of the body.
    pub fn feed(&mut self, chunk: &[u8]) {
        self.scanner.feed(chunk, &mut self.capture);
    }

    /// What the whole answer says. `quote` is what was held for the call.
    pub fn finish(self, prices: &Prices, quote: Credits) -> Answer {
        let Self {
            charge_from,
            price,
            scanner,
            mut capture,
        } = self;
        let unreadable = scanner.finish(&mut capture).err();
        let unreadable = unreadable.map(|what| Charge::Unreadable(what.to_owned()));
        let twice = capture.twice.map(|what| Charge::Nonsense(what.to_owned()));
        if let Some(charge) = unreadable.or(twice) {
            return Answer {
                charge,
                job: None,
                status: None,
                funds_empty: false,
            };
        }
        let price = price.and_then(|name| prices.get(name.as_str()));
        let charge = match charge_from {
            ChargeFrom::Meta => stated(capture.charged.take()),
            ChargeFrom::LegacyAmount => {
                legacy(capture.amount.take(), price, prices.legacy_amounts())
            }
            ChargeFrom::ValidEmails if capture.is_list => found(capture.rows_found, price),
            ChargeFrom::Quote if capture.is_list => Charge::Estimated {
                amount: quote,
                how: "the answer states no charge; the quote is taken".to_owned(),
            },
            // These operations answer with an array; an object is an error, which takes nothing
            // by itself.
            ChargeFrom::ValidEmails | ChargeFrom::Quote => Charge::Missing,
        };
        Answer {
            charge,
            job: capture.job.map(JobId::from),
            status: capture.status,
            funds_empty: capture.funds_empty,
        }
    }
}

/// The charge of a v1 answer.
fn stated(told: Option<Told>) -> Charge {
    let raw = match told {
        None => return Charge::Missing,
        Some(Told::Null) => return Charge::Null,
        Some(Told::Number(raw) | Told::Text(raw)) => raw,
        Some(Told::Other) => {
            return Charge::Nonsense("amount_charged is not a number".to_owned());
        }
    };
    match Credits::parse_nearest(&raw) {
        Err(error) => Charge::Nonsense(format!("amount_charged is {error}")),
        Ok(_) if is_below_zero(&raw) => Charge::Negative { raw },
        Ok(amount) => Charge::Stated { amount, raw },
    }
}

/// Whether a number is negative, however small: what rounds to zero is still not zero.
fn is_below_zero(raw: &str) -> bool {
    let mantissa = raw.split(['e', 'E']).next().unwrap_or_default();
    raw.starts_with('-') && mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9'))
}

/// The charge of a legacy answer. Charges are mostly negative and in one sample positive (dossier
/// section 2.8), so the sign says nothing.
fn legacy(told: Option<Told>, price: Option<Credits>, meaning: LegacyAmounts) -> Charge {
    let raw = match told {
        None => return Charge::Missing,
        Some(Told::Null) => return Charge::Null,
        Some(Told::Number(raw) | Told::Text(raw)) => raw,
        Some(Told::Other) => return Charge::Nonsense("amount is not a number".to_owned()),
    };
    let amount = match Credits::parse_nearest(&raw) {
        Ok(amount) => amount.magnitude(),
        Err(error) => return Charge::Nonsense(format!("amount is {error}")),
    };
    if meaning == LegacyAmounts::Money {
        return Charge::Stated { amount, raw };
    }
    let Some(price) = price else {
        return Charge::Nonsense("a count of results that have no price".to_owned());
    };
    let Some(counted) = times_rounded_up(price, amount) else {
        return Charge::Nonsense("amount is too large to be a count of results".to_owned());
    };
    // Half a result does not exist: a fraction is credits already, unless the count comes dearer.
    let is_count = amount.micros() % Credits::from_micros(1_000_000).micros() == 0;
    if is_count || counted >= amount {
        Charge::Estimated {
            amount: counted,
            how: format!("amount {raw}, read as results at {price} each"),
        }
    } else {
        Charge::Estimated {
            amount,
            how: format!("amount {raw}, read as credits because it is no whole number of results"),
        }
    }
}

/// `price` times a number of results that is given in millionths.
fn times_rounded_up(price: Credits, results: Credits) -> Option<Credits> {
    let product = i128::from(price.micros()) * i128::from(results.micros());
    let whole = product.checked_add(999_999)?.div_euclid(1_000_000);
    i64::try_from(whole).ok().map(Credits::from_micros)
}

/// The charge of an answer that only shows what was found.
fn found(rows: u64, price: Option<Credits>) -> Charge {
    let each = price.unwrap_or(Credits::MAX);
    match each.checked_times(rows) {
        Some(amount) => Charge::Estimated {
            amount,
            how: format!("{rows} valid e-mail addresses at {each} each"),
        },
        None => Charge::Nonsense("more rows than can be priced".to_owned()),
    }
}
