//! How tasks of each definition are sent to the pool.
//!
//! Owns what is known of definitions; what may change of them (keys, by what functions capture) is asked for anew when the
//! caller says so. Must not know the scheduler, nor what comes back.
use graflow_pool::Limits;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rustc_hash::FxHashMap as HashMap;

use crate::body::filling::Filler;

/// What the run says of placement and limits where a definition says nothing.
#[derive(FromPyObject)]
pub(crate) struct Defaults {
    /// Whether tasks of the workflow's own branch run in the pool, and members of groups.
    root_in_pool: bool,
    members_in_pool: bool,
    /// Whether a limit moves a task of the workflow's own branch into the pool.
    limits_in_pool: bool,
    /// Whether handlers are registered.
    has_handlers: bool,
    timeout: Option<f64>,
    memory_limit: Option<u64>,
}

/// How tasks of one definition are sent.
pub(crate) struct Plan {
    /// Held so that no other definition gets its address.
    pub definition: Py<PyAny>,
    /// Where its tasks run whatever their group says; None to follow it.
    fixed_in_pool: Option<bool>,
    root_in_pool: bool,
    members_in_pool: bool,
    pub filler: Py<Filler>,
    pub inject: bool,
    pub limits: Limits,
    /// It has limits of its own on loops or retries.
    pub has_limits: bool,
    pub max_cycles: bool,
    pub max_retries: bool,
    /// It names a handler.
    pub has_handler: bool,
    /// Its key and those of all it names, and a place for the view's; None until they are asked for.
    keys: Option<Vec<u64>>,
    epoch: u64,
}

impl Plan {
    /// Whether a task runs in the pool: in the workflow's own branch, or in a group that says so (None: it says nothing).
    pub(crate) fn is_in_pool(&self, in_root: bool, group: Option<bool>) -> bool {
        self.fixed_in_pool.unwrap_or(match (in_root, group) {
            (true, _) => self.root_in_pool,
            (false, Some(group)) => group,
            (false, None) => self.members_in_pool,
        })
    }

    /// The keys that a task names, its view's at the end.
    pub(crate) fn keys_with(&mut self, view: u64) -> &[u64] {
        let keys = self.keys.get_or_insert_with(|| vec![0]);
        let last = keys.len() - 1;
        keys[last] = view;
        keys
    }
}

/// The plans of all definitions that were met.
pub(crate) struct Plans {
    defaults: Defaults,
    known: Vec<Plan>,
    by_address: HashMap<usize, usize>,
    latest: usize,
    /// Counts the moments at which functions may have come to capture something else.
    epoch: u64,
}

impl Plans {
    pub(crate) fn new(defaults: Defaults) -> Self {
        Self { defaults, known: Vec::new(), by_address: HashMap::default(), latest: 0, epoch: 0 }
    }

    /// Keys are asked for anew: what functions captured may have changed.
    pub(crate) fn renew(&mut self) {
        self.epoch += 1;
    }

    pub(crate) fn clear(&mut self) {
        self.known.clear();
        self.by_address.clear();
    }

    pub(crate) fn get(&mut self, place: usize) -> &mut Plan {
        &mut self.known[place]
    }

    /// The place of a definition's plan. `helper.fixed_place(definition)` is asked where there are handlers.
    pub(crate) fn find(&mut self, helper: &Bound<'_, PyAny>, definition: &Bound<'_, PyAny>) -> PyResult<usize> {
        let address = definition.as_ptr() as usize;
        if self.known.get(self.latest).is_some_and(|plan| plan.definition.as_ptr() as usize == address) {
            return Ok(self.latest);
        }
        if let Some(place) = self.by_address.get(&address) {
            self.latest = *place;
            return Ok(self.latest);
        }
        let plan = self.make(helper, definition)?;
        self.latest = self.known.len();
        self.by_address.insert(address, self.latest);
        self.known.push(plan);
        Ok(self.latest)
    }

    fn make(&self, helper: &Bound<'_, PyAny>, definition: &Bound<'_, PyAny>) -> PyResult<Plan> {
        let py = definition.py();
        let options = definition.getattr(intern!(py, "__dict__"))?.cast_into::<PyDict>()?;
        let option = |name| -> PyResult<Option<Bound<'_, PyAny>>> {
            Ok(options.get_item(name)?.filter(|value| !value.is_none()))
        };
        let handler = option(intern!(py, "handler"))?;
        let fixed_in_pool = if handler.is_some() || self.defaults.has_handlers {
            helper.call_method1(intern!(py, "fixed_place"), (definition,))?.extract()?
        } else {
            None
        };
        let timeout: Option<f64> = option(intern!(py, "timeout"))?.map(|value| value.extract()).transpose()?;
        let memory_limit: Option<u64> =
            option(intern!(py, "memory_limit"))?.map(|value| value.extract()).transpose()?;
        let is_limited = timeout.is_some() || memory_limit.is_some();
        let max_cycles = option(intern!(py, "max_cycles"))?.is_some();
        let max_retries = option(intern!(py, "max_retries"))?.is_some();
        let has_policy = option(intern!(py, "retry_policy"))?.is_some();
        Ok(Plan {
            fixed_in_pool,
            root_in_pool: self.defaults.root_in_pool || (is_limited && self.defaults.limits_in_pool),
            members_in_pool: self.defaults.members_in_pool,
            filler: Filler::of(definition)?.unbind(),
            inject: option(intern!(py, "inject_context"))?.is_some_and(|inject| inject.is_truthy().unwrap_or(true)),
            limits: Limits {
                timeout: timeout.or(self.defaults.timeout).map(|seconds| (seconds.max(0.0) * 1e9).min(9e18) as u64),
                memory: memory_limit.or(self.defaults.memory_limit),
                lane: None,
            },
            has_limits: max_cycles || max_retries || has_policy,
            max_cycles,
            max_retries,
            has_handler: handler.is_some(),
            keys: None,
            epoch: self.epoch,
            definition: definition.clone().unbind(),
        })
    }

    /// Makes sure of a plan's keys.
    ///
    /// Fails if the function can't be sent.
    pub(crate) fn ensure_keys(
        &mut self,
        helper: &Bound<'_, PyAny>,
        place: usize,
        task_id: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let epoch = self.epoch;
        let plan = &mut self.known[place];
        if plan.keys.is_some() && plan.epoch == epoch {
            return Ok(());
        }
        let py = helper.py();
        let mut keys: Vec<u64> =
            helper.call_method1(intern!(py, "keys_for"), (&plan.definition, task_id))?.extract()?;
        keys.push(0);
        plan.keys = Some(keys);
        plan.epoch = epoch;
        Ok(())
    }
}
