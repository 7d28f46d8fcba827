//! What a webhook is sent: the body and its signature.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde::Serialize;
use sha2::Sha256;

use super::alert::Shape;
use super::event::Event;

/// `{"id": …, "alert": …, "at": …, "kind": …, …, "urgent": …, "text": …, "sent_at": …}`
#[derive(Serialize)]
struct Generic<'a> {
    #[serde(flatten)]
    event: &'a Event,
    urgent: bool,
    text: String,
    sent_at: Timestamp,
}

/// `{"text": …}`
#[derive(Serialize)]
struct Slack {
    text: String,
}

/// The body of one attempt. `sent_at` is the attempt's moment, so that a receiver can refuse a
/// message that somebody recorded and sends again; the event's own id and time stay.
pub(super) fn body(
    event: &Event,
    shape: Shape,
    sent_at: Timestamp,
) -> Result<Vec<u8>, serde_json::Error> {
    match shape {
        Shape::Generic => serde_json::to_vec(&Generic {
            event,
            urgent: event.facts.is_urgent(),
            text: event.facts.to_string(),
            sent_at,
        }),
        Shape::Slack => serde_json::to_vec(&Slack {
            text: format!("{}: {}", event.alert, event.facts),
        }),
    }
}

/// Signs bodies. HMAC takes a key of any length.
#[derive(Clone)]
pub(super) struct Signer(Hmac<Sha256>);

impl Signer {
    pub(super) fn new(secret: &str) -> Option<Self> {
        Hmac::new_from_slice(secret.as_bytes()).ok().map(Self)
    }

    /// `sha256=` and the HMAC-SHA256 of the body in hexadecimal.
    pub(super) fn signature(&self, body: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(body);
        format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_one_of_rfc_4231() {
        // Its second test case: a key shorter than a block.
        let signer = Signer::new("Jefe").unwrap();
        assert_eq!(
            signer.signature(b"what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
