//! `_core.StepTimes`: which plain tasks ran and when, for a tracer's record that is worked out when somebody looks.
//!
//! Owns names and numbers. Must not know what a record is made of.
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use crate::locked::Locked;
use crate::tables::columns::Blocks;

/// Tasks in the order in which they ran.
#[pyclass(frozen, module = "graflow_fast._core")]
#[derive(Default)]
pub struct StepTimes {
    times: Locked<Times>,
}

#[derive(Default)]
struct Times {
    names: Blocks<Py<PyAny>>,
    /// Seconds since the epoch; NaN for unknown.
    started: Blocks<f64>,
    /// Seconds from then on: exact to a millionth for tasks of up to eight seconds, which is what people see.
    lasted: Blocks<f32>,
}

impl StepTimes {
    /// Notes that a task ran.
    pub(crate) fn note(&self, name: &Bound<'_, PyAny>, started: f64, ended: f64) {
        let mut times = self.times.get();
        times.names.push(name.clone().unbind());
        times.started.push(started);
        times.lasted.push((ended - started) as f32);
    }
}

#[pymethods]
impl StepTimes {
    #[new]
    #[pyo3(signature = (names = Vec::new(), times = Vec::new()))]
    fn new(names: Vec<Bound<'_, PyAny>>, times: Vec<f64>) -> Self {
        let new = Self::default();
        new.extend(names, times);
        new
    }

    fn __len__(&self) -> usize {
        self.times.get().names.len()
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let this = slf.get();
        (slf.get_type(), (this.names(slf.py())?, this.times())).into_pyobject(slf.py())
    }

    fn add(&self, name: &Bound<'_, PyAny>, started: f64, ended: f64) {
        self.note(name, started, ended);
    }

    /// Adds tasks, with two times for each.
    fn extend(&self, names: Vec<Bound<'_, PyAny>>, times: Vec<f64>) {
        for (name, times) in names.iter().zip(times.chunks_exact(2)) {
            self.note(name, times[0], times[1]);
        }
    }

    /// The names, in order.
    fn names<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let names: Vec<_> = self.times.get().names.iter().map(|name| name.clone_ref(py)).collect();
        PyList::new(py, names)
    }

    /// Two times for each.
    fn times(&self) -> Vec<f64> {
        let times = self.times.get();
        let each = times.started.iter().zip(times.lasted.iter());
        each.flat_map(|(started, lasted)| [*started, started + f64::from(*lasted)]).collect()
    }

    /// Forgets all.
    fn clear(&self) {
        let removed = std::mem::take(&mut *self.times.get());
        drop(removed);
    }
}
