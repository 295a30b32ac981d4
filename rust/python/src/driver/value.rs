//! Values on their way from reports into the channel: bytes that nobody has loaded yet.
//!
//! Owns how such bytes become what Python code finds. Must not know where they go.
use graflow_ledger as ledger;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyString};
use std::sync::Arc;

use crate::wire::scalars::{scalar_value, NONE_PICKLE};
use graflow_wire::record::{self, Key};

/// Bytes that start with this name shared memory, which somebody has to hold.
pub(crate) const SHARED_MARK: u8 = 1;

/// A value as it came.
#[derive(Clone)]
pub(crate) enum Value {
    None,
    Bytes(Box<[u8]>),
    /// Bytes that hold the shared memory they name.
    Shared(Arc<Py<PyAny>>),
    /// The value itself.
    Loaded(Arc<Py<PyAny>>),
}

impl Value {
    /// A value of this process.
    pub(crate) fn of(value: Bound<'_, PyAny>) -> Self {
        if value.is_none() {
            return Self::None;
        }
        Self::Loaded(Arc::new(value.unbind()))
    }
}

/// What makes values.
pub(crate) struct Loading {
    /// `channels._packed.Packed` and `_body.packing.load_packed`.
    pub packed: Py<PyAny>,
    pub load: Py<PyAny>,
    /// `crossing.adopt`: bytes -> bytes that hold the memory they name.
    pub adopt: Py<PyAny>,
}

impl Loading {
    /// A value from a report.
    ///
    /// Fails if it names memory that is gone.
    pub(crate) fn value(&self, py: Python<'_>, bytes: &[u8]) -> PyResult<Value> {
        if bytes == NONE_PICKLE {
            return Ok(Value::None);
        }
        if bytes.first() == Some(&SHARED_MARK) {
            return Ok(Value::Shared(Arc::new(self.adopt.call1(py, (PyBytes::new(py, bytes),))?)));
        }
        Ok(Value::Bytes(bytes.into()))
    }

    /// What the channel keeps: a plain scalar, or bytes in a box that loads them when somebody asks.
    pub(crate) fn kept<'py>(&self, py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
        match value {
            Value::None => Ok(py.None().into_bound(py)),
            Value::Bytes(bytes) => match scalar_value(py, bytes)? {
                Some(value) => Ok(value),
                None => self.packed.bind(py).call1((PyBytes::new(py, bytes), &self.load)),
            },
            Value::Shared(bytes) => self.packed.bind(py).call1((bytes.as_ref(), &self.load)),
            Value::Loaded(value) => Ok(value.bind(py).clone()),
        }
    }

    /// Bytes of a report in a box that loads them when somebody asks.
    pub(crate) fn boxed<'py>(&self, py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        match self.value(py, bytes)? {
            Value::Shared(bytes) => self.packed.bind(py).call1((bytes.as_ref(), &self.load)),
            _ => self.packed.bind(py).call1((PyBytes::new(py, bytes), &self.load)),
        }
    }

    /// Loads a value now, if it is more than a plain scalar.
    pub(crate) fn load_now(&self, py: Python<'_>, value: &mut Value) -> PyResult<()> {
        let is_scalar = match value {
            Value::None | Value::Loaded(_) => true,
            Value::Bytes(bytes) => scalar_value(py, bytes)?.is_some(),
            Value::Shared(_) => false,
        };
        if !is_scalar {
            *value = Value::Loaded(Arc::new(self.loaded(py, value)?.unbind()));
        }
        Ok(())
    }

    /// The value itself.
    pub(crate) fn loaded<'py>(&self, py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
        match value {
            Value::None => Ok(py.None().into_bound(py)),
            Value::Bytes(bytes) => match scalar_value(py, bytes)? {
                Some(value) => Ok(value),
                None => self.load.bind(py).call1((PyBytes::new(py, bytes),)),
            },
            Value::Shared(bytes) => self.load.bind(py).call1((bytes.as_ref(),)),
            Value::Loaded(value) => Ok(value.bind(py).clone()),
        }
    }

    /// A write from a report.
    pub(crate) fn write(&self, py: Python<'_>, write: &record::Write<'_>) -> PyResult<ledger::Write<Value>> {
        let operation = operation_of(write.operation);
        let key = match write.key {
            Key::Text(text) => ledger::Key::Text(text.into()),
            Key::Odd(bytes) => ledger::Key::Other(self.value(py, bytes)?),
        };
        let has_value = !matches!(operation, ledger::Operation::Delete | ledger::Operation::Clear);
        let value = if has_value { Some(self.value(py, write.value)?) } else { None };
        Ok(ledger::Write { operation, key, value, expires: write.expires })
    }

    /// A key as Python has it.
    pub(crate) fn key<'py>(&self, py: Python<'py>, key: &ledger::Key<Value>) -> PyResult<Bound<'py, PyAny>> {
        match key {
            ledger::Key::Text(text) => Ok(PyString::new(py, text).into_any()),
            ledger::Key::Other(value) => self.loaded(py, value),
        }
    }
}

fn operation_of(number: u8) -> ledger::Operation {
    match number {
        record::SET => ledger::Operation::Set,
        record::APPEND => ledger::Operation::Append,
        record::PREPEND => ledger::Operation::Prepend,
        record::DELETE => ledger::Operation::Delete,
        _ => ledger::Operation::Clear,
    }
}

/// The name of an operation, as the channel's methods have it.
pub(crate) fn name_of(operation: ledger::Operation) -> &'static str {
    match operation {
        ledger::Operation::Set => "set",
        ledger::Operation::Append => "append",
        ledger::Operation::Prepend => "prepend",
        ledger::Operation::Delete => "delete",
        ledger::Operation::Clear => "clear",
    }
}

/// Bytes that are about to be sent.
pub(crate) enum Outgoing {
    Own(Vec<u8>),
    Python(PyBackedBytes),
}

impl Outgoing {
    /// None for a value that is no bytes any more.
    pub(crate) fn of(value: &Value, py: Python<'_>) -> PyResult<Option<Self>> {
        Ok(match value {
            Value::None => Some(Self::Own(NONE_PICKLE.to_vec())),
            Value::Bytes(bytes) => Some(Self::Own(bytes.to_vec())),
            Value::Shared(bytes) => Some(Self::Python(bytes.extract(py)?)),
            Value::Loaded(_) => None,
        })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Python(bytes) => bytes,
        }
    }

    /// What must be held until the task that was told has ended.
    pub(crate) fn held(self) -> Option<PyBackedBytes> {
        match self {
            Self::Python(bytes) if bytes.first() == Some(&SHARED_MARK) => Some(bytes),
            _ => None,
        }
    }
}

/// What a record says of a failure: the pieces of output, the exception and its traceback as bytes.
#[pyfunction]
#[allow(clippy::type_complexity)]
pub(crate) fn read_failure<'py>(
    record: &Bound<'py, PyBytes>,
    load: &Bound<'py, PyAny>,
) -> PyResult<(Vec<(u8, Bound<'py, PyAny>)>, Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
    let py = record.py();
    let bad = || pyo3::exceptions::PyValueError::new_err("this is no record of a failure");
    let found = record::Record::read(record.as_bytes()).ok_or_else(bad)?;
    let (error, trace) = found.error.ok_or_else(bad)?;
    let piece = |(kind, content): &(u8, &[u8])| -> PyResult<(u8, Bound<'py, PyAny>)> {
        Ok(match std::str::from_utf8(content) {
            Ok(text) if *kind < crate::worker::packing::TEXT_KINDS => (*kind, PyString::new(py, text).into_any()),
            _ => (*kind, load.call1((PyBytes::new(py, content),))?),
        })
    };
    let pieces: PyResult<Vec<_>> = found.said.iter().map(piece).collect();
    Ok((pieces?, PyBytes::new(py, error), PyBytes::new(py, trace)))
}
