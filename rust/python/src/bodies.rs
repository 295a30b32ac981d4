//! Running plain tasks in a worker: from the payload to the report without going through the worker's Python loop.
//!
//! A task is plain here when its body takes nothing but what is bound and, perhaps, the context. What a body prints,
//! raises, or returns that is nothing plain is reported in the loop's own words (`finish`), and a task of another form
//! is run by the loop.
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::PyBaseException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyFrozenSet, PyList, PyString};
use rustc_hash::FxHashMap as HashMap;

use crate::body_context::PlainContext;
use crate::body_notes::Notes;
use crate::effects::{is_small, Packer};
use crate::link::WorkerLink;
use crate::plain::{PlainTask, HEAD};
use crate::scalars::{scalar_dictionary, ScalarPickle};
use crate::sight::{Common, Sight};

/// The frame a task came in, and where its name is in it.
type Name = (Arc<Vec<u8>>, Range<usize>);

/// The task that is running in this worker: who asks may be in any thread.
#[pyclass(frozen, module = "graflow_fast._core")]
#[derive(Default)]
pub struct RunningTask {
    ticket: AtomicU64,
    name: Mutex<Option<Name>>,
    context: Mutex<Option<Py<PlainContext>>>,
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

    /// The context that its body got, None if it is no plain task or takes none.
    #[getter]
    fn context(&self, py: Python<'_>) -> Option<Py<PlainContext>> {
        let context = self.context.lock().unwrap_or_else(PoisonError::into_inner);
        context.as_ref().map(|context| context.clone_ref(py))
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

    fn set_context(&self, context: Option<Py<PlainContext>>) {
        let before = std::mem::replace(&mut *self.context.lock().unwrap_or_else(PoisonError::into_inner), context);
        drop(before); // without the lock
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
    /// What a body that takes the context sees; None when it takes none.
    sight: Option<Arc<Sight>>,
    /// Names that may be bound; None for any.
    names: Option<Py<PyFrozenSet>>,
    /// Names that must be bound, since nothing here can fill them.
    required: Vec<Py<PyString>>,
    /// False if some may turn out to be nowhere in the channel, so that they need not be bound.
    is_final: bool,
}

/// What came of a plain task.
pub(crate) enum Outcome<'py> {
    /// It is not plain after all; nothing has run.
    NotPlain,
    /// It ended, with this result or exception, and this was its context.
    Ended(Result<Bound<'py, PyAny>, Bound<'py, PyBaseException>>, Option<Bound<'py, PlainContext>>),
}

/// How to report a task.
pub(crate) enum Report<'a, 'py> {
    /// With this result and record of effects, which may be empty.
    Short(&'a [u8], &'a [u8]),
    /// In the loop's words; this is its context, if it has done anything.
    General(Option<Bound<'py, PyAny>>),
}

/// Runs plain tasks. Made by the worker's loop.
pub(crate) struct Bodies {
    /// `graflow_fast._worker.plain.PlainTasks`, which answers what is not known here.
    side: Py<PyAny>,
    /// `pickle.loads`, once it was needed: a first result need not wait for that module.
    loads: PyOnceLock<Py<PyAny>>,
    /// What the running body has printed so far.
    pieces: Py<PyList>,
    /// `registry.running`, and what its `task_context` is while plain bodies run.
    running: Py<PyAny>,
    marker: Py<PyAny>,
    is_marked: bool,
    /// The running task.
    task: Py<RunningTask>,
    /// None until a body takes the context.
    common: Option<Arc<Common>>,
    dumps: Py<PyAny>,
    /// definition -> key.
    keys: Py<PyDict>,
    known: HashMap<u64, Body>,
    result: Vec<u8>,
    scalar: ScalarPickle,
    packer: Packer,
}

impl Bodies {
    pub(crate) fn new(side: &Bound<'_, PyAny>, task: Py<RunningTask>) -> PyResult<Self> {
        Ok(Self {
            pieces: side.getattr("pieces")?.cast_into()?.unbind(),
            running: side.getattr("running")?.unbind(),
            marker: side.getattr("marker")?.unbind(),
            is_marked: false,
            task,
            common: None,
            loads: PyOnceLock::new(),
            dumps: side.getattr("dumps")?.unbind(),
            keys: side.getattr("keys")?.cast_into()?.unbind(),
            side: side.clone().unbind(),
            known: HashMap::default(),
            result: Vec::new(),
            scalar: ScalarPickle::default(),
            packer: Packer::default(),
        })
    }

    /// Lets this thread be in a body of a plain task from now on, or in none.
    pub(crate) fn mark(&mut self, py: Python<'_>, runs: bool) -> PyResult<()> {
        if self.is_marked != runs {
            self.is_marked = runs;
            let none = py.None();
            self.running.bind(py).setattr(intern!(py, "task_context"), if runs { &self.marker } else { &none })?;
        }
        Ok(())
    }

    /// Runs a task if it is plain.
    pub(crate) fn run<'py>(
        &mut self,
        link: &Bound<'py, WorkerLink>,
        ticket: u64,
        task: &PlainTask<'_>,
        epoch: u64,
    ) -> PyResult<Outcome<'py>> {
        let py = link.py();
        self.look_up(link, task, epoch)?;
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
            if !body.is_final {
                self.known.remove(&task.key); // after this task more is known
            }
            return Ok(Outcome::NotPlain);
        }
        let function = body.function.bind(py).clone();
        let context = match &body.sight {
            None => None,
            Some(sight) => Some(Bound::new(py, PlainContext::new(sight, ticket, PyString::new(py, task.name)))?),
        };
        self.mark(py, true)?;
        let result = match &context {
            None => function.call((), arguments.as_ref()),
            Some(context) => {
                let running = self.task.get();
                running.set_context(Some(context.clone().unbind()));
                let result = function.call((context,), arguments.as_ref());
                running.set_context(None);
                result
            }
        };
        Ok(Outcome::Ended(result.map_err(|error| error.into_value(py).into_bound(py)), context))
    }

    /// How to report a task that ended with `result`, None if it raised.
    pub(crate) fn report<'a, 'py>(
        &'a mut self,
        py: Python<'py>,
        result: Option<&Bound<'py, PyAny>>,
        context: Option<&Bound<'py, PlainContext>>,
    ) -> PyResult<Report<'a, 'py>> {
        let mut is_short = self.pieces.bind(py).is_empty() && result.is_some_and(|result| self.pack(result));
        let Some(context) = context else {
            return Ok(if is_short { Report::Short(&self.result, &[]) } else { Report::General(None) });
        };
        let notes = context.get().run().end(py);
        if let Some(general) = &notes.general {
            let general = general.bind(py);
            if is_short {
                let effects = self.side.bind(py).call_method1(intern!(py, "effects_of"), (general,))?;
                if effects.is_none() {
                    return Ok(Report::Short(&self.result, &[]));
                }
                if let Ok(record) = effects.cast::<PyBytes>() {
                    self.packer.copy(record.as_bytes());
                    return Ok(Report::Short(&self.result, self.packer.record()));
                }
            }
            return Ok(Report::General(Some(general.clone())));
        }
        if notes.log.is_empty() && notes.next.is_empty() {
            return Ok(if is_short { Report::Short(&self.result, &[]) } else { Report::General(None) });
        }
        // The loop says what can't be packed.
        is_short = is_short && self.pack_notes(py, &notes).unwrap_or(false);
        if is_short {
            return Ok(Report::Short(&self.result, self.packer.record()));
        }
        Ok(Report::General(Some(context.get().run().told(py, notes)?)))
    }

    /// Packs a result; false if that is the loop's to do, or to explain.
    fn pack(&mut self, result: &Bound<'_, PyAny>) -> bool {
        self.result.clear();
        if let Ok(Some(packed)) = self.scalar.of(result) {
            self.result.extend_from_slice(packed);
            return true;
        }
        if !is_small(result).unwrap_or(false) {
            return false; // it may run code of the user's
        }
        let packed = self.dumps.bind(result.py()).call1((result,));
        match packed.as_ref().map(|packed| packed.cast::<PyBytes>()) {
            Ok(Ok(packed)) => {
                self.result.extend_from_slice(packed.as_bytes());
                true
            }
            _ => false,
        }
    }

    fn pack_notes(&mut self, py: Python<'_>, notes: &Notes) -> PyResult<bool> {
        let (packer, dumps) = (&mut self.packer, self.dumps.bind(py));
        packer.begin(notes.log.len());
        for write in &notes.log {
            if !packer.write(write.operation, write.key.bind(py), write.value.bind(py), dumps)? {
                return Ok(false);
            }
        }
        for task in &notes.next {
            if !packer.next(task.bind(py), self.keys.bind(py))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Has the loop report a task in its own words.
    pub(crate) fn finish(
        &mut self,
        py: Python<'_>,
        task: (u64, &str),
        result: Option<Bound<'_, PyAny>>,
        error: Option<Bound<'_, PyBaseException>>,
        context: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        self.mark(py, false)?;
        self.side.bind(py).call_method1(intern!(py, "finish"), (task.0, task.1, result, error, context)).map(drop)
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
    fn look_up(&mut self, link: &Bound<'_, WorkerLink>, task: &PlainTask<'_>, epoch: u64) -> PyResult<()> {
        let is_fresh = self.known.get(&task.key).is_some_and(|body| body.view == task.view && body.epoch == epoch);
        if !is_fresh {
            let py = link.py();
            self.mark(py, false)?; // what is loaded now may run code of the user's
            type Sees = Option<(Option<Py<PyDict>>, Py<PyAny>)>;
            type Answer = Option<(Py<PyAny>, Option<Py<PyFrozenSet>>, Vec<Py<PyString>>, bool, Sees)>;
            let answer = self.side.bind(py).call_method1(intern!(py, "body_of"), (task.key, task.view))?;
            let plain = match answer.extract::<Answer>()? {
                None => None,
                Some((function, names, required, is_final, sees)) => {
                    let sight = match sees {
                        None => None,
                        Some((values, make)) => {
                            let common = self.common(py)?;
                            Some(Arc::new(Sight::new(py, link.clone().unbind(), values, make, common)))
                        }
                    };
                    Some(PlainBody { function, sight, names, required, is_final })
                }
            };
            self.known.insert(task.key, Body { view: task.view, epoch, plain });
        }
        Ok(())
    }

    fn common(&mut self, py: Python<'_>) -> PyResult<Arc<Common>> {
        if let Some(common) = &self.common {
            return Ok(Arc::clone(common));
        }
        let classes = self.side.bind(py).call_method0(intern!(py, "classes"))?.extract()?;
        let (plain, context_class, channel_class, loads) = classes;
        let common = Arc::new(Common { plain, context_class, channel_class, loads });
        Ok(Arc::clone(self.common.insert(common)))
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
