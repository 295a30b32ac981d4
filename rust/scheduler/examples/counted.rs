//! Runs a chain or a group to its end, for whoever counts the instructions of `drain`: `counted chain 1000`.
//!
//! Building the graph and starting the run are outside of `drain`, so that what is counted is transitions alone.
use graflow_scheduler::{Action, Config, Event, Scheduler};
use std::collections::VecDeque;

/// Completes attempts in the order they began, with so many in flight; how many there were.
#[inline(never)]
fn drain(scheduler: &mut Scheduler, in_flight: usize) -> u64 {
    let mut open = VecDeque::with_capacity(in_flight);
    let mut transitions = 0;
    loop {
        while open.len() < in_flight {
            match scheduler.next(0) {
                Some(Action::Run { ticket, .. } | Action::Join { ticket, .. }) => open.push_back(ticket),
                Some(Action::Fork { .. } | Action::BranchEnded { .. } | Action::Abandon { .. }) => {}
                Some(Action::Overrun { .. } | Action::Finished { .. }) | None => break,
            }
        }
        let Some(ticket) = open.pop_front() else {
            return transitions;
        };
        scheduler.complete(ticket, &[], 0).expect("no directives");
        transitions += 1;
    }
}

fn chain(nodes: u32) -> (Scheduler, u32) {
    let mut scheduler = Scheduler::new(Config::default());
    scheduler.add_nodes(nodes).expect("room");
    for source in 1..nodes {
        scheduler.add_edge(source - 1, source).expect("known nodes");
    }
    (scheduler, 0)
}

fn group(members: u32) -> (Scheduler, u32) {
    let mut scheduler = Scheduler::new(Config::default());
    let group = scheduler.add_node(true, 0, 0).expect("room");
    let first = scheduler.add_nodes(members).expect("room");
    let all: Vec<u32> = (first..first + members).collect();
    scheduler.set_members(group, &all).expect("a group");
    (scheduler, group)
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, shape, nodes] = arguments.as_slice() else {
        panic!("usage: counted chain|group NODES");
    };
    let nodes = nodes.parse().expect("a number of nodes");
    let ((mut scheduler, root), in_flight) = match shape.as_str() {
        "chain" => (chain(nodes), 1),
        "group" => (group(nodes), 1024),
        other => panic!("no shape {other}"),
    };
    scheduler.handle(Event::Start { roots: &[root] }, 0).expect("a known root");
    println!("{}", drain(&mut scheduler, in_flight));
}
