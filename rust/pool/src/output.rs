//! What a task writes to descriptors 1 and 2 around Python: C code, subprocesses, `os.write`.
//!
//! Both are pipes, since programs open `/dev/stdout` and `/dev/stderr` anew, which would cut a file. Behind each pipe is a
//! file in memory, which keeps what was written in order, for whoever asks how far that was and what. Owns moving from
//! the one to the other, and noticing that there is something, so that the report of the task that wrote can say up to
//! where. Must not know what is done with it.
//!
//! Three processes move: the worker after each task, the template while a task runs (so that nobody waits for a reader),
//! the coordinator when a run is over or the others are gone. A lock of the file's keeps them apart, and ends with its
//! holder. The file's length is all they have to know, so there is nothing that a death could leave half done.
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::os::pipes::{self, Lock};
use crate::os::{self, Poller, Ready, Wait};

/// A flag of reports: the effects are followed by the two positions up to which this task's output goes.
pub const DESCRIPTORS: u32 = 4;

/// Set in the second position if some of what was written could not be kept.
pub const LOST: i64 = 1 << 62;

/// A body that takes so many nanoseconds may have put something else in the place of its descriptors.
const LONG: u64 = 20_000;
/// After so many nanoseconds they are looked at, however short the bodies were.
const OFTEN: u64 = 100_000;

/// Moves what is in a pipe to the end of its file: how many bytes, or `None` if another process is at it and this call
/// may not wait for that.
///
/// # Errors
/// The file can't become longer. What is in the pipe is dropped, since else its writers would wait for ever, and the news
/// say so.
pub fn gather(pipe: RawFd, file: RawFd, news: Option<RawFd>, wait: Wait) -> io::Result<Option<usize>> {
    let Some(_lock) = Lock::take(file, wait)? else {
        return Ok(None);
    };
    let there = pipes::available(pipe)?;
    if there == 0 {
        return Ok(Some(0));
    }
    if let Some(news) = news {
        let _ = pipes::raise(news, MOVED); // first: whoever finds the pipe empty is to know why
    }
    let start = pipes::status(file).map_or(0, |status| status.size);
    let mut moved = 0;
    while moved < there {
        match pipes::transfer(pipe, file, start + moved as u64, there - moved) {
            Ok(0) => break,
            Ok(count) => moved += count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                if let Some(news) = news {
                    let _ = pipes::raise(news, DROPPED);
                }
                pipes::discard(pipe, there - moved);
                return Err(error);
            }
        }
    }
    Ok(Some(moved))
}

/// What the news are made of: a number of these was added up since they were taken.
const MOVED: u64 = 1;
const DROPPED: u64 = 1 << 32;

/// What a worker is given of its output.
pub struct OutputFiles {
    /// Where what is written to descriptors 1 and 2 comes out.
    pub pipes: [OwnedFd; 2],
    /// The files that keep it.
    pub files: [File; 2],
    /// An event that is raised when another process moves.
    pub news: OwnedFd,
}

/// Descriptors 1 and 2 of this process, and how far they have been written. Any thread may ask.
pub struct OutputWatch {
    given: OutputFiles,
    input: OwnedFd,
    generation: u32,
    doubted: AtomicBool,
    seen: Mutex<Seen>,
}

struct Seen {
    /// What is to be behind both descriptors.
    spare: [OwnedFd; 2],
    poller: Poller,
    ready: Vec<Ready>,
    /// How far the files have been written, as of the last look; as of the last report; as of the last note.
    written: [i64; 2],
    reported: [i64; 2],
    noted: [i64; 2],
    has_lost: bool,
    checked_at: u64,
}

impl OutputWatch {
    /// Takes descriptors 1 and 2 as they are now. From here on what C code prints is in the pipe at the end of each line,
    /// so a crash loses no more than half a one.
    pub fn new(given: OutputFiles) -> io::Result<OutputWatch> {
        os::line_buffer_stdout();
        let poller = Poller::new()?;
        for (index, pipe) in given.pipes.iter().enumerate() {
            poller.add(pipe.as_fd(), index as u64)?;
        }
        poller.add(given.news.as_fd(), 2)?;
        Ok(OutputWatch {
            input: os::duplicate(0)?,
            given,
            generation: os::fork_generation(),
            doubted: AtomicBool::new(false),
            seen: Mutex::new(Seen {
                spare: [os::duplicate(1)?, os::duplicate(2)?],
                poller,
                ready: Vec::new(),
                written: [0; 2],
                reported: [0; 2],
                noted: [0; 2],
                has_lost: false,
                checked_at: 0,
            }),
        })
    }

    /// After a task, however short: the new positions if something was written. A descriptor in whose place is something
    /// else, or nothing, is put back, for the tasks to come.
    ///
    /// # Errors
    /// The link is closed, too.
    pub fn look(&self, link: BorrowedFd<'_>, started: u64, now: u64) -> io::Result<Option<[i64; 2]>> {
        os::flush_stdout();
        let mut seen = self.seen();
        let is_doubted = self.doubted.swap(false, Ordering::Relaxed);
        if is_doubted || now.saturating_sub(started) >= LONG || now.saturating_sub(seen.checked_at) >= OFTEN {
            seen.checked_at = now;
            self.put_back(&seen.spare, link)?;
        }
        self.refresh(&mut seen);
        let has_lost = std::mem::take(&mut seen.has_lost);
        let grew = seen.written != seen.reported;
        seen.reported = seen.written;
        let [out, error] = seen.written;
        Ok((grew || has_lost).then_some([out, if has_lost { error | LOST } else { error }]))
    }

    /// In the middle of a task: the positions if something was written since the last note.
    pub fn note(&self) -> Option<[i64; 2]> {
        if os::fork_generation() != self.generation {
            return None; // in a child that a body has forked
        }
        let mut seen = self.seen();
        self.refresh(&mut seen);
        let grew = seen.written != seen.noted;
        seen.noted = seen.written;
        grew.then_some(seen.written)
    }

    /// How far both have been written.
    pub fn positions(&self) -> [i64; 2] {
        let mut seen = self.seen();
        if os::fork_generation() == self.generation {
            self.refresh(&mut seen);
        }
        seen.written
    }

    /// What was written to descriptor 1 (index 0) or 2 between two positions.
    pub fn read(&self, index: usize, from: i64, until: i64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(until - from).unwrap_or(0)];
        self.given.files[index & 1].read_exact_at(&mut bytes, from as u64)?;
        Ok(bytes)
    }

    /// A body may have closed a descriptor, or put something in its place: it is looked at after that body.
    pub fn doubt(&self) {
        self.doubted.store(true, Ordering::Relaxed);
    }

    /// What is behind the descriptors now, if they are open, is to be there for all tasks from now on: an initializer may
    /// have put it there.
    pub fn adopt(&self) {
        let mut seen = self.seen();
        for (fd, spare) in (1..).zip(&mut seen.spare) {
            if let Ok(now) = os::duplicate(fd) {
                *spare = now;
            }
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves what is there, and learns how far the files go. One system call if there is nothing.
    fn refresh(&self, seen: &mut Seen) {
        let Seen { poller, ready, written, has_lost, .. } = seen;
        if poller.wait(0, ready).is_err() || ready.is_empty() {
            return; // a body that has closed the set has closed the link, too
        }
        for each in ready.iter() {
            let index = each.token as usize;
            match self.given.pipes.get(index) {
                Some(pipe) => {
                    let moved = gather(pipe.as_raw_fd(), self.given.files[index].as_raw_fd(), None, Wait::Yes);
                    *has_lost |= moved.is_err();
                }
                None => *has_lost |= pipes::take(self.given.news.as_raw_fd()) >= DROPPED,
            }
        }
        for (index, position) in written.iter_mut().enumerate() {
            if let Some(status) = pipes::status(self.given.files[index].as_raw_fd()) {
                *position = status.size as i64;
            }
        }
    }

    /// Sees to it that both descriptors are what they are to be.
    fn put_back(&self, spare: &[OwnedFd; 2], link: BorrowedFd<'_>) -> io::Result<()> {
        for (index, spare) in spare.iter().enumerate() {
            let fd = index as i32 + 1;
            let is_ours = pipes::status(fd).zip(pipes::status(spare.as_raw_fd()));
            if is_ours.is_none_or(|(now, ours)| now.identity != ours.identity) {
                os::check_open(link)?; // a body that closes its standard output may have closed everything
                let _ = os::replace(fd, spare.as_fd());
                let _ = os::replace(0, self.input.as_fd());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    /// A watch of pipes of its own: the entries, what the template would have, and the link.
    struct Worker {
        watch: OutputWatch,
        entries: [File; 2],
        link: UnixStream,
    }

    impl Worker {
        fn new() -> Worker {
            let [(out, out_entry), (error, error_entry)] = [os::pipe().unwrap(), os::pipe().unwrap()];
            let files = [os::memory_file().unwrap().into(), os::memory_file().unwrap().into()];
            let given = OutputFiles { pipes: [out, error], files, news: pipes::event().unwrap() };
            let entries = [out_entry.into(), error_entry.into()];
            Worker { watch: OutputWatch::new(given).unwrap(), entries, link: UnixStream::pair().unwrap().0 }
        }

        fn look(&self) -> Option<[i64; 2]> {
            self.watch.look(self.link.as_fd(), 0, 0).unwrap()
        }

        /// What another process does.
        fn gather(&self, index: usize) -> io::Result<Option<usize>> {
            let OutputFiles { pipes, files, news } = &self.watch.given;
            gather(pipes[index].as_raw_fd(), files[index].as_raw_fd(), Some(news.as_raw_fd()), Wait::No)
        }
    }

    #[test]
    fn what_was_written_is_told_once_to_each_who_asks() {
        let mut worker = Worker::new();
        assert_eq!((worker.look(), worker.watch.note()), (None, None));
        worker.entries[0].write_all(b"abc").unwrap();
        assert_eq!((worker.watch.note(), worker.watch.note()), (Some([3, 0]), None));
        assert_eq!((worker.look(), worker.look()), (Some([3, 0]), None));
        worker.entries[1].write_all(b"no").unwrap();
        worker.entries[0].write_all(b"de").unwrap();
        assert_eq!((worker.look(), worker.look()), (Some([5, 2]), None));
        assert_eq!(worker.watch.read(0, 1, 5).unwrap(), b"bcde");
        assert_eq!(worker.watch.positions(), [5, 2]);
    }

    #[test]
    fn what_another_process_has_moved_is_noticed() {
        let mut worker = Worker::new();
        assert_eq!(worker.gather(0).unwrap(), Some(0));
        assert_eq!(worker.look(), None);
        worker.entries[0].write_all(b"abc").unwrap();
        assert_eq!(worker.gather(0).unwrap(), Some(3));
        assert_eq!((worker.look(), worker.look()), (Some([3, 0]), None));
        worker.entries[0].write_all(b"d").unwrap();
        assert_eq!(worker.look(), Some([4, 0]));
        assert_eq!(worker.watch.read(0, 0, 4).unwrap(), b"abcd");
    }

    #[test]
    fn what_can_not_be_kept_is_dropped_and_told() {
        let mut worker = Worker::new();
        worker.entries[1].write_all(b"kept").unwrap();
        assert_eq!(worker.look(), Some([0, 4]));
        pipes::seal(worker.watch.given.files[1].as_raw_fd()).unwrap();
        worker.entries[1].write_all(b"lost").unwrap();
        assert_eq!((worker.look(), worker.look()), (Some([0, 4 | LOST]), None));
        worker.entries[1].write_all(b"lost").unwrap();
        assert!(worker.gather(1).is_err());
        assert_eq!(pipes::available(worker.watch.given.pipes[1].as_raw_fd()).unwrap(), 0);
        assert_eq!((worker.look(), worker.look()), (Some([0, 4 | LOST]), None));
        worker.entries[0].write_all(b"out").unwrap();
        assert_eq!(worker.look(), Some([3, 4]));
    }
}
