//! Workers elsewhere against a station's side in the same thread: what is given back, what is lost, what is in doubt.
use std::io::{ErrorKind, Read, Write};
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;

use super::tests::{claim, finish, step};
use super::*;
use crate::far_worker::FarWorker;
use crate::worker_end::WorkerEnd;

/// A worker elsewhere, and all that is between it and the reactor.
struct Elsewhere {
    near: UnixStream,
    copy: ClaimTable,
    far: FarWorker,
    end: WorkerEnd,
}

fn add(reactor: &mut Reactor) -> Elsewhere {
    let (ours, near) = UnixStream::pair().unwrap();
    let (station, theirs) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let (copied, claims) = (os::memory_file().unwrap(), os::memory_file().unwrap());
    let (table, own) = (copied.try_clone().unwrap(), claims.try_clone().unwrap());
    reactor.add_worker_elsewhere(ours.into_raw_fd(), copied.into_raw_fd()).unwrap();
    let far = FarWorker::new(station.into_raw_fd(), claims.into_raw_fd(), 0).unwrap();
    let end = WorkerEnd::new(theirs.into_raw_fd(), own.into_raw_fd()).unwrap();
    Elsewhere { near, copy: ClaimTable::map(table).unwrap(), far, end }
}

impl Elsewhere {
    /// What the reactor has sent arrives.
    fn there(&mut self) {
        let mut buffer = [0; 1 << 16];
        loop {
            match self.near.read(&mut buffer) {
                Ok(count) => assert!(self.far.deliver(&buffer[..count]).unwrap()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// What the worker has sent and what its claims say arrives.
    fn back(&mut self) {
        let taken = self.far.take().unwrap();
        self.near.write_all(&taken.frames).unwrap();
        self.copy.take_changes(&self.far.changes());
    }
}

fn submit(reactor: &mut Reactor, tickets: impl IntoIterator<Item = u64>) {
    for ticket in tickets {
        let payload = Payload::from_vec(ticket.to_le_bytes().to_vec());
        reactor.submit(ticket, payload, &[], Limits::default()).unwrap();
    }
}

fn reported(events: &[Event]) -> Vec<u64> {
    let ticket = |event: &Event| match event {
        Event::Report { ticket, .. } => Some(*ticket),
        _ => None,
    };
    events.iter().filter_map(ticket).collect()
}

fn lost(events: &[Event]) -> Vec<Option<u64>> {
    let running = |event: &Event| match event {
        Event::Lost { running, .. } => Some(*running),
        _ => None,
    };
    events.iter().filter_map(running).collect()
}

#[test]
fn what_waits_behind_a_long_task_moves_to_an_idle_worker_once_it_is_given_back() {
    let mut reactor = Reactor::new().unwrap();
    let mut one = add(&mut reactor);
    submit(&mut reactor, 1..3);
    step(&mut reactor);
    one.there();
    assert_eq!(claim(&mut one.end), Some(1));
    let mut two = add(&mut reactor);
    step(&mut reactor);
    one.there();
    assert!(reactor.is_in_doubt(2));
    one.back();
    step(&mut reactor);
    two.there();
    assert_eq!((claim(&mut one.end), claim(&mut two.end)), (None, Some(2)));
    finish(&mut two.end, 2);
    assert!(two.end.flush().unwrap());
    two.back();
    assert_eq!(reported(&step(&mut reactor)), [2]);
}

#[test]
fn what_has_begun_is_not_given_back() {
    let mut reactor = Reactor::new().unwrap();
    let mut one = add(&mut reactor);
    submit(&mut reactor, 1..3);
    step(&mut reactor);
    one.there();
    for ticket in 1..3 {
        assert_eq!(claim(&mut one.end), Some(ticket));
        finish(&mut one.end, ticket);
    }
    let _two = add(&mut reactor);
    step(&mut reactor);
    one.there();
    assert!(one.end.flush().unwrap());
    one.back();
    assert_eq!(reported(&step(&mut reactor)), [1, 2]);
    assert_eq!(reactor.backlog(), 0);
}

#[test]
fn of_a_station_that_is_lost_only_what_was_said_to_run_is_lost() {
    let mut reactor = Reactor::new().unwrap();
    let mut one = add(&mut reactor);
    submit(&mut reactor, 1..3);
    step(&mut reactor);
    one.there();
    assert_eq!(claim(&mut one.end), Some(1));
    one.back();
    assert_eq!(reactor.running_on(1), Some(0));
    drop(one);
    assert_eq!(lost(&step(&mut reactor)), [Some(1)]);
    let mut two = add(&mut reactor);
    step(&mut reactor);
    two.there();
    assert_eq!(claim(&mut two.end), Some(2));
}

#[test]
fn what_began_unheard_runs_again() {
    let mut reactor = Reactor::new().unwrap();
    let mut one = add(&mut reactor);
    submit(&mut reactor, [1]);
    step(&mut reactor);
    one.there();
    assert_eq!(claim(&mut one.end), Some(1));
    drop(one);
    assert_eq!(lost(&step(&mut reactor)), [None]);
    assert_eq!(reactor.backlog(), 1);
}

#[test]
fn a_cancelled_task_is_in_doubt_until_it_is_given_back_or_begins() {
    let mut reactor = Reactor::new().unwrap();
    let mut one = add(&mut reactor);
    submit(&mut reactor, 1..3);
    step(&mut reactor);
    one.there();
    assert_eq!(claim(&mut one.end), Some(1));
    one.back();
    assert_eq!(reactor.cancel(2), Cancelled::Running);
    assert!(reactor.is_in_doubt(2) && !reactor.is_in_doubt(1));
    step(&mut reactor);
    one.there();
    one.back();
    assert!(step(&mut reactor).is_empty());
    assert!(!reactor.is_in_doubt(2));
    assert_eq!((claim(&mut one.end), reactor.backlog()), (None, 1));
    // Its worker gets tasks again.
    submit(&mut reactor, [3]);
    step(&mut reactor);
    one.there();
    finish(&mut one.end, 1);
    assert_eq!(claim(&mut one.end), Some(3));
}

#[test]
fn memory_that_a_station_tells_of_counts() {
    let mut reactor = Reactor::new().unwrap();
    let mut one = add(&mut reactor);
    let payload = Payload::from_vec(1_u64.to_le_bytes().to_vec());
    reactor.submit(1, payload, &[], Limits { memory: Some(1000), ..Limits::default() }).unwrap();
    step(&mut reactor);
    one.there();
    assert_eq!(claim(&mut one.end), Some(1));
    one.far.measure(std::process::id() as i32);
    one.back();
    let until = os::now() + 1_000_000_000;
    while reactor.step(Some(until)).unwrap() == Woken::Tick {}
    let events: Vec<Event> = reactor.take_events(usize::MAX).collect();
    assert!(matches!(events[..], [Event::Overmemory { ticket: 1, used: 1001.., .. }]), "{events:?}");
    assert!(reactor.memory_of(0, 0) > 1000);
}
