//! `_core.Running`: what a thread is executing.
use std::cell::RefCell;

use pyo3::prelude::*;

thread_local! {
    static TASK_CONTEXT: RefCell<Option<Py<PyAny>>> = const { RefCell::new(None) };
}

/// Whether the body of a task is running in this thread.
#[inline]
pub(crate) fn is_running() -> bool {
    TASK_CONTEXT.with_borrow(Option::is_some)
}

/// What the thread that asks is executing.
#[pyclass(frozen, module = "graflow_fast._core")]
pub struct Running;

#[pymethods]
impl Running {
    #[new]
    fn new() -> Self {
        Self
    }

    /// The running task's context, or None.
    #[getter]
    fn task_context(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        TASK_CONTEXT.with_borrow(|context| context.as_ref().map(|context| context.clone_ref(py)))
    }

    #[setter]
    fn set_task_context(&self, context: Option<Py<PyAny>>) {
        let before = TASK_CONTEXT.replace(context);
        drop(before); // it may run code of its own, which asks what is running
    }
}
