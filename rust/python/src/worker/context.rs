//! The context and the channel that a body in a worker gets.
//!
//! Owns how they look from Python. What bodies mostly do is noted (`notes.rs`), all else handed to the full ones, which are
//! made when they are first needed.
use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyString};

use crate::tables::values::result_key;
use crate::worker::notes::{full_channel, BodyRun, NotedWish};
use crate::worker::sight::Look;

fn is_absent_or_none(value: Option<&Bound<'_, PyAny>>) -> bool {
    value.is_none_or(|value| value.is_none())
}

/// Stands for the `TaskExecutionContext` of a body.
#[pyclass(frozen, weakref, name = "TaskExecutionContext", module = "graflow_fast.core.task_context")]
pub struct TaskContext {
    run: Arc<BodyRun>,
}

impl TaskContext {
    pub(crate) fn new(run: BodyRun) -> Self {
        Self { run: Arc::new(run) }
    }

    /// The body that it stands in.
    pub(crate) fn run(&self) -> &BodyRun {
        &self.run
    }
}

#[pymethods]
impl TaskContext {
    #[getter(__class__)]
    fn class(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(self.run.known.common.classes(py)?.context_class.clone_ref(py))
    }

    #[getter]
    fn task_id(&self, py: Python<'_>) -> Py<PyString> {
        self.run.name.clone_ref(py)
    }

    #[getter]
    fn start_time(&self) -> f64 {
        self.run.started
    }

    fn get_channel(&self, py: Python<'_>) -> PyResult<Py<TaskChannel>> {
        if let Some(channel) = &self.run.notes().channel {
            return Ok(channel.clone_ref(py));
        }
        let made = Py::new(py, TaskChannel { run: Arc::clone(&self.run) })?;
        let mut notes = self.run.notes();
        if !notes.is_over {
            notes.channel.get_or_insert_with(|| made.clone_ref(py)); // until the body ends, or they hold each other
        }
        Ok(made)
    }

    #[pyo3(signature = (executable, goto = None))]
    fn next_task<'py>(
        &self,
        py: Python<'py>,
        executable: Bound<'py, PyAny>,
        goto: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let is_jump = goto.as_ref().is_some_and(|goto| !goto.is(PyBool::new(py, false)));
        if !is_jump && executable.get_type().is(&self.run.known.common.classes(py)?.plain) {
            let name = executable.getattr(intern!(py, "_task_id"))?;
            if self.run.ask(NotedWish::Next(executable.clone().unbind())) {
                return Ok(name);
            }
        }
        let full = self.run.full(py)?;
        match goto {
            None => full.call_method1(intern!(py, "next_task"), (executable,)),
            Some(goto) => full.call_method1(intern!(py, "next_task"), (executable, goto)),
        }
    }

    #[getter]
    fn cycle_count<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let is_told = self.run.notes().full.is_none();
        if is_told {
            return Ok(self.run.work().cycles.max(1).into_pyobject(py)?.into_any());
        }
        self.run.full(py)?.getattr(intern!(py, "cycle_count"))
    }

    #[getter]
    fn retry_count<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let is_told = self.run.notes().full.is_none();
        if is_told {
            return Ok(self.run.work().retries.into_pyobject(py)?.into_any());
        }
        self.run.full(py)?.getattr(intern!(py, "retry_count"))
    }

    #[pyo3(signature = (data = None))]
    fn next_iteration<'py>(&self, py: Python<'py>, data: Option<Bound<'py, PyAny>>) -> PyResult<Bound<'py, PyAny>> {
        let is_first = {
            let notes = self.run.notes();
            notes.full.is_none() && notes.asked.is_empty()
        };
        if is_first {
            if let Some(name) = self.run.known.next_iteration(&self.run.work()) {
                let name = PyString::new(py, &name);
                let data = data.as_ref().filter(|data| !data.is_none()).map(|data| data.clone().unbind());
                if self.run.ask(NotedWish::Iterate(name.clone().unbind(), data)) {
                    return Ok(name.into_any());
                }
            }
        }
        self.run.full(py)?.call_method1(intern!(py, "next_iteration"), (data,))
    }

    #[pyo3(signature = (node, default = None))]
    fn get_result<'py>(
        &self,
        py: Python<'py>,
        node: Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Ok(name) = node.cast_exact::<PyString>() {
            match self.run.get(&result_key(name)?)? {
                Look::Value(value) => return Ok(value),
                Look::Absent => return Ok(default.unwrap_or_else(|| py.None().into_bound(py))),
                Look::Ask => {}
            }
        }
        self.run.full(py)?.call_method1(intern!(py, "get_result"), (node, default))
    }

    fn __getattr__<'py>(&self, py: Python<'py>, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
        self.run.full(py)?.getattr(name)
    }

    fn __setattr__(&self, py: Python<'_>, name: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.run.full(py)?.setattr(name, value)
    }

    fn __delattr__(&self, py: Python<'_>, name: &Bound<'_, PyString>) -> PyResult<()> {
        self.run.full(py)?.delattr(name)
    }

    fn __str__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        self.run.full(py)?.str()
    }

    fn __reduce_ex__<'py>(&self, py: Python<'py>, protocol: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.run.full(py)?.call_method1(intern!(py, "__reduce_ex__"), (protocol,))
    }
}

/// Stands for the channel of a body's branch.
#[pyclass(frozen, weakref, name = "BranchChannel", module = "graflow_fast._body.scope")]
pub struct TaskChannel {
    run: Arc<BodyRun>,
}

impl TaskChannel {
    fn full<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        full_channel(&self.run.full(py)?)
    }
}

#[pymethods]
impl TaskChannel {
    #[getter(__class__)]
    fn class(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(self.run.known.common.classes(py)?.channel_class.clone_ref(py))
    }

    #[pyo3(signature = (key, default = None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        key: Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Ok(name) = key.cast_exact::<PyString>() {
            match self.run.get(name)? {
                Look::Value(value) => return Ok(value),
                Look::Absent => return Ok(default.unwrap_or_else(|| py.None().into_bound(py))),
                Look::Ask => {}
            }
        }
        self.full(py)?.call_method1(intern!(py, "get"), (key, default))
    }

    fn exists<'py>(&self, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = key.py();
        if let Ok(name) = key.cast_exact::<PyString>() {
            match self.run.get(name)? {
                Look::Value(_) => return Ok(PyBool::new(py, true).to_owned().into_any()),
                Look::Absent => return Ok(PyBool::new(py, false).to_owned().into_any()),
                Look::Ask => {}
            }
        }
        self.full(py)?.call_method1(intern!(py, "exists"), (key,))
    }

    #[pyo3(signature = (key, value, ttl = None))]
    fn set(&self, key: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>, ttl: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        if is_absent_or_none(ttl) {
            if let Ok(name) = key.cast_exact::<PyString>() {
                if self.run.set(name, value) {
                    return Ok(());
                }
            }
        }
        self.full(key.py())?.call_method1(intern!(key.py(), "set"), (key, value, ttl)).map(drop)
    }

    #[pyo3(signature = (key, value, ttl = None))]
    fn append<'py>(
        &self,
        key: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
        ttl: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = key.py();
        if is_absent_or_none(ttl) {
            if let Ok(name) = key.cast_exact::<PyString>() {
                if let Some(length) = self.run.append(name, value)? {
                    return Ok(length.into_pyobject(py)?.into_any());
                }
            }
        }
        self.full(py)?.call_method1(intern!(py, "append"), (key, value, ttl))
    }

    fn __getattr__<'py>(&self, py: Python<'py>, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
        self.full(py)?.getattr(name)
    }

    fn __setattr__(&self, py: Python<'_>, name: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.full(py)?.setattr(name, value)
    }

    fn __delattr__(&self, py: Python<'_>, name: &Bound<'_, PyString>) -> PyResult<()> {
        self.full(py)?.delattr(name)
    }

    fn __reduce_ex__<'py>(&self, py: Python<'py>, protocol: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.full(py)?.call_method1(intern!(py, "__reduce_ex__"), (protocol,))
    }
}
