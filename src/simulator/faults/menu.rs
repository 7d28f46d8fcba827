//! The menu: what can go wrong between the guard and Generect, by name.

use std::str::FromStr;
use std::time::Duration;

use crate::credits::Credits;

/// One way to misbehave. "Charged" means that the money has left the account and
/// [`Truth`](crate::simulator::Truth) says so, whatever the answer looks like.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Charged; the answer's head comes this much later.
    SlowHeaders(Duration),
    /// Charged; the body comes in pieces with a pause before each, without a length.
    SlowBody {
        /// Wait before each piece.
        pause: Duration,
        /// Size of a piece.
        chunk_bytes: usize,
    },
    /// The connection is closed; nothing is charged.
    CutBeforeCharge,
    /// Charged, then the connection is closed before any byte of the answer.
    CutAfterCharge,
    /// Charged; the connection is closed after half of the promised body.
    CutMidBody,
    /// Over HTTP/2 the stream is reset and said not to have been processed (`REFUSED_STREAM`), which is not
    /// true of a charged one; over HTTP/1.1 the connection is closed.
    RefusedStream {
        /// Whether the call was charged first.
        charged: bool,
    },
    /// A 5xx (or any other status) instead of the answer.
    Failure {
        /// The status.
        status: u16,
        /// Whether the call was charged first.
        charged: bool,
        /// Whether the error body carries `meta.amount_charged` (what was charged, or 0).
        says_charge: bool,
    },
    /// A redirect instead of the answer.
    Redirect {
        /// 301, 302, 303, 307 or 308.
        status: u16,
        /// Whether the call was charged first.
        charged: bool,
    },
    /// 429; nothing is charged.
    Throttled {
        /// `Retry-After`, whole seconds.
        retry_after_s: Option<u32>,
    },
    /// The insufficient-funds refusal; nothing is charged.
    FundsGone,
    /// The request is read and no byte ever comes back.
    NeverAnswers {
        /// Whether the call was charged.
        charged: bool,
    },
    /// A page for people instead of JSON.
    Html {
        /// The status.
        status: u16,
        /// Whether the call was charged first.
        charged: bool,
    },
    /// Charged; what the answer says about the charge is wrong.
    Meta(MetaFault),
    /// Charged this much more than the rules allow for the call, and says so. Misses stay
    /// free.
    Overrun(Credits),
    /// Charged; the answer is coded.
    Coding(CodingFault),
    /// Charged; half of the JSON, with the right length for that half.
    TruncatedJson,
    /// Charged; `Content-Length` promises more than comes, then the connection closes.
    LengthTooLong,
    /// Charged; `Content-Length` is half of the body, the rest never comes.
    LengthTooShort,
    /// Charged; the answer is filled up to this many bytes.
    Huge {
        /// Size of the answer.
        bytes: usize,
    },
    /// Charged; the answer repeats the account's token in its body and a header.
    LeaksToken,
    /// Charged; the answer sets a session cookie.
    SetsCookie,
    /// `accounts/me` answers nonsense. Other operations are not touched by it.
    Account(Nonsense),
}

/// What can be wrong with the stated charge. In legacy answers `amount` stands for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetaFault {
    /// No `meta` at all.
    Missing,
    /// A `meta` without `amount_charged`.
    ChargeMissing,
    /// `"amount_charged": null`.
    Null,
    /// The charge with a minus.
    Negative,
    /// The charge as a text.
    Text,
    /// A word in place of the charge.
    Word,
    /// The charge in exponent form.
    Exponent,
    /// The charge with the noise of a binary float: `0.06000000000000001`.
    BinaryNoise,
    /// No top-level `meta`; the rows hold one each.
    InRowsOnly,
    /// The right `meta` at the end and a decoy of the same name before it.
    Duplicate,
    /// `meta` is a list.
    Broken,
}

/// What can be wrong with the coding of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodingFault {
    /// Proper gzip, asked for or not.
    Gzip,
    /// Says `br`; the bytes are no such thing.
    Unknown,
    /// Gzip that stops half way, with the right length for that half.
    TruncatedGzip,
}

/// What `accounts/me` may answer instead of the balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nonsense {
    /// `"balance": "plenty"`.
    Word,
    /// A balance below zero.
    Negative,
    /// A balance that no ledger can count.
    Enormous,
    /// No balance member.
    Missing,
    /// `"balance": NaN`, which Python writes and reads.
    NotANumber,
    /// `"balance": null`.
    Null,
    /// A page for people, with status 200.
    Html,
    /// 401 `Invalid token.`
    Unauthorised,
    /// The right answer after this long.
    Slow(Duration),
}

impl Fault {
    /// Whether the fault stops a call before any money is set aside.
    pub fn spares_the_account(&self) -> bool {
        match self {
            Self::CutBeforeCharge | Self::Throttled { .. } | Self::FundsGone => true,
            Self::Failure { charged, .. }
            | Self::RefusedStream { charged }
            | Self::Redirect { charged, .. }
            | Self::NeverAnswers { charged }
            | Self::Html { charged, .. } => !charged,
            _ => false,
        }
    }
}

/// A name that is not on the menu.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such fault: {0:?}")]
pub struct UnknownFault(pub String);

impl FromStr for Fault {
    type Err = UnknownFault;

    /// Reads a name as it stands in the header `x-simulator-fault`, with fixed particulars.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let failure = |status, charged, says_charge| Self::Failure {
            status,
            charged,
            says_charge,
        };
        Ok(match name {
            "slow" => Self::SlowHeaders(Duration::from_millis(200)),
            "slow_body" => Self::SlowBody {
                pause: Duration::from_millis(20),
                chunk_bytes: 64,
            },
            "cut_before_charge" => Self::CutBeforeCharge,
            "cut_after_charge" => Self::CutAfterCharge,
            "cut_mid_body" => Self::CutMidBody,
            "refused_stream" => Self::RefusedStream { charged: false },
            "refused_stream_after_charge" => Self::RefusedStream { charged: true },
            "500_before_charge" => failure(500, false, false),
            "500_after_charge" => failure(500, true, false),
            "500_after_charge_says_so" => failure(500, true, true),
            "500_before_charge_says_so" => failure(500, false, true),
            "502_before_charge" => failure(502, false, false),
            "502_after_charge" => failure(502, true, false),
            "redirect" => Self::Redirect {
                status: 302,
                charged: false,
            },
            "redirect_after_charge" => Self::Redirect {
                status: 302,
                charged: true,
            },
            "throttled" => Self::Throttled {
                retry_after_s: None,
            },
            "throttled_retry_after" => Self::Throttled {
                retry_after_s: Some(1),
            },
            "funds_gone" => Self::FundsGone,
            "never_answers" => Self::NeverAnswers { charged: false },
            "never_answers_after_charge" => Self::NeverAnswers { charged: true },
            "html" => Self::Html {
                status: 200,
                charged: true,
            },
            "html_502" => Self::Html {
                status: 502,
                charged: false,
            },
            "overrun" => Self::Overrun(Credits::from_micros(1_000_000)),
            "gzip" => Self::Coding(CodingFault::Gzip),
            "unknown_coding" => Self::Coding(CodingFault::Unknown),
            "truncated_gzip" => Self::Coding(CodingFault::TruncatedGzip),
            "truncated_json" => Self::TruncatedJson,
            "length_too_long" => Self::LengthTooLong,
            "length_too_short" => Self::LengthTooShort,
            "huge" => Self::Huge {
                bytes: 4 * 1024 * 1024,
            },
            "leaks_token" => Self::LeaksToken,
            "sets_cookie" => Self::SetsCookie,
            _ => Self::Meta(meta_fault(name)?),
        })
    }
}

fn meta_fault(name: &str) -> Result<MetaFault, UnknownFault> {
    Ok(match name {
        "meta_missing" => MetaFault::Missing,
        "charge_missing" => MetaFault::ChargeMissing,
        "charge_null" => MetaFault::Null,
        "charge_negative" => MetaFault::Negative,
        "charge_text" => MetaFault::Text,
        "charge_word" => MetaFault::Word,
        "charge_exponent" => MetaFault::Exponent,
        "charge_noise" => MetaFault::BinaryNoise,
        "meta_in_rows_only" => MetaFault::InRowsOnly,
        "meta_duplicate" => MetaFault::Duplicate,
        "meta_broken" => MetaFault::Broken,
        _ => return Err(UnknownFault(name.to_owned())),
    })
}
