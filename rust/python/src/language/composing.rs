//! `>>` and `<<` between whatever can stand in a workflow.
//!
//! Owns the plain case: two tasks of the workflow that is being defined. All others are `connect`'s, in Python.
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use crate::language::base::is_composable;
use crate::language::classes::Language;

/// `left >> right`: `right` runs after `left`.
pub(crate) fn follow<'py>(left: &Bound<'py, PyAny>, right: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let language = Language::known(left.py())?;
    check(language, right, ">>")?;
    language.joined(left, right)
}

/// `left << right`: `left` runs after `right`.
pub(crate) fn precede<'py>(left: &Bound<'py, PyAny>, right: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let language = Language::known(left.py())?;
    check(language, right, "<<")?;
    language.joined(right, left)
}

/// Whether all are plain tasks that no free edges hang on.
#[pyfunction]
pub fn are_unlinked_tasks(executables: &Bound<'_, PyTuple>) -> PyResult<bool> {
    let py = executables.py();
    let (slots, links) = (Language::known(py)?.task, intern!(py, "_links"));
    for task in executables.iter_borrowed() {
        if !slots.is_plain(&task) {
            return Ok(false);
        }
        // SAFETY: both are alive, and it gives a new reference, or null with an exception set. It is what the class of
        // plain tasks does, but for names that are not found.
        let found =
            unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyObject_GenericGetAttr(task.as_ptr(), links.as_ptr()))? };
        if !found.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

#[inline]
fn check(language: &Language, other: &Bound<'_, PyAny>, operator: &str) -> PyResult<()> {
    if !is_composable(other) {
        language.refuse.bind(other.py()).call1((other, operator))?;
    }
    Ok(())
}

impl Language {
    /// Lets `right` run after `left`; gives their chain.
    fn joined<'py>(&self, left: &Bound<'py, PyAny>, right: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = left.py();
        let (first, last) = self.ends(left)?;
        let (next, end) = self.ends(right)?;
        if !self.link(&last, &next)? {
            self.connect.bind(py).call1((&last, &next))?;
        }
        let slots = &self.chain;
        let chain = slots.empty.make(py)?;
        slots.first.put(&chain, &first)?;
        slots.last.put(&chain, &end)?;
        slots.left.put(&chain, left)?;
        slots.right.put(&chain, right)?;
        slots.tasks.put(&chain, py.None().bind(py))?;
        Ok(chain)
    }

    /// The first and the last task of a chain; of all else the thing itself.
    #[inline]
    fn ends<'py>(&self, executable: &Bound<'py, PyAny>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        if self.task.is_plain(executable) {
            Ok((executable.clone(), executable.clone()))
        } else if self.chain.empty.is_class_of(executable) {
            Ok((self.chain.first.of_object(executable)?, self.chain.last.of_object(executable)?))
        } else {
            let ends = executable.getattr(intern!(executable.py(), "_ends"))?;
            ends.extract()
        }
    }

    /// Makes an edge between plain tasks that are in the workflow being defined; false if they are not.
    #[inline]
    fn link(&self, source: &Bound<'_, PyAny>, target: &Bound<'_, PyAny>) -> PyResult<bool> {
        if !self.task.is_plain(source) || !self.task.is_plain(target) {
            return Ok(false);
        }
        let Some(defining) = self.defining(source.py())? else {
            return Ok(false);
        };
        let owner = &self.task.owner;
        if !owner.of_object(source)?.is(&defining.graph) || !owner.of_object(target)?.is(&defining.graph) {
            return Ok(false);
        }
        let (source_name, target_name) = (self.task.task_id.of_object(source)?, self.task.task_id.of_object(target)?);
        let (Ok(source_name), Ok(target_name)) =
            (source_name.cast_exact::<PyString>(), target_name.cast_exact::<PyString>())
        else {
            return Ok(false);
        };
        let mut graph = defining.table.get().graph();
        Ok(graph.link_tasks((source, source_name), (target, target_name)).is_some())
    }
}
