//! The entries of one team, newest first.

use std::ops::ControlFlow;

use rusqlite::OptionalExtension;

use crate::ids::TeamId;
use crate::ledger::entry::Entry;
use crate::ledger::store::StoreError;

use super::reader::{ENTRY, SqliteReader};

impl SqliteReader {
    /// Without an index by team, which every call would pay for: the entries of all teams are
    /// passed over, so whoever looks says how far back.
    pub(super) fn walk_back(
        &self,
        team: &TeamId,
        first: i64,
        visit: &mut dyn FnMut(Entry) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let number: Option<i64> = self
            .connection()
            .prepare_cached("SELECT id FROM names WHERE name = ?1")?
            .query_row([team.as_str()], |row| row.get(0))
            .optional()?;
        let Some(number) = number else {
            return Ok(()); // It never called.
        };
        let mut statement = self.connection().prepare_cached(&format!(
            "{ENTRY} WHERE seq >= ?1 AND team = ?2 ORDER BY seq DESC"
        ))?;
        let mut rows = statement.query([first, number])?;
        while let Some(row) = rows.next()? {
            if visit(self.entry(row)?).is_break() {
                break;
            }
        }
        Ok(())
    }
}
