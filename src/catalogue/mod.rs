//! What the upstream does and what it takes for it: operations are data.
//!
//! `config/catalogue.toml` describes every documented operation; this part reads that file and
//! answers four questions with it, without knowing a server, a budget or a client:
//!
//! - [`Catalogue::classify`]: which operation is this method and path? What is not listed is
//!   [`Classified::Unknown`] and does not pass.
//! - [`quote()`]: the most this call can take, worked out from its body before it is sent. Every
//!   doubt errs upwards; what cannot be read is refused.
//! - [`ChargeReader`]: what an answer says was taken, read while the answer streams by.
//! - [`Prices`]: what one unit of each takes. The listed prices, unless a caller knows the
//!   account's own.
//!
//! Two rules hold everywhere here. *What is priced is what the upstream will read*: a body that
//! two parsers could read differently is not priced at all. *Unknown is not zero*: a charge that
//! is missing or unreadable is said to be so.

mod body;
mod charge;
mod classify;
mod control;
mod file;
mod operation;
mod price;
mod quote;
mod scan;
mod text;
mod twin;
mod usage;

pub use charge::{Answer, Charge, ChargeReader};
pub use classify::{Catalogue, Classified};
pub use file::{CatalogueError, Fault};
pub use operation::{
    ChargeFrom, Class, Count, Extra, ExtraUnits, Operation, OwnPage, Part, Place, RowLimit, Slots,
};
pub use price::{LegacyAmounts, PriceError, PriceName, Prices};
pub use quote::{Quote, QuoteError, Unbounded, quote};
pub use twin::Twin;
pub use usage::{USAGE_KINDS, usage_kind};
