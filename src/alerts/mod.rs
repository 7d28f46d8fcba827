//! Tells people what they should not have to find out: a budget that fills, an account that runs
//! low, books that do not agree.
//!
//! [`judge`] is the rules, pure: what is seen now and what was told before give what is told now.
//! [`run`] looks, tells and remembers. Whatever is told is one line in the log (target `alert`), one
//! more in a metric, and where the alert has a webhook, one signed message that is tried again until
//! the receiver takes it, or for some minutes.
//!
//! The part knows neither the store nor the account: `app` hands it snapshots, and a place to keep a
//! text.

mod alert;
mod announce;
mod delivery;
mod event;
mod message;
mod rules;
mod runner;
mod webhook;

pub use alert::{Alert, Condition, Shape, Snapshot, Webhook};
pub use delivery::Patience;
pub use event::{Event, Facts};
pub use rules::{State, judge};
pub use runner::{Alerts, AlertsError, AlertsSettings, run};
pub use webhook::WebhookError;
