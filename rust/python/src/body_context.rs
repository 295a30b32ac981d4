//! The context and the channel that a plain body in a worker sees: they stand for those that other bodies get.
//!
//! Owns how they look from Python. What bodies mostly do is noted (`body_notes.rs`), all else handed to the general ones.
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyString};

use crate::body_notes::{general_channel, PlainRun};
use crate::sight::{Look, Sight};

fn is_absent_or_none(value: Option<&Bound<'_, PyAny>>) -> bool {
    value.is_none_or(|value| value.is_none())
}

/// Stands for the `TaskExecutionContext` of a plain body.
#[pyclass(frozen, weakref, name = "TaskExecutionContext", module = "graflow_fast.core.task_context")]
pub struct PlainContext {
    run: Arc<PlainRun>,
}

impl PlainContext {
    pub(crate) fn new(sight: &Arc<Sight>, ticket: u64, name: Bound<'_, PyString>) -> Self {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        let (sight, name, notes) = (Arc::clone(sight), name.unbind(), Mutex::default());
        Self { run: Arc::new(PlainRun { sight, ticket, name, started, notes }) }
    }

    /// The run that it stands in.
    pub(crate) fn run(&self) -> &PlainRun {
        &self.run
    }
}

#[pymethods]
impl PlainContext {
    #[getter(__class__)]
    fn class(&self, py: Python<'_>) -> Py<PyAny> {
        self.run.sight.common.context_class.clone_ref(py)
    }

    #[getter]
    fn task_id(&self, py: Python<'_>) -> Py<PyString> {
        self.run.name.clone_ref(py)
    }

    #[getter]
    fn start_time(&self) -> f64 {
        self.run.started
    }

    fn get_channel(&self, py: Python<'_>) -> PyResult<Py<PlainChannel>> {
        if let Some(channel) = &self.run.notes().channel {
            return Ok(channel.clone_ref(py));
        }
        let made = Py::new(py, PlainChannel { run: Arc::clone(&self.run) })?;
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
        if !is_jump && executable.get_type().is(&self.run.sight.common.plain) {
            let name = executable.getattr(intern!(py, "_task_id"))?;
            let mut notes = self.run.notes();
            if notes.general.is_none() {
                notes.next.push(executable.unbind());
                return Ok(name);
            }
        }
        let general = self.run.general(py)?;
        match goto {
            None => general.call_method1(intern!(py, "next_task"), (executable,)),
            Some(goto) => general.call_method1(intern!(py, "next_task"), (executable, goto)),
        }
    }

    fn __getattr__<'py>(&self, py: Python<'py>, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
        self.run.general(py)?.getattr(name)
    }

    fn __setattr__(&self, py: Python<'_>, name: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.run.general(py)?.setattr(name, value)
    }

    fn __delattr__(&self, py: Python<'_>, name: &Bound<'_, PyString>) -> PyResult<()> {
        self.run.general(py)?.delattr(name)
    }

    fn __str__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        self.run.general(py)?.str()
    }

    fn __reduce_ex__<'py>(&self, py: Python<'py>, protocol: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.run.general(py)?.call_method1(intern!(py, "__reduce_ex__"), (protocol,))
    }
}

/// Stands for the channel of a plain body.
#[pyclass(frozen, weakref, name = "BranchChannel", module = "graflow_fast._run.scope")]
pub struct PlainChannel {
    run: Arc<PlainRun>,
}

impl PlainChannel {
    fn general<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        general_channel(&self.run.general(py)?)
    }
}

#[pymethods]
impl PlainChannel {
    #[getter(__class__)]
    fn class(&self, py: Python<'_>) -> Py<PyAny> {
        self.run.sight.common.channel_class.clone_ref(py)
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
                Look::General => {}
            }
        }
        self.general(py)?.call_method1(intern!(py, "get"), (key, default))
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
        self.general(key.py())?.call_method1(intern!(key.py(), "set"), (key, value, ttl)).map(drop)
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
        self.general(py)?.call_method1(intern!(py, "append"), (key, value, ttl))
    }

    fn __getattr__<'py>(&self, py: Python<'py>, name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
        self.general(py)?.getattr(name)
    }

    fn __setattr__(&self, py: Python<'_>, name: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.general(py)?.setattr(name, value)
    }

    fn __delattr__(&self, py: Python<'_>, name: &Bound<'_, PyString>) -> PyResult<()> {
        self.general(py)?.delattr(name)
    }

    fn __reduce_ex__<'py>(&self, py: Python<'py>, protocol: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.general(py)?.call_method1(intern!(py, "__reduce_ex__"), (protocol,))
    }
}
