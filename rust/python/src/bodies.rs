//! Running plain tasks in a worker: from the payload to the report without going through the worker's Python loop.
//!
//! A task is plain here when its body takes nothing but what is bound and, perhaps, the context. What a body prints,
//! raises, or returns that is no plain scalar is reported in the loop's own words (`finish`), and a task of another form
//! is run by the loop.
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::PyBaseException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyFrozenSet, PyList, PyString};
use rustc_hash::FxHashMap as HashMap;

use crate::plain::{scalar_dictionary, PlainTask, ScalarPickle, HEAD};

/// The frame a task came in, and where its name is in it.
type Name = (Arc<Vec<u8>>, Range<usize>);

/// The task that is running in this worker: who asks may be in any thread.
#[pyclass(frozen, module = "graflow_fast._core")]
#[derive(Default)]
pub struct RunningTask {
    ticket: AtomicU64,
    name: Mutex<Option<Name>>,
}

#[pymethods]
impl RunningTask {
    /// Its ticket, 0 before the first.
    #[getter]
    fn ticket(&self) -> u64 {
        self.ticket.load(Ordering::Relaxed)
    }

    /// Its name if it is a plain task, else an empty text.
    #[getter]
    fn name(&self) -> String {
        let name = self.name.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = name.as_ref().and_then(|(frame, range)| frame.get(range.clone()));
        bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default().to_owned()
    }

    /// The key of its view if it is a plain task, else 0.
    #[getter]
    fn view(&self) -> u64 {
        let name = self.name.lock().unwrap_or_else(PoisonError::into_inner);
        let payload = name.as_ref().and_then(|(frame, range)| frame.get(range.start.checked_sub(HEAD)?..));
        payload.and_then(PlainTask::read).map_or(0, |task| task.view)
    }
}

impl RunningTask {
    pub(crate) fn set(&self, ticket: u64, frame: &Arc<Vec<u8>>, name: Range<usize>) {
        self.ticket.store(ticket, Ordering::Relaxed);
        *self.name.lock().unwrap_or_else(PoisonError::into_inner) = Some((Arc::clone(frame), name));
    }
}

/// What the loop said about the body of one definition, seen with one view.
struct Body {
    view: u64,
    epoch: u64,
    /// None when its tasks are not plain.
    plain: Option<PlainBody>,
}

struct PlainBody {
    function: Py<PyAny>,
    /// `(ticket, name)`: makes the context that the body takes first; None when it takes none.
    context: Option<Py<PyAny>>,
    /// Names that may be bound; None for any.
    names: Option<Py<PyFrozenSet>>,
    /// Names that must be bound, since nothing here can fill them.
    required: Vec<Py<PyString>>,
}

/// What came of a plain task.
pub(crate) enum Outcome<'py> {
    /// It is not plain after all; nothing has run.
    NotPlain,
    /// It ended, with this result or exception, and this was its context.
    Ended(Result<Bound<'py, PyAny>, Bound<'py, PyBaseException>>, Option<Bound<'py, PyAny>>),
}

/// How a task that returned is reported.
pub(crate) enum Short {
    /// By the loop.
    Not,
    /// With its result alone.
    Result,
    /// With its result and this record of effects.
    Effects(PyBackedBytes),
}

/// Runs plain tasks. Made by the worker's loop.
pub(crate) struct Bodies {
    /// `(key, view) -> (function, names or None, required, context maker or None) | None`.
    body_of: Py<PyAny>,
    /// `(ticket, name, result, error, context)`: reports what is not plain about how a task ended.
    pub finish: Py<PyAny>,
    /// `context -> record of its effects, None when there are none, False when they have no short form`.
    effects_of: Py<PyAny>,
    /// `pickle.loads`, once it was needed: a first result need not wait for that module.
    loads: PyOnceLock<Py<PyAny>>,
    /// What the running body has printed so far.
    pieces: Py<PyList>,
    /// `registry.running`, and what its `task_context` is while a plain body runs.
    running: Py<PyAny>,
    marker: Py<PyAny>,
    known: HashMap<u64, Body>,
    pub scalar: ScalarPickle,
}

impl Bodies {
    pub(crate) fn new(
        body_of: Py<PyAny>,
        finish: Py<PyAny>,
        effects_of: Py<PyAny>,
        pieces: Py<PyList>,
        running: Py<PyAny>,
        marker: Py<PyAny>,
    ) -> Self {
        let (loads, known, scalar) = (PyOnceLock::new(), HashMap::default(), ScalarPickle::default());
        Self { body_of, finish, effects_of, loads, pieces, running, marker, known, scalar }
    }

    /// Runs a task if it is plain.
    pub(crate) fn run<'py>(
        &mut self,
        py: Python<'py>,
        ticket: u64,
        task: &PlainTask<'_>,
        epoch: u64,
    ) -> PyResult<Outcome<'py>> {
        self.look_up(py, task, epoch)?;
        let Some(body) = self.known.get(&task.key).and_then(|body| body.plain.as_ref()) else {
            return Ok(Outcome::NotPlain);
        };
        let arguments = match task.bound {
            [] => None,
            bytes => {
                // What can't be loaded is an error of the task, in the loop's words.
                let Ok(loaded) = self.arguments(py, bytes) else {
                    return Ok(Outcome::NotPlain);
                };
                Some(loaded)
            }
        };
        if !body.takes(py, arguments.as_ref())? {
            return Ok(Outcome::NotPlain);
        }
        let running = self.running.bind(py);
        let function = body.function.bind(py);
        let (result, context) = match &body.context {
            None => {
                running.setattr(intern!(py, "task_context"), &self.marker)?;
                (function.call((), arguments.as_ref()), None)
            }
            Some(make) => {
                let context = make.bind(py).call1((ticket, task.name))?;
                running.setattr(intern!(py, "task_context"), &context)?;
                (function.call((&context,), arguments.as_ref()), Some(context))
            }
        };
        running.setattr(intern!(py, "task_context"), py.None())?;
        Ok(Outcome::Ended(result.map_err(|error| error.into_value(py).into_bound(py)), context))
    }

    /// How to report a task that returned: in short, if it left nothing that has no short form.
    pub(crate) fn short(&self, py: Python<'_>, context: Option<&Bound<'_, PyAny>>) -> PyResult<Short> {
        if !self.pieces.bind(py).is_empty() {
            return Ok(Short::Not);
        }
        let Some(context) = context else {
            return Ok(Short::Result);
        };
        let effects = self.effects_of.bind(py).call1((context,))?;
        Ok(match effects.cast::<PyBytes>() {
            Ok(record) => Short::Effects(record.extract()?),
            Err(_) if effects.is_none() => Short::Result,
            Err(_) => Short::Not,
        })
    }

    fn arguments<'py>(&self, py: Python<'py>, pickle: &[u8]) -> PyResult<Bound<'py, PyDict>> {
        if let Some(scalars) = scalar_dictionary(py, pickle)? {
            return Ok(scalars);
        }
        let loads =
            self.loads.get_or_try_init(py, || Ok::<_, PyErr>(py.import("pickle")?.getattr("loads")?.unbind()))?;
        Ok(loads.bind(py).call1((PyBytes::new(py, pickle),))?.cast_into()?)
    }

    /// Asks the loop about a definition, unless it has said so for this view and epoch.
    fn look_up(&mut self, py: Python<'_>, task: &PlainTask<'_>, epoch: u64) -> PyResult<()> {
        let is_fresh = self.known.get(&task.key).is_some_and(|body| body.view == task.view && body.epoch == epoch);
        if !is_fresh {
            type Answer = Option<(Py<PyAny>, Option<Py<PyFrozenSet>>, Vec<Py<PyString>>, Option<Py<PyAny>>)>;
            let answer: Answer = self.body_of.call1(py, (task.key, task.view))?.extract(py)?;
            let plain =
                answer.map(|(function, names, required, context)| PlainBody { function, names, required, context });
            self.known.insert(task.key, Body { view: task.view, epoch, plain });
        }
        Ok(())
    }

    /// Forgets what was said about a definition.
    pub(crate) fn forget(&mut self, key: u64) {
        self.known.remove(&key);
    }
}

impl PlainBody {
    fn takes(&self, py: Python<'_>, arguments: Option<&Bound<'_, PyDict>>) -> PyResult<bool> {
        let Some(arguments) = arguments else {
            return Ok(self.required.is_empty());
        };
        for name in &self.required {
            if !arguments.contains(name)? {
                return Ok(false);
            }
        }
        if let Some(names) = &self.names {
            let names = names.bind(py);
            for name in arguments.keys() {
                if !names.contains(name)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}
