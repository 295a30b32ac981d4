//! The database of a store: its settings and its tables.
//!
//! Owns how SQLite is used. Must not know what is in the rows.
use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::access;
use crate::error::{Error, Result};

/// "gfst", which marks the file as a store of runs.
const APPLICATION: i32 = 0x6766_7374;

/// The form of the tables.
const FORMAT: i32 = 1;

/// The log of the database is cut when it is longer than this.
const LONG_LOG: u64 = 32 << 20;

/// How long a writer waits for another one. Nobody holds a store for longer than a fraction of a second.
const PATIENCE: Duration = Duration::from_secs(60);

const TABLES: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT UNIQUE,
    workflow TEXT NOT NULL,
    state TEXT NOT NULL,
    started REAL NOT NULL,
    ended REAL,
    epoch INTEGER NOT NULL,
    program TEXT NOT NULL,
    counts TEXT NOT NULL,
    parent INTEGER
);
CREATE INDEX runs_of_workflow ON runs (workflow, id);
CREATE TABLE chunks (
    run INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    first INTEGER NOT NULL,
    count INTEGER NOT NULL,
    size INTEGER NOT NULL,
    data BLOB NOT NULL,
    crc INTEGER NOT NULL,
    UNIQUE (run, stream, seq)
);
";

/// Opens the database for reading and writing; the first time makes its tables. The caller keeps others from setting it up.
pub fn open(path: &Path) -> Result<Connection> {
    if !path.exists() {
        make(path)?;
    }
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    // A file that somebody else has made may be empty.
    let ready = set_up(&connection).and_then(|()| settings(&connection));
    ready.map_err(|error| Error::sqlite("set up", path, &error))?;
    check_format(&connection, path)?;
    Ok(connection)
}

/// Makes a new database under another name, which is on the disk as a whole before it gets its own: one wait for it, not
/// one for each step of setting it up.
fn make(path: &Path) -> Result<()> {
    let draft = access::beside(path, "-new");
    let _ = fs::remove_file(&draft); // left by who died right here
                                     // SQLite would make a file that others may read.
    let file = access::open_private(&draft)?;
    let connection = connect(&draft, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let made = connection.pragma_update(None, "synchronous", "OFF").and_then(|()| set_up(&connection));
    let made = made.and_then(|()| cut_log(&connection)).and_then(|()| connection.close().map_err(|(_, error)| error));
    made.map_err(|error| Error::sqlite("set up", path, &error))?;
    file.sync_all().map_err(|error| Error::system("sync", &draft, &error))?;
    for left in ["-wal", "-shm"] {
        let _ = fs::remove_file(access::beside(&draft, left)); // empty by now
    }
    fs::rename(&draft, path).map_err(|error| Error::system("rename", &draft, &error))
}

/// Opens the database for one more writer in this process.
pub fn again(path: &Path) -> Result<Connection> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    settings(&connection).map_err(|error| Error::sqlite("set up", path, &error))?;
    Ok(connection)
}

/// Opens the database for reading.
pub fn open_read_only(path: &Path) -> Result<Connection> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    check_format(&connection, path)?;
    Ok(connection)
}

fn connect(path: &Path, access: OpenFlags) -> Result<Connection> {
    let failed = |error: rusqlite::Error| Error::sqlite("open", path, &error);
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(failed)?;
    connection.busy_timeout(PATIENCE).map_err(failed)?;
    // A damaged or hostile file runs nothing of its own.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).map_err(failed)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false).map_err(failed)?;
    // The log stays beside the file until it is long: moving it takes several waits for the disk, which others wait for.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(failed)?;
    Ok(connection)
}

/// Whether a commit waits until it is on the disk. One that doesn't is there before all that is committed later.
pub fn wait_for_disk(connection: &Connection, waits: bool) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", if waits { "FULL" } else { "NORMAL" })
}

fn settings(connection: &Connection) -> rusqlite::Result<()> {
    wait_for_disk(connection, true)?;
    // Who commits decides when the log is cut: starved by readers it would grow for ever.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", LONG_LOG as i64)
}

fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        // Both belong into the first page that is written, and can't be changed later.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
        return transaction.commit();
    }
    Ok(())
}

fn check_format(connection: &Connection, path: &Path) -> Result<()> {
    let failed = |error: rusqlite::Error| Error::sqlite("read", path, &error);
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0)).map_err(failed);
    let refused = |reason: String| Err(Error::Refused { path: path.to_owned(), reason });
    if number("application_id")? != APPLICATION {
        return refused("it is a database, but not a store of runs; give another path".to_owned());
    }
    let format = number("user_version")?;
    if format != FORMAT {
        return refused(format!(
            "it has format {format}, and this version of graflow_fast reads format {FORMAT}; use the version that wrote it"
        ));
    }
    Ok(())
}

/// A transaction that writes: it begins with the lock, so it can't fail for that later.
pub fn writing(connection: &Connection) -> rusqlite::Result<Transaction<'_>> {
    Transaction::new_unchecked(connection, TransactionBehavior::Immediate)
}

/// Cuts the database's log if it is long. Readers that are in the way are no error: the next one tries again.
pub fn cut_long_log(connection: &Connection, path: &Path) -> rusqlite::Result<()> {
    let length = fs::metadata(access::beside(path, "-wal")).map_or(0, |found| found.len());
    if length > LONG_LOG {
        cut_log(connection)?;
    }
    Ok(())
}

/// Cuts the database's log now, if no reader is in the way.
pub fn cut_log(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_millis(20))?;
    // The first one copies beside other writers, so little is left for the second, which keeps them out.
    let cut = ["PASSIVE", "TRUNCATE"]
        .into_iter()
        .try_for_each(|mode| connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_row| Ok(())));
    connection.busy_timeout(PATIENCE)?;
    match cut {
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => Ok(()),
        other => other,
    }
}

/// Waits until all that was committed is on the disk.
pub fn sync_log(path: &Path) -> Result<()> {
    let log = access::beside(path, "-wal");
    match File::open(&log).and_then(|file| file.sync_data()) {
        // Without a log all of it is in the database, which is synced before a log goes.
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::system("sync", &log, &error)),
        _ => Ok(()),
    }
}

/// How many bytes the database has, and how many of them are free.
pub fn sizes(connection: &Connection) -> rusqlite::Result<(u64, u64)> {
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let page = number("page_size")?;
    Ok(((number("page_count")? * page) as u64, (number("freelist_count")? * page) as u64))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_linked_sqlite_loses_no_pages_when_a_checkpoint_meets_a_write() {
        assert!(rusqlite::version_number() >= 3_051_003, "SQLite {}", rusqlite::version());
    }
}
