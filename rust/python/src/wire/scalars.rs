//! Pickles of plain scalars: None, numbers, short texts.
//!
//! Owns which values these are, and how they are read; the opcodes are `pickle.rs`'s. All others are Python's to pickle.
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyFloat, PyInt, PyString};

use crate::wire::pickle::Writer;

/// `pickle.dumps(None, protocol=5)`.
pub(crate) const NONE_PICKLE: &[u8] = b"\x80\x05N.";

/// How many bytes a text may have.
const LONGEST: usize = 4096;

/// A value as bytes that `pickle.loads` takes, in a buffer of its own.
#[derive(Default)]
pub(crate) struct ScalarPickle {
    out: Writer,
}

impl ScalarPickle {
    /// The pickle of None, or of a short plain scalar; `None` for all other values, which Python pickles.
    pub(crate) fn of(&mut self, value: &Bound<'_, PyAny>) -> PyResult<Option<&[u8]>> {
        if value.is_none() {
            return Ok(Some(NONE_PICKLE));
        }
        self.out.restart();
        if !push_scalar(&mut self.out, value)? {
            return Ok(None);
        }
        Ok(Some(self.out.end()))
    }
}

/// Writes a short plain scalar; false for all other values, and then nothing was written.
pub(crate) fn push_scalar(out: &mut Writer, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    if value.is_exact_instance_of::<PyString>() {
        let Ok(text) = value.cast::<PyString>()?.to_str() else {
            return Ok(false); // lone surrogates
        };
        if text.len() > LONGEST {
            return Ok(false);
        }
        out.text(text);
    } else if value.is_none() {
        out.none();
    } else if value.is_exact_instance_of::<PyBool>() {
        out.truth(value.is_truthy()?);
    } else if value.is_exact_instance_of::<PyInt>() {
        let Ok(number) = value.extract::<i64>() else {
            return Ok(false);
        };
        out.number(number);
    } else if value.is_exact_instance_of::<PyFloat>() {
        out.float(value.extract::<f64>()?);
    } else {
        return Ok(false);
    }
    Ok(true)
}

/// The value of a pickle as [`ScalarPickle::of`] writes it; None for all others.
pub(crate) fn scalar_value<'py>(py: Python<'py>, pickle: &[u8]) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(mut items) = Items::of(pickle) else {
        return Ok(None);
    };
    let value = items.next(py)?;
    Ok(value.filter(|_| items.0 == b"."))
}

/// What is left to read of a pickle.
pub(crate) struct Items<'a>(pub &'a [u8]);

impl<'a> Items<'a> {
    pub(crate) fn of(pickle: &'a [u8]) -> Option<Self> {
        pickle.strip_prefix(b"\x80\x05").map(Self)
    }

    /// Takes the next scalar; None if something else stands there.
    pub(crate) fn next<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some((opcode, rest)) = self.0.split_first() else {
            return Ok(None);
        };
        self.0 = rest;
        Ok(match *opcode {
            b'N' => Some(py.None().into_bound(py)),
            0x88 => Some(PyBool::new(py, true).to_owned().into_any()),
            0x89 => Some(PyBool::new(py, false).to_owned().into_any()),
            b'K' => self.take().map(|[small]: [u8; 1]| PyInt::new(py, small).into_any()),
            b'J' => self.take().map(|bytes| PyInt::new(py, i32::from_le_bytes(bytes)).into_any()),
            0x8a => match self.take() {
                Some([8]) => self.take().map(|bytes| PyInt::new(py, i64::from_le_bytes(bytes)).into_any()),
                _ => None,
            },
            b'G' => self.take().map(|bytes| PyFloat::new(py, f64::from_be_bytes(bytes)).into_any()),
            0x8c => self.take().and_then(|[length]: [u8; 1]| self.text(py, length.into())),
            0x8d => self.take().and_then(|bytes| self.text(py, u64::from_le_bytes(bytes))),
            _ => None,
        })
    }

    pub(crate) fn take<const COUNT: usize>(&mut self) -> Option<[u8; COUNT]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn text<'py>(&mut self, py: Python<'py>, length: u64) -> Option<Bound<'py, PyAny>> {
        let (text, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        std::str::from_utf8(text).ok().map(|text| PyString::new(py, text).into_any())
    }

    pub(crate) fn bytes<'py>(&mut self, py: Python<'py>, length: u64) -> Option<Bound<'py, PyAny>> {
        let (bytes, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(PyBytes::new(py, bytes).into_any())
    }
}
