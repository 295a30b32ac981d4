//! The short record of a body's effects: writes to the channel and plain tasks to run next, without a pickle around them.
//!
//! Owns that form. What doesn't fit in it (iterations, fragments, expiry, large or strange values) travels as a pickle.
//! A record is a count of writes, the writes `(operation, key, value)`, and to its end the tasks `(definition, name, bound)`.
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple, PyType};

use crate::arguments::bound_of;
use crate::scalars::ScalarPickle;

/// The flag of a report whose effects have this form.
pub(crate) const PLAIN_EFFECTS: u32 = 16;

/// Operations on the channel, by their number in a record.
pub(crate) const OPERATIONS: [&str; 4] = ["set", "append", "prepend", "delete"];
pub(crate) const SET: u8 = 0;
pub(crate) const APPEND: u8 = 1;
pub(crate) const PREPEND: u8 = 2;
const DELETE: u8 = 3;

/// How many items a container may have to travel in this form.
const MOST_ITEMS: usize = 32;

/// One write to the channel.
pub(crate) struct Write<'a> {
    pub operation: u8,
    pub key: &'a str,
    /// A pickle; empty for `delete`.
    pub value: &'a [u8],
}

/// One task to run next.
pub(crate) struct Next<'a> {
    pub definition: u64,
    pub name: &'a str,
    /// The pickled dictionary of bound arguments; empty for none.
    pub bound: &'a [u8],
}

/// What a record says; None if it is no such record.
pub(crate) fn read(record: &[u8]) -> Option<(Vec<Write<'_>>, Vec<Next<'_>>)> {
    let mut rest = Reader(record);
    let mut writes = Vec::new();
    for _ in 0..rest.number()? {
        let operation = *rest.take(1)?.first()?;
        if usize::from(operation) >= OPERATIONS.len() {
            return None;
        }
        writes.push(Write { operation, key: rest.text()?, value: rest.bytes()? });
    }
    let mut tasks = Vec::new();
    while !rest.0.is_empty() {
        let definition = u64::from_le_bytes(rest.take(8)?.try_into().ok()?);
        tasks.push(Next { definition, name: rest.text()?, bound: rest.bytes()? });
    }
    Some((writes, tasks))
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<usize> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?) as usize)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let count = self.number()?;
        self.take(count)
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }
}

/// The record of a log of writes `(operation, key, value, expiry)` and of directives; None if it does not fit.
///
/// `keys` gives the number of a definition; `dumps` pickles what is not a plain scalar.
#[pyfunction]
pub fn pack_effects<'py>(
    log: Option<Bound<'py, PyList>>,
    directives: Option<Bound<'py, PyList>>,
    plain: &Bound<'py, PyType>,
    keys: &Bound<'py, PyDict>,
    dumps: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyBytes>>> {
    let py = keys.py();
    let mut packer = Packer::default();
    packer.begin(log.as_ref().map_or(0, |log| log.len()));
    for write in log.iter().flatten() {
        let (operation, key, value, expiry): (Bound<'_, PyString>, Bound<'_, PyAny>, Bound<'_, PyAny>, _) =
            write.extract()?;
        let operation = operation.to_str()?;
        let position = OPERATIONS.iter().position(|known| *known == operation);
        let (Some(position), None::<f64>, Ok(key)) = (position, expiry, key.cast::<PyString>()) else {
            return Ok(None);
        };
        if !packer.write(position as u8, key, &value, dumps)? {
            return Ok(None);
        }
    }
    for directive in directives.iter().flatten() {
        let directive = directive.cast::<PyTuple>()?;
        if directive.get_item(0)?.cast::<PyString>()? != "next" || directive.get_item(2)?.is_truthy()? {
            return Ok(None);
        }
        let task = directive.get_item(1)?;
        if !task.get_type().is(plain) || !packer.next(&task, keys)? {
            return Ok(None);
        }
    }
    Ok(Some(PyBytes::new(py, packer.record())))
}

/// Writes records, one after the other, in a buffer of its own.
#[derive(Default)]
pub(crate) struct Packer {
    out: Vec<u8>,
    scalar: ScalarPickle,
}

impl Packer {
    /// Begins a record of so many writes.
    pub(crate) fn begin(&mut self, writes: usize) {
        self.out.clear();
        self.number(writes);
    }

    /// Takes over a record that was written elsewhere.
    pub(crate) fn copy(&mut self, record: &[u8]) {
        self.out.clear();
        self.out.extend_from_slice(record);
    }

    /// The record.
    pub(crate) fn record(&self) -> &[u8] {
        &self.out
    }

    /// Adds a write; false if it has no short form.
    pub(crate) fn write(
        &mut self,
        operation: u8,
        key: &Bound<'_, PyString>,
        value: &Bound<'_, PyAny>,
        dumps: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let Ok(key) = key.to_str() else {
            return Ok(false);
        };
        self.out.push(operation);
        self.bytes(key.as_bytes());
        if operation == DELETE {
            self.bytes(b"");
            return Ok(true);
        }
        self.value(value, operation == SET, dumps)
    }

    /// Adds a task of the plain class; false if it has no short form.
    pub(crate) fn next(&mut self, task: &Bound<'_, PyAny>, keys: &Bound<'_, PyDict>) -> PyResult<bool> {
        let py = keys.py();
        if !task.getattr(intern!(py, "_links"))?.is_none() {
            return Ok(false);
        }
        let definition = task.getattr(intern!(py, "_definition"))?;
        let Some(definition) = keys.get_item(definition)? else {
            return Ok(false);
        };
        self.out.extend_from_slice(&definition.extract::<u64>()?.to_le_bytes());
        let name = task.getattr(intern!(py, "_task_id"))?;
        let Ok(name) = name.cast::<PyString>()?.to_str() else {
            return Ok(false);
        };
        self.bytes(name.as_bytes());
        let bound = bound_of(task)?;
        let packed = if bound.is_empty() { Some(&[][..]) } else { self.scalar.of_dictionary(&bound)? };
        let Some(packed) = packed else {
            return Ok(false);
        };
        self.out.extend_from_slice(&(packed.len() as u32).to_le_bytes());
        self.out.extend_from_slice(packed);
        Ok(true)
    }

    /// Appends a value; `any` allows small containers too.
    fn value(&mut self, value: &Bound<'_, PyAny>, any: bool, dumps: &Bound<'_, PyAny>) -> PyResult<bool> {
        if let Some(bytes) = self.scalar.of(value)? {
            let length = bytes.len() as u32;
            self.out.extend_from_slice(&length.to_le_bytes());
            self.out.extend_from_slice(bytes);
            return Ok(true);
        }
        if !any || !is_small(value)? {
            return Ok(false);
        }
        let packed = dumps.call1((value,))?;
        let Ok(packed) = packed.cast::<PyBytes>() else {
            return Ok(false);
        };
        if packed.as_bytes().first() != Some(&0x80) {
            return Ok(false); // it names shared memory
        }
        self.bytes(packed.as_bytes());
        Ok(true)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len());
        self.out.extend_from_slice(bytes);
    }

    fn number(&mut self, number: usize) {
        self.out.extend_from_slice(&(number as u32).to_le_bytes());
    }
}

/// True for a short dictionary, list or tuple of plain scalars.
pub(crate) fn is_small(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    let mut scalar = ScalarPickle::default();
    if let Ok(items) = value.cast_exact::<PyDict>() {
        for (key, item) in items {
            if scalar.of(&key)?.is_none() || scalar.of(&item)?.is_none() {
                return Ok(false);
            }
        }
        return Ok(items.len() < MOST_ITEMS);
    }
    let items = value.cast_exact::<PyList>().map(|items| items.len());
    let count = items.or_else(|_| value.cast_exact::<PyTuple>().map(|items| items.len()));
    if count.map_or(true, |count| count >= MOST_ITEMS) {
        return Ok(false);
    }
    for item in value.try_iter()? {
        if scalar.of(&item?)?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

type PackedWrite<'py> = (&'static str, Bound<'py, PyString>, Option<Bound<'py, PyBytes>>, Option<f64>);
type PackedNext<'py> = (&'static str, (u64, Bound<'py, PyString>, Option<Bound<'py, PyBytes>>), bool);

/// The log and the directives of a record, as those that travel as a pickle have them.
#[pyfunction]
#[allow(clippy::type_complexity)] // it is spelled out above
pub fn unpack_effects<'py>(py: Python<'py>, record: &[u8]) -> PyResult<(Vec<PackedWrite<'py>>, Vec<PackedNext<'py>>)> {
    let bad = || pyo3::exceptions::PyValueError::new_err("this is no record of effects");
    let (writes, tasks) = read(record).ok_or_else(bad)?;
    let some = |bytes: &[u8]| (!bytes.is_empty()).then(|| PyBytes::new(py, bytes));
    let write = |write: Write<'_>| {
        (OPERATIONS[usize::from(write.operation)], PyString::new(py, write.key), some(write.value), None)
    };
    let next = |task: Next<'_>| ("next", (task.definition, PyString::new(py, task.name), some(task.bound)), false);
    Ok((writes.into_iter().map(write).collect(), tasks.into_iter().map(next).collect()))
}
