//! The guard's log, in which no secret may stand.

use std::io;
use std::sync::{Arc, Mutex};

use memchr::memmem;
use tracing::Level;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

/// Everything the run's thread logs passes here.
#[derive(Clone)]
pub struct Logs {
    secrets: Arc<Vec<(String, String)>>,
    found: Arc<Mutex<Vec<String>>>,
}

impl Logs {
    /// Looks for `secrets`, each with the name of whose it is.
    pub fn new(secrets: Vec<(String, String)>) -> Self {
        Self {
            secrets: Arc::new(secrets),
            found: Arc::default(),
        }
    }

    /// From here on, until the guard is dropped.
    pub fn watch(&self) -> DefaultGuard {
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::DEBUG)
            .with_ansi(false)
            .without_time()
            .with_writer(self.clone());
        tracing::subscriber::set_default(subscriber.finish())
    }

    /// The lines with a secret in them since the last look.
    pub fn found(&self) -> Vec<String> {
        std::mem::take(&mut *self.found.lock().unwrap())
    }
}

impl<'a> MakeWriter<'a> for Logs {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl io::Write for Logs {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        for (secret, whose) in &*self.secrets {
            if memmem::find(line, secret.as_bytes()).is_some() {
                let text = String::from_utf8_lossy(line);
                let text = format!("that of {whose} is logged: {text}");
                self.found.lock().unwrap().push(text);
            }
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
