//! The balance: `GET /api/v1/accounts/me/`.
//!
//! Free, and answers for the whole account, also to a test-mode token (dossier sections 3.1 and
//! 6.5). The balance is read as digits, whether it comes as a number or as a string. Whatever is
//! not plainly a balance is an [`AccountError`].

use serde::Deserialize;
use serde_json::value::RawValue;

use super::client::AccountClient;
use super::error::AccountError;
use super::json::{AmountFault, amount, document, object};
use super::reading::{Reading, Seen};
use crate::credits::Credits;

/// The trailing slash is mandatory (dossier section 1).
const PATH: &str = "/api/v1/accounts/me/";
/// An answer is about 300 bytes; a hundred times that is not an account.
const BYTES_MAX: usize = 64 * 1024;
const BALANCE: &str = "data.credits.balance";

/// Whoever can say what the account has left.
pub trait BalanceSource: Send + Sync + 'static {
    /// Reads the balance now.
    ///
    /// # Errors
    /// Every [`AccountError`]; none is retried here.
    fn balance(&self) -> impl Future<Output = Result<Reading, AccountError>> + Send;
}

impl BalanceSource for AccountClient {
    async fn balance(&self) -> Result<Reading, AccountError> {
        self.me().await
    }
}

impl AccountClient {
    /// Reads the balance now.
    ///
    /// # Errors
    /// Every [`AccountError`]; none is retried here.
    pub async fn me(&self) -> Result<Reading, AccountError> {
        let answered = self.transport.page(PATH, &[], BYTES_MAX).await?;
        Ok(Reading {
            balance: read_balance(&answered.body)?,
            started_at: answered.started_at,
            finished_at: answered.finished_at,
            seen: Seen::Read,
        })
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct Account<'a> {
    #[serde(borrow)]
    credits: &'a RawValue,
}

#[derive(Deserialize)]
struct AccountCredits<'a> {
    #[serde(borrow)]
    balance: &'a RawValue,
}

/// `data.credits.balance` of an answer, from its digits and rounded down.
///
/// # Errors
/// [`AccountError`]: whatever is not plainly a balance is none.
pub fn read_balance(body: &[u8]) -> Result<Credits, AccountError> {
    let envelope: Envelope = object(document(body)?, BALANCE)?;
    let account: Account = object(envelope.data, BALANCE)?;
    let credits: AccountCredits = object(account.credits, BALANCE)?;
    amount(credits.balance, Credits::parse_rounded_down).map_err(|fault| match fault {
        AmountFault::Null => AccountError::Null,
        AmountFault::NotANumber => AccountError::NotANumber,
        AmountFault::TooMuch => AccountError::TooMuch,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn balance(json: &str) -> Result<Credits, AccountError> {
        read_balance(format!(r#"{{"data":{{"credits":{{"balance":{json}}}}}}}"#).as_bytes())
    }

    #[test]
    fn a_balance_is_read_as_digits_from_a_number_or_a_string() {
        for (json, micros) in [
            ("5000", 5_000_000_000),
            ("41.37", 41_370_000),
            ("\"41.37\"", 41_370_000),
            ("\" 12.4 \"", 12_400_000),
            ("-0.5", -500_000),
            ("0", 0),
            ("4.137e1", 41_370_000),
            ("0.10000000000000000000000001", 100_000),
            ("9007199254.740993", 9_007_199_254_740_993),
            ("0.0000019", 1),
            ("-0.0000001", -1),
        ] {
            assert_eq!(balance(json), Ok(Credits::from_micros(micros)), "{json}");
        }
    }

    #[test]
    fn what_is_no_balance_is_an_error_with_a_name_and_never_zero() {
        use AccountError::{NotANumber, NotJson, Null, TooMuch};
        let missing = || AccountError::Missing(BALANCE);
        for (body, error) in [
            ("", NotJson),
            ("<html><body>Bad gateway</body></html>", NotJson),
            (r#"{"data":{"credits":{"balance":NaN}}}"#, NotJson),
            (r#"{"data":{"credits":{"balance":1"#, NotJson),
            ("null", missing()),
            ("[]", missing()),
            ("[[[5]]]", missing()),
            (r#"{"data":[[5]]}"#, missing()),
            (r#"{"detail":"hello"}"#, missing()),
            (r#"{"data":null}"#, missing()),
            (r#"{"data":{"credits":null}}"#, missing()),
            (r#"{"data":{"credits":{"used_this_month":1}}}"#, missing()),
            (
                r#"{"data":{"credits":{"balance":1,"balance":2}}}"#,
                missing(),
            ),
            (r#"{"balance":7}"#, missing()),
            (r#"{"data":{"credits":{"balance":null}}}"#, Null),
            (r#"{"data":{"credits":{"balance":"NaN"}}}"#, NotANumber),
            (r#"{"data":{"credits":{"balance":""}}}"#, NotANumber),
            (r#"{"data":{"credits":{"balance":"1,5"}}}"#, NotANumber),
            (r#"{"data":{"credits":{"balance":true}}}"#, NotANumber),
            (r#"{"data":{"credits":{"balance":{"usd":1}}}}"#, NotANumber),
            (r#"{"data":{"credits":{"balance":1e99}}}"#, TooMuch),
        ] {
            assert_eq!(read_balance(body.as_bytes()), Err(error), "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_answer_makes_reading_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_balance(&body);
        }
    }
}
