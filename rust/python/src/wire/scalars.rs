//! Pickles of plain scalars (None, numbers, short texts and bytes) and of small lists, tuples and dictionaries of them,
//! without going through Python.
//!
//! Owns which values these are, and how they are read; the opcodes are `pickle.rs`'s. All others are Python's to pickle.
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::wire::pickle::Writer;

/// `pickle.dumps(None, protocol=5)`.
pub(crate) const NONE_PICKLE: &[u8] = b"\x80\x05N.";

/// How many values there may be in a container and those in it, how many containers, and how deep they may be nested.
const MOST_VALUES: usize = 256;
const MOST_CONTAINERS: usize = 32;
const DEEPEST: usize = 8;
/// How many bytes a text may have.
const LONGEST: usize = 4096;

/// A value as bytes that `pickle.loads` takes, in a buffer of its own.
#[derive(Default)]
pub(crate) struct ScalarPickle {
    out: Writer,
    /// The containers that were met, by address: one that is met twice must stay one.
    met: Vec<usize>,
    /// How many values may still come.
    left: usize,
}

impl ScalarPickle {
    /// The pickle of None, or of a short plain scalar; `None` for all other values, which Python pickles.
    pub(crate) fn of(&mut self, value: &Bound<'_, PyAny>) -> PyResult<Option<&[u8]>> {
        if value.is_none() {
            return Ok(Some(NONE_PICKLE));
        }
        self.out.restart();
        if !self.push(value)? {
            return Ok(None);
        }
        Ok(Some(self.out.end()))
    }

    /// The pickle of such a scalar, or of a small container of them; `None` for all others.
    pub(crate) fn of_plain(&mut self, value: &Bound<'_, PyAny>) -> PyResult<Option<&[u8]>> {
        if value.is_none() {
            return Ok(Some(NONE_PICKLE));
        }
        self.out.restart();
        self.met.clear();
        self.left = MOST_VALUES;
        if !self.push_plain(value, DEEPEST)? {
            return Ok(None);
        }
        Ok(Some(self.out.end()))
    }

    fn push_plain(&mut self, value: &Bound<'_, PyAny>, depth: usize) -> PyResult<bool> {
        if self.push(value)? {
            return Ok(true);
        }
        let is_container = value.is_exact_instance_of::<PyList>()
            || value.is_exact_instance_of::<PyDict>()
            || value.is_exact_instance_of::<PyTuple>();
        if !is_container || depth == 0 || !self.admits(value)? {
            return Ok(false);
        }
        if let Ok(list) = value.cast_exact::<PyList>() {
            self.out.open_list();
            for item in list {
                if !self.push_plain(&item, depth - 1)? {
                    return Ok(false);
                }
            }
            self.out.close_list();
        } else if let Ok(tuple) = value.cast_exact::<PyTuple>() {
            self.out.open_tuple();
            for item in tuple {
                if !self.push_plain(&item, depth - 1)? {
                    return Ok(false);
                }
            }
            self.out.close_tuple();
        } else if let Ok(items) = value.cast_exact::<PyDict>() {
            self.out.open_dict();
            for (key, value) in items {
                if !self.push(&key)? || !self.push_plain(&value, depth - 1)? {
                    return Ok(false);
                }
            }
            self.out.close_dict();
        }
        Ok(true)
    }

    /// Notes a container; false if there would be too much, or it was met before.
    fn admits(&mut self, container: &Bound<'_, PyAny>) -> PyResult<bool> {
        let (address, size) = (container.as_ptr() as usize, container.len()?);
        if size > self.left || self.met.len() == MOST_CONTAINERS || self.met.contains(&address) {
            return Ok(false);
        }
        self.left -= size;
        self.met.push(address);
        Ok(true)
    }

    fn push(&mut self, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        if value.is_exact_instance_of::<PyString>() {
            let Ok(text) = value.cast::<PyString>()?.to_str() else {
                return Ok(false); // lone surrogates
            };
            if text.len() > LONGEST {
                return Ok(false);
            }
            self.out.text(text);
        } else if value.is_none() {
            self.out.none();
        } else if value.is_exact_instance_of::<PyBool>() {
            self.out.truth(value.is_truthy()?);
        } else if value.is_exact_instance_of::<PyInt>() {
            let Ok(number) = value.extract::<i64>() else {
                return Ok(false);
            };
            self.out.number(number);
        } else if value.is_exact_instance_of::<PyFloat>() {
            self.out.float(value.extract::<f64>()?);
        } else if let Ok(bytes) = value.cast_exact::<PyBytes>() {
            if bytes.as_bytes().len() > LONGEST {
                return Ok(false);
            }
            self.out.bytes(bytes.as_bytes());
        } else {
            return Ok(false);
        }
        Ok(true)
    }
}

/// The value of a pickle as [`ScalarPickle::of`] writes it; None for all others.
pub(crate) fn scalar_value<'py>(py: Python<'py>, pickle: &[u8]) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(mut items) = Items::of(pickle) else {
        return Ok(None);
    };
    let value = items.next(py)?;
    Ok(value.filter(|_| items.0 == b"."))
}

/// The dictionary of a pickle as [`ScalarPickle::of_plain`] writes it; None for all others.
pub(crate) fn plain_dictionary<'py>(py: Python<'py>, pickle: &[u8]) -> PyResult<Option<Bound<'py, PyDict>>> {
    let Some(mut items) = Items::of(pickle).filter(|items| items.0.first() == Some(&b'}')) else {
        return Ok(None);
    };
    let value = items.next_plain(py, DEEPEST)?.filter(|_| items.0 == b".");
    Ok(value.and_then(|value| value.cast_into().ok()))
}

/// What is left to read of a pickle.
struct Items<'a>(&'a [u8]);

impl<'a> Items<'a> {
    fn of(pickle: &'a [u8]) -> Option<Self> {
        pickle.strip_prefix(b"\x80\x05").map(Self)
    }

    /// Takes the next scalar; None if something else stands there.
    fn next<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
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
            b'C' => self.take().and_then(|[length]: [u8; 1]| self.bytes(py, length.into())),
            0x8e => self.take().and_then(|bytes| self.bytes(py, u64::from_le_bytes(bytes))),
            0x8d => self.take().and_then(|bytes| self.text(py, u64::from_le_bytes(bytes))),
            _ => None,
        })
    }

    /// Takes the next scalar or container; None if something else stands there.
    fn next_plain<'py>(&mut self, py: Python<'py>, depth: usize) -> PyResult<Option<Bound<'py, PyAny>>> {
        let opcode = self.0.first().copied();
        if depth == 0 || !matches!(opcode, Some(b']' | b'}' | b'(')) {
            return self.next(py);
        }
        if opcode != Some(b'(') {
            self.0 = &self.0[1..];
        }
        let Some(rest) = self.0.strip_prefix(b"(") else {
            return Ok(None);
        };
        self.0 = rest;
        let end = match opcode {
            Some(b']') => b'e',
            Some(b'}') => b'u',
            _ => b't',
        };
        let mut found = Vec::new();
        while self.0.first() != Some(&end) {
            let Some(value) = self.next_plain(py, depth - 1)? else {
                return Ok(None);
            };
            found.push(value);
        }
        self.0 = &self.0[1..];
        Ok(match end {
            b'e' => Some(PyList::new(py, found)?.into_any()),
            b't' => Some(PyTuple::new(py, found)?.into_any()),
            _ => {
                let items = PyDict::new(py);
                let mut found = found.into_iter();
                while let (Some(key), Some(value)) = (found.next(), found.next()) {
                    items.set_item(key, value)?;
                }
                Some(items.into_any())
            }
        })
    }

    fn take<const COUNT: usize>(&mut self) -> Option<[u8; COUNT]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn bytes<'py>(&mut self, py: Python<'py>, length: u64) -> Option<Bound<'py, PyAny>> {
        let (bytes, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(PyBytes::new(py, bytes).into_any())
    }

    fn text<'py>(&mut self, py: Python<'py>, length: u64) -> Option<Bound<'py, PyAny>> {
        let (text, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        std::str::from_utf8(text).ok().map(|text| PyString::new(py, text).into_any())
    }
}
