//! How much memory processes have resident that is their own to answer for. Linux only for now, as `os`.
//!
//! Owns what the system says about a process's memory. Must not know limits, tasks or pools.
use std::fs;

use crate::os;

/// How shared buffers are called: they are arguments and results, other processes have them, too, and they stay mapped
/// for the next task, so no task uses more memory for them.
const BUFFERS: &str = "graflow-buffers";

/// Bytes that a process has resident, without shared buffers; 0 if it is gone.
///
/// Leaving buffers out takes time, so up to `enough` bytes they are counted.
pub fn of_process(pid: i32, enough: u64) -> u64 {
    let resident = resident(pid);
    if resident > enough {
        resident.saturating_sub(buffers(pid))
    } else {
        resident
    }
}

/// The same of a process and all its descendants together.
pub fn of_family(pid: i32, enough: u64) -> u64 {
    let mut total = 0;
    let mut todo = vec![pid];
    while let Some(each) = todo.pop() {
        total += resident(each);
        todo.extend(children(each));
    }
    if total > enough {
        total.saturating_sub(buffers(pid))
    } else {
        total
    }
}

fn resident(pid: i32) -> u64 {
    let Ok(text) = fs::read_to_string(format!("/proc/{pid}/statm")) else {
        return 0;
    };
    let pages: u64 = text.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    pages * os::page_size()
}

fn children(pid: i32) -> Vec<i32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let lists = threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<_>>()).collect()
}

fn buffers(pid: i32) -> u64 {
    let Ok(text) = fs::read(format!("/proc/{pid}/smaps")) else {
        return 0;
    };
    let mut total = 0;
    let mut inside = false;
    for line in String::from_utf8_lossy(&text).lines() {
        if let Some(rest) = line.strip_prefix("Rss:") {
            let kilobytes = rest.split_whitespace().next().and_then(|word| word.parse::<u64>().ok());
            total += if inside { kilobytes.unwrap_or(0) * 1024 } else { 0 };
        } else if line.split(' ').next().is_some_and(|word| word.contains('-')) {
            inside = line.contains(BUFFERS); // the head of a mapping: addresses, rights, file
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_family_is_more_than_its_head() {
        let pid = std::process::id() as i32;
        let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        assert!(children(pid).contains(&(child.id() as i32)));
        assert!(of_process(pid, u64::MAX) > 100_000);
        assert!(of_family(pid, u64::MAX) > of_process(child.id() as i32, u64::MAX));
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(of_process(child.id() as i32, 0), 0);
    }
}
