//! The texts that no line may show, and how they are taken out of one.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tracing_subscriber::fmt::MakeWriter;

use crate::secret::Secret;

/// What stands in a line where a secret stood.
pub(super) const REDACTED: &str = "[token]";
/// How many times a text may have been through `Debug` before it comes into a line: once in an error, and once
/// more in what holds the error.
const DEBUG_DEPTH: usize = 2;

/// The texts that no line may show, each ready to be searched for. Clones share them.
#[derive(Clone, Default)]
pub struct Secrets(Arc<ArcSwap<Vec<Secret>>>);

impl Secrets {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on no line shows `secret`, as it is or as JSON and `Debug` would write it. An
    /// empty one is left out: it would be found everywhere.
    pub fn register(&self, secret: &str) {
        if secret.is_empty() {
            return;
        }
        // Values are written by `Debug`, in one another, and those of a JSON line are escaped once more.
        let mut forms = vec![secret.to_owned()];
        for _ in 0..DEBUG_DEPTH {
            let inner = forms.last().map(|inner| unquoted(format!("{inner:?}")));
            forms.extend(inner);
        }
        let json = |form: &String| unquoted(serde_json::Value::from(form.as_str()).to_string());
        forms.extend(forms.iter().map(json).collect::<Vec<_>>());
        self.0.rcu(|known| {
            let mut all = Vec::clone(known);
            for form in &forms {
                all.push(Secret::new(form.as_bytes()));
            }
            // The longest first: of two secrets, one may begin with the other.
            all.sort_by(|one, other| {
                let (one, other) = (one.bytes(), other.bytes());
                other.len().cmp(&one.len()).then_with(|| one.cmp(other))
            });
            all.dedup_by(|one, other| one.bytes() == other.bytes());
            all
        });
    }

    /// The line without the secrets; `None`: it has none.
    pub(super) fn redact(&self, line: &[u8]) -> Option<Vec<u8>> {
        let mut redacted: Option<Vec<u8>> = None;
        for secret in self.0.load().iter() {
            let present = redacted.as_deref().unwrap_or(line);
            if secret.find(present).is_some() {
                redacted = Some(replaced(present, secret));
            }
        }
        redacted
    }
}

/// What stands between the quotes of a text that was written with them.
fn unquoted(quoted: String) -> String {
    quoted[1..quoted.len() - 1].to_owned()
}

fn replaced(line: &[u8], secret: &Secret) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = secret.find(rest) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(REDACTED.as_bytes());
        rest = &rest[at + secret.bytes().len()..];
    }
    out.extend_from_slice(rest);
    out
}

impl fmt::Debug for Secrets {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secrets")
    }
}

/// Makes writers that gather one event's line, take every registered secret out of it and then
/// write it in one piece, so that lines of several threads do not mix.
#[derive(Clone, Debug)]
pub struct Redactor<M> {
    inner: M,
    secrets: Secrets,
}

impl<M> Redactor<M> {
    /// Writes to what `inner` makes, without the `secrets`.
    pub fn new(inner: M, secrets: Secrets) -> Self {
        Self { inner, secrets }
    }
}

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Redactor<M> {
    type Writer = RedactedLine<'a, M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        RedactedLine {
            inner: self.inner.make_writer(),
            secrets: &self.secrets,
            line: Vec::new(),
        }
    }
}

/// One event's line on its way out. Written when it is dropped: a secret may arrive in two pieces.
#[derive(Debug)]
pub struct RedactedLine<'a, W: Write> {
    inner: W,
    secrets: &'a Secrets,
    line: Vec<u8>,
}

impl<W: Write> Write for RedactedLine<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    /// Does nothing: half a line may end inside a secret.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W: Write> Drop for RedactedLine<'_, W> {
    /// A failure to write is dropped: there is nowhere left to report it.
    fn drop(&mut self) {
        let redacted = self.secrets.redact(&self.line);
        let line = redacted.as_ref().unwrap_or(&self.line);
        let _ = self.inner.write_all(line).and_then(|()| self.inner.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "5f2c0a71e9b84d36";

    #[test]
    fn an_empty_secret_and_bytes_that_are_no_text_do_no_harm() {
        let secrets = Secrets::new();
        secrets.register("");
        assert_eq!(secrets.redact(b"line"), None);
        secrets.register(TOKEN);
        let line = [b"\xff ".as_slice(), TOKEN.as_bytes()].concat();
        assert_eq!(secrets.redact(&line).unwrap(), b"\xff [token]");
        assert_eq!(format!("{secrets:?}"), "Secrets");
    }
}
