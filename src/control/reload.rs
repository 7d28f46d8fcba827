//! The way to have the settings read again.

use tokio::sync::{mpsc, oneshot};

use super::audit::Asker;

/// Askers that may wait at one time.
const ASKERS_MAX: usize = 8;

/// Somebody wants the settings to be read again.
#[derive(Debug)]
pub struct Reload {
    /// Who, when and why.
    pub asker: Asker,
    /// What is different now, or why everything is as it was.
    pub reply: oneshot::Sender<Result<String, String>>,
}

/// Has the settings of the running guard read again.
#[derive(Clone, Debug)]
pub struct ReloadNow(mpsc::Sender<Reload>);

impl ReloadNow {
    /// The way to ask, and where the questions arrive.
    pub fn new() -> (Self, mpsc::Receiver<Reload>) {
        let (sender, asked) = mpsc::channel(ASKERS_MAX);
        (Self(sender), asked)
    }

    /// Reads them, and waits until they are in force: all of them, or none.
    ///
    /// # Errors
    /// Why everything is as it was, in words.
    pub async fn reload(&self, asker: Asker) -> Result<String, String> {
        let (reply, answer) = oneshot::channel();
        let busy = "too many ask for it already, or the guard is shutting down";
        let asked = self.0.try_send(Reload { asker, reply });
        asked.map_err(|_| busy.to_owned())?;
        let gone = |_| "the guard shut down before it was done".to_owned();
        answer.await.map_err(gone)?
    }
}
