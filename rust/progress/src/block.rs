//! The lines that are drawn on a terminal: at most six, none wider than it. A pure function of the figures.
use crate::figures::{Busy, Figures};
use crate::words::{clock, count, cut, length, number, rough, width};

/// Below so many columns there is room for one line only.
const NARROW: usize = 60;
/// How many functions are shown.
const FUNCTIONS: usize = 3;
/// After so many seconds the longest of the running bodies is named.
const NOTABLE: f64 = 2.0;

/// The lines of a terminal of that size. `glyphs`: whether it shows more than ASCII.
pub fn lines(figures: &Figures, columns: usize, rows: usize, glyphs: bool) -> Vec<String> {
    let room = columns.saturating_sub(1); // what fills the last column makes some terminals go on to the next line
    if columns < NARROW || rows < 4 {
        return vec![cut(&narrow(figures), room)];
    }
    let mut lines = vec![first(figures, room, glyphs)];
    for function in figures.functions.iter().take(FUNCTIONS) {
        let mut line = format!("  {}  {}/{}", cut(&function.name, 30), number(function.done), number(function.total));
        if function.running > 0 {
            line += &format!("  {} running", number(function.running));
        }
        if let Some(mean) = function.mean {
            line += &format!("  {} each", length(mean));
        }
        lines.push(line);
    }
    lines.push(format!("  {}", state(figures, glyphs)));
    if let Some(busy) = figures.running.first().filter(|busy| busy.seconds > NOTABLE || !busy.said.is_empty()) {
        lines.push(longest(busy));
    }
    lines.truncate(rows - 1);
    lines.iter().map(|line| cut(line, room)).collect()
}

/// What is said in one line: `census 83% 105/126 ~12 s left`.
fn narrow(figures: &Figures) -> String {
    let mut words = vec![figures.name.clone()];
    match (figures.percent(), figures.total) {
        (Some(percent), Some(total)) => {
            words.push(format!("{percent}% {}/{}", number(figures.done), number(total)));
        }
        _ => words.push(format!("{} done", number(figures.done))),
    }
    if figures.failed > 0 {
        words.push(format!("{} failed", number(figures.failed)));
    }
    words.push(figures.left.map_or_else(|| clock(figures.elapsed), |left| format!("~{} left", rough(left))));
    words.join(" ")
}

fn first(figures: &Figures, room: usize, glyphs: bool) -> String {
    let time = clock(figures.elapsed);
    let name = cut(&figures.name, 30);
    let Some((total, percent)) = figures.total.zip(figures.percent()) else {
        return format!("{name}  {} done  {time}", number(figures.done));
    };
    let mut end = format!("  {percent:>3}%  {}/{}  {time}", number(figures.done), number(total));
    match figures.left {
        Some(left) => end += &format!("  about {} left", rough(left)),
        None if figures.grows => end += "  the graph grows",
        None => {}
    }
    let columns = room.saturating_sub(width(&name) + width(&end) + 1).min(34);
    if columns < 5 {
        return format!("{name}{end}");
    }
    let filled = (columns as u64 * figures.done).checked_div(total).unwrap_or(0).min(columns as u64) as usize;
    let (full, empty) = if glyphs { ("━", "─") } else { ("#", "-") };
    format!("{name} {}{}{end}", full.repeat(filled), empty.repeat(columns - filled))
}

/// How busy the workers are, what went wrong, how fast it goes.
pub fn state(figures: &Figures, glyphs: bool) -> String {
    let mut words = Vec::new();
    if figures.workers > 0 {
        let workers = count(figures.workers, "worker", "workers");
        words.push(figures.busy.map_or(workers.clone(), |busy| format!("{workers} {:.0}% busy", busy * 100.0)));
    }
    words.push(format!("{} running", number(figures.running.len() as u64)));
    if figures.failed > 0 {
        words.push(format!("{} failed", number(figures.failed)));
    }
    if figures.retried > 0 {
        words.push(count(figures.retried, "retry", "retries"));
    }
    if figures.done > 0 {
        let rate = figures.rate();
        let rate = if rate < 10.0 { format!("{rate:.1}") } else { number(rate as u64) };
        words.push(format!("{rate} a second"));
    }
    words.join(if glyphs { " · " } else { ", " })
}

/// The body that runs for the longest time.
pub fn longest(busy: &Busy) -> String {
    let task = if busy.task.is_empty() { "a task" } else { &busy.task };
    let mark = if busy.is_slow() { "!" } else { " " };
    let mut line = format!("{mark} {task} running {}", length(busy.seconds));
    if let (true, Some(others)) = (busy.is_slow(), busy.others) {
        line += &format!(" (others {})", length(others));
    }
    if let Some((worker, pid)) = busy.worker {
        line += &format!(", worker {worker}, pid {pid}");
    }
    if !busy.said.is_empty() {
        line += &format!(": {}", busy.said);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::FunctionFigures;

    fn figures() -> Figures {
        let measure = FunctionFigures { name: "measure".into(), done: 103, total: 120, running: 2, mean: Some(0.5) };
        let slow = Busy {
            node: Some(7),
            task: "batch_031".into(),
            worker: Some((1, 40412)),
            seconds: 48.0,
            others: Some(0.5),
            said: String::new(),
        };
        Figures {
            name: "census".into(),
            done: 105,
            total: Some(126),
            elapsed: 52.0,
            left: Some(11.2),
            workers: 2,
            busy: Some(0.98),
            retried: 1,
            functions: vec![measure],
            running: vec![slow],
            ..Figures::default()
        }
    }

    #[test]
    fn a_wide_terminal_shows_all() {
        let shown = lines(&figures(), 100, 24, true);
        assert!(shown[0].starts_with("census ━━━"), "{shown:?}");
        assert!(shown[0].ends_with("─   83%  105/126  0:52  about 12 s left"), "{shown:?}");
        assert_eq!(shown[1], "  measure  103/120  2 running  0.5 s each");
        assert_eq!(shown[2], "  2 workers 98% busy · 1 running · 1 retry · 2.0 a second");
        assert_eq!(shown[3], "! batch_031 running 48.0 s (others 0.5 s), worker 1, pid 40412");
    }

    #[test]
    fn a_narrow_one_has_a_line() {
        assert_eq!(lines(&figures(), 40, 24, true), ["census 83% 105/126 ~12 s left"]);
        assert_eq!(lines(&figures(), 20, 24, true), ["census 83% 105/126~"]);
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_nor_are_there_more_than_rows() {
        let mut hostile = figures();
        hostile.name = "日本語\u{1b}[2J\n".repeat(20);
        hostile.running[0].task = "x".repeat(500);
        for columns in 1..220 {
            for rows in 1..8 {
                let shown = lines(&hostile, columns, rows, true);
                assert!(shown.len() < rows.max(2) && shown.iter().all(|line| width(line) < columns.max(1)));
                assert!(shown.iter().all(|line| !line.contains(['\u{1b}', '\n', '\r'])));
            }
        }
    }

    #[test]
    fn nothing_is_said_that_is_not_known() {
        let none = Figures { name: "w".into(), done: 3, elapsed: 1.0, ..Figures::default() };
        assert_eq!(lines(&none, 80, 24, true)[0], "w  3 done  0:01");
        let grows = Figures { total: Some(47), grows: true, ..none };
        assert!(lines(&grows, 80, 24, false)[0].ends_with("6%  3/47  0:01  the graph grows"));
        assert!(lines(&grows, 80, 24, false).iter().all(|line| line.is_ascii()));
    }
}
