//! From what a body did to its record: results, writes, wishes and pieces of output become bytes.
//!
//! Owns how Python objects get into a record. What has no short form is packed, or explained, by `_worker/tasks.py`.
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyFloat, PyList, PyString, PyTuple};

use crate::tables::arguments::bound_of;
use crate::tables::slots::TaskSlots;
use crate::wire::plain::PlainPickle;
use crate::worker::notes::{NotedWish, Notes};
use graflow_wire::record::{Asked, Key, RecordWriter, Write, CLEAR, DELETE, OPERATIONS};

/// Packs the effects of one body after the other.
pub(crate) struct Packing {
    /// `graflow_fast._worker.tasks.Tasks`
    side: Py<PyAny>,
    /// definition -> key.
    keys: Py<PyDict>,
    pub writer: RecordWriter,
    plain: PlainPickle,
    pub result: Vec<u8>,
}

impl Packing {
    pub(crate) fn new(side: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self {
            keys: side.getattr("keys")?.cast_into()?.unbind(),
            side: side.clone().unbind(),
            writer: RecordWriter::default(),
            plain: PlainPickle::default(),
            result: Vec::new(),
        })
    }

    /// Packs what a body returned, for `result`.
    pub(crate) fn result(&mut self, task: &Bound<'_, PyString>, result: &Bound<'_, PyAny>) -> PyResult<()> {
        self.result.clear();
        if let Some(packed) = self.plain.of(result)? {
            self.result.extend_from_slice(packed);
            return Ok(());
        }
        let packed = self.packed(task, "result", None, result)?;
        self.result.extend_from_slice(packed.as_bytes());
        Ok(())
    }

    /// Packs what a body wrote; of one with a full context, that has it.
    pub(crate) fn writes(&mut self, py: Python<'_>, task: &Bound<'_, PyString>, notes: &Notes) -> PyResult<()> {
        for write in &notes.log {
            self.write(task, write.operation, write.key.bind(py).as_any(), write.value.bind(py), None)?;
        }
        let Some(full) = &notes.full else {
            return Ok(());
        };
        let log = full.bind(py).call_method0(intern!(py, "writes"))?;
        if log.is_none() {
            return Ok(());
        }
        for write in log.cast::<PyList>()? {
            let (operation, key, value, expires): (Bound<'_, PyString>, Bound<'_, PyAny>, Bound<'_, PyAny>, _) =
                write.extract()?;
            let expires: Option<Bound<'_, PyFloat>> = expires;
            let operation = operation.to_str()?;
            let number = OPERATIONS.iter().position(|known| *known == operation).unwrap_or_default();
            self.write(task, number as u8, &key, &value, expires.map(|expires| expires.value()))?;
        }
        Ok(())
    }

    fn write(
        &mut self,
        task: &Bound<'_, PyString>,
        operation: u8,
        key: &Bound<'_, PyAny>,
        value: &Bound<'_, PyAny>,
        expires: Option<f64>,
    ) -> PyResult<()> {
        let text = key.cast_exact::<PyString>().ok().and_then(|key| key.to_str().ok());
        let odd = match text {
            None => Some(self.packed(task, "key", Some(key), key)?),
            Some(_) => None,
        };
        let name = match (&odd, text) {
            (Some(odd), _) => Key::Odd(odd.as_bytes()),
            (None, text) => Key::Text(text.unwrap_or_default()),
        };
        if operation == DELETE || operation == CLEAR {
            self.writer.write(&Write { operation, key: name, value: &[], expires });
            return Ok(());
        }
        if let Some(value) = self.plain.of(value)? {
            self.writer.write(&Write { operation, key: name, value, expires });
            return Ok(());
        }
        let packed = self.packed(task, "write", Some(key), value)?;
        self.writer.write(&Write { operation, key: name, value: packed.as_bytes(), expires });
        Ok(())
    }

    /// Packs what a body asked for.
    pub(crate) fn asked(&mut self, py: Python<'_>, task: &Bound<'_, PyString>, notes: &Notes) -> PyResult<()> {
        for wish in &notes.asked {
            match wish {
                NotedWish::Next(next) => self.next(task, next.bind(py), false)?,
                NotedWish::Iterate(name, data) => {
                    self.iterate(task, name.bind(py), data.as_ref().map(|d| d.bind(py)))?
                }
            }
        }
        let Some(full) = &notes.full else {
            return Ok(());
        };
        let directives = full.bind(py).getattr(intern!(py, "directives"))?;
        if directives.is_none() {
            return Ok(());
        }
        for directive in directives.cast::<PyList>()? {
            let parts = directive.cast::<PyTuple>()?;
            let kind = parts.get_item(0)?.cast_into::<PyString>()?;
            match kind.to_str()? {
                "next" => self.next(task, &parts.get_item(1)?, parts.get_item(2)?.is_truthy()?)?,
                "iterate" => {
                    let data = parts.get_item(2)?;
                    self.iterate(task, &parts.get_item(1)?.cast_into()?, Some(&data).filter(|data| !data.is_none()))?;
                }
                _ => self.other(task, parts)?,
            }
        }
        Ok(())
    }

    fn iterate(
        &mut self,
        task: &Bound<'_, PyString>,
        name: &Bound<'_, PyString>,
        data: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let packed = match data {
            None => None,
            Some(data) => Some(self.packed(task, "data", None, data)?),
        };
        self.writer.ask(&Asked::Iterate { name: name.to_str()?, data: packed.as_ref().map(|data| data.as_bytes()) });
        Ok(())
    }

    fn next(&mut self, task: &Bound<'_, PyString>, next: &Bound<'_, PyAny>, goto: bool) -> PyResult<()> {
        if !self.short_next(next, goto)? && !self.own_next(task, next, goto)? {
            self.other(task, &("next", next, goto).into_pyobject(next.py())?)?;
        }
        Ok(())
    }

    /// Adds a task that the body made itself, if it has no edges.
    fn own_next(&mut self, task: &Bound<'_, PyString>, next: &Bound<'_, PyAny>, goto: bool) -> PyResult<bool> {
        let py = task.py();
        if TaskSlots::of_task(next).is_none() || !next.getattr(intern!(py, "_links"))?.is_none() {
            return Ok(false);
        }
        let name = next.getattr(intern!(py, "_task_id"))?.cast_into::<PyString>()?;
        let Ok(name) = name.to_str() else {
            return Ok(false);
        };
        let packed = self.side.bind(py).call_method1(intern!(py, "pack_task"), (task, next))?;
        self.writer.ask(&Asked::Made { goto, name, task: packed.cast::<PyBytes>()?.as_bytes() });
        Ok(true)
    }

    /// Adds a task whose definition the coordinator knows by a key, if it has no edges and simple arguments.
    fn short_next(&mut self, next: &Bound<'_, PyAny>, goto: bool) -> PyResult<bool> {
        let py = next.py();
        let Ok(definition) = next.getattr(intern!(py, "_definition")) else {
            return Ok(false); // a chain, a group or a reference
        };
        if !next.getattr(intern!(py, "_links"))?.is_none() {
            return Ok(false);
        }
        let Some(definition) = self.keys.bind(py).get_item(definition)? else {
            return Ok(false);
        };
        let name = next.getattr(intern!(py, "_task_id"))?.cast_into::<PyString>()?;
        let Ok(name) = name.to_str() else {
            return Ok(false);
        };
        let bound = bound_of(next)?;
        let bound = if bound.is_empty() { Some(&[][..]) } else { self.plain.of_dictionary(&bound)? };
        let Some(bound) = bound else {
            return Ok(false);
        };
        self.writer.ask(&Asked::Next { goto, definition: definition.extract()?, name, bound });
        Ok(true)
    }

    fn other(&mut self, task: &Bound<'_, PyString>, directive: &Bound<'_, PyTuple>) -> PyResult<()> {
        let py = task.py();
        let packed = self.side.bind(py).call_method1(intern!(py, "pack_directive"), (task, directive))?;
        self.writer.ask(&Asked::Other(packed.cast::<PyBytes>()?.as_bytes()));
        Ok(())
    }

    /// Packs what a body said, but for `mark`; whether that was there.
    pub(crate) fn said(&mut self, pieces: &Bound<'_, PyList>, mark: &Bound<'_, PyAny>) -> PyResult<bool> {
        let py = pieces.py();
        let mut is_marked = false;
        for piece in pieces {
            if piece.is(mark) {
                is_marked = true;
                continue;
            }
            let (kind, content): (u8, Bound<'_, PyAny>) = piece.extract()?;
            match content.cast_exact::<PyString>().ok().and_then(|text| text.to_str().ok()) {
                Some(text) if kind < TEXT_KINDS => self.writer.say(kind, text.as_bytes()),
                _ => {
                    let packed = self.side.bind(py).call_method1(intern!(py, "pack_piece"), (kind, content))?;
                    self.writer.say(kind, packed.cast::<PyBytes>()?.as_bytes());
                }
            }
        }
        Ok(is_marked)
    }

    /// Packs how a body failed.
    pub(crate) fn error(&mut self, error: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = error.py();
        let packed = self.side.bind(py).call_method1(intern!(py, "pack_error"), (error,))?;
        let (data, trace): (Bound<'_, PyBytes>, Bound<'_, PyBytes>) = packed.extract()?;
        self.writer.fail(data.as_bytes(), trace.as_bytes());
        Ok(())
    }

    /// A value as bytes; what can't be packed is explained in the exception.
    fn packed<'py>(
        &self,
        task: &Bound<'py, PyString>,
        what: &str,
        key: Option<&Bound<'py, PyAny>>,
        value: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let py = task.py();
        Ok(self.side.bind(py).call_method1(intern!(py, "pack_value"), (task, what, key, value))?.cast_into()?)
    }
}

/// Kinds of pieces below this are text: standard output and error.
pub(crate) const TEXT_KINDS: u8 = 2;

/// The record of a chunk that failed as a whole: what it said, and why.
#[pyfunction]
pub(crate) fn pack_failure<'py>(
    pieces: &Bound<'py, PyList>,
    error: &Bound<'py, PyBytes>,
    trace: &Bound<'py, PyBytes>,
    pack_piece: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let mut writer = RecordWriter::default();
    writer.begin();
    for piece in pieces {
        let (kind, content): (u8, Bound<'_, PyAny>) = piece.extract()?;
        match content.cast_exact::<PyString>().ok().and_then(|text| text.to_str().ok()) {
            Some(text) if kind < TEXT_KINDS => writer.say(kind, text.as_bytes()),
            _ => writer.say(kind, pack_piece.call1((kind, content))?.cast::<PyBytes>()?.as_bytes()),
        }
    }
    writer.fail(error.as_bytes(), trace.as_bytes());
    Ok(PyBytes::new(pieces.py(), writer.bytes()))
}
