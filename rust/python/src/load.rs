//! Reading the user's graph: from dictionaries of names and tasks to the scheduler's numbers, a million at a time.
//!
//! Owns no state and decides nothing: what is not a plain task is handed back for the driver to look at.
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyType};
use rustc_hash::FxHashSet;

use crate::node_ids::NodeIds;
use crate::scheduler::{mistake, PyScheduler};

/// Numbers the tasks of exactly one class, in order, from the scheduler's next node on.
///
/// `ids` (name -> node), `names` and `tasks` (by node) grow by them; `definitions` by one (definition, task) for each
/// definition that was not there yet. Returns the (name, task) of all others.
#[pyfunction]
pub fn load_tasks<'py>(
    scheduler: &Bound<'py, PyScheduler>,
    graph: &Bound<'py, PyDict>,
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
    let mut ids = ids.borrow_mut();
    ids.reserve(py, graph.len());
    for (name, task) in graph {
        if !task.get_type().is(plain) {
            others.append((name, task))?;
            continue;
        }
        let definition = task.getattr(intern!(py, "_definition"))?;
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
    scheduler.borrow_mut().core.add_nodes((names.len() - first) as u32).map_err(mistake)?;
    Ok(others)
}

/// Adds all edges, by source in the order of the nodes; false, and nothing done, if a name is unknown.
#[pyfunction]
pub fn load_edges(
    scheduler: &Bound<'_, PyScheduler>,
    graph: &Bound<'_, PyDict>,
    successors: &Bound<'_, PyDict>,
    ids: &Bound<'_, NodeIds>,
) -> PyResult<bool> {
    let mut edges: Vec<(u32, u32)> = Vec::with_capacity(successors.len());
    let ids = ids.borrow();
    let mut guess = 0;
    let mut add = |name: &Bound<'_, PyAny>, targets: &Bound<'_, PyAny>| -> PyResult<bool> {
        let targets = targets.cast::<PyDict>()?;
        if targets.is_empty() {
            return Ok(true);
        }
        let Some(source) = ids.node_near(name, guess)? else {
            return Ok(false);
        };
        guess = source + 1;
        for (target, _) in targets {
            match ids.node_near(&target, guess)? {
                Some(target) => edges.push((source, target)),
                None => return Ok(false),
            }
        }
        Ok(true)
    };
    // Mostly the dictionary of edges has the order of the nodes already, or is much smaller.
    let mut in_order = successors.iter();
    let mut following = in_order.next();
    let mut sources = 0;
    for (name, _) in graph {
        if sources == successors.len() {
            break;
        }
        let targets = match following.take_if(|(source, _)| source.is(&name)) {
            Some((_, targets)) => {
                following = in_order.next();
                Some(targets)
            }
            None => successors.get_item(&name)?,
        };
        if let Some(targets) = targets {
            sources += 1;
            if !add(&name, &targets)? {
                return Ok(false);
            }
        }
    }
    if sources < successors.len() {
        for (name, targets) in successors {
            if !graph.contains(&name)? && !add(&name, &targets)? {
                return Ok(false);
            }
        }
    }
    let core = &mut scheduler.borrow_mut().core;
    for (source, target) in edges {
        core.add_edge(source, target).map_err(mistake)?;
    }
    Ok(true)
}

/// The nodes of a group's members; None if one has no number yet, or its name stands for another task.
#[pyfunction]
pub fn load_members<'py>(
    members: &Bound<'py, PyList>,
    plain: &Bound<'py, PyType>,
    ids: &Bound<'py, NodeIds>,
    tasks: &Bound<'py, PyList>,
) -> PyResult<Option<Bound<'py, PyList>>> {
    let py = members.py();
    let found = PyList::empty(py);
    let ids = ids.borrow();
    let mut guess = 0;
    for member in members {
        let name = task_id(&member, plain)?;
        match ids.node_near(&name, guess)? {
            Some(node) if tasks.get_item(node as usize)?.is(&member) => {
                guess = node + 1;
                found.append(node)?;
            }
            _ => return Ok(None),
        }
    }
    Ok(Some(found))
}

/// The values that differ by identity: one member of each definition, and all that are no plain tasks.
#[pyfunction]
pub fn by_definition<'py>(members: &Bound<'py, PyList>, plain: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyList>> {
    let py = members.py();
    let found = PyList::empty(py);
    let mut seen = FxHashSet::default();
    let mut latest = std::ptr::null_mut();
    for member in members {
        if member.get_type().is(plain) {
            let definition = member.getattr(intern!(py, "_definition"))?.as_ptr();
            if definition == latest || !seen.insert(definition as usize) {
                continue;
            }
            latest = definition;
        }
        found.append(member)?;
    }
    Ok(found)
}

fn task_id<'py>(task: &Bound<'py, PyAny>, plain: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyAny>> {
    let py = task.py();
    if task.get_type().is(plain) {
        task.getattr(intern!(py, "_task_id"))
    } else {
        task.getattr(intern!(py, "task_id"))
    }
}
