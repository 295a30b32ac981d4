//! The test vocabulary: nodes have names, actions are short sentences, and `check` runs after every step.
#![allow(dead_code, reason = "each test file uses its own part")]
use graflow_scheduler::{Action, BranchId, Config, Directive, Event, Scheduler, Ticket};
use std::collections::BTreeMap;

/// A run in the making, or under way.
pub struct Run {
    pub scheduler: Scheduler,
    names: Vec<String>,
    /// Running attempts by what they are called, the latest last.
    open: Vec<(String, Ticket)>,
    branches: BTreeMap<BranchId, String>,
    pub now: u64,
}

impl Run {
    /// Builds from lines like `a >> b`, `g = x | y`, `lone`; each line may name nodes for the first time.
    pub fn of(text: &str) -> Self {
        Self::with(Config::default(), text)
    }

    pub fn with(config: Config, text: &str) -> Self {
        let mut run = Self {
            scheduler: Scheduler::new(config),
            names: Vec::new(),
            open: Vec::new(),
            branches: BTreeMap::from([(0, String::new())]),
            now: 0,
        };
        run.build(text);
        run
    }

    /// Adds to the graph; allowed while running.
    pub fn build(&mut self, text: &str) {
        let lines = || text.split(['\n', ';']).map(str::trim).filter(|line| !line.is_empty());
        for (group, _) in lines().filter_map(|line| line.split_once('=')) {
            self.add(group.trim(), true, 0, 0);
        }
        for line in lines() {
            if let Some((group, members)) = line.split_once('=') {
                let group = self.id(group.trim());
                let members: Vec<u32> = members
                    .split('|')
                    .map(str::trim)
                    .filter(|name| !name.is_empty())
                    .map(|name| self.id(name))
                    .collect();
                self.scheduler.set_members(group, &members).unwrap();
                continue;
            }
            let chain: Vec<u32> = line.split(">>").map(|name| self.id(name.trim())).collect();
            for pair in chain.windows(2) {
                self.scheduler.add_edge(pair[0], pair[1]).unwrap();
            }
        }
    }

    pub fn add(&mut self, name: &str, group: bool, priority: i32, lane: u32) -> u32 {
        let id = self.scheduler.add_node(group, priority, lane).unwrap();
        self.names.push(name.into());
        assert_eq!(id as usize + 1, self.names.len());
        id
    }

    /// A node's id; a new name is a new task.
    pub fn id(&mut self, name: &str) -> u32 {
        match self.names.iter().position(|known| known == name) {
            Some(id) => id as u32,
            None => self.add(name, false, 0, 0),
        }
    }

    fn name(&self, node: u32) -> String {
        self.names[node as usize].clone()
    }

    pub fn start(mut self, roots: &str) -> Self {
        let roots: Vec<u32> = roots.split_whitespace().map(|name| self.id(name)).collect();
        self.scheduler.handle(Event::Start { roots: &roots }, self.now).unwrap();
        self.check();
        self
    }

    pub fn check(&self) {
        if let Err(broken) = self.scheduler.check() {
            panic!("{broken}");
        }
    }

    fn called(&self, node: u32, branch: BranchId) -> String {
        let place = &self.branches[&branch];
        if place.is_empty() {
            self.name(node)
        } else {
            format!("{} in {place}", self.name(node))
        }
    }

    /// The next action as a sentence, or "-".
    pub fn next(&mut self) -> String {
        let action = self.scheduler.next(self.now);
        self.check();
        let Some(action) = action else { return "-".into() };
        match action {
            Action::Run { ticket, node, branch, attempt, tag, cause } => {
                let called = self.called(node, branch);
                self.open.push((called.clone(), ticket));
                let cause = cause.map(|node| format!(" after {}", self.name(node))).unwrap_or_default();
                let again = if attempt > 0 { format!(" try {attempt}") } else { String::new() };
                let tag = if tag == 0 { String::new() } else { format!(" tag {tag}") };
                format!("run {called}{again}{tag}{cause}")
            }
            Action::Fork { ticket, node, branch, members, first, cause } => {
                let called = self.called(node, branch);
                let place = &self.branches[&branch];
                let prefix = if place.is_empty() { String::new() } else { format!("{place}/") };
                for index in 0..members {
                    let child = format!("{prefix}{}{index}", self.name(node));
                    self.branches.insert(first + u64::from(index), child);
                }
                self.open.push((called.clone(), ticket));
                let cause = cause.map(|node| format!(" after {}", self.name(node))).unwrap_or_default();
                format!("fork {called} of {members}{cause}")
            }
            Action::BranchEnded { branch, outcome, .. } => {
                format!("end {} {}", self.branches[&branch], format!("{outcome:?}").to_lowercase())
            }
            Action::Join { node, branch, members, stopped, .. } => {
                let stopped = if stopped { " stopped" } else { "" };
                format!("join {} of {members}{stopped}", self.called(node, branch))
            }
            Action::Abandon { ticket, node, branch, .. } => {
                self.open.retain(|(_, other)| *other != ticket);
                format!("abandon {}", self.called(node, branch))
            }
            Action::Finished { reason, node, .. } => {
                let node = node.map(|node| format!(" by {}", self.name(node))).unwrap_or_default();
                format!("finished {reason:?}{node}").to_lowercase()
            }
            Action::Overrun { node, branch } => format!("overrun {}", self.called(node, branch)),
        }
    }

    /// Everything that can be started or told now.
    pub fn all(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            match self.next().as_str() {
                "-" => return all,
                action => all.push(action.to_owned()),
            }
            assert!(all.len() < 10_000, "it goes on for ever");
        }
    }

    /// Asserts everything that can be started or told now, one sentence a line or separated by commas.
    #[track_caller]
    pub fn gives(&mut self, expected: &str) -> &mut Self {
        let expected: Vec<&str> = expected.split([',', '\n']).map(str::trim).filter(|line| !line.is_empty()).collect();
        assert_eq!(self.all(), expected);
        self
    }

    /// Asserts that nothing can be done now.
    #[track_caller]
    pub fn waits(&mut self) -> &mut Self {
        self.gives("")
    }

    pub fn ticket(&self, called: &str) -> Ticket {
        let found = self.open.iter().rev().find(|(name, _)| name == called);
        found.unwrap_or_else(|| panic!("{called} is not under way: {:?}", self.open)).1
    }

    fn take(&mut self, called: &str) -> Ticket {
        let ticket = self.ticket(called);
        self.open.retain(|(_, other)| *other != ticket);
        ticket
    }

    #[track_caller]
    fn report(&mut self, called: &str, directives: &[Directive]) -> &mut Self {
        let ticket = self.take(called);
        let known = self.scheduler.handle(Event::Completed { ticket, directives }, self.now);
        assert_eq!(known, Ok(true), "{called}");
        self.check();
        self
    }

    /// Completes each of these.
    #[track_caller]
    pub fn finishes(&mut self, called: &str) -> &mut Self {
        for called in called.split(',') {
            self.report(called.trim(), &[]);
        }
        self
    }

    /// Completes with directives in words: `enqueues x`, `goes to x`, `iterates`, `terminates`, `cancels`.
    #[track_caller]
    pub fn says(&mut self, called: &str, words: &str) -> &mut Self {
        let directives: Vec<Directive> = words
            .split(',')
            .map(|word| {
                let word = word.trim();
                let (word, tag) = match word.split_once(" tag ") {
                    Some((word, tag)) => (word, tag.parse().unwrap()),
                    None => (word, 0),
                };
                if let Some(name) = word.strip_prefix("enqueues ") {
                    Directive::Enqueue { node: self.id(name), tag }
                } else if let Some(name) = word.strip_prefix("goes to ") {
                    Directive::Goto { node: self.id(name), tag }
                } else {
                    match word {
                        "iterates" => Directive::Iterate { tag },
                        "terminates" => Directive::Terminate,
                        "cancels" => Directive::Cancel,
                        other => panic!("what is {other}?"),
                    }
                }
            })
            .collect();
        self.report(called, &directives)
    }

    #[track_caller]
    pub fn goes_to(&mut self, called: &str, target: &str) -> &mut Self {
        self.says(called, &format!("goes to {target}"))
    }

    #[track_caller]
    fn failed(&mut self, called: &str, retry_delay: Option<u64>) -> &mut Self {
        let ticket = self.take(called);
        assert_eq!(self.scheduler.handle(Event::Failed { ticket, retry_delay }, self.now), Ok(true), "{called}");
        self.check();
        self
    }

    /// Fails for good.
    #[track_caller]
    pub fn fails(&mut self, called: &str) -> &mut Self {
        self.failed(called, None)
    }

    /// Fails and shall be tried again.
    #[track_caller]
    pub fn retries(&mut self, called: &str, delay: u64) -> &mut Self {
        self.failed(called, Some(delay))
    }

    pub fn at(&mut self, now: u64) -> &mut Self {
        self.now = now;
        self
    }

    /// `explain` in words.
    pub fn explains(&mut self, name: &str) -> String {
        let id = self.id(name);
        let (reason, related) = self.scheduler.explain(id).unwrap();
        let names: Vec<String> = related.into_iter().map(|node| self.name(node)).collect();
        format!("{} {}", reason.code(), names.join(" ")).trim().to_owned()
    }

    /// `standing` in words.
    pub fn stands(&mut self, name: &str) -> &'static str {
        let id = self.id(name);
        self.scheduler.standing(id).unwrap().code()
    }

    /// Completes everything in order until the end; gives what ran, in order.
    pub fn runs_out(&mut self) -> String {
        let mut ran = Vec::new();
        for _ in 0..1000 {
            let action = self.next();
            let mut words = action.split(' ');
            match words.next() {
                Some("run") => {
                    let called = self.open.last().unwrap().0.clone();
                    ran.push(called.clone());
                    self.finishes(&called);
                }
                Some("join") => {
                    let called: Vec<&str> = words.take_while(|word| *word != "of").collect();
                    self.finishes(&called.join(" "));
                }
                Some("finished") => return format!("{}: {action}", ran.join(", ")),
                Some("-") => panic!("it hangs after {ran:?}"),
                _ => {}
            }
        }
        panic!("it goes on for ever: {ran:?}");
    }
}

/// The config of a workflow with `schedule=parallel`.
pub fn parallel() -> Config {
    Config { parallel: true, ..Config::default() }
}
