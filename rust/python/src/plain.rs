//! How a plain task travels: its name, its definition's key, its view's key and its packed arguments, without a pickle.
//!
//! Owns that form, used on both sides, and how the commonest results are pickled. Must not know what a task means.
use std::ops::Range;

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString};

/// The first byte of a payload in this form; a pickle starts with 0x80.
pub(crate) const MARK: u8 = 0x02;

pub(crate) const HEAD: usize = 1 + 8 + 8 + 4;

/// `pickle.dumps(None, protocol=5)`.
pub(crate) const NONE_PICKLE: &[u8] = b"\x80\x05N.";

const PROTOCOL: &[u8] = b"\x80\x05";
const OPEN_DICTIONARY: &[u8] = b"}("; // EMPTY_DICT, MARK
const CLOSE_DICTIONARY: &[u8] = b"u."; // SETITEMS, STOP

/// How many items a dictionary may have to be pickled here.
const MOST_ITEMS: usize = 32;

/// A plain task as read from its payload.
pub(crate) struct PlainTask<'a> {
    pub key: u64,
    pub view: u64,
    pub name: &'a str,
    /// The pickled dictionary of bound arguments; empty for none.
    pub bound: &'a [u8],
}

impl<'a> PlainTask<'a> {
    /// The payload of a task.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEAD + self.name.len() + self.bound.len());
        out.push(MARK);
        out.extend_from_slice(&self.key.to_le_bytes());
        out.extend_from_slice(&self.view.to_le_bytes());
        out.extend_from_slice(&(self.name.len() as u32).to_le_bytes());
        out.extend_from_slice(self.name.as_bytes());
        out.extend_from_slice(self.bound);
        out
    }

    /// The task in a payload, if it has this form.
    pub(crate) fn read(payload: &'a [u8]) -> Option<Self> {
        if payload.first() != Some(&MARK) {
            return None;
        }
        let head = payload.get(..HEAD)?;
        let number = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().unwrap_or_default());
        let length = u32::from_le_bytes(head[17..21].try_into().unwrap_or_default()) as usize;
        let name = std::str::from_utf8(payload.get(HEAD..HEAD + length)?).ok()?;
        Some(Self { key: number(1), view: number(9), name, bound: &payload[HEAD + length..] })
    }

    /// Where the name is in a payload of this form.
    pub(crate) fn name_in(payload: &'a [u8]) -> Range<usize> {
        Self::read(payload).map_or(0..0, |task| HEAD..HEAD + task.name.len())
    }
}

/// A result as bytes that `pickle.loads` takes, in a buffer of its own.
#[derive(Default)]
pub(crate) struct ScalarPickle {
    bytes: Vec<u8>,
}

impl ScalarPickle {
    /// The pickle of None, or of a short plain scalar; `None` for all other values, which Python pickles.
    pub(crate) fn of(&mut self, value: &Bound<'_, PyAny>) -> PyResult<Option<&[u8]>> {
        if value.is_none() {
            return Ok(Some(NONE_PICKLE));
        }
        self.bytes.clear();
        self.bytes.extend_from_slice(PROTOCOL);
        if !self.push(value)? {
            return Ok(None);
        }
        self.bytes.push(b'.');
        Ok(Some(&self.bytes))
    }

    /// The pickle of a short dictionary of such values; `None` for all others.
    pub(crate) fn of_dictionary(&mut self, items: &Bound<'_, PyDict>) -> PyResult<Option<&[u8]>> {
        if items.len() > MOST_ITEMS {
            return Ok(None);
        }
        self.bytes.clear();
        self.bytes.extend_from_slice(PROTOCOL);
        self.bytes.extend_from_slice(OPEN_DICTIONARY);
        for (key, value) in items {
            if !self.push(&key)? || !self.push(&value)? {
                return Ok(None);
            }
        }
        self.bytes.extend_from_slice(CLOSE_DICTIONARY);
        Ok(Some(&self.bytes))
    }

    fn push(&mut self, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        if value.is_exact_instance_of::<PyString>() {
            let Ok(text) = value.cast::<PyString>()?.to_str() else {
                return Ok(false); // lone surrogates
            };
            let Ok(length) = u8::try_from(text.len()) else {
                return Ok(false);
            };
            self.bytes.extend_from_slice(&[0x8c, length]); // SHORT_BINUNICODE
            self.bytes.extend_from_slice(text.as_bytes());
        } else if value.is_none() {
            self.bytes.push(b'N');
        } else if value.is_exact_instance_of::<PyBool>() {
            self.bytes.push(if value.is_truthy()? { 0x88 } else { 0x89 });
        } else if value.is_exact_instance_of::<PyInt>() {
            let Ok(number) = value.extract::<i32>() else {
                return Ok(false);
            };
            self.bytes.push(b'J'); // BININT
            self.bytes.extend_from_slice(&number.to_le_bytes());
        } else if value.is_exact_instance_of::<PyFloat>() {
            self.bytes.push(b'G'); // BINFLOAT
            self.bytes.extend_from_slice(&value.extract::<f64>()?.to_be_bytes());
        } else {
            return Ok(false);
        }
        Ok(true)
    }
}

/// The value of a pickle as [`ScalarPickle`] writes it; None for all others.
pub(crate) fn scalar_value<'py>(py: Python<'py>, pickle: &[u8]) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(mut body) = pickle.strip_prefix(PROTOCOL).and_then(|rest| rest.strip_suffix(b".")) else {
        return Ok(None);
    };
    let value = take_scalar(py, &mut body)?;
    Ok(value.filter(|_| body.is_empty()))
}

/// The dictionary of a pickle as [`ScalarPickle::of_dictionary`] writes it; None for all others.
pub(crate) fn scalar_dictionary<'py>(py: Python<'py>, pickle: &[u8]) -> PyResult<Option<Bound<'py, PyDict>>> {
    let items = pickle.strip_prefix(PROTOCOL).and_then(|rest| rest.strip_prefix(OPEN_DICTIONARY));
    let Some(mut items) = items.and_then(|rest| rest.strip_suffix(CLOSE_DICTIONARY)) else {
        return Ok(None);
    };
    let made = PyDict::new(py);
    while !items.is_empty() {
        let (Some(key), Some(value)) = (take_scalar(py, &mut items)?, take_scalar(py, &mut items)?) else {
            return Ok(None);
        };
        made.set_item(key, value)?;
    }
    Ok(Some(made))
}

/// Takes the first scalar from the inside of a pickle; None, and nothing certain taken, when there is something else.
fn take_scalar<'py>(py: Python<'py>, body: &mut &[u8]) -> PyResult<Option<Bound<'py, PyAny>>> {
    let (value, rest) = match body {
        [b'N', rest @ ..] => (py.None().into_bound(py), rest),
        [0x88, rest @ ..] => (PyBool::new(py, true).to_owned().into_any(), rest),
        [0x89, rest @ ..] => (PyBool::new(py, false).to_owned().into_any(), rest),
        [b'J', a, b, c, d, rest @ ..] => (i32::from_le_bytes([*a, *b, *c, *d]).into_pyobject(py)?.into_any(), rest),
        [b'G', rest @ ..] if rest.len() >= 8 => {
            let (digits, rest) = rest.split_at(8);
            let digits = <[u8; 8]>::try_from(digits).unwrap_or_default();
            (PyFloat::new(py, f64::from_be_bytes(digits)).into_any(), rest)
        }
        [0x8c, length, rest @ ..] if rest.len() >= usize::from(*length) => {
            let (text, rest) = rest.split_at(usize::from(*length));
            let Ok(text) = std::str::from_utf8(text) else {
                return Ok(None);
            };
            (PyString::new(py, text).into_any(), rest)
        }
        _ => return Ok(None),
    };
    *body = rest;
    Ok(Some(value))
}
