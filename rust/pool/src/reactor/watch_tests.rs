//! Limits of tasks against a worker's end in the same thread: who is told of, and how often anybody looks.
use std::time::Duration;

use super::tests::{add, claim, finish, step};
use super::*;

const SECOND: u64 = 1_000_000_000;

fn submit(reactor: &mut Reactor, ticket: u64, timeout: Option<u64>) {
    let payload = Payload::from_vec(ticket.to_le_bytes().to_vec());
    reactor.submit(ticket, payload, &[], Limits { timeout, ..Limits::default() }).unwrap();
}

/// Steps until something happened.
fn next_events(reactor: &mut Reactor) -> Vec<Event> {
    while reactor.step(None).unwrap() != Woken::Events {}
    reactor.take_events(usize::MAX).collect()
}

/// How often the reactor woke up, and looked at a clock, while nothing happened for so long.
fn quiet_for(reactor: &mut Reactor, nanoseconds: u64) -> (u64, u64) {
    let before = (reactor.wakes, reactor.looks);
    let until = os::now() + nanoseconds;
    while reactor.step(Some(until)).unwrap() != Woken::TimedOut {}
    (reactor.wakes - before.0, reactor.looks - before.1)
}

#[test]
fn the_one_over_its_time_is_told_once() {
    let mut reactor = Reactor::new().unwrap();
    let mut end = add(&mut reactor);
    submit(&mut reactor, 1, Some(20_000_000));
    submit(&mut reactor, 2, Some(SECOND));
    step(&mut reactor);
    assert_eq!(claim(&mut end), Some(1));
    end.begin_body();
    let events = next_events(&mut reactor);
    assert!(matches!(events[..], [Event::Overtime { ticket: 1, running: 20_000_000.., .. }]), "{events:?}");
    assert!(step(&mut reactor).is_empty());
}

#[test]
fn a_task_has_its_whole_time_once_its_body_is_called() {
    let mut reactor = Reactor::new().unwrap();
    let mut end = add(&mut reactor);
    submit(&mut reactor, 1, Some(30_000_000));
    step(&mut reactor);
    assert_eq!(claim(&mut end), Some(1));
    quiet_for(&mut reactor, 90_000_000); // it loads what it needs
    end.begin_body();
    let begun = os::now();
    assert!(matches!(next_events(&mut reactor)[..], [Event::Overtime { ticket: 1, .. }]));
    assert!(os::now() - begun >= 25_000_000);
}

#[test]
fn a_task_with_a_timeout_behind_a_long_one_wakes_nobody() {
    for begins in [false, true] {
        let mut reactor = Reactor::new().unwrap();
        let mut end = add(&mut reactor);
        submit(&mut reactor, 1, None);
        submit(&mut reactor, 2, Some(10 * SECOND));
        step(&mut reactor);
        assert_eq!(reactor.workers[0].as_ref().unwrap().in_flight(), 2);
        if begins {
            assert_eq!(claim(&mut end), Some(1));
            end.begin_body();
        }
        let (wakes, looks) = quiet_for(&mut reactor, 250_000_000);
        assert!(wakes <= 4, "{wakes}"); // each tick, and the deadline
        assert_eq!(looks, 0);
    }
}

#[test]
fn a_timeout_on_each_task_costs_no_looks() {
    let mut reactor = Reactor::new().unwrap();
    let mut end = add(&mut reactor);
    for ticket in 0..2_000 {
        submit(&mut reactor, ticket, Some(10 * SECOND));
    }
    let mut largest = 0;
    while reactor.backlog() > 0 {
        step(&mut reactor);
        largest = largest.max(reactor.workers[0].as_ref().unwrap().in_flight());
        while let Some(ticket) = claim(&mut end) {
            end.begin_body();
            finish(&mut end, ticket);
        }
        end.flush().unwrap();
    }
    assert_eq!(reactor.looks, 0);
    assert!(largest > 100, "{largest} at once");
    let watch = format!("{:?}", reactor.workers[0].as_ref().unwrap().watch);
    assert_eq!(watch, format!("{:?}", watch::Watch::default()));
}

/// Whatever the order of timeouts, none is told of too early or forgotten.
#[test]
fn each_of_many_is_told_of_in_its_time() {
    for seed in 1..=6_u64 {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut random = move |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % below
        };
        let mut reactor = Reactor::new().unwrap();
        let mut end = add(&mut reactor);
        let mut timeouts = Vec::new();
        for ticket in 0..12 {
            let timeout = [None, Some(2_000_000 + random(15_000_000))][random(2) as usize];
            timeouts.push(timeout);
            submit(&mut reactor, ticket, timeout);
        }
        while reactor.backlog() > 0 {
            step(&mut reactor);
            let Some(ticket) = claim(&mut end) else {
                continue;
            };
            if random(3) == 0 {
                std::thread::sleep(Duration::from_millis(random(5)));
            }
            end.begin_body();
            let begun = os::now();
            match timeouts[ticket as usize] {
                Some(timeout) if random(2) == 0 => {
                    let events = next_events(&mut reactor);
                    assert!(
                        matches!(events[..], [Event::Overtime { ticket: told, .. }] if told == ticket),
                        "{events:?}"
                    );
                    assert!(os::now() - begun >= timeout, "seed {seed}");
                }
                _ => {}
            }
            finish(&mut end, ticket);
            end.flush().unwrap();
        }
    }
}

#[test]
fn memory_is_sampled_by_worker_and_told_once() {
    let mut reactor = Reactor::new().unwrap();
    let mut end = add(&mut reactor);
    reactor.workers[0].as_mut().unwrap().pid = std::process::id() as i32;
    let mut submit = |ticket: u64, memory: u64| {
        let payload = Payload::from_vec(ticket.to_le_bytes().to_vec());
        reactor.submit(ticket, payload, &[], Limits { memory: Some(memory), ..Limits::default() }).unwrap();
    };
    submit(1, u64::MAX);
    submit(2, 1000);
    step(&mut reactor);
    assert_eq!(claim(&mut end), Some(1));
    quiet_for(&mut reactor, 120_000_000);
    finish(&mut end, 1);
    end.flush().unwrap();
    step(&mut reactor);
    assert_eq!(claim(&mut end), Some(2));
    let events = next_events(&mut reactor);
    assert!(matches!(events[..], [Event::Overmemory { ticket: 2, used: 1001.., .. }]), "{events:?}");
    quiet_for(&mut reactor, 120_000_000);
    assert!(reactor.take_events(1).next().is_none());
}

#[test]
fn workers_are_asked_for_as_work_comes() {
    let mut reactor = Reactor::new().unwrap();
    reactor.set_capacity(3);
    assert!(reactor.room() > 0);
    let _one = add(&mut reactor);
    let asked = |reactor: &mut Reactor| -> Vec<usize> {
        let wanted = |event: &Event| match event {
            Event::Wanted { workers } => *workers,
            other => panic!("{other:?}"),
        };
        step(reactor).iter().map(wanted).collect()
    };
    submit(&mut reactor, 1, None);
    assert_eq!(asked(&mut reactor), []);
    submit(&mut reactor, 2, None);
    assert_eq!(asked(&mut reactor), [2]);
    assert_eq!(asked(&mut reactor), [], "said once");
    for ticket in 3..100 {
        submit(&mut reactor, ticket, None);
    }
    assert_eq!(asked(&mut reactor), [3]);
    assert_eq!(asked(&mut reactor), []);
}
