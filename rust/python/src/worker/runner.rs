//! Running tasks in a worker: from what the worker was told to the report. The one way for all tasks but chunks of maps.
//!
//! Owns what happens around one body. What is rare (loading, explaining, shared memory) is done by `_worker/tasks.py`.
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};
use rustc_hash::FxHashMap as HashMap;

use crate::body::awaited::awaited;
use crate::body::filling::Source;
use crate::locked::Locked;
use crate::wire::loading::plain_value;
use crate::wire::scalars::NONE_PICKLE;
use crate::worker::context::TaskContext;
use crate::worker::known::{Answer, Common, Known};
use crate::worker::link::WorkerLink;
use crate::worker::notes::{full_channel, BodyRun, Notes};
use crate::worker::packing::Packing;
use crate::worker::sight::{Look, Sight};
use graflow_wire::record::{EFFECTS, FAILED};
use graflow_wire::work::Work;

/// The task that is running in this worker: who asks may be in any thread.
#[pyclass(frozen, module = "graflow_fast._core")]
#[derive(Default)]
pub struct RunningTask {
    ticket: AtomicU64,
    context: Locked<Option<Py<TaskContext>>>,
}

#[pymethods]
impl RunningTask {
    /// Its ticket, 0 before the first.
    #[getter]
    fn ticket(&self) -> u64 {
        self.ticket.load(Ordering::Relaxed)
    }

    /// The context of its body, None between tasks.
    #[getter]
    fn context(&self, py: Python<'_>) -> Option<Py<TaskContext>> {
        let context = self.context.get();
        context.as_ref().map(|context| context.clone_ref(py))
    }
}

impl RunningTask {
    pub(crate) fn begin(&self, ticket: u64) {
        self.ticket.store(ticket, Ordering::Relaxed);
    }

    fn set_context(&self, context: Option<Py<TaskContext>>) {
        let before = std::mem::replace(&mut *self.context.get(), context);
        drop(before); // without the lock
    }
}

/// Where a task is in the frame that it came in.
pub(crate) struct Told {
    pub ticket: u64,
    pub frame: Arc<Vec<u8>>,
    pub payload: Range<usize>,
}

/// Runs tasks. Made by the worker's loop.
pub(crate) struct Runner {
    /// `graflow_fast._worker.tasks.Tasks`, which knows and does what is rare.
    side: Py<PyAny>,
    /// What the running body has said so far, and what stands there when it has changed its surroundings.
    pieces: Py<PyList>,
    mark: Py<PyAny>,
    /// `registry.running`, and what its `task_context` is while bodies run.
    running: Py<PyAny>,
    marker: Py<PyAny>,
    is_marked: bool,
    task: Py<RunningTask>,
    common: Option<Arc<Common>>,
    known: HashMap<u64, Arc<Known>>,
    /// What bodies of the latest view see.
    sight: Option<Arc<Sight>>,
    packing: Packing,
    loads: PyOnceLock<Py<PyAny>>,
}

/// A body's result or what it raised, and its context once it had one.
type Outcome<'py> = (PyResult<Bound<'py, PyAny>>, Option<Bound<'py, TaskContext>>);

impl Runner {
    pub(crate) fn new(side: &Bound<'_, PyAny>, task: Py<RunningTask>) -> PyResult<Self> {
        Ok(Self {
            pieces: side.getattr("pieces")?.cast_into()?.unbind(),
            mark: side.getattr("mark")?.unbind(),
            running: side.getattr("running")?.unbind(),
            marker: side.getattr("marker")?.unbind(),
            is_marked: false,
            task,
            common: None,
            known: HashMap::default(),
            sight: None,
            packing: Packing::new(side)?,
            side: side.clone().unbind(),
            loads: PyOnceLock::new(),
        })
    }

    /// Lets this thread be in a task's body from now on, or in none.
    pub(crate) fn mark(&mut self, py: Python<'_>, runs: bool) -> PyResult<()> {
        if self.is_marked != runs {
            self.is_marked = runs;
            let none = py.None();
            self.running.bind(py).setattr(intern!(py, "task_context"), if runs { &self.marker } else { &none })?;
        }
        Ok(())
    }

    /// Forgets what is known of a definition.
    pub(crate) fn forget(&mut self, key: u64) {
        self.known.remove(&key);
    }

    /// Runs a task and reports it, whatever it does.
    pub(crate) fn run(&mut self, link: &Bound<'_, WorkerLink>, told: &Told, work: &Work<'_>) -> PyResult<()> {
        let py = link.py();
        link.borrow().name(work.name);
        if let Some(chunk) = work.chunk {
            self.mark(py, false)?;
            let bound = (!work.bound.is_empty()).then(|| PyBytes::new(py, work.bound));
            let chunk = (told.ticket, work.name, work.key, work.view, bound, PyBytes::new(py, chunk));
            return self.side.bind(py).call_method1(intern!(py, "run_chunk"), chunk).map(drop);
        }
        let name = PyString::new(py, work.name);
        let (outcome, context) = self.call(link, told, work, &name);
        self.task.get().set_context(None);
        let notes = context.map_or_else(|| Ok(Notes::default()), |context| context.get().run().end(py))?;
        let outcome = outcome.and_then(|result| self.succeed(py, &name, work.key, &result, &notes));
        let flags = match outcome {
            Ok(()) if self.packing.writer.bytes().is_empty() => 0,
            Ok(()) => EFFECTS,
            Err(error) => self.fail(py, &name, &error, &notes)?,
        };
        self.report(link, told.ticket, &name, flags)
    }

    /// Calls the body.
    fn call<'py>(
        &mut self,
        link: &Bound<'py, WorkerLink>,
        told: &Told,
        work: &Work<'_>,
        name: &Bound<'py, PyString>,
    ) -> Outcome<'py> {
        let py = link.py();
        let known = match self.know(link, work) {
            Ok(known) => known,
            Err(error) => return (Err(error), None),
        };
        let context = match self.context(link, told, work, name, &known) {
            Ok(context) => context,
            Err(error) => return (Err(error), None),
        };
        let result = self.mark(py, true).and_then(|()| {
            self.task.get().set_context(Some(context.clone().unbind()));
            let arguments = self.arguments(py, work, name, &known, &context)?;
            let function = known.function.bind(py);
            if known.has_streams {
                self.side.bind(py).call_method1(intern!(py, "begin"), (work.key, work.view, name))?;
            }
            link.borrow_mut().begin_body();
            let result = match (known.inject, self.called_with(py, work)?) {
                (false, None) => function.call((), arguments.as_ref()),
                (true, None) => function.call((&context,), arguments.as_ref()),
                (false, Some(data)) => function.call((data,), arguments.as_ref()),
                (true, Some(data)) => function.call((&context, data), arguments.as_ref()),
            };
            result.and_then(awaited)
        });
        (result, Some(context))
    }

    fn context<'py>(
        &self,
        link: &Bound<'py, WorkerLink>,
        told: &Told,
        work: &Work<'_>,
        name: &Bound<'py, PyString>,
        known: &Arc<Known>,
    ) -> PyResult<Bound<'py, TaskContext>> {
        let py = link.py();
        let sight = match &work.values {
            None => Arc::clone(&known.sight),
            Some(told) => {
                let values = PyDict::new(py);
                for (key, value) in told {
                    values.set_item(key, value.map(|bytes| PyBytes::new(py, bytes)))?;
                }
                let loads = known.common.loads.clone_ref(py);
                Arc::new(Sight::new(py, link.borrow().claims(), values.unbind(), loads))
            }
        };
        let run = BodyRun {
            known: Arc::clone(known),
            sight,
            ticket: told.ticket,
            name: name.clone().unbind(),
            started: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64()),
            frame: Arc::clone(&told.frame),
            payload: told.payload.clone(),
            notes: Locked::default(),
        };
        Bound::new(py, TaskContext::new(run))
    }

    /// What is known of the task's definition; asked for when it is first met, and again with another view.
    fn know(&mut self, link: &Bound<'_, WorkerLink>, work: &Work<'_>) -> PyResult<Arc<Known>> {
        if let Some(known) = self.known.get(&work.key).filter(|known| known.view == work.view) {
            return Ok(Arc::clone(known));
        }
        let py = link.py();
        self.mark(py, false)?; // what is loaded now may run code of the user's
        let side = self.side.bind(py);
        let answer: Answer = side.call_method1(intern!(py, "known"), (work.key, work.view))?.extract()?;
        let common = match &self.common {
            Some(common) => Arc::clone(common),
            None => Arc::clone(self.common.insert(Arc::new(Common::of(side)?))),
        };
        let sight = answer.sight(py, &mut self.sight, link.borrow().claims(), &common);
        let known = Arc::new(Known::new(answer, work.view, sight, common));
        self.known.insert(work.key, Arc::clone(&known));
        Ok(known)
    }

    fn arguments<'py>(
        &self,
        py: Python<'py>,
        work: &Work<'_>,
        name: &Bound<'py, PyString>,
        known: &Known,
        context: &Bound<'py, TaskContext>,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let bound = match work.bound {
            [] => None,
            bytes => match plain_value(py, bytes)? {
                Some(bound) => Some(bound.cast_into()?),
                None => {
                    let loaded = self.side.bind(py).call_method1(intern!(py, "load_bound"), (name, bytes))?;
                    Some(loaded.cast_into::<PyDict>()?)
                }
            },
        };
        let mut source = ToldSource { context, work, loads: &known.common.loads, channel: None };
        known.filler.get().arguments(name, bound, usize::from(work.call.is_some()), None, &mut source)
    }

    /// What an iteration is called with.
    fn called_with<'py>(&self, py: Python<'py>, work: &Work<'_>) -> PyResult<Option<Bound<'py, PyAny>>> {
        work.call.map(|bytes| self.load(py, bytes)).transpose()
    }

    fn load<'py>(&self, py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        let loads = self.loads.get_or_try_init(py, || self.side.bind(py).getattr("loads").map(Bound::unbind))?;
        loads.bind(py).call1((PyBytes::new(py, bytes),))
    }

    /// Packs what a body did that returned.
    fn succeed(
        &mut self,
        py: Python<'_>,
        name: &Bound<'_, PyString>,
        key: u64,
        result: &Bound<'_, PyAny>,
        notes: &Notes,
    ) -> PyResult<()> {
        if self.known.get(&key).is_some_and(|known| known.is_watched) {
            let has_changed = self.side.bind(py).call_method1(intern!(py, "complain"), (key, name))?;
            if has_changed.is_truthy()? {
                self.known.retain(|_, known| !known.is_watched); // they may share what it changed
            }
        }
        let packing = &mut self.packing;
        packing.writer.begin();
        packing.result(name, result)?;
        packing.writes(py, name, notes)?;
        packing.asked(py, name, notes)?;
        self.say(py)
    }

    /// Packs how a body failed: with what it wrote, if that can cross.
    fn fail(&mut self, py: Python<'_>, name: &Bound<'_, PyString>, error: &PyErr, notes: &Notes) -> PyResult<u32> {
        let trace = error.traceback(py);
        let error = error.value(py);
        if let Some(trace) = trace {
            error.setattr(intern!(py, "__traceback__"), trace)?; // before Python 3.12 it is beside the exception
        }
        let packing = &mut self.packing;
        packing.result.clear();
        packing.result.extend_from_slice(NONE_PICKLE);
        packing.writer.begin();
        let unpackable = packing.writes(py, name, notes).err();
        if unpackable.is_some() {
            packing.writer.begin();
        }
        self.say(py)?;
        match unpackable {
            None => self.packing.error(error.as_any())?,
            Some(unpackable) => self.packing.error(unpackable.value(py).as_any())?,
        }
        Ok(FAILED | EFFECTS)
    }

    /// Packs what the body said; what it changed of its surroundings is put back.
    fn say(&mut self, py: Python<'_>) -> PyResult<()> {
        let pieces = self.pieces.bind(py);
        if pieces.is_empty() {
            return Ok(());
        }
        let is_marked = self.packing.said(pieces, self.mark.bind(py))?;
        pieces.call_method0(intern!(py, "clear"))?;
        if is_marked {
            self.side.bind(py).call_method0(intern!(py, "restore"))?;
        }
        Ok(())
    }

    fn report(
        &mut self,
        link: &Bound<'_, WorkerLink>,
        ticket: u64,
        name: &Bound<'_, PyString>,
        flags: u32,
    ) -> PyResult<()> {
        let py = link.py();
        match self.send(link, ticket, flags) {
            Err(error) if error.is_instance_of::<PyValueError>(py) => {
                let error = self.side.bind(py).call_method1(intern!(py, "too_large"), (name, error.value(py)))?;
                let flags = self.fail(py, name, &PyErr::from_value(error), &Notes::default())?;
                self.send(link, ticket, flags)
            }
            sent => sent,
        }
    }

    fn send(&self, link: &Bound<'_, WorkerLink>, ticket: u64, flags: u32) -> PyResult<()> {
        let py = link.py();
        let (result, record) = (&self.packing.result, self.packing.writer.bytes());
        if self.side.bind(py).getattr(intern!(py, "shares_memory"))?.is_truthy()? {
            let report = (ticket, flags, PyBytes::new(py, result), PyBytes::new(py, record));
            return self.side.bind(py).call_method1(intern!(py, "send"), report).map(drop);
        }
        link.borrow_mut().report(py, ticket, flags, result, record)
    }
}

/// Where a body in a worker finds values: in what was told, else by asking through its channel.
struct ToldSource<'a, 'py> {
    context: &'a Bound<'py, TaskContext>,
    work: &'a Work<'a>,
    loads: &'a Py<PyAny>,
    channel: Option<Bound<'py, PyAny>>,
}

impl<'py> Source<'py> for ToldSource<'_, 'py> {
    fn value(&mut self, key: &Bound<'py, PyString>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = key.py();
        let run = self.context.get().run();
        match run.get(key)? {
            Look::Value(value) => return Ok(Some(value)),
            Look::Absent => return Ok(None),
            Look::Ask => {}
        }
        let channel = match &self.channel {
            Some(channel) => channel.clone(),
            None => self.channel.insert(full_channel(&run.full(py)?)?).clone(),
        };
        if channel.call_method1(intern!(py, "exists"), (key,))?.is_truthy()? {
            return channel.call_method1(intern!(py, "get"), (key,)).map(Some);
        }
        Ok(None)
    }

    fn previous(&mut self) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = self.context.py();
        self.work.previous.map(|bytes| self.loads.bind(py).call1((PyBytes::new(py, bytes),))).transpose()
    }
}
