//! State of the feed's: a lock that says so when it is taken twice.
use std::sync::{Mutex, MutexGuard};

/// State that is never held while Python code runs that could come back here.
#[derive(Default)]
pub(crate) struct Guarded<T>(pub(crate) Mutex<T>);

impl<T> Guarded<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    pub(crate) fn get(&self) -> MutexGuard<'_, T> {
        match self.0.try_lock() {
            Ok(guard) => guard,
            // Another thread can't be here: the run's own has the interpreter lock. A second use by this one would wait for
            // itself, so a mistake is told instead.
            Err(std::sync::TryLockError::WouldBlock) => panic!("the feed is in use where it was called from"),
            Err(std::sync::TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        }
    }
}
