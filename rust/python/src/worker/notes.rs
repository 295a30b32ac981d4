//! What a body in a worker has done so far, until it ends or the full context takes over.
//!
//! Reading and writing the channel, enqueuing tasks and iterating is noted here. At the first thing that is not as simple the
//! full context is made (`_worker/bodies.py`), told what was noted, and asked from then on. Owns these notes; what they
//! mean is not known here.
use std::ops::Range;
use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use crate::locked::{Held, Locked};
use crate::worker::context::TaskChannel;
use crate::worker::known::Known;
use crate::worker::sight::{Look, Sight};
use graflow_wire::record::{APPEND, OPERATIONS, SET};
use graflow_wire::work::Work;

/// So many keys of one body are followed here.
const MOST_KEYS: usize = 16;

/// One write, as it was made.
pub(crate) struct NotedWrite {
    pub operation: u8,
    pub key: Py<PyString>,
    pub value: Py<PyAny>,
}

/// One thing that a body asked for.
pub(crate) enum NotedWish {
    Next(Py<PyAny>),
    Iterate(Py<PyString>, Option<Py<PyAny>>),
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
    pub log: Vec<NotedWrite>,
    pub asked: Vec<NotedWish>,
    keys: Vec<(Py<PyString>, Made)>,
    pub channel: Option<Py<TaskChannel>>,
    /// Who is asked from now on.
    pub full: Option<Py<PyAny>>,
    /// The body has ended; what it left running may still ask.
    pub is_over: bool,
}

/// One body that runs.
pub(crate) struct BodyRun {
    pub known: Arc<Known>,
    pub sight: Arc<Sight>,
    pub ticket: u64,
    pub name: Py<PyString>,
    /// In seconds since the epoch.
    pub started: f64,
    /// What the worker was told of it.
    pub frame: Arc<Vec<u8>>,
    pub payload: Range<usize>,
    pub notes: Locked<Notes>,
}

impl BodyRun {
    pub(crate) fn notes(&self) -> Held<'_, Notes> {
        self.notes.get()
    }

    /// What the worker was told of this task.
    pub(crate) fn work(&self) -> Work<'_> {
        Work::read(&self.frame[self.payload.clone()]).unwrap_or_default()
    }

    /// The full context, made now if nobody needed it before.
    pub(crate) fn full<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(full) = &self.notes().full {
            return Ok(full.bind(py).clone());
        }
        // Without the lock: this is Python code, and another thread of the body may be here as well. Nobody asks the full
        // context before it has been told all that was noted.
        let work = self.work();
        let told = told(py, &work)?;
        let made = self.known.common.make_context.bind(py).call1((
            self.ticket,
            &self.name,
            self.started,
            work.key,
            work.view,
            told,
        ))?;
        let mut told = (0, 0);
        loop {
            let (log, asked) = {
                let mut notes = self.notes();
                if let Some(full) = &notes.full {
                    return Ok(full.bind(py).clone());
                }
                if told == (notes.log.len(), notes.asked.len()) {
                    let (channel, is_over) = (notes.channel.take(), notes.is_over);
                    let rest = Notes { channel, is_over, full: Some(made.clone().unbind()), ..Notes::default() };
                    let before = std::mem::replace(&mut *notes, rest);
                    drop(notes);
                    drop(before); // whose objects may have code that runs when they go
                    return Ok(made);
                }
                notes.since(py, told)
            };
            told.0 += log.len();
            told.1 += asked.len();
            tell(py, &made, log, asked)?;
        }
    }

    /// The value under a key, as far as that is known here.
    pub(crate) fn get<'py>(&self, key: &Bound<'py, PyString>) -> PyResult<Look<'py>> {
        let py = key.py();
        let Some(values) = self.sight.still(py) else {
            return Ok(Look::Ask);
        };
        {
            let notes = self.notes();
            if notes.full.is_some() {
                return Ok(Look::Ask);
            }
            if let Some((_, made)) = notes.keys.iter().find(|(known, _)| is_same(known, key)) {
                return Ok(match made {
                    Made::Set(value) => Look::Value(value.bind(py).clone()),
                    Made::Longer(_) => Look::Ask,
                });
            }
        }
        self.sight.value(values, key)
    }

    /// Notes that an item was added; the list's new length, None if the full channel has to do it.
    pub(crate) fn append(&self, key: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
        let py = key.py();
        let Some(values) = self.sight.still(py) else {
            return Ok(None);
        };
        let below = self.sight.length(values, key)?;
        let mut notes = self.notes();
        if notes.full.is_some() {
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

    /// Notes that a key was set; false if the full channel has to do it.
    pub(crate) fn set(&self, key: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) -> bool {
        if self.sight.still(key.py()).is_none() {
            return false;
        }
        let mut notes = self.notes();
        if notes.full.is_some() {
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

    /// Notes that the body asked for something; false if the full context has to do it.
    pub(crate) fn ask(&self, wish: NotedWish) -> bool {
        let mut notes = self.notes();
        if notes.full.is_some() {
            return false;
        }
        notes.asked.push(wish);
        true
    }

    /// What the body has done, now that it is over.
    pub(crate) fn end(&self, py: Python<'_>) -> PyResult<Notes> {
        let done = {
            let mut notes = self.notes();
            let full = notes.full.as_ref().map(|full| full.clone_ref(py));
            std::mem::replace(&mut *notes, Notes { full, is_over: true, ..Notes::default() })
        };
        if let Some(full) = &done.full {
            // It shows the short one, which holds it: nobody would find that circle.
            full.bind(py).call_method0(intern!(py, "let_go"))?;
        }
        Ok(done)
    }
}

impl Notes {
    /// What was noted behind so many writes and wishes.
    fn since(&self, py: Python<'_>, (writes, wishes): (usize, usize)) -> (Vec<NotedWrite>, Vec<NotedWish>) {
        let log = self.log[writes..].iter().map(|write| write.again(py)).collect();
        let asked = self.asked[wishes..].iter().map(|wish| wish.again(py)).collect();
        (log, asked)
    }

    fn note(&mut self, operation: u8, key: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) {
        self.log.push(NotedWrite { operation, key: key.clone().unbind(), value: value.clone().unbind() });
    }
}

/// Tells a full context, which nobody asks yet, what was noted.
fn tell(py: Python<'_>, full: &Bound<'_, PyAny>, log: Vec<NotedWrite>, asked: Vec<NotedWish>) -> PyResult<()> {
    if !asked.is_empty() {
        let directives = full.getattr(intern!(py, "directives"))?;
        let directives = if directives.is_none() { PyList::empty(py) } else { directives.cast_into()? };
        for wish in asked {
            directives.append(wish.in_words(py)?)?;
        }
        full.setattr(intern!(py, "directives"), directives)?;
    }
    if !log.is_empty() {
        let log = log.into_iter().map(|write| (OPERATIONS[usize::from(write.operation)], write.key, write.value));
        let log = PyList::new(py, log.collect::<Vec<_>>())?;
        full_channel(full)?.call_method1(intern!(py, "restore"), (log,))?;
    }
    Ok(())
}

impl NotedWrite {
    fn again(&self, py: Python<'_>) -> Self {
        Self { operation: self.operation, key: self.key.clone_ref(py), value: self.value.clone_ref(py) }
    }
}

impl NotedWish {
    fn again(&self, py: Python<'_>) -> Self {
        match self {
            Self::Next(task) => Self::Next(task.clone_ref(py)),
            Self::Iterate(name, data) => {
                Self::Iterate(name.clone_ref(py), data.as_ref().map(|data| data.clone_ref(py)))
            }
        }
    }

    /// As `TaskExecutionContext.directives` has it.
    pub(crate) fn in_words(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        Ok(match self {
            Self::Next(task) => ("next", task, false).into_pyobject(py)?.into_any().unbind(),
            Self::Iterate(name, data) => ("iterate", name, data).into_pyobject(py)?.into_any().unbind(),
        })
    }
}

/// What a worker was told of a task beyond the usual, for Python; None for nothing.
fn told<'py>(py: Python<'py>, work: &Work<'_>) -> PyResult<Option<Bound<'py, PyDict>>> {
    let told = PyDict::new(py);
    let bytes = |bytes: &[u8]| pyo3::types::PyBytes::new(py, bytes);
    if let Some(base) = work.base {
        told.set_item("base", base)?;
    }
    if let Some(member) = work.member {
        told.set_item("member", member)?;
    }
    for (name, number) in [("cycles", work.cycles), ("retries", work.retries), ("group_count", work.group_count)] {
        if number > 0 {
            told.set_item(name, number)?;
        }
    }
    if work.max_cycles.is_some() || work.max_retries.is_some() {
        let limits = PyDict::new(py);
        for (name, limit) in [("max_cycles", work.max_cycles), ("max_retries", work.max_retries)] {
            if let Some(limit) = limit {
                limits.set_item(name, limit)?;
            }
        }
        told.set_item("limits", limits)?;
    }
    if let Some(values) = &work.values {
        let known = PyDict::new(py);
        for (key, value) in values {
            known.set_item(key, value.map(bytes))?;
        }
        told.set_item("values", known)?;
    }
    Ok((!told.is_empty()).then_some(told))
}

pub(crate) fn full_channel<'py>(context: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    context.call_method0(intern!(context.py(), "get_channel"))
}

fn is_same(known: &Py<PyString>, key: &Bound<'_, PyString>) -> bool {
    known.as_ptr() == key.as_ptr() || PyAnyMethods::eq(known.bind(key.py()).as_any(), key).unwrap_or(false)
}
