//! The system calls around the pipes behind a worker's descriptors 1 and 2, and nothing else. A part of [`super`], with
//! the same rule: callers need no `unsafe`.
use std::io;
use std::os::fd::RawFd;

use super::{check, Wait};

/// What `fstat` says of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// Which file it is: device and number.
    pub identity: (u64, u64),
    /// Its length.
    pub size: u64,
}

/// What a descriptor refers to; `None` if it is closed.
pub fn status(fd: RawFd) -> Option<Status> {
    // SAFETY: all-zero is a valid stat to be filled in.
    let mut found: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live stat.
    check(unsafe { libc::fstat(fd, &mut found) }).ok()?;
    Some(Status { identity: (found.st_dev, found.st_ino), size: found.st_size as u64 })
}

/// How many bytes are in a pipe.
pub fn available(pipe: RawFd) -> io::Result<usize> {
    let mut count: libc::c_int = 0;
    // SAFETY: this request writes one integer.
    check(unsafe { libc::ioctl(pipe, libc::FIONREAD, &mut count) })?;
    Ok(count as usize)
}

/// Moves up to `most` bytes from a pipe that does not block to a place of a file. What has left the pipe is in the file,
/// even if the process is killed meanwhile; where the system can't do it so, all but for a moment.
pub fn transfer(pipe: RawFd, file: RawFd, at: u64, most: usize) -> io::Result<usize> {
    let mut place = at as libc::loff_t;
    // SAFETY: a null that the call allows, and a pointer to a live integer.
    let count = unsafe { libc::splice(pipe, std::ptr::null_mut(), file, &mut place, most, libc::SPLICE_F_NONBLOCK) };
    match usize::try_from(count) {
        Ok(count) => Ok(count),
        Err(_) => match io::Error::last_os_error() {
            error if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS)) => copy(pipe, file, at, most),
            error => Err(error),
        },
    }
}

/// The same, by reading and writing.
fn copy(pipe: RawFd, file: RawFd, at: u64, most: usize) -> io::Result<usize> {
    let mut bytes = [0_u8; 4096];
    let mut done = 0;
    // SAFETY: the buffer is as long as it says.
    let count = unsafe { libc::read(pipe, bytes.as_mut_ptr().cast(), most.min(bytes.len())) };
    let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
    while done < count {
        let left = &bytes[done..count];
        // SAFETY: the slice is alive for the call.
        let written =
            unsafe { libc::pwrite(file, left.as_ptr().cast(), left.len(), (at + done as u64) as libc::off_t) };
        done += usize::try_from(written).map_err(|_| io::Error::last_os_error())?;
    }
    Ok(count)
}

/// Reads so many bytes of a pipe that does not block, if they are there, for nobody.
pub fn discard(pipe: RawFd, most: usize) {
    let mut bytes = [0_u8; 4096];
    let mut left = most;
    while left > 0 {
        // SAFETY: the buffer is as long as it says.
        let count = unsafe { libc::read(pipe, bytes.as_mut_ptr().cast(), left.min(bytes.len())) };
        match usize::try_from(count) {
            Ok(count) if count > 0 => left -= count,
            _ => return,
        }
    }
}

/// An event descriptor that does not block.
#[cfg(test)]
pub fn event() -> io::Result<std::os::fd::OwnedFd> {
    // SAFETY: integers only.
    super::own(check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?)
}

/// Has a file in memory become no longer.
#[cfg(test)]
pub fn seal(file: RawFd) -> io::Result<()> {
    // SAFETY: integers only.
    check(unsafe { libc::fcntl(file, libc::F_ADD_SEALS, libc::F_SEAL_GROW) }).map(drop)
}

/// Adds to an event descriptor that does not block: from now on it can be read.
pub fn raise(event: RawFd, by: u64) -> io::Result<()> {
    let bytes = by.to_ne_bytes();
    // SAFETY: eight bytes.
    let count = unsafe { libc::write(event, bytes.as_ptr().cast(), bytes.len()) };
    if count < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// What was added to an event descriptor since the last call.
pub fn take(event: RawFd) -> u64 {
    let mut bytes = [0; 8];
    // SAFETY: eight bytes.
    let count = unsafe { libc::read(event, bytes.as_mut_ptr().cast(), bytes.len()) };
    if count == 8 {
        u64::from_ne_bytes(bytes)
    } else {
        0
    }
}

/// A lock on a file against other processes; it ends with its process, too.
pub struct Lock {
    file: RawFd,
}

impl Lock {
    /// Takes it; `None` if another process has it and this call may not wait.
    pub fn take(file: RawFd, wait: Wait) -> io::Result<Option<Lock>> {
        loop {
            match request(file, libc::F_WRLCK, wait) {
                Ok(()) => return Ok(Some(Lock { file })),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = request(self.file, libc::F_UNLCK, Wait::No);
    }
}

fn request(file: RawFd, kind: libc::c_int, wait: Wait) -> io::Result<()> {
    // SAFETY: all-zero is a valid flock: the whole file.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    let command = if wait == Wait::Yes { libc::F_SETLKW } else { libc::F_SETLK };
    // SAFETY: the pointer is to a live flock.
    check(unsafe { libc::fcntl(file, command, &lock) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::FileExt;

    #[test]
    fn what_is_read_and_written_is_what_would_be_spliced() {
        for transfer in [transfer, copy] {
            let (pipe, entry) = super::super::pipe().unwrap();
            let file = File::from(super::super::memory_file().unwrap());
            let (pipe, fd) = (pipe.as_raw_fd(), file.as_raw_fd());
            assert_eq!(transfer(pipe, fd, 0, 9).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            File::from(entry).write_all(b"abcdef").unwrap();
            assert_eq!(available(pipe).unwrap(), 6);
            assert_eq!(transfer(pipe, fd, 2, 4).unwrap(), 4);
            assert_eq!(transfer(pipe, fd, 6, 4).unwrap(), 2);
            let mut bytes = [b'-'; 8];
            file.read_exact_at(&mut bytes, 0).unwrap();
            assert_eq!(&bytes, b"\0\0abcdef");
        }
    }
}
