//! The classes and functions of the language in Python, as far as the plain cases need them.
//!
//! Owns one record, filled once by `learn` when the language is imported. Must not know what any of them mean.
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

use crate::language::running::is_running;
use crate::tables::graph::table::GraphTable;
use crate::tables::slots::{Empty, Slot, TaskSlots};

/// The slots of the class of chains.
pub(crate) struct ChainSlots {
    pub empty: Empty,
    pub first: Slot,
    pub last: Slot,
    pub left: Slot,
    pub right: Slot,
    pub tasks: Slot,
}

pub(crate) struct Language {
    pub task: &'static TaskSlots,
    pub chain: ChainSlots,
    graph: Empty,
    table: Slot,
    /// `current_workflow.get`.
    current: Py<PyAny>,
    /// Says that something can't be composed.
    pub refuse: Py<PyAny>,
    /// Makes an edge, in all cases.
    pub connect: Py<PyAny>,
}

static LANGUAGE: PyOnceLock<Language> = PyOnceLock::new();
/// The class of plain workflows.
static WORKFLOW: PyOnceLock<Py<PyType>> = PyOnceLock::new();

impl Language {
    /// What `learn` was told of.
    #[inline]
    pub(crate) fn known(py: Python<'_>) -> PyResult<&'static Language> {
        LANGUAGE.get(py).ok_or_else(|| PyRuntimeError::new_err("graflow_fast.core.task has not been imported"))
    }

    /// The graph of the workflow that is being defined, if it is a plain one, and its table.
    #[inline]
    pub(crate) fn defining<'py>(&self, py: Python<'py>) -> PyResult<Option<Defining<'py>>> {
        if is_running() {
            return Ok(None);
        }
        let workflow = self.current.bind(py).call0()?;
        if !WORKFLOW.get(py).is_some_and(|class| workflow.get_type().is(class)) {
            return Ok(None);
        }
        let graph = workflow.getattr(intern!(py, "graph"))?;
        if !self.graph.is_class_of(&graph) {
            return Ok(None);
        }
        let table = self.table.of_object(&graph)?.cast_into::<GraphTable>()?;
        Ok(Some(Defining { graph, table }))
    }
}

/// A workflow's graph and its table.
pub(crate) struct Defining<'py> {
    pub graph: Bound<'py, PyAny>,
    pub table: Bound<'py, GraphTable>,
}

/// Tells the core of the classes and functions of the language; only the first call counts.
///
/// `current` gives the workflow that is current, or None; `refuse(other, operator)` raises for what can't be composed;
/// `connect(source, target)` makes an edge in all cases.
#[pyfunction]
pub fn learn(
    task: &Bound<'_, PyType>,
    chain: &Bound<'_, PyType>,
    graph: &Bound<'_, PyType>,
    current: Py<PyAny>,
    refuse: Py<PyAny>,
    connect: Py<PyAny>,
) -> PyResult<()> {
    LANGUAGE.get_or_try_init(task.py(), || {
        let slot = |name| Slot::of(chain, name);
        Ok::<_, PyErr>(Language {
            task: TaskSlots::of(task)?,
            chain: ChainSlots {
                empty: Empty::of(chain)?,
                first: slot("_first")?,
                last: slot("_last")?,
                left: slot("_left")?,
                right: slot("_right")?,
                tasks: slot("_tasks")?,
            },
            graph: Empty::of(graph)?,
            table: Slot::of(graph, "_table")?,
            current,
            refuse,
            connect,
        })
    })?;
    Ok(())
}

/// Tells the core of the class of workflows, in which definitions may be made the short way.
#[pyfunction]
pub fn learn_workflow(workflow: &Bound<'_, PyType>) {
    WORKFLOW.get_or_init(workflow.py(), || workflow.clone().unbind());
}
