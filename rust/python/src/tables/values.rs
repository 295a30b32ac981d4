//! `_core.Values`: what a channel holds, by key, in the order in which keys were first stored.
//!
//! Behaves as a dictionary. A task's result lies under `<task>.__result__`, and of these there may be millions: such a key
//! is kept as the task's name, which others hold as well, and its text is made when somebody asks for it.
//! Owns that form. Must not know tasks, expiry or what values mean.
use hashbrown::HashTable;
use pyo3::exceptions::PyKeyError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyList, PyString, PyTuple};
use rustc_hash::FxHasher;
use std::hash::Hasher;

use crate::locked::Locked;
use crate::tables::columns::{Bits, Blocks};

const SUFFIX: &str = ".__result__";

/// The key under which a task's result lies.
pub(crate) fn result_key<'py>(name: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyString>> {
    let text = name.to_str()?;
    let mut key = String::with_capacity(text.len() + SUFFIX.len());
    key.push_str(text);
    key.push_str(SUFFIX);
    Ok(PyString::new(name.py(), &key))
}

struct Entry {
    /// The key, or the name of the task whose result this is.
    key: Py<PyAny>,
    value: Py<PyAny>,
}

/// Values by key.
#[pyclass(frozen, mapping, module = "graflow_fast._core")]
#[derive(Default)]
pub struct Values {
    table: Locked<Table>,
}

#[derive(Default)]
struct Table {
    /// By position; None where a key was deleted.
    entries: Blocks<Option<Entry>>,
    /// The positions of results: their keys are tasks' names.
    results: Bits,
    /// Positions by the hash of a key's text.
    index: HashTable<u32>,
    /// Positions of keys that are no text, or none that UTF-8 knows.
    others: Option<Py<PyDict>>,
    count: usize,
}

/// A key as it is looked for.
enum Key<'a> {
    /// A text without the suffix, and whether it had it.
    Text {
        text: &'a str,
        result: bool,
        object: *mut pyo3::ffi::PyObject,
    },
    Other(&'a Bound<'a, PyAny>),
}

impl<'a> Key<'a> {
    fn of(key: &'a Bound<'_, PyAny>) -> Self {
        match key.cast::<PyString>().map(|text| text.to_str()) {
            Ok(Ok(text)) => match text.strip_suffix(SUFFIX) {
                Some(name) => Self::Text { text: name, result: true, object: std::ptr::null_mut() },
                None => Self::Text { text, result: false, object: key.as_ptr() },
            },
            _ => Self::Other(key),
        }
    }
}

fn hash_of(text: &str, result: bool) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(text.as_bytes());
    hasher.write_u8(u8::from(result));
    hasher.finish()
}

impl Table {
    fn entry(&self, position: usize) -> Option<&Entry> {
        self.entries.get(position)?.as_ref()
    }

    /// Where a key is.
    fn find(&self, py: Python<'_>, key: &Key<'_>) -> PyResult<Option<usize>> {
        match *key {
            Key::Text { text, result, object } => {
                let found = self.index.find(hash_of(text, result), |position| {
                    let position = *position as usize;
                    self.results.contains(position) == result
                        && self.entry(position).is_some_and(|entry| {
                            entry.key.as_ptr() == object || text_of(py, &entry.key).is_some_and(|known| known == text)
                        })
                });
                Ok(found.map(|position| *position as usize))
            }
            Key::Other(key) => match &self.others {
                None => Ok(None),
                Some(others) => others.bind(py).get_item(key)?.map(|position| position.extract()).transpose(),
            },
        }
    }

    /// Puts a value under a key; gives the one that was there, which the caller drops when this is borrowed no longer.
    fn put(
        &mut self,
        py: Python<'_>,
        key: &Key<'_>,
        stored: impl FnOnce() -> Py<PyAny>,
        value: Py<PyAny>,
    ) -> PyResult<Option<Py<PyAny>>> {
        if let Some(position) = self.find(py, key)? {
            let entry = self.entries.get_mut(position).and_then(Option::as_mut);
            return Ok(entry.map(|entry| std::mem::replace(&mut entry.value, value)));
        }
        let position = self.entries.len();
        let is_result = matches!(key, Key::Text { result: true, .. });
        match *key {
            Key::Text { text, result, .. } => {
                let (entries, results) = (&self.entries, &self.results);
                self.index.insert_unique(hash_of(text, result), position as u32, |position| {
                    hash_at(py, entries, results, *position as usize)
                });
            }
            Key::Other(key) => {
                let others = self.others.get_or_insert_with(|| PyDict::new(py).unbind());
                others.bind(py).set_item(key, position)?;
            }
        }
        self.entries.push(Some(Entry { key: stored(), value }));
        if is_result {
            self.results.insert(position);
        }
        self.count += 1;
        Ok(None)
    }

    fn remove(&mut self, py: Python<'_>, key: &Key<'_>) -> PyResult<Option<Py<PyAny>>> {
        let Some(position) = self.find(py, key)? else {
            return Ok(None);
        };
        match key {
            Key::Text { text, result, .. } => {
                let found = self.index.find_entry(hash_of(text, *result), |known| *known as usize == position);
                if let Ok(found) = found {
                    found.remove();
                }
            }
            Key::Other(key) => {
                if let Some(others) = &self.others {
                    others.bind(py).del_item(key)?;
                }
            }
        }
        let removed = self.entries.get_mut(position).and_then(Option::take);
        self.count -= 1;
        if self.entries.len() > 32 && self.count < self.entries.len() / 2 {
            self.close_gaps(py)?;
        }
        Ok(removed.map(|entry| entry.value))
    }

    fn close_gaps(&mut self, py: Python<'_>) -> PyResult<()> {
        let results = std::mem::take(&mut self.results);
        let entries = std::mem::take(&mut self.entries);
        self.index.clear();
        for (before, entry) in entries.into_iter().enumerate() {
            let result = results.contains(before);
            let Some(entry) = entry else {
                continue;
            };
            let position = self.entries.len();
            match text_of(py, &entry.key) {
                Some(text) => {
                    let (entries, results) = (&self.entries, &self.results);
                    self.index.insert_unique(hash_of(text, result), position as u32, |position| {
                        hash_at(py, entries, results, *position as usize)
                    });
                }
                None => {
                    if let Some(others) = &self.others {
                        others.bind(py).set_item(&entry.key, position)?;
                    }
                }
            }
            self.entries.push(Some(entry));
            if result {
                self.results.insert(position);
            }
        }
        self.index.shrink_to(0, |position| hash_at(py, &self.entries, &self.results, *position as usize));
        Ok(())
    }

    fn key_at<'py>(&self, py: Python<'py>, position: usize) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(entry) = self.entry(position) else {
            return Ok(None);
        };
        let key = entry.key.bind(py);
        if self.results.contains(position) {
            return Ok(Some(result_key(key.cast::<PyString>()?)?.into_any()));
        }
        Ok(Some(key.clone()))
    }
}

fn text_of<'a>(py: Python<'a>, key: &'a Py<PyAny>) -> Option<&'a str> {
    key.bind(py).cast::<PyString>().ok()?.to_str().ok()
}

fn hash_at(py: Python<'_>, entries: &Blocks<Option<Entry>>, results: &Bits, position: usize) -> u64 {
    let entry = entries.get(position).and_then(Option::as_ref);
    let text = entry.and_then(|entry| text_of(py, &entry.key));
    hash_of(text.unwrap_or_default(), results.contains(position))
}

/// What Rust uses. Whatever is replaced is dropped when nothing is borrowed: that may run code of the user.
pub(crate) trait ValuesMethods<'py> {
    fn value(&self, key: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>>;
    fn holds(&self, key: &Bound<'py, PyAny>) -> PyResult<bool>;
    fn store(&self, key: &Bound<'py, PyAny>, value: Bound<'py, PyAny>) -> PyResult<()>;
    fn store_result(&self, name: &Bound<'py, PyString>, value: Bound<'py, PyAny>) -> PyResult<()>;
}

impl<'py> ValuesMethods<'py> for Bound<'py, Values> {
    fn value(&self, key: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let table = self.get().table.ask()?;
        let found = table.find(self.py(), &Key::of(key))?;
        Ok(found.and_then(|position| table.entry(position)).map(|entry| entry.value.bind(self.py()).clone()))
    }

    fn holds(&self, key: &Bound<'py, PyAny>) -> PyResult<bool> {
        Ok(self.get().table.ask()?.find(self.py(), &Key::of(key))?.is_some())
    }

    fn store(&self, key: &Bound<'py, PyAny>, value: Bound<'py, PyAny>) -> PyResult<()> {
        let found = Key::of(key);
        let stored = || match &found {
            Key::Text { text, result: true, .. } => PyString::new(key.py(), text).into_any().unbind(),
            _ => key.clone().unbind(),
        };
        let replaced = self.get().table.ask()?.put(self.py(), &found, stored, value.unbind())?;
        drop(replaced);
        Ok(())
    }

    fn store_result(&self, name: &Bound<'py, PyString>, value: Bound<'py, PyAny>) -> PyResult<()> {
        let Ok(text) = name.to_str() else {
            return self.store(&name.add(SUFFIX)?, value);
        };
        let key = Key::Text { text, result: true, object: name.as_ptr() };
        let stored = || name.clone().into_any().unbind();
        let replaced = self.get().table.ask()?.put(self.py(), &key, stored, value.unbind())?;
        drop(replaced);
        Ok(())
    }
}

#[pymethods]
impl Values {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(table) = self.table.get_free() else {
            return Ok(()); // so all of it stays
        };
        for entry in table.entries.iter().flatten() {
            visit.call(&entry.value)?;
        }
        visit.call(&table.others)
    }

    fn __clear__(&self) {
        let removed = self.table.get_free().map(|mut table| std::mem::take(&mut *table));
        drop(removed);
    }

    fn __len__(&self) -> PyResult<usize> {
        Ok(self.table.ask()?.count)
    }

    fn __contains__<'py>(slf: &Bound<'py, Self>, key: &Bound<'py, PyAny>) -> PyResult<bool> {
        slf.holds(key)
    }

    fn __getitem__<'py>(slf: &Bound<'py, Self>, key: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        slf.value(&key)?.ok_or_else(|| PyKeyError::new_err((key.unbind(),)))
    }

    fn __setitem__<'py>(slf: &Bound<'py, Self>, key: &Bound<'py, PyAny>, value: Bound<'py, PyAny>) -> PyResult<()> {
        slf.store(key, value)
    }

    fn __delitem__<'py>(slf: &Bound<'py, Self>, key: Bound<'py, PyAny>) -> PyResult<()> {
        let removed = slf.get().table.ask()?.remove(slf.py(), &Key::of(&key))?;
        removed.map(drop).ok_or_else(|| PyKeyError::new_err((key.unbind(),)))
    }

    fn __iter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyIterator>> {
        Self::keys(slf)?.try_iter()
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let items = PyDict::new(slf.py());
        for item in Self::items(slf)? {
            let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
            items.set_item(key, value)?;
        }
        Ok(format!("Values({})", items.repr()?))
    }

    /// A pickle has the keys as texts, as that of a dictionary would.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let py = slf.py();
        let items = Self::items(slf)?.try_iter()?;
        (py.get_type::<Self>(), PyTuple::empty(py), py.None(), py.None(), items).into_pyobject(py)
    }

    #[pyo3(signature = (key, default = None))]
    fn get<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(slf.value(key)?.or(default))
    }

    fn pop<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        default: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let removed = slf.get().table.ask()?.remove(slf.py(), &Key::of(key))?;
        Ok(removed.map_or(default, |value| value.into_bound(slf.py())))
    }

    fn setdefault<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        default: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Some(value) = slf.value(key)? {
            return Ok(value);
        }
        slf.store(key, default.clone())?;
        Ok(default)
    }

    fn clear(&self) -> PyResult<()> {
        let removed = std::mem::take(&mut *self.table.ask()?);
        drop(removed);
        Ok(())
    }

    // What may start the collector, and so any code of the user's, is made when the table is free again.
    fn keys<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        let py = slf.py();
        let found: Vec<_> = {
            let table = slf.get().table.ask()?;
            (0..table.entries.len())
                .filter_map(|position| table.key_at(py, position).transpose())
                .collect::<PyResult<_>>()?
        };
        PyList::new(py, found)
    }

    fn items<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        let py = slf.py();
        let found: Vec<_> = {
            let table = slf.get().table.ask()?;
            let entries = table.entries.iter().enumerate();
            let entries = entries.filter_map(|(position, entry)| entry.as_ref().map(|entry| (position, entry)));
            let pairs = entries.filter_map(|(position, entry)| match table.key_at(py, position) {
                Ok(key) => key.map(|key| Ok((key, entry.value.clone_ref(py)))),
                Err(error) => Some(Err(error)),
            });
            pairs.collect::<PyResult<_>>()?
        };
        PyList::new(py, found)
    }

    /// Stores a task's result, under `<name>.__result__`.
    fn set_result<'py>(slf: &Bound<'py, Self>, name: &Bound<'py, PyString>, value: Bound<'py, PyAny>) -> PyResult<()> {
        slf.store_result(name, value)
    }
}
