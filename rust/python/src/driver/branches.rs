//! `_core.Branches`: what the branches of one run have done, wherever their bodies run.
//!
//! Owns the ledger of the branches that Python has no record of, which others it has, and what of the workflow's own branch
//! can be reached without Python. How a log looks to Python is `logs.rs`'s. Must not know who runs bodies.
use std::sync::atomic::{AtomicBool, Ordering};

use graflow_ledger::{Ledger, Names};
use graflow_scheduler::Outcome;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PySet, PyString};
use rustc_hash::FxHashMap as HashMap;

use crate::driver::guarded::Guarded;
use crate::driver::root::Root;
use crate::driver::value::{Loading, Value};
use crate::tables::node_ids::NodeIds;

/// The names of nodes.
pub(crate) struct NodeNames<'a, 'py>(pub &'a Bound<'py, PyList>);

impl Names for NodeNames<'_, '_> {
    fn is_named(&self, node: u32, name: &str) -> bool {
        let known = self.0.get_item(node as usize).ok();
        known.is_some_and(|known| {
            known.cast::<PyString>().is_ok_and(|known| known.to_str().is_ok_and(|known| known == name))
        })
    }
}

/// A branch's log as Python has it: `(operation, key, value, expires)`, how often tasks have started, nodes added.
pub(crate) type PythonLog<'py> = (Bound<'py, PyList>, Bound<'py, PyDict>, Vec<u32>);

/// The branches of one run.
#[pyclass(frozen, module = "graflow_fast._core")]
pub struct Branches {
    pub(crate) tasks: Py<PyList>,
    pub(crate) names: Py<PyList>,
    /// name -> task, the user's graph.
    graph: Py<PyAny>,
    /// name -> node.
    ids: Py<NodeIds>,
    pub(crate) root: Root,
    pub(crate) loading: Loading,
    pub(crate) ledger: Guarded<Ledger<Value>>,
    /// Branches that Python has a record of: what is done in them goes there.
    pub(crate) records: Guarded<HashMap<u64, Py<PyAny>>>,
    has_ended: AtomicBool,
}

#[pymethods]
impl Branches {
    #[new]
    fn new(parts: &Bound<'_, PyAny>) -> PyResult<Self> {
        let part = |name: &str| parts.getattr(name);
        Ok(Self {
            tasks: part("tasks")?.extract()?,
            names: part("names")?.extract()?,
            graph: part("graph")?.extract()?,
            ids: part("ids")?.extract()?,
            root: part("root")?.extract()?,
            loading: Loading {
                packed: part("packed")?.unbind(),
                load: part("load")?.unbind(),
                adopt: part("adopt")?.unbind(),
            },
            ledger: Guarded::default(),
            records: Guarded::default(),
            has_ended: AtomicBool::new(false),
        })
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.tasks)?;
        visit.call(&self.names)?;
        visit.call(&self.graph)?;
        self.root.traverse(&visit)?;
        if let Ok(records) = self.records.0.try_lock() {
            records.values().try_for_each(|record| visit.call(record))?;
        }
        Ok(())
    }

    /// Lets go of the records, which have this object in turn: the collector may be off.
    fn end(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
        let records = std::mem::take(&mut *self.records.get());
        drop(records);
    }

    /// A group has started.
    fn open(&self, first: u64, members: Vec<u32>, parent: u64) {
        self.ledger.get().open(first, members, parent);
    }

    /// Python has made its record of a branch: what was done in it so far, which goes there from now on.
    fn hand_over<'py>(&self, py: Python<'py>, branch: u64, record: Py<PyAny>) -> PyResult<Option<PythonLog<'py>>> {
        if !self.has_ended.load(Ordering::Relaxed) {
            self.records.get().insert(branch, record); // else nothing is done any more, and the record holds this object
        }
        let log = self.ledger.get().take(branch);
        log.map(|log| self.in_python(py, &log)).transpose()
    }

    /// Whether a branch is under way of which Python has no record.
    fn keeps(&self, branch: u64) -> bool {
        self.ledger.get().keeps(branch)
    }

    /// Whether a task of a branch of which Python has no record has left anything yet.
    fn has_done(&self, branch: u64) -> bool {
        self.ledger.get().has_done(branch)
    }

    /// Python has forgotten its record of a branch.
    fn forget_branch(&self, branch: u64) {
        let record = self.records.get().remove(&branch);
        drop(record);
    }

    /// The members of a fork that have ended here since the last call.
    fn take_ended(&self, first: u64) -> Vec<u32> {
        self.ledger.get().take_ended(first)
    }

    /// Closes a fork whose parent is the workflow's own branch, and replays what its first `count` members did there.
    ///
    /// `counts` is told how often tasks have started; `replay_other(index)` is called in turn for members that Python has;
    /// `left` gets the keys of results, where somebody wants to know.
    #[allow(clippy::too_many_arguments)] // all that there is to a join
    fn store<'py>(
        &self,
        py: Python<'py>,
        first: u64,
        count: u32,
        counts: &Bound<'py, PyDict>,
        others: Vec<u32>,
        replay_other: &Bound<'py, PyAny>,
        left: Option<&Bound<'py, PySet>>,
    ) -> PyResult<()> {
        let (members, done) = self.ledger.get().close(first);
        let mut others = others.into_iter().peekable();
        for (index, ended) in done.into_iter().take_while(|(index, _)| *index < count) {
            while let Some(other) = others.next_if(|other| *other < index) {
                replay_other.call1((other,))?;
            }
            self.replay(py, members[index as usize], ended, counts, left)?;
        }
        others.try_for_each(|other| replay_other.call1((other,)).map(drop))
    }

    /// Closes a fork: of each branch that ended here, in member order, (index, its log).
    fn close<'py>(&self, py: Python<'py>, first: u64) -> PyResult<Vec<(u32, PythonLog<'py>)>> {
        let (members, done) = self.ledger.get().close(first);
        self.all_in_python(py, &members, done)
    }

    /// The same of a fork that is still running.
    fn done<'py>(&self, py: Python<'py>, first: u64) -> PyResult<Vec<(u32, PythonLog<'py>)>> {
        let (members, done) = self.ledger.get().done(first);
        self.all_in_python(py, &members, done)
    }
}

impl Branches {
    /// A branch has ended; whether that is all, else the driver hears of it.
    pub(crate) fn ended(&self, branch: u64, outcome: Outcome) -> bool {
        if outcome == Outcome::Failed {
            self.ledger.get().drop_branch(branch);
        }
        outcome == Outcome::Ok && !self.records.get().contains_key(&branch) && self.ledger.get().end(branch)
    }

    /// The node that a name stands for in the workflow's own branch.
    pub(crate) fn node(&self, name: &Bound<'_, PyString>) -> PyResult<Option<u32>> {
        self.ids.get().node(name)
    }

    /// Whether the user's graph has a node of that name.
    pub(crate) fn is_in_graph(&self, name: &Bound<'_, PyString>) -> PyResult<bool> {
        self.graph.bind(name.py()).contains(name)
    }

    /// Lets a task's name stand for it, unless it stands for another one already.
    pub(crate) fn adopt(&self, py: Python<'_>, node: u32) -> PyResult<()> {
        let name = self.names.bind(py).get_item(node as usize)?;
        let mut ids = self.ids.get().ids();
        if ids.node(&name)?.is_some() {
            return Ok(());
        }
        ids.set(&name, node)?;
        let graph = self.graph.bind(py);
        if graph.contains(&name)? {
            return Ok(());
        }
        graph.set_item(name, self.tasks.bind(py).get_item(node as usize)?)
    }
}
