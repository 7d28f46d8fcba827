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
    /// Somebody does, but the asking failed: nothing is done.
    #[error("the running guard could not be asked (only its own user may): {0}")]
    Failed(String),
    /// It was asked, and nobody knows what became of it.
    #[error(
        "the running guard was asked and has not said what became of it ({0}): it may be done, or be done yet. Look \
         at `report --changes` before you ask again"
    )]
    NoAnswer(String),
}

/// Sends `question` to the guard that listens at `socket`, and waits for its reply.
pub fn ask(socket: &Path, question: &Question) -> Result<Reply, AskError> {
    let failed = |error: &dyn std::fmt::Display| AskError::Failed(error.to_string());
    let mut stream = UnixStream::connect(socket).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AskError::NobodyThere,
        _ => failed(&error),
    })?;
    let timeout = match question.command {
        Command::Reconcile {} | Command::Archive { .. } => RECONCILE_TIMEOUT,
        Command::Resolve { .. }
        | Command::Grant { .. }
        | Command::Pause { .. }
        | Command::Resume { .. }
        | Command::Reload {} => ANSWER_TIMEOUT,
    };
    stream
        .set_read_timeout(Some(timeout))
        .map_err(|error| failed(&error))?;
    let mut line = serde_json::to_string(question).map_err(|error| failed(&error))?;
    line.push('\n');
    stream
        .write_all(line.as_bytes())
        .map_err(|error| failed(&error))?;
    let mut reply = String::new();
    let read = BufReader::new(stream).read_line(&mut reply);
    let no_answer = |why: &dyn std::fmt::Display| AskError::NoAnswer(why.to_string());
    match read {
        Ok(0) => Err(no_answer(&"it ended, or is ending")),
        Ok(_) => serde_json::from_str(&reply).map_err(|error| no_answer(&error)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(no_answer(&format_args!("within {timeout:?}")))
        }
        Err(error) => Err(no_answer(&error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::thread;

    use super::*;

    /// A guard that is killed with a command in its hands may have done it: told otherwise, somebody would
    /// grant a second time.
    #[test]
    fn a_guard_that_was_asked_and_says_nothing_is_not_told_as_one_that_was_not_asked() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("ledger.sock");
        let question = Question {
            command: Command::Grant {
                budget: "month".into(),
                amount: "5".parse().unwrap(),
            },
            who: "ann".into(),
            reason: "the campaign is on".into(),
        };
        for said in ["", "{\"done\":"] {
            let listener = UnixListener::bind(&socket).unwrap();
            let dying = thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut line = String::new();
                BufReader::new(&stream).read_line(&mut line).unwrap();
                stream.write_all(said.as_bytes()).unwrap();
                line
            });
            let error = ask(&socket, &question).unwrap_err();
            assert!(dying.join().unwrap().contains("\"budget\":\"month\""));
            let words = error.to_string();
            assert!(words.contains("it may be done, or be done yet"), "{words}");
            std::fs::remove_file(&socket).unwrap();
        }
        assert!(matches!(
            ask(&socket, &question),
            Err(AskError::NobodyThere)
        ));
    }
}
