//! What the running task of a worker has printed, logged and warned so far, in a file that outlives the worker.
//!
//! Owns the writing: one record for each piece, from the start of the file on for each task that says something. A record
//! names its ticket, so what earlier tasks left behind is not read, and has a checksum, so it may be read while it is
//! written (`_wire/journal.py` does). Must not know what a piece means.
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, RawFd};
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;

use crate::os;

/// Ticket, kind, length, checksum: see `_wire/journal.py`.
const HEAD: usize = 17;
/// So much of the file is mapped at a time: what a task says shall not count as its memory.
const WINDOW: usize = 256 << 10;
/// Where windows may start: a multiple of every system's page size.
const STEP: u64 = 64 << 10;
/// Larger pieces are not worth a window.
const LARGE: usize = 64 << 10;
/// A file that has grown beyond this is cut when the next task starts to write.
const KEEP: u64 = 1 << 20;

/// A part of the file in memory.
struct Window {
    base: NonNull<u8>,
    start: u64,
}

// SAFETY: the mapping belongs to no thread, and is written through `&mut Journal` alone.
unsafe impl Send for Window {}

impl Window {
    /// Maps the part of the file around `at`, with its memory taken: none of it is a hole to fall into.
    fn around(file: &File, at: u64) -> io::Result<Window> {
        let start = at & !(STEP - 1);
        os::allocate(file.as_fd(), start, WINDOW)?;
        Ok(Window { base: os::map_shared_at(file.as_fd(), start, WINDOW)?, start })
    }

    fn holds(&self, at: u64, length: usize) -> bool {
        at >= self.start && at + length as u64 <= self.start + WINDOW as u64
    }

    /// Copies bytes to a place of the file that is in here.
    fn put(&mut self, at: u64, bytes: &[u8]) {
        assert!(self.holds(at, bytes.len()));
        let offset = (at - self.start) as usize;
        // SAFETY: offset and length are inside the mapping, which nobody refers to, and bytes are elsewhere.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.base.as_ptr().add(offset), bytes.len()) };
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        os::unmap(self.base, WINDOW);
    }
}

/// The journal of one worker.
pub struct Journal {
    file: File,
    window: Option<Window>,
    ticket: u64,
    end: u64,
    /// How far the file has been written since it was cut.
    top: u64,
    /// A piece is missing, so the ones behind it must not be taken for it.
    is_broken: bool,
}

impl Journal {
    /// Writes to this file, which it owns from now on.
    pub fn new(file: RawFd) -> io::Result<Journal> {
        let file = File::from(os::own(file)?);
        Ok(Journal { file, window: None, ticket: 0, end: 0, top: 0, is_broken: false })
    }

    /// Adds one piece of a task's output. Without memory, or a file, the task goes on: its report has the pieces anyway.
    pub fn write(&mut self, ticket: u64, kind: u8, content: &[u8]) {
        if ticket != self.ticket {
            self.begin(ticket);
        }
        if self.is_broken || self.add(kind, content).is_err() {
            self.is_broken = true;
        }
    }

    fn begin(&mut self, ticket: u64) {
        self.ticket = ticket;
        self.end = 0;
        self.is_broken = false;
        if self.top > KEEP {
            self.window = None;
            self.is_broken = self.file.set_len(0).is_err();
            self.top = 0;
        }
    }

    fn add(&mut self, kind: u8, content: &[u8]) -> io::Result<()> {
        let length = u32::try_from(content.len()).map_err(io::Error::other)?;
        let mut sum = crc32fast::Hasher::new_with_initial((self.ticket ^ u64::from(kind) << 24) as u32);
        sum.update(content);
        let mut head = [0; HEAD];
        head[..8].copy_from_slice(&self.ticket.to_le_bytes());
        head[8] = kind;
        head[9..13].copy_from_slice(&length.to_le_bytes());
        head[13..].copy_from_slice(&sum.finalize().to_le_bytes());
        let size = HEAD + content.len();
        if size > LARGE {
            self.file.write_all_at(&head, self.end)?;
            self.file.write_all_at(content, self.end + HEAD as u64)?;
        } else {
            let window = self.window.take().filter(|window| window.holds(self.end, size));
            let window = match window {
                Some(window) => window,
                None => Window::around(&self.file, self.end)?,
            };
            let window = self.window.insert(window);
            window.put(self.end, &head);
            window.put(self.end + HEAD as u64, content);
        }
        self.end += size as u64;
        self.top = self.top.max(self.end);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::IntoRawFd;

    struct Reader(File);

    impl Reader {
        /// The pieces of a ticket, as `_wire/journal.py` reads them.
        fn read(&self, ticket: u64) -> Vec<(u8, Vec<u8>)> {
            let (mut found, mut at) = (Vec::new(), 0);
            loop {
                let mut head = [0; HEAD];
                if self.0.read_exact_at(&mut head, at).is_err() || head[..8] != ticket.to_le_bytes() {
                    return found;
                }
                let length = u32::from_le_bytes(head[9..13].try_into().unwrap()) as usize;
                let mut content = vec![0; length];
                self.0.read_exact_at(&mut content, at + HEAD as u64).unwrap();
                let mut sum = crc32fast::Hasher::new_with_initial((ticket ^ u64::from(head[8]) << 24) as u32);
                sum.update(&content);
                if sum.finalize().to_le_bytes() != head[13..] {
                    return found;
                }
                found.push((head[8], content));
                at += (HEAD + length) as u64;
            }
        }
    }

    fn journal() -> (Journal, Reader) {
        let file = os::memory_file().unwrap();
        let reader = Reader(File::from(file.try_clone().unwrap()));
        (Journal::new(file.into_raw_fd()).unwrap(), reader)
    }

    #[test]
    fn pieces_are_there_at_once_and_those_of_earlier_tasks_are_not_read() {
        let (mut journal, reader) = journal();
        journal.write(7, 0, b"one\n");
        journal.write(7, 1, b"two");
        assert_eq!(reader.read(7), [(0, b"one\n".to_vec()), (1, b"two".to_vec())]);
        journal.write(8, 0, b"1st\n"); // as long as what it replaces
        assert_eq!(reader.read(8), [(0, b"1st\n".to_vec())]);
        assert!(reader.read(7).is_empty());
    }

    #[test]
    fn much_is_written_through_many_windows_and_the_next_task_cuts_the_file() {
        let (mut journal, reader) = journal();
        let pieces: Vec<(u8, Vec<u8>)> = (0..3000u32).map(|n| (0, vec![n as u8; (n % 1500) as usize])).collect();
        for (kind, content) in &pieces {
            journal.write(1, *kind, content);
        }
        assert_eq!(reader.read(1), pieces);
        journal.write(2, 3, b"x");
        assert_eq!(reader.read(2), [(3, b"x".to_vec())]);
        assert!(reader.0.metadata().unwrap().len() <= WINDOW as u64);
    }

    #[test]
    fn large_pieces_stand_between_small_ones() {
        let (mut journal, reader) = journal();
        let large = vec![9; 3 * WINDOW];
        for content in [b"a".as_slice(), &large, b"b", &large, b"c"] {
            journal.write(5, 0, content);
        }
        let sizes: Vec<usize> = reader.read(5).iter().map(|(_, content)| content.len()).collect();
        assert_eq!(sizes, [1, large.len(), 1, large.len(), 1]);
    }

    #[test]
    fn a_file_that_can_be_written_no_more_is_done_without() {
        let file = os::memory_file().unwrap();
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
        let mut journal = Journal::new(File::open(path).unwrap().into_raw_fd()).unwrap();
        for ticket in 1..3 {
            journal.write(ticket, 0, b"small");
            journal.write(ticket, 0, &vec![0; 2 * LARGE]);
        }
        assert!(Reader(File::from(file)).read(2).is_empty());
    }
}
