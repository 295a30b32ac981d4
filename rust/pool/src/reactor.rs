//! The reactor: gives queued tasks to workers, takes in what they send, and notices when they die.
//!
//! Owns the queue of tasks not yet reported, the definitions, and all workers' links. Runs without Python and without
//! threads: the caller's `step` does the waiting and the work. Must not know what a task means, retry anything that
//! was running, or start processes: it says what happened ([`Event`]) and the caller decides.
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use crate::batch::{Durations, HIGH};
use crate::claims::{Claim, ClaimTable, MAX_TICKET, SLOTS};
use crate::frame::{self, FrameError, Kind, HEADER, MAX_BODY};
use crate::inbox::{Filled, Frame};
use crate::os::{self, Poller, Ready, Wait};
use crate::payload::Payload;
use crate::tickets::NumberMap;
use crate::worker::{Standing, Worker};

/// The longest single wait, so that the caller can look after signals that came in an unlucky moment.
const TICK: u64 = 100_000_000;
/// Receives per wake-up and worker: one that sends a gigabyte must not keep the others waiting.
const TURNS: usize = 16;
const WAKE: u64 = u64::MAX;

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// A task ended. The ranges are of `bytes`; times are nanoseconds of the monotonic clock.
    Report {
        ticket: u64,
        worker: usize,
        flags: u32,
        started: u64,
        ended: u64,
        bytes: Arc<Vec<u8>>,
        result: Range<usize>,
        effects: Range<usize>,
    },
    /// The running task asks and waits for a reply.
    Request { ticket: u64, worker: usize, bytes: Arc<Vec<u8>>, body: usize },
    /// A worker is gone, and with it the task it was running.
    Lost { running: Option<u64>, worker: usize, pid: i32, why: String },
    /// The running task is over its time; nanoseconds so far.
    Timeout { ticket: u64, worker: usize, running: u64 },
}

/// Why a call was refused.
#[derive(Debug)]
pub enum PoolError {
    /// A payload or blob that no frame can carry.
    TooLarge(FrameError),
    /// The ticket is in the pool already, or out of range.
    BadTicket(u64),
    /// A task names a key that was not defined.
    Undefined(u64),
    /// No such worker.
    NoWorker(usize),
    /// The system refused.
    Io(io::Error),
}

impl fmt::Display for PoolError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PoolError::TooLarge(error) => write!(out, "{error}"),
            PoolError::BadTicket(ticket) => write!(out, "ticket {ticket} is in use or out of range"),
            PoolError::Undefined(key) => write!(out, "key {key} is not defined"),
            PoolError::NoWorker(worker) => write!(out, "there is no worker {worker}"),
            PoolError::Io(error) => write!(out, "{error}"),
        }
    }
}

impl std::error::Error for PoolError {}

impl From<io::Error> for PoolError {
    fn from(error: io::Error) -> PoolError {
        PoolError::Io(error)
    }
}

/// What became of a cancelled ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// Not in the pool, or ended with its report on the way.
    Unknown,
    /// Taken back; it never ran.
    TakenBack,
    /// Running now.
    Running,
}

/// Why `step` returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// There are events.
    Events,
    /// Somebody wrote to the wake descriptor.
    Nudged,
    /// A signal, or a moment passed: look after signals and come again.
    Tick,
    /// The deadline passed.
    TimedOut,
}

struct Entry {
    payload: Payload,
    definitions: Box<[u64]>,
    timeout: Option<u64>,
    worker: Option<usize>,
    cancelled: bool,
}

impl Entry {
    fn function(&self) -> u64 {
        self.definitions.first().copied().unwrap_or(u64::MAX)
    }
}

/// All workers and all tasks that are not yet reported.
pub struct Reactor {
    workers: Vec<Option<Worker>>,
    entries: NumberMap<Entry>,
    queue: VecDeque<u64>, // may hold tickets that were cancelled; `queued` counts the others
    queued: usize,
    definitions: NumberMap<Payload>,
    durations: Durations,
    events: VecDeque<Event>,
    poller: Poller,
    ready: Vec<Ready>,
    wake: (OwnedFd, OwnedFd),
    latest_worker: usize,
    latest_function: u64,
    live_epoch: u64,
}

impl Reactor {
    /// No workers, no tasks.
    pub fn new() -> io::Result<Reactor> {
        let poller = Poller::new()?;
        let wake = os::pipe()?;
        poller.add(wake.0.as_fd(), WAKE)?;
        Ok(Reactor {
            workers: Vec::new(),
            entries: NumberMap::default(),
            queue: VecDeque::new(),
            queued: 0,
            definitions: NumberMap::default(),
            durations: Durations::default(),
            events: VecDeque::new(),
            poller,
            ready: Vec::new(),
            wake,
            latest_worker: 0,
            latest_function: u64::MAX,
            live_epoch: 0,
        })
    }

    /// The clock that deadlines are given in: nanoseconds, monotonic.
    pub fn now() -> u64 {
        os::now()
    }

    /// Takes over a worker's descriptors; `process` is a process descriptor, if there is one.
    pub fn add_worker(&mut self, link: RawFd, claims: RawFd, pid: i32, process: Option<RawFd>) -> Result<usize, PoolError> {
        let (link, claims) = (os::own(link)?, os::own(claims)?);
        let process = process.map(os::own).transpose()?;
        let claims = ClaimTable::map(claims)?;
        claims.set_live_epoch(self.live_epoch);
        let index = self.workers.len();
        self.poller.add(link.as_fd(), index as u64 * 2)?;
        if let Some(process) = &process {
            self.poller.add(process.as_fd(), index as u64 * 2 + 1)?;
        }
        self.workers.push(Some(Worker::new(link, claims, pid, process)));
        Ok(index)
    }

    /// Tells the process of a worker that was added before it was known.
    pub fn set_process(&mut self, worker: usize, pid: i32, process: RawFd) -> Result<(), PoolError> {
        let process = os::own(process)?;
        let token = worker as u64 * 2 + 1;
        let worker = self.workers.get_mut(worker).and_then(Option::as_mut).ok_or(PoolError::NoWorker(worker))?;
        self.poller.add(process.as_fd(), token)?;
        worker.pid = pid;
        worker.process = Some(process);
        Ok(())
    }

    /// Closes a worker's link; what it had in flight is handled as if it had died.
    pub fn remove_worker(&mut self, worker: usize) {
        if self.workers.get(worker).is_some_and(Option::is_some) {
            let before = self.events.len();
            self.lose(worker, "it was removed".to_owned());
            self.events.retain({
                let mut index = 0;
                move |event| {
                    index += 1;
                    index <= before || !matches!(event, Event::Lost { running: None, .. })
                }
            });
        }
    }

    /// Lets a worker finish what it has begun and end.
    pub fn stop_worker(&mut self, worker: usize) -> Result<(), PoolError> {
        self.release(worker);
        let worker = self.workers.get_mut(worker).and_then(Option::as_mut).ok_or(PoolError::NoWorker(worker))?;
        worker.standing = Standing::Stopping;
        worker.outbox.plain(Kind::Stop, &[]).map_err(PoolError::TooLarge)?;
        Ok(())
    }

    /// Keeps a blob to be sent to each worker before its first task that names the key.
    pub fn define(&mut self, key: u64, blob: Payload) -> Result<(), PoolError> {
        check_size(blob.bytes().len())?;
        self.definitions.insert(key, blob);
        Ok(())
    }

    /// Drops a blob here and in the workers.
    pub fn forget(&mut self, key: u64) {
        self.definitions.remove(&key);
        self.durations.forget(key);
        for worker in self.workers.iter_mut().flatten() {
            if worker.known.remove(&key) {
                // A frame of eight bytes always fits.
                let _ = worker.outbox.numbered(Kind::Forget, key, None);
            }
        }
    }

    /// Puts a task into the queue; `timeout` is in nanoseconds of running.
    pub fn submit(
        &mut self,
        ticket: u64,
        payload: Payload,
        definitions: &[u64],
        timeout: Option<u64>,
        urgent: bool,
    ) -> Result<(), PoolError> {
        check_size(payload.bytes().len())?;
        if let Some(key) = definitions.iter().find(|key| !self.definitions.contains_key(key)) {
            return Err(PoolError::Undefined(*key));
        }
        if ticket >= MAX_TICKET || self.entries.contains_key(&ticket) {
            return Err(PoolError::BadTicket(ticket));
        }
        let entry = Entry { payload, definitions: definitions.into(), timeout, worker: None, cancelled: false };
        self.latest_function = entry.function();
        self.entries.insert(ticket, entry);
        self.queued += 1;
        if urgent {
            self.queue.push_front(ticket);
        } else {
            self.queue.push_back(ticket);
        }
        Ok(())
    }

    /// Takes a task back if it has not begun. If it is running, its worker gets no more tasks until it ends, as the
    /// caller probably kills it.
    pub fn cancel(&mut self, ticket: u64) -> Cancelled {
        let Some(entry) = self.entries.get_mut(&ticket) else {
            return Cancelled::Unknown;
        };
        let Some(index) = entry.worker else {
            self.entries.remove(&ticket);
            self.queued -= 1;
            return Cancelled::TakenBack;
        };
        entry.cancelled = true;
        let timed = entry.timeout.is_some();
        let Some(worker) = self.workers[index].as_mut() else {
            return Cancelled::Unknown;
        };
        if worker.take_back(ticket) {
            worker.timed -= usize::from(timed);
            self.entries.remove(&ticket);
            return Cancelled::TakenBack;
        }
        if worker.claim(ticket) == Claim::Done {
            return Cancelled::Unknown;
        }
        self.doom(index, ticket);
        Cancelled::Running
    }

    /// The worker that is running this ticket now.
    pub fn running_on(&self, ticket: u64) -> Option<usize> {
        let index = self.entries.get(&ticket)?.worker?;
        let worker = self.workers[index].as_ref()?;
        (worker.claim(ticket) == Claim::Started).then_some(index)
    }

    /// Answers a worker's request.
    pub fn reply(&mut self, worker: usize, body: &[u8]) -> Result<(), PoolError> {
        check_size(body.len())?;
        let Some(known) = self.workers.get_mut(worker) else {
            return Err(PoolError::NoWorker(worker));
        };
        let Some(worker) = known else {
            return Ok(()); // it died meanwhile; its Lost event is on the way
        };
        worker.outbox.plain(Kind::Reply, body).map_err(PoolError::TooLarge)
    }

    /// How many more tasks would keep the workers busy.
    pub fn room(&self) -> usize {
        let open = self.workers.iter().flatten().filter(|worker| worker.standing == Standing::Open).count();
        let each = (HIGH / self.durations.estimate(self.latest_function)).clamp(2, SLOTS as u64) as usize;
        (open * (2 * each + 2)).saturating_sub(self.queued)
    }

    /// Tasks submitted and not yet reported.
    pub fn backlog(&self) -> usize {
        self.entries.len()
    }

    /// The workers that are neither lost nor told to stop.
    pub fn workers(&self) -> Vec<usize> {
        let alive = |index: &usize| self.workers[*index].as_ref().is_some_and(|w| w.standing != Standing::Stopping);
        (0..self.workers.len()).filter(alive).collect()
    }

    /// Writes an epoch where all workers see it.
    pub fn set_live_epoch(&mut self, epoch: u64) {
        self.live_epoch = epoch;
        for worker in self.workers.iter().flatten() {
            worker.claims.set_live_epoch(epoch);
        }
    }

    /// Writing a byte here makes `step` return.
    pub fn wake_fd(&self) -> RawFd {
        self.wake.1.as_raw_fd()
    }

    /// Takes up to `max` events.
    pub fn take_events(&mut self, max: usize) -> std::collections::vec_deque::Drain<'_, Event> {
        let count = self.events.len().min(max);
        self.events.drain(..count)
    }

    /// Hands out work, waits until something happened, takes it in, and hands out work again.
    pub fn step(&mut self, deadline: Option<u64>) -> Result<Woken, PoolError> {
        loop {
            self.hand_out();
            let now = os::now();
            let next_timeout = self.check_timeouts(now);
            if !self.events.is_empty() {
                self.flush();
                return Ok(Woken::Events);
            }
            self.flush();
            if !self.events.is_empty() {
                return Ok(Woken::Events);
            }
            let until = [deadline, next_timeout, Some(now + TICK)].into_iter().flatten().min().unwrap_or(now);
            let milliseconds = until.saturating_sub(now).div_ceil(1_000_000);
            match self.poller.wait(milliseconds as i32, &mut self.ready) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Woken::Tick),
                Err(error) => return Err(error.into()),
            }
            let nudged = self.take_in();
            if self.events.is_empty() {
                if nudged {
                    return Ok(Woken::Nudged);
                }
                if self.ready.is_empty() {
                    let now = os::now();
                    if deadline.is_some_and(|deadline| now >= deadline) {
                        return Ok(Woken::TimedOut);
                    }
                    if next_timeout.is_none_or(|next| now < next) {
                        return Ok(Woken::Tick);
                    }
                }
            }
        }
    }

    // ---- taking in ------------------------------------------------------------------------------------------------

    fn take_in(&mut self) -> bool {
        let mut nudged = false;
        for position in 0..self.ready.len() {
            let Ready { token, readable, .. } = self.ready[position];
            if token == WAKE {
                os::drain(self.wake.0.as_fd());
                nudged = true;
            } else if readable {
                let index = (token / 2) as usize;
                let died = token % 2 == 1;
                self.read(index, if died { usize::MAX } else { TURNS }, died);
            }
        }
        nudged
    }

    /// Receives from one worker; `died` says that nothing more will come once the socket is empty.
    fn read(&mut self, index: usize, turns: usize, died: bool) {
        for _ in 0..turns {
            let Some(worker) = self.workers[index].as_mut() else {
                return;
            };
            let filled = worker.inbox.fill(worker.link.as_fd(), Wait::No);
            let why = match filled {
                Ok(Filled::Some) => match self.take_frames(index) {
                    Ok(()) if died => continue,
                    Ok(()) if self.workers[index].as_ref().is_some_and(|worker| !worker.inbox.is_empty()) => continue,
                    Ok(()) => return,
                    Err(error) => format!("it sent {error}"),
                },
                Ok(Filled::Empty) if died => "its process ended".to_owned(),
                Ok(Filled::Empty) => return,
                Ok(Filled::Ended) => "its link was closed".to_owned(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => format!("its link failed: {error}"),
            };
            self.lose(index, why);
            return;
        }
    }

    fn take_frames(&mut self, index: usize) -> Result<(), FrameError> {
        while let Some(worker) = self.workers[index].as_mut() {
            let Some(frame) = worker.inbox.take()? else {
                break;
            };
            self.take_frame(index, frame)?;
        }
        Ok(())
    }

    fn take_frame(&mut self, index: usize, frame: Frame) -> Result<(), FrameError> {
        match frame.kind {
            Kind::Reports => {
                let mut at = HEADER;
                while at < frame.bytes.len() {
                    let report = frame::read_report(&frame.bytes, at)?;
                    at = report.effects.end;
                    self.take_report(index, &frame.bytes, report);
                }
                Ok(())
            }
            Kind::Request => {
                let (ticket, body) = frame::read_numbered(frame.kind, &frame.bytes, HEADER)?;
                self.events.push_back(Event::Request { ticket, worker: index, bytes: frame.bytes, body });
                Ok(())
            }
            Kind::Define | Kind::Forget | Kind::Tasks | Kind::Reply | Kind::Stop => {
                Err(FrameError::Unexpected(frame.kind))
            }
        }
    }

    fn take_report(&mut self, index: usize, bytes: &Arc<Vec<u8>>, report: frame::ReportRecord) {
        let frame::ReportRecord { ticket, flags, started, ended, result, effects } = report;
        let Some(worker) = self.workers[index].as_mut() else {
            return;
        };
        // A ticket that is not in flight there (any more) is not this worker's to report.
        let Some(busy) = worker.reported(ticket, started, ended) else {
            return;
        };
        if let Some(entry) = self.entries.remove(&ticket) {
            worker.timed -= usize::from(entry.timeout.is_some());
            self.durations.record(entry.function(), busy);
        }
        self.latest_worker = index;
        let bytes = Arc::clone(bytes);
        self.events.push_back(Event::Report { ticket, worker: index, flags, started, ended, bytes, result, effects });
    }

    // ---- losing ---------------------------------------------------------------------------------------------------

    fn lose(&mut self, index: usize, why: String) {
        let Some(mut worker) = self.workers[index].take() else {
            return;
        };
        self.poller.remove(worker.link.as_fd());
        if let Some(process) = &worker.process {
            self.poller.remove(process.as_fd());
            if worker.standing != Standing::Stopping || worker.in_flight() > 0 {
                os::kill(process.as_fd()); // it may be alive, and must not go on without a link
            }
        }
        let (again, mut running) = worker.abandon();
        self.requeue(again);
        for ticket in &running {
            self.entries.remove(ticket);
        }
        let pid = worker.pid;
        let first = (!running.is_empty()).then(|| running.remove(0));
        self.events.push_back(Event::Lost { running: first, worker: index, pid, why: why.clone() });
        for ticket in running {
            // Only if the table was overwritten: whatever cannot be shown not to have run counts as running.
            self.events.push_back(Event::Lost { running: Some(ticket), worker: index, pid, why: why.clone() });
        }
    }

    /// Puts tasks back at the front of the queue, in their order.
    fn requeue(&mut self, tickets: Vec<u64>) {
        for ticket in tickets.into_iter().rev() {
            let Some(entry) = self.entries.get_mut(&ticket) else {
                continue;
            };
            if entry.cancelled {
                self.entries.remove(&ticket);
                continue;
            }
            entry.worker = None;
            self.queue.push_front(ticket);
            self.queued += 1;
        }
    }

    /// Takes back all that a worker has not begun.
    fn release(&mut self, index: usize) {
        self.reclaim(index, usize::MAX);
    }

    fn reclaim(&mut self, index: usize, count: usize) -> usize {
        let Some(worker) = self.workers.get_mut(index).and_then(Option::as_mut) else {
            return 0;
        };
        let taken = worker.take_back_last(count);
        let entries = &self.entries;
        let is_timed = |ticket: &&u64| entries.get(ticket).is_some_and(|entry| entry.timeout.is_some());
        worker.timed -= taken.iter().filter(is_timed).count();
        let count = taken.len();
        self.requeue(taken);
        count
    }

    fn doom(&mut self, index: usize, ticket: u64) {
        self.release(index);
        if let Some(worker) = self.workers[index].as_mut() {
            if worker.standing == Standing::Open {
                worker.standing = Standing::Doomed(ticket);
            }
        }
    }

    /// Reports tasks over their time; when to look again.
    fn check_timeouts(&mut self, now: u64) -> Option<u64> {
        let mut next: Option<u64> = None;
        for index in 0..self.workers.len() {
            let Some(worker) = self.workers[index].as_ref().filter(|worker| worker.timed > 0) else {
                continue;
            };
            let Some((ticket, since)) = worker.running() else {
                next = Some(next.unwrap_or(u64::MAX).min(now + 1_000_000));
                continue;
            };
            let Some(timeout) = self.entries.get(&ticket).and_then(|entry| entry.timeout) else {
                next = Some(next.unwrap_or(u64::MAX).min(now + 5_000_000)); // one of those behind it has a timeout
                continue;
            };
            let due = since.saturating_add(timeout);
            if now < due {
                next = Some(next.unwrap_or(u64::MAX).min(due));
                continue;
            }
            if let (Some(entry), Some(worker)) = (self.entries.get_mut(&ticket), self.workers[index].as_mut()) {
                entry.timeout = None; // said once
                worker.timed -= 1;
            }
            self.doom(index, ticket);
            self.events.push_back(Event::Timeout { ticket, worker: index, running: now.saturating_sub(since) });
        }
        next
    }

    // ---- handing out ----------------------------------------------------------------------------------------------

    fn hand_out(&mut self) {
        if self.queued > 0 {
            let open = self.workers.iter().flatten().filter(|worker| worker.standing == Standing::Open).count();
            if open == 0 {
                return;
            }
            let share = self.queued.div_ceil(open);
            // Idle workers first, the one that reported last at the head: a chain stays where it is.
            self.hand_out_to(share, Worker::is_idle);
            self.hand_out_to(share, Worker::is_hungry);
        }
        if self.queued == 0 {
            self.rebalance();
        }
    }

    fn hand_out_to(&mut self, share: usize, wants: fn(&Worker) -> bool) {
        let count = self.workers.len();
        for step in 0..count {
            if self.queued == 0 {
                return;
            }
            let index = (self.latest_worker + step) % count;
            if self.workers[index].as_ref().is_some_and(wants) {
                self.fill(index, share);
            }
        }
    }

    /// Gives a worker tasks from the front of the queue while they fit, at most `share`.
    fn fill(&mut self, index: usize, share: usize) {
        let Some(worker) = self.workers[index].as_mut() else {
            return;
        };
        let mut given = 0;
        while given < share {
            let Some(ticket) = self.queue.front().copied() else {
                break;
            };
            let entry = match self.entries.get_mut(&ticket) {
                Some(entry) if entry.worker.is_none() => entry,
                _ => {
                    self.queue.pop_front(); // cancelled
                    continue;
                }
            };
            let cost = self.durations.estimate(entry.function());
            if !worker.has_room(cost, entry.payload.bytes().len()) {
                break;
            }
            for key in &entry.definitions {
                if worker.known.insert(*key) {
                    if let Some(blob) = self.definitions.get(key) {
                        let _ = worker.outbox.numbered(Kind::Define, *key, Some(blob)); // its size was checked
                    }
                }
            }
            worker.give(ticket, &entry.payload, cost);
            worker.timed += usize::from(entry.timeout.is_some());
            entry.worker = Some(index);
            self.queue.pop_front();
            self.queued -= 1;
            given += 1;
        }
    }

    /// With nothing queued, moves half of what waits behind the busiest worker to each idle one.
    fn rebalance(&mut self) {
        for idle in 0..self.workers.len() {
            if !self.workers[idle].as_ref().is_some_and(Worker::is_idle) {
                continue;
            }
            let waiting = |index: &usize| self.workers[*index].as_ref().map_or(0, |w| w.in_flight().saturating_sub(1));
            let Some(busiest) = (0..self.workers.len()).max_by_key(waiting) else {
                return;
            };
            let count = waiting(&busiest).div_ceil(2);
            if count == 0 || self.reclaim(busiest, count) == 0 {
                return;
            }
            self.fill(idle, usize::MAX);
        }
    }

    fn flush(&mut self) {
        for index in 0..self.workers.len() {
            let Some(worker) = self.workers[index].as_mut() else {
                continue;
            };
            match worker.flush() {
                Ok(left) if left != worker.wants_write => {
                    worker.wants_write = left;
                    // It can fail only for a descriptor that is not in the set.
                    let _ = self.poller.modify(worker.link.as_fd(), index as u64 * 2, left);
                }
                Ok(_) => {}
                // Nobody reads there any more, but what was written before must be taken in.
                Err(_) => self.read(index, usize::MAX, true),
            }
        }
    }
}

fn check_size(bytes: usize) -> Result<(), PoolError> {
    // Room for the fixed part of a record.
    if bytes > MAX_BODY - 64 {
        return Err(PoolError::TooLarge(FrameError::TooLarge(bytes)));
    }
    Ok(())
}
