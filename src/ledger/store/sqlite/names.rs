//! Teams, keys, operations, budgets, and the kinds of the account's rows by number.

use std::collections::hash_map::Entry as Place;
use std::sync::Arc;

use ahash::AHashMap;
use rusqlite::{Connection, OptionalExtension};

use crate::ids::{BudgetId, KeyId, OperationName, TeamId};
use crate::ledger::entry::Origin;
use crate::ledger::store::StoreError;

/// How many names of one sort are remembered: more than anybody configures. The words that the account has for its
/// rows are the account's, and may be as many as there are rows.
const REMEMBERED_MAX: usize = 65_536;

/// Numbers of names, for writing. Numbers given in a transaction that failed must be forgotten.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    known: AHashMap<Box<str>, i64>,
}

impl Numbers {
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }

    /// The number of a name; a new name gets one.
    pub(super) fn of(&mut self, connection: &Connection, name: &str) -> Result<i64, StoreError> {
        if let Some(number) = self.known.get(name) {
            return Ok(*number);
        }
        let found = connection
            .prepare_cached("SELECT id FROM names WHERE name = ?1")?
            .query_row([name], |row| row.get(0))
            .optional()?;
        let number = match found {
            Some(number) => number,
            None => connection
                .prepare_cached("INSERT INTO names (name) VALUES (?1)")?
                .insert([name])?,
        };
        if self.known.len() >= REMEMBERED_MAX {
            self.forget();
        }
        self.known.insert(name.into(), number);
        Ok(number)
    }
}

/// Names of numbers, for reading.
#[derive(Debug, Default)]
pub(super) struct Names {
    teams: AHashMap<i64, TeamId>,
    keys: AHashMap<i64, KeyId>,
    operations: AHashMap<i64, OperationName>,
    budgets: AHashMap<i64, BudgetId>,
    kinds: AHashMap<i64, Arc<str>>,
}

impl Names {
    pub(super) fn origin(
        &mut self,
        connection: &Connection,
        (team, key, operation): (i64, i64, i64),
    ) -> Result<Origin, StoreError> {
        Ok(Origin {
            team: look_up(&mut self.teams, connection, team)?,
            key: look_up(&mut self.keys, connection, key)?,
            operation: look_up(&mut self.operations, connection, operation)?,
        })
    }

    pub(super) fn budget(
        &mut self,
        connection: &Connection,
        number: i64,
    ) -> Result<BudgetId, StoreError> {
        look_up(&mut self.budgets, connection, number)
    }

    pub(super) fn kind(
        &mut self,
        connection: &Connection,
        number: i64,
    ) -> Result<Arc<str>, StoreError> {
        look_up(&mut self.kinds, connection, number)
    }
}

fn look_up<T: Clone + From<String>>(
    known: &mut AHashMap<i64, T>,
    connection: &Connection,
    number: i64,
) -> Result<T, StoreError> {
    if known.len() >= REMEMBERED_MAX {
        known.clear();
    }
    match known.entry(number) {
        Place::Occupied(place) => Ok(place.get().clone()),
        Place::Vacant(place) => {
            let name = connection
                .prepare_cached("SELECT name FROM names WHERE id = ?1")?
                .query_row([number], |row| row.get::<_, String>(0))
                .optional()?
                .ok_or_else(|| {
                    StoreError::Damaged(format!("number {number} is not in the list of names"))
                })?;
            Ok(place.insert(T::from(name)).clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_any_number_of_names_so_many_are_remembered_and_each_keeps_its_number() {
        let connection = Connection::open_in_memory().unwrap();
        let table =
            "BEGIN; CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;";
        connection.execute_batch(table).unwrap();
        let (mut numbers, mut names) = (Numbers::default(), Names::default());
        for number in 0..REMEMBERED_MAX + 10 {
            let given = numbers.of(&connection, &format!("kind {number}")).unwrap();
            let name = names.kind(&connection, given).unwrap();
            assert_eq!(*name, *format!("kind {number}"));
        }
        assert!(numbers.known.len() <= REMEMBERED_MAX && names.kinds.len() <= REMEMBERED_MAX);
        assert_eq!(numbers.of(&connection, "kind 0").unwrap(), 1);
        assert_eq!(*names.kind(&connection, 1).unwrap(), *"kind 0");
    }
}
