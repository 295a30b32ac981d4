//! What branches did, as Python has it, and done on the workflow's own channel.
//!
//! Owns the conversion. The logs are the ledger's; must not know when they are asked for.
use graflow_ledger::{BranchLog, Counts, Ended, Entry, Key};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PySet, PyString};

use crate::driver::branches::{Branches, PythonLog};
use crate::driver::value::{name_of, Value};
use crate::tables::values::result_key;

impl Branches {
    /// Logs of members as Python has them.
    pub(crate) fn all_in_python<'py>(
        &self,
        py: Python<'py>,
        members: &[u32],
        done: Vec<(u32, Ended<Value>)>,
    ) -> PyResult<Vec<(u32, PythonLog<'py>)>> {
        done.into_iter()
            .map(|(index, ended)| {
                let log = match ended {
                    Ended::Log(log) => *log,
                    Ended::Member(value) => {
                        let node = members[index as usize];
                        BranchLog { entries: vec![Entry::Result(node, value)], counts: Counts::of(node) }
                    }
                };
                self.in_python(py, &log).map(|log| (index, log))
            })
            .collect()
    }

    /// A log as Python has it.
    pub(crate) fn in_python<'py>(&self, py: Python<'py>, log: &BranchLog<Value>) -> PyResult<PythonLog<'py>> {
        let names = self.names.bind(py);
        let (out, counts, mut added) = (PyList::empty(py), PyDict::new(py), Vec::new());
        for entry in &log.entries {
            match entry {
                Entry::Added(node) => added.push(*node),
                Entry::Result(node, value) => {
                    let name = names.get_item(*node as usize)?;
                    let value = self.loading.kept(py, value)?;
                    out.append(("set", result_key(name.cast::<PyString>()?)?, value, py.None()))?;
                }
                Entry::Write(write) => {
                    let value = write.value.as_ref().map(|value| self.loading.kept(py, value)).transpose()?;
                    out.append((name_of(write.operation), self.loading.key(py, &write.key)?, value, write.expires))?;
                }
            }
        }
        for (node, count) in log.counts.iter() {
            counts.set_item(names.get_item(node as usize)?, count)?;
        }
        Ok((out, counts, added))
    }

    /// Does what a branch has done on the workflow's own channel.
    pub(crate) fn replay(
        &self,
        py: Python<'_>,
        member: u32,
        ended: Ended<Value>,
        counts: &Bound<'_, PyDict>,
        left: Option<&Bound<'_, PySet>>,
    ) -> PyResult<()> {
        let note = |name: &Bound<'_, PyString>| left.map_or(Ok(()), |left| left.add(result_key(name)?));
        let names = self.names.bind(py);
        let name = |node: u32| names.get_item(node as usize)?.cast_into::<PyString>().map_err(PyErr::from);
        let log = match ended {
            Ended::Member(value) => {
                let name = name(member)?;
                note(&name)?;
                self.root.result(&name, self.loading.kept(py, &value)?)?;
                return counts.set_item(name, 1);
            }
            Ended::Log(log) => log,
        };
        for entry in log.entries {
            match entry {
                Entry::Added(node) => self.adopt(py, node)?,
                Entry::Result(node, value) => {
                    let name = name(node)?;
                    note(&name)?;
                    self.root.result(&name, self.loading.kept(py, &value)?)?;
                }
                Entry::Write(write) => {
                    if let (Some(left), Key::Text(key)) = (left, &write.key) {
                        if key.ends_with(".__result__") {
                            left.add(key.as_ref())?;
                        }
                    }
                    self.root.write(py, &self.loading, &write)?;
                }
            }
        }
        let started: Vec<_> = log.counts.iter().collect();
        started.into_iter().try_for_each(|(node, count)| counts.set_item(name(node)?, count))
    }
}
