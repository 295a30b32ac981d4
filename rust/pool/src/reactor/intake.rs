//! What comes in: frames from workers, and their deaths.
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use super::{Event, Reactor, WAKE};
use crate::frame::{self, FrameError, Kind, HEADER};
use crate::inbox::{Filled, Frame};
use crate::limits::Lane;
use crate::os::{self, Ready, Wait};
use crate::worker::{Standing, Whole};

/// Receives per wake-up and worker: one that sends a gigabyte must not keep the others waiting.
const TURNS: usize = 16;
/// A task runs again when its worker died between its end and its report; not more often than this, lest a task that
/// breaks its worker's link does so for ever.
const MOST_UNHEARD: u8 = 10;
const LINK_ENDED: &str = "its link ended";

impl Reactor {
    pub(super) fn take_in(&mut self) -> bool {
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
    pub(super) fn read(&mut self, index: usize, turns: usize, died: bool) {
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
                Ok(Filled::Ended) => self.why_ended(index),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => format!("its link failed: {error}"),
            };
            self.lose(index, why);
            return;
        }
    }

    /// A link ends when its process does, or when a body closed what was not its own. A busy system may take its time to
    /// tell that a process has ended: then how it ended tells which of the two it was.
    fn why_ended(&self, index: usize) -> String {
        let process = self.workers[index].as_ref().and_then(|worker| worker.process.as_ref());
        match process {
            Some(process) if !os::has_ended(process.as_fd(), 200) => LINK_ENDED.to_owned(),
            _ => "its process ended".to_owned(),
        }
    }

    pub(super) fn take_frames(&mut self, index: usize) -> Result<(), FrameError> {
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
            Kind::Returned => {
                self.take_returned(index, frame.body());
                Ok(())
            }
            Kind::Define | Kind::Forget | Kind::Tasks | Kind::Reply | Kind::Stop | Kind::Recall => {
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
            worker.watch.took(entry.limits);
            self.durations.record(entry.function(), busy);
        }
        self.latest_worker = index;
        let bytes = Arc::clone(bytes);
        self.events.push_back(Event::Report { ticket, worker: index, flags, started, ended, bytes, result, effects });
    }

    pub(super) fn lose(&mut self, index: usize, why: String) {
        let Some(mut worker) = self.workers[index].take() else {
            return;
        };
        self.roster.remove(index);
        self.poller.remove(worker.link.as_fd());
        if let Some(process) = &worker.process {
            self.poller.remove(process.as_fd());
            if worker.in_flight() > 0 || worker.standing == Standing::Open {
                os::kill(process.as_fd()); // it may be alive, and must not go on without a link
            }
        }
        let (never_ran, ended, mut running) = worker.abandon();
        let mut again = Vec::with_capacity(ended.len() + never_ran.len());
        for ticket in ended {
            if self.is_heard_at_last(ticket) {
                again.push(ticket);
            } else {
                running.push(ticket);
            }
        }
        again.extend(never_ran);
        // One that was to be cancelled had begun then. Even if it has ended since, it must not begin again.
        let is_cancelled = |ticket: &u64| self.entries.get(ticket).is_some_and(|entry| entry.cancelled);
        let (cancelled, again) = again.into_iter().partition(is_cancelled);
        running.extend::<Vec<u64>>(cancelled);
        self.requeue(again);
        for ticket in &running {
            self.entries.remove(ticket);
        }
        let has_begun = worker.claims.has_begun();
        self.lost.insert(index, Arc::clone(&worker.claims));
        let first = (!running.is_empty()).then(|| running.remove(0));
        self.events.push_back(Event::Lost { running: first, worker: index, has_begun, why: why.clone() });
        for ticket in running {
            // Only if the table was overwritten: whatever cannot be shown not to have run counts as running.
            self.events.push_back(Event::Lost { running: Some(ticket), worker: index, has_begun, why: why.clone() });
        }
    }

    /// Whether a worker that was lost has said that it can't use its link any more. To be asked once, when its process is
    /// known to have ended: a body that closes the link is heard of before its worker notices.
    pub fn has_closed_its_link(&mut self, worker: usize) -> bool {
        self.lost.remove(&worker).is_some_and(|claims| claims.is_link_broken())
    }

    /// False once a task has ended too often without being heard of: it counts as what broke its workers.
    fn is_heard_at_last(&mut self, ticket: u64) -> bool {
        let Some(entry) = self.entries.get_mut(&ticket) else {
            return true;
        };
        entry.unheard += 1;
        entry.unheard < MOST_UNHEARD
    }

    /// Puts tasks back at the front of the queue, in their order.
    pub(super) fn requeue(&mut self, tickets: Vec<u64>) {
        for ticket in tickets.into_iter().rev() {
            let Some(entry) = self.entries.get_mut(&ticket) else {
                continue;
            };
            entry.worker = None;
            self.queued += 1;
            if !self.held_again(ticket) {
                self.queue.push_front(ticket);
            }
        }
    }

    /// Takes back all that a worker has not begun.
    pub(super) fn release(&mut self, index: usize) {
        self.reclaim(index, usize::MAX, |_| Whole::No);
    }

    /// Takes back what another worker may have, up to `count` tasks or some more: of some lanes all or nothing.
    pub(super) fn move_away(&mut self, index: usize, count: usize) -> usize {
        let lanes = self.lanes_at(index);
        let of_lane = |lane| lanes.iter().find(|(known, _)| *known == lane).map_or(Whole::Stays, |(_, whole)| *whole);
        self.reclaim(index, count, of_lane)
    }

    fn reclaim(&mut self, index: usize, count: usize, of_lane: impl Fn(Lane) -> Whole) -> usize {
        let Some(worker) = self.workers.get_mut(index).and_then(Option::as_mut) else {
            return 0;
        };
        let taken = worker.take_back_last(count, of_lane);
        for entry in taken.iter().filter_map(|ticket| self.entries.get(ticket)) {
            worker.watch.took(entry.limits);
        }
        let count = taken.len();
        self.requeue(taken);
        count
    }

    pub(super) fn doom(&mut self, index: usize, ticket: u64) {
        self.release(index);
        if let Some(worker) = self.workers[index].as_mut() {
            if worker.standing == Standing::Open {
                worker.standing = Standing::Doomed(ticket);
            }
        }
    }
}
