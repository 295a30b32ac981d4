//! Reports on their way out of a worker, and the thread that sends them while a long task runs.
//!
//! Owns the bytes not yet sent. The main thread sends them itself whenever it can; the flusher exists for one case only:
//! tasks ended a moment ago, and now a long one runs. It starts when that first happens and sleeps otherwise.
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::claims::ClaimTable;
use crate::frame::{self, FrameError, Kind, HEADER};
use crate::handover::Place;
use crate::os::{self, Wait};

/// Reports wait at most about this long, in nanoseconds.
pub const LINGER: u64 = crate::batch::BEAT;
/// Reports are sent once they are this many bytes.
pub const FULL: usize = 64 * 1024;

/// What the worker's two threads share: the link and the reports not yet sent.
pub struct Outgoing {
    pub link: OwnedFd,
    reports: Mutex<Reports>,
    pub armed: Condvar,
}

impl Outgoing {
    /// Nothing to send yet.
    pub fn new(link: OwnedFd) -> Outgoing {
        Outgoing { link, reports: Mutex::new(Reports::new()), armed: Condvar::new() }
    }

    pub fn lock(&self) -> MutexGuard<'_, Reports> {
        self.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends reports that have waited long enough, while there are any; sleeps otherwise.
    pub fn run_flusher(&self) {
        let mut reports = self.lock();
        while !reports.closed {
            if !reports.armed {
                reports = self.armed.wait(reports).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let tick = Duration::from_nanos(LINGER);
            reports = self.armed.wait_timeout(reports, tick).unwrap_or_else(PoisonError::into_inner).0;
            let now = os::now();
            if reports.is_empty() {
                reports.armed = false;
            } else if now.saturating_sub(reports.flushed_at) >= LINGER {
                let _ = reports.flush(&self.link, now); // the main thread will meet the same error
            }
        }
    }
}

pub struct Reports {
    /// Records of a frame, behind room for its header.
    pub open: Vec<u8>,
    /// Whole frames.
    pub wire: Vec<u8>,
    sent: usize,    // of wire
    by_socket: u64, // bytes sent in all
    pub flushed_at: u64,
    /// The flusher is awake and looks every moment.
    pub armed: bool,
    pub closed: bool,
}

impl Reports {
    fn new() -> Reports {
        let open = vec![0; HEADER];
        Reports { open, wire: Vec::new(), sent: 0, by_socket: 0, flushed_at: 0, armed: false, closed: false }
    }

    pub fn is_empty(&self) -> bool {
        self.open.len() == HEADER && self.wire.is_empty()
    }

    pub fn seal(&mut self) -> Result<(), FrameError> {
        if self.open.len() == HEADER {
            return Ok(());
        }
        let header = frame::header(Kind::Reports, &[&self.open[HEADER..]])?;
        self.open[..HEADER].copy_from_slice(&header);
        if self.wire.is_empty() {
            std::mem::swap(&mut self.open, &mut self.wire);
        } else {
            self.wire.append(&mut self.open);
        }
        self.open.clear();
        if self.open.capacity() > 16 * FULL {
            self.open = Vec::new();
        }
        self.open.resize(HEADER, 0);
        Ok(())
    }

    /// Leaves everything where the coordinator is looking; true if it was and all of it fits.
    pub fn leave(&mut self, claims: &ClaimTable, now: u64) -> Result<bool, FrameError> {
        self.seal()?;
        if self.sent > 0 || self.wire.is_empty() || !claims.leave(Place::FromWorker, &self.wire, self.by_socket) {
            return Ok(false);
        }
        self.flushed_at = now;
        self.wire.clear();
        Ok(true)
    }

    pub fn flush(&mut self, link: &OwnedFd, now: u64) -> io::Result<bool> {
        self.seal().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        self.flushed_at = now;
        while self.sent < self.wire.len() {
            match os::send(link.as_fd(), &[io::IoSlice::new(&self.wire[self.sent..])], Wait::No) {
                Ok(count) => {
                    self.sent += count;
                    self.by_socket += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.wire.clear();
                    self.sent = 0;
                    return Err(error);
                }
            }
        }
        self.wire.clear();
        if self.wire.capacity() > 16 * FULL {
            self.wire = Vec::new();
        }
        self.sent = 0;
        Ok(true)
    }
}
