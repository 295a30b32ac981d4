//! Calling a task makes an instance of it with bound parameters.
//!
//! Owns the plain case: `t(task_id="x", n=1)` in a workflow that is being defined, or in a body, where it belongs to no graph.
//! All others are `_called`'s, in Python.
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::language::classes::Language;
use crate::language::running::is_running;
use crate::tables::slots::Slot;

/// Calls a task: makes an instance, or whatever else the task makes of it in Python.
pub(crate) fn called<'py>(
    task: &Bound<'py, PyAny>,
    args: &Bound<'py, PyTuple>,
    kwargs: Option<Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = task.py();
    if let Some(bound) = &kwargs {
        if args.is_empty() {
            if let Some(made) = plain_instance(task, bound)? {
                return Ok(made);
            }
        }
    }
    // The dictionary may be one of the caller's.
    let kwargs = kwargs.map_or_else(|| Ok(PyDict::new(py)), |kwargs| kwargs.copy())?;
    task.call_method1(intern!(py, "_called"), (args, kwargs))
}

/// A new instance, if nothing about it is special.
fn plain_instance<'py>(
    template: &Bound<'py, PyAny>,
    bound: &Bound<'py, PyDict>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = template.py();
    let language = Language::known(py)?;
    let slots = language.task;
    if !slots.is_plain(template) || !slots.names.of_object(template)?.cast::<PyTuple>()?.is_empty() {
        return Ok(None);
    }
    let name = match bound.get_item(intern!(py, "task_id"))? {
        Some(name) if name.is_exact_instance_of::<PyString>() => name.cast_into::<PyString>()?,
        _ => return Ok(None),
    };
    let defining = if is_running() { None } else { language.defining(py)? };
    if defining.is_none() && !is_running() {
        return Ok(None);
    }
    let instance = slots.new_task(py)?;
    let definition = slots.definition.of_object(template)?;
    slots.task_id.put(&instance, name.as_any())?;
    slots.owner.put(&instance, py.None().bind(py))?;
    slots.definition.put(&instance, &definition)?;
    bind(&slots.names, &slots.values, &instance, &definition, bound)?;
    if let Some(defining) = defining {
        if !defining.table.get().graph().add_node(&name, &instance) {
            return Ok(None); // the name is taken, which is told in Python
        }
        slots.owner.put(&instance, &defining.graph)?;
        mark_template(template)?;
    }
    Ok(Some(instance))
}

/// Puts the arguments but `task_id` into the slots, their names as the tuple that all such tasks share.
fn bind<'py>(
    names: &Slot,
    values: &Slot,
    instance: &Bound<'py, PyAny>,
    definition: &Bound<'py, PyAny>,
    bound: &Bound<'py, PyDict>,
) -> PyResult<()> {
    let py = instance.py();
    let task_id = intern!(py, "task_id");
    let (mut found, mut given) = (Vec::with_capacity(bound.len()), Vec::with_capacity(bound.len()));
    for (name, value) in bound {
        if !name.is(task_id) && !name.eq(task_id)? {
            found.push(name);
            given.push(value);
        }
    }
    if found.is_empty() {
        let nothing = PyTuple::empty(py);
        names.put(instance, nothing.as_any())?;
        return values.put(instance, nothing.as_any());
    }
    names.put(instance, &shared_names(definition, &found)?)?;
    match given.as_slice() {
        [single] => values.put(instance, single),
        _ => values.put(instance, PyTuple::new(py, given)?.as_any()),
    }
}

fn shared_names<'py>(definition: &Bound<'py, PyAny>, found: &[Bound<'py, PyAny>]) -> PyResult<Bound<'py, PyAny>> {
    let py = definition.py();
    let known = definition.getattr(intern!(py, "bound_names"))?.cast_into::<PyDict>()?;
    // Mostly all instances bind the same.
    if let Some((_, names)) = known.iter().next() {
        if let Ok(tuple) = names.cast::<PyTuple>() {
            if tuple.len() == found.len() && tuple.iter_borrowed().zip(found).all(|(name, other)| name.is(other)) {
                return Ok(names);
            }
        }
    }
    let names = PyTuple::new(py, found)?.into_any();
    match known.get_item(&names)? {
        Some(shared) => Ok(shared),
        None => {
            known.set_item(&names, &names)?;
            Ok(names)
        }
    }
}

fn mark_template(template: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = template.py();
    let yes = pyo3::types::PyBool::new(py, true);
    // SAFETY: all three are alive. The class of plain tasks has no `__setattr__` of its own.
    match unsafe { ffi::PyObject_GenericSetAttr(template.as_ptr(), intern!(py, "is_template").as_ptr(), yes.as_ptr()) }
    {
        0 => Ok(()),
        _ => Err(PyErr::fetch(py)),
    }
}
