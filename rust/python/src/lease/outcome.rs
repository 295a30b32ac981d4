//! How a worker says what became of each step of a lease.
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

use super::SHARED_MARK;
use crate::plain::NONE_PICKLE;

/// What became of one step of a lease.
pub struct Outcome<'py> {
    pub name: Bound<'py, PyString>,
    /// The result, None for None.
    pub result: Option<Bound<'py, PyBytes>>,
    parts: Bound<'py, PyAny>,
    pub started: f64,
    pub ended: f64,
    /// It says nothing but a result, and perhaps asks for one iteration.
    pub is_plain: bool,
}

impl<'py> Outcome<'py> {
    /// Reads (name, flags, result, parts, started, ended).
    pub fn read(outcome: &Bound<'py, PyAny>) -> PyResult<Outcome<'py>> {
        let outcome = outcome.cast::<PyTuple>()?;
        let (name, flags, result, parts, started, ended) = outcome.extract()?;
        let result: Bound<'py, PyBytes> = result;
        let parts: Bound<'py, PyAny> = parts;
        let flags: u32 = flags;
        let is_none = result.as_bytes() == NONE_PICKLE;
        let is_plain = flags & 1 == 0 && result.as_bytes().first() != Some(&SHARED_MARK) && says_little(&parts)?;
        Ok(Outcome { name, result: (!is_none).then_some(result), parts, started, ended, is_plain })
    }

    /// The iteration that a plain step asks for: (id, data as bytes).
    #[allow(clippy::type_complexity)]
    pub fn iteration(&self) -> PyResult<Option<(Bound<'py, PyString>, Option<Bound<'py, PyAny>>)>> {
        if !self.is_plain || self.parts.is_none() {
            return Ok(None);
        }
        let directives = self.parts.get_item(1)?;
        let (_, name, data): (Bound<'py, PyAny>, Bound<'py, PyString>, Option<Bound<'py, PyAny>>) =
            directives.get_item(0)?.extract()?;
        Ok(Some((name, data)))
    }
}

/// Whether a record's parts (log, directives, output, error) are none, or nothing but one iteration.
fn says_little(parts: &Bound<'_, PyAny>) -> PyResult<bool> {
    if parts.is_none() {
        return Ok(true);
    }
    let parts = parts.cast::<PyTuple>()?;
    let directives = parts.get_item(1)?;
    if !parts.get_item(0)?.is_none() || !parts.get_item(2)?.is_none() || directives.is_none() {
        return Ok(false);
    }
    let directives = directives.cast::<PyList>()?;
    if directives.len() != 1 {
        return Ok(false);
    }
    let directive = directives.get_item(0)?;
    Ok(directive.get_item(0)?.cast::<PyString>()?.to_str()? == "iterate")
}
