//! Asks a running guard.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::message::{Command, Question, Reply};

/// A commit of the ledger takes milliseconds; a disk that is failing may take long.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// A month of the account's list is read in an hour or so, years of entries are compared in minutes.
const RECONCILE_TIMEOUT: Duration = Duration::from_hours(12);

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens: no guard is running on this ledger.
    #[error("no guard is running on this ledger")]
    NobodyThere,
    /// Somebody does, but the asking failed.
    #[error("the running guard could not be asked (only its own user may): {0}")]
    Failed(String),
}

/// Sends `question` to the guard that listens at `socket`, and waits for its reply.
pub fn ask(socket: &Path, question: &Question) -> Result<Reply, AskError> {
    let failed = |error: &dyn std::fmt::Display| AskError::Failed(error.to_string());
    let mut stream = UnixStream::connect(socket).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AskError::NobodyThere,
        _ => failed(&error),
    })?;
    let timeout = Some(match question.command {
        Command::Reconcile {} | Command::Archive { .. } => RECONCILE_TIMEOUT,
        Command::Resolve { .. }
        | Command::Grant { .. }
        | Command::Pause { .. }
        | Command::Resume { .. }
        | Command::Reload {} => ANSWER_TIMEOUT,
    });
    stream
        .set_read_timeout(timeout)
        .map_err(|error| failed(&error))?;
    let mut line = serde_json::to_string(question).map_err(|error| failed(&error))?;
    line.push('\n');
    stream
        .write_all(line.as_bytes())
        .map_err(|error| failed(&error))?;
    let mut reply = String::new();
    BufReader::new(stream)
        .read_line(&mut reply)
        .map_err(|error| failed(&error))?;
    serde_json::from_str(&reply).map_err(|error| failed(&error))
}
