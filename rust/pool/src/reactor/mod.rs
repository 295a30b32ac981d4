//! The reactor: gives queued tasks to workers, takes in what they send, and notices when they die.
//!
//! Owns the queue of tasks not yet reported, the definitions, and all workers' links. Runs without Python and without
//! threads: the caller's `step` does the waiting and the work. Must not know what a task means, retry anything that
//! was running, or start processes: it says what happened ([`Event`]) and the caller decides.
mod definitions;
mod elsewhere;
#[cfg(test)]
mod elsewhere_tests;
mod events;
mod growth;
mod handout;
mod intake;
mod lanes;
mod lone;
#[cfg(test)]
mod lone_tests;
mod slow;
mod stopped;
#[cfg(test)]
mod tests;
pub(crate) mod watch;
#[cfg(test)]
mod watch_tests;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

pub use events::{Cancelled, Event, PoolError, Woken};
pub use slow::LongBody;

use self::definitions::check_size;
use self::lanes::Lanes;
use self::lone::Lone;
use crate::batch::{Durations, HIGH};
use crate::claims::{Claim, ClaimTable, MAX_TICKET};
use crate::frame::Kind;
use crate::limits::Limits;
use crate::os::{self, Poller, Ready};
use crate::payload::Payload;
use crate::roster::Roster;
use crate::tickets::NumberMap;
use crate::worker::{Standing, Worker};

/// The longest single wait, so that the caller can look after signals that came in an unlucky moment.
const TICK: u64 = 100_000_000;
const WAKE: u64 = u64::MAX;

struct Entry {
    payload: Payload,
    /// Shared by tasks that follow each other and name the same ones.
    definitions: Arc<[u64]>,
    limits: Limits,
    worker: Option<usize>,
    cancelled: bool,
    /// Whether it waits in its lane.
    held: bool,
    /// How often it ended without its report arriving.
    unheard: u8,
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
    lanes: Lanes,
    definitions: NumberMap<Payload>,
    shared: BTreeSet<u64>,                  // keys of those that each worker has from its start
    latest_definitions: Option<Arc<[u64]>>, // what the task before named, while all of it is defined
    durations: Durations,
    events: VecDeque<Event>,
    poller: Poller,
    ready: Vec<Ready>,
    wake: (OwnedFd, OwnedFd),
    latest_worker: usize,
    latest_function: u64,
    live_epoch: u64,
    least_window: u64,
    window: u64,      // work in flight per worker, in nanoseconds
    left_at: u64,     // when the caller was last let go
    next_look: u64,   // for workers that are stopped
    next_sample: u64, // of memory
    next_move: u64,   // of what waits behind a trifle that turned out to be long
    capacity: usize,  // workers there may be
    asked: usize,     // workers there should be, as was said
    lone: Lone,
    roster: Arc<Roster>,
    lost: HashMap<usize, Arc<ClaimTable>>, // until somebody asks how they ended
    #[cfg(test)]
    wakes: u64,
    #[cfg(test)]
    looks: u64, // at a worker's clock
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
            lanes: Lanes::default(),
            definitions: NumberMap::default(),
            shared: BTreeSet::new(),
            latest_definitions: None,
            durations: Durations::default(),
            events: VecDeque::new(),
            poller,
            ready: Vec::new(),
            wake,
            latest_worker: 0,
            latest_function: u64::MAX,
            live_epoch: 0,
            least_window: HIGH,
            window: HIGH,
            left_at: u64::MAX,
            lone: Lone::new(),
            roster: Arc::default(),
            lost: HashMap::new(),
            #[cfg(test)]
            wakes: 0,
            #[cfg(test)]
            looks: 0,
            next_look: 0,
            next_sample: 0,
            next_move: u64::MAX,
            capacity: 0,
            asked: 0,
        })
    }

    /// Who its workers are and what they run, for whoever only looks.
    pub fn roster(&self) -> Arc<Roster> {
        Arc::clone(&self.roster)
    }

    /// The clock that deadlines are given in: nanoseconds, monotonic.
    pub fn now() -> u64 {
        os::now()
    }

    /// Takes over a worker's descriptors; `process` is a process descriptor, if there is one.
    pub fn add_worker(
        &mut self,
        link: RawFd,
        claims: RawFd,
        pid: i32,
        process: Option<RawFd>,
    ) -> Result<usize, PoolError> {
        let (link, claims) = (os::own(link)?, os::own(claims)?);
        let process = process.map(os::own).transpose()?;
        let claims = Arc::new(ClaimTable::map(claims)?);
        claims.set_live_epoch(self.live_epoch);
        let index = self.workers.len();
        self.poller.add(link.as_fd(), index as u64 * 2)?;
        if let Some(process) = &process {
            self.poller.add(process.as_fd(), index as u64 * 2 + 1)?;
        }
        self.roster.add(index, pid, Arc::clone(&claims));
        let mut worker = Worker::new(link, claims, pid, process);
        for key in &self.shared {
            if let Some(blob) = self.definitions.get(key) {
                worker.tell(*key, blob);
            }
        }
        self.workers.push(Some(worker));
        Ok(index)
    }

    /// Tells the process of a worker that was added before it was known.
    pub fn set_process(&mut self, worker: usize, pid: i32, process: RawFd) -> Result<(), PoolError> {
        let process = os::own(process)?;
        let token = worker as u64 * 2 + 1;
        let worker = self.workers.get_mut(worker).and_then(Option::as_mut).ok_or(PoolError::NoWorker(worker))?;
        self.poller.add(process.as_fd(), token)?;
        self.roster.set_pid(token as usize / 2, pid);
        worker.pid = pid;
        worker.process = Some(process);
        Ok(())
    }

    /// Closes a worker's link; what it had in flight is handled as if it had died.
    pub fn remove_worker(&mut self, worker: usize) {
        if self.workers.get(worker).is_some_and(Option::is_some) {
            let before = self.events.len();
            self.release(worker);
            if let Some(worker) = self.workers[worker].as_mut() {
                worker.standing = Standing::Stopping; // an idle one ends by itself
            }
            self.lose(worker, "it was removed".to_owned());
            self.lost.remove(&worker);
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

    /// Kills a worker's process, if that is known; true if it is. What it has left behind is somebody else's to end.
    pub fn kill_worker(&self, worker: usize) -> bool {
        let process = self.workers.get(worker).and_then(Option::as_ref).and_then(|worker| worker.process.as_ref());
        process.map(|process| os::kill(process.as_fd())).is_some()
    }

    /// Puts a task into the queue.
    pub fn submit(
        &mut self,
        ticket: u64,
        payload: Payload,
        definitions: &[u64],
        limits: Limits,
    ) -> Result<(), PoolError> {
        check_size(payload.bytes().len())?;
        let definitions = match &self.latest_definitions {
            Some(latest) if **latest == *definitions => Arc::clone(latest),
            _ => {
                if let Some(key) = definitions.iter().find(|key| !self.definitions.contains_key(key)) {
                    return Err(PoolError::Undefined(*key));
                }
                Arc::clone(self.latest_definitions.insert(definitions.into()))
            }
        };
        if ticket >= MAX_TICKET || self.entries.contains_key(&ticket) {
            return Err(PoolError::BadTicket(ticket));
        }
        let entry = Entry { payload, definitions, limits, worker: None, cancelled: false, held: false, unheard: 0 };
        self.latest_function = entry.function();
        self.entries.insert(ticket, entry);
        self.queued += 1;
        self.queue.push_back(ticket);
        Ok(())
    }

    /// Takes a task back if it has not begun. If it is running, its worker gets no more tasks until it ends, as the
    /// caller probably kills it.
    pub fn cancel(&mut self, ticket: u64) -> Cancelled {
        let Some(entry) = self.entries.get_mut(&ticket) else {
            return Cancelled::Unknown;
        };
        let Some(index) = entry.worker else {
            self.lanes.cancelled(usize::from(entry.held));
            self.entries.remove(&ticket);
            self.queued -= 1;
            return Cancelled::TakenBack;
        };
        entry.cancelled = true;
        let limits = entry.limits;
        let Some(worker) = self.workers[index].as_mut() else {
            return Cancelled::Unknown;
        };
        if worker.take_back(ticket) {
            worker.watch.took(limits);
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
        self.note_absence(os::now());
        let woken = self.run(deadline);
        // With nothing in the pool nobody waits for the caller.
        self.left_at = if self.entries.is_empty() { u64::MAX } else { os::now() };
        woken
    }

    fn run(&mut self, deadline: Option<u64>) -> Result<Woken, PoolError> {
        loop {
            let now = os::now();
            self.replace_stopped(now);
            self.hand_out(now);
            let next_limit = self.check_limits(now);
            let until = [deadline, next_limit, Some(self.next_move), Some(now + TICK)]
                .into_iter()
                .flatten()
                .min()
                .unwrap_or(now);
            self.ask_for_workers();
            self.look_for_lone(now, until);
            self.flush();
            if !self.events.is_empty() {
                return Ok(Woken::Events);
            }
            let milliseconds = until.saturating_sub(now).div_ceil(1_000_000);
            match self.poller.wait(milliseconds as i32, &mut self.ready) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Woken::Tick),
                Err(error) => return Err(error.into()),
            }
            #[cfg(test)]
            {
                self.wakes += 1;
            }
            let nudged = self.take_in();
            if !self.events.is_empty() {
                continue; // so that workers have work while the caller looks at the events
            }
            if nudged {
                return Ok(Woken::Nudged);
            }
            if self.ready.is_empty() {
                let now = os::now();
                if deadline.is_some_and(|deadline| now >= deadline) {
                    return Ok(Woken::TimedOut);
                }
                if next_limit.is_none_or(|next| now < next) {
                    return Ok(Woken::Tick);
                }
            }
        }
    }
}
