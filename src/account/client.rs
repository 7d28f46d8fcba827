//! Asks the upstream for what it says about the account, one page a question.
//!
//! Each page has a file of its own: the balance (`me`), the rows of what was taken and given
//! (`transactions`), sums (`usage`), the account's prices (`tier`), and the state of a bulk job
//! (`job`). All of them are free.

use std::fmt;
use std::sync::Arc;

use super::error::ClientBuildError;
use super::transport::{AccountClientSettings, Transport};
use super::way::Carrier;
use crate::clock::Clock;

/// Asks for the account's pages. Clones share one pool of connections.
#[derive(Clone)]
pub struct AccountClient {
    pub(super) transport: Transport,
}

impl fmt::Debug for AccountClient {
    /// Where it asks, and nothing of what it asks with.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("AccountClient")
            .field("url", &self.transport.base())
            .finish_non_exhaustive()
    }
}

impl AccountClient {
    /// A client that asks with `token`. Connects to nothing yet.
    ///
    /// # Errors
    /// [`ClientBuildError`]: what of the settings cannot be used.
    pub fn new(
        settings: AccountClientSettings,
        token: &str,
        clock: Clock,
    ) -> Result<Self, ClientBuildError> {
        let transport = Transport::new(settings, token, clock)?;
        Ok(Self { transport })
    }

    /// A client that asks the account at `base_url` with `token`, over the links of `carrier`.
    ///
    /// # Errors
    /// [`ClientBuildError`]: the URL or the token cannot be used.
    pub fn over(
        carrier: Arc<dyn Carrier>,
        base_url: &str,
        token: &str,
        clock: Clock,
    ) -> Result<Self, ClientBuildError> {
        let transport = Transport::over(carrier, base_url, token, clock)?;
        Ok(Self { transport })
    }
}
