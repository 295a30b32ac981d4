//! Lines for logs: when one is due, and what it says. Time is a parameter. Must not know where they go.
use std::collections::HashMap;

use crate::block::longest;
use crate::figures::{Busy, Figures};
use crate::words::{count, cut, length, number, rough};

/// Seconds until the first line about how far it is, and between two at least.
const SHORTEST: f64 = 10.0;
/// ... and at most: who watches logs ends what is silent.
const LONGEST: f64 = 300.0;
/// So much of the time that has gone by passes between two.
const SHARE: f64 = 0.3;
/// So many lines of a kind are shown; more are counted.
const MOST_OF_A_KIND: u64 = 20;
/// The columns of a line.
const WIDEST: usize = 400;

/// A body: its task, if it is known, and where it runs.
type Body = (Option<u32>, Option<(usize, i32)>);

/// What is said to a log.
#[derive(Debug, Default)]
pub struct Plain {
    due: f64,
    slow: HashMap<Body, f64>,
    said: HashMap<String, u64>,
    lines: Vec<String>,
}

impl Plain {
    /// Nothing said yet.
    pub fn new() -> Self {
        Self { due: SHORTEST, ..Self::default() }
    }

    /// The first line.
    pub fn begin(&mut self, name: &str, workers: u64, pid: u32) {
        let workers = if workers == 0 { String::new() } else { format!(", {}", count(workers, "worker", "workers")) };
        self.say(format!("{name}: started{workers}, pid {pid}"));
    }

    /// An event of a kind, such as `retry`: the first ones have a line each.
    pub fn event(&mut self, name: &str, kind: &str, text: &str) {
        let said = self.said.entry(kind.to_owned()).or_default();
        *said += 1;
        if *said <= MOST_OF_A_KIND {
            self.say(format!("{name}: {kind}: {text}"));
        } else if *said == MOST_OF_A_KIND + 1 {
            self.say(format!("{name}: {kind}: more of these are only counted"));
        }
    }

    /// Looks whether something is due.
    pub fn look(&mut self, figures: &Figures) {
        let slow: Vec<&Busy> = figures.running.iter().filter(|busy| busy.is_slow()).collect();
        for busy in slow {
            let began = figures.elapsed - busy.seconds;
            let key = (busy.node, busy.worker);
            if self.slow.get(&key).is_none_or(|before| (before - began).abs() > 1.0) {
                self.slow.insert(key, began);
                self.event(&figures.name, "slow", longest(busy).trim_start_matches(['!', ' ']));
            }
        }
        if figures.elapsed >= self.due {
            self.due = figures.elapsed + (figures.elapsed * SHARE).clamp(SHORTEST, LONGEST);
            self.say(progress(figures));
        }
    }

    /// What is to be written, with line ends.
    pub fn take(&mut self) -> String {
        self.lines.drain(..).fold(String::new(), |text, line| text + &line + "\n")
    }

    fn say(&mut self, line: String) {
        self.lines.push(cut(&line, WIDEST));
    }
}

fn progress(figures: &Figures) -> String {
    let mut words = match (figures.percent(), figures.total) {
        (Some(percent), Some(total)) => vec![format!("{percent}% {}/{}", number(figures.done), number(total))],
        _ => vec![format!("{} done", number(figures.done))],
    };
    words.push(length(figures.elapsed));
    words.push(format!("{} running", figures.running.len()));
    if figures.failed > 0 {
        words.push(format!("{} failed", number(figures.failed)));
    }
    if let Some(left) = figures.left {
        words.push(format!("about {} left", rough(left)));
    }
    format!("{}: {}", figures.name, words.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(elapsed: f64) -> Figures {
        let left = Some(3600.0 - elapsed);
        Figures { name: "w".into(), done: elapsed as u64, total: Some(3600), elapsed, left, ..Figures::default() }
    }

    #[test]
    fn an_hour_takes_thirty_lines_at_most_and_the_first_comes_soon() {
        let mut plain = Plain::new();
        plain.begin("w", 2, 7);
        let mut lines = vec![(0, plain.take())];
        for tenth in 0..36_000 {
            plain.look(&at(f64::from(tenth) / 10.0));
            let said = plain.take();
            if !said.is_empty() {
                lines.push((tenth / 10, said));
            }
        }
        assert!(lines.len() < 30, "{}", lines.len());
        assert_eq!(lines[0].1, "w: started, 2 workers, pid 7\n");
        assert_eq!(lines[1], (10, "w: 0% 10/3600, 10.0 s, 0 running, about 59:50 left\n".to_owned()));
        assert!(lines.windows(2).all(|pair| pair[1].0 - pair[0].0 <= 300));
        assert!(lines.iter().all(|line| !line.1.contains(['\r', '\u{1b}'])));
    }

    #[test]
    fn thousands_of_failures_are_counted() {
        let mut plain = Plain::new();
        for _ in 0..10_000 {
            plain.event("w", "FAILED", "t: ValueError: bad\nheader");
        }
        let said = plain.take();
        assert_eq!(said.lines().count(), 21);
        assert!(said.ends_with("more of these are only counted\n"));
    }

    #[test]
    fn a_slow_body_is_told_once() {
        let mut plain = Plain::new();
        let busy = |seconds| Busy {
            node: Some(1),
            task: "batch".into(),
            worker: Some((0, 9)),
            seconds,
            others: Some(0.5),
            said: String::new(),
        };
        for elapsed in [11.0, 12.0, 13.0] {
            plain.look(&Figures { running: vec![busy(elapsed - 0.5)], ..at(elapsed) });
        }
        let said = plain.take();
        assert_eq!(
            said.matches("w: slow: batch running 10.5 s (others 0.5 s), worker 0, pid 9\n").count(),
            1,
            "{said}"
        );
    }
}
