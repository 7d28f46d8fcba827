//! Reads a span of a list, page by page.

use std::time::Duration;

use super::course::Course;
use super::page::{Page, TransactionsQuery};
use super::span::{PullReport, PullSettings, Span};
use crate::account::client::AccountClient;
use crate::account::error::AccountError;
use crate::account::pace::jittered;
use crate::transaction::{Transaction, TransactionSource};

/// A span that is being read. Ask for [`next`](Self::next) rows until there are none, then look at
/// the [`report`](Self::report).
#[derive(Debug)]
pub struct Pull {
    client: AccountClient,
    settings: PullSettings,
    course: Course,
}

impl AccountClient {
    /// Begins to read the rows of `span`, newest first. Asks nothing yet.
    ///
    /// A long backlog is best read in spans of a day or so, oldest first: what has been read of a
    /// span is newest first, and worth little as evidence until all of it has been.
    pub fn pull(&self, source: TransactionSource, span: Span, settings: PullSettings) -> Pull {
        Pull {
            client: self.clone(),
            settings,
            course: Course::new(source, span, settings),
        }
    }
}

impl Pull {
    /// The next rows of the span, in no order that matters; `None` when the reading has ended.
    /// A row whose amount or status changed while the list was read comes again.
    ///
    /// # Errors
    /// A page could not be read, however often it was tried. Asking again tries that page again.
    pub async fn next(&mut self) -> Result<Option<Vec<Transaction>>, AccountError> {
        while let Some(query) = self.course.next() {
            if self.course.pages() > 0 {
                tokio::time::sleep(self.settings.pause).await;
            }
            let page = self.page(&query).await?;
            let rows = self.course.take(page);
            if !rows.is_empty() {
                return Ok(Some(rows));
            }
        }
        Ok(None)
    }

    /// How far the span has been read.
    pub fn report(&self) -> PullReport {
        self.course.report()
    }

    async fn page(&self, query: &TransactionsQuery) -> Result<Page, AccountError> {
        let mut pause = self.settings.retry_pause;
        for _ in 1..self.settings.tries {
            match self.client.transactions(query).await {
                Err(error) if error.is_passing() => {
                    tracing::debug!(
                        account.error = error.reason(),
                        "a page of transactions could not be read and is asked for again: {error}"
                    );
                    tokio::time::sleep(jittered(pause, (self.settings.chance)())).await;
                    pause = pause.saturating_mul(2).min(RETRY_PAUSE_MAX);
                }
                answer => return answer,
            }
        }
        self.client.transactions(query).await
    }
}

const RETRY_PAUSE_MAX: Duration = Duration::from_secs(60);
