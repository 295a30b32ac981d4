//! The sending half of the coordinator's side: what waits to be written, sent as far as the socket takes it.
//!
//! Owns the order of bytes on one link. Small frames are gathered into one buffer; a large payload stays where it is
//! and is written from there, so one slow worker blocks nobody and costs no copy.
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;

use crate::claims::ClaimTable;
use crate::frame::{self, FrameError, Kind};
use crate::handover::Place;
use crate::os::{self, Wait};
use crate::payload::{Payload, Shared, LARGE};

enum Chunk {
    Bytes(Vec<u8>),
    Shared(Shared),
}

impl Chunk {
    fn bytes(&self) -> &[u8] {
        match self {
            Chunk::Bytes(bytes) => bytes,
            Chunk::Shared(shared) => (**shared).as_ref(),
        }
    }
}

/// What waits to be written on one link.
#[derive(Default)]
pub struct Outbox {
    chunks: VecDeque<Chunk>,
    sent: usize,    // of the first chunk
    tasks: Vec<u8>, // records of a Tasks frame that is still open
    by_socket: u64, // bytes sent in all
}

impl Outbox {
    /// Adds a task; many small ones share a frame.
    pub fn task(&mut self, ticket: u64, slot: u32, payload: &Payload) {
        let bytes = payload.bytes();
        let head = frame::task_head(ticket, slot, bytes.len());
        match payload {
            Payload::Small(_) => {
                self.tasks.extend_from_slice(&head);
                self.tasks.extend_from_slice(bytes);
                if self.tasks.len() > 4 * LARGE {
                    self.seal();
                }
            }
            Payload::Large(shared) => {
                // Sizes were checked when the payload came in.
                if let Ok(header) = frame::header(Kind::Tasks, &[&head, bytes]) {
                    let small = self.tail();
                    small.extend_from_slice(&header);
                    small.extend_from_slice(&head);
                    self.chunks.push_back(Chunk::Shared(shared.clone()));
                }
            }
        }
    }

    /// Adds a frame of a number and a blob.
    pub fn numbered(&mut self, kind: Kind, number: u64, blob: Option<&Payload>) -> Result<(), FrameError> {
        let number = number.to_le_bytes();
        let bytes = blob.map_or(&[][..], Payload::bytes);
        let header = frame::header(kind, &[&number, bytes])?;
        let small = self.tail();
        small.extend_from_slice(&header);
        small.extend_from_slice(&number);
        match blob {
            Some(Payload::Large(shared)) => self.chunks.push_back(Chunk::Shared(shared.clone())),
            _ => small.extend_from_slice(bytes),
        }
        Ok(())
    }

    /// Adds a frame that is one blob.
    pub fn plain(&mut self, kind: Kind, body: &[u8]) -> Result<(), FrameError> {
        frame::append(self.tail(), kind, &[body])
    }

    /// True if everything was sent.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty() && self.chunks.iter().all(|chunk| chunk.bytes().is_empty())
    }

    /// Leaves everything that waits where the worker is looking; true if it was and all of it fits.
    pub fn leave(&mut self, claims: &ClaimTable) -> bool {
        self.seal();
        let [Chunk::Bytes(bytes)] = self.chunks.make_contiguous() else {
            return false;
        };
        let left = self.sent == 0 && claims.leave(Place::ToWorker, bytes, self.by_socket);
        if left {
            bytes.clear(); // kept, so that its room is used again
        }
        left
    }

    /// Sends what the socket takes now; true if all of it.
    pub fn flush(&mut self, fd: BorrowedFd<'_>) -> io::Result<bool> {
        self.seal();
        while !self.is_empty() {
            let mut parts = [IoSlice::new(&[]); 16];
            let mut count = 0;
            for (index, chunk) in self.chunks.iter().take(parts.len()).enumerate() {
                let bytes = chunk.bytes();
                parts[index] = IoSlice::new(if index == 0 { &bytes[self.sent..] } else { bytes });
                count += 1;
            }
            match os::send(fd, &parts[..count], Wait::No) {
                Ok(sent) => {
                    self.by_socket += sent as u64;
                    self.advance(sent);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn advance(&mut self, mut sent: usize) {
        while let Some(chunk) = self.chunks.front() {
            let left = chunk.bytes().len() - self.sent;
            if sent < left {
                self.sent += sent;
                return;
            }
            sent -= left;
            self.sent = 0;
            self.chunks.pop_front();
        }
    }

    fn seal(&mut self) {
        if self.tasks.is_empty() {
            return;
        }
        let tasks = std::mem::take(&mut self.tasks);
        if let Ok(header) = frame::header(Kind::Tasks, &[&tasks]) {
            let small = self.last();
            small.extend_from_slice(&header);
            small.extend_from_slice(&tasks);
        }
        self.tasks = tasks;
        self.tasks.clear();
    }

    /// The buffer at the end, with everything before it in order.
    fn tail(&mut self) -> &mut Vec<u8> {
        self.seal();
        self.last()
    }

    fn last(&mut self) -> &mut Vec<u8> {
        if !matches!(self.chunks.back(), Some(Chunk::Bytes(bytes)) if bytes.len() < 4 * LARGE) {
            self.chunks.push_back(Chunk::Bytes(Vec::new()));
        }
        match self.chunks.back_mut() {
            Some(Chunk::Bytes(bytes)) => bytes,
            _ => unreachable!("a byte chunk was just put at the back"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::HEADER;
    use crate::inbox::Inbox;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn everything_arrives_in_order_through_a_narrow_socket() {
        let (one, other) = UnixStream::pair().unwrap();
        let mut out = Outbox::default();
        out.numbered(Kind::Define, 5, Some(&Payload::from_vec(vec![1; 3 * LARGE]))).unwrap();
        out.task(1, 0, &Payload::from_vec(b"small".to_vec()));
        out.task(2, 1, &Payload::from_vec(vec![2; 3_000_000]));
        out.task(3, 2, &Payload::from_vec(b"last".to_vec()));
        out.plain(Kind::Stop, b"").unwrap();
        let mut inbox = Inbox::default();
        let mut seen = Vec::new();
        while !out.flush(one.as_fd()).unwrap() || seen.len() < 5 {
            inbox.fill(other.as_fd(), Wait::No).unwrap();
            while let Some(frame) = inbox.take().unwrap() {
                seen.push((frame.kind, frame.body().len()));
            }
        }
        let task = frame::TASK_HEAD;
        let expected = [
            (Kind::Define, 8 + 3 * LARGE),
            (Kind::Tasks, task + 5),
            (Kind::Tasks, task + 3_000_000),
            (Kind::Tasks, task + 4),
            (Kind::Stop, 0),
        ];
        assert_eq!(seen, expected);
        assert!(out.is_empty() && HEADER == 12);
    }
}
