//! One page of a list.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::moment;
use super::row::{self, UnreadableRow};
use crate::account::client::AccountClient;
use crate::account::error::AccountError;
use crate::account::json::{document, items, object};
use crate::secret::Secret;
use crate::transaction::{Transaction, TransactionSource};

const V1_PATH: &str = "/api/v1/accounts/transactions/";
const LEGACY_PATH: &str = "/api/auth/transactions/";
/// A row is about 250 bytes and a page has a hundred of them; a server that knows no bound would
/// be cut off here.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// What is asked of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionsQuery {
    /// Which list.
    pub source: TransactionSource,
    /// Rows from this moment on.
    pub from: Option<Timestamp>,
    /// Rows before this moment.
    pub to: Option<Timestamp>,
    /// How many of the newest rows to pass over.
    pub offset: usize,
    /// How many rows at most. No list is known to give more than a hundred.
    pub limit: usize,
}

/// What a list answered. It may have dropped any of the query's bounds without a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The rows that say plainly what they are, in the order they came: newest first.
    pub rows: Vec<Transaction>,
    /// The rows that do not.
    pub unreadable: Vec<UnreadableRow>,
    /// How many rows there were, readable or not.
    pub raw_count: usize,
    /// The upstream's own clock, cut to the second, if it says.
    pub server_time: Option<Timestamp>,
    /// Just before the question was sent. What is not in the answer may have been written later.
    pub started_at: Timestamp,
    /// When the whole answer was here.
    pub finished_at: Timestamp,
}

impl Page {
    /// How far the upstream's clock is ahead of ours, to a second and the time the answer took.
    pub fn skew(&self) -> Option<SignedDuration> {
        Some(self.server_time?.duration_since(self.finished_at))
    }
}

impl AccountClient {
    /// Asks for one page of a list.
    ///
    /// # Errors
    /// Every [`AccountError`]; none is retried here. A row that cannot be read is no error of the
    /// page.
    pub async fn transactions(&self, query: &TransactionsQuery) -> Result<Page, AccountError> {
        let path = match query.source {
            TransactionSource::V1 => V1_PATH,
            TransactionSource::Legacy => LEGACY_PATH,
        };
        let answered = self
            .transport
            .page(path, &parameters(query), BYTES_MAX)
            .await?;
        let mut page = Page {
            rows: Vec::new(),
            unreadable: Vec::new(),
            raw_count: 0,
            server_time: answered.server_time(),
            started_at: answered.started_at,
            finished_at: answered.finished_at,
        };
        for row in read_rows(query.source, &answered.body, self.transport.token())? {
            page.raw_count += 1;
            match row {
                Ok(row) => page.rows.push(row),
                Err(fault) => page.unreadable.push(fault),
            }
        }
        Ok(page)
    }
}

fn parameters(query: &TransactionsQuery) -> Vec<(&'static str, String)> {
    let mut pairs = vec![
        ("limit", query.limit.to_string()),
        ("offset", query.offset.to_string()),
    ];
    let written = |moment| moment::written(query.source, moment);
    pairs.extend(query.from.map(|from| ("created_at__gte", written(from))));
    pairs.extend(query.to.map(|to| ("created_at__lt", written(to))));
    pairs
}

#[derive(Deserialize)]
struct V1Envelope<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct V1List<'a> {
    #[serde(borrow)]
    transactions: &'a RawValue,
}

#[derive(Deserialize)]
struct LegacyList<'a> {
    #[serde(borrow)]
    results: &'a RawValue,
}

/// The rows of a list, in the order they stand in, without the account's `token`. A row that cannot be read is
/// no error of the page.
///
/// # Errors
/// [`AccountError`]: the page is not such a list.
pub fn read_rows(
    source: TransactionSource,
    body: &[u8],
    token: &Secret,
) -> Result<Vec<Result<Transaction, UnreadableRow>>, AccountError> {
    let rows = raw_rows(source, body)?.into_iter();
    Ok(rows.map(|raw| row::read(source, raw, token)).collect())
}

fn raw_rows(source: TransactionSource, body: &[u8]) -> Result<Vec<&RawValue>, AccountError> {
    let whole = document(body)?;
    match source {
        TransactionSource::V1 => {
            let what = "data.transactions";
            let envelope: V1Envelope = object(whole, what)?;
            let list: V1List = object(envelope.data, what)?;
            items(list.transactions, what)
        }
        TransactionSource::Legacy => {
            let list: LegacyList = object(whole, "results")?;
            items(list.results, "results")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_without_rows_is_not_one_without_a_list() {
        let v1 =
            |body: &str| raw_rows(TransactionSource::V1, body.as_bytes()).map(|rows| rows.len());
        let missing = Err(AccountError::Missing("data.transactions"));
        assert_eq!(v1(r#"{"data":{"transactions":[]}}"#), Ok(0));
        assert_eq!(v1(r#"{"data":{"transactions":[1,{}],"next":null}}"#), Ok(2));
        for wrong in [
            "null",
            "[]",
            r#"{"data":[]}"#,
            r#"{"data":{}}"#,
            r#"{"data":{"transactions":null}}"#,
            r#"{"data":{"transactions":{}}}"#,
            r#"{"results":[]}"#,
        ] {
            assert_eq!(v1(wrong), missing, "{wrong}");
        }
        assert_eq!(v1("<html></html>"), Err(AccountError::NotJson));
        let legacy = raw_rows(TransactionSource::Legacy, br#"{"count":1,"results":[{}]}"#);
        assert_eq!(legacy.map(|rows| rows.len()), Ok(1));
    }
}
