//! `_core.NodeIds`: the numbers of nodes by name.
//!
//! Owns nothing but numbers, which refer to the list of names by node: so a name costs a few bytes here, not an entry of a
//! dictionary and a Python integer. Must not know what a node is.
use hashbrown::HashTable;
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyList};

use crate::locked::{Held, Locked};

/// Nodes by name. The name of a node is in the list before its number is here, and changes only when it is not.
#[pyclass(frozen, mapping, module = "graflow_fast._core")]
pub struct NodeIds {
    ids: Locked<Ids>,
}

/// What `NodeIds` has, for who asks more than once.
pub(crate) struct Ids {
    names: Py<PyList>,
    nodes: HashTable<u32>,
}

impl NodeIds {
    /// The numbers, for one thread.
    #[inline]
    pub(crate) fn ids(&self) -> Held<'_, Ids> {
        self.ids.get()
    }

    /// The node of a name.
    pub(crate) fn node(&self, name: &Bound<'_, PyAny>) -> PyResult<Option<u32>> {
        self.ids().node(name)
    }
}

impl Ids {
    /// The node of a name.
    pub(crate) fn node(&self, name: &Bound<'_, PyAny>) -> PyResult<Option<u32>> {
        let names = self.names.bind(name.py());
        let found = self.nodes.find(hash_of(name)?, |node| is_named(names, *node, name));
        Ok(found.copied())
    }

    /// The node of a name that probably is this one: the user's tables mostly have the order of the nodes, and looking
    /// there touches no more memory than that.
    pub(crate) fn node_near(&self, name: &Bound<'_, PyAny>, guess: u32) -> PyResult<Option<u32>> {
        match self.names.bind(name.py()).get_item(guess as usize) {
            Ok(known) if known.is(name) => Ok(Some(guess)),
            _ => self.node(name),
        }
    }

    /// Makes room for so many more names.
    pub(crate) fn reserve(&mut self, py: Python<'_>, count: usize) {
        let names = self.names.bind(py);
        self.nodes.reserve(count, |node| hash_at(names, *node));
    }

    /// Lets a name stand for a node, which has that name in the list.
    pub(crate) fn set(&mut self, name: &Bound<'_, PyAny>, node: u32) -> PyResult<()> {
        let names = self.names.bind(name.py());
        let hash = hash_of(name)?;
        match self.nodes.find_mut(hash, |node| is_named(names, *node, name)) {
            Some(known) => *known = node,
            None => drop(self.nodes.insert_unique(hash, node, |node| hash_at(names, *node))),
        }
        Ok(())
    }
}

fn hash_of(name: &Bound<'_, PyAny>) -> PyResult<u64> {
    Ok(name.hash()? as u64)
}

fn hash_at(names: &Bound<'_, PyList>, node: u32) -> u64 {
    names.get_item(node as usize).and_then(|name| hash_of(&name)).unwrap_or_default()
}

fn is_named(names: &Bound<'_, PyList>, node: u32, name: &Bound<'_, PyAny>) -> bool {
    names.get_item(node as usize).is_ok_and(|known| known.is(name) || known.eq(name).unwrap_or_default())
}

#[pymethods]
impl NodeIds {
    #[new]
    fn new(names: Py<PyList>) -> Self {
        Self { ids: Locked::new(Ids { names, nodes: HashTable::new() }) }
    }

    fn __len__(&self) -> usize {
        self.ids().nodes.len()
    }

    fn __contains__(&self, name: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(self.node(name)?.is_some())
    }

    fn __getitem__(&self, name: Bound<'_, PyAny>) -> PyResult<u32> {
        self.node(&name)?.ok_or_else(|| PyKeyError::new_err((name.unbind(),)))
    }

    fn __setitem__(&self, name: &Bound<'_, PyAny>, node: u32) -> PyResult<()> {
        let mut ids = self.ids();
        if !is_named(ids.names.bind(name.py()), node, name) {
            return Err(PyValueError::new_err(format!("node {node} has another name than '{name}'")));
        }
        ids.set(name, node)
    }

    fn __delitem__(&self, name: Bound<'_, PyAny>) -> PyResult<()> {
        let ids = &mut *self.ids();
        let names = ids.names.bind(name.py());
        match ids.nodes.find_entry(hash_of(&name)?, |node| is_named(names, *node, &name)) {
            Ok(found) => drop(found.remove()),
            Err(_) => return Err(PyKeyError::new_err((name.unbind(),))),
        }
        Ok(())
    }

    /// The names, by node.
    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        let (mut nodes, names) = {
            let ids = self.ids();
            (ids.nodes.iter().copied().collect::<Vec<u32>>(), ids.names.bind(py).clone())
        };
        nodes.sort_unstable();
        let found: PyResult<Vec<_>> = nodes.into_iter().map(|node| names.get_item(node as usize)).collect();
        PyList::new(py, found?)?.try_iter()
    }

    #[pyo3(signature = (name, default = None))]
    fn get(&self, name: &Bound<'_, PyAny>, default: Option<u32>) -> PyResult<Option<u32>> {
        Ok(self.node(name)?.or(default))
    }
}
