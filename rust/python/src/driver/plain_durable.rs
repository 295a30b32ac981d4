//! Plain steps of a durable run: written down as they end, or ended as an earlier process wrote down. Part of `PlainSteps`;
//! must not know the form of entries.
use std::sync::atomic::Ordering;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};

use crate::driver::actions::{micros, mistake, to_tuple, ActionTuple};
use crate::driver::plain_calls::Ended;
use crate::driver::plain_journal::{Ended as Written, PlainJournal};
use crate::driver::plain_plans::Step;
use crate::driver::plain_steps::PlainSteps;
use crate::driver::plain_tables::Tables;
use crate::driver::root::now;

/// Steps between two looks for signals, and at what the scheduler has noted.
const STEPS_PER_LOOK: usize = 256;

impl PlainSteps {
    /// Runs one body and writes down what it returned; what Python writes down has been asked for by it.
    pub(super) fn step_written_down<'py>(
        &self,
        py: Python<'py>,
        step: &Step<'py>,
        name: &Bound<'py, PyString>,
        tables: &Tables<'py>,
        journal: &PlainJournal,
    ) -> PyResult<Ended<'py>> {
        journal.begin(name, journal.count(name)?)?;
        let ended = self.step(py, step, name, tables)?;
        let Ended::Returned(result, directives) = ended else {
            return Ok(ended);
        };
        let started = f64::from_bits(self.started.load(Ordering::Relaxed));
        Ok(match journal.returned(name, &result, (started, now()))? {
            Some(kept) => Ended::Returned(kept, directives),
            None => Ended::Asked(self.driver.bind(py).call_method0(intern!(py, "context"))?, result),
        })
    }

    /// Ends steps again; see `catch_up`.
    pub(super) fn end_again<'py>(
        &self,
        driver: &Bound<'py, PyAny>,
        entries: &Bound<'py, PyList>,
        mut place: usize,
        (offset, mut time): (f64, f64),
    ) -> PyResult<(usize, Option<ActionTuple>, f64)> {
        let py = driver.py();
        let Some(journal) = self.journal.as_ref().map(Py::get) else {
            return Ok((place, None, time));
        };
        let tables = Tables::of(driver)?;
        let scheduler = self.scheduler.get();
        let mut last = None;
        let mut action = None;
        while place < entries.len() {
            let entry = entries.get_item(place)?;
            let Ok(entry) = entry.cast::<PyBytes>() else { break };
            let written = Written::of(entry.as_bytes())?;
            if !written.writes.is_empty() || tables.data.is_none() {
                break;
            }
            let Some(kept) = journal.kept(py, &written)? else { break };
            time = later(time, written.started + offset);
            let Some(next) = scheduler.core.get().next(micros(time)) else { break };
            let next = to_tuple(next);
            let Some((step, name)) = self.again(driver, next, &written, journal)? else {
                action = Some(next);
                break;
            };
            journal.begin(&name, written.count)?;
            self.count(py, &step, &name, &tables)?;
            tables.store(step.node, &name, &kept)?;
            if let Some(times) = &tables.times {
                times.get().note(&name, written.started, written.ended);
            }
            time = later(time, written.ended + offset);
            scheduler.core.get().complete(step.ticket, &[], micros(time)).map_err(mistake)?;
            last = Some(kept);
            place += 1;
            if place % STEPS_PER_LOOK == 0 {
                py.check_signals()?;
                scheduler.record();
            }
        }
        if let Some(last) = last {
            driver.call_method1(intern!(py, "caught_up"), (last,))?;
        }
        Ok((place, action, time))
    }

    /// The plain step that an action asks for, if it is the one of an entry.
    fn again<'py>(
        &self,
        driver: &Bound<'py, PyAny>,
        action: ActionTuple,
        written: &Written<'_>,
        journal: &PlainJournal,
    ) -> PyResult<Option<(Step<'py>, Bound<'py, PyString>)>> {
        let Some(step) = self.step_of(driver, action, false)?.filter(|step| step.branch == 0) else {
            return Ok(None);
        };
        let name = self.names.bind(driver.py()).get_item(step.node as usize)?.cast_into::<PyString>()?;
        let is_it = name.to_str()? == written.name && journal.count(&name)? == written.count;
        Ok(is_it.then_some((step, name)))
    }
}

/// That time, unless it is later already.
fn later(time: f64, other: f64) -> f64 {
    time.max(other).max(1e-6)
}
