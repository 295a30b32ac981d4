//! The context and the channel that a plain body in a worker sees: they note what bodies mostly do, and hand all else on.
//!
//! Reading and writing the channel and enqueuing plain tasks is noted here. At the first thing that is not as simple the
//! general context is made, told what was noted, and asked from then on. Owns these notes; what they mean is not known here.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyType};

use crate::effects::{APPEND, OPERATIONS, SET};
use crate::link::WorkerLink;
use crate::scalars::scalar_value;

/// So many keys of one body are followed here.
const MOST_KEYS: usize = 16;

/// What all bodies of one definition see alike.
pub(crate) struct Sight {
    pub link: Py<WorkerLink>,
    /// key -> value as bytes, None for a key that is not there; None if each task sees other values.
    pub values: Option<Py<PyDict>>,
    /// What was loaded of `values` and can't change, and the lengths of lists in it.
    loaded: Py<PyDict>,
    lengths: Py<PyDict>,
    /// `(ticket, name, start, log, directives)`: makes the general context of a body.
    pub make: Py<PyAny>,
    pub common: Arc<Common>,
}

/// What holds for all bodies of this process.
pub(crate) struct Common {
    /// The class of plain tasks.
    pub plain: Py<PyType>,
    pub loads: Py<PyAny>,
    pub context_class: Py<PyAny>,
    pub channel_class: Py<PyAny>,
}

impl Sight {
    pub(crate) fn new(
        py: Python<'_>,
        link: Py<WorkerLink>,
        values: Option<Py<PyDict>>,
        make: Py<PyAny>,
        common: Arc<Common>,
    ) -> Self {
        let (loaded, lengths) = (PyDict::new(py).unbind(), PyDict::new(py).unbind());
        Self { link, values, loaded, lengths, make, common }
    }

    /// The values, if nothing is read through to the coordinator.
    fn still<'a, 'py>(&'a self, py: Python<'py>) -> Option<&'a Bound<'py, PyDict>> {
        let values = self.values.as_ref()?.bind(py);
        let link = self.link.try_borrow(py).ok()?;
        (link.live_epoch() == 0).then_some(values)
    }

    /// The value under a key that the body has not written.
    fn value<'py>(&self, values: &Bound<'py, PyDict>, key: &Bound<'py, PyString>) -> PyResult<Look<'py>> {
        let py = key.py();
        if let Some(value) = self.loaded.bind(py).get_item(key)? {
            return Ok(Look::Value(value));
        }
        let Some(packed) = values.get_item(key)? else {
            return Ok(Look::General);
        };
        let Ok(bytes) = packed.cast::<PyBytes>() else {
            return Ok(if packed.is_none() { Look::Absent } else { Look::General });
        };
        let value = match scalar_value(py, bytes.as_bytes())? {
            Some(value) => value,
            None => self.common.loads.bind(py).call1((bytes,))?,
        };
        if is_fixed(&value) {
            self.loaded.bind(py).set_item(key, &value)?;
        }
        Ok(Look::Value(value))
    }

    /// The length of the list under a key that the body has not written; None if that is not known, or no list.
    fn length(&self, values: &Bound<'_, PyDict>, key: &Bound<'_, PyString>) -> PyResult<Option<usize>> {
        let py = key.py();
        if let Some(length) = self.lengths.bind(py).get_item(key)? {
            return length.extract().map(Some);
        }
        let length = match self.value(values, key)? {
            Look::Value(value) => match value.cast_exact::<PyList>() {
                Ok(list) => list.len(),
                Err(_) => return Ok(None),
            },
            Look::Absent => 0,
            Look::General => return Ok(None),
        };
        self.lengths.bind(py).set_item(key, length)?;
        Ok(Some(length))
    }
}

/// What is found under a key.
enum Look<'py> {
    Value(Bound<'py, PyAny>),
    Absent,
    /// The general channel knows.
    General,
}

/// One write, as it was made.
pub(crate) struct Noted {
    pub operation: u8,
    pub key: Py<PyString>,
    pub value: Py<PyAny>,
}

/// What a body has made of a key.
enum Made {
    Set(Py<PyAny>),
    /// A list of so many items, those below included.
    Longer(usize),
}

/// What a body has done so far.
#[derive(Default)]
pub(crate) struct Notes {
    pub log: Vec<Noted>,
    pub next: Vec<Py<PyAny>>,
    keys: Vec<(Py<PyString>, Made)>,
    channel: Option<Py<PlainChannel>>,
    /// Who is asked from now on.
    pub general: Option<Py<PyAny>>,
    /// The body has ended; what it left running may still ask.
    is_over: bool,
}

/// One body that runs.
pub(crate) struct PlainRun {
    sight: Arc<Sight>,
    ticket: u64,
    name: Py<PyString>,
    /// In seconds since the epoch.
    started: f64,
    notes: Mutex<Notes>,
}

impl PlainRun {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The general context, made now if nobody needed it before.
    fn general<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(general) = &self.notes().general {
            return Ok(general.bind(py).clone());
        }
        // Without the lock: this is Python code, and another thread of the body may be here as well.
        let sight = &self.sight;
        let made = sight.make.bind(py).call1((self.ticket, &self.name, self.started))?;
        let Notes { log, next, .. } = {
            let mut notes = self.notes();
            if let Some(general) = &notes.general {
                return Ok(general.bind(py).clone());
            }
            let (channel, is_over) = (notes.channel.take(), notes.is_over);
            std::mem::replace(
                &mut *notes,
                Notes { channel, is_over, general: Some(made.clone().unbind()), ..Notes::default() },
            )
        };
        if !next.is_empty() {
            let directives: Vec<_> = next.into_iter().map(|task| ("next", task, false)).collect();
            made.setattr(intern!(py, "directives"), directives)?;
        }
        if !log.is_empty() {
            let log = log.into_iter().map(|write| (OPERATIONS[usize::from(write.operation)], write.key, write.value));
            let log = PyList::new(py, log.collect::<Vec<_>>())?;
            general_channel(&made)?.call_method1(intern!(py, "restore"), (log,))?;
        }
        Ok(made)
    }

    /// The value under a key, as far as that is known here.
    fn get<'py>(&self, key: &Bound<'py, PyString>) -> PyResult<Look<'py>> {
        let py = key.py();
        let Some(values) = self.sight.still(py) else {
            return Ok(Look::General);
        };
        {
            let notes = self.notes();
            if notes.general.is_some() {
                return Ok(Look::General);
            }
            if let Some((_, made)) = notes.keys.iter().find(|(known, _)| is_same(known, key)) {
                return Ok(match made {
                    Made::Set(value) => Look::Value(value.bind(py).clone()),
                    Made::Longer(_) => Look::General,
                });
            }
        }
        self.sight.value(values, key)
    }

    /// Notes that an item was added; the list's new length, None if the general channel has to do it.
    fn append(&self, key: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
        let py = key.py();
        let Some(values) = self.sight.still(py) else {
            return Ok(None);
        };
        let below = self.sight.length(values, key)?;
        let mut notes = self.notes();
        if notes.general.is_some() {
            return Ok(None);
        }
        let length = match notes.keys.iter_mut().find(|(known, _)| is_same(known, key)) {
            Some((_, Made::Longer(length))) => {
                *length += 1;
                *length
            }
            Some((_, Made::Set(_))) => return Ok(None),
            None => {
                let Some(below) = below.filter(|_| notes.keys.len() < MOST_KEYS) else {
                    return Ok(None);
                };
                notes.keys.push((key.clone().unbind(), Made::Longer(below + 1)));
                below + 1
            }
        };
        notes.note(APPEND, key, value);
        Ok(Some(length))
    }

    /// Notes that a key was set; false if the general channel has to do it.
    fn set(&self, key: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) -> bool {
        if self.sight.still(key.py()).is_none() {
            return false;
        }
        let mut notes = self.notes();
        if notes.general.is_some() {
            return false;
        }
        let made = Made::Set(value.clone().unbind());
        let mut before = None; // dropped without the lock: that may run code of the user's
        match notes.keys.iter().position(|(known, _)| is_same(known, key)) {
            Some(position) => before = Some(std::mem::replace(&mut notes.keys[position].1, made)),
            None if notes.keys.len() < MOST_KEYS => notes.keys.push((key.clone().unbind(), made)),
            None => return false,
        }
        notes.note(SET, key, value);
        drop(notes);
        drop(before);
        true
    }
}

impl Notes {
    fn note(&mut self, operation: u8, key: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) {
        self.log.push(Noted { operation, key: key.clone().unbind(), value: value.clone().unbind() });
    }
}

fn general_channel<'py>(context: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    context.call_method0(intern!(context.py(), "get_channel"))
}

fn is_same(known: &Py<PyString>, key: &Bound<'_, PyString>) -> bool {
    known.as_ptr() == key.as_ptr() || PyAnyMethods::eq(known.bind(key.py()).as_any(), key).unwrap_or(false)
}

/// True for values that nobody can change.
fn is_fixed(value: &Bound<'_, PyAny>) -> bool {
    value.is_none()
        || value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyString>()
        || value.is_exact_instance_of::<PyBool>()
        || value.is_exact_instance_of::<PyFloat>()
}

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

    /// What the body has done, now that it is over.
    pub(crate) fn end(&self, py: Python<'_>) -> Notes {
        let mut notes = self.run.notes();
        let general = notes.general.as_ref().map(|general| general.clone_ref(py));
        std::mem::replace(&mut *notes, Notes { general, is_over: true, ..Notes::default() })
    }

    /// The general context, told of what a body has done that is over.
    pub(crate) fn told<'py>(&self, py: Python<'py>, notes: Notes) -> PyResult<Bound<'py, PyAny>> {
        let before = std::mem::replace(&mut *self.run.notes(), notes);
        drop(before);
        self.run.general(py)
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
