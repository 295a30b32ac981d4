//! Whether this process was forked since something was opened.
//!
//! Owns a count that goes up in each forked child. A child shares descriptors and memory with its parent, so what the
//! parent opened must not be used, closed or unlocked there: SQLite's files would be damaged.
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Once;

use crate::error::{Error, Result};

static FORKS: AtomicU32 = AtomicU32::new(0);
static WATCHED: Once = Once::new();

extern "C" fn in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// In which process something was made, counted in forks. Comparing costs a load, asking for the pid a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process(u32);

impl Process {
    /// This process.
    pub fn current() -> Process {
        WATCHED.call_once(|| {
            // SAFETY: the handler only adds to an atomic number, which is allowed in a forked child.
            unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        });
        Process(FORKS.load(Ordering::Relaxed))
    }

    /// Whether it is this process still.
    #[inline]
    pub fn is_current(self) -> bool {
        self.0 == FORKS.load(Ordering::Relaxed)
    }

    /// An error if this process was forked since.
    #[inline]
    pub fn check(self) -> Result<()> {
        if self.is_current() {
            Ok(())
        } else {
            Err(Error::Forked)
        }
    }
}

/// A value that is given up by the process that made it only: in a forked child it is forgotten.
#[derive(Debug)]
pub struct Own<T> {
    value: ManuallyDrop<T>,
    process: Process,
}

impl<T> Own<T> {
    /// A value of this process.
    pub fn new(value: T) -> Own<T> {
        Own { value: ManuallyDrop::new(value), process: Process::current() }
    }
}

impl<T> Deref for Own<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Own<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T> Drop for Own<T> {
    fn drop(&mut self) {
        if self.process.is_current() {
            // SAFETY: this is the only place that drops the value, and it isn't used afterwards.
            unsafe { ManuallyDrop::drop(&mut self.value) };
        }
    }
}
