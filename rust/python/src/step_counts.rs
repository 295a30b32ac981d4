//! `_core.StepCounts`: how often plain steps of the workflow's own branch have run, and which have completed, by node.
//!
//! The run's tables by name are filled when somebody first asks for them, and kept up to date from then on: most runs
//! have no use for them. Owns what they have not heard yet.
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PySet, PyString};

use crate::node_ids::NodeIds;

/// What became of the steps of one run.
#[pyclass(module = "graflow_fast._core")]
pub struct StepCounts {
    names: Py<PyList>,
    ids: Py<NodeIds>,
    /// The names of all that completed, in order.
    completed_list: Py<PyList>,
    /// The same as a set, once somebody needed it.
    completed: Option<Py<PySet>>,
    /// How often each task has run, once somebody needed it; until then by node, and the nodes in the order in which they
    /// ran first.
    by_name: Option<Py<PyDict>>,
    counts: Vec<u32>,
    counted: Vec<u32>,
    /// Bits by node: whether it was appended to the list here.
    listed: Vec<u64>,
}

impl StepCounts {
    /// Counts one more execution.
    pub(crate) fn count(&mut self, node: u32, name: &Bound<'_, PyString>) -> PyResult<()> {
        if let Some(by_name) = &self.by_name {
            return add(by_name.bind(name.py()), name, 1);
        }
        let index = node as usize;
        if index >= self.counts.len() {
            self.counts.resize(index + 1, 0);
        }
        if self.counts[index] == 0 {
            self.counted.push(node);
        }
        self.counts[index] += 1;
        Ok(())
    }

    /// Notes that a step completed; a name is listed once.
    pub(crate) fn complete(&mut self, node: u32, name: &Bound<'_, PyString>) -> PyResult<()> {
        let py = name.py();
        let (word, bit) = (node as usize / 64, 1 << (node % 64));
        if word >= self.listed.len() {
            self.listed.resize(word + 1, 0);
        }
        if self.listed[word] & bit != 0 {
            return Ok(());
        }
        self.listed[word] |= bit;
        if let Some(completed) = &self.completed {
            let completed = completed.bind(py);
            if completed.contains(name)? {
                return Ok(());
            }
            completed.add(name)?;
        }
        self.completed_list.bind(py).append(name)
    }
}

#[pymethods]
impl StepCounts {
    #[new]
    fn new(names: Py<PyList>, ids: Py<NodeIds>, completed_list: Py<PyList>, completed: Option<Py<PySet>>) -> Self {
        let (counts, counted, listed) = (Vec::new(), Vec::new(), Vec::new());
        Self { names, ids, completed_list, completed, by_name: None, counts, counted, listed }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.names)?;
        visit.call(&self.completed_list)?;
        visit.call(&self.completed)?;
        visit.call(&self.by_name)
    }

    /// From now on others complete tasks too, and what has completed is looked up in this set.
    fn share_completed(&mut self, completed: Py<PySet>) {
        self.completed = Some(completed);
    }

    /// How often a task has run that the dictionary has not heard of.
    fn count_of(&self, name: &Bound<'_, PyAny>) -> PyResult<u32> {
        let node = self.ids.borrow(name.py()).node(name)?;
        Ok(node.and_then(|node| self.counts.get(node as usize)).copied().unwrap_or_default())
    }

    /// Adds what was counted to this dictionary, and counts there from now on.
    fn share_counts(&mut self, by_name: &Bound<'_, PyDict>) -> PyResult<()> {
        let names = self.names.bind(by_name.py());
        let counts = std::mem::take(&mut self.counts);
        for node in std::mem::take(&mut self.counted) {
            add(by_name, &names.get_item(node as usize)?, counts[node as usize])?;
        }
        self.by_name = Some(by_name.clone().unbind());
        Ok(())
    }
}

fn add(counts: &Bound<'_, PyDict>, name: &Bound<'_, PyAny>, more: u32) -> PyResult<()> {
    let before = counts.get_item(name)?.map_or(Ok(0), |count| count.extract::<u64>())?;
    counts.set_item(name, before + u64::from(more))
}
