//! The vertices of a user's graph: names, numbers, and tasks where there are any.
//!
//! Owns who has which name and number. A plain task that stands under its own name costs a pointer and a number, since the
//! task has the name. Numbers grow in the order of the nodes. Must not know edges, and calls nothing that could run
//! Python code: names are plain texts (see `plain_name`).
use hashbrown::HashTable;
use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;
use rustc_hash::FxHashMap;

use crate::tables::columns::Blocks;
use crate::tables::slots::TaskSlots;

/// A name as it is kept: exactly a `str`, whose hash and equality run no code of a user.
pub(crate) fn plain_name<'py>(name: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    if let Ok(exact) = name.cast_exact::<PyString>() {
        return Ok(exact.clone());
    }
    if !name.is_instance_of::<PyString>() {
        let kind = name.get_type().name()?;
        return Err(PyTypeError::new_err(format!("a node's name must be a str, not {kind}: {}", name.repr()?)));
    }
    // SAFETY: the name is alive and a `str`; the function gives a new reference, or null with an exception set.
    unsafe {
        let exact = Bound::from_owned_ptr_or_err(name.py(), ffi::PyUnicode_FromObject(name.as_ptr()))?;
        Ok(exact.cast_into_unchecked())
    }
}

/// A vertex has a task (then it is a node), or only a name (then edges name it), or nothing (then it was removed).
#[derive(Default)]
pub(crate) struct Vertices {
    tasks: Blocks<Option<Py<PyAny>>>,
    /// The names that tasks don't have in their slot.
    names: FxHashMap<u32, Py<PyString>>,
    /// Vertices by the hash of their name, and a part of it by vertex: names lie anywhere in memory, these side by side.
    numbers: HashTable<u32>,
    hashes: Blocks<u32>,
    nodes: usize,
}

impl Vertices {
    /// One above the highest number.
    pub(crate) fn end(&self) -> u32 {
        self.tasks.len() as u32
    }

    /// How many have a task.
    pub(crate) fn nodes(&self) -> usize {
        self.nodes
    }

    /// How many have nothing.
    pub(crate) fn removed(&self) -> usize {
        self.tasks.len() - self.numbers.len()
    }

    pub(crate) fn task(&self, vertex: u32) -> Option<&Py<PyAny>> {
        self.tasks.get(vertex as usize)?.as_ref()
    }

    pub(crate) fn name<'py>(&self, py: Python<'py>, vertex: u32) -> Option<Bound<'py, PyString>> {
        name_of(py, &self.names, &self.tasks, vertex)
    }

    /// The number of a name.
    pub(crate) fn find(&self, name: &Bound<'_, PyString>) -> Option<u32> {
        let py = name.py();
        let hash = hash_of(name);
        let is_it = |vertex: &u32| {
            self.hashes.get(*vertex as usize) == Some(&hash)
                && name_of(py, &self.names, &self.tasks, *vertex).is_some_and(|known| are_equal(&known, name))
        };
        self.numbers.find(spread(hash), is_it).copied()
    }

    /// The number of a plain task's own name; it probably is near this one, since graphs are built in some order.
    pub(crate) fn find_near(&self, task: &Bound<'_, PyAny>, name: &Bound<'_, PyString>, guess: u32) -> Option<u32> {
        let first = guess.saturating_sub(4);
        // The latest is the likeliest.
        let found = (first..first + 7).rev().find(|vertex| self.task(*vertex).is_some_and(|known| known.is(task)));
        match found {
            Some(vertex) if self.names.is_empty() || !self.names.contains_key(&vertex) => Some(vertex),
            _ => self.find(name),
        }
    }

    /// Adds a vertex with a name that none has.
    pub(crate) fn add(&mut self, name: &Bound<'_, PyString>, task: Option<&Bound<'_, PyAny>>) -> u32 {
        let vertex = self.end();
        self.tasks.push(None);
        if let Some(task) = task {
            self.put(vertex, name, task);
        } else {
            self.names.insert(vertex, name.clone().unbind());
        }
        let hash = hash_of(name);
        self.hashes.push(hash);
        self.numbers.insert_unique(spread(hash), vertex, |other| {
            self.hashes.get(*other as usize).map_or(0, |hash| spread(*hash))
        });
        vertex
    }

    /// Lets a vertex of this name have that task; gives the one it had.
    pub(crate) fn put(
        &mut self,
        vertex: u32,
        name: &Bound<'_, PyString>,
        task: &Bound<'_, PyAny>,
    ) -> Option<Py<PyAny>> {
        let has_name = TaskSlots::of_task(task)
            .and_then(|slots| slots.task_id.of_object(task).ok())
            .is_some_and(|own| own.cast_exact::<PyString>().is_ok_and(|own| are_equal(own, name)));
        if has_name {
            self.names.remove(&vertex);
        } else {
            self.names.insert(vertex, name.clone().unbind());
        }
        let before = self.tasks.get_mut(vertex as usize).and_then(|place| place.replace(task.clone().unbind()));
        self.nodes += usize::from(before.is_none());
        before
    }

    /// Takes name and task from a vertex; gives the task.
    pub(crate) fn remove(&mut self, name: &Bound<'_, PyString>, vertex: u32) -> Option<Py<PyAny>> {
        if let Ok(entry) = self.numbers.find_entry(spread(hash_of(name)), |other| *other == vertex) {
            entry.remove();
        }
        self.names.remove(&vertex);
        let task = self.tasks.get_mut(vertex as usize).and_then(Option::take);
        self.nodes -= usize::from(task.is_some());
        task
    }

    /// The nodes' numbers, in order.
    pub(crate) fn in_order(&self) -> impl DoubleEndedIterator<Item = u32> + '_ {
        (0..self.end()).filter(|vertex| self.task(*vertex).is_some())
    }

    /// All that vertices hold, for the collector of garbage.
    pub(crate) fn objects(&self) -> impl Iterator<Item = &Py<PyAny>> {
        self.tasks.iter().flatten()
    }

    /// A copy, which gives each vertex that has something the next number.
    pub(crate) fn renumbered(&self, py: Python<'_>) -> (Self, Vec<u32>) {
        let mut copy = Self::default();
        let mut numbers = vec![u32::MAX; self.tasks.len()];
        for vertex in 0..self.end() {
            if let Some(name) = self.name(py, vertex) {
                let task = self.task(vertex).map(|task| task.bind(py));
                numbers[vertex as usize] = copy.add(&name, task);
            }
        }
        (copy, numbers)
    }
}

fn name_of<'py>(
    py: Python<'py>,
    names: &FxHashMap<u32, Py<PyString>>,
    tasks: &Blocks<Option<Py<PyAny>>>,
    vertex: u32,
) -> Option<Bound<'py, PyString>> {
    if !names.is_empty() {
        if let Some(name) = names.get(&vertex) {
            return Some(name.bind(py).clone());
        }
    }
    let task = tasks.get(vertex as usize)?.as_ref()?.bind(py);
    // Only a task that has its name is kept without one.
    let name = TaskSlots::of_task(task)?.task_id.of_object(task).ok()?;
    name.cast_into_exact().ok()
}

fn hash_of(name: &Bound<'_, PyString>) -> u32 {
    // A plain text can always be hashed.
    name.hash().unwrap_or_default() as u32
}

/// A number whose highest bits, too, depend on the whole hash, as the table needs it.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

fn are_equal(name: &Bound<'_, PyString>, other: &Bound<'_, PyString>) -> bool {
    name.is(other) || name.as_any().eq(other).unwrap_or_default()
}
