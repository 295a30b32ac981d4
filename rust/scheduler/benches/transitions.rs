//! Nanoseconds per transition (complete a task, apply its directives, find what is ready) and bytes per node.
//! `cargo bench -p graflow-scheduler`; the last argument may bound the largest graph.
#![allow(clippy::disallowed_types, reason = "benches measure time")]
use graflow_scheduler::{Action, Config, Directive, Scheduler, Ticket};
use std::hint::black_box;
use std::time::{Duration, Instant};

fn built(nodes: u32, parallel: bool, edge: impl Fn(u32) -> Option<(u32, u32)>) -> Scheduler {
    let mut scheduler = Scheduler::new(Config { parallel, ..Config::default() });
    scheduler.add_nodes(nodes).expect("room");
    for (source, target) in (0..nodes).filter_map(edge) {
        scheduler.add_edge(source, target).expect("known nodes");
    }
    scheduler
}

fn ticket(action: Option<Action>) -> Option<Ticket> {
    match action? {
        Action::Run { ticket, .. } | Action::Join { ticket, .. } => Some(ticket),
        Action::Fork { .. }
        | Action::BranchEnded { .. }
        | Action::Abandon { .. }
        | Action::Finished { .. }
        | Action::Overrun { .. } => None,
    }
}

fn start(scheduler: &mut Scheduler, roots: &[u32]) -> Duration {
    let clock = Instant::now();
    scheduler.handle(graflow_scheduler::Event::Start { roots }, 0).expect("known roots");
    clock.elapsed()
}

fn print(name: &str, nodes: u32, transitions: u64, took: Duration, more: &str) {
    let each = took.as_nanos() as f64 / transitions as f64;
    println!("{name:<44} {nodes:>10} nodes {each:>8.1} ns a transition{more}");
}

/// Runs a scheduler to its end, one attempt at a time.
fn run(scheduler: &mut Scheduler) -> (u64, Duration) {
    let clock = Instant::now();
    let mut transitions = 0;
    let mut action = scheduler.next(0);
    while let Some(ticket) = ticket(action) {
        scheduler.complete(black_box(ticket), &[], 0).expect("no directives");
        action = scheduler.next(0);
        transitions += 1;
    }
    (transitions, clock.elapsed())
}

fn chain(nodes: u32) {
    let repeats = (200_000 / nodes).max(1);
    let (mut transitions, mut took, mut began, mut bytes) = (0, Duration::ZERO, Duration::ZERO, 0);
    for _ in 0..repeats {
        let mut scheduler = built(nodes, false, |node| (node + 1 < nodes).then_some((node, node + 1)));
        began += start(&mut scheduler, &[0]);
        let (count, time) = run(&mut scheduler);
        transitions += count;
        took += time;
        bytes = scheduler.memory_bytes();
    }
    let (begin, bytes) = (began.as_nanos() as u64 / transitions, bytes / nodes as usize);
    print("chain", nodes, transitions, took, &format!(", {begin} ns to start, {bytes} bytes a node"));
}

/// A fan-out whose middle nodes meet again at every tenth.
fn diamonds(nodes: u32) {
    let mut scheduler = built(nodes, false, |node| (node > 0).then(|| ((node - 1) / 10 * 10, node)));
    for node in (0..nodes).filter(|node| node % 10 != 0) {
        let next = node / 10 * 10 + 10;
        if next < nodes {
            scheduler.add_edge(node, next).expect("known nodes");
        }
    }
    start(&mut scheduler, &[0]);
    let (transitions, took) = run(&mut scheduler);
    print("diamonds of 9, each a join", nodes, transitions, took, "");
}

fn everything_ready(nodes: u32) {
    let mut scheduler = built(nodes, true, |_| None);
    let roots: Vec<u32> = (0..nodes).collect();
    start(&mut scheduler, &roots);
    let clock = Instant::now();
    let mut open = std::collections::VecDeque::new();
    let mut transitions = 0_u64;
    loop {
        while open.len() < 1024 {
            let Some(ticket) = ticket(scheduler.next(0)) else { break };
            open.push_back(ticket);
        }
        let Some(ticket) = open.pop_front() else { break };
        scheduler.complete(ticket, &[], 0).expect("no directives");
        transitions += 1;
    }
    print("schedule=parallel, 1024 in flight", nodes, transitions, clock.elapsed(), "");
}

fn group(members: u32) {
    let mut scheduler = Scheduler::new(Config::default());
    let group = scheduler.add_node(true, 0, 0).expect("room");
    let first = scheduler.add_nodes(members).expect("room");
    let all: Vec<u32> = (first..first + members).collect();
    scheduler.set_members(group, &all).expect("a group");
    start(&mut scheduler, &[group]);
    let clock = Instant::now();
    let mut open = std::collections::VecDeque::new();
    let mut transitions = 0_u64;
    let mut bytes = 0;
    'run: loop {
        while open.len() < 1024 {
            match scheduler.next(0) {
                Some(Action::Run { ticket, .. } | Action::Join { ticket, .. }) => open.push_back(ticket),
                Some(Action::Finished { .. }) => break 'run,
                Some(Action::Fork { .. } | Action::BranchEnded { .. } | Action::Abandon { .. })
                | Some(Action::Overrun { .. }) => {}
                None => break,
            }
        }
        let Some(ticket) = open.pop_front() else { break };
        scheduler.complete(ticket, &[], 0).expect("no directives");
        transitions += 1;
        if transitions == u64::from(members) / 2 {
            bytes = scheduler.memory_bytes();
        }
    }
    let more = format!(", {} bytes a node half way", bytes / members as usize);
    print("group of leaf members, 1024 in flight", members, transitions, clock.elapsed(), &more);
}

/// Each task adds a node and enqueues it.
fn dynamic(nodes: u32) {
    let mut scheduler = built(1, false, |_| None);
    start(&mut scheduler, &[0]);
    let clock = Instant::now();
    let mut action = scheduler.next(0);
    let mut transitions = 0_u64;
    while let Some(ticket) = ticket(action) {
        if transitions + 1 < u64::from(nodes) {
            let node = scheduler.add_nodes(1).expect("room");
            scheduler.complete(ticket, &[Directive::Enqueue { node, tag: 0 }], 0).expect("known");
        } else {
            scheduler.complete(ticket, &[], 0).expect("no directives");
        }
        action = scheduler.next(0);
        transitions += 1;
    }
    print("added and enqueued at run time", nodes, transitions, clock.elapsed(), "");
}

fn main() {
    let largest = std::env::args().filter_map(|argument| argument.parse().ok()).next_back().unwrap_or(10_000_000);
    for nodes in [1_000, 100_000, 1_000_000, 10_000_000].into_iter().filter(|nodes| *nodes <= largest) {
        chain(nodes);
    }
    for nodes in [1_000, 1_000_000].into_iter().filter(|nodes| *nodes <= largest) {
        diamonds(nodes);
        everything_ready(nodes);
        group(nodes);
        dynamic(nodes);
    }
}
