//! A tail's file in memory.
//!
//! Owns the mapping, and with it nearly all `unsafe` of this crate. Must not know what is stored.
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::Memory;
use crate::forked::Process;

/// A shared, writable map of a whole file. One side stores, others in this process may read what was published.
#[derive(Debug)]
pub struct Map {
    base: NonNull<u8>,
    length: usize,
    process: Process,
}

// SAFETY: the map belongs to no thread, and words that several threads use are atomic.
unsafe impl Send for Map {}
// SAFETY: as above; `Map::published` says what its callers answer for.
unsafe impl Sync for Map {}

impl Map {
    /// Gives a file this length, with its place on the disk taken, and maps it. A forked child doesn't have the map.
    pub fn new(file: &File, length: usize) -> io::Result<Map> {
        // SAFETY: the descriptor is open.
        let full = unsafe { libc::posix_fallocate(file.as_raw_fd(), 0, length as libc::off_t) };
        if full != 0 {
            return Err(io::Error::from_raw_os_error(full));
        }
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice touches no existing memory.
        let base =
            unsafe { libc::mmap(std::ptr::null_mut(), length, protection, libc::MAP_SHARED, file.as_raw_fd(), 0) };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).ok_or_else(|| io::Error::other("mapped at address zero"))?;
        let map = Map { base, length, process: Process::current() };
        // SAFETY: base and length are those of the mapping.
        if unsafe { libc::madvise(base.as_ptr().cast(), length, libc::MADV_DONTFORK) } < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(map)
    }

    /// The address of so many bytes.
    fn at(&self, offset: usize, length: usize) -> *mut u8 {
        assert!(offset.checked_add(length).is_some_and(|end| end <= self.length), "outside of the map");
        // SAFETY: it lies within the mapping.
        unsafe { self.base.as_ptr().add(offset) }
    }

    /// A word that was published.
    pub fn word(&self, offset: usize) -> u32 {
        assert!(offset % 4 == 0);
        // SAFETY: it is aligned, since the base is a page's, lies within the mapping, and is always used as an atomic.
        u32::from_le(unsafe { AtomicU32::from_ptr(self.at(offset, 4).cast()) }.load(Ordering::Acquire))
    }

    /// A number that was published.
    pub fn number(&self, offset: usize) -> u64 {
        assert!(offset % 8 == 0);
        // SAFETY: as for a word.
        u64::from_le(unsafe { AtomicU64::from_ptr(self.at(offset, 8).cast()) }.load(Ordering::Acquire))
    }

    /// Bytes that were published.
    ///
    /// # Safety
    /// They must not be stored to as long as the slice lives.
    pub unsafe fn published(&self, offset: usize, length: usize) -> &[u8] {
        // SAFETY: they lie within the mapping, and by contract nobody changes them.
        unsafe { std::slice::from_raw_parts(self.at(offset, length), length) }
    }
}

impl Memory for Map {
    #[inline]
    fn store(&self, offset: usize, bytes: &[u8]) {
        let target = self.at(offset, bytes.len());
        // SAFETY: the target lies within the mapping, which no slice of Rust's overlaps but those of `published`.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), target, bytes.len()) };
    }

    #[inline]
    fn publish_word(&self, offset: usize, value: u32) {
        assert!(offset % 4 == 0);
        // SAFETY: it is aligned and lies within the mapping.
        unsafe { AtomicU32::from_ptr(self.at(offset, 4).cast()) }.store(value.to_le(), Ordering::Release);
    }

    #[inline]
    fn publish_number(&self, offset: usize, value: u64) {
        assert!(offset % 8 == 0);
        // SAFETY: it is aligned and lies within the mapping.
        unsafe { AtomicU64::from_ptr(self.at(offset, 8).cast()) }.store(value.to_le(), Ordering::Release);
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // In a forked child something else may be at this address.
        if self.process.is_current() {
            // SAFETY: base and length are those of the mapping, and nothing refers to it any more.
            unsafe { libc::munmap(self.base.as_ptr().cast(), self.length) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Tests run side by side, and each has a file of its own.
    static FILES: AtomicU32 = AtomicU32::new(0);

    fn map(length: usize) -> (File, Map) {
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("graflow-map-{}-{number}", std::process::id()));
        let mut options = std::fs::OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        let map = Map::new(&file, length).unwrap();
        (file, map)
    }

    #[test]
    fn what_is_stored_is_in_the_file_and_can_be_read() {
        let (file, map) = map(8192);
        map.store(100, b"abc");
        map.publish_word(104, 7);
        map.publish_number(112, 9);
        assert_eq!((map.word(104), map.number(112)), (7, 9));
        // SAFETY: nobody stores there.
        assert_eq!(unsafe { map.published(100, 3) }, b"abc");
        let mut bytes = [0; 20];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut bytes, 100).unwrap();
        assert_eq!(bytes, *b"abc\0\x07\0\0\0\0\0\0\0\x09\0\0\0\0\0\0\0");
    }

    #[test]
    #[should_panic(expected = "outside of the map")]
    fn nothing_is_stored_behind_the_end() {
        map(4096).1.store(4095, b"ab");
    }

    #[test]
    #[should_panic(expected = "outside of the map")]
    fn nothing_is_read_behind_the_end() {
        let (_file, map) = map(4096);
        // SAFETY: nobody stores there.
        unsafe { map.published(usize::MAX, 2) };
    }

    #[test]
    fn a_forked_child_does_not_have_the_map() {
        let (_file, map) = map(4096);
        map.store(0, b"x");
        // SAFETY: the child only makes system calls.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let mut resident = 0u8;
            // SAFETY: mincore of an address that isn't mapped is an error, not an access.
            let code = unsafe { libc::mincore(map.base.as_ptr().cast(), 4096, &mut resident) };
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(i32::from(code == 0)) };
        }
        let mut status = 0;
        // SAFETY: waits for the child above.
        unsafe { libc::waitpid(child, &mut status, 0) };
        assert_eq!(status, 0, "the child's mincore found nothing mapped there");
    }
}
