//! `_core.Versions`: the channel as it was when a concurrent task started, while others commit to it.
//!
//! Owns old values, and how a list that has only grown since is remembered. The rule is `graflow_ledger::Versions`'.
use graflow_ledger as ledger;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};

use crate::locked::{Held, Locked};
use crate::tables::values::{Values, ValuesMethods};

/// A key, by its text if it is one.
struct VersionKey(Py<PyAny>);

impl PartialEq for VersionKey {
    fn eq(&self, other: &Self) -> bool {
        Python::attach(|py| self.0.is(&other.0) || self.0.bind(py).eq(other.0.bind(py)).unwrap_or(false))
    }
}

impl PartialEq<Bound<'_, PyAny>> for VersionKey {
    fn eq(&self, other: &Bound<'_, PyAny>) -> bool {
        self.0.is(other) || self.0.bind(other.py()).eq(other).unwrap_or(false)
    }
}

/// What was under a key.
enum Before {
    Value(Py<PyAny>),
    /// The first items of a list that has only been appended to since.
    Prefix(Py<PyList>, usize),
}

/// The versions of one channel.
#[pyclass(frozen, module = "graflow_fast._core")]
pub struct Versions {
    channel: Py<PyAny>,
    /// The channel's values when it is nothing but these.
    data: Option<Py<Values>>,
    versions: Locked<ledger::Versions<VersionKey, Before>>,
}

impl Versions {
    fn versions(&self) -> Held<'_, ledger::Versions<VersionKey, Before>> {
        self.versions.get()
    }

    /// What the channel has now, bytes left alone.
    fn raw<'py>(&self, key: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = key.py();
        let channel = self.channel.bind(py);
        if !channel.call_method1(intern!(py, "exists"), (key,))?.is_truthy()? {
            return Ok(None);
        }
        match &self.data {
            Some(data) => data.bind(py).value(key),
            None => channel.call_method1(intern!(py, "get"), (key,)).map(Some),
        }
    }

    fn restored<'py>(py: Python<'py>, before: Option<&Before>) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(match before {
            None => None,
            Some(Before::Value(value)) => Some(value.bind(py).clone()),
            Some(Before::Prefix(list, length)) => Some(list.bind(py).get_slice(0, *length).into_any()),
        })
    }
}

#[pymethods]
impl Versions {
    #[new]
    fn new(channel: Py<PyAny>, data: Option<Py<Values>>) -> Self {
        Self { channel, data, versions: Locked::default() }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.channel)?;
        visit.call(&self.data)
    }

    /// Somebody begins to look at the channel as it is now; the version that they hold until `release`.
    pub(crate) fn hold(&self) -> u64 {
        self.versions().hold()
    }

    /// One more looks at a version that is held.
    fn hold_again(&self, version: u64) {
        self.versions().hold_again(version);
    }

    /// They look no longer.
    pub(crate) fn release(&self, version: u64) {
        self.versions().release(version);
    }

    /// A write (by its operation's name) is about to be done on a key.
    pub(crate) fn note(&self, operation: &str, key: &Bound<'_, PyAny>) -> PyResult<()> {
        if !self.versions().is_held() {
            return Ok(());
        }
        let py = key.py();
        if operation == "clear" {
            let keys: Vec<Bound<'_, PyAny>> = self.channel.bind(py).call_method0(intern!(py, "keys"))?.extract()?;
            return keys.iter().try_for_each(|key| self.note("delete", key));
        }
        let before = self.raw(key)?.map(|value| match value.cast_exact::<PyList>() {
            Ok(list) if operation == "append" => Before::Prefix(list.clone().unbind(), list.len()),
            Ok(list) => Before::Value(list.get_slice(0, list.len()).into_any().unbind()),
            Err(_) => Before::Value(value.unbind()),
        });
        self.versions().change(VersionKey(key.clone().unbind()), before);
        Ok(())
    }

    /// What was under a key at a version, bytes left alone; `missing` if nothing was.
    fn look<'py>(
        &self,
        version: u64,
        key: Bound<'py, PyAny>,
        missing: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = key.py();
        let changed = {
            let versions = self.versions();
            versions.before(version, &key).map(|before| Self::restored(py, before)).transpose()?
        };
        let found = match changed {
            Some(before) => before,
            None => self.raw(&key)?,
        };
        Ok(found.unwrap_or(missing))
    }

    /// The keys that there were at a version, older ones first.
    fn keys<'py>(&self, py: Python<'py>, version: u64) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let now: Vec<Bound<'_, PyAny>> = self.channel.bind(py).call_method0(intern!(py, "keys"))?.extract()?;
        let versions = self.versions();
        let since: Vec<(Bound<'_, PyAny>, bool)> = versions
            .since(version)
            .into_iter()
            .map(|(key, before)| (key.0.bind(py).clone(), before.is_some()))
            .collect();
        drop(versions);
        let was_there = |key: &Bound<'_, PyAny>| {
            since.iter().find(|(changed, _)| changed.eq(key).unwrap_or(false)).is_none_or(|(_, was)| *was)
        };
        let mut found: Vec<Bound<'_, PyAny>> = now.iter().filter(|key| was_there(key)).cloned().collect();
        for (key, was) in &since {
            if *was && !now.iter().any(|present| present.eq(key).unwrap_or(false)) {
                found.push(key.clone());
            }
        }
        Ok(found)
    }

    fn __repr__<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        PyString::new(py, "Versions()")
    }
}
