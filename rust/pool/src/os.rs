//! The system calls, and nothing else: every one that the standard library lacks, wrapped so that callers need no
//! `unsafe`. Linux only for now; a port replaces this file and those below it.
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Once;

pub mod pipes;

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// The monotonic clock in nanoseconds; the same clock as Python's `time.monotonic()`.
pub fn now() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a live timespec; CLOCK_MONOTONIC always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Takes over a descriptor that the caller gives up.
pub fn own(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: fcntl(F_GETFD) only asks whether the descriptor is open.
    check(unsafe { libc::fcntl(fd, libc::F_GETFD) })?;
    // SAFETY: it is open, and by this function's contract nobody else closes it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// An anonymous memory file.
#[cfg(test)]
pub fn memory_file() -> io::Result<OwnedFd> {
    // SAFETY: the name is a terminated string.
    let fd = check(unsafe { libc::memfd_create(c"test".as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING) })?;
    own(fd)
}

/// Maps `length` bytes of a file, shared and writable.
pub fn map_shared(fd: BorrowedFd<'_>, length: usize) -> io::Result<NonNull<u8>> {
    map_shared_at(fd, 0, length)
}

/// Maps `length` bytes of a file from a place on that is a multiple of the page size, shared and writable.
pub fn map_shared_at(fd: BorrowedFd<'_>, start: u64, length: usize) -> io::Result<NonNull<u8>> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let (file, start) = (fd.as_raw_fd(), start as libc::off_t);
    // SAFETY: a new mapping at an address of the kernel's choice touches no existing memory.
    let base = unsafe { libc::mmap(std::ptr::null_mut(), length, protection, libc::MAP_SHARED, file, start) };
    if base == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(base.cast()).ok_or_else(|| io::Error::other("mapped at address zero"))
}

/// Takes the memory for a part of a file, which becomes longer if need be.
pub fn allocate(fd: BorrowedFd<'_>, start: u64, length: usize) -> io::Result<()> {
    // SAFETY: integers only.
    match unsafe { libc::posix_fallocate(fd.as_raw_fd(), start as libc::off_t, length as libc::off_t) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// Ends a mapping of [`map_shared`]; the caller holds no reference into it.
pub fn unmap(base: NonNull<u8>, length: usize) {
    // SAFETY: base and length are those of map_shared, and by contract nothing refers to it any more.
    unsafe { libc::munmap(base.as_ptr().cast(), length) };
}

/// Whether a call may wait.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Return `WouldBlock` instead of waiting.
    No,
    /// Wait.
    Yes,
}

/// Receives up to `room` bytes at the end of `buffer`; 0 is the end of the stream.
pub fn receive(fd: BorrowedFd<'_>, buffer: &mut Vec<u8>, room: usize, wait: Wait) -> io::Result<usize> {
    buffer.reserve(room);
    let spare = buffer.spare_capacity_mut();
    let room = room.min(spare.len());
    let flags = if wait == Wait::No { libc::MSG_DONTWAIT } else { 0 };
    // SAFETY: the pointer and length describe the vector's own spare capacity.
    let count = unsafe { libc::recv(fd.as_raw_fd(), spare.as_mut_ptr().cast(), room, flags) };
    if count < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just initialised `count` bytes there.
    unsafe { buffer.set_len(buffer.len() + count as usize) };
    Ok(count as usize)
}

/// Sends some of the parts, in order, without a signal when the other side is gone.
pub fn send(fd: BorrowedFd<'_>, parts: &[io::IoSlice<'_>], wait: Wait) -> io::Result<usize> {
    let flags = libc::MSG_NOSIGNAL | if wait == Wait::No { libc::MSG_DONTWAIT } else { 0 };
    let count = if let [one] = parts {
        // SAFETY: the slice is alive for the call.
        unsafe { libc::send(fd.as_raw_fd(), one.as_ptr().cast(), one.len(), flags) }
    } else {
        // SAFETY: all-zero is a valid msghdr (no address, no control data).
        let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
        message.msg_iov = parts.as_ptr().cast_mut().cast();
        message.msg_iovlen = parts.len() as _;
        // SAFETY: IoSlice has the layout of iovec by its contract, and all parts are alive for the call.
        unsafe { libc::sendmsg(fd.as_raw_fd(), &message, flags) }
    };
    if count < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(count as usize)
    }
}

/// Waits until the descriptor can be read, or written, or `milliseconds` passed (-1: for ever).
pub fn wait_for(fd: BorrowedFd<'_>, write: bool, milliseconds: i32) -> io::Result<bool> {
    let events = if write { libc::POLLOUT } else { libc::POLLIN };
    let mut entry = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
    // SAFETY: one live entry.
    check(unsafe { libc::poll(&mut entry, 1, milliseconds) }).map(|count| count > 0)
}

/// A pipe whose ends do not block: (read, write).
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [0; 2];
    // SAFETY: room for two descriptors.
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) })?;
    Ok((own(ends[0])?, own(ends[1])?))
}

/// Empties a pipe that does not block.
pub fn drain(fd: BorrowedFd<'_>) {
    let mut bytes = [0_u8; 256];
    // SAFETY: the buffer is as long as it says.
    while unsafe { libc::read(fd.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len()) } > 0 {}
}

/// Puts one byte into a pipe; a full one is as good.
#[cfg(test)]
pub fn nudge(fd: BorrowedFd<'_>) {
    // SAFETY: one byte of static data.
    unsafe { libc::write(fd.as_raw_fd(), c"!".as_ptr().cast(), 1) };
}

/// Kills the process behind a process descriptor (it cannot hit another one that got the same number).
pub fn kill(process: BorrowedFd<'_>) {
    let no_info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: no pointers but a null that the call allows.
    unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), libc::SIGKILL, no_info, 0) };
}

/// Bytes in a page of memory.
pub fn page_size() -> u64 {
    // SAFETY: integers only.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// True if a process is stopped by a signal (and not by a debugger).
pub fn is_stopped(pid: i32) -> bool {
    // The state is the first word behind the name, which may hold anything, so it is looked for from the end.
    std::fs::read(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        let end = stat.iter().rposition(|byte| *byte == b')');
        end.is_some_and(|end| stat.get(end + 2) == Some(&b'T'))
    })
}

/// One descriptor that is ready.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    /// What was given to [`Poller::add`].
    pub token: u64,
    /// It can be read, or has ended.
    pub readable: bool,
}

/// A set of descriptors to wait on.
pub struct Poller {
    epoll: OwnedFd,
    buffer: Vec<libc::epoll_event>,
}

impl Poller {
    /// An empty set.
    pub fn new() -> io::Result<Poller> {
        // SAFETY: no pointers.
        let epoll = own(check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?)?;
        Ok(Poller { epoll, buffer: Vec::with_capacity(256) })
    }

    fn control(&self, operation: i32, fd: BorrowedFd<'_>, token: u64, write: bool) -> io::Result<()> {
        let events = libc::EPOLLIN | if write { libc::EPOLLOUT } else { 0 };
        let mut event = libc::epoll_event { events: events as u32, u64: token };
        // SAFETY: the event is alive for the call.
        check(unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), operation, fd.as_raw_fd(), &mut event) })?;
        Ok(())
    }

    /// Watches a descriptor for reading.
    pub fn add(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, token, false)
    }

    /// Watches it for reading, and for writing if asked.
    pub fn modify(&self, fd: BorrowedFd<'_>, token: u64, write: bool) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, token, write)
    }

    /// Stops watching it.
    pub fn remove(&self, fd: BorrowedFd<'_>) {
        let _ = self.control(libc::EPOLL_CTL_DEL, fd, 0, false);
    }

    /// Waits up to `milliseconds`; `Interrupted` is an error for the caller to judge.
    pub fn wait(&mut self, milliseconds: i32, out: &mut Vec<Ready>) -> io::Result<()> {
        out.clear();
        let room = self.buffer.capacity() as i32;
        // SAFETY: the buffer has room for that many events.
        let count =
            check(unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), self.buffer.as_mut_ptr(), room, milliseconds) })?;
        // SAFETY: the kernel has just written `count` events.
        unsafe { self.buffer.set_len(count as usize) };
        out.extend(self.buffer.iter().map(|event| Ready {
            token: event.u64,
            readable: event.events & (libc::EPOLLIN | libc::EPOLLHUP | libc::EPOLLERR) as u32 != 0,
        }));
        Ok(())
    }
}

/// Has this process killed when its parent dies; false if the parent is not (any more) the expected one.
pub fn die_with_parent(parent: i32) -> bool {
    // SAFETY: two integer calls without pointers.
    let actual = unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        libc::getppid() // asked after: a parent that died before the first call sends nothing
    };
    actual == parent
}

/// Keeps signals away from this thread, so that the main one is interrupted by them.
pub fn block_signals() {
    // SAFETY: all-zero is a valid signal set to be filled in, and both calls only touch it and this thread's mask.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, std::ptr::null_mut());
    }
}

/// An error if a descriptor has been closed behind its owner's back.
pub fn check_open(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: integers only.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFD) }).map(|_| ())
}

/// Another descriptor for the same open file, above the standard ones, closed on exec.
pub fn duplicate(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: integers only.
    own(check(unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 3) })?)
}

/// Makes `fd` refer to the open file of `source`.
pub fn replace(fd: RawFd, source: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: integers only; by contract nobody owns `fd` as an object.
    check(unsafe { libc::dup2(source.as_raw_fd(), fd) }).map(|_| ())
}

extern "C" {
    static mut stdout: *mut libc::FILE;
}

/// Writes out what C code has printed so far.
pub fn flush_stdout() {
    // SAFETY: the C library's own stream, which exists as long as the process.
    unsafe { libc::fflush(stdout) };
}

/// Has the C library write out its standard output at the end of each line.
pub fn line_buffer_stdout() {
    // SAFETY: the C library's own stream, with a buffer of the library's own.
    unsafe { libc::setvbuf(stdout, std::ptr::null_mut(), libc::_IOLBF, 0) };
}

/// True if the process behind a process descriptor ends within some milliseconds.
pub fn has_ended(process: BorrowedFd<'_>, milliseconds: i32) -> bool {
    wait_for(process, false, milliseconds).unwrap_or(false)
}

static FORKS: AtomicU32 = AtomicU32::new(0);

extern "C" fn count_fork() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// How many forks lie between this process and the first caller's; a change means "this is a child".
pub fn fork_generation() -> u32 {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        // SAFETY: the handler is a plain function that only touches an atomic, and this code is never unloaded.
        unsafe { libc::pthread_atfork(None, None, Some(count_fork)) };
    });
    FORKS.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn bytes_arrive_in_parts() {
        let (one, other) = UnixStream::pair().unwrap();
        let parts = [io::IoSlice::new(b"ab"), io::IoSlice::new(b"cd")];
        assert_eq!(send(one.as_fd(), &parts, Wait::No).unwrap(), 4);
        let mut buffer = vec![b'-'];
        assert_eq!(receive(other.as_fd(), &mut buffer, 3, Wait::No).unwrap(), 3);
        assert_eq!(receive(other.as_fd(), &mut buffer, 9, Wait::Yes).unwrap(), 1);
        assert_eq!(buffer, b"-abcd");
        let empty = receive(other.as_fd(), &mut buffer, 1, Wait::No).unwrap_err();
        assert_eq!(empty.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn the_end_is_an_error_for_the_writer_not_a_signal() {
        let (one, other) = UnixStream::pair().unwrap();
        drop(other);
        let error = send(one.as_fd(), &[io::IoSlice::new(b"x")], Wait::Yes).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_nudge_is_seen_and_drained() {
        let (read, write) = pipe().unwrap();
        let mut poller = Poller::new().unwrap();
        poller.add(read.as_fd(), 7).unwrap();
        let mut ready = Vec::new();
        poller.wait(0, &mut ready).unwrap();
        assert!(ready.is_empty());
        nudge(write.as_fd());
        poller.wait(1000, &mut ready).unwrap();
        assert_eq!((ready[0].token, ready[0].readable), (7, true));
        drain(read.as_fd());
        poller.wait(0, &mut ready).unwrap();
        assert!(ready.is_empty());
    }

    #[test]
    fn a_closed_descriptor_is_refused() {
        assert!(own(99_999).is_err());
    }

    #[test]
    fn the_clock_goes_on() {
        let before = now();
        assert!(now() >= before && before > 0);
    }
}
