//! `_core.StepTimes`: when plain tasks ran, for a tracer's record that is worked out when somebody looks.
//!
//! Owns numbers. Must not know what a record is made of.
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

/// Two times each, in seconds since the epoch (NaN for unknown), of tasks whose names follow each other in a list.
#[pyclass(module = "graflow_fast._core")]
#[derive(Default)]
pub struct StepTimes {
    first: usize,
    times: Vec<f64>,
}

impl StepTimes {
    /// Notes that a task ran.
    pub(crate) fn note(
        &mut self,
        order: &Bound<'_, PyList>,
        name: &Bound<'_, PyAny>,
        started: f64,
        ended: f64,
    ) -> PyResult<()> {
        if self.times.is_empty() {
            self.first = order.len();
        }
        order.append(name)?;
        self.times.extend([started, ended]);
        Ok(())
    }
}

#[pymethods]
impl StepTimes {
    #[new]
    #[pyo3(signature = (first = 0, times = Vec::new()))]
    fn new(first: usize, times: Vec<f64>) -> Self {
        Self { first, times }
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let this = slf.borrow();
        (slf.get_type(), (this.first, this.times.clone())).into_pyobject(slf.py())
    }

    fn __len__(&self) -> usize {
        self.times.len() / 2
    }

    /// Appends a name to the list, and its times here.
    fn add(&mut self, order: &Bound<'_, PyList>, name: &Bound<'_, PyAny>, started: f64, ended: f64) -> PyResult<()> {
        self.note(order, name, started, ended)
    }

    /// Appends names to the list, and the times of all of them here.
    fn extend(&mut self, order: &Bound<'_, PyList>, names: Vec<Bound<'_, PyAny>>, times: Vec<f64>) -> PyResult<()> {
        names.iter().zip(times.chunks_exact(2)).try_for_each(|(name, times)| self.note(order, name, times[0], times[1]))
    }

    /// Gives the position of the first name in the list and all times, and forgets them.
    fn take(&mut self) -> (usize, Vec<f64>) {
        (self.first, std::mem::take(&mut self.times))
    }
}
