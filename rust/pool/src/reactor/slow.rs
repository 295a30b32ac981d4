//! Bodies that have been running for long, and how long others of their function took.
//!
//! Owns nothing: it looks at what is running when somebody asks. Must not know how long is too long.
use super::Reactor;
use crate::os;
use crate::worker::Running;

/// A body that has been running for long; times are nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LongBody {
    /// Its task.
    pub ticket: u64,
    /// Its worker's process, 0 as long as that is not known.
    pub pid: i32,
    /// For how long.
    pub running: u64,
    /// How long others of its function took on average; `None` before one has ended.
    pub others: Option<u64>,
}

impl Reactor {
    /// The bodies that have been running for at least so long.
    pub fn long_bodies(&self, least: u64) -> Vec<LongBody> {
        let now = os::now();
        let mut found = Vec::new();
        for worker in self.workers.iter().flatten() {
            let Some(Running { ticket, body_since: Some(since), .. }) = worker.running() else {
                continue;
            };
            let running = now.saturating_sub(since);
            if running >= least {
                let others = self.entries.get(&ticket).and_then(|entry| self.durations.average(entry.function()));
                found.push(LongBody { ticket, pid: worker.pid, running, others });
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{add, claim, finish, step};
    use super::*;
    use crate::limits::Limits;
    use crate::payload::Payload;

    #[test]
    fn a_long_body_is_told_with_what_others_took() {
        let mut reactor = Reactor::new().unwrap();
        let mut end = add(&mut reactor);
        reactor.define(7, Payload::from_vec(vec![1])).unwrap();
        for ticket in [1, 2] {
            let payload = Payload::from_vec(u64::to_le_bytes(ticket).to_vec());
            reactor.submit(ticket, payload, &[7], Limits::default()).unwrap();
        }
        step(&mut reactor);
        assert_eq!(claim(&mut end), Some(1));
        assert_eq!(reactor.long_bodies(0), [], "its body has not begun");
        end.begin_body();
        let [body] = reactor.long_bodies(0)[..] else { panic!("one runs") };
        assert_eq!((body.ticket, body.others), (1, None));
        assert_eq!(reactor.long_bodies(u64::MAX), []);
        finish(&mut end, 1);
        while claim(&mut end) != Some(2) {
            step(&mut reactor);
        }
        while reactor.backlog() > 1 {
            step(&mut reactor);
        }
        end.begin_body();
        let [body] = reactor.long_bodies(0)[..] else { panic!("the other one runs") };
        assert_eq!(body.ticket, 2);
        assert!(body.others.is_some());
    }
}
