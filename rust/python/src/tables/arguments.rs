//! The bound arguments of a task, as `TaskWrapper` keeps them: their names, in a tuple that many tasks share, and values.
//!
//! Owns how these two are read and made. Must not know what the arguments are for.
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};

use crate::tables::slots::TaskSlots;

/// The arguments of all tasks that have none.
static NOTHING: PyOnceLock<Py<PyDict>> = PyOnceLock::new();

/// The arguments in a new dictionary; tasks without any share one, which is not to be changed.
pub(crate) fn bound_of<'py>(task: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    let py = task.py();
    let slots = TaskSlots::of_task(task);
    let names = match slots {
        Some(slots) => slots.names.of_object(task)?,
        None => task.getattr(intern!(py, "_names"))?,
    };
    let names = names.cast_into::<PyTuple>()?;
    if names.is_empty() {
        return Ok(NOTHING.get_or_init(py, || PyDict::new(py).unbind()).bind(py).clone());
    }
    let values = match slots {
        Some(slots) => slots.values.of_object(task)?,
        None => task.getattr(intern!(py, "_values"))?,
    };
    let bound = PyDict::new(py);
    if names.len() == 1 {
        bound.set_item(names.get_item(0)?, values)?;
    } else {
        let values = values.cast_into::<PyTuple>()?;
        for (name, value) in names.iter().zip(values) {
            bound.set_item(name, value)?;
        }
    }
    Ok(bound)
}

/// Binds arguments to a new plain task of a definition.
pub(crate) fn bind(slots: &TaskSlots, task: &Bound<'_, PyAny>, bound: Option<Bound<'_, PyDict>>) -> PyResult<()> {
    let py = task.py();
    match bound {
        Some(bound) => task.setattr(intern!(py, "_bound_kwargs"), bound),
        None => {
            let nothing = PyTuple::empty(py);
            slots.names.put(task, nothing.as_any())?;
            slots.values.put(task, nothing.as_any())
        }
    }
}
