//! The store: opening it, and what can be asked of it.
//!
//! Owns the way in. Must not know how anything is done.
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use crate::check::{self, Checked};
use crate::error::{Error, Result};
use crate::forked::{Own, Process};
use crate::gc::{self, Collected, Limits};
use crate::locks::LockFile;
use crate::reader::Records;
use crate::runs::{self, Begin, Run, RunId};
use crate::writer::Writer;
use crate::{access, database, takeover};

/// What may be set. The default is right but for tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bytes of each half of a tail: a multiple of 4096.
    pub half: usize,
    /// How long a record may stay out of the database.
    pub interval: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options { half: 4 << 20, interval: Duration::from_millis(100) }
    }
}

/// A store of runs, open. Several threads and processes may have one open, for reading and writing.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

/// What writers and readers need of it.
#[derive(Debug)]
pub struct Inner {
    /// Where it is.
    pub path: PathBuf,
    /// What was set.
    pub options: Options,
    connection: Mutex<Own<Connection>>,
    /// Who writes what.
    pub locks: LockFile,
    read_only: bool,
    process: Process,
}

impl Inner {
    /// The connection for what takes no long time.
    pub fn connection(&self) -> Result<MutexGuard<'_, Own<Connection>>> {
        self.process.check()?;
        Ok(self.connection.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn check_writable(&self) -> Result<()> {
        self.process.check()?;
        if self.read_only {
            let reason = "it was opened for reading only".to_owned();
            return Err(Error::Refused { path: self.path.clone(), reason });
        }
        Ok(())
    }
}

impl Store {
    /// Opens the store at this path, and makes it if there is none.
    pub fn open(path: impl AsRef<Path>) -> Result<Store> {
        Store::open_with(path, Options::default())
    }

    /// The same with other options.
    pub fn open_with(path: impl AsRef<Path>, options: Options) -> Result<Store> {
        let path = absolute(path.as_ref())?;
        access::make_directory(&path)?;
        access::check_file_system(&path)?;
        access::check_owner(&path)?;
        let locks = LockFile::open(&path)?;
        let alone = locks.set_up()?;
        let connection = database::open(&path)?;
        drop(alone);
        Ok(Store::made(path, options, connection, locks, false))
    }

    /// Opens a store that exists, for reading only.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Store> {
        let path = absolute(path.as_ref())?;
        if !path.exists() {
            return Err(Error::system("open", &path, &std::io::Error::from_raw_os_error(libc::ENOENT)));
        }
        access::check_file_system(&path)?;
        access::check_owner(&path)?;
        let locks = LockFile::open(&path)?;
        let connection = database::open_read_only(&path)?;
        Ok(Store::made(path, Options::default(), connection, locks, true))
    }

    fn made(path: PathBuf, options: Options, connection: Connection, locks: LockFile, read_only: bool) -> Store {
        let process = Process::current();
        let connection = Mutex::new(Own::new(connection));
        Store { inner: Arc::new(Inner { path, options, connection, locks, read_only, process }) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Begins a run. Its name, if it has one, must not be another run's.
    pub fn begin(&self, begin: &Begin) -> Result<Writer> {
        self.inner.check_writable()?;
        takeover::begin(&self.inner, begin)
    }

    /// Takes a run over whose writer is gone, or that has ended, and goes on behind its last record.
    pub fn resume(&self, run: RunId) -> Result<Writer> {
        self.inner.check_writable()?;
        takeover::resume(&self.inner, run)
    }

    /// All runs, the newest first. Reads nothing of what they wrote.
    pub fn runs(&self) -> Result<Vec<Run>> {
        let found = runs::all(&*self.inner.connection()?);
        let mut all = found.map_err(|error| self.failed(&error))?;
        for run in &mut all {
            self.look(run)?;
        }
        Ok(all)
    }

    /// A run.
    pub fn run(&self, run: RunId) -> Result<Run> {
        let found = runs::one(&*self.inner.connection()?, run);
        self.looked(found)?.ok_or(Error::NoRun { run })
    }

    /// The run of a name.
    pub fn find(&self, name: &str) -> Result<Option<Run>> {
        let found = runs::named(&*self.inner.connection()?, name);
        self.looked(found)
    }

    /// The records of one stream of a run, from a number on: those that are there now.
    pub fn read(&self, run: RunId, stream: u8, first: u64) -> Result<Records> {
        Records::begin(&self.inner, run, stream, first)
    }

    /// Removes runs that are over a limit, and gives their place back to the system.
    pub fn gc(&self, limits: &Limits) -> Result<Collected> {
        if !limits.dry {
            self.inner.check_writable()?;
        }
        gc::collect(self, limits)
    }

    /// Reads all there is and says what is damaged.
    pub fn check(&self) -> Result<Checked> {
        check::check(self)
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    pub(crate) fn failed(&self, error: &rusqlite::Error) -> Error {
        Error::sqlite("read", &self.inner.path, error)
    }

    fn looked(&self, found: rusqlite::Result<Option<Run>>) -> Result<Option<Run>> {
        let mut found = found.map_err(|error| self.failed(&error))?;
        if let Some(run) = &mut found {
            self.look(run)?;
        }
        Ok(found)
    }

    /// Whether somebody writes it.
    fn look(&self, run: &mut Run) -> Result<()> {
        run.live = self.inner.locks.holder(run.id)?.is_some();
        Ok(())
    }
}

/// The path from the root on: the working directory may change.
fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| Error::system("find", path, &error))
}
