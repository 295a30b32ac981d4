//! Applying what a worker reports of steps: results into the books, completions into the scheduler.
use graflow_pool::{Event, Reactor};
use graflow_scheduler::{Action, Directive, Micros};
use pyo3::exceptions::{PyAssertionError, PyRuntimeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::{node_of, Current, StepFeed, FIRST_TAG};
use crate::lease::Outcome;
use crate::plain::NONE_PICKLE;
use crate::values::ValuesMethods;

/// The flag of a report that has a record and nothing unusual.
const EFFECTS: u32 = 2;
/// After a task that took longer, in nanoseconds, its worker's memory is looked at: by the driver.
const LONG_TASK: u64 = 50_000_000;

/// What is left for the driver after steps were applied.
pub(super) enum Left {
    /// Nothing: all were applied.
    Nothing,
    /// The outcome with this index is not plain; its step is the current one.
    Outcome(usize),
}

impl StepFeed {
    /// Applies a report; None when it is not one that this way knows.
    pub(super) fn reported(&mut self, py: Python<'_>, event: &Event) -> PyResult<Option<Left>> {
        let Event::Report { ticket, flags, started, ended, bytes, result, effects, .. } = event else {
            return Ok(None);
        };
        let Some(current) = self.current.as_ref().filter(|current| current.ticket == *ticket) else {
            return Ok(None);
        };
        if ended.saturating_sub(*started) > LONG_TASK || !self.planner.expiring.bind(py).is_empty() {
            return Ok(None);
        }
        if current.lease > 0 {
            if *flags != EFFECTS {
                return Ok(None);
            }
            let outcomes = self.loads.call1(py, (PyBytes::new(py, &bytes[effects.clone()]),))?;
            self.outcomes = Some(outcomes.extract(py)?);
            return self.apply_from(py, 0, true).map(Some);
        }
        if *flags != 0 || !effects.is_empty() || current.tag != 0 {
            return Ok(None);
        }
        let result = &bytes[result.clone()];
        let value = if result == NONE_PICKLE {
            py.None().into_bound(py)
        } else {
            let books = &self.books;
            books.packed.bind(py).call1((PyBytes::new(py, result), books.load.bind(py)))?
        };
        let offset = wall_offset();
        let mut times = [offset + *started as f64 / 1e9, offset + *ended as f64 / 1e9].to_vec();
        self.store(py, value, None)?;
        let name = self.current.as_ref().map(|current| current.name.clone_ref(py));
        self.books.note(py, name.as_slice(), &mut times, self.planner.handler_of(py, node_of(&self.current))?)?;
        self.complete(py, None)?;
        Ok(Some(Left::Nothing))
    }

    /// Applies outcomes from an index on; `taken`: the first one's step is the current one already.
    pub(super) fn apply_from(&mut self, py: Python<'_>, from: usize, taken: bool) -> PyResult<Left> {
        let Some(outcomes) = self.outcomes.as_ref().map(|outcomes| outcomes.clone_ref(py)) else {
            return Err(PyRuntimeError::new_err("there are no outcomes"));
        };
        let outcomes = outcomes.bind(py);
        let mut taken = taken;
        let (mut names, mut times) = (Vec::new(), Vec::new());
        let mut handler = None;
        let mut left = Left::Nothing;
        for index in from..outcomes.len() {
            let outcome = Outcome::read(&outcomes.get_item(index)?)?;
            if !taken {
                self.take(py, &outcome)?;
            }
            taken = false;
            let asked = outcome.iteration()?;
            if !outcome.is_plain || !self.planner.expiring.bind(py).is_empty() {
                left = Left::Outcome(index);
                break;
            }
            let node = node_of(&self.current);
            if handler.as_ref().is_none_or(|(known, _)| *known != node) {
                let found = self.planner.handler_of(py, node)?;
                if let Some((_, before)) = handler.replace((node, found.clone_ref(py))) {
                    if !before.is(&found) {
                        self.books.note(py, &names, &mut times, before)?;
                        names.clear();
                    }
                }
            }
            let value = match &outcome.result {
                None => py.None().into_bound(py),
                Some(bytes) => self.books.packed.bind(py).call1((bytes, self.books.load.bind(py)))?,
            };
            self.store(py, value, Some(&outcome.name))?;
            names.push(outcome.name.clone().unbind());
            times.extend([outcome.started, outcome.ended]);
            self.complete(py, asked)?;
        }
        if let Some((_, handler)) = handler {
            self.books.note(py, &names, &mut times, handler)?;
        }
        if matches!(left, Left::Nothing) {
            self.planner.ran(outcomes.len());
            self.outcomes = None;
        }
        Ok(left)
    }

    /// Takes the scheduler's next action, which must be the step that a worker has run already.
    fn take(&mut self, py: Python<'_>, outcome: &Outcome<'_>) -> PyResult<()> {
        let action = self.scheduler.borrow_mut(py).core.next(Reactor::now() / 1000);
        if let Some(Action::Run { ticket, node, branch: 0, attempt: 0, tag, cause }) = action {
            let expected = self.current.take().filter(|current| tag != 0 && current.tag == tag);
            let current = match expected {
                Some(before) => Current { ticket, node, lease: 0, ..before },
                None if tag != 0 => {
                    let (name, call, cause) =
                        self.iteration(py, tag)?.unwrap_or_else(|| (outcome.name.clone().unbind(), None, -1));
                    Current { ticket, node, cause, tag, name, call, lease: 0 }
                }
                None => {
                    let name = self.planner.names.bind(py).get_item(node as usize)?.extract()?;
                    Current { ticket, node, cause: cause.map_or(-1, i64::from), tag, name, call: None, lease: 0 }
                }
            };
            if current.name.bind(py).as_any().eq(&outcome.name)? {
                self.planner.start(py, node, &current.name)?;
                self.current = Some(current);
                return Ok(());
            }
        }
        let name = &outcome.name;
        Err(PyAssertionError::new_err(format!("a lease ran '{name}', but the scheduler would do {action:?}")))
    }

    /// Puts the current step's result where users find it.
    fn store(&mut self, py: Python<'_>, value: Bound<'_, PyAny>, name: Option<&Bound<'_, PyString>>) -> PyResult<()> {
        let Some(current) = self.current.as_ref() else {
            return Err(PyRuntimeError::new_err("no step is under way"));
        };
        let name = name.unwrap_or(current.name.bind(py));
        let data = self.books.data.bind(py);
        data.store_result(name, value.clone())?;
        if current.tag != 0 {
            let base = self.planner.names.bind(py).get_item(current.node as usize)?;
            data.store_result(base.cast::<PyString>()?, value.clone())?;
            let tags = self.tags.bind(py);
            if !tags.is_empty() {
                tags.call_method1(intern!(py, "pop"), (current.tag, py.None()))?;
            }
        }
        let completed = self.books.completed.bind(py);
        if !completed.contains(name)? {
            completed.add(name)?;
            self.books.completed_tasks.bind(py).append(name)?;
        }
        self.last_result = value.unbind();
        Ok(())
    }

    /// Tells the scheduler that the current step has ended, and what it asked for.
    fn complete(
        &mut self,
        py: Python<'_>,
        asked: Option<(Bound<'_, PyString>, Option<Bound<'_, PyAny>>)>,
    ) -> PyResult<()> {
        let Some(current) = self.current.as_mut() else {
            return Err(PyRuntimeError::new_err("no step is under way"));
        };
        let ticket = current.ticket;
        current.tag = 0;
        let now: Micros = Reactor::now() / 1000;
        let mut directives = &[][..];
        let iterate;
        if let Some((name, data)) = asked {
            self.next_tag += 1;
            current.tag = self.next_tag;
            current.name = name.unbind();
            current.call = match data {
                None => None,
                Some(data) => Some(self.books.packed.call1(py, (data, &self.books.load))?),
            };
            iterate = [Directive::Iterate { tag: current.tag }];
            directives = &iterate;
        }
        self.scheduler
            .borrow_mut(py)
            .core
            .complete(ticket, directives, now)
            .map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        Ok(())
    }

    /// Hands an iteration whose turn has not come to the driver: it knows iterations by their tags.
    pub(super) fn hand_over_iteration(&mut self, py: Python<'_>) -> PyResult<()> {
        if let Some(current) = self.current.as_ref().filter(|current| current.tag >= FIRST_TAG) {
            self.tags.bind(py).set_item(current.tag, (&current.name, &current.call, current.cause))?;
        }
        Ok(())
    }
}

/// Seconds to add to the monotonic clock for those since the epoch.
fn wall_offset() -> f64 {
    let wall = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    wall.as_secs_f64() - Reactor::now() as f64 / 1e9
}
