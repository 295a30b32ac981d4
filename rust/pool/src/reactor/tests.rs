//! The reactor against real worker ends, in one thread: scripted, and by a seeded simulation of faults.
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::net::UnixStream;

use super::*;
use crate::frame;
use crate::limits::Lane;
use crate::worker_end::{Blocked, WorkerEnd};

/// The ticket of an event about a task, and whether it was a report.
fn outcome(event: &Event) -> Option<(u64, bool)> {
    match event {
        Event::Report { ticket, .. } => Some((*ticket, true)),
        Event::Lost { running: Some(ticket), .. } => Some((*ticket, false)),
        _ => None,
    }
}

pub(super) fn add(reactor: &mut Reactor) -> WorkerEnd {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let claims = os::memory_file().unwrap();
    let copy = claims.try_clone().unwrap().into_raw_fd();
    let end = WorkerEnd::new(theirs.into_raw_fd(), copy);
    reactor.add_worker(ours.into_raw_fd(), claims.as_raw_fd(), 0, None).unwrap();
    std::mem::forget(claims); // the reactor owns it now
    end.unwrap()
}

fn submit(reactor: &mut Reactor, tickets: impl IntoIterator<Item = u64>) {
    submit_in(reactor, tickets, |_| None);
}

/// Submits tasks, each in its lane: the number says at how many workers its tasks may be.
pub(super) fn submit_in(
    reactor: &mut Reactor,
    tickets: impl IntoIterator<Item = u64>,
    lane_of: impl Fn(u64) -> Option<u32>,
) {
    for ticket in tickets {
        let payload = Payload::from_vec(ticket.to_le_bytes().to_vec());
        let lane = lane_of(ticket).map(|number| Lane { number, workers: number });
        reactor.submit(ticket, payload, &[], Limits { lane, ..Limits::default() }).unwrap();
    }
}

pub(super) fn step(reactor: &mut Reactor) -> Vec<Event> {
    reactor.step(Some(0)).unwrap();
    reactor.take_events(usize::MAX).collect()
}

pub(super) fn claim(end: &mut WorkerEnd) -> Option<u64> {
    match end.claim_next().unwrap() {
        Ok(task) => {
            assert_eq!(task.bytes[task.payload], task.ticket.to_le_bytes());
            Some(task.ticket)
        }
        Err(Blocked::Read | Blocked::Write | Blocked::Over) => None,
    }
}

pub(super) fn finish(end: &mut WorkerEnd, ticket: u64) {
    end.report(ticket, 0, b"", b"").unwrap();
}

#[test]
fn two_idle_workers_share_what_there_is() {
    let mut reactor = Reactor::new().unwrap();
    let (mut one, mut two) = (add(&mut reactor), add(&mut reactor));
    submit(&mut reactor, [1, 2]);
    step(&mut reactor);
    assert_eq!((claim(&mut one), claim(&mut two)), (Some(1), Some(2)));
    assert_eq!((reactor.running_on(1), reactor.running_on(2)), (Some(0), Some(1)));
}

/// The content of what a worker was told under a key and has not fetched yet.
fn told(end: &mut WorkerEnd, key: u64) -> Option<Vec<u8>> {
    end.definition(key).map(|frame| frame.body()[8..].to_vec())
}

#[test]
fn what_is_shared_is_with_each_worker_before_any_task() {
    let mut reactor = Reactor::new().unwrap();
    let mut early = add(&mut reactor);
    reactor.define(6, Payload::from_vec(vec![60])).unwrap();
    reactor.share(5, Payload::from_vec(vec![50])).unwrap();
    let mut late = add(&mut reactor);
    submit(&mut reactor, [1, 2]);
    step(&mut reactor);
    for end in [&mut early, &mut late] {
        assert!(claim(end).is_some());
        assert_eq!((told(end, 5), told(end, 6)), (Some(vec![50]), None));
    }
    reactor.share(5, Payload::from_vec(vec![51])).unwrap();
    submit(&mut reactor, [3, 4]);
    finish(&mut early, 1);
    finish(&mut late, 2);
    for _ in 0..2 {
        step(&mut reactor);
        early.flush().unwrap();
        late.flush().unwrap();
    }
    for end in [&mut early, &mut late] {
        assert!(claim(end).is_some());
        assert_eq!(told(end, 5), Some(vec![51]));
    }
    reactor.forget(5);
    let mut latest = add(&mut reactor);
    submit(&mut reactor, [5]);
    step(&mut reactor);
    assert_eq!((claim(&mut latest), told(&mut latest, 5)), (Some(5), None));
}

#[test]
fn an_idle_worker_gets_what_waits_behind_a_busy_one() {
    let mut reactor = Reactor::new().unwrap();
    let mut busy = add(&mut reactor);
    submit(&mut reactor, [1, 2]);
    step(&mut reactor);
    assert_eq!(claim(&mut busy), Some(1));
    assert!(busy.has_queued());
    let mut idle = add(&mut reactor);
    step(&mut reactor);
    assert_eq!(claim(&mut idle), Some(2));
    assert!(!busy.has_queued(), "what was taken back is still in its queue, and is none of it");
    finish(&mut busy, 1);
    assert_eq!(claim(&mut busy), None);
}

#[test]
fn what_the_dead_one_had_not_begun_goes_first() {
    let mut reactor = Reactor::new().unwrap();
    let mut one = add(&mut reactor);
    submit(&mut reactor, 1..=10);
    step(&mut reactor);
    assert_eq!(claim(&mut one), Some(1));
    drop(one);
    let lost: Vec<_> = step(&mut reactor).iter().filter_map(outcome).collect();
    assert_eq!(lost, [(1, false)]);
    let mut two = add(&mut reactor);
    let mut order = Vec::new();
    while reactor.backlog() > 0 {
        step(&mut reactor);
        while let Some(ticket) = claim(&mut two) {
            finish(&mut two, ticket);
            order.push(ticket);
        }
    }
    assert_eq!(order, (2..=10).collect::<Vec<_>>());
}

#[test]
fn a_stopping_worker_ends_its_task_and_leaves() {
    let mut reactor = Reactor::new().unwrap();
    let mut end = add(&mut reactor);
    submit(&mut reactor, [1, 2, 3]);
    step(&mut reactor);
    assert_eq!(claim(&mut end), Some(1));
    reactor.stop_worker(0).unwrap();
    step(&mut reactor);
    finish(&mut end, 1);
    assert!(matches!(end.claim_next().unwrap(), Err(Blocked::Over)));
    end.flush().unwrap();
    let reported: Vec<_> = step(&mut reactor).iter().filter_map(outcome).collect();
    assert_eq!((reported, reactor.backlog()), (vec![(1, true)], 2));
}

#[test]
fn a_report_of_somebody_elses_task_is_dropped() {
    let mut reactor = Reactor::new().unwrap();
    let (mut one, mut two) = (add(&mut reactor), add(&mut reactor));
    submit(&mut reactor, [1, 2]);
    step(&mut reactor);
    assert_eq!((claim(&mut one), claim(&mut two)), (Some(1), Some(2)));
    assert!(one.report(2, 0, b"", b"").is_err());
    let mut forged = Vec::new();
    frame::append_report(&mut forged, 2, 0, (u64::MAX, 0), b"forged", b"");
    let frame = {
        let mut bytes = Vec::new();
        frame::append(&mut bytes, Kind::Reports, &[&forged]).unwrap();
        bytes
    };
    one.send_raw(&frame);
    assert!(step(&mut reactor).is_empty());
    assert_eq!(reactor.backlog(), 2);
}

/// Whatever happens, every ticket ends exactly once: reported, lost while it was running, or taken back.
#[test]
fn every_ticket_ends_exactly_once() {
    simulate(|_| None);
}

/// The same with lanes, of which no more run at once than may.
#[test]
fn no_lane_runs_more_at_once_than_it_may() {
    simulate(|ticket| (ticket % 3 > 0).then_some(ticket as u32 % 3));
}

fn simulate(lane_of: fn(u64) -> Option<u32>) {
    for seed in 1..=300_u64 {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut random = move |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        let mut reactor = Reactor::new().unwrap();
        let mut ends: Vec<(WorkerEnd, Option<u64>)> = (0..3).map(|_| (add(&mut reactor), None)).collect();
        let mut over: BTreeMap<u64, &str> = BTreeMap::new();
        let mut may_be_lost = BTreeSet::new(); // running when its worker died, or too late to cancel
        let (mut next, total) = (0, 200);
        for round in 0.. {
            assert!(round < 100_000, "seed {seed}: {} of {total}", over.len());
            if over.len() as u64 == total {
                break;
            }
            match random(12) {
                0 | 1 if next < total => {
                    let count = (random(20) + 1).min(total - next);
                    submit_in(&mut reactor, next..next + count, lane_of);
                    next += count;
                }
                2 if next > 0 => {
                    let ticket = random(next);
                    if reactor.cancel(ticket) == Cancelled::TakenBack {
                        assert_eq!(over.insert(ticket, "taken back"), None, "seed {seed}");
                    } else {
                        may_be_lost.insert(ticket);
                    }
                }
                3 if random(8) == 0 => {
                    let (_, running) = ends.swap_remove(random(3) as usize);
                    may_be_lost.extend(running);
                    ends.push((add(&mut reactor), None));
                }
                4..=8 => {
                    let (end, running) = &mut ends[random(3) as usize];
                    if let Some(ticket) = running.take() {
                        finish(end, ticket);
                    }
                    *running = claim(end);
                    for lane in 1..3 {
                        let runs = |running: &Option<u64>| running.is_some_and(|ticket| lane_of(ticket) == Some(lane));
                        let count = ends.iter().filter(|(_, running)| runs(running)).count();
                        assert!(count <= lane as usize, "seed {seed}: {count} of lane {lane} run");
                    }
                }
                _ => {
                    for event in step(&mut reactor) {
                        if let Some((ticket, reported)) = outcome(&event) {
                            assert!(reported || may_be_lost.contains(&ticket), "seed {seed}");
                            assert_eq!(over.insert(ticket, "ended"), None, "seed {seed}");
                        }
                    }
                }
            }
        }
        assert_eq!((reactor.backlog(), reactor.queued, reactor.lanes.waiting), (0, 0, 0));
    }
}
