//! What a plain body in a worker has done so far, until it ends or the general context takes over.
//!
//! Reading and writing the channel and enqueuing plain tasks is noted here. At the first thing that is not as simple the
//! general context is made, told what was noted, and asked from then on. Owns these notes; what they mean is not known here.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};

use crate::body_context::PlainChannel;
use crate::effects::{APPEND, OPERATIONS, SET};
use crate::sight::{Look, Sight};

/// So many keys of one body are followed here.
const MOST_KEYS: usize = 16;

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
    pub channel: Option<Py<PlainChannel>>,
    /// Who is asked from now on.
    pub general: Option<Py<PyAny>>,
    /// The body has ended; what it left running may still ask.
    pub is_over: bool,
}

/// One body that runs.
pub(crate) struct PlainRun {
    pub sight: Arc<Sight>,
    pub ticket: u64,
    pub name: Py<PyString>,
    /// In seconds since the epoch.
    pub started: f64,
    pub notes: Mutex<Notes>,
}

impl PlainRun {
    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The general context, made now if nobody needed it before.
    pub(crate) fn general<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
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
    pub(crate) fn get<'py>(&self, key: &Bound<'py, PyString>) -> PyResult<Look<'py>> {
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
    pub(crate) fn append(&self, key: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
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
    pub(crate) fn set(&self, key: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) -> bool {
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

impl PlainRun {
    /// What the body has done, now that it is over.
    pub(crate) fn end(&self, py: Python<'_>) -> Notes {
        let mut notes = self.notes();
        let general = notes.general.as_ref().map(|general| general.clone_ref(py));
        std::mem::replace(&mut *notes, Notes { general, is_over: true, ..Notes::default() })
    }

    /// The general context, told of what a body has done that is over.
    pub(crate) fn told<'py>(&self, py: Python<'py>, notes: Notes) -> PyResult<Bound<'py, PyAny>> {
        let before = std::mem::replace(&mut *self.notes(), notes);
        drop(before);
        self.general(py)
    }
}

impl Notes {
    fn note(&mut self, operation: u8, key: &Bound<'_, PyString>, value: &Bound<'_, PyAny>) {
        self.log.push(Noted { operation, key: key.clone().unbind(), value: value.clone().unbind() });
    }
}

pub(crate) fn general_channel<'py>(context: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    context.call_method0(intern!(context.py(), "get_channel"))
}

fn is_same(known: &Py<PyString>, key: &Bound<'_, PyString>) -> bool {
    known.as_ptr() == key.as_ptr() || PyAnyMethods::eq(known.bind(key.py()).as_any(), key).unwrap_or(false)
}
