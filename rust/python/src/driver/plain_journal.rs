//! `_core.PlainJournal`: what a durable run writes down of plain steps of its own branch, and how it catches up with them.
//!
//! Owns the form of such an entry, which is short and made without Python; all others are `_run/journal/entries.py`'s. Must
//! not know which steps are plain, nor when they begin.
use graflow_store::MAXIMUM_RECORD;
use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PySet, PyString, PyTuple, PyType};

use crate::locked::Locked;
use crate::store::writer::RunWriter;
use crate::wire::plain::PlainPickle;
use crate::wire::scalars::scalar_value;

/// The first byte of such an entry: it begins and ends in one record, and is of this form.
const MARK: u8 = 7;
/// The second byte: whether the result is a box of bytes rather than a plain scalar; whether there are writes.
const BOXED: u8 = 1;
const WRITES: u8 = 2;
/// Mark, flags, length of the name, how often it had begun before, start and end, length of the writes.
const HEADER: usize = 2 + 2 + 4 + 8 + 8 + 4;

/// Writes down how plain steps end.
#[pyclass(frozen, module = "graflow_fast._core")]
pub struct PlainJournal {
    /// None of a run that has ended.
    writer: Option<Py<RunWriter>>,
    stream: u8,
    /// How often each task of the workflow's own branch has begun.
    pub(super) begun: Py<PyDict>,
    /// What the channel notes of what is written to it.
    log: Py<PyList>,
    /// The keys that are live.
    live: Py<PySet>,
    /// `channels._packed.Packed`, and what loads such bytes.
    packed: Py<PyType>,
    load: Py<PyAny>,
    /// Whether each entry waits for the disk.
    syncs: bool,
    /// `(entry, is_written)`: called before and after each, where somebody looks.
    watch: Option<Py<PyAny>>,
    made: Locked<(PlainPickle, Vec<u8>)>,
}

#[pymethods]
impl PlainJournal {
    #[new]
    #[allow(clippy::too_many_arguments)]
    fn new(
        writer: Option<Py<RunWriter>>,
        stream: u8,
        begun: Py<PyDict>,
        log: Py<PyList>,
        live: Py<PySet>,
        packed: Py<PyType>,
        load: Py<PyAny>,
        syncs: bool,
        watch: Option<Py<PyAny>>,
    ) -> Self {
        let made = Locked::new((PlainPickle::portable(), Vec::new()));
        Self { writer, stream, begun, log, live, packed, load, syncs, watch, made }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.begun)?;
        visit.call(&self.log)?;
        visit.call(&self.live)?;
        visit.call(&self.watch)
    }

    /// The name of the task whose end an entry is.
    #[staticmethod]
    fn name_of(record: &[u8]) -> PyResult<&str> {
        Ok(Ended::of(record)?.name)
    }

    /// An entry as all others are: (kind, key, time, result, writes, wishes, whether a handler did it, start and end).
    #[staticmethod]
    fn entry<'py>(py: Python<'py>, record: &[u8]) -> PyResult<Bound<'py, PyTuple>> {
        let ended = Ended::of(record)?;
        let pickle = py.import("pickle")?;
        let loads = |bytes: &[u8]| pickle.call_method1("loads", (PyBytes::new(py, bytes),));
        let result = match ended.is_boxed {
            true => PyTuple::new(py, [PyBytes::new(py, ended.result)])?.into_any(),
            false => loads(ended.result)?,
        };
        let writes = if ended.writes.is_empty() { PyList::empty(py).into_any() } else { loads(ended.writes)? };
        let key = (PyTuple::empty(py), ended.name, ended.count);
        let times = (ended.started, ended.ended);
        ("returned", key, ended.ended, result, writes, py.None(), false, times).into_pyobject(py)
    }
}

/// An entry, read.
pub(super) struct Ended<'a> {
    pub name: &'a str,
    pub count: u32,
    pub started: f64,
    pub ended: f64,
    is_boxed: bool,
    pub writes: &'a [u8],
    result: &'a [u8],
}

impl<'a> Ended<'a> {
    pub(super) fn of(record: &'a [u8]) -> PyResult<Self> {
        Self::read(record).ok_or_else(|| PyValueError::new_err("this is no entry of a plain step"))
    }

    fn read(record: &'a [u8]) -> Option<Self> {
        let (header, rest) = record.split_at_checked(HEADER)?;
        if header[0] != MARK {
            return None;
        }
        let length = usize::from(u16::from_le_bytes(header[2..4].try_into().ok()?));
        let (name, rest) = rest.split_at_checked(length)?;
        let length = u32::from_le_bytes(header[24..28].try_into().ok()?) as usize;
        let (writes, result) = rest.split_at_checked(length)?;
        Some(Self {
            name: std::str::from_utf8(name).ok()?,
            count: u32::from_le_bytes(header[4..8].try_into().ok()?),
            started: f64::from_le_bytes(header[8..16].try_into().ok()?),
            ended: f64::from_le_bytes(header[16..24].try_into().ok()?),
            is_boxed: header[1] & BOXED != 0,
            writes,
            result,
        })
    }
}

impl PlainJournal {
    /// Whether steps can be plain now: what is done to live keys is Python's to write down.
    pub(super) fn is_open(&self, py: Python<'_>) -> bool {
        self.writer.is_some() && self.live.bind(py).is_empty()
    }

    /// How often a task had begun before.
    pub(super) fn count(&self, name: &Bound<'_, PyString>) -> PyResult<u32> {
        let found = self.begun.bind(name.py()).get_item(name)?;
        found.map_or(Ok(0), |count| count.extract())
    }

    /// Notes that a step begins, which had begun so often before.
    pub(super) fn begin(&self, name: &Bound<'_, PyString>, count: u32) -> PyResult<()> {
        let py = name.py();
        let log = self.log.bind(py);
        if !log.is_empty() {
            log.del_slice(0, log.len())?;
        }
        self.begun.bind(py).set_item(name, count + 1)
    }

    /// Writes down what a step returned; the result as it is kept, or None if Python has to do it.
    pub(super) fn returned<'py>(
        &self,
        name: &Bound<'py, PyString>,
        result: &Bound<'py, PyAny>,
        (started, ended): (f64, f64),
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = name.py();
        if !self.live.bind(py).is_empty() {
            return Ok(None);
        }
        let count = self.count(name)?.saturating_sub(1);
        let text = name.to_str()?;
        let Ok(length) = u16::try_from(text.len()) else { return Ok(None) };
        let mut made = self.made.get();
        let (pickle, record) = &mut *made;
        record.clear();
        record.extend([MARK, 0]);
        record.extend(length.to_le_bytes());
        record.extend(count.to_le_bytes());
        record.extend(started.to_le_bytes());
        record.extend(ended.to_le_bytes());
        record.extend([0; 4]);
        record.extend(text.as_bytes());
        if !self.push_writes(py, pickle, record)? {
            return Ok(None);
        }
        let Some(bytes) = pickle.of(result)? else { return Ok(None) };
        if record.len() + bytes.len() > MAXIMUM_RECORD / 2 {
            return Ok(None);
        }
        record.extend(bytes);
        let kept = match scalar_value(py, bytes)? {
            Some(_) => result.clone(),
            None => {
                record[1] |= BOXED;
                self.packed.bind(py).call1((PyBytes::new(py, bytes), &self.load))?
            }
        };
        let record = PyBytes::new(py, record);
        drop(made);
        self.append(py, &record)?;
        Ok(Some(kept))
    }

    fn push_writes(&self, py: Python<'_>, pickle: &mut PlainPickle, record: &mut Vec<u8>) -> PyResult<bool> {
        let log = self.log.bind(py);
        if log.is_empty() {
            return Ok(true);
        }
        let writes = PyList::empty(py);
        for write in log {
            let (operation, key, value, expires): (
                Bound<'_, PyAny>,
                Bound<'_, PyAny>,
                Bound<'_, PyAny>,
                Bound<'_, PyAny>,
            ) = write.extract()?;
            let value = match value.get_type().is(self.packed.bind(py)) {
                true => PyTuple::new(py, [value.getattr("data")?])?.into_any(),
                false => value,
            };
            writes.append((operation, key, value, expires))?;
        }
        let Some(bytes) = pickle.of(&writes)? else { return Ok(false) };
        record[1] |= WRITES;
        record[24..28].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        record.extend(bytes);
        Ok(true)
    }

    fn append(&self, py: Python<'_>, record: &Bound<'_, PyBytes>) -> PyResult<()> {
        let Some(writer) = &self.writer else {
            return Err(PyValueError::new_err("a durable run that has ended goes on"));
        };
        let entry = match &self.watch {
            Some(watch) => {
                let entry = Self::entry(py, record.as_bytes())?;
                watch.call1(py, (&entry, false))?;
                Some(entry)
            }
            None => None,
        };
        let writer = writer.get();
        writer.append(py, self.stream, record)?;
        if self.syncs {
            writer.sync(py)?;
        }
        if let (Some(watch), Some(entry)) = (&self.watch, entry) {
            watch.call1(py, (entry, true))?;
        }
        Ok(())
    }

    /// The result of an entry as it is kept.
    pub(super) fn kept<'py>(&self, py: Python<'py>, ended: &Ended<'_>) -> PyResult<Option<Bound<'py, PyAny>>> {
        if ended.is_boxed {
            return self.packed.bind(py).call1((PyBytes::new(py, ended.result), &self.load)).map(Some);
        }
        scalar_value(py, ended.result)
    }
}
