//! The one who writes a run.
//!
//! Owns the way of a record into the tail, and what the writer and its thread tell each other. Must not know how chunks
//! get into the database.
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::access;
use crate::error::{Error, Result};
use crate::forked::Process;
use crate::lingering;
use crate::locks::Held;
use crate::runs::{RunId, State};
use crate::tail::{Appender, Map, Memory};
use crate::{MAXIMUM_RECORD, STREAMS};

/// Writes a run: appends records, and ends it. There is one at a time, in one process.
///
/// What was appended survives the death of the process at once, and lost power once it is in the database, which is some
/// 100 ms later. An error of the disk stops the writer: each later call gives it again. A writer that is dropped without
/// [`Writer::finish`] leaves the run unfinished, with all that was appended.
#[derive(Debug)]
pub struct Writer {
    run: RunId,
    epoch: u64,
    appender: Appender<SharedMap>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    tail: PathBuf,
    file: File,
    longest: usize,
    /// Whether it was synced before.
    surely: bool,
    process: Process,
    /// Last, so that it is given up last.
    held: Option<Held>,
}

/// What the writer and its thread tell each other.
#[derive(Debug, Default)]
pub struct Shared {
    state: Mutex<Phase>,
    /// For the thread: there is something to do.
    asked: Condvar,
    /// For the writer: something was done.
    done: Condvar,
    /// Whether `Phase::error` is set, to be seen without the lock.
    failed: AtomicBool,
}

/// Where things stand between the two.
#[derive(Debug, Default)]
pub struct Phase {
    /// Halves that the writer has left, and that aren't in the database yet.
    pub sealed: [bool; 2],
    /// How many flushes were asked for.
    pub flushes: u64,
    /// How many of them are done.
    pub flushed: u64,
    /// Counts that aren't in the database yet.
    pub counts: Option<String>,
    /// The run shall end so.
    pub end: Option<State>,
    /// The thread shall end.
    pub closing: bool,
    /// Nothing may be lost with the power, from the first sync on.
    pub surely: bool,
    /// All is in the database.
    pub ended: bool,
    /// All of it is on the disk, or never will be.
    pub settled: bool,
    /// What stopped the thread.
    pub error: Option<Error>,
}

impl Shared {
    /// The state, locked.
    pub fn lock(&self) -> MutexGuard<'_, Phase> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for work, at most so long.
    pub fn wait_for_work(&self, longest: std::time::Duration) -> MutexGuard<'_, Phase> {
        let idle = |phase: &mut Phase| {
            !phase.closing && phase.flushes == phase.flushed && !phase.sealed[0] && !phase.sealed[1]
        };
        let waited = self.asked.wait_timeout_while(self.lock(), longest, idle);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Tells the writer what has become of its work.
    pub fn tell(&self, change: impl FnOnce(&mut Phase)) {
        let mut phase = self.lock();
        change(&mut phase);
        if phase.error.is_some() {
            self.failed.store(true, Ordering::Release);
        }
        self.done.notify_all();
    }

    fn error(&self) -> Error {
        self.lock().error.clone().unwrap_or(Error::Ended)
    }

    fn ask(&self, change: impl FnOnce(&mut Phase)) {
        change(&mut self.lock());
        self.asked.notify_one();
    }

    /// Waits until the thread of a writer that was closed needs the process no more.
    pub fn wait_until_settled(&self) {
        let waiting = |phase: &mut Phase| !phase.settled;
        drop(self.done.wait_while(self.lock(), waiting).unwrap_or_else(PoisonError::into_inner));
    }

    /// Waits until that holds, or the thread has failed.
    fn wait_until(&self, holds: impl Fn(&Phase) -> bool) -> Result<()> {
        let waiting = |phase: &mut Phase| phase.error.is_none() && !holds(phase);
        let phase = self.done.wait_while(self.lock(), waiting).unwrap_or_else(PoisonError::into_inner);
        phase.error.clone().map_or(Ok(()), Err)
    }
}

/// The tail's map, which the writer's thread has as well.
#[derive(Clone, Debug)]
pub struct SharedMap(pub Arc<Map>);

impl Memory for SharedMap {
    #[inline]
    fn store(&self, offset: usize, bytes: &[u8]) {
        self.0.store(offset, bytes);
    }

    #[inline]
    fn publish_word(&self, offset: usize, value: u32) {
        self.0.publish_word(offset, value);
    }

    #[inline]
    fn publish_number(&self, offset: usize, value: u64) {
        self.0.publish_number(offset, value);
    }
}

/// What a writer is made of.
pub struct Parts {
    /// The run.
    pub run: RunId,
    /// Which of its writers this is.
    pub epoch: u64,
    /// The tail, empty.
    pub appender: Appender<SharedMap>,
    /// What the thread was given as well.
    pub shared: Arc<Shared>,
    /// The thread.
    pub thread: JoinHandle<()>,
    /// The tail's file.
    pub file: File,
    /// Where it is.
    pub tail: PathBuf,
    /// The run's lock.
    pub held: Held,
}

impl Writer {
    pub(crate) fn new(parts: Parts) -> Writer {
        let Parts { run, epoch, appender, shared, thread, file, tail, held } = parts;
        let (process, longest) = (Process::current(), appender.longest().min(MAXIMUM_RECORD));
        let (thread, held) = (Some(thread), Some(held));
        Writer { run, epoch, appender, shared, thread, tail, file, longest, surely: false, process, held }
    }

    /// The number of the run.
    pub fn run(&self) -> RunId {
        self.run
    }

    /// Which of the run's writers this is, counted from 1.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The number that the next record of a stream will have.
    pub fn next(&self, stream: u8) -> Result<u64> {
        check_stream(stream)?;
        Ok(self.appender.next(stream))
    }

    /// Whether [`Writer::append`] of a record of this length would not wait for the disk.
    #[inline]
    pub fn has_room(&self, length: usize) -> bool {
        self.appender.fits(length)
    }

    /// Appends a record to a stream, and gives the number that it has there. It survives the death of this process.
    ///
    /// Waits only when the disk is slower than the run, by more than the tail holds.
    #[inline]
    pub fn append(&mut self, stream: u8, record: &[u8]) -> Result<u64> {
        self.check()?;
        check_stream(stream)?;
        if record.len() > self.longest {
            return Err(Error::TooLong { length: record.len() });
        }
        if !self.appender.fits(record.len()) {
            self.turn()?;
        }
        Ok(self.appender.append(stream, record))
    }

    /// Waits until the other half is free, and goes on there.
    #[cold]
    fn turn(&mut self) -> Result<()> {
        let (full, other) = (self.appender.open(), 1 - self.appender.open());
        self.shared.ask(|phase| phase.sealed[full] = true);
        self.shared.wait_until(|phase| !phase.sealed[other])?;
        self.appender.turn();
        Ok(())
    }

    /// Notes what is counted, in the writer's own form; listing the runs shows it, some 100 ms later.
    pub fn note(&mut self, counts: String) -> Result<()> {
        self.check()?;
        self.shared.lock().counts = Some(counts);
        Ok(())
    }

    /// Waits until all that was appended is in the database.
    pub fn flush(&mut self) -> Result<()> {
        self.check()?;
        let mut number = 0;
        self.shared.ask(|phase| {
            phase.flushes += 1;
            number = phase.flushes;
        });
        self.shared.wait_until(|phase| phase.flushed >= number)
    }

    /// Waits until all that was appended would survive lost power, at the price of one sync of the tail.
    ///
    /// The first one waits for the run itself as well; from then on the end of the run is waited for.
    pub fn sync(&mut self) -> Result<()> {
        self.check()?;
        if !self.surely {
            self.shared.lock().surely = true;
            self.flush()?;
            let place = access::directory(&self.tail);
            let synced = File::open(place).and_then(|directory| directory.sync_all());
            synced.map_err(|error| Error::system("sync", place, &error))?;
            self.surely = true;
        }
        self.file.sync_data().map_err(|error| {
            // The kernel may have dropped what it could not write, so it must not be tried again.
            let error = Error::system("sync", &self.tail, &error);
            self.shared.tell(|phase| phase.error = Some(error.clone()));
            error
        })
    }

    /// Ends the run: all that was appended, how it ended and what was counted are in the database then.
    pub fn finish(mut self, state: State, counts: String) -> Result<()> {
        self.check()?;
        self.shared.lock().counts = Some(counts);
        self.shared.lock().end = Some(state);
        self.close()?;
        Ok(())
    }

    /// Removes the tail when all that it held is in the database. One that can't be removed is told by its epoch.
    fn remove_tail(&self) {
        // Whoever has taken the run over has put another file there.
        let place = |found: fs::Metadata| (found.dev(), found.ino());
        let own = self.file.metadata().map(place).ok();
        if own.is_some() && own == fs::metadata(&self.tail).map(place).ok() {
            let _ = fs::remove_file(&self.tail);
        }
    }

    fn check(&self) -> Result<()> {
        self.process.check()?;
        if self.shared.failed.load(Ordering::Relaxed) {
            return Err(self.shared.error());
        }
        Ok(())
    }

    /// Lets the thread do what is left, and waits until that is in the database; on the disk it is some moments later.
    fn close(&mut self) -> Result<()> {
        self.shared.ask(|phase| phase.closing = true);
        let ended = self.shared.wait_until(|phase| phase.ended);
        if let Some(thread) = self.thread.take() {
            lingering::leave(thread, self.shared.clone());
        }
        ended
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.process.is_current() {
            // Nobody is there to be told of an error; what is in the tail stays there then.
            if self.close().is_ok() {
                self.remove_tail();
            }
        } else {
            // The parent's: its thread doesn't exist here, and its lock isn't held.
            std::mem::forget(self.thread.take());
            std::mem::forget(self.held.take());
        }
    }
}

fn check_stream(stream: u8) -> Result<()> {
    if stream < STREAMS {
        Ok(())
    } else {
        Err(Error::NoStream { stream })
    }
}
