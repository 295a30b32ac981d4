//! The worker's end of a link: tasks come in, reports go out.
//!
//! Owns the local queue, the definitions not yet fetched, and the reports not yet sent. Must not know Python or what a
//! payload means. Nothing here waits except [`WorkerEnd::wait_readable`] and [`WorkerEnd::wait_writable`], so that the
//! caller can let go of its interpreter lock for exactly those.
use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, RawFd};
use std::sync::Arc;

use crate::claims::{Claim, ClaimTable};
use crate::end_error::EndError;
use crate::frame::{self, FrameError, Kind, HEADER, MAX_BODY};
use crate::handover::Place;
use crate::inbox::{Filled, Frame, Inbox};
use crate::os::{self, Wait};
use crate::output::{OutputFiles, OutputWatch, DESCRIPTORS};
use crate::reports::{Outgoing, FULL, LINGER};
use crate::tickets::NumberMap;

/// A task that this worker has claimed.
#[derive(Debug)]
pub struct Task {
    /// Its ticket.
    pub ticket: u64,
    /// The frame it came in.
    pub bytes: Arc<Vec<u8>>,
    /// Where its payload is in the frame.
    pub payload: Range<usize>,
}

/// Why a call could not be completed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// Call `wait_readable` and try again.
    Read,
    /// Call `wait_writable` and try again.
    Write,
    /// There is nothing more to do: Stop, or the coordinator is gone.
    Over,
}

/// The longest look, in nanoseconds, whatever the coordinator says.
const MOST_PATIENCE: u64 = 200_000;

struct Running {
    ticket: u64,
    slot: u32,
    started: u64,
}

/// The worker's end of a link.
pub struct WorkerEnd {
    shared: Arc<Outgoing>,
    claims: Arc<ClaimTable>,
    inbox: Inbox,
    tasks: VecDeque<(Frame, usize)>,
    definitions: NumberMap<Frame>,
    forgotten: Vec<u64>,
    replies: VecDeque<Frame>,
    running: Option<Running>,
    stop: bool,
    gone: bool,
    has_flusher: bool,
    generation: u32,
    output: Option<Arc<OutputWatch>>,
}

impl WorkerEnd {
    /// Takes over both descriptors.
    pub fn new(link: RawFd, claims: RawFd) -> io::Result<WorkerEnd> {
        let (link, claims) = (os::own(link)?, os::own(claims)?);
        Ok(WorkerEnd {
            shared: Arc::new(Outgoing::new(link)),
            claims: Arc::new(ClaimTable::map(claims)?),
            inbox: Inbox::default(),
            tasks: VecDeque::new(),
            definitions: NumberMap::default(),
            forgotten: Vec::new(),
            replies: VecDeque::new(),
            running: None,
            stop: false,
            gone: false,
            has_flusher: false,
            generation: os::fork_generation(),
            output: None,
        })
    }

    /// From now on reports say what their tasks wrote to descriptors 1 and 2 (see [`DESCRIPTORS`]).
    pub fn watch_output(&mut self, given: OutputFiles) -> io::Result<Arc<OutputWatch>> {
        let watch = Arc::new(OutputWatch::new(given)?);
        self.output = Some(Arc::clone(&watch));
        Ok(watch)
    }

    /// True in a child that a task forked: the link is its parent's.
    pub fn is_forked(&self) -> bool {
        os::fork_generation() != self.generation
    }

    /// True if another task is here already that has not been taken back, so asking for the next one will hardly wait.
    pub fn has_queued(&self) -> bool {
        self.tasks.iter().any(|(frame, at)| {
            let mut at = *at;
            while at < frame.bytes.len() {
                let Ok(record) = frame::read_task(&frame.bytes, at) else {
                    return true; // whoever asks for the next task is told
                };
                if self.claims.look(record.slot, record.ticket) == Claim::Queued {
                    return true;
                }
                at = record.payload.end;
            }
            false
        })
    }

    /// The next task that could be claimed.
    pub fn claim_next(&mut self) -> Result<Result<Task, Blocked>, EndError> {
        loop {
            while let Some((frame, at)) = self.tasks.front_mut() {
                if *at >= frame.bytes.len() {
                    self.tasks.pop_front();
                    continue;
                }
                let record = frame::read_task(&frame.bytes, *at)?;
                *at = record.payload.end;
                let now = os::now();
                if self.claims.start(record.slot, record.ticket, now) {
                    let bytes = Arc::clone(&frame.bytes);
                    self.running = Some(Running { ticket: record.ticket, slot: record.slot, started: now });
                    self.arm();
                    return Ok(Ok(Task { ticket: record.ticket, bytes, payload: record.payload }));
                }
            }
            if self.gone || self.stop {
                return Ok(Err(Blocked::Over));
            }
            if !self.receive(Wait::No)? {
                return Ok(Err(if self.flush()? { Blocked::Read } else { Blocked::Write }));
            }
        }
    }

    /// The blob of a key, once.
    pub fn definition(&mut self, key: u64) -> Option<Frame> {
        self.definitions.remove(&key)
    }

    /// The keys that are not needed any more.
    pub fn take_forgotten(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.forgotten)
    }

    /// Ends the running task. What is too large to send is refused before anything has changed. True if the report
    /// (and all before it) may wait; false if [`WorkerEnd::wait_writable`] should follow, and then `flush`.
    pub fn report(&mut self, ticket: u64, flags: u32, result: &[u8], effects: &[u8]) -> Result<bool, EndError> {
        let size = frame::REPORT_HEAD + result.len() + effects.len() + 16; // room for positions
        if size > MAX_BODY {
            return Err(FrameError::TooLarge(size).into());
        }
        let Some(running) = self.running.take_if(|running| running.ticket == ticket) else {
            return Err(EndError::NotRunning(ticket));
        };
        let now = os::now();
        let written = match &self.output {
            Some(output) => self.claims.told(output.look(self.shared.link.as_fd(), running.started, now))?,
            None => None,
        };
        let with_positions;
        let (flags, effects) = match written {
            None => (flags, effects),
            Some(positions) => {
                let bytes = positions.map(i64::to_le_bytes);
                with_positions = [effects, &bytes[0], &bytes[1]].concat();
                (flags | DESCRIPTORS, with_positions.as_slice())
            }
        };
        let size = frame::REPORT_HEAD + result.len() + effects.len();
        self.claims.finish(running.slot, ticket);
        let mut reports = self.shared.lock();
        if reports.open.len() + size > MAX_BODY {
            reports.seal()?;
        }
        frame::append_report(&mut reports.open, ticket, flags, (running.started, now), result, effects);
        if self.claims.patience() > 0 && !self.has_queued() && reports.leave(&self.claims, now)? {
            return Ok(true); // the coordinator waits for nothing but this
        }
        if reports.open.len() >= FULL || now.saturating_sub(reports.flushed_at) >= LINGER {
            let sent = reports.flush(&self.shared.link, now);
            drop(reports);
            return self.outcome(sent);
        }
        Ok(true)
    }

    /// Tells who looks from outside what the running task is called.
    pub fn name(&self, name: &str) {
        self.claims.name(name);
    }

    /// The running task has all it needs, and its body is called now: from here on its time counts.
    pub fn begin_body(&mut self) {
        self.claims.begin_body(os::now());
    }

    /// True while this ticket's task runs.
    pub fn is_running(&self, ticket: u64) -> bool {
        self.running.as_ref().is_some_and(|running| running.ticket == ticket)
    }

    /// Asks the coordinator; `take_reply` has the answer when it comes.
    pub fn request(&mut self, ticket: u64, body: &[u8]) -> Result<(), EndError> {
        let mut reports = self.shared.lock();
        reports.seal()?;
        frame::append(&mut reports.wire, Kind::Request, &[&ticket.to_le_bytes(), body])?;
        Ok(())
    }

    /// The answer to the request, if it is there.
    pub fn take_reply(&mut self) -> Result<Result<Frame, Blocked>, EndError> {
        loop {
            if let Some(reply) = self.replies.pop_front() {
                return Ok(Ok(reply));
            }
            if self.gone {
                return Ok(Err(Blocked::Over));
            }
            if !self.flush()? {
                return Ok(Err(Blocked::Write));
            }
            if !self.receive(Wait::No)? {
                return Ok(Err(if self.gone { Blocked::Over } else { Blocked::Read }));
            }
        }
    }

    /// Sends what the socket takes; true if nothing is left (or nobody is there to take it).
    pub fn flush(&mut self) -> Result<bool, EndError> {
        let mut reports = self.shared.lock();
        if reports.is_empty() {
            return Ok(true);
        }
        let now = os::now();
        if reports.leave(&self.claims, now)? {
            return Ok(true);
        }
        let sent = reports.flush(&self.shared.link, now);
        drop(reports);
        self.outcome(sent)
    }

    /// Waits for bytes from the coordinator, and takes them.
    pub fn wait_readable(&mut self) -> Result<(), EndError> {
        if !self.look_out()? {
            self.receive(Wait::Yes)?;
        }
        Ok(())
    }

    /// Looks for a moment where the coordinator leaves what is small, if it said that it will be quick.
    fn look_out(&mut self) -> Result<bool, EndError> {
        let patience = self.claims.patience().min(MOST_PATIENCE);
        if patience == 0 || !self.inbox.is_empty() {
            return Ok(false);
        }
        self.claims.open(Place::ToWorker);
        // What was sent by the socket before would else have to wait.
        let sent = self.claims.told(self.inbox.fill(self.shared.link.as_fd(), Wait::No))?;
        if sent == Filled::Empty {
            self.claims.look_until(Place::ToWorker, os::now() + patience);
        }
        let left = self.inbox.take_from(&self.claims, Place::ToWorker, self.shared.link.as_fd());
        let left = self.claims.told(left)?;
        if sent == Filled::Ended || left == Filled::Ended {
            self.end();
        } else if sent == Filled::Some || left == Filled::Some {
            self.sort()?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Waits until the socket takes more.
    pub fn wait_writable(&mut self) -> Result<(), EndError> {
        self.claims.told(os::wait_for(self.shared.link.as_fd(), true, -1))?;
        Ok(())
    }

    /// The shared block, which any thread may look at meanwhile.
    pub fn claims(&self) -> Arc<ClaimTable> {
        Arc::clone(&self.claims)
    }

    /// The epoch that the coordinator announced last.
    pub fn live_epoch(&self) -> u64 {
        self.claims.live_epoch()
    }

    /// Puts bytes on the link as they are.
    #[cfg(test)]
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.shared.lock().wire.extend_from_slice(bytes);
        assert!(self.flush().unwrap());
    }

    fn outcome(&mut self, sent: io::Result<bool>) -> Result<bool, EndError> {
        match sent {
            Ok(all) => Ok(all),
            Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {
                self.gone = true;
                Ok(true)
            }
            Err(error) => Ok(self.claims.told(Err(error))?),
        }
    }

    /// Receives once and sorts the frames; false if there was nothing.
    fn receive(&mut self, wait: Wait) -> Result<bool, EndError> {
        match self.claims.told(self.inbox.fill(self.shared.link.as_fd(), wait))? {
            Filled::Empty => return Ok(false),
            Filled::Ended => {
                self.end();
                return Ok(true);
            }
            Filled::Some => {}
        }
        self.sort()?;
        Ok(true)
    }

    /// The coordinator is gone.
    fn end(&mut self) {
        self.gone = true;
        self.tasks.clear(); // nobody would hear of them
    }

    fn sort(&mut self) -> Result<(), EndError> {
        while let Some(frame) = self.inbox.take()? {
            match frame.kind {
                Kind::Tasks => self.tasks.push_back((frame, HEADER)),
                Kind::Reply => self.replies.push_back(frame),
                Kind::Stop => self.stop = true,
                Kind::Define => {
                    let (key, _) = frame::read_numbered(frame.kind, &frame.bytes, HEADER)?;
                    self.definitions.insert(key, frame);
                }
                Kind::Forget => {
                    let (key, _) = frame::read_numbered(frame.kind, &frame.bytes, HEADER)?;
                    if self.definitions.remove(&key).is_none() {
                        self.forgotten.push(key);
                    }
                }
                Kind::Reports | Kind::Request | Kind::Recall | Kind::Returned => {
                    return Err(FrameError::Unexpected(frame.kind).into())
                }
            }
        }
        Ok(())
    }

    /// A task begins while reports are waiting: if it is a long one, somebody else must send them.
    fn arm(&mut self) {
        let mut reports = self.shared.lock();
        if reports.is_empty() || reports.armed {
            return;
        }
        reports.armed = true;
        drop(reports);
        if self.has_flusher {
            self.shared.armed.notify_one();
        } else {
            self.has_flusher = true;
            let shared = Arc::clone(&self.shared);
            // Without the thread reports are only later.
            let _ = std::thread::Builder::new().name("reports".to_owned()).stack_size(64 * 1024).spawn(move || {
                os::block_signals();
                shared.run_flusher();
            });
        }
    }
}

impl Drop for WorkerEnd {
    fn drop(&mut self) {
        if !self.is_forked() {
            self.shared.lock().closed = true;
            self.shared.armed.notify_one();
        }
    }
}
