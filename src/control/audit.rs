//! Who changes what: kept beside the entries for whoever asks later.

use jiff::Timestamp;

use crate::ledger::{Change, ChangeKind, Ledger, Record};

/// Who asks for a change, when and why.
#[derive(Clone, Debug)]
pub struct Asker {
    /// When it was asked for.
    pub at: Timestamp,
    /// The name they gave, and the kernel's word for them.
    pub who: String,
    /// Why, in their own words. May be empty where nobody was asked.
    pub reason: String,
}

impl Asker {
    /// The change as it is kept.
    pub fn change(&self, what: ChangeKind, about: String, detail: String) -> Change {
        Change {
            name: Change::name_of(self.at, what, &about),
            at: self.at,
            who: self.who.clone(),
            what,
            about,
            detail,
            reason: self.reason.clone(),
        }
    }
}

/// Keeps a change that has been made already. Where that fails it stays made: it is told in the log
/// and to who asked.
pub async fn keep(ledger: &Ledger, change: Change) -> String {
    let about = change.about.clone();
    match ledger.keep(vec![Record::Changed(change)]).await {
        Ok(()) => String::new(),
        Err(error) => {
            tracing::error!(%error, about, "a change was made and could not be written down");
            format!(" (the list of changes lacks it: {error})")
        }
    }
}
