//! Tasks that bodies enqueue: made part of the tables and the scheduler.
//!
//! Their names are their branch's until the join. Owns no state but which definitions are known to be simple. What is not
//! simple (a name that stands for something already, options, large arguments) is left to Python.
use pyo3::exceptions::PyLookupError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PySet, PyString, PyType};
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use crate::driver::actions::mistake;
use crate::driver::scheduler::PyScheduler;
use crate::tables::arguments::bind;
use crate::tables::node_ids::NodeIds;
use crate::tables::slots::TaskSlots;
use crate::wire::loading::plain_value;
use graflow_wire::record::Asked;

/// Where new tasks go.
pub(crate) struct NextTasks {
    slots: &'static TaskSlots,
    /// name -> task, the user's graph.
    graph: Py<PyAny>,
    /// name -> node.
    ids: Py<NodeIds>,
    /// key -> definition; raises `LookupError`.
    find: Py<PyAny>,
    loads: Py<PyAny>,
    /// By key: None when its tasks have options that matter to the scheduler.
    definitions: HashMap<u64, Option<Py<PyAny>>>,
}

/// A task that is not yet added, and its name.
pub(crate) type Made<'py> = (Bound<'py, PyString>, Bound<'py, PyAny>);

impl NextTasks {
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.graph)?;
        visit.call(&self.find)
    }

    pub(crate) fn new(
        py: Python<'_>,
        plain: &Bound<'_, PyType>,
        graph: Py<PyAny>,
        ids: Py<NodeIds>,
        find: Py<PyAny>,
    ) -> PyResult<Self> {
        let loads = py.import("pickle")?.getattr("loads")?.unbind();
        let slots = TaskSlots::of(plain)?;
        Ok(Self { slots, graph, ids, find, loads, definitions: HashMap::default() })
    }

    /// Makes tasks for these; None if one of them is not as simple as that, and then nothing has changed.
    ///
    /// `around` are the names that branches around this one have added, `own` the nodes that it has added itself.
    pub(crate) fn make<'py>(
        &mut self,
        py: Python<'py>,
        asked: &[Asked<'_>],
        around: Option<&Bound<'py, PySet>>,
        own: &[u32],
        names: &Bound<'py, PyList>,
    ) -> PyResult<Option<Vec<Made<'py>>>> {
        let mut made = Vec::new();
        let own: Vec<Bound<'py, PyString>> =
            own.iter().map(|node| Ok(names.get_item(*node as usize)?.cast_into()?)).collect::<PyResult<_>>()?;
        let mut taken: HashSet<&str> = own.iter().map(|name| name.to_str()).collect::<PyResult<_>>()?;
        for wish in asked {
            let (Asked::Next { name, .. } | Asked::Made { name, .. }) = wish else {
                continue;
            };
            let text = PyString::new(py, name);
            let known = self.ids.get().node(&text)?.is_some() || self.graph.bind(py).contains(&text)?;
            let is_around = match around {
                Some(around) => !around.is_empty() && around.contains(&text)?,
                None => false,
            };
            if known || is_around || !taken.insert(name) {
                return Ok(None);
            }
            let task = match wish {
                Asked::Next { definition, bound, .. } => self.instance(py, &text, *definition, bound)?,
                Asked::Made { task, .. } => self.loaded(py, task)?,
                _ => None,
            };
            let Some(task) = task else {
                return Ok(None);
            };
            made.push((text, task));
        }
        Ok(Some(made))
    }

    /// A task of a definition that has a key.
    fn instance<'py>(
        &mut self,
        py: Python<'py>,
        name: &Bound<'py, PyString>,
        definition: u64,
        bound: &[u8],
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(definition) = self.definition(py, definition)? else {
            return Ok(None);
        };
        let bound = match bound {
            [] => None,
            bytes => match plain_value(py, bytes)? {
                Some(bound) => Some(bound.cast_into()?),
                None => match self.loads.bind(py).call1((PyBytes::new(py, bytes),)) {
                    Ok(bound) => Some(bound.cast_into()?),
                    Err(_) => return Ok(None),
                },
            },
        };
        let task = self.slots.new_task(py)?;
        self.slots.task_id.put(&task, name)?;
        self.slots.owner.put(&task, py.None().bind(py))?;
        self.slots.definition.put(&task, &definition)?;
        bind(self.slots, &task, bound)?;
        Ok(Some(task))
    }

    /// A task that a body made itself; what can't be loaded is Python's to explain.
    fn loaded<'py>(&self, py: Python<'py>, task: &[u8]) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Ok(task) = self.loads.bind(py).call1((PyBytes::new(py, task),)) else {
            return Ok(None);
        };
        let definition = self.slots.definition.of_object(&task)?;
        Ok((!has_options(&definition)?).then_some(task))
    }

    fn definition<'py>(&mut self, py: Python<'py>, key: u64) -> PyResult<Option<Bound<'py, PyAny>>> {
        if let Some(known) = self.definitions.get(&key) {
            return Ok(known.as_ref().map(|definition| definition.bind(py).clone()));
        }
        let definition = match self.find.bind(py).call1((key,)) {
            Ok(definition) => definition,
            Err(error) if error.is_instance_of::<PyLookupError>(py) => return Ok(None),
            Err(error) => return Err(error),
        };
        let known = (!has_options(&definition)?).then_some(definition);
        self.definitions.insert(key, known.clone().map(Bound::unbind));
        Ok(known)
    }
}

/// Adds tasks that were made, under names that nothing has yet; gives their nodes.
pub(crate) fn add_tasks(
    scheduler: &PyScheduler,
    names: &Bound<'_, PyList>,
    tasks: &Bound<'_, PyList>,
    made: Vec<Made<'_>>,
) -> PyResult<Vec<u32>> {
    let mut nodes = Vec::with_capacity(made.len());
    for (name, task) in made {
        let node = scheduler.core.get().add_nodes(1).map_err(mistake)?;
        names.append(name)?;
        tasks.append(task)?;
        nodes.push(node);
    }
    Ok(nodes)
}

/// Whether tasks of a definition have options that matter to the scheduler.
pub(crate) fn has_options(definition: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = definition.py();
    Ok(definition.getattr(intern!(py, "priority"))?.is_truthy()?
        || !definition.getattr(intern!(py, "max_concurrency"))?.is_none()
        || !definition.getattr(intern!(py, "resources"))?.is_none())
}
