//! Tasks that plain bodies enqueue: made part of the tables and the scheduler as the driver would do it.
//!
//! Their names are their branch's until the join. Owns no state but which definitions are known to be simple. What is not
//! simple is left to the driver.
use pyo3::exceptions::PyLookupError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PySet, PyString, PyType};
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use crate::arguments::bind;
use crate::effects::Next;
use crate::fed_branches::{Done, Graph};
use crate::node_ids::NodeIds;
use crate::scheduler::{mistake, PyScheduler};

/// Where new tasks go.
pub(crate) struct NextTasks {
    /// Makes an empty task of the class of plain tasks.
    new_task: Py<PyAny>,
    /// name -> task, the user's graph.
    graph: Py<PyDict>,
    /// name -> node.
    ids: Py<NodeIds>,
    /// key -> definition; raises `LookupError`.
    find: Py<PyAny>,
    loads: Py<PyAny>,
    /// By key: None when its tasks have options that matter to the scheduler.
    definitions: HashMap<u64, Option<Py<PyAny>>>,
}

/// A task that is not yet added, and its name.
type Made<'py> = (Bound<'py, PyString>, Bound<'py, PyAny>);

/// The tables by node.
pub(crate) struct Tables<'a, 'py> {
    pub names: &'a Bound<'py, PyList>,
    pub tasks: &'a Bound<'py, PyList>,
}

impl NextTasks {
    pub(crate) fn new(
        py: Python<'_>,
        plain: &Bound<'_, PyType>,
        graph: Py<PyDict>,
        ids: Py<NodeIds>,
        find: Py<PyAny>,
    ) -> PyResult<Self> {
        let loads = py.import("pickle")?.getattr("loads")?.unbind();
        let new = py.import("builtins")?.getattr("object")?.getattr("__new__")?;
        let new_task = py.import("functools")?.call_method1("partial", (new, plain))?.unbind();
        Ok(Self { new_task, graph, ids, find, loads, definitions: HashMap::default() })
    }

    /// Makes tasks for these; None if one of them is not as simple as that, and then nothing has changed.
    ///
    /// `around` are the names that branches around this one have added, `done` is what this one has done.
    pub(crate) fn make<'py>(
        &mut self,
        py: Python<'py>,
        next: &[Next<'_>],
        around: &Bound<'py, PySet>,
        done: Option<&Done>,
        names: &Bound<'py, PyList>,
    ) -> PyResult<Option<Vec<Made<'py>>>> {
        let mut made = Vec::with_capacity(next.len());
        let own: Vec<Bound<'py, PyString>> = done.map_or(Ok(Vec::new()), |done| done.added(names).collect())?;
        let mut taken: HashSet<&str> = own.iter().map(|name| name.to_str()).collect::<PyResult<_>>()?;
        for wanted in next {
            let name = PyString::new(py, wanted.name);
            let known = self.ids.borrow(py).node(&name)?.is_some() || self.graph.bind(py).contains(&name)?;
            if known || (!around.is_empty() && around.contains(&name)?) || !taken.insert(wanted.name) {
                return Ok(None);
            }
            let Some(definition) = self.definition(py, wanted.definition)? else {
                return Ok(None);
            };
            let bound = match wanted.bound {
                [] => None,
                bytes => match self.loads.bind(py).call1((PyBytes::new(py, bytes),)) {
                    Ok(bound) => Some(bound.cast_into()?),
                    Err(_) => return Ok(None),
                },
            };
            let task = self.new_task.bind(py).call0()?;
            task.setattr(intern!(py, "_task_id"), &name)?;
            task.setattr(intern!(py, "_owner"), py.None())?;
            task.setattr(intern!(py, "_definition"), definition)?;
            bind(&task, bound)?;
            made.push((name, task));
        }
        Ok(Some(made))
    }

    /// Adds tasks that were made; gives their nodes.
    pub(crate) fn add(scheduler: &mut PyScheduler, tables: &Tables<'_, '_>, made: Vec<Made<'_>>) -> PyResult<Vec<u32>> {
        let mut nodes = Vec::with_capacity(made.len());
        for (name, task) in made {
            let node = scheduler.core.add_nodes(1).map_err(mistake)?;
            tables.names.append(name)?;
            tables.tasks.append(task)?;
            nodes.push(node);
        }
        Ok(nodes)
    }

    /// The names that everybody knows.
    pub(crate) fn graph<'a, 'py>(&'a self, tasks: &'a Bound<'py, PyList>) -> Graph<'a, 'py> {
        Graph { ids: self.ids.bind(tasks.py()), graph: self.graph.bind(tasks.py()), tasks }
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
        let has_options = definition.getattr(intern!(py, "priority"))?.is_truthy()?
            || !definition.getattr(intern!(py, "max_concurrency"))?.is_none();
        let known = (!has_options).then_some(definition);
        self.definitions.insert(key, known.clone().map(Bound::unbind));
        Ok(known)
    }
}
