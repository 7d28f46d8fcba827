//! What a fault does: stands in for the answer, or dresses the answer up.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, LOCATION, SET_COOKIE};
use http::{HeaderName, StatusCode};

use super::menu::{CodingFault, Fault, MetaFault, Nonsense};
use crate::credits::Credits;
use crate::simulator::answer::{Answer, MetaPlace, Writing};
use crate::simulator::reply::{Manner, Reply};
use crate::simulator::settings::{FundsStatus, SimulatorSettings};

/// How an exchange ends once its fault has been looked at.
#[derive(Debug)]
pub(crate) enum Ending {
    /// A reply, perhaps after a wait.
    Reply(Reply, Duration),
    /// The connection is closed without a byte.
    Cut,
    /// The same; over HTTP/2 it is said that nothing was done.
    Refused,
    /// Nothing ever comes.
    Silence,
}

const PAGE: &str = "<!DOCTYPE html><html><head><title>Error</title></head>\
                    <body><h1>Something went wrong</h1><p>Please come back later.</p></body></html>";

/// The insufficient-funds refusal in the configured status.
pub(crate) fn funds_short(settings: &SimulatorSettings) -> Answer {
    let status = match settings.funds_status {
        FundsStatus::PaymentRequired => StatusCode::PAYMENT_REQUIRED,
        FundsStatus::BadRequest => StatusCode::BAD_REQUEST,
    };
    Answer::refusal(status, "Insufficient funds in the account.")
}

/// The 429 of the framework.
pub(crate) fn throttled(retry_after_s: Option<u32>) -> Answer {
    let answer = Answer::refusal(StatusCode::TOO_MANY_REQUESTS, "Request was throttled.");
    match retry_after_s {
        Some(seconds) => answer.with_header("retry-after", seconds.to_string()),
        None => answer,
    }
}

/// What stands in the place of the operation's answer, if the fault is one of those.
pub(crate) fn instead_of_the_call(
    fault: &Fault,
    charge: Credits,
    settings: &SimulatorSettings,
) -> Option<Ending> {
    let status_of = |code: u16| StatusCode::from_u16(code).unwrap_or(StatusCode::BAD_GATEWAY);
    let reply = match fault {
        Fault::CutBeforeCharge | Fault::CutAfterCharge => return Some(Ending::Cut),
        Fault::RefusedStream { .. } => return Some(Ending::Refused),
        Fault::NeverAnswers { .. } => return Some(Ending::Silence),
        Fault::Failure {
            status,
            says_charge,
            ..
        } => failure(status_of(*status), says_charge.then_some(charge)),
        Fault::Redirect { status, .. } => {
            let mut reply = Reply::html(status_of(*status), PAGE.to_owned());
            reply.set(LOCATION, "https://api.example.com/elsewhere/");
            reply
        }
        Fault::Html { status, .. } => Reply::html(status_of(*status), PAGE.to_owned()),
        Fault::Throttled { retry_after_s } => plain(throttled(*retry_after_s)),
        Fault::FundsGone => plain(funds_short(settings)),
        _ => return None,
    };
    Some(Ending::Reply(reply, Duration::ZERO))
}

fn plain(answer: Answer) -> Reply {
    let written =
        crate::simulator::answer::write(&answer.shape, Credits::ZERO, false, &Writing::default());
    let mut reply = Reply::json(answer.status, written);
    for (name, value) in answer.headers {
        reply.set(HeaderName::from_static(name), &value);
    }
    reply
}

fn failure(status: StatusCode, charge: Option<Credits>) -> Reply {
    let meta = match charge {
        Some(charge) => format!(",\"meta\":{{\"amount_charged\":{charge}}}"),
        None => String::new(),
    };
    let text = if status == StatusCode::BAD_GATEWAY {
        "Upstream data source is temporarily unavailable. Please retry."
    } else {
        "A server error occurred."
    };
    Reply::json(
        status,
        format!(
            "{{\"status\":\"error\",\"status_code\":{},\"detail\":\"{text}\"{meta}}}",
            status.as_u16()
        ),
    )
}

/// How the charge is written under a fault. `stated` is the number's proper text.
pub(crate) fn writing(fault: Option<&Fault>, stated: &str, bytes_min: usize) -> Writing {
    let mut writing = Writing {
        bytes_min,
        ..Writing::default()
    };
    let meta = match fault {
        Some(Fault::Huge { bytes }) => {
            writing.bytes_min = *bytes;
            return writing;
        }
        Some(Fault::Meta(meta)) => meta,
        _ => return writing,
    };
    match meta {
        MetaFault::Missing => writing.meta = MetaPlace::Nowhere,
        MetaFault::ChargeMissing => writing.meta = MetaPlace::WithoutCharge,
        MetaFault::Duplicate => writing.meta = MetaPlace::Twice,
        MetaFault::Broken => writing.meta = MetaPlace::List,
        MetaFault::InRowsOnly => {
            writing.meta = MetaPlace::Nowhere;
            writing.first =
                "\"included\":[{\"meta\":{\"amount_charged\":0.01},\"amount\":-1}],".to_owned();
        }
        MetaFault::Null => writing.charge = Some("null".to_owned()),
        MetaFault::Word => writing.charge = Some("\"plenty\"".to_owned()),
        MetaFault::Text => writing.charge = Some(format!("\"{stated}\"")),
        MetaFault::Negative => {
            let unsigned = stated.trim_start_matches('-');
            writing.charge = Some(format!("-{unsigned}"));
        }
        MetaFault::Exponent => writing.charge = Some(with_exponent(stated)),
        MetaFault::BinaryNoise => {
            // Twelve places further down than any amount goes.
            let point = if stated.contains('.') { "" } else { "." };
            writing.charge = Some(format!("{stated}{point}00000000000001"));
        }
    }
    writing
}

/// `1.25` as `125e-2`, `40` as `40E+0`.
fn with_exponent(stated: &str) -> String {
    match stated.split_once('.') {
        Some((whole, fraction)) => {
            let (sign, whole) = match whole.strip_prefix('-') {
                Some(whole) => ("-", whole),
                None => ("", whole),
            };
            // JSON numbers have no zeros in front.
            let joined = format!("{whole}{fraction}");
            let digits = joined.trim_start_matches('0');
            let digits = if digits.is_empty() { "0" } else { digits };
            format!("{sign}{digits}e-{}", fraction.len())
        }
        None => format!("{stated}E+0"),
    }
}

/// Dresses the operation's reply up.
pub(crate) fn dress(fault: &Fault, mut reply: Reply, token: &str) -> Ending {
    let mut wait = Duration::ZERO;
    match fault {
        Fault::SlowHeaders(delay) | Fault::Account(Nonsense::Slow(delay)) => wait = *delay,
        Fault::SlowBody { pause, chunk_bytes } => {
            reply.manner = Manner::Pieces {
                pause: *pause,
                chunk_bytes: *chunk_bytes,
            };
        }
        Fault::CutMidBody => reply.manner = Manner::Half,
        Fault::TruncatedJson => reply.body.truncate(reply.body.len() / 2),
        Fault::LengthTooLong => reply.manner = Manner::Length(reply.body.len() + 64),
        Fault::LengthTooShort => reply.manner = Manner::Length(reply.body.len() / 2),
        Fault::Coding(coding) => code(*coding, &mut reply),
        Fault::LeaksToken => {
            let text = format!("{{\"debug\":\"Authorization: Token {token}\",");
            if let Some(rest) = reply.body.strip_prefix(b"{") {
                let mut leaking = text.into_bytes();
                leaking.extend_from_slice(rest);
                reply.body = leaking.into();
            }
            reply.set(HeaderName::from_static("x-debug-token"), token);
        }
        Fault::SetsCookie => {
            reply.set(SET_COOKIE, "sessionid=0123456789abcdef; HttpOnly; Path=/");
        }
        _ => {}
    }
    Ending::Reply(reply, wait)
}

fn code(coding: CodingFault, reply: &mut Reply) {
    if coding == CodingFault::Unknown {
        reply.set(CONTENT_ENCODING, "br");
        return;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing into memory cannot fail; if it did, the answer would stay as it was.
    let written = encoder
        .write_all(&reply.body)
        .and_then(|()| encoder.finish());
    if let Ok(mut zipped) = written {
        if coding == CodingFault::TruncatedGzip {
            zipped.truncate(zipped.len() / 2);
        }
        reply.body = zipped.into();
        reply.set(CONTENT_ENCODING, "gzip");
    }
}

/// What `accounts/me` answers under a nonsense; `None`: the right answer, after a wait.
pub(crate) fn nonsense(kind: Nonsense) -> Option<Reply> {
    let me = |credits: &str| {
        Some(Reply::json(
            StatusCode::OK,
            format!("{{\"data\":{{\"id\":\"1\",\"plan\":\"Pro\",\"credits\":{{{credits}}}}}}}"),
        ))
    };
    match kind {
        Nonsense::Word => me("\"balance\":\"plenty\""),
        Nonsense::Negative => me("\"balance\":-12.5"),
        Nonsense::Enormous => me("\"balance\":1e30"),
        Nonsense::Missing => me("\"used_this_month\":1"),
        Nonsense::NotANumber => me("\"balance\":NaN"),
        Nonsense::Null => me("\"balance\":null"),
        Nonsense::Html => Some(Reply::html(StatusCode::OK, PAGE.to_owned())),
        Nonsense::Unauthorised => Some(plain(Answer::refusal(
            StatusCode::UNAUTHORIZED,
            "Invalid token.",
        ))),
        Nonsense::Slow(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exponent_names_the_same_amount() {
        for text in ["0.02", "1.25", "40", "0", "-3", "0.0005", "-0.4"] {
            let amount = Credits::parse_nearest(text).unwrap();
            let other = with_exponent(text);
            assert_eq!(Credits::parse_nearest(&other), Ok(amount), "{other}");
            assert!(
                serde_json::from_str::<serde_json::Value>(&other).is_ok(),
                "{other}"
            );
        }
    }
}
