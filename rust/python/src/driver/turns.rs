//! Turns of the feed: tasks go out until the pool has enough, then its news is waited for and taken in.
//!
//! Owns when that is without Python. Must not know what a report means.
use std::sync::PoisonError;

use graflow_pool::{Event, Woken};
use graflow_scheduler::Action;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::driver::branches::Branches;
use crate::driver::feed::Feed;
use crate::driver::pool::refused;

impl Feed {
    /// What Python does for this; none when the run has ended.
    pub(crate) fn helper<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let helper = self.helper.lock().unwrap_or_else(PoisonError::into_inner);
        match &*helper {
            Some(helper) => Ok(helper.bind(py).clone()),
            None => Err(pyo3::exceptions::PyRuntimeError::new_err("the run has ended")),
        }
    }

    pub(crate) fn branches(&self) -> &Branches {
        self.branches.get()
    }

    /// Whether a branch is of a group that began when there was a pool already; of others Python keeps a record.
    pub(crate) fn knows(&self, branch: u64) -> bool {
        self.groups.get().iter().rev().any(|group| group.first <= branch && branch < group.last)
    }

    /// Feeds tasks until the pool has enough; the first action that is the driver's, or None.
    pub(crate) fn fed(slf: &Bound<'_, Self>, now: u64) -> PyResult<Option<Action>> {
        let this = slf.get();
        let mut room = 0;
        loop {
            if room == 0 {
                room = this.pool.get().lock()?.room();
                if room == 0 {
                    return Ok(None);
                }
            }
            let action = this.scheduler.get().core.get().next(now);
            match action {
                Some(Action::Run { ticket, node, branch, attempt, tag, cause }) => {
                    let is_watched = this.watched.get().iter().any(|(first, last)| (*first..*last).contains(&branch));
                    if is_watched || !Self::started(slf, (ticket, node, branch), (attempt, tag, cause))? {
                        return Ok(action);
                    }
                    room -= 1;
                }
                Some(Action::BranchEnded { branch, outcome, .. }) if this.branches().ended(branch, outcome) => {}
                other => return Ok(other),
            }
        }
    }

    /// Waits for the pool's news.
    pub(crate) fn wait(&self, py: Python<'_>, until: Option<u64>) -> PyResult<Vec<Event>> {
        let mut guard = self.pool.get().lock()?;
        let reactor = &mut *guard;
        while py.detach(|| reactor.step(until)).map_err(refused)? == Woken::Tick {
            py.check_signals()?;
        }
        Ok(reactor.take_events(4096).collect())
    }

    /// Applies an event if it is a report that needs nobody else; else gives it back.
    pub(crate) fn take(slf: &Bound<'_, Self>, event: Event) -> PyResult<Option<Event>> {
        let this = slf.get();
        let Event::Report { ticket, worker, flags, started, ended, bytes, result, effects } = &event else {
            return Ok(Some(event));
        };
        let (is_ours, has_asked) = {
            let tracked = this.tracked.get();
            let attempt = tracked.get(ticket);
            (attempt.is_some_and(|attempt| !attempt.is_attended), attempt.is_some_and(|attempt| attempt.has_asked))
        };
        let is_simple = flags & !(graflow_wire::record::EFFECTS | graflow_wire::record::FAILED) == 0;
        if !is_ours || !is_simple || ended.saturating_sub(*started) > LONG_TASK {
            return Ok(Some(event));
        }
        let times = (*started as f64 / 1e9, *ended as f64 / 1e9);
        this.scheduler.get().note_body(*ticket, *worker as i32, started / 1000, ended / 1000);
        let (result, record) = (&bytes[result.clone()], &bytes[effects.clone()]);
        if has_asked {
            // Before what follows from it: somebody may wait for what it held.
            this.helper(slf.py())?.call_method1(intern!(slf.py(), "asker_ended"), (ticket,))?;
        }
        Self::applied(slf, *ticket, *flags, times, result, record, None)?;
        Ok(None)
    }

    /// Has Python answer a body; whether the driver has to look after somebody who waits.
    pub(crate) fn answer(&self, py: Python<'_>, ticket: u64, worker: usize, body: &[u8]) -> PyResult<bool> {
        let helper = self.helper(py)?;
        helper.call_method1(intern!(py, "answer"), (ticket, worker, PyBytes::new(py, body)))?.extract()
    }
}

/// After a task that took longer, in nanoseconds, its worker's memory is looked at: by Python.
const LONG_TASK: u64 = 50_000_000;
