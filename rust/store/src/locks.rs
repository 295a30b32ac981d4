//! Who writes which run: locks that vanish with their process.
//!
//! Owns the lock file, one byte for each run. Must not know the database. The system's byte-range locks exclude other
//! processes only, and all that a process holds on a file are gone when it closes *any* descriptor of it. So each lock
//! file is opened once in a process, and a table has what the process itself holds.
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::access;
use crate::error::{Error, Result};
use crate::forked::Process;
use crate::runs::RunId;

/// Device and inode.
type Key = (u64, u64);

/// The byte that is held while a store is set up or cleaned; runs are numbered from 1.
const SET_UP: RunId = 0;

struct Entry {
    file: File,
    users: usize,
    held: BTreeSet<RunId>,
    process: Process,
}

static TABLE: Mutex<BTreeMap<Key, Entry>> = Mutex::new(BTreeMap::new());

fn table() -> MutexGuard<'static, BTreeMap<Key, Entry>> {
    // The table is valid after each statement, so a panic elsewhere has not spoilt it.
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lock file of a store, open.
#[derive(Debug)]
pub struct LockFile {
    path: PathBuf,
    key: Key,
    process: Process,
}

/// The lock of a run; dropping it gives it up.
#[derive(Debug)]
pub struct Held {
    lock: LockFile,
    run: RunId,
}

/// Who holds the lock of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A writer in this process.
    Here,
    /// Another process; 0 if it can't be seen from here.
    Process(i32),
}

impl LockFile {
    /// Opens the lock file beside a store.
    pub fn open(store: &Path) -> Result<LockFile> {
        let path = access::beside(store, "-lock");
        let mut table = table();
        // Looked at before it is opened: closing a second descriptor would give up all locks.
        let known = fs::metadata(&path).map(|found| (found.dev(), found.ino())).ok();
        let key = match known.filter(|key| table.contains_key(key)) {
            Some(key) => key,
            None => {
                let file = access::open_private(&path)?;
                let found = file.metadata().map_err(|error| Error::system("look at", &path, &error))?;
                let key = (found.dev(), found.ino());
                let entry = Entry { file, users: 0, held: BTreeSet::new(), process: Process::current() };
                table.insert(key, entry);
                key
            }
        };
        let entry = table.get_mut(&key).ok_or(Error::Forked)?;
        if !entry.process.is_current() {
            let reason = "this process was forked from one that has it open, which SQLite doesn't allow; open it before in neither, or in a fresh process";
            return Err(Error::Refused { path: store.to_owned(), reason: reason.to_owned() });
        }
        entry.users += 1;
        Ok(LockFile { path, key, process: entry.process })
    }

    fn again(&self) -> LockFile {
        if let Some(entry) = table().get_mut(&self.key) {
            entry.users += 1;
        }
        LockFile { path: self.path.clone(), key: self.key, process: self.process }
    }

    /// Takes the lock of a run, if nobody has it.
    pub fn hold(&self, run: RunId) -> Result<Option<Held>> {
        self.process.check()?;
        {
            let mut table = table();
            let entry = table.get_mut(&self.key).ok_or(Error::Forked)?;
            if entry.held.contains(&run) {
                return Ok(None);
            }
            match set(&entry.file, libc::F_SETLK, libc::F_WRLCK, run) {
                Ok(()) => entry.held.insert(run),
                Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => return Ok(None),
                Err(error) => return Err(Error::system("lock", &self.path, &error)),
            };
        }
        Ok(Some(Held { lock: self.again(), run }))
    }

    /// Waits until nobody else sets the store up or cleans it, and keeps others from it.
    pub fn set_up(&self) -> Result<Held> {
        loop {
            if let Some(held) = self.hold(SET_UP)? {
                return Ok(held);
            }
            // Held by others for milliseconds, and rarely; a blocking wait would be one for all threads of this process.
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }

    /// Who holds the lock of a run, if anybody.
    pub fn holder(&self, run: RunId) -> Result<Option<Holder>> {
        self.process.check()?;
        let table = table();
        let entry = table.get(&self.key).ok_or(Error::Forked)?;
        if entry.held.contains(&run) {
            return Ok(Some(Holder::Here));
        }
        let mut asked = range(libc::F_WRLCK, run);
        // SAFETY: the descriptor is open and the pointer is to a live flock.
        if unsafe { libc::fcntl(entry.file.as_raw_fd(), libc::F_GETLK, &mut asked) } < 0 {
            return Err(Error::system("look at the locks of", &self.path, &io::Error::last_os_error()));
        }
        Ok((asked.l_type != libc::F_UNLCK as libc::c_short).then_some(Holder::Process(asked.l_pid)))
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // In a forked child the table is the parent's, and maybe locked for ever.
        if !self.process.is_current() {
            return;
        }
        let mut table = table();
        let Some(entry) = table.get_mut(&self.key) else { return };
        entry.users -= 1;
        if entry.users == 0 {
            // Closed while the table is locked, so nobody takes a lock that this would give up.
            table.remove(&self.key);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.lock.process.is_current() {
            return;
        }
        if let Some(entry) = table().get_mut(&self.lock.key) {
            entry.held.remove(&self.run);
            // It can't fail for a lock that is held; if it did, the lock would go with the process.
            let _ = set(&entry.file, libc::F_SETLK, libc::F_UNLCK, self.run);
        }
    }
}

fn range(kind: libc::c_int, run: RunId) -> libc::flock {
    // SAFETY: all bytes zero is a valid flock.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = run as libc::off_t;
    lock.l_len = 1;
    lock
}

fn set(file: &File, command: libc::c_int, kind: libc::c_int, run: RunId) -> io::Result<()> {
    let lock = range(kind, run);
    // SAFETY: the descriptor is open and the pointer is to a live flock.
    if unsafe { libc::fcntl(file.as_raw_fd(), command, &lock) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
