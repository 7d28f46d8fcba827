//! Opening a ledger file: what must hold before it is trusted, and errors that name the path.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::ledger::store::{HearMigrating, StoreError};

use super::schema::{NEWEST, migrate};

/// The step that brought the records of reconciliation. A file that no guard has opened since is
/// read as one that has none.
pub(super) const WITH_RECORDS: i64 = 2;
/// The step that brought what people changed and what was saved.
pub(super) const WITH_CHANGES: i64 = 3;
/// The step that brought sums by month, and archives.
pub(super) const WITH_ARCHIVES: i64 = 4;
/// The step that brought digests of entries.
pub(super) const WITH_DIGESTS: i64 = 5;
/// Any step there is.
pub(super) const UP_TO_DATE: i64 = i64::MAX;
/// Marks the file as ours in its header ("gGLd"), so that no other database is taken for a ledger.
pub(super) const LEDGER_ID: i64 = 0x6747_4C64;
/// Marks an archive of a ledger ("gGLa").
pub(super) const ARCHIVE_ID: i64 = 0x6747_4C61;
/// How long to wait for a lock another connection has for a moment.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Prepared statements kept by each connection: a few more than there are.
const STATEMENTS: usize = 64;
/// File systems that cannot share memory between processes, or whose sync does not mean what it says.
const NETWORK_FILE_SYSTEMS: [&str; 10] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "ceph",
    "afs",
    "fuse.sshfs",
    "fuse.glusterfs",
    "fuse.s3fs",
];

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        // What is asked is always the same: if it makes no sense, the file's schema or a row is not ours.
        let makes_no_sense = matches!(
            error,
            rusqlite::Error::SqlInputError { .. }
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::FromSqlConversionFailure(..)
        );
        match error.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => Self::Damaged(error.to_string()),
            _ if makes_no_sense => Self::Damaged(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}

pub(super) fn unusable(path: &Path, why: impl Into<String>) -> StoreError {
    StoreError::Unusable {
        path: path.display().to_string(),
        why: why.into(),
    }
}

/// Opens the file for writing, creating it and bringing its schema up to date.
pub(super) fn open_writing(path: &Path, hear: &HearMigrating) -> Result<Connection, StoreError> {
    check_place(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = connect(path, flags)?;
    let writable = !connection
        .is_readonly("main")
        .map_err(|error| unusable(path, error.to_string()))?;
    if !writable {
        return Err(unusable(path, "this user may not write the file"));
    }
    let mode: String = connection
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .map_err(|error| unusable(path, in_words(&error)))?;
    if mode != "wal" {
        return Err(unusable(
            path,
            "its file system cannot share memory, which a write-ahead log needs: put it on a local disk",
        ));
    }
    // FULL: a commit returns only after the log is synced. The checkpoints are another thread's work.
    // Foreign keys are not checked for each entry: their numbers were looked up a moment before, and
    // `verify` finds a name that is missing.
    connection.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; PRAGMA foreign_keys = OFF; \
         PRAGMA temp_store = MEMORY; \
         PRAGMA cache_size = -32768;",
    )?;
    migrate(&mut connection, path, LEDGER_ID, hear)?;
    Ok(connection)
}

/// Opens the file for reading beside whoever writes it; says which schema it has. `id`: whether it must be
/// a ledger or an archive.
pub(super) fn open_reading(path: &Path, id: i64) -> Result<(Connection, i64), StoreError> {
    if !path.exists() {
        return Err(unusable(
            path,
            "there is no such file; check ledger.path, or start the guard once to make it",
        ));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = connect(path, flags)?;
    // What is sorted for a sum lies in memory too: a container may have no place for a temporary file.
    connection.execute_batch("PRAGMA temp_store = MEMORY")?;
    match check_version(&connection, path, id)? {
        0 => Err(unusable(path, "it is no ledger: it is empty")),
        version => Ok((connection, version)),
    }
}

/// Another connection to a file that was opened before, for checkpoints.
pub(super) fn open_beside(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = connect(path, flags)?;
    connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;")?;
    Ok(connection)
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, flags)
        .map_err(|error| unusable(path, in_words(&error)))?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

fn in_words(error: &rusqlite::Error) -> String {
    use rusqlite::ErrorCode::{CannotOpen, NotADatabase, ReadOnly};
    match error.sqlite_error_code() {
        Some(CannotOpen) => {
            "it cannot be opened or created; is it a file this user may write?".into()
        }
        Some(NotADatabase) => "it is no ledger: it is not a database".into(),
        Some(ReadOnly) => "this user may not write the file or its folder".into(),
        _ => error.to_string(),
    }
}

/// What can be known before the database is asked, because its own messages would not name it.
pub(super) fn check_place(path: &Path) -> Result<(), StoreError> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        let why = format!(
            "its folder {} does not exist; make it, or change ledger.path",
            folder.display()
        );
        return Err(unusable(path, why));
    }
    if path.is_dir() {
        return Err(unusable(path, "it is a folder; ledger.path names the file"));
    }
    if let Some(kind) = network_file_system(folder) {
        let why = format!(
            "it is on a network file system ({kind}), where neither locks nor syncs can be relied on: put it on a local disk"
        );
        return Err(unusable(path, why));
    }
    Ok(())
}

/// The kind of network file system `folder` is on, where the system tells (Linux).
fn network_file_system(folder: &Path) -> Option<String> {
    let folder = folder.canonicalize().ok()?;
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    let (_, kind) = mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            Some((fields.next()?, fields.next()?))
        })
        .filter(|(place, _)| folder.starts_with(place))
        .max_by_key(|(place, _)| place.len())?;
    NETWORK_FILE_SYSTEMS
        .contains(&kind)
        .then(|| kind.to_owned())
}

/// The schema's version; 0 for a new file.
pub(super) fn check_version(
    connection: &Connection,
    path: &Path,
    id: i64,
) -> Result<i64, StoreError> {
    let ask = |pragma: &str| {
        connection
            .query_row(pragma, [], |row| row.get::<_, i64>(0))
            .map_err(|error| unusable(path, in_words(&error)))
    };
    let (owner, version) = (ask("PRAGMA application_id")?, ask("PRAGMA user_version")?);
    let tables = ask("SELECT count(*) FROM sqlite_schema")?;
    if owner != id && [LEDGER_ID, ARCHIVE_ID].contains(&owner) {
        let why = match id {
            LEDGER_ID => "it is an archive; ledger.path names the ledger it was taken from",
            _ => "it is a ledger, no archive",
        };
        return Err(unusable(path, why));
    }
    if owner != id && (owner != 0 || version != 0 || tables != 0) {
        return Err(unusable(
            path,
            "it is no ledger: it is another program's database",
        ));
    }
    if version > NEWEST {
        return Err(StoreError::Newer {
            path: path.display().to_string(),
            found: version,
            known: NEWEST,
        });
    }
    Ok(version)
}
