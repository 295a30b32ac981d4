//! A station's side of one of its workers: frames from the head go to the worker, its frames go to the head.
//!
//! Owns the real claim table in the coordinator's stead: it offers what comes, takes back what is recalled, and tells what
//! changes. Times in reports become those of the head's clock. Must not know what carries bytes between head and station.
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};

use crate::claims::{ClaimTable, Told};
use crate::frame::{self, FrameError, Kind, HEADER};
use crate::inbox::{Filled, Inbox};
use crate::memory;
use crate::os::{self, Wait};

/// Bytes that are taken from a worker at a time.
const MOST: usize = 4 << 20;
/// Up to so much memory shared buffers are counted, too, since leaving them out takes time.
const SMALL: u64 = 32 << 20;

/// What was taken from a worker.
#[derive(Debug, Default)]
pub struct Taken {
    /// Whole frames for the head.
    pub frames: Vec<u8>,
    /// The worker is gone, and these were its last.
    pub has_ended: bool,
}

/// One worker of a station.
pub struct FarWorker {
    link: OwnedFd,
    claims: ClaimTable,
    told: Told,
    from_head: Inbox,
    from_worker: Inbox,
    to_worker: Vec<u8>,
    sent: usize,
    to_head: Vec<u8>,
    shift: i64,
}

impl FarWorker {
    /// Takes over both descriptors. `shift` added to this machine's monotonic clock gives the head's, in nanoseconds.
    pub fn new(link: RawFd, claims: RawFd, shift: i64) -> io::Result<FarWorker> {
        let (link, claims) = (os::own(link)?, os::own(claims)?);
        Ok(FarWorker {
            link,
            claims: ClaimTable::map(claims)?,
            told: Told::default(),
            from_head: Inbox::default(),
            from_worker: Inbox::default(),
            to_worker: Vec::new(),
            sent: 0,
            to_head: Vec::new(),
            shift,
        })
    }

    /// The link, for whoever waits for it.
    pub fn link(&self) -> RawFd {
        self.link.as_raw_fd()
    }

    /// Announces an epoch of live keys.
    pub fn set_live_epoch(&self, epoch: u64) {
        self.claims.set_live_epoch(epoch);
    }

    /// Takes frames from the head, or parts of them, and sends what the worker's socket takes; true if all of it.
    pub fn deliver(&mut self, bytes: &[u8]) -> Result<bool, FrameError> {
        self.from_head.push(bytes);
        while let Some(frame) = self.from_head.take()? {
            match frame.kind {
                Kind::Tasks => self.offer(&frame.bytes)?,
                Kind::Recall => {
                    self.give_back(frame.body())?;
                    continue;
                }
                Kind::Define | Kind::Forget | Kind::Reply | Kind::Stop => {}
                Kind::Reports | Kind::Request | Kind::Returned => return Err(FrameError::Unexpected(frame.kind)),
            }
            self.to_worker.extend_from_slice(&frame.bytes);
        }
        Ok(self.flush())
    }

    fn offer(&self, bytes: &[u8]) -> Result<(), FrameError> {
        let mut at = HEADER;
        while at < bytes.len() {
            let task = frame::read_task(bytes, at)?;
            self.claims.offer(task.slot, task.ticket);
            at = task.payload.end;
        }
        Ok(())
    }

    fn give_back(&mut self, body: &[u8]) -> Result<(), FrameError> {
        let taken = frame::read_recalls(body).filter(|(ticket, slot)| self.claims.take_back(*slot, *ticket));
        let tickets: Vec<u8> = taken.flat_map(|(ticket, _)| ticket.to_le_bytes()).collect();
        if !tickets.is_empty() {
            frame::append(&mut self.to_head, Kind::Returned, &[&tickets])?;
        }
        Ok(())
    }

    /// Sends what the worker's socket takes; true if nothing is left. A worker that is gone is noticed by `take`.
    pub fn flush(&mut self) -> bool {
        while self.sent < self.to_worker.len() {
            let part = [io::IoSlice::new(&self.to_worker[self.sent..])];
            match os::send(self.link.as_fd(), &part, Wait::No) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(_) => break,
            }
        }
        self.to_worker.clear();
        self.sent = 0;
        true
    }

    /// Takes what the worker has sent, as far as it is whole frames.
    pub fn take(&mut self) -> Result<Taken, FrameError> {
        let mut taken = Taken { frames: std::mem::take(&mut self.to_head), has_ended: false };
        while taken.frames.len() < MOST {
            match self.from_worker.fill(self.link.as_fd(), Wait::No) {
                Ok(Filled::Some) => {}
                Ok(Filled::Empty) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(Filled::Ended) | Err(_) => {
                    taken.has_ended = true;
                    break;
                }
            }
            while let Some(frame) = self.from_worker.take()? {
                if frame.kind == Kind::Reports && self.shift != 0 {
                    let body = shifted(frame.body(), self.shift)?;
                    frame::append(&mut taken.frames, Kind::Reports, &[&body])?;
                } else {
                    taken.frames.extend_from_slice(&frame.bytes);
                }
            }
        }
        Ok(taken)
    }

    /// What has changed in the claim table since the last look.
    pub fn changes(&mut self) -> Vec<u8> {
        self.claims.changes(&mut self.told, self.shift)
    }

    /// Notes how much memory its process has, with its children.
    pub fn measure(&self, pid: i32) {
        self.claims.note_memory(memory::of_family(pid, SMALL));
    }

    /// What the claim table says when the worker has ended.
    pub fn last_changes(&self) -> Vec<u8> {
        self.claims.last_changes()
    }
}

/// The body of a `Reports` frame with all times moved.
fn shifted(body: &[u8], shift: i64) -> Result<Vec<u8>, FrameError> {
    let mut out = Vec::with_capacity(body.len());
    let mut at = 0;
    while at < body.len() {
        let report = frame::read_report(body, at)?;
        let times = (report.started.saturating_add_signed(shift), report.ended.saturating_add_signed(shift));
        let (result, effects) = (&body[report.result.clone()], &body[report.effects.clone()]);
        frame::append_report(&mut out, report.ticket, report.flags, times, result, effects);
        at = report.effects.end;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker_end::{Blocked, WorkerEnd};
    use std::os::fd::IntoRawFd;
    use std::os::unix::net::UnixStream;

    /// A worker, and its station's side with a clock that goes 1000 seconds before.
    fn pair() -> (FarWorker, WorkerEnd) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let claims = os::memory_file().unwrap();
        let copy = claims.try_clone().unwrap();
        let far = FarWorker::new(ours.into_raw_fd(), claims.into_raw_fd(), -1_000_000_000_000).unwrap();
        (far, WorkerEnd::new(theirs.into_raw_fd(), copy.into_raw_fd()).unwrap())
    }

    fn tasks(tickets: std::ops::Range<u64>) -> Vec<u8> {
        let mut out = Vec::new();
        for ticket in tickets {
            frame::append(&mut out, Kind::Tasks, &[&frame::task_head(ticket, ticket as u32, 1), b"x"]).unwrap();
        }
        out
    }

    #[test]
    fn tasks_arrive_in_pieces_and_reports_go_back_by_the_heads_clock() {
        let (mut far, mut end) = pair();
        let bytes = tasks(1..3);
        for piece in bytes.chunks(7) {
            assert!(far.deliver(piece).unwrap());
        }
        let before = os::now();
        for ticket in 1..3 {
            assert_eq!(end.claim_next().unwrap().unwrap().ticket, ticket);
            end.report(ticket, 0, b"r", b"").unwrap();
        }
        assert!(end.flush().unwrap());
        let taken = far.take().unwrap();
        assert!(!taken.has_ended);
        let (_, length) = frame::peek(&taken.frames).unwrap().unwrap();
        frame::verify(&taken.frames[..HEADER + length]).unwrap();
        let report = frame::read_report(&taken.frames, HEADER).unwrap();
        assert_eq!(report.ticket, 1);
        assert!(report.started + 1_000_000_000_000 >= before && report.started < before);
    }

    #[test]
    fn what_is_recalled_in_time_never_begins() {
        let (mut far, mut end) = pair();
        far.deliver(&tasks(1..4)).unwrap();
        assert_eq!(end.claim_next().unwrap().unwrap().ticket, 1);
        let mut recall = Vec::new();
        let body = [frame::recall(1, 1), frame::recall(3, 3)].concat();
        frame::append(&mut recall, Kind::Recall, &[&body]).unwrap();
        far.deliver(&recall).unwrap();
        let taken = far.take().unwrap().frames;
        assert_eq!(frame::peek(&taken).unwrap().unwrap().0, Kind::Returned);
        assert_eq!(frame::read_tickets(&taken[HEADER..]).collect::<Vec<_>>(), [3]);
        end.report(1, 0, b"", b"").unwrap();
        assert_eq!(end.claim_next().unwrap().unwrap().ticket, 2);
        end.report(2, 0, b"", b"").unwrap();
        assert_eq!(end.claim_next().unwrap().unwrap_err(), Blocked::Read);
    }

    #[test]
    fn the_end_of_a_worker_comes_after_its_last_frames() {
        let (mut far, mut end) = pair();
        far.deliver(&tasks(1..2)).unwrap();
        end.claim_next().unwrap().unwrap();
        end.report(1, 0, b"r", b"").unwrap();
        assert!(end.flush().unwrap());
        drop(end);
        let taken = far.take().unwrap();
        assert!(taken.has_ended && !taken.frames.is_empty());
        assert!(far.flush());
    }

    #[test]
    fn garbage_is_an_error() {
        assert!(pair().0.deliver(b"rubbish").is_err());
    }
}
