//! The workflow's own branch: the channel that it writes to, and what users can ask for of its tasks.
//!
//! Owns access to these tables of the run's context. Must not know the pool, nor who runs bodies.
use graflow_ledger::{Operation, Write};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PySet, PyString};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::driver::value::{name_of, Loading, Value};
use crate::tables::step_counts::StepCounts;
use crate::tables::step_times::StepTimes;
use crate::tables::values::{result_key, Values, ValuesMethods};

/// What the workflow's own branch has.
#[derive(FromPyObject)]
pub(crate) struct Root {
    /// The channel's values and expiries when it is nothing but these, else None.
    data: Option<Py<Values>>,
    expiries: Option<Py<PyDict>>,
    pub channel: Py<PyAny>,
    counts: Py<StepCounts>,
    pub retry_counts: Py<PyDict>,
    /// The names whose limits were set, by definitions or by hand.
    pub limited_by: Py<PyDict>,
    pub cycle_limits: Py<PyDict>,
    pub retry_limits: Py<PyDict>,
    /// The keys that are live.
    pub live: Py<PySet>,
    /// What nodes have failed with at last.
    pub failed: Py<PyDict>,
    /// The attempts that Python knows of, by ticket.
    pub running: Py<PyDict>,
    /// Where it is noted which tasks ran and when; None when nobody wants to know.
    pub times: Option<Py<StepTimes>>,
}

impl Root {
    /// Shows the collector all that could lead back to the run: errors have tracebacks, which have its frames.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.data)?;
        visit.call(&self.expiries)?;
        visit.call(&self.channel)?;
        for table in [&self.retry_counts, &self.limited_by, &self.cycle_limits, &self.retry_limits] {
            visit.call(table)?;
        }
        visit.call(&self.live)?;
        visit.call(&self.failed)?;
        visit.call(&self.running)
    }

    /// The channel's values, if that is all there is to it now.
    fn plain<'a, 'py>(&'a self, py: Python<'py>) -> Option<&'a Bound<'py, Values>> {
        let (data, expiries) = (self.data.as_ref()?, self.expiries.as_ref()?);
        expiries.bind(py).is_empty().then(|| data.bind(py))
    }

    pub(crate) fn is_live(&self, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        let live = self.live.bind(key.py());
        Ok(!live.is_empty() && live.contains(key)?)
    }

    /// What is under a key, not loaded: `Err(())` inside if only the channel itself knows.
    pub(crate) fn raw<'py>(&self, key: &Bound<'py, PyAny>) -> PyResult<Result<Option<Bound<'py, PyAny>>, ()>> {
        let py = key.py();
        match self.plain(py) {
            Some(data) if self.live.bind(py).is_empty() => data.value(key).map(Ok),
            _ => Ok(Err(())),
        }
    }

    /// Counts one more start of a task; how often it has started now.
    pub(crate) fn start(&self, node: u32, name: &Bound<'_, PyString>) -> PyResult<u32> {
        self.counts.get().counts().start(node, name)
    }

    /// How often a task has started.
    pub(crate) fn count_of(&self, node: u32, name: &Bound<'_, PyString>) -> PyResult<u32> {
        self.counts.get().counts().count_at_name(node, name)
    }

    /// Keeps a task's result.
    pub(crate) fn result<'py>(&self, name: &Bound<'py, PyString>, value: Bound<'py, PyAny>) -> PyResult<()> {
        let py = name.py();
        match self.plain(py) {
            Some(data) => data.store_result(name, value),
            None => self.channel.bind(py).call_method1(intern!(py, "set"), (result_key(name)?, value)).map(drop),
        }
    }

    /// Notes that a task has completed.
    pub(crate) fn complete(&self, node: u32, name: &Bound<'_, PyString>) -> PyResult<()> {
        self.counts.get().counts().complete(node, name)
    }

    /// Does one write.
    pub(crate) fn write(&self, py: Python<'_>, loading: &Loading, write: &Write<Value>) -> PyResult<()> {
        let key = loading.key(py, &write.key)?;
        if write.operation != Operation::Clear && self.is_live(&key)? {
            return Ok(()); // its value went to everybody when it became live
        }
        if let (Some(data), None) = (self.plain(py), write.expires) {
            match (write.operation, &write.value) {
                (Operation::Set, Some(value)) => return data.store(&key, loading.kept(py, value)?),
                (Operation::Append | Operation::Prepend, Some(value)) => match data.value(&key)? {
                    None => {
                        let list = PyList::new(py, [loading.loaded(py, value)?])?;
                        return data.store(&key, list.into_any());
                    }
                    Some(list) => {
                        if let Ok(list) = list.cast_exact::<PyList>() {
                            let value = loading.loaded(py, value)?;
                            return match write.operation {
                                Operation::Append => list.append(value),
                                _ => list.insert(0, value),
                            };
                        }
                    }
                },
                _ => {}
            }
        }
        write_to(py, self.channel.bind(py), &self.live, loading, write, key)
    }
}

/// Does one write on a channel, by its methods.
pub(crate) fn write_to<'py>(
    py: Python<'py>,
    channel: &Bound<'py, PyAny>,
    live: &Py<PySet>,
    loading: &Loading,
    write: &Write<Value>,
    key: Bound<'py, PyAny>,
) -> PyResult<()> {
    let method = name_of(write.operation);
    match (&write.value, write.operation) {
        (_, Operation::Clear) => {
            let clear = py.import("graflow_fast._body.scope")?.getattr("clear_own")?;
            clear.call1((channel, live)).map(drop)
        }
        (None, _) => channel.call_method1(method, (key,)).map(drop),
        // Its time is over: the key is gone, and its limit with it.
        (Some(_), _) if write.expires.is_some_and(|expires| expires <= now()) => {
            channel.call_method1(intern!(py, "delete"), (key,)).map(drop)
        }
        (Some(value), operation) => {
            let value =
                if operation == Operation::Set { loading.kept(py, value)? } else { loading.loaded(py, value)? };
            let ttl = write.expires.map(|expires| (expires - now()).max(0.0));
            channel.call_method1(method, (key, value, ttl)).map(drop)
        }
    }
}

/// Seconds since the epoch.
pub(crate) fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
