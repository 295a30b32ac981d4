//! Random graphs, directives, failures and interleavings, from printed seeds: the run always ends, every invariant
//! holds after every event, and what happens inside a branch does not depend on who finished first.
use graflow_scheduler::{Action, Config, Directive, Event, Scheduler, StopReason, Work};
use std::collections::BTreeMap;

/// Longer programs are left out.
const LONG: usize = 600;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }
}

/// Which things a program may do.
#[derive(Clone, Copy)]
struct Flavour {
    parallel: bool,
    cancels: bool,
    dynamic: bool,
    max_steps: Option<u64>,
}

fn build(seed: u64, flavour: Flavour) -> (Scheduler, u32) {
    let random = &mut Random(seed);
    let config = Config {
        parallel: flavour.parallel,
        max_steps: flavour.max_steps,
        execution_limit: 6,
        cancel_grace: if random.one_in(2) { 0 } else { u64::MAX / 4 },
    };
    let mut scheduler = Scheduler::new(config);
    let count = 2 + random.below(14) as u32;
    let groups: Vec<bool> = (0..count).map(|_| random.one_in(4)).collect();
    for group in &groups {
        scheduler.add_node(*group, random.below(3) as i32, random.below(3) as u32).unwrap();
    }
    scheduler.set_lane_limit(1, 1);
    scheduler.set_lane_limit(2, 2);
    // Lane 1 waits for lane 2 as well: of three units it takes two.
    if random.one_in(2) {
        scheduler.set_resource(0, 3);
        scheduler.set_lane_demand(1, &[(0, 2)]);
        scheduler.set_lane_demand(2, &[(0, 1)]);
    }
    for (node, group) in (0..).zip(&groups) {
        if *group && node + 1 < count {
            let members: Vec<u32> =
                (0..random.below(5)).map(|_| node + 1 + random.below(u64::from(count - node - 1)) as u32).collect();
            scheduler.set_members(node, &members).unwrap();
        }
    }
    for _ in 0..random.below(2 * u64::from(count)) {
        let (a, b) = (random.below(count.into()) as u32, random.below(count.into()) as u32);
        if random.one_in(6) {
            scheduler.add_edge(a, b).unwrap();
        } else if a != b {
            scheduler.add_edge(a.min(b), a.max(b)).unwrap();
        }
    }
    (scheduler, count)
}

/// What the body of an attempt does: by its place in the program, never by when it runs.
enum Verdict {
    Completes(Vec<Directive>),
    Fails(Option<u64>),
}

fn verdict(seed: u64, key: &str, attempt: u32, tag: i64, count: u32, flavour: Flavour) -> Verdict {
    let mut hash = seed ^ 0xcbf2_9ce4_8422_2325;
    for byte in key.bytes().chain(attempt.to_le_bytes()).chain(tag.to_le_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    }
    let random = &mut Random(hash);
    random.below(2);
    if random.one_in(10) {
        let again = attempt < 3 && !random.one_in(4);
        return Verdict::Fails(again.then(|| random.below(3) * 1000));
    }
    let mut directives = Vec::new();
    let node = random.below(count.into()) as u32;
    let tag = tag + 1;
    if tag < 6 {
        match random.below(12) {
            0 => directives.push(Directive::Enqueue { node, tag }),
            1 => directives.push(Directive::Goto { node, tag }),
            2 => directives.push(Directive::Iterate { tag }),
            3 => directives.extend([Directive::Enqueue { node, tag }, Directive::Goto { node: 0, tag }]),
            4 => directives.extend([Directive::Goto { node, tag }, Directive::Iterate { tag }]),
            _ => {}
        }
    }
    if random.one_in(25) {
        directives.push(Directive::Terminate);
    }
    if flavour.cancels && random.one_in(40) {
        directives.push(Directive::Cancel);
    }
    Verdict::Completes(directives)
}

/// A branch by its place in the program: which activation of which group, which member.
#[derive(Default)]
struct Names {
    names: BTreeMap<u64, String>,
    /// Runs so far in each branch, in order.
    runs: BTreeMap<String, Vec<String>>,
    /// First child branch, parent's name and number of each fork.
    forks: BTreeMap<u64, (u64, u32)>,
}

struct Outcome {
    runs: BTreeMap<String, Vec<String>>,
    joins: BTreeMap<String, (u32, bool)>,
    reason: StopReason,
    steps: u64,
}

impl Outcome {
    /// Whether a branch (or the branch of a fork) is part of the run's outcome, all the way up.
    fn counts(&self, path: &str) -> bool {
        path.match_indices('/').all(|(at, _)| {
            let index: u32 = path[at + 1..].split(['#', '/']).next().unwrap().parse().unwrap();
            self.joins.get(&path[..at]).is_some_and(|(members, _)| index < *members)
        })
    }
}

/// `None`: the program is too long to be of interest.
fn run(seed: u64, order: u64, workers: usize, flavour: Flavour) -> Option<Outcome> {
    let (mut scheduler, count) = build(seed, flavour);
    let random = &mut Random(order);
    let mut names = Names::default();
    names.names.insert(0, "r".into());
    let mut joins = BTreeMap::new();
    let mut fork_names: BTreeMap<u64, String> = BTreeMap::new();
    let mut open: Vec<(u64, u32, String, u32, i64)> = Vec::new();
    let mut now = 0;
    let mut late = Vec::new();
    scheduler.handle(Event::Start { roots: &[0] }, now).unwrap();
    let checked = |scheduler: &Scheduler| {
        if let Err(broken) = scheduler.check() {
            panic!("seed {seed} order {order}: {broken}");
        }
    };
    checked(&scheduler);
    for _ in 0..LONG {
        let action = if open.len() < workers { scheduler.next(now) } else { None };
        checked(&scheduler);
        match action {
            Some(Action::Run { ticket, node, branch, attempt, tag, cause }) => {
                let name = names.names[&branch].clone();
                let runs = names.runs.entry(name.clone()).or_default();
                let key = format!("{name}#{}", runs.len());
                runs.push(format!("{node}.{attempt} tag {tag} cause {cause:?}"));
                open.push((ticket, node, key, attempt, tag));
            }
            Some(Action::Fork { ticket, node, branch, members, first, cause }) => {
                let name = names.names[&branch].clone();
                let runs = names.runs.entry(name.clone()).or_default();
                let key = format!("{name}#{}", runs.len());
                runs.push(format!("fork {node} of {members} cause {cause:?}"));
                for index in 0..members {
                    names.names.insert(first + u64::from(index), format!("{key}/{index}"));
                }
                names.forks.insert(ticket, (first, members));
                fork_names.insert(ticket, key);
            }
            Some(Action::Join { ticket, members, stopped, first, .. }) => {
                let (expected, count) = names.forks[&ticket];
                assert!(first == expected && members <= count);
                let key = fork_names[&ticket].clone();
                joins.insert(key.clone(), (members, stopped));
                let policy = Random(seed ^ key.len() as u64).below(1000);
                // Where a cancel has given up outer members, an earlier terminate can't be undone by a policy any more.
                let refuses = policy % 9 == 0 && !(flavour.cancels && stopped);
                let known = if refuses {
                    scheduler.handle(Event::Failed { ticket, retry_delay: None }, now)
                } else {
                    scheduler.handle(Event::Completed { ticket, directives: &[] }, now)
                };
                assert_eq!(known, Ok(true), "seed {seed}: join's ticket");
                checked(&scheduler);
            }
            Some(Action::Abandon { ticket, .. }) => {
                open.retain(|(other, ..)| *other != ticket);
                late.push(ticket);
            }
            Some(Action::Finished { reason, .. }) => {
                assert!(scheduler.finished());
                assert_eq!(scheduler.in_flight(), 0);
                assert_eq!(scheduler.next(now), None);
                return Some(Outcome { runs: names.runs, joins, reason, steps: scheduler.steps() });
            }
            Some(Action::BranchEnded { .. } | Action::Overrun { .. }) => {}
            None if !open.is_empty() => {
                let pick = random.below(open.len() as u64) as usize;
                let (ticket, _, key, attempt, tag) = open.swap_remove(pick);
                now += random.below(500);
                if flavour.dynamic {
                    grow(&mut scheduler, &mut Random(seed ^ order ^ ticket), count);
                }
                let known = match verdict(seed, &key, attempt, tag, count, flavour) {
                    Verdict::Completes(directives) => {
                        scheduler.handle(Event::Completed { ticket, directives: &directives }, now)
                    }
                    Verdict::Fails(retry_delay) => scheduler.handle(Event::Failed { ticket, retry_delay }, now),
                };
                assert_eq!(known, Ok(true), "seed {seed} order {order}: ticket {ticket}");
                checked(&scheduler);
                late.push(ticket);
                let old = late[random.below(late.len() as u64) as usize];
                assert_eq!(scheduler.handle(Event::Completed { ticket: old, directives: &[] }, now), Ok(false));
            }
            None => match scheduler.deadline() {
                Some(deadline) => now = now.max(deadline),
                None => panic!("seed {seed} order {order}: it hangs\n{scheduler:#?}"),
            },
        }
    }
    None
}

/// Adds a fragment, edges from older nodes, now and then one that closes a loop.
fn grow(scheduler: &mut Scheduler, random: &mut Random, count: u32) {
    if !random.one_in(6) {
        return;
    }
    let new = scheduler.add_nodes(2).unwrap();
    scheduler.add_edge(new, new + 1).unwrap();
    let pick = |random: &mut Random| random.below(count.into()) as u32;
    match random.below(4) {
        0 => scheduler.add_edge(pick(random), new).unwrap(),
        1 => scheduler.add_edge(new + 1, pick(random)).unwrap(),
        2 => scheduler.add_edge(pick(random), pick(random)).unwrap(),
        _ => scheduler.add_edge(new + 1, new).unwrap(),
    }
}

fn seeds() -> std::ops::Range<u64> {
    let first = option_env!("GRAFLOW_SEED").and_then(|seed| seed.parse().ok()).unwrap_or(1);
    first..first + 3000
}

const PLAIN: Flavour = Flavour { parallel: false, cancels: false, dynamic: false, max_steps: None };

#[test]
fn a_sequential_run_does_not_depend_on_the_interleaving() {
    let mut reasons: BTreeMap<String, u32> = BTreeMap::new();
    let mut compared = 0;
    for seed in seeds() {
        let flavour = Flavour { max_steps: seed.is_multiple_of(5).then_some(7), ..PLAIN };
        let Some(alone) = run(seed, 0, 1, flavour) else { continue };
        *reasons.entry(format!("{:?}", alone.reason)).or_default() += 1;
        for order in 1..4 {
            let Some(together) = run(seed, order, 1 + 2 * order as usize, flavour) else { continue };
            compared += 1;
            assert_eq!(together.reason, alone.reason, "seed {seed} order {order}");
            assert_eq!(together.steps, alone.steps, "seed {seed} order {order}");
            // Branches behind a stop don't count: how far they get is a matter of time.
            for (branch, runs) in alone.runs.iter().filter(|(branch, _)| alone.counts(branch)) {
                let more = together.runs.get(branch).unwrap_or_else(|| panic!("seed {seed}: no branch {branch}"));
                assert_eq!(runs, more, "seed {seed} order {order} branch {branch}");
            }
            for (fork, join) in alone.joins.iter().filter(|(fork, _)| alone.counts(fork)) {
                assert_eq!(together.joins.get(fork), Some(join), "seed {seed} order {order} fork {fork}");
            }
        }
    }
    println!("{reasons:?} {compared}");
    assert!(reasons.len() >= 4 && compared > 5000, "{reasons:?} {compared}");
}

#[test]
fn cancels_always_end() {
    for seed in seeds() {
        let Some(alone) = run(seed, 0, 1, Flavour { cancels: true, ..PLAIN }) else { continue };
        for order in 1..4 {
            let Some(together) = run(seed, order, 5, Flavour { cancels: true, ..PLAIN }) else { continue };
            // With an endless grace even who cancels is that of the sequential run.
            if Random(seed).below(2) != 0 {
                assert_eq!(together.reason, alone.reason, "seed {seed} order {order}");
            }
        }
    }
}

#[test]
fn a_parallel_schedule_always_ends() {
    for seed in seeds() {
        let cancels = seed.is_multiple_of(2);
        let max_steps = seed.is_multiple_of(7).then_some(5);
        run(seed, seed, 4, Flavour { parallel: true, cancels, dynamic: false, max_steps });
    }
}

#[test]
fn graphs_that_grow_always_end() {
    for seed in seeds() {
        let flavour = Flavour { parallel: seed.is_multiple_of(2), cancels: seed.is_multiple_of(3), ..PLAIN };
        run(seed, seed, 4, Flavour { dynamic: true, ..flavour });
    }
}

#[test]
fn a_resumed_run_goes_on_as_the_one_that_was_not_interrupted() {
    for seed in seeds() {
        let (mut whole, count) = build(seed, PLAIN);
        whole.handle(Event::Start { roots: &[0] }, 0).unwrap();
        let steps = Random(seed).below(6);
        if (0..steps).any(|_| !matches!(step(&mut whole), Step::Ran(_))) {
            continue;
        }
        let queue: Vec<Work> = whole.pending_work();
        assert_eq!(whole.pending_count(), queue.len());
        for first in [1, queue.len() / 2, queue.len(), queue.len() + 1] {
            assert_eq!(whole.pending_from(first), queue[first.min(queue.len())..]);
        }
        let executions: Vec<(u32, u32)> = (0..count).map(|node| (node, whole.executions(node).unwrap())).collect();
        let marks = whole.edge_marks();
        let (mut resumed, _) = build(seed, PLAIN);
        let event = Event::Resume { queue: &queue, marks: &marks, executions: &executions };
        resumed.handle(event, 0).unwrap();
        assert_eq!(resumed.edge_marks(), marks, "seed {seed}");
        for _ in 0..20 {
            let (left, right) = (step(&mut whole), step(&mut resumed));
            assert_eq!(left, right, "seed {seed}");
            if left == Step::Finished || left == Step::TooLong {
                break;
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Ran(u32),
    Finished,
    TooLong,
}

/// Runs one task of branch 0 to its end, groups and all in between.
fn step(scheduler: &mut Scheduler) -> Step {
    for _ in 0..LONG {
        match scheduler.next(0).unwrap() {
            Action::Run { ticket, node, branch, .. } => {
                scheduler.handle(Event::Completed { ticket, directives: &[] }, 0).unwrap();
                scheduler.check().unwrap();
                if branch == 0 {
                    return Step::Ran(node);
                }
            }
            Action::Join { ticket, .. } => {
                scheduler.handle(Event::Completed { ticket, directives: &[] }, 0).unwrap();
            }
            Action::Fork { .. } | Action::BranchEnded { .. } | Action::Abandon { .. } | Action::Overrun { .. } => {}
            Action::Finished { .. } => return Step::Finished,
        }
    }
    Step::TooLong
}
