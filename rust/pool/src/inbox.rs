//! The receiving half of a link: bytes from a socket, cut into checked frames.
//!
//! Owns the buffer of what has arrived. Must not know what frames mean.
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use crate::claims::ClaimTable;
use crate::frame::{self, FrameError, Kind, HEADER};
use crate::handover::Place;
use crate::os::{self, Wait};

/// Room for one system call when no large frame is under way.
const CHUNK: usize = 256 * 1024;
/// Growth while a large frame arrives: a false length must not reserve a gigabyte.
const STEP: usize = 4 * 1024 * 1024;

/// A complete, checked frame; its body starts at [`HEADER`].
#[derive(Clone, Debug)]
pub struct Frame {
    pub(crate) kind: Kind,
    pub(crate) bytes: Arc<Vec<u8>>,
}

impl Frame {
    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.bytes[HEADER..]
    }
}

/// What a call to [`Inbox::fill`] brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filled {
    /// Some bytes; there may be more.
    Some,
    /// Nothing now.
    Empty,
    /// The other side is gone.
    Ended,
}

/// What has arrived and is not yet taken.
#[derive(Default)]
pub struct Inbox {
    buffer: Vec<u8>,
    start: usize,
    received: u64, // by the socket, in all
}

impl Inbox {
    /// Receives once.
    pub fn fill(&mut self, fd: BorrowedFd<'_>, wait: Wait) -> io::Result<Filled> {
        let room = self.room();
        match os::receive(fd, &mut self.buffer, room, wait) {
            Ok(0) => Ok(Filled::Ended),
            Ok(count) => {
                self.received += count as u64;
                Ok(Filled::Some)
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => Ok(Filled::Empty),
                io::ErrorKind::ConnectionReset => Ok(Filled::Ended),
                _ => Err(error),
            },
        }
    }

    /// Shuts a place and takes what was left there, between what was sent by the socket before it and after it.
    pub fn take_from(&mut self, claims: &ClaimTable, place: Place, fd: BorrowedFd<'_>) -> io::Result<Filled> {
        let mut left = Vec::new();
        let Some(taken) = claims.shut(place, &mut left) else {
            return Ok(Filled::Empty);
        };
        let mixed_up = || io::Error::new(io::ErrorKind::InvalidData, "bytes out of order");
        while self.received < taken.before {
            match self.fill(fd, Wait::No)? {
                Filled::Some => {}
                Filled::Ended => return Ok(Filled::Ended),
                Filled::Empty => return Err(mixed_up()), // it says that more was sent than was
            }
        }
        let behind = (self.received - taken.before) as usize;
        let at = self.buffer.len().checked_sub(behind).filter(|at| *at >= self.start).ok_or_else(mixed_up)?;
        self.buffer.splice(at..at, left);
        Ok(Filled::Some)
    }

    /// Adds bytes as if they had arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete frame, if there is one.
    pub fn take(&mut self) -> Result<Option<Frame>, FrameError> {
        let waiting = &self.buffer[self.start..];
        let Some((kind, length)) = frame::peek(waiting)? else {
            return Ok(None);
        };
        let total = HEADER + length;
        let Some(bytes) = waiting.get(..total) else {
            return Ok(None);
        };
        frame::verify(bytes)?;
        let bytes = if self.start == 0 && self.buffer.len() == total && total > CHUNK {
            std::mem::take(&mut self.buffer) // a large frame is handed over, not copied
        } else {
            bytes.to_vec()
        };
        if !self.buffer.is_empty() {
            self.start += total;
            self.tidy();
        }
        Ok(Some(Frame { kind, bytes: Arc::new(bytes) }))
    }

    /// True if nothing is waiting, not even a part of a frame.
    pub fn is_empty(&self) -> bool {
        self.start == self.buffer.len()
    }

    /// How much to ask for: exactly the rest of a large frame (so that it ends the buffer), else a chunk.
    fn room(&self) -> usize {
        let waiting = &self.buffer[self.start..];
        match frame::peek(waiting) {
            Ok(Some((_, length))) if HEADER + length > CHUNK => {
                (HEADER + length).saturating_sub(waiting.len()).clamp(1, STEP.max(waiting.len()))
            }
            _ => CHUNK,
        }
    }

    fn tidy(&mut self) {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        } else if self.start > CHUNK
            || frame::peek(&self.buffer[self.start..]).is_ok_and(|f| f.is_some_and(|f| f.1 > CHUNK))
        {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn frames_are_found_however_the_bytes_are_cut() {
        let mut wire = Vec::new();
        for number in 0..20_u8 {
            frame::append(&mut wire, Kind::Reply, &[&vec![number; usize::from(number) * 7]]).unwrap();
        }
        for cut in [1, 2, 3, 11, 12, 13, 100] {
            let (mut one, other) = UnixStream::pair().unwrap();
            let mut inbox = Inbox::default();
            let mut seen = 0_u8;
            for part in wire.chunks(cut) {
                one.write_all(part).unwrap();
                assert_eq!(inbox.fill(other.as_fd(), Wait::No).unwrap(), Filled::Some);
                while let Some(frame) = inbox.take().unwrap() {
                    assert_eq!(frame.body(), vec![seen; usize::from(seen) * 7]);
                    seen += 1;
                }
            }
            assert!(seen == 20 && inbox.is_empty());
        }
    }

    fn frame_of(body: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        frame::append(&mut frame, Kind::Reply, &[body]).unwrap();
        frame
    }

    #[test]
    fn what_was_left_goes_between_what_was_sent_before_and_after() {
        for filled_first in [false, true] {
            let claims = ClaimTable::map(os::memory_file().unwrap()).unwrap();
            let (mut one, other) = UnixStream::pair().unwrap();
            let mut inbox = Inbox::default();
            let before = frame_of(b"before");
            one.write_all(&before).unwrap();
            claims.open(Place::ToWorker);
            assert!(claims.leave(Place::ToWorker, &frame_of(b"left"), before.len() as u64));
            if filled_first {
                one.write_all(&frame_of(b"after")).unwrap();
                inbox.fill(other.as_fd(), Wait::No).unwrap();
            }
            assert_eq!(inbox.take_from(&claims, Place::ToWorker, other.as_fd()).unwrap(), Filled::Some);
            let mut bodies = Vec::new();
            while let Some(frame) = inbox.take().unwrap() {
                bodies.push(String::from_utf8(frame.body().to_vec()).unwrap());
            }
            assert_eq!(bodies[..2], ["before", "left"]);
            assert_eq!(bodies.len(), if filled_first { 3 } else { 2 });
        }
    }

    #[test]
    fn a_false_count_of_what_was_sent_before_is_an_error() {
        let claims = ClaimTable::map(os::memory_file().unwrap()).unwrap();
        let (mut one, other) = UnixStream::pair().unwrap();
        let mut inbox = Inbox::default();
        let mut take = |before| {
            claims.open(Place::ToWorker);
            assert!(claims.leave(Place::ToWorker, b"", before));
            inbox.take_from(&claims, Place::ToWorker, other.as_fd()).map_err(|error| error.kind())
        };
        assert_eq!(take(1), Err(io::ErrorKind::InvalidData));
        one.write_all(b"x").unwrap();
        assert_eq!(take(1), Ok(Filled::Some));
        assert_eq!(take(0), Ok(Filled::Some)); // just before it, for it has not been looked at yet
        assert_eq!(take(2), Err(io::ErrorKind::InvalidData));
    }

    #[test]
    fn a_large_frame_between_small_ones() {
        let (one, other) = UnixStream::pair().unwrap();
        let large = vec![7_u8; 9_000_000];
        let mut wire = Vec::new();
        frame::append(&mut wire, Kind::Reply, &[b"before"]).unwrap();
        frame::append(&mut wire, Kind::Reply, &[&large]).unwrap();
        frame::append(&mut wire, Kind::Reply, &[b"after"]).unwrap();
        let writer = std::thread::spawn(move || (&one).write_all(&wire).unwrap());
        let mut inbox = Inbox::default();
        let mut frames = Vec::new();
        while frames.len() < 3 {
            inbox.fill(other.as_fd(), Wait::Yes).unwrap();
            while let Some(frame) = inbox.take().unwrap() {
                frames.push(frame.body().to_vec());
            }
        }
        writer.join().unwrap();
        assert_eq!((&frames[0][..], &frames[2][..]), (&b"before"[..], &b"after"[..]));
        assert!(frames[1] == large);
        assert_eq!(inbox.fill(other.as_fd(), Wait::No).unwrap(), Filled::Ended);
    }

    #[test]
    fn rubbish_is_an_error() {
        let (mut one, other) = UnixStream::pair().unwrap();
        one.write_all(b"rubbish").unwrap();
        let mut inbox = Inbox::default();
        inbox.fill(other.as_fd(), Wait::No).unwrap();
        assert!(matches!(inbox.take(), Err(FrameError::BadMagic(_))));
    }
}
