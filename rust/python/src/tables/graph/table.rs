//! `_core.GraphTable`: the tasks of a user's graph by name, and the edges between names.
//!
//! Owns what `TaskGraph` keeps, as numbers. Behaves as a dictionary of tasks in the order of the nodes; edges may name what
//! is no node. Must not know groups, runs or the scheduler.

use pyo3::exceptions::PyKeyError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyIterator, PyList, PyString, PyTuple, PyType};

use crate::locked::{Held, Locked};
use crate::tables::graph::lists::Edges;
use crate::tables::graph::vertices::{plain_name, Vertices};

/// So many numbers may be those of removed vertices before all get new ones.
const REMOVED_AT_LEAST: usize = 1024;

#[derive(Default)]
pub(crate) struct Graph {
    pub vertices: Vertices,
    pub edges: Edges,
    /// The vertices that were looked for last.
    near: (u32, u32),
}

impl Graph {
    /// Adds the edge between two plain tasks of the graph, which stand under their names; `None` if one does not.
    pub(crate) fn link_tasks(
        &mut self,
        (source, source_name): (&Bound<'_, PyAny>, &Bound<'_, PyString>),
        (target, target_name): (&Bound<'_, PyAny>, &Bound<'_, PyString>),
    ) -> Option<bool> {
        let from = self.vertices.find_near(source, source_name, self.near.0)?;
        let to = self.vertices.find_near(target, target_name, self.near.1)?;
        self.near = (from, to);
        Some(self.edges.add(from, to))
    }

    /// The vertex of a name, which gets one.
    fn vertex(&mut self, name: &Bound<'_, PyString>) -> u32 {
        self.vertices.find(name).unwrap_or_else(|| self.vertices.add(name, None))
    }

    /// Gives a vertex that has no task, or another name, the highest number: it becomes the last of the nodes.
    fn move_to_end(
        &mut self,
        old: u32,
        old_name: &Bound<'_, PyString>,
        name: &Bound<'_, PyString>,
        task: &Bound<'_, PyAny>,
    ) -> Option<Py<PyAny>> {
        let before = self.vertices.remove(old_name, old);
        let new = self.vertices.add(name, Some(task));
        self.edges.hand_over(old, new);
        before
    }

    /// Adds a node of a name that no node has.
    pub(crate) fn add_node(&mut self, name: &Bound<'_, PyString>, task: &Bound<'_, PyAny>) -> bool {
        match self.vertices.find(name) {
            Some(known) if self.vertices.task(known).is_some() => return false,
            Some(known) if known + 1 == self.vertices.end() => drop(self.vertices.put(known, name, task)),
            Some(known) => drop(self.move_to_end(known, name, name, task)),
            None => drop(self.vertices.add(name, Some(task))),
        }
        true
    }

    fn compact(&mut self, py: Python<'_>) -> Option<Graph> {
        let removed = self.vertices.removed();
        (removed > REMOVED_AT_LEAST && removed > self.vertices.end() as usize / 2).then(|| {
            let compacted = self.copy(py);
            std::mem::replace(self, compacted)
        })
    }

    /// A copy, with other numbers in the same order.
    fn copy(&self, py: Python<'_>) -> Graph {
        let (vertices, numbers) = self.vertices.renumbered(py);
        let edges = self.edges.renumbered(&numbers);
        Graph { vertices, edges, near: (0, 0) }
    }

    /// The sources of edges: nodes in their order, then mere names.
    pub(crate) fn sources(&self) -> impl Iterator<Item = u32> + '_ {
        let names = (0..self.vertices.end()).filter(|vertex| self.vertices.task(*vertex).is_none());
        self.vertices.in_order().chain(names).filter(|vertex| !self.edges.from(*vertex).is_empty())
    }
}

/// The tasks of a graph by name, in the order in which they were added, and its edges.
#[pyclass(frozen, mapping, module = "graflow_fast._core")]
#[derive(Default)]
pub struct GraphTable {
    graph: Locked<Graph>,
}

/// What stands for a table in a pickle: names, tasks (None: a mere name) and the edges as bytes.
type State<'py> = (Bound<'py, PyList>, Bound<'py, PyList>, Bound<'py, PyBytes>);

impl GraphTable {
    /// The graph. Whoever holds it runs no Python code: another thread may wait for it.
    pub(crate) fn graph(&self) -> Held<'_, Graph> {
        self.graph.get()
    }

    /// How many nodes there are, and one above the highest vertex.
    pub(crate) fn size(&self) -> (usize, u32) {
        let graph = self.graph();
        (graph.vertices.nodes(), graph.vertices.end())
    }

    /// Name and task of a vertex; the task is missing if the vertex is a mere name, both if it was removed.
    pub(crate) fn entry<'py>(
        &self,
        py: Python<'py>,
        vertex: u32,
    ) -> (Option<Bound<'py, PyString>>, Option<Bound<'py, PyAny>>) {
        let graph = self.graph();
        (graph.vertices.name(py, vertex), graph.vertices.task(vertex).map(|task| task.bind(py).clone()))
    }

    fn names_of<'py>(&self, py: Python<'py>, choose: impl FnOnce(&Graph) -> Vec<u32>) -> PyResult<Bound<'py, PyList>> {
        let names: Vec<_> = {
            let graph = self.graph();
            choose(&graph).into_iter().filter_map(|vertex| graph.vertices.name(py, vertex)).collect()
        };
        PyList::new(py, names)
    }
}

#[pymethods]
impl GraphTable {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    fn __len__(&self) -> usize {
        self.graph().vertices.nodes()
    }

    fn __contains__(&self, name: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(self.get(name, None)?.is_some())
    }

    fn __getitem__<'py>(&self, name: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.get(name, None)?.ok_or_else(|| PyKeyError::new_err((name.clone().unbind(),)))
    }

    /// Adds a node, or gives the node of that name another task.
    fn __setitem__(&self, name: &Bound<'_, PyAny>, task: &Bound<'_, PyAny>) -> PyResult<()> {
        let name = plain_name(name)?;
        let before = {
            let mut graph = self.graph();
            match graph.vertices.find(&name) {
                Some(known) if graph.vertices.task(known).is_some() => graph.vertices.put(known, &name, task),
                _ => {
                    graph.add_node(&name, task);
                    None
                }
            }
        };
        drop(before);
        Ok(())
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.names(py)?.try_iter()
    }

    /// The task of a node, else `default`.
    #[pyo3(signature = (name, default = None))]
    fn get<'py>(
        &self,
        name: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Ok(name) = plain_name(name) else {
            return Ok(default);
        };
        let graph = self.graph();
        let task = graph.vertices.find(&name).and_then(|vertex| graph.vertices.task(vertex));
        Ok(task.map(|task| task.bind(name.py()).clone()).or(default))
    }

    /// The names of the nodes.
    fn names<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.names_of(py, |graph| graph.vertices.in_order().collect())
    }

    /// The tasks of the nodes, or of the first ones.
    #[pyo3(signature = (limit = None))]
    fn tasks<'py>(&self, py: Python<'py>, limit: Option<usize>) -> PyResult<Bound<'py, PyList>> {
        let tasks: Vec<_> = {
            let graph = self.graph();
            let found = graph.vertices.in_order().filter_map(|vertex| graph.vertices.task(vertex));
            found.take(limit.unwrap_or(usize::MAX)).map(|task| task.bind(py).clone()).collect()
        };
        PyList::new(py, tasks)
    }

    /// Names and tasks of the nodes.
    fn items<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let pairs: PyResult<Vec<_>> =
            self.names(py)?.iter().zip(self.tasks(py, None)?).map(|pair| pair.into_pyobject(py)).collect();
        PyList::new(py, pairs?)
    }

    /// Adds a node; false, and nothing done, if there is one of that name.
    fn add(&self, name: &Bound<'_, PyAny>, task: &Bound<'_, PyAny>) -> PyResult<bool> {
        let name = plain_name(name)?;
        Ok(self.graph().add_node(&name, task))
    }

    /// The name of the last node.
    fn last<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyString>> {
        let graph = self.graph();
        let last = graph.vertices.in_order().next_back()?;
        graph.vertices.name(py, last)
    }

    /// Removes a name, its task and its edges, if it is there.
    fn remove(&self, name: &Bound<'_, PyAny>) -> PyResult<()> {
        let name = plain_name(name)?;
        let removed = {
            let mut graph = self.graph();
            let Some(vertex) = graph.vertices.find(&name) else {
                return Ok(());
            };
            graph.edges.remove(vertex);
            (graph.vertices.remove(&name, vertex), graph.compact(name.py()))
        };
        drop(removed);
        Ok(())
    }

    /// Gives a node another name, which no node has: it becomes the last one.
    fn rename(&self, old: &Bound<'_, PyAny>, new: &Bound<'_, PyAny>) -> PyResult<()> {
        let (old, new) = (plain_name(old)?, plain_name(new)?);
        let py = old.py();
        let replaced = {
            let mut graph = self.graph();
            let found = graph.vertices.find(&old);
            let task = found.and_then(|vertex| graph.vertices.task(vertex)).map(|task| task.clone_ref(py));
            let (Some(vertex), Some(task)) = (found, task) else {
                return Err(PyKeyError::new_err((old.unbind(),)));
            };
            if let Some(named) = graph.vertices.find(&new) {
                // Edges named it before it was there.
                let (targets, sources) = (graph.edges.from(named).to_vec(), graph.edges.to(named).to_vec());
                graph.edges.remove(named);
                for target in targets {
                    graph.edges.add(vertex, target);
                }
                for source in sources {
                    graph.edges.add(source, vertex);
                }
                graph.vertices.remove(&new, named);
            }
            let before = graph.move_to_end(vertex, &old, &new, task.bind(py));
            (task, before, graph.compact(py))
        };
        drop(replaced);
        Ok(())
    }

    /// Adds an edge between two names; false if it is there already.
    fn link(&self, source: &Bound<'_, PyAny>, target: &Bound<'_, PyAny>) -> PyResult<bool> {
        let (source, target) = (plain_name(source)?, plain_name(target)?);
        let mut graph = self.graph();
        let (source, target) = (graph.vertex(&source), graph.vertex(&target));
        Ok(graph.edges.add(source, target))
    }

    /// Removes the edge between two names, if it is there.
    fn unlink(&self, source: &Bound<'_, PyAny>, target: &Bound<'_, PyAny>) -> PyResult<()> {
        let (source, target) = (plain_name(source)?, plain_name(target)?);
        let mut graph = self.graph();
        if let Some((source, target)) = graph.vertices.find(&source).zip(graph.vertices.find(&target)) {
            graph.edges.unlink(source, target);
        }
        Ok(())
    }

    /// Whether there is an edge between two names.
    fn has_edge(&self, source: &Bound<'_, PyAny>, target: &Bound<'_, PyAny>) -> PyResult<bool> {
        let (source, target) = (plain_name(source)?, plain_name(target)?);
        let graph = self.graph();
        let ends = graph.vertices.find(&source).zip(graph.vertices.find(&target));
        Ok(ends.is_some_and(|(source, target)| graph.edges.has(source, target)))
    }

    /// How many edges there are.
    #[getter]
    fn edge_count(&self) -> usize {
        self.graph().edges.count()
    }

    /// The names that edges from this one lead to.
    fn successors<'py>(&self, name: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let name = plain_name(name)?;
        self.names_of(name.py(), |graph| {
            graph.vertices.find(&name).map_or(Vec::new(), |vertex| graph.edges.from(vertex).to_vec())
        })
    }

    /// The names that edges to this one come from.
    fn predecessors<'py>(&self, name: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let name = plain_name(name)?;
        self.names_of(name.py(), |graph| {
            graph.vertices.find(&name).map_or(Vec::new(), |vertex| graph.edges.to(vertex).to_vec())
        })
    }

    /// All edges as pairs of names: by source, nodes in their order before mere names, then in their own order.
    fn edges<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let ends: Vec<_> = {
            let graph = self.graph();
            let name = |vertex| graph.vertices.name(py, vertex);
            let pairs = graph.sources().flat_map(|source| graph.edges.from(source).iter().map(move |to| (source, *to)));
            pairs.filter_map(|(source, target)| name(source).zip(name(target))).collect()
        };
        let pairs: PyResult<Vec<Bound<'py, PyTuple>>> = ends.into_iter().map(|pair| pair.into_pyobject(py)).collect();
        PyList::new(py, pairs?)
    }

    /// The nodes that no edge reaches and that edges leave, or that are among these groups, in the order of the nodes.
    fn roots<'py>(&self, groups: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyList>> {
        let py = groups.py();
        let groups: Vec<_> = groups.keys().iter().map(|name| plain_name(&name)).collect::<PyResult<_>>()?;
        self.names_of(py, |graph| {
            let mut roots: Vec<u32> = groups.iter().filter_map(|name| graph.vertices.find(name)).collect();
            roots.extend(graph.vertices.in_order().filter(|vertex| !graph.edges.from(*vertex).is_empty()));
            roots.retain(|vertex| graph.vertices.task(*vertex).is_some() && graph.edges.to(*vertex).is_empty());
            roots.sort_unstable();
            roots.dedup();
            roots
        })
    }

    /// Removes everything.
    fn clear(&self) {
        let graph = std::mem::take(&mut *self.graph());
        drop(graph);
    }

    /// A table with the same nodes and edges.
    fn copy(&self, py: Python<'_>) -> Self {
        Self { graph: Locked::new(self.graph().copy(py)) }
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyType>, (), State<'py>)> {
        let (names, tasks, edges) = {
            let compact = self.graph().copy(py);
            let vertices = &compact.vertices;
            let names: Vec<_> = (0..vertices.end()).filter_map(|vertex| vertices.name(py, vertex)).collect();
            let tasks: Vec<_> =
                (0..vertices.end()).map(|vertex| vertices.task(vertex).map(|task| task.bind(py).clone())).collect();
            (names, tasks, compact.edges.to_bytes())
        };
        let state = (PyList::new(py, names)?, PyList::new(py, tasks)?, PyBytes::new(py, &edges));
        Ok((py.get_type::<Self>(), (), state))
    }

    fn __setstate__(&self, state: State<'_>) -> PyResult<()> {
        let (names, tasks, edges) = state;
        let names: Vec<_> = names.iter().map(|name| plain_name(&name)).collect::<PyResult<_>>()?;
        let mut graph = Graph::default();
        for (name, task) in names.iter().zip(tasks) {
            graph.vertices.add(name, (!task.is_none()).then_some(&task));
        }
        graph.edges = Edges::from_bytes(edges.as_bytes());
        let before = std::mem::replace(&mut *self.graph(), graph);
        drop(before);
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Who holds the lock makes no Python objects, so the collector meets a free one.
        if let Some(graph) = self.graph.get_free() {
            for object in graph.vertices.objects() {
                visit.call(object)?;
            }
        }
        Ok(())
    }

    fn __clear__(&self) {
        self.clear();
    }
}
