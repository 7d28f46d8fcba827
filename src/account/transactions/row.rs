//! One row of either list, read by its digits.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::moment;
use crate::account::json::{AmountFault, amount, members, name, text};
use crate::credits::Credits;
use crate::secret::Secret;
use crate::transaction::{Transaction, TransactionId, TransactionSource, TransactionStatus};

/// Ids seen are about 40 bytes. A longer one is no id: cut, two could become one.
const ID_BYTES_MAX: usize = 256;
/// Kinds are for people and for matching; the longest documented one has 35 bytes.
const KIND_BYTES_MAX: usize = 128;

/// A row that is counted and named, because what it says is not plain. Never guessed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableRow {
    /// Its id, if that much can be read.
    pub id: Option<Arc<str>>,
    /// Its time, if that much can be read. Without it the row may be of any time.
    pub at: Option<Timestamp>,
    /// What is wrong with it.
    pub why: RowFault,
}

/// What is wrong with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowFault {
    /// It is no object, or says something twice.
    NoObject,
    /// No id, or one that is no text.
    NoId,
    /// No time, or one that is no moment.
    NoTime,
    /// No amount.
    NoAmount,
    /// The amount is no decimal number.
    AmountNotANumber,
    /// The amount is more than the ledger can count.
    AmountTooMuch,
}

impl RowFault {
    /// One word for metric labels and log fields.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoObject => "no_object",
            Self::NoId => "no_id",
            Self::NoTime => "no_time",
            Self::NoAmount => "no_amount",
            Self::AmountNotANumber => "amount_not_a_number",
            Self::AmountTooMuch => "amount_too_much",
        }
    }
}

impl fmt::Display for RowFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// The members of either list, by the names they have there; all others are passed over.
#[derive(Default)]
struct Fields<'a> {
    id: Option<&'a RawValue>,
    at: Option<&'a RawValue>,
    kind: Option<&'a RawValue>,
    amount: Option<&'a RawValue>,
    status: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct V1Row<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    credits: Option<&'a RawValue>,
    #[serde(borrow)]
    details: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct V1Details<'a> {
    #[serde(borrow)]
    status: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct LegacyRow<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    created_at: Option<&'a RawValue>,
    #[serde(borrow)]
    balance_type: Option<&'a RawValue>,
    #[serde(borrow)]
    amount: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
}

impl<'a> Fields<'a> {
    fn of(source: TransactionSource, raw: &'a RawValue) -> Option<Self> {
        match source {
            TransactionSource::V1 => {
                let row: V1Row = members(raw)?;
                let details: Option<V1Details> = row.details.and_then(members);
                Some(Self {
                    id: row.id,
                    at: row.timestamp,
                    kind: row.kind,
                    amount: row.credits,
                    status: details.and_then(|details| details.status),
                })
            }
            TransactionSource::Legacy => {
                let row: LegacyRow = members(raw)?;
                Some(Self {
                    id: row.id,
                    at: row.created_at,
                    kind: row.balance_type,
                    amount: row.amount,
                    status: row.status,
                })
            }
        }
    }
}

/// Reads a row. Kind and status may be missing: such a row is of no known kind, and not final. Where `token`
/// stands in its id or kind it is covered, and the row is the same whenever it is read.
pub(super) fn read(
    source: TransactionSource,
    raw: &RawValue,
    token: &Secret,
) -> Result<Transaction, UnreadableRow> {
    let fields = Fields::of(source, raw);
    let is_object = fields.is_some();
    let fields = fields.unwrap_or_default();
    let id = fields.id.and_then(|raw| id_of(raw, token));
    let at = fields
        .at
        .and_then(text)
        .and_then(|text| moment::read(&text));
    let amount = amount_of(fields.amount);
    match (&id, at, amount) {
        (Some(id), Some(at), Ok(amount)) => Ok(Transaction {
            id: TransactionId {
                source,
                id: Arc::clone(id),
            },
            at,
            kind: kind_of(fields.kind, token).into(),
            amount,
            status: status_of(fields.status),
        }),
        (_, _, amount) => {
            let why = match amount {
                _ if !is_object => RowFault::NoObject,
                _ if id.is_none() => RowFault::NoId,
                _ if at.is_none() => RowFault::NoTime,
                Ok(_) => RowFault::NoAmount,
                Err(why) => why,
            };
            Err(UnreadableRow { id, at, why })
        }
    }
}

fn id_of(raw: &RawValue, token: &Secret) -> Option<Arc<str>> {
    let id = name(raw, 2 * ID_BYTES_MAX, token)?;
    let is_whole = !id.is_empty() && id.len() <= ID_BYTES_MAX;
    (is_whole && id.chars().all(is_of_an_id)).then(|| id.into())
}

/// Ids are written one after the other, with spaces between them, where several decided something. A
/// replaced control character might make one of two.
fn is_of_an_id(character: char) -> bool {
    !character.is_whitespace() && character != char::REPLACEMENT_CHARACTER
}

fn amount_of(raw: Option<&RawValue>) -> Result<Credits, RowFault> {
    let raw = raw.ok_or(RowFault::NoAmount)?;
    amount(raw, Credits::parse_nearest).map_err(|fault| match fault {
        AmountFault::Null => RowFault::NoAmount,
        AmountFault::NotANumber => RowFault::AmountNotANumber,
        AmountFault::TooMuch => RowFault::AmountTooMuch,
    })
}

fn kind_of(raw: Option<&RawValue>, token: &Secret) -> String {
    raw.and_then(|raw| name(raw, KIND_BYTES_MAX, token))
        .unwrap_or_default()
}

fn status_of(raw: Option<&RawValue>) -> TransactionStatus {
    let word = raw.and_then(text).unwrap_or_default();
    TransactionStatus::from_text(word.trim())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(source: TransactionSource, json: &str) -> Result<Transaction, UnreadableRow> {
        let token = Secret::new(b"s3cret-token");
        read(source, serde_json::from_str(json).unwrap(), &token)
    }

    fn v1(json: &str) -> Result<Transaction, UnreadableRow> {
        row(TransactionSource::V1, json)
    }

    fn legacy(json: &str) -> Result<Transaction, UnreadableRow> {
        row(TransactionSource::Legacy, json)
    }

    #[test]
    fn the_documented_rows_of_both_lists_are_read() {
        let row = v1(r#"{"id": "txn_1", "timestamp": "2026-09-15T10:30:00",
            "type": "search_database_leads", "credits": -0.5,
            "details": {"balance_type": "platform", "status": "success"}}"#)
        .unwrap();
        assert_eq!(row.id.to_string(), "v1:txn_1");
        assert_eq!(row.at.to_string(), "2026-09-15T10:30:00Z");
        assert_eq!(&*row.kind, "search_database_leads");
        assert_eq!(row.amount.to_string(), "-0.5");
        assert_eq!(row.charge().to_string(), "0.5");
        assert_eq!(row.status, TransactionStatus::Success);

        let row = legacy(
            r#"{"id": "7b2c", "created_at": "2026-09-15T10:30:00.100000",
            "updated_at": "2026-09-15T10:30:31.200000", "status": "pending",
            "balance_type": "lead_by_link", "amount": -4, "description": "lead info by link",
            "after_balance": -1204}"#,
        )
        .unwrap();
        assert_eq!(row.id.to_string(), "legacy:7b2c");
        assert_eq!(row.at.to_string(), "2026-09-15T10:30:00.1Z");
        assert_eq!(&*row.kind, "lead_by_link");
        assert_eq!(row.amount.to_string(), "-4");
        assert_eq!(row.status, TransactionStatus::Pending);
    }

    #[test]
    fn amounts_are_read_by_their_digits() {
        for (json, micros) in [
            ("-0.0005", -500),
            ("\"-41.37\"", -41_370_000),
            ("20", 20_000_000),
            ("-0.06000000000000001", -60_000),
            ("-9007199254.740993", -9_007_199_254_740_993),
            ("-2e-2", -20_000),
            ("0", 0),
        ] {
            let row = v1(&format!(
                r#"{{"id":1,"timestamp":"2026-09-15T10:30:00Z","credits":{json}}}"#
            ))
            .unwrap();
            assert_eq!(row.amount.micros(), micros, "{json}");
        }
    }

    #[test]
    fn a_row_without_kind_or_status_is_kept_and_not_final() {
        let row = v1(r#"{"id":17,"timestamp":"2026-09-15T10:30:00Z","credits":"-1","details":7}"#);
        let row = row.unwrap();
        assert_eq!((&*row.kind, &*row.id.id), ("", "17"));
        assert_eq!(row.status, TransactionStatus::Unknown);
        let row = v1(
            r#"{"id":17,"timestamp":"2026-09-15T10:30:00Z","credits":-1,"type":null,
            "details":{"status":"held","more":[1]},"more":{"a":1}}"#,
        );
        assert_eq!(row.unwrap().status, TransactionStatus::Unknown);
    }

    #[test]
    fn what_is_not_plain_is_named_with_what_could_be_read() {
        use RowFault::{AmountNotANumber, AmountTooMuch, NoAmount, NoId, NoObject, NoTime};
        let long = format!(r#"{{"id":"{}",AT,"credits":-1}}"#, "x".repeat(300));
        for (json, why, id) in [
            ("null", NoObject, None),
            ("[1,2,3]", NoObject, None),
            (r#"{"id":"a",AT,"credits":1,"credits":2}"#, NoObject, None),
            (r#"{AT,"credits":-1}"#, NoId, None),
            (r#"{"id":"",AT,"credits":-1}"#, NoId, None),
            (r#"{"id":{"a":1},AT,"credits":-1}"#, NoId, None),
            (&long, NoId, None),
            (r#"{"id":"a v1:b",AT,"credits":-1}"#, NoId, None),
            (r#"{"id":"a\u2003b",AT,"credits":-1}"#, NoId, None),
            (r#"{"id":"a\nb",AT,"credits":-1}"#, NoId, None),
            (r#"{"id":"a\u0007",AT,"credits":-1}"#, NoId, None),
            (r#"{"id":"a","credits":-1}"#, NoTime, Some("a")),
            (
                r#"{"id":"a","timestamp":"2026-09-15","credits":-1}"#,
                NoTime,
                Some("a"),
            ),
            (
                r#"{"id":"a","timestamp":1789468200,"credits":-1}"#,
                NoTime,
                Some("a"),
            ),
            (r#"{"id":"a",AT}"#, NoAmount, Some("a")),
            (r#"{"id":"a",AT,"credits":null}"#, NoAmount, Some("a")),
            (
                r#"{"id":"a",AT,"credits":"NaN"}"#,
                AmountNotANumber,
                Some("a"),
            ),
            (
                r#"{"id":"a",AT,"credits":[1]}"#,
                AmountNotANumber,
                Some("a"),
            ),
            (r#"{"id":"a",AT,"credits":1e40}"#, AmountTooMuch, Some("a")),
        ] {
            let json = json.replace("AT", r#""timestamp":"2026-09-15T10:30:00Z""#);
            let fault = v1(&json).unwrap_err();
            assert_eq!((fault.why, fault.id.as_deref()), (why, id), "{json}");
        }
    }

    proptest! {
        #[test]
        fn no_json_makes_reading_panic(
            id in ".{0,10}",
            at in ".{0,30}",
            credits in ".{0,20}",
        ) {
            let json = serde_json::json!({
                "id": id, "timestamp": at, "created_at": at, "credits": credits, "amount": credits,
            });
            let text = json.to_string();
            let _ = v1(&text);
            let _ = legacy(&text);
        }
    }
}
