//! Changes that are made whole or not at all.

use rusqlite::Connection;

use crate::ledger::store::StoreError;

/// Makes a change in a transaction: nothing of it stays if it fails, or cannot be committed.
///
/// The statements around it are prepared once for each connection: preparing them anew was a twelfth
/// of the work for a batch of one call, and in a calm hour most are.
pub(super) fn atomically<T>(
    connection: &Connection,
    change: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let changed = change().and_then(|done| {
        connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(done)
    });
    // Some failures have rolled it back themselves.
    if changed.is_err() && !connection.is_autocommit() {
        // What went wrong is told; of this there is nothing more to say.
        let _ = connection.execute_batch("ROLLBACK");
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(connection: &Connection) -> i64 {
        let sql = "SELECT count(*) FROM facts";
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    fn connection() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE facts (name TEXT UNIQUE)")
            .unwrap();
        connection
    }

    #[test]
    fn a_change_that_fails_in_its_middle_leaves_nothing_and_the_next_one_can_be_made() {
        let connection = connection();
        let insert = "INSERT INTO facts VALUES ('one')";
        let torn = atomically(&connection, || {
            connection.execute_batch(insert)?;
            connection.execute_batch(insert)?;
            Ok(())
        });
        assert!(torn.is_err(), "the second is not unique");
        assert_eq!(rows(&connection), 0);
        atomically(&connection, || Ok(connection.execute_batch(insert)?)).unwrap();
        assert_eq!(rows(&connection), 1);
        assert!(connection.is_autocommit(), "nothing is left open");
    }

    #[test]
    fn a_change_that_cannot_be_committed_leaves_nothing() {
        let connection = connection();
        connection
            .execute_batch(
                "PRAGMA foreign_keys = ON; \
                 CREATE TABLE entries (of TEXT REFERENCES facts (name) DEFERRABLE INITIALLY DEFERRED)",
            )
            .unwrap();
        let dangling = "INSERT INTO entries VALUES ('nobody'); INSERT INTO facts VALUES ('one')";
        let torn = atomically(&connection, || Ok(connection.execute_batch(dangling)?));
        assert!(torn.is_err(), "it names what is not there");
        assert_eq!(rows(&connection), 0);
        assert!(connection.is_autocommit(), "nothing is left open");
    }
}
