//! What plain steps of the workflow's own branch read and write: the tables of the run, found once for each streak.
//!
//! Owns no state. Must not know what a step is.
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::tables::step_counts::StepCounts;
use crate::tables::step_times::StepTimes;
use crate::tables::values::{Values, ValuesMethods};

/// What the steps of one streak read and write.
pub(crate) struct Tables<'py> {
    pub channel: Bound<'py, PyAny>,
    /// The channel's values and expiries, when setting a value is nothing more than to put it there.
    pub data: Option<(Bound<'py, Values>, Bound<'py, PyDict>)>,
    pub counts: Bound<'py, StepCounts>,
    pub retry_counts: Bound<'py, PyDict>,
    /// Where it is noted which tasks ran and when, if anybody wants to know.
    pub times: Option<Bound<'py, StepTimes>>,
    /// Stands for the context of a step that takes none.
    pub marker: Bound<'py, PyAny>,
}

impl<'py> Tables<'py> {
    pub(crate) fn of(driver: &Bound<'py, PyAny>) -> PyResult<Self> {
        let py = driver.py();
        let get = |name: &Bound<'py, PyString>| driver.getattr(name);
        let data = get(intern!(py, "data"))?;
        let times = get(intern!(py, "times"))?;
        Ok(Self {
            channel: get(intern!(py, "channel"))?,
            data: if data.is_none() {
                None
            } else {
                Some((data.cast_into()?, get(intern!(py, "expiries"))?.cast_into()?))
            },
            counts: get(intern!(py, "counts"))?.cast_into()?,
            retry_counts: get(intern!(py, "retry_counts"))?.cast_into()?,
            times: if times.is_none() { None } else { Some(times.cast_into()?) },
            marker: get(intern!(py, "marker"))?,
        })
    }

    /// Keeps a result, and notes that its task has completed.
    pub(crate) fn store(&self, node: u32, name: &Bound<'py, PyString>, result: &Bound<'py, PyAny>) -> PyResult<()> {
        let py = name.py();
        match &self.data {
            Some((data, expiries)) if expiries.is_empty() => data.store_result(name, result.clone())?,
            _ => {
                let key = name.add(intern!(py, ".__result__"))?;
                self.channel.call_method1(intern!(py, "set"), (key, result))?;
            }
        }
        self.counts.get().counts().complete(node, name)
    }
}
