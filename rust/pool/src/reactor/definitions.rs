//! Blobs that workers are told once: before their first task that names one, or at once.
//!
//! Owns when a blob is out of date. Must not know what is in it.
use super::Reactor;
use crate::frame::{FrameError, Kind, MAX_BODY};
use crate::payload::Payload;
use crate::PoolError;

pub(super) fn check_size(bytes: usize) -> Result<(), PoolError> {
    // Room for the fixed part of a record.
    if bytes > MAX_BODY - 64 {
        return Err(PoolError::TooLarge(FrameError::TooLarge(bytes)));
    }
    Ok(())
}

impl Reactor {
    /// Keeps a blob to be sent to each worker before its first task that names the key.
    pub fn define(&mut self, key: u64, blob: Payload) -> Result<(), PoolError> {
        check_size(blob.bytes().len())?;
        if self.definitions.insert(key, blob).is_some() {
            self.latest_definitions = None;
            for worker in self.workers.iter_mut().flatten() {
                worker.known.remove(&key); // what it has is out of date
                worker.latest_definitions = None;
            }
        }
        Ok(())
    }

    /// Sends a blob to each worker at once, and to those to come before anything else: values may name it.
    pub fn share(&mut self, key: u64, blob: Payload) -> Result<(), PoolError> {
        check_size(blob.bytes().len())?;
        for worker in self.workers.iter_mut().flatten() {
            worker.tell(key, &blob);
            worker.latest_definitions = None;
        }
        self.definitions.insert(key, blob);
        self.latest_definitions = None;
        self.shared.insert(key);
        Ok(())
    }

    /// Drops a blob here and in the workers.
    pub fn forget(&mut self, key: u64) {
        self.definitions.remove(&key);
        self.shared.remove(&key);
        self.latest_definitions = None;
        self.durations.forget(key);
        for worker in self.workers.iter_mut().flatten() {
            worker.latest_definitions = None;
            if worker.known.remove(&key) {
                // A frame of eight bytes always fits.
                let _ = worker.outbox.numbered(Kind::Forget, key, None);
            }
        }
    }
}
