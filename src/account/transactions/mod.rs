//! The account's own list of what it took and was given.
//!
//! Two lists say it: `/api/v1/accounts/transactions/` and its older sister
//! `/api/auth/transactions/` (dossier section 3.3). [`AccountClient::transactions`] asks for one
//! page of either. [`Pull`] reads a span page by page, newest first, and says whether it read all
//! of it: that a row is missing means something only where it did.
//!
//! [`AccountClient::transactions`]: super::AccountClient::transactions

mod course;
mod moment;
mod page;
mod pull;
mod recent;
mod row;
mod span;

pub use page::{Page, TransactionsQuery, read_rows};
pub use pull::Pull;
pub use row::{RowFault, UnreadableRow};
pub use span::{PullReport, PullSettings, Span, Stop};
