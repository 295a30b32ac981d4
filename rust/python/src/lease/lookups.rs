//! What planning a step asks of the tasks, the channel and Python.
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyDict, PyString};

use super::{Parameter, Plan, Planner, Value, SHARED_MARK};
use crate::plain::ScalarPickle;
use crate::values::{result_key, ValuesMethods};

/// Values of so many bytes are not sent in advance.
const LARGE: usize = 1 << 16;

impl Planner {
    /// What the channel has for these parameters; None when a value can't be sent this way.
    #[allow(clippy::type_complexity)]
    pub(super) fn looked_up(
        &self,
        py: Python<'_>,
        parameters: &[&Parameter],
    ) -> PyResult<Option<Vec<(Py<PyString>, Value)>>> {
        let mut values = Vec::new();
        for parameter in parameters {
            for key in [&parameter.result_key, &parameter.name] {
                match self.value(py, key.bind(py), true)? {
                    Value::Unfit => return Ok(None),
                    value => values.push((key.clone_ref(py), value)),
                }
            }
        }
        Ok(Some(values))
    }

    /// The result of the step's cause, if one of these parameters may need it.
    pub(super) fn previous(&self, py: Python<'_>, cause: i64, open: &[&Parameter]) -> PyResult<Value> {
        if cause < 0 || !open.iter().any(|parameter| parameter.required) {
            return Ok(Value::Absent);
        }
        let before = self.tasks.bind(py).get_item(cause as usize)?;
        if before.getattr(intern!(py, "is_group"))?.is_truthy()? {
            return Ok(Value::Absent);
        }
        let source = self.names.bind(py).get_item(cause as usize)?;
        self.value(py, &result_key(source.cast::<PyString>()?)?, true)
    }

    /// Whether a task has limits that its run's controllers were told of, not its definition: the general way sends them.
    pub(super) fn is_limited_by_hand(
        &self,
        py: Python<'_>,
        identity: usize,
        base: &Bound<'_, PyString>,
        name: &Bound<'_, PyString>,
    ) -> PyResult<bool> {
        let Some(Some(plan)) = self.plans.get(&identity) else {
            return Ok(false);
        };
        let (cycles, retries) = (self.cycle_limits.bind(py), self.retry_limits.bind(py));
        if plan.max_cycles.is_none() && !cycles.is_empty() && cycles.contains(base)? {
            return Ok(true);
        }
        Ok(!plan.retries && !retries.is_empty() && (retries.contains(base)? || retries.contains(name)?))
    }

    /// The address of a task's definition, if it has a plan; plans are made when first asked for.
    pub(super) fn identity(&mut self, py: Python<'_>, task: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
        if !task.get_type().is(&self.task_class) {
            return Ok(None);
        }
        let definition = task.getattr(intern!(py, "_definition"))?;
        let identity = definition.as_ptr() as usize;
        let Some(helper) = &self.helper else {
            return Ok(None);
        };
        if let Some(known) = self.plans.get_mut(&identity) {
            let Some(plan) = known else {
                return Ok(None);
            };
            if !self.unsure.remove(&identity) {
                return Ok(Some(identity));
            }
            if let Some(keys) = helper.call_method1(py, intern!(py, "keys"), (task,))?.extract(py)? {
                plan.keys = keys;
                return Ok(Some(identity));
            }
        }
        let plan: Option<Plan> = helper.call_method1(py, intern!(py, "plan"), (task,))?.extract(py)?;
        let is_plain = plan.is_some();
        self.plans.insert(identity, plan);
        Ok(is_plain.then_some(identity))
    }

    /// Bound arguments as bytes (none when there are none); None when they can't be sent this way.
    #[allow(clippy::type_complexity)]
    pub(super) fn pack(
        &self,
        py: Python<'_>,
        bound: &Bound<'_, PyDict>,
        ahead: bool,
    ) -> PyResult<Option<Option<Vec<u8>>>> {
        if bound.is_empty() {
            return Ok(Some(None));
        }
        if let Some(scalars) = ScalarPickle::default().of_dictionary(bound)? {
            return Ok(Some(Some(scalars.to_vec())));
        }
        let Some(helper) = &self.helper else {
            return Ok(None);
        };
        let packed = helper.call_method1(py, intern!(py, "pack"), (bound, ahead))?;
        let packed: Option<PyBackedBytes> = packed.extract(py)?;
        Ok(packed.map(|bytes| Some(bytes.to_vec())))
    }

    /// What the channel has under a key; `any`: a value that is not bytes yet is packed, else only small bytes are fit.
    pub(super) fn value(&self, py: Python<'_>, key: &Bound<'_, PyString>, any: bool) -> PyResult<Value> {
        let Some(found) = self.data.bind(py).value(key)? else {
            return Ok(Value::Absent);
        };
        if let Some(bytes) = self.packed_bytes(&found)? {
            let fits = bytes.first() != Some(&SHARED_MARK) && (any || bytes.len() < LARGE);
            return Ok(if fits { Value::Packed(bytes) } else { Value::Unfit });
        }
        let Some(helper) = self.helper.as_ref().filter(|_| any && !found.get_type().is(&self.packed)) else {
            return Ok(Value::Unfit);
        };
        let packed: Option<PyBackedBytes> =
            helper.call_method1(py, intern!(py, "pack"), (found, false))?.extract(py)?;
        Ok(packed.map_or(Value::Unfit, Value::Packed))
    }

    pub(super) fn packed_bytes(&self, value: &Bound<'_, PyAny>) -> PyResult<Option<PyBackedBytes>> {
        if !value.get_type().is(&self.packed) {
            return Ok(None);
        }
        let bytes: PyBackedBytes = value.getattr(intern!(value.py(), "data"))?.extract()?;
        Ok((bytes.first() != Some(&SHARED_MARK)).then_some(bytes))
    }
}
