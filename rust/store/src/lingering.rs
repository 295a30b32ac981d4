//! Threads of writers that were closed and have yet to wait for the disk, which nobody else waits for but the process's end.
//!
//! Owns the list of them. Must not know what they write.
use std::mem;
use std::sync::{Arc, Mutex, Once};
use std::thread::JoinHandle;

use crate::forked::Process;
use crate::writer::Shared;

struct Left {
    process: Process,
    thread: JoinHandle<()>,
    shared: Arc<Shared>,
}

static LEFT: Mutex<Vec<Left>> = Mutex::new(Vec::new());
static AT_EXIT: Once = Once::new();

/// Leaves a thread to itself.
pub fn leave(thread: JoinHandle<()>, shared: Arc<Shared>) {
    AT_EXIT.call_once(|| {
        // SAFETY: the handler is a function of this library, which is never unloaded.
        unsafe { libc::atexit(wait_for_all) };
    });
    // In a forked child the list may be locked for ever by a thread that doesn't exist there.
    let Ok(mut left) = LEFT.try_lock() else { return };
    left.retain(|each| each.process.is_current() && !each.thread.is_finished());
    left.push(Left { process: Process::current(), thread, shared });
}

/// Called at the end of the process, so that what was committed last is on the disk.
extern "C" fn wait_for_all() {
    let Ok(mut left) = LEFT.try_lock() else { return };
    for each in mem::take(&mut *left) {
        if each.process.is_current() {
            each.shared.wait_until_settled();
        }
    }
}
