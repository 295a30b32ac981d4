//! `_core.StepCounts`: how often plain steps of the workflow's own branch have run, and which have completed, by node.
//!
//! The run's tables by name are filled when somebody first asks for them, and kept up to date from then on: most runs
//! have no use for them. Owns what they have not heard yet.
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PySet, PyString};
use rustc_hash::FxHashMap as HashMap;

use crate::locked::{Held, Locked};
use crate::tables::columns::Bits;
use crate::tables::node_ids::NodeIds;

/// What became of the steps of one run.
#[pyclass(frozen, module = "graflow_fast._core")]
pub struct StepCounts {
    counts: Locked<Counts>,
}

/// What is counted, for who asks more than once.
pub(crate) struct Counts {
    names: Py<PyList>,
    ids: Py<NodeIds>,
    /// The nodes below this one are what their names stand for; of others it has to be looked up.
    plain: u32,
    /// How often each task has run, once somebody needed it (`is_shared`).
    by_name: Py<PyDict>,
    is_shared: bool,
    /// Until then: the nodes that have run, those that have run more than once and how often, and all of them in the order
    /// in which they ran first, as (first, last).
    ran: Bits,
    again: HashMap<u32, u32>,
    order: Vec<(u32, u32)>,
    /// The names of all that completed, in order, each once.
    completed_list: Py<PyList>,
    /// The same as a set, once somebody needed it, and until then the nodes of these names.
    completed: Option<Py<PySet>>,
    listed: Bits,
}

impl StepCounts {
    /// The counts, for one thread.
    #[inline]
    pub(crate) fn counts(&self) -> Held<'_, Counts> {
        self.counts.get()
    }
}

impl Counts {
    /// The node that a task's name stands for: tasks of one name are counted together.
    fn place(&self, node: u32, name: &Bound<'_, PyString>) -> PyResult<Option<u32>> {
        if node < self.plain {
            return Ok(Some(node));
        }
        self.ids.get().node(name)
    }

    /// Counts one more execution.
    pub(crate) fn count(&mut self, node: u32, name: &Bound<'_, PyString>) -> PyResult<()> {
        let place = if self.is_shared { None } else { self.place(node, name)? };
        let Some(node) = place else {
            self.share(name.py())?;
            return add(self.by_name.bind(name.py()), name, 1);
        };
        if !self.ran.insert(node as usize) {
            *self.again.entry(node).or_insert(1) += 1;
            return Ok(());
        }
        match self.order.last_mut() {
            Some((_, last)) if *last + 1 == node => *last = node,
            _ => self.order.push((node, node)),
        }
        Ok(())
    }

    /// Counts one more execution; how often the task of that name has run now.
    pub(crate) fn start(&mut self, node: u32, name: &Bound<'_, PyString>) -> PyResult<u32> {
        self.count(node, name)?;
        self.count_at_name(node, name)
    }

    /// How often the task of that name has run.
    pub(crate) fn count_at_name(&self, node: u32, name: &Bound<'_, PyString>) -> PyResult<u32> {
        if self.is_shared {
            let count = self.by_name.bind(name.py()).get_item(name)?;
            return count.map_or(Ok(0), |count| count.extract());
        }
        Ok(self.place(node, name)?.map_or(0, |place| self.count_at(place)))
    }

    fn count_at(&self, node: u32) -> u32 {
        match self.again.get(&node) {
            Some(count) => *count,
            None => u32::from(self.ran.contains(node as usize)),
        }
    }

    fn share(&mut self, py: Python<'_>) -> PyResult<()> {
        let (names, by_name) = (self.names.bind(py), self.by_name.bind(py));
        for (first, last) in std::mem::take(&mut self.order) {
            for node in first..=last {
                add(by_name, &names.get_item(node as usize)?, self.count_at(node))?;
            }
        }
        (self.ran, self.again) = (Bits::default(), HashMap::default());
        self.is_shared = true;
        Ok(())
    }

    /// Notes that a step completed; a name is listed once.
    pub(crate) fn complete(&mut self, node: u32, name: &Bound<'_, PyString>) -> PyResult<()> {
        let py = name.py();
        let list = self.completed_list.bind(py);
        if self.completed.is_none() {
            if let Some(node) = self.place(node, name)? {
                return if self.listed.insert(node as usize) { list.append(name) } else { Ok(()) };
            }
            let completed = PySet::empty(py)?;
            list.iter().try_for_each(|name| completed.add(name))?;
            self.completed = Some(completed.unbind());
        }
        if let Some(completed) = &self.completed {
            if !completed.bind(py).contains(name)? {
                completed.bind(py).add(name)?;
                list.append(name)?;
            }
        }
        Ok(())
    }
}

#[pymethods]
impl StepCounts {
    #[new]
    fn new(
        names: Py<PyList>,
        ids: Py<NodeIds>,
        plain: u32,
        counts: Py<PyDict>,
        completed_list: Py<PyList>,
        completed: Option<Py<PySet>>,
    ) -> Self {
        let (ran, again, order, listed) = (Bits::default(), HashMap::default(), Vec::new(), Bits::default());
        let (by_name, is_shared) = (counts, false);
        let counts =
            Counts { names, ids, plain, by_name, is_shared, ran, again, order, completed_list, completed, listed };
        Self { counts: Locked::new(counts) }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(counts) = self.counts.get_free() else {
            return Ok(()); // so all of it stays
        };
        visit.call(&counts.names)?;
        visit.call(&counts.completed_list)?;
        visit.call(&counts.completed)?;
        visit.call(&counts.by_name)
    }

    /// From now on others complete tasks too, and what has completed is looked up in this set.
    fn share_completed(&self, completed: Py<PySet>) {
        self.counts().completed = Some(completed);
    }

    /// Notes that the task of a name completed, as far as it is known here; whether it is.
    fn complete_named(&self, name: &Bound<'_, PyString>) -> PyResult<bool> {
        let mut counts = self.counts();
        let node = counts.ids.get().node(name)?;
        node.map_or(Ok(false), |node| counts.complete(node, name).map(|()| true))
    }

    /// How often a task has run that the dictionary has not heard of.
    fn count_of(&self, name: &Bound<'_, PyAny>) -> PyResult<u32> {
        let counts = self.counts();
        let node = counts.ids.get().node(name)?;
        Ok(node.map_or(0, |node| counts.count_at(node)))
    }

    /// Tells the dictionary what was counted, and counts there from now on.
    fn share_counts(&self, py: Python<'_>) -> PyResult<()> {
        self.counts().share(py)
    }
}

fn add(counts: &Bound<'_, PyDict>, name: &Bound<'_, PyAny>, more: u32) -> PyResult<()> {
    let before = counts.get_item(name)?.map_or(Ok(0), |count| count.extract::<u64>())?;
    counts.set_item(name, before + u64::from(more))
}
