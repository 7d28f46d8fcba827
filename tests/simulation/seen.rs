//! What the guard sends, as it leaves: requests to the upstream, and everything to clients.

use crate::calls::is_billable;
use crate::shadow::{Shadow, Stands};
use crate::wire::{Eyes, Side};

/// The longest secret, and what may be before it in a piece.
const TAIL: usize = 64;

impl Shadow {
    /// A request leaves for the upstream.
    fn sends(&mut self, head: &str) {
        let mut words = head.split_ascii_whitespace();
        let (method, path) = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        );
        if !is_billable(method, path) {
            return;
        }
        let label = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("x-request-id").then_some(value)
        });
        let label = label.unwrap_or_default().to_owned();
        let (now, life) = (self.now, self.life);
        let Some(attempt) = self.attempts.get_mut(&label) else {
            return self.breaks("2 held before sent", &format!("nobody made {label:?}"));
        };
        let twice = attempt.sent.replace((now, life)).is_some();
        let (print, named, at) = (attempt.print, attempt.named.clone(), attempt.at);
        let ask = attempt.ask;
        let before = named.is_some()
            && self.attempts.values().any(|other| {
                let same = other.print == print && other.named == named;
                same && other.answered && other.sent.is_some_and(|(_, then)| then == life)
            });
        if before {
            self.breaks(
                "an idempotency key",
                &format!("{label} was made and answered before"),
            );
        }
        self.passes(&label, print, at);
        self.passes_rates(ask);
        let Some(known) = self.calls.get_mut(&print) else {
            return;
        };
        known.sends += 1;
        let (sends, holds) = (known.sends, known.holds.len());
        let live = (known.holds.iter()).any(|hold| self.holds[hold].stands == Stands::Live);
        if sends > holds || !live {
            self.breaks(
                "2 held before sent",
                &format!("{label} leaves as number {sends} with {holds} holds, live: {live}"),
            );
        }
        self.nothing_of_refused(print);
        if twice {
            self.breaks("4 counted once", &format!("{label} was sent twice"));
        }
    }

    /// Nobody's secret may be in what a client gets.
    fn shows_no_secret(&mut self, wire: u64, bytes: &[u8]) {
        let tail = self.tails.entry(wire).or_default();
        tail.extend_from_slice(bytes);
        let found = (self.secrets.iter())
            .find(|(secret, _)| memchr::memmem::find(tail, secret.as_bytes()).is_some());
        let whose = found.map(|(_, whose)| whose.clone());
        let keep = tail.len().saturating_sub(TAIL);
        tail.drain(..keep);
        if let Some(whose) = whose {
            self.breaks(
                "7 the token stays here",
                &format!("that of {whose} is sent"),
            );
        }
    }
}

impl Eyes for Shadow {
    fn guard_sent(&mut self, side: Side, wire: u64, bytes: &[u8]) {
        let size = i64::try_from(bytes.len()).unwrap();
        self.trace.note(&[3, side as i64, wire.cast_signed(), size]);
        if side == Side::Clients {
            return self.shows_no_secret(wire, bytes);
        }
        let head = self.heads.entry(wire).or_default();
        head.extend_from_slice(bytes);
        // Requests follow one another only after an answer: a head begins where nothing is kept.
        if let Some(end) = memchr::memmem::find(head, b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&head[..end]).into_owned();
            head.clear();
            self.sends(&text);
        } else if !head.starts_with(b"POST ") && !head.starts_with(b"GET ") {
            head.clear();
        }
    }

    fn guard_gets(&mut self, side: Side, wire: u64, bytes: usize) {
        let size = i64::try_from(bytes).unwrap();
        self.trace.note(&[4, side as i64, wire.cast_signed(), size]);
    }
}
