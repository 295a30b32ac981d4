//! One task after the other, each alone in the pool, against a worker's end in a thread of its own.
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::*;
use crate::handover::{Place, ROOM};
use crate::worker_end::{Blocked, WorkerEnd};

/// A worker's end, and another view of what it shares with the reactor.
fn add(reactor: &mut Reactor) -> (WorkerEnd, ClaimTable) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let claims = os::memory_file().unwrap();
    let copy = |fd: &OwnedFd| fd.try_clone().unwrap();
    let end = WorkerEnd::new(theirs.into_raw_fd(), copy(&claims).into_raw_fd()).unwrap();
    let table = ClaimTable::map(copy(&claims)).unwrap();
    reactor.add_worker(ours.into_raw_fd(), claims.as_raw_fd(), 0, None).unwrap();
    std::mem::forget(claims); // the reactor owns it now
    (end, table)
}

/// Reports the payload of every task as its result, after a pause that depends on its ticket.
fn serve(mut end: WorkerEnd, pause: fn(u64) -> Duration) {
    loop {
        match end.claim_next().unwrap() {
            Ok(task) => {
                let pause = pause(task.ticket);
                if !pause.is_zero() {
                    std::thread::sleep(pause);
                }
                assert!(end.report(task.ticket, 0, &task.bytes[task.payload], b"").unwrap());
            }
            Err(Blocked::Read) => end.wait_readable().unwrap(),
            Err(Blocked::Write) => end.wait_writable().unwrap(),
            Err(Blocked::Over) => return,
        }
    }
}

fn next_event(reactor: &mut Reactor) -> Event {
    while reactor.step(None).unwrap() == Woken::Tick {}
    let mut events: Vec<_> = reactor.take_events(usize::MAX).collect();
    assert_eq!(events.len(), 1);
    events.remove(0)
}

fn round_trips(count: u64, pause_there: fn(u64) -> Duration, pause_here: fn(u64) -> Duration) {
    let mut reactor = Reactor::new().unwrap();
    reactor.lone.allow();
    let (end, _) = add(&mut reactor);
    let worker = std::thread::spawn(move || serve(end, pause_there));
    for number in 1..=count {
        let length = if number % 7 == 0 { ROOM + number as usize } else { number as usize % 300 };
        let payload = vec![number as u8; length];
        if number % 5 == 0 {
            // A definition goes before the task that names it, whichever way each of them takes.
            reactor.define(number, Payload::from_vec(vec![1; length * 3])).unwrap();
            reactor.submit(number, Payload::from_vec(payload.clone()), &[number], Limits::default()).unwrap();
        } else {
            reactor.submit(number, Payload::from_vec(payload.clone()), &[], Limits::default()).unwrap();
        }
        let Event::Report { ticket, bytes, result, .. } = next_event(&mut reactor) else {
            panic!("no report of {number}");
        };
        assert_eq!((ticket, &bytes[result]), (number, &payload[..]));
        if number % 5 == 0 {
            reactor.forget(number);
        }
        let pause = pause_here(number);
        if !pause.is_zero() {
            std::thread::sleep(pause);
        }
    }
    reactor.stop_worker(0).unwrap();
    reactor.step(Some(0)).unwrap();
    worker.join().unwrap();
}

#[test]
fn lone_tasks_one_after_the_other() {
    round_trips(20_000, |_| Duration::ZERO, |_| Duration::ZERO);
}

#[test]
fn either_side_may_be_late_at_any_moment() {
    let there = |number: u64| Duration::from_micros(if number % 11 == 0 { 40 + number % 60 } else { 0 });
    let here = |number: u64| Duration::from_micros(if number % 13 == 0 { 30 + number % 80 } else { 0 });
    round_trips(5_000, there, here);
}

/// Has one task answered as usual, so that both sides are ready for the quick way; the next one is in the worker's place.
fn with_one_task_left_there(reactor: &mut Reactor) -> (WorkerEnd, ClaimTable) {
    reactor.lone.allow();
    let (mut end, table) = add(reactor);
    reactor.submit(1, Payload::from_vec(vec![]), &[], Limits::default()).unwrap();
    reactor.step(Some(0)).unwrap();
    assert!(end.claim_next().unwrap().is_ok());
    end.report(1, 0, b"", b"").unwrap();
    assert!(end.flush().unwrap());
    assert!(matches!(next_event(reactor), Event::Report { ticket: 1, .. }));
    table.open(Place::ToWorker);
    reactor.submit(2, Payload::from_vec(vec![]), &[], Limits::default()).unwrap();
    (end, table)
}

#[test]
fn rubbish_in_the_place_costs_the_worker() {
    for rubbish in [&b"rubbish"[..], &[0; ROOM], b""] {
        let mut reactor = Reactor::new().unwrap();
        let (end, table) = with_one_task_left_there(&mut reactor);
        let scribbler = std::thread::spawn(move || {
            let until = os::now() + 2_000_000_000;
            while !table.leave(Place::FromWorker, rubbish, u64::from(rubbish.is_empty()) << 60) && os::now() < until {}
            drop(end); // in case nobody looked any more
        });
        let event = next_event(&mut reactor);
        // Whoever has not begun it is not to blame.
        assert!(matches!(&event, Event::Lost { running: None, .. }), "{event:?}");
        assert_eq!((reactor.backlog(), reactor.workers().len()), (1, 0));
        scribbler.join().unwrap();
    }
}

#[test]
fn a_task_left_for_a_worker_that_dies_goes_to_the_next_one() {
    let mut reactor = Reactor::new().unwrap();
    let (end, _) = with_one_task_left_there(&mut reactor);
    reactor.step(Some(0)).unwrap();
    drop(end);
    assert!(matches!(next_event(&mut reactor), Event::Lost { running: None, .. }));
    let (other, _) = add(&mut reactor);
    let worker = std::thread::spawn(move || serve(other, |_| Duration::ZERO));
    assert!(matches!(next_event(&mut reactor), Event::Report { ticket: 2, .. }));
    reactor.stop_worker(1).unwrap();
    reactor.step(Some(0)).unwrap();
    worker.join().unwrap();
}

#[test]
fn the_worker_goes_on_looking_between_two_tasks() {
    let mut reactor = Reactor::new().unwrap();
    let (_end, table) = with_one_task_left_there(&mut reactor);
    assert!(table.patience() > 0); // since the first one
    reactor.step(Some(0)).unwrap();
    assert!(table.look_until(Place::ToWorker, os::now()), "the second one was not left in the place");
}

#[test]
fn with_anything_else_in_the_pool_no_worker_looks() {
    let mut reactor = Reactor::new().unwrap();
    let (_end, table) = with_one_task_left_there(&mut reactor);
    reactor.step(Some(0)).unwrap();
    assert!(table.patience() > 0);
    reactor.submit(3, Payload::from_vec(vec![]), &[], Limits::default()).unwrap();
    reactor.step(Some(0)).unwrap();
    assert_eq!(table.patience(), 0);
}
