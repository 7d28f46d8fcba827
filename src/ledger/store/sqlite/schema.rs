//! Bringing a file to the schema of this program, one step after another.
//!
//! Each step is one transaction: of a process that ends in the middle of one nothing is there, and the next
//! start begins it again. A step needs no memory that grows with the entries: a service has a bound, and
//! a start that is killed for it would be killed every time.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use tokio::time::Instant;

use crate::ledger::store::{HearMigrating, Migrating, StoreError};

use super::connection::{LEDGER_ID, check_version};
use super::months;

/// Every step of the schema, in order, and what is then worked out from what was there. What a step makes is
/// never altered once it was released.
const STEPS: [(&str, Option<Derive>); 5] = [
    (include_str!("../migrations/0001.sql"), None),
    (include_str!("../migrations/0002.sql"), None),
    (include_str!("../migrations/0003.sql"), None),
    (
        include_str!("../migrations/0004.sql"),
        Some(months::sum_all),
    ),
    (include_str!("../migrations/0005.sql"), None),
];
type Derive = fn(&Connection) -> Result<(), StoreError>;

/// The schema of this program.
pub(super) const NEWEST: i64 = STEPS.len() as i64;

/// Instructions of the database between two looks at the time: some milliseconds.
const LOOK_EVERY: i32 = 100_000;
/// How often it is told that a step gets on.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Brings the schema up to date; `hear` is told of a ledger that had an older one.
pub(super) fn migrate(
    connection: &mut Connection,
    path: &Path,
    id: i64,
    hear: &HearMigrating,
) -> Result<(), StoreError> {
    let from = check_version(connection, path, id)?;
    let is_old = id == LEDGER_ID && (1..NEWEST).contains(&from);
    let told = |making| Migrating {
        from,
        to: NEWEST,
        making,
    };
    if is_old {
        hear.tell(told(Some(from + 1)));
    }
    for (number, (step, derive)) in (1_i64..).zip(STEPS) {
        if number <= from {
            continue;
        }
        if is_old {
            let (hear, told) = (hear.clone(), told(Some(number)));
            let mut last = Instant::now();
            let look = move || {
                if last.elapsed() >= TELL_EVERY {
                    last = Instant::now();
                    hear.tell(told);
                }
                false
            };
            connection.progress_handler(LOOK_EVERY, Some(look))?;
        }
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(step)?;
        if let Some(derive) = derive {
            derive(&transaction)?;
        }
        transaction.pragma_update(None, "application_id", id)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    if is_old {
        connection.progress_handler(0, None::<fn() -> bool>)?;
        hear.tell(told(None));
    }
    Ok(())
}
