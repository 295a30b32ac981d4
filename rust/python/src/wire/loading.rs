//! Reading pickles as `plain.rs` writes them, objects aside: without them a value is made here, sooner than `pickle` would.
//!
//! Owns which pickles these are: others, those of Python's picklers among them, are told apart and left to `pickle`.
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::wire::scalars::Items;

/// How deep a value may be nested.
const DEEPEST: u32 = 64;

/// The value of a pickle; None if it is not one of these.
pub(crate) fn plain_value<'py>(py: Python<'py>, pickle: &[u8]) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(items) = Items::of(pickle) else {
        return Ok(None);
    };
    let mut reader = Reader { items, kept: Vec::new(), depth: 0 };
    let value = reader.next(py)?;
    Ok(value.filter(|_| reader.items.0 == b"."))
}

struct Reader<'a, 'py> {
    items: Items<'a>,
    /// What may come again.
    kept: Vec<Bound<'py, PyAny>>,
    depth: u32,
}

impl<'py> Reader<'_, 'py> {
    /// Takes the next value; None if something else stands there.
    fn next(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some((opcode, rest)) = self.items.0.split_first() else {
            return Ok(None);
        };
        if !matches!(*opcode, b']' | b'}' | b'(' | b'h' | b'j' | b'C' | 0x8e) {
            return self.items.next(py);
        }
        self.items.0 = rest;
        match *opcode {
            b'h' | b'j' => return Ok(self.again(*opcode == b'j')),
            b'C' => {
                let length = self.items.take().map(|[length]: [u8; 1]| length.into());
                return Ok(length.and_then(|length| self.items.bytes(py, length)));
            }
            0x8e => {
                let length = self.items.take().map(u64::from_le_bytes);
                return Ok(length.and_then(|length| self.items.bytes(py, length)));
            }
            _ => {}
        }
        if self.depth == DEEPEST {
            return Ok(None);
        }
        self.depth += 1;
        let value = match *opcode {
            b']' => self.list(py),
            b'}' => self.dictionary(py),
            _ => self.tuple(py),
        };
        self.depth -= 1;
        value
    }

    fn again(&mut self, is_long: bool) -> Option<Bound<'py, PyAny>> {
        let place = if is_long {
            u32::from_le_bytes(self.items.take()?)
        } else {
            let [place]: [u8; 1] = self.items.take()?;
            place.into()
        };
        self.kept.get(place as usize).cloned()
    }

    /// Whether this comes next, which is then taken.
    fn takes(&mut self, bytes: &[u8]) -> bool {
        match self.items.0.strip_prefix(bytes) {
            Some(rest) => {
                self.items.0 = rest;
                true
            }
            None => false,
        }
    }

    fn list(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let list = PyList::empty(py);
        if !self.takes(b"\x94(") {
            return Ok(None);
        }
        self.kept.push(list.clone().into_any());
        while !self.takes(b"e") {
            match self.next(py)? {
                Some(item) => list.append(item)?,
                None => return Ok(None),
            }
        }
        Ok(Some(list.into_any()))
    }

    fn dictionary(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let dictionary = PyDict::new(py);
        // That of arguments is not kept.
        if self.takes(b"\x94(") {
            self.kept.push(dictionary.clone().into_any());
        } else if !self.takes(b"(") {
            return Ok(None);
        }
        while !self.takes(b"u") {
            let (Some(key), Some(value)) = (self.next(py)?, self.next(py)?) else {
                return Ok(None);
            };
            dictionary.set_item(key, value)?;
        }
        Ok(Some(dictionary.into_any()))
    }

    fn tuple(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let mut items = Vec::new();
        while !self.takes(b"t\x94") {
            match self.next(py)? {
                Some(item) => items.push(item),
                None => return Ok(None),
            }
        }
        let tuple = PyTuple::new(py, items)?.into_any();
        self.kept.push(tuple.clone());
        Ok(Some(tuple))
    }
}
