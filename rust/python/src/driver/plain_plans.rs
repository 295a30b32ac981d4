//! Which tasks run the short way in this process, and how: by definition, and by the group whose members they are.
//!
//! Owns what was found out of definitions and groups, and the arguments of such bodies. What it can't know it asks the
//! place. Must not know what a body did.
use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyFrozenSet, PyList, PyString, PyType};
use rustc_hash::FxHashMap as HashMap;

use crate::driver::actions::{ActionTuple, RUN};
use crate::driver::plain_tables::Tables;
use crate::locked::Locked;
use crate::tables::slots::TaskSlots;
use crate::tables::values::ValuesMethods;

/// How to run the bodies of one definition.
pub(crate) struct Plan {
    pub function: Py<PyAny>,
    /// Whether another thread calls it.
    pub in_thread: bool,
    pub inject: bool,
    /// The name, `<name>.__result__`, and whether there is no default.
    pub parameters: Vec<(Py<PyString>, Py<PyString>, bool)>,
    /// Whether open parameters are looked up in the channel.
    looks_up: bool,
    /// What may be bound; None for anything.
    names: Option<Py<PyFrozenSet>>,
    /// `(task name)`: sets the definition's limits of loops and retries; None when it has none.
    pub limit: Option<Py<PyAny>>,
}

/// The branches of one group.
#[derive(Clone, Copy)]
pub(crate) struct Group {
    first: u64,
    /// The branch after its last.
    last: u64,
    /// How members are placed, as the place numbers it; 0 is the workflow's own branch, below that none runs here.
    kind: i64,
    /// Whether a member that begins sees what the workflow's own channel has.
    pub sees_root: bool,
}

/// The workflow's own branch, as a group.
const ROOT: Group = Group { first: 0, last: 1, kind: 0, sees_root: true };

/// A definition, and how its bodies are run; None when the driver runs them.
type Known = (Py<PyAny>, Option<Arc<Plan>>);

/// A plain step: what the scheduler said, its task, how it is run, and where.
pub(crate) struct Step<'py> {
    pub action: ActionTuple,
    pub ticket: u64,
    pub node: u32,
    pub branch: u64,
    pub cause: i64,
    pub task: Bound<'py, PyAny>,
    pub plan: Arc<Plan>,
    pub group: Group,
    /// Of a member, whose arguments are known before it is decided that it runs here.
    pub arguments: Option<Filled<'py>>,
}

/// What was found out of definitions and groups.
#[derive(Default)]
pub(crate) struct Plans {
    /// By the address of a definition, which is held so that no other one gets it, and how its group is placed.
    by_definition: Locked<HashMap<(usize, i64), Known>>,
    /// The group that was met last.
    group: Locked<Option<Group>>,
}

impl Plans {
    /// The plain step of an action, None when it is the driver's.
    pub(crate) fn step_of<'py>(
        &self,
        driver: &Bound<'py, PyAny>,
        tasks: &Bound<'py, PyList>,
        plain: &Bound<'py, PyType>,
        action: ActionTuple,
    ) -> PyResult<Option<Step<'py>>> {
        let (kind, ticket, node, branch, attempt, tag, cause) = action;
        if kind != RUN || attempt != 0 || tag != 0 {
            return Ok(None);
        }
        let group = if branch == 0 { ROOT } else { self.group_of(driver, branch as u64)? };
        if group.kind < 0 {
            return Ok(None);
        }
        let task = tasks.get_item(node as usize)?;
        if !task.get_type().is(plain) {
            return Ok(None);
        }
        let definition = TaskSlots::of(plain)?.definition.of_object(&task)?;
        let key = (definition.as_ptr() as usize, group.kind);
        let known = self.by_definition.get().get(&key).map(|(_, plan)| plan.clone());
        let plan = match known {
            Some(known) => known,
            None => self.make(driver, &task, definition, key)?,
        };
        // A member's context and limits are its branch's, of which Python has to have a record.
        let plan = plan.filter(|plan| branch == 0 || !(plan.inject || plan.limit.is_some()));
        Ok(plan.map(|plan| Step {
            action,
            ticket: ticket as u64,
            node: node as u32,
            branch: branch as u64,
            cause,
            task,
            plan,
            group,
            arguments: None,
        }))
    }

    fn group_of(&self, driver: &Bound<'_, PyAny>, branch: u64) -> PyResult<Group> {
        let known = *self.group.get();
        if let Some(known) = known.filter(|known| known.first <= branch && branch < known.last) {
            return Ok(known);
        }
        let (first, last, kind, sees_root) =
            driver.call_method1(intern!(driver.py(), "group_of"), (branch,))?.extract()?;
        let found = Group { first, last, kind, sees_root };
        *self.group.get() = Some(found);
        Ok(found)
    }

    fn make<'py>(
        &self,
        driver: &Bound<'py, PyAny>,
        task: &Bound<'py, PyAny>,
        definition: Bound<'py, PyAny>,
        key: (usize, i64),
    ) -> PyResult<Option<Arc<Plan>>> {
        type Parameters = Vec<(Py<PyString>, Py<PyString>, bool)>;
        type Names = Option<Py<PyFrozenSet>>;
        type Answer = Option<(Py<PyAny>, bool, bool, Parameters, bool, Names, Option<Py<PyAny>>)>;
        let answer: Answer = driver.call_method1(intern!(driver.py(), "plan_of"), (task, key.1))?.extract()?;
        let plan = answer.map(|(function, in_thread, inject, parameters, looks_up, names, limit)| {
            Arc::new(Plan { function, in_thread, inject, parameters, looks_up, names, limit })
        });
        self.by_definition.get().insert(key, (definition.unbind(), plan.clone()));
        Ok(plan)
    }
}

/// The arguments of a body.
#[derive(Clone)]
pub(crate) enum Filled<'py> {
    Nothing,
    With(Bound<'py, PyDict>),
    /// The driver finds out, or says what is missing.
    Unsure,
}

impl Plan {
    /// The arguments, from what is bound and, if the step may look there, the workflow's own channel.
    pub(crate) fn fill<'py>(
        &self,
        bound: &Bound<'py, PyDict>,
        tables: &Tables<'py>,
        may_look: bool,
    ) -> PyResult<Filled<'py>> {
        let py = bound.py();
        let Some((data, expiries)) = &tables.data else {
            return Ok(Filled::Unsure);
        };
        if !expiries.is_empty() {
            return Ok(Filled::Unsure);
        }
        if let Some(names) = &self.names {
            for name in bound.keys() {
                if !names.bind(py).contains(name)? {
                    return Ok(Filled::Unsure);
                }
            }
        }
        let mut arguments = (!bound.is_empty()).then(|| bound.clone());
        for (name, result_key, required) in &self.parameters {
            let name = name.bind(py);
            if !bound.is_empty() && bound.contains(name)? {
                continue;
            }
            if self.looks_up && !may_look {
                return Ok(Filled::Unsure);
            }
            let key = match self.looks_up {
                true if data.holds(result_key.bind(py))? => Some(result_key.bind(py)),
                true if data.holds(name)? => Some(name),
                _ => None,
            };
            match key {
                Some(key) => {
                    let value = tables.channel.call_method1(intern!(py, "get"), (key,))?;
                    arguments.get_or_insert_with(|| PyDict::new(py)).set_item(name, value)?;
                }
                None if *required => return Ok(Filled::Unsure),
                None => {}
            }
        }
        Ok(arguments.map_or(Filled::Nothing, Filled::With))
    }
}
