//! What plain members and the tasks they enqueue have left so far, branch by branch, until their group joins.
//!
//! Owns these logs and how they are replayed on a plain channel. Must not know the scheduler or the pool.
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyInt, PyList, PySet, PyString};

use crate::effects::{Write, APPEND, OPERATIONS, PREPEND, SET};
use crate::node_ids::NodeIds;
use crate::plain::scalar_value;
use crate::values::{result_key, Values, ValuesMethods};

/// A pickle, None for the value None.
pub(crate) type Packed = Option<Box<[u8]>>;

/// One entry of a branch's log.
pub(crate) enum Entry {
    /// A body enqueued a new task.
    Added { node: u32 },
    /// A task ran and left this.
    Result { node: u32, value: Packed },
    /// A body wrote to the channel.
    Write { operation: u8, key: Box<str>, value: Box<[u8]> },
}

impl Entry {
    pub(crate) fn from_write(write: &Write<'_>) -> Self {
        Self::Write { operation: write.operation, key: write.key.into(), value: write.value.into() }
    }
}

/// What a branch has done: mostly nothing but its member's result.
pub(crate) enum Done {
    Member(Packed),
    Log(Vec<Entry>),
}

impl Done {
    /// The log, so that more can be added; `member` is the node of the branch's member.
    pub(crate) fn log(&mut self, member: u32) -> &mut Vec<Entry> {
        if let Self::Member(value) = self {
            *self = Self::Log(vec![Entry::Result { node: member, value: value.take() }]);
        }
        match self {
            Self::Log(log) => log,
            Self::Member(_) => unreachable!("it was made a log above"),
        }
    }

    pub(crate) fn into_log(mut self, member: u32) -> Vec<Entry> {
        std::mem::take(self.log(member))
    }

    /// The names of tasks that were added in this branch.
    pub(crate) fn added<'a, 'py>(
        &'a self,
        names: &'a Bound<'py, PyList>,
    ) -> impl Iterator<Item = PyResult<Bound<'py, PyString>>> + 'a {
        let log: &[Entry] = if let Self::Log(log) = self { log } else { &[] };
        log.iter().filter_map(|entry| match entry {
            Entry::Added { node } => {
                Some(names.get_item(*node as usize).and_then(|name| name.cast_into().map_err(Into::into)))
            }
            _ => None,
        })
    }

    /// True if what a body looks up under `name` or `<name>.__result__` may have been written in this branch.
    pub(crate) fn may_hold(&self, name: &str, names: &Bound<'_, PyList>) -> PyResult<bool> {
        let Self::Log(log) = self else {
            return Ok(true);
        };
        for entry in log {
            let holds = match entry {
                Entry::Added { .. } => false,
                Entry::Write { key, .. } => key.strip_suffix(".__result__").unwrap_or(key) == name,
                Entry::Result { node, .. } => {
                    names.get_item(*node as usize)?.cast_into::<PyString>()?.to_str()? == name
                }
            };
            if holds {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// An open fork whose members may be plain.
pub(crate) struct OpenFork {
    pub first: u64,
    pub members: Vec<u32>,
    pub view: u64,
    /// The names that branches around the group have added.
    pub around: Py<PySet>,
    /// By member index, in the order in which they ended.
    pub done: Vec<(u32, Done)>,
    /// Indices of members that ended since the driver asked last.
    pub ended: Vec<u32>,
}

impl OpenFork {
    /// The index of a branch among this fork's.
    pub(crate) fn index(&self, branch: u64) -> Option<u32> {
        let index = branch.checked_sub(self.first)?;
        (index < self.members.len() as u64).then_some(index as u32)
    }

    /// All that was done, by member index and in that order.
    pub(crate) fn into_done(self) -> (Vec<u32>, Vec<(u32, Done)>) {
        let mut done = self.done;
        done.sort_unstable_by_key(|(index, _)| *index);
        (self.members, done)
    }
}

/// A branch's log as the driver has it: `(operation, key, value, None)`, the names of the tasks that ran, and the nodes
/// of those that were added.
pub(crate) type PythonLog<'py> = (Bound<'py, PyList>, Vec<Bound<'py, PyAny>>, Vec<u32>);

/// Turns a log over to the driver; values stay bytes (None for None).
pub(crate) fn to_python<'py>(py: Python<'py>, log: &[Entry], names: &Bound<'py, PyList>) -> PyResult<PythonLog<'py>> {
    let (out, mut ran, mut added) = (PyList::empty(py), Vec::new(), Vec::new());
    for entry in log {
        match entry {
            Entry::Added { node } => added.push(*node),
            Entry::Result { node, value } => {
                let name = names.get_item(*node as usize)?;
                let value = value.as_ref().map(|bytes| PyBytes::new(py, bytes));
                out.append(("set", result_key(name.cast::<PyString>()?)?, value, py.None()))?;
                ran.push(name);
            }
            Entry::Write { operation, key, value } => {
                let value = PyBytes::new(py, value);
                out.append((OPERATIONS[usize::from(*operation)], &**key, value, py.None()))?;
            }
        }
    }
    Ok((out, ran, added))
}

/// The names that everybody knows.
pub(crate) struct Graph<'a, 'py> {
    pub ids: &'a Bound<'py, NodeIds>,
    pub graph: &'a Bound<'py, PyDict>,
    pub tasks: &'a Bound<'py, PyList>,
}

impl Graph<'_, '_> {
    /// Lets a task's name stand for it, unless it stands for another one already.
    fn adopt(&self, node: u32, names: &Bound<'_, PyList>) -> PyResult<()> {
        let name = names.get_item(node as usize)?;
        let mut ids = self.ids.borrow_mut();
        if ids.node(&name)?.is_some() {
            return Ok(());
        }
        ids.set(&name, node)?;
        if self.graph.contains(&name)? {
            return Ok(());
        }
        self.graph.set_item(name, self.tasks.get_item(node as usize)?)
    }
}

/// Replays logs on a channel that is nothing but a dictionary.
pub(crate) struct Replay<'a, 'py> {
    pub names: &'a Bound<'py, PyList>,
    pub data: &'a Bound<'py, Values>,
    /// How often each task has run.
    pub counts: &'a Bound<'py, PyDict>,
    /// Makes a value of bytes that are not to be loaded yet.
    pub pack: &'a Bound<'py, PyAny>,
    /// Where names of added tasks go; None when none are added here.
    pub graph: Option<Graph<'a, 'py>>,
    /// The channel itself, for `delete`, and for `append` and `prepend` where the value under a key is no plain list.
    pub channel: &'a Bound<'py, PyAny>,
}

impl<'py> Replay<'_, 'py> {
    pub(crate) fn replay(&self, done: Done, member: u32) -> PyResult<()> {
        match done {
            Done::Member(value) => self.result(member, value.as_deref()),
            Done::Log(log) => log.into_iter().try_for_each(|entry| match entry {
                Entry::Added { node } => self.graph.as_ref().map_or(Ok(()), |graph| graph.adopt(node, self.names)),
                Entry::Result { node, value } => self.result(node, value.as_deref()),
                Entry::Write { operation, key, value } => self.write(operation, &key, &value),
            }),
        }
    }

    fn result(&self, node: u32, value: Option<&[u8]>) -> PyResult<()> {
        let py = self.names.py();
        let name = self.names.get_item(node as usize)?;
        let value = match value {
            None => py.None().into_bound(py),
            Some(bytes) => self.pack.call1((PyBytes::new(py, bytes),))?,
        };
        self.data.store_result(name.cast::<PyString>()?, value)?;
        self.counts.set_item(name, PyInt::new(py, 1))
    }

    fn write(&self, operation: u8, key: &str, value: &[u8]) -> PyResult<()> {
        let py = self.names.py();
        if operation == SET {
            let value = match scalar_value(py, value)? {
                Some(value) => value,
                None => self.pack.call1((PyBytes::new(py, value),))?,
            };
            return self.data.store(PyString::new(py, key).as_any(), value);
        }
        if operation != APPEND && operation != PREPEND {
            // By the channel, which forgets the key's limit, too: another member's write may have made one.
            return self.channel.call_method1(OPERATIONS[usize::from(operation)], (key,)).map(drop);
        }
        let bad = || PyValueError::new_err(format!("what was added to '{key}' is no plain value"));
        let value = scalar_value(py, value)?.ok_or_else(bad)?;
        let text = PyString::new(py, key).into_any();
        match self.data.value(&text)? {
            None => self.data.store(&text, PyList::new(py, [value])?.into_any()),
            Some(list) => match list.cast_exact::<PyList>() {
                Ok(list) if operation == APPEND => list.append(value),
                Ok(list) => list.insert(0, value),
                Err(_) => self.channel.call_method1(OPERATIONS[usize::from(operation)], (key, value)).map(drop),
            },
        }
    }
}
