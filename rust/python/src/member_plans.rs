//! How members of each definition are sent to the pool, as the driver said, and what is sent.
//!
//! Owns what is known of definitions, and payloads. Must not know the scheduler, nor what comes back.
use graflow_pool::Payload;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyDict, PyList, PyString, PyType};
use rustc_hash::FxHashMap as HashMap;

use crate::arguments::bound_of;
use crate::fed_branches::Done;
use crate::plain::PlainTask;
use crate::scalars::ScalarPickle;
use crate::slots::TaskSlots;

/// What the driver answers and takes over.
pub(crate) struct Driver {
    /// The class of plain tasks.
    pub plain: Py<PyType>,
    /// `task -> (keys, required names, looked up names or None) | None`.
    pub plan_of: Py<PyAny>,
    /// `bound arguments -> bytes`; raises when they can't take the short way.
    pub pack_bound: Py<PyAny>,
    /// `(branch, log, names of tasks that ran, nodes that were added)`.
    pub adopt: Py<PyAny>,
}

/// How members of one definition are sent.
struct Plan {
    /// The definition's key, the keys of all it names, and a place for the view's.
    definitions: Vec<u64>,
    /// How many of these are the definition's.
    keys: usize,
    /// Parameters without default: they must be bound when a value of the task before could fill them.
    required: Vec<Py<PyString>>,
    /// What its bodies look up in the channel; None when they see all of it.
    looks_up: Option<Vec<Py<PyString>>>,
}

/// The plans of all definitions that were met.
#[derive(Default)]
pub(crate) struct Plans {
    /// Each definition, held so that no other one gets its address, and its plan if its tasks are plain.
    known: Vec<(Py<PyAny>, Option<Plan>)>,
    by_address: HashMap<usize, usize>,
    latest: usize,
    scalar: ScalarPickle,
}

impl Plans {
    /// Forgets all, since what definitions captured may have changed.
    pub(crate) fn clear(&mut self) {
        self.known.clear();
        self.by_address.clear();
    }

    /// What to send for a first attempt `(node, view, cause)`, and the keys that it names; None if it is not plain.
    ///
    /// `done` is what its branch has done before, which it must not see.
    pub(crate) fn payload(
        &mut self,
        driver: &Driver,
        task: &Bound<'_, PyAny>,
        (node, view, cause): (u32, u64, Option<u32>),
        done: Option<&Done>,
        names: &Bound<'_, PyList>,
    ) -> PyResult<Option<(Payload, &[u64])>> {
        let py = task.py();
        let slots = TaskSlots::of(driver.plain.bind(py))?;
        if !slots.is_plain(task) {
            return Ok(None);
        }
        let definition = slots.definition.of_object(task)?;
        self.find(driver, task, definition)?;
        let Some((_, Some(plan))) = self.known.get_mut(self.latest) else {
            return Ok(None);
        };
        let bound = &bound_of(task)?;
        if let Some(done) = done {
            if !plan.sees_nothing_of(done, bound, names)? {
                return Ok(None);
            }
        }
        if cause.is_some() {
            for name in &plan.required {
                if !bound.contains(name)? {
                    return Ok(None);
                }
            }
        }
        let general: PyBackedBytes;
        let bound: &[u8] = if bound.is_empty() {
            &[]
        } else if let Some(packed) = self.scalar.of_dictionary(bound)? {
            packed
        } else {
            let packed = match driver.pack_bound.call1(py, (bound,)) {
                Ok(packed) => packed,
                // The driver packs it again, and says what is wrong with it. Ctrl-C is no fault of the argument's.
                Err(error) if error.is_instance_of::<PyException>(py) => return Ok(None),
                Err(error) => return Err(error),
            };
            general = packed.extract(py)?;
            &general
        };
        let name = names.get_item(node as usize)?;
        let name = name.cast::<PyString>()?.to_str()?;
        let payload = PlainTask { key: plan.definitions[0], view, name, bound }.write();
        plan.definitions[plan.keys] = view;
        Ok(Some((Payload::from_vec(payload), &plan.definitions)))
    }

    /// Lets `latest` be the place of a definition, which the driver is asked about if it is new.
    fn find(&mut self, driver: &Driver, task: &Bound<'_, PyAny>, definition: Bound<'_, PyAny>) -> PyResult<()> {
        let address = definition.as_ptr() as usize;
        if self.known.get(self.latest).is_some_and(|(known, _)| known.as_ptr() as usize == address) {
            return Ok(());
        }
        if let Some(place) = self.by_address.get(&address) {
            self.latest = *place;
            return Ok(());
        }
        type Answer = Option<(Vec<u64>, Vec<Py<PyString>>, Option<Vec<Py<PyString>>>)>;
        let answer: Answer = driver.plan_of.call1(task.py(), (task,))?.extract(task.py())?;
        let plan = answer.map(|(mut definitions, required, looks_up)| {
            let keys = definitions.len();
            definitions.push(0);
            Plan { definitions, keys, required, looks_up }
        });
        self.latest = self.known.len();
        self.by_address.insert(address, self.latest);
        self.known.push((definition.unbind(), plan));
        Ok(())
    }
}

impl Plan {
    /// True if a body sees nothing of what its branch has done: all that it could look up there is bound or not written.
    fn sees_nothing_of(&self, done: &Done, bound: &Bound<'_, PyDict>, names: &Bound<'_, PyList>) -> PyResult<bool> {
        let Some(looks_up) = &self.looks_up else {
            return Ok(false);
        };
        let py = bound.py();
        for name in looks_up {
            if !bound.contains(name)? && done.may_hold(name.bind(py).to_str()?, names)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
