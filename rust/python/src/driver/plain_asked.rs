//! What the body of a plain step asked for by `next_task`, in the scheduler's terms: plain tasks, new ones or known.
//!
//! Part of `PlainSteps`. Owns no state but which definition was looked at last. What is not as simple as that (a fragment, a
//! name that stands for another task, options that matter to the scheduler) is the driver's, which then does all of it.
use graflow_scheduler::Directive;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use crate::driver::branches::Branches;
use crate::driver::next_tasks::{add_tasks, has_options, Made};
use crate::driver::scheduler::PyScheduler;
use crate::locked::Locked;
use crate::tables::slots::TaskSlots;

/// A task that a body passed on.
enum Passed {
    /// One that the run knows, by its node.
    Known(u32),
    /// A new one: which of the new tasks it is.
    New(usize),
}

/// The definition that was looked at last, and whether tasks of it have no options that matter to the scheduler.
#[derive(Default)]
pub(super) struct Simple(Locked<Option<(Py<PyAny>, bool)>>);

impl Simple {
    fn is(&self, definition: &Bound<'_, PyAny>) -> PyResult<bool> {
        let known = self.0.get().as_ref().filter(|(known, _)| known.is(definition)).map(|(_, simple)| *simple);
        if let Some(simple) = known {
            return Ok(simple);
        }
        let simple = !has_options(definition)?;
        let before = self.0.get().replace((definition.clone().unbind(), simple));
        drop(before); // without the lock
        Ok(simple)
    }

    /// What a body of the workflow's own branch asked for; None if the driver has to look at it, and nothing has changed.
    pub(super) fn directives(
        &self,
        scheduler: &PyScheduler,
        branches: &Branches,
        slots: &TaskSlots,
        asked: &Bound<'_, PyAny>,
    ) -> PyResult<Option<Vec<Directive>>> {
        let Ok(asked) = asked.cast::<PyList>() else {
            return Ok(None);
        };
        let mut passed = Vec::with_capacity(asked.len());
        let (mut made, by_name) = (Vec::new(), PyDict::new(asked.py()));
        for wish in asked.iter() {
            let Some((task, goes_to)) = next_task(&wish)? else {
                return Ok(None);
            };
            if !slots.is_plain(&task) || !task.getattr(intern!(task.py(), "_links"))?.is_none() {
                return Ok(None);
            }
            let Some(found) = self.found(branches, slots, &task, &mut made, &by_name)? else {
                return Ok(None);
            };
            passed.push((found, goes_to));
        }
        let py = asked.py();
        let nodes = add_tasks(scheduler, branches.names.bind(py), branches.tasks.bind(py), made)?;
        nodes.iter().try_for_each(|node| branches.adopt(py, *node))?;
        let directive = |(passed, goes_to): (Passed, bool)| {
            let node = match passed {
                Passed::Known(node) => node,
                Passed::New(index) => nodes[index],
            };
            match goes_to {
                true => Directive::Goto { node, tag: 0 },
                false => Directive::Enqueue { node, tag: 0 },
            }
        };
        Ok(Some(passed.into_iter().map(directive).collect()))
    }

    /// Which task of the run it is, or which of those that are new; None if its name stands for another one.
    fn found<'py>(
        &self,
        branches: &Branches,
        slots: &TaskSlots,
        task: &Bound<'py, PyAny>,
        made: &mut Vec<Made<'py>>,
        by_name: &Bound<'py, PyDict>,
    ) -> PyResult<Option<Passed>> {
        let name = slots.task_id.of_object(task)?.cast_into::<PyString>()?;
        if let Some(node) = branches.node(&name)? {
            let known = branches.tasks.bind(task.py()).get_item(node as usize)?;
            return Ok(known.is(task).then_some(Passed::Known(node)));
        }
        if let Some(index) = by_name.get_item(&name)? {
            let index: usize = index.extract()?;
            return Ok(made[index].1.is(task).then_some(Passed::New(index)));
        }
        if branches.is_in_graph(&name)? || !self.is(&slots.definition.of_object(task)?)? {
            return Ok(None);
        }
        by_name.set_item(&name, made.len())?;
        made.push((name, task.clone()));
        Ok(Some(Passed::New(made.len() - 1)))
    }
}

/// The task that a directive of `next_task` names, and whether it says goto; None for another directive.
fn next_task<'py>(wish: &Bound<'py, PyAny>) -> PyResult<Option<(Bound<'py, PyAny>, bool)>> {
    let Ok(wish) = wish.cast::<PyTuple>() else {
        return Ok(None);
    };
    if wish.len() != 3 || !wish.get_item(0)?.eq(intern!(wish.py(), "next"))? {
        return Ok(None);
    }
    Ok(Some((wish.get_item(1)?, wish.get_item(2)?.is_truthy()?)))
}
