//! Reading the user's graph: from its table to the scheduler's numbers, a million at a time.
//!
//! Owns no state and decides nothing: what is not a plain task is handed back for the driver to look at.
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyDict, PyList, PyString, PyType};
use rustc_hash::FxHashSet;

use crate::driver::actions::mistake;
use crate::driver::scheduler::PyScheduler;
use crate::tables::graph::table::GraphTable;
use crate::tables::node_ids::{Ids, NodeIds};
use crate::tables::slots::TaskSlots;

/// Numbers the tasks of exactly one class, in order, from the scheduler's next node on.
///
/// `ids` (name -> node), `names` and `tasks` (by node) grow by them; `definitions` by one (definition, task) for each
/// definition that was not there yet. Returns the (name, task) of all others.
#[pyfunction]
pub fn load_tasks<'py>(
    scheduler: &Bound<'py, PyScheduler>,
    graph: &Bound<'py, GraphTable>,
    plain: &Bound<'py, PyType>,
    ids: &Bound<'py, NodeIds>,
    names: &Bound<'py, PyList>,
    tasks: &Bound<'py, PyList>,
    definitions: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyList>> {
    let py = scheduler.py();
    let others = PyList::empty(py);
    let first = names.len();
    let mut latest = std::ptr::null_mut();
    let mut ids = ids.get().ids();
    let graph = graph.get();
    let (count, end) = graph.size();
    ids.reserve(py, count);
    let slots = TaskSlots::of(plain)?;
    for vertex in 0..end {
        let (Some(name), Some(task)) = graph.entry(py, vertex) else {
            continue;
        };
        if !slots.is_plain(&task) {
            others.append((name, task))?;
            continue;
        }
        let definition = slots.definition.of_object(&task)?;
        if definition.as_ptr() != latest {
            latest = definition.as_ptr();
            if !definitions.contains(&definition)? {
                definitions.set_item(&definition, &task)?;
            }
        }
        let node = names.len();
        names.append(&name)?;
        ids.set(&name, node as u32)?;
        tasks.append(task)?;
    }
    scheduler.get().core.get().add_nodes((names.len() - first) as u32).map_err(mistake)?;
    Ok(others)
}

/// Adds all edges, by source in the order of the nodes; false, and nothing done, if a name is unknown.
#[pyfunction]
pub fn load_edges(
    scheduler: &Bound<'_, PyScheduler>,
    graph: &Bound<'_, GraphTable>,
    ids: &Bound<'_, NodeIds>,
) -> PyResult<bool> {
    const UNKNOWN: u32 = u32::MAX;
    let py = scheduler.py();
    let table = graph.get();
    let ids = ids.get().ids();
    let (_, end) = table.size();
    let mut nodes = Vec::with_capacity(end as usize);
    let mut guess = 0;
    for vertex in 0..end {
        let node = match table.entry(py, vertex) {
            (Some(name), _) => ids.node_near(name.as_any(), guess)?,
            _ => None,
        };
        if let Some(node) = node {
            guess = node + 1;
        }
        nodes.push(node.unwrap_or(UNKNOWN));
    }
    let graph = table.graph();
    let node = |vertex: u32| nodes.get(vertex as usize).copied().unwrap_or(UNKNOWN);
    let edges = || graph.sources().flat_map(|source| graph.edges.from(source).iter().map(move |to| (source, *to)));
    if edges().any(|(source, target)| node(source) == UNKNOWN || node(target) == UNKNOWN) {
        return Ok(false);
    }
    let mut core = scheduler.get().core.get();
    for (source, target) in edges() {
        core.add_edge(node(source), node(target)).map_err(mistake)?;
    }
    Ok(true)
}

/// The nodes of a group's members; those that have none yet get one, if they are plain tasks without options.
///
/// None, and nothing done, if the name of one stands for another task, or one is not as simple as that.
#[pyfunction]
pub fn load_members<'py>(
    scheduler: &Bound<'py, PyScheduler>,
    members: &Bound<'py, PyList>,
    plain: &Bound<'py, PyType>,
    ids: &Bound<'py, NodeIds>,
    names: &Bound<'py, PyList>,
    tasks: &Bound<'py, PyList>,
) -> PyResult<Option<Vec<u32>>> {
    let slots = TaskSlots::of(plain)?;
    let Some((mut found, new)) = known_members(members, slots, &ids.get().ids(), tasks)? else {
        return Ok(None);
    };
    if new.is_empty() {
        return Ok(Some(found));
    }
    let first = scheduler.get().core.get().add_nodes(new.len() as u32).map_err(mistake)?;
    let mut ids = ids.get().ids();
    ids.reserve(members.py(), new.len());
    for (node, position) in (first..).zip(new) {
        let member = members.get_item(position)?;
        let name = slots.task_id.of_object(&member)?;
        names.append(&name)?;
        tasks.append(member)?;
        ids.set(&name, node)?;
        found[position] = node;
    }
    Ok(Some(found))
}

/// The nodes of members, and the positions of those that have none yet.
type Members = (Vec<u32>, Vec<usize>);

fn known_members(
    members: &Bound<'_, PyList>,
    slots: &TaskSlots,
    ids: &Ids,
    tasks: &Bound<'_, PyList>,
) -> PyResult<Option<Members>> {
    let py = members.py();
    let (mut found, mut new) = (Vec::with_capacity(members.len()), Vec::new());
    let mut new_names = FxHashSet::default();
    let mut simple = std::ptr::null_mut();
    let mut guess = 0;
    for (position, member) in members.iter().enumerate() {
        let name = task_id(&member, slots)?;
        match ids.node_near(&name, guess)? {
            Some(node) if tasks.get_item(node as usize)?.is(&member) => {
                guess = node + 1;
                found.push(node);
            }
            None if slots.is_plain(&member) && new_names.insert(name.extract::<PyBackedStr>()?) => {
                let definition = slots.definition.of_object(&member)?;
                if definition.as_ptr() != simple {
                    simple = definition.as_ptr();
                    if definition.getattr(intern!(py, "priority"))?.is_truthy()?
                        || !definition.getattr(intern!(py, "max_concurrency"))?.is_none()
                        || !definition.getattr(intern!(py, "resources"))?.is_none()
                    {
                        return Ok(None);
                    }
                }
                new.push(position);
                found.push(u32::MAX);
            }
            _ => return Ok(None),
        }
    }
    Ok(Some((found, new)))
}

/// The values that differ by identity: one member of each definition, and all that are no plain tasks.
#[pyfunction]
pub fn by_definition<'py>(members: &Bound<'py, PyList>, plain: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyList>> {
    let py = members.py();
    let found = PyList::empty(py);
    let mut seen = FxHashSet::default();
    let mut latest = std::ptr::null_mut();
    let slots = TaskSlots::of(plain)?;
    for member in members {
        if slots.is_plain(&member) {
            let definition = slots.definition.of_object(&member)?.as_ptr();
            if definition == latest || !seen.insert(definition as usize) {
                continue;
            }
            latest = definition;
        }
        found.append(member)?;
    }
    Ok(found)
}

/// Whether one of a group's members has this name.
#[pyfunction]
pub fn is_member(name: &Bound<'_, PyString>, members: &Bound<'_, PyList>, plain: &Bound<'_, PyType>) -> PyResult<bool> {
    let slots = TaskSlots::of(plain)?;
    for member in members {
        let known = task_id(&member, slots)?;
        if known.is(name) || known.eq(name)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn task_id<'py>(task: &Bound<'py, PyAny>, slots: &TaskSlots) -> PyResult<Bound<'py, PyAny>> {
    if slots.is_plain(task) {
        slots.task_id.of_object(task)
    } else {
        task.getattr(intern!(task.py(), "task_id"))
    }
}
