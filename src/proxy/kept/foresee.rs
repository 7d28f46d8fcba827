//! What kept answers would make of a call, for whoever only asks.

use super::shelf::Shelf;
use super::table::Foreseen;
use super::{in_doubt, mark};
use crate::ledger::Ledger;
use crate::metrics::outcome;
use crate::proxy::Quoted;
use crate::proxy::refusal::Refusal;

impl Shelf {
    /// How such a call would be answered without being made, in the words of the spend log; `None`: it
    /// would be made. Nothing is changed by asking.
    ///
    /// # Errors
    /// What the call would be refused for here.
    pub async fn foresee(
        &self,
        quoted: &Quoted,
        ledger: &Ledger,
    ) -> Result<Option<&'static str>, Refusal> {
        let Some(digest) = quoted.digest.filter(|_| self.keeps()) else {
            return Ok(None);
        };
        let mark = mark(&quoted.client, digest, quoted.request.headers())?;
        match self.foreseen(mark, digest) {
            Foreseen::New => Ok(None),
            Foreseen::Answered => Ok(Some(outcome::REPLAYED)),
            Foreseen::Running => Ok(Some(outcome::JOINED)),
            Foreseen::Conflict => Err(Refusal::IdempotencyConflict),
            Foreseen::Doubted(hold) => in_doubt(hold, ledger).await?.map_or(Ok(None), Err),
        }
    }
}
