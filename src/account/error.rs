//! Why there is no client, or no answer of the account.

use crate::secret::Secret;

/// Why no client could be made of its settings.
#[derive(Debug, thiserror::Error)]
pub enum ClientBuildError {
    /// The base URL is not one, is not http(s), or carries credentials of its own.
    #[error("the base URL must be http:// or https:// and a host, without credentials")]
    BaseUrl,
    /// The token cannot stand in a header.
    #[error("the account's token is empty or has characters that cannot stand in a header")]
    Token,
    /// The proxy's URL is not one.
    #[error("the egress proxy's URL is not valid")]
    EgressProxy,
    /// The TLS settings do not fit the HTTP client.
    #[error("the TLS settings do not fit the HTTP client")]
    Tls,
}

/// Why a page of the account could not be read. None that [`AccountClient`](super::AccountClient) gives has
/// the token in it, or any part of an answer's body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// No connection.
    #[error("the account cannot be reached: {0}")]
    Unreachable(String),
    /// No answer in time.
    #[error("the account did not answer in time")]
    Silent,
    /// The connection broke before the answer was whole.
    #[error("the account's answer was cut off: {0}")]
    Cut(String),
    /// 401: the upstream does not take our token. Nothing heals this but another token.
    #[error("the upstream refused the account's token (401)")]
    TokenRefused,
    /// 429: asked too often, or too many calls in flight.
    #[error("the upstream asks for fewer requests (429)")]
    Throttled,
    /// A redirect. Never followed: it would carry the token somewhere else.
    #[error("the account answered with a redirect ({0})")]
    Redirected(u16),
    /// Any other status than 200.
    #[error("the account answered with status {0}")]
    Status(u16),
    /// The answer is longer than such a page can be.
    #[error("the account's answer is too long")]
    TooLarge,
    /// The answer is packed in a way that was not asked for, or not well.
    #[error("the account's answer cannot be unpacked")]
    Coded,
    /// What should have been asked for is no path of the upstream's.
    #[error("this is no path of the account's")]
    Path,
    /// The answer is no JSON: a page of HTML, say.
    #[error("the account's answer is not JSON")]
    NotJson,
    /// JSON without what was asked for.
    #[error("the account's answer has no {0}")]
    Missing(&'static str),
    /// The balance is null. Null is unknown, and unknown is not zero.
    #[error("the account's balance is null")]
    Null,
    /// The balance is no decimal number (`NaN`, a word, an object).
    #[error("the account's balance is not a number")]
    NotANumber,
    /// The balance is more than the ledger can count.
    #[error("the account's balance is too large to be counted")]
    TooMuch,
}

impl AccountError {
    /// One word for metric labels and log fields.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Silent => "silent",
            Self::Cut(_) => "cut",
            Self::TokenRefused => "token_refused",
            Self::Throttled => "throttled",
            Self::Redirected(_) => "redirected",
            Self::Status(_) => "status",
            Self::TooLarge => "too_large",
            Self::Coded => "coded",
            Self::Path => "path",
            Self::NotJson => "not_json",
            Self::Missing(_) => "missing",
            Self::Null => "null",
            Self::NotANumber => "not_a_number",
            Self::TooMuch => "too_much",
        }
    }

    /// Itself, with `token` covered where words are in it that came over the connection: the names in a
    /// certificate that is another's.
    pub(super) fn without(self, token: &Secret) -> Self {
        let covered = |why: String| token.covered_text(&why).into_owned();
        match self {
            Self::Unreachable(why) => Self::Unreachable(covered(why)),
            Self::Cut(why) => Self::Cut(covered(why)),
            other => other,
        }
    }

    /// Whether the same question may be answered a little later.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Silent | Self::Cut(_) | Self::Throttled => true,
            Self::Status(status) => *status >= 500,
            _ => false,
        }
    }
}
