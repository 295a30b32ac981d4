//! What a worker is told of a task: its arguments, and the values of the channel that it may need.
use std::sync::atomic::Ordering;

use graflow_ledger::Found;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyDict, PyString};

use crate::driver::actions::mistake;
use crate::driver::branches::NodeNames;
use crate::driver::feed::Feed;
use crate::driver::value::{Outgoing, SHARED_MARK};
use crate::tables::slots::TaskSlots;
use crate::tables::values::result_key;
use crate::wire::plain::PlainPickle;
use crate::wire::scalars::ScalarPickle;
use graflow_wire::work::Work;

/// A key of the channel and what is under it, as bytes.
type ToldValue = (Py<PyString>, Option<Outgoing>);

/// So many results of tasks before a task go with it, and none that is larger than so many bytes.
const MOST_BEFORE: usize = 256;
const LARGEST_BEFORE: usize = 1 << 14;

/// Where an attempt stands.
#[derive(Clone, Copy)]
struct Stand {
    ticket: u64,
    branch: u64,
    /// Python has a record of its branch, or of itself, which knows what it sees.
    has_record: bool,
}

impl Feed {
    /// The payload of a tracked attempt, the place of its plan and the key of its view.
    pub(crate) fn told(&self, py: Python<'_>, ticket: u64) -> PyResult<(Vec<u8>, usize, u64)> {
        let helper = self.helper(py)?;
        let (node, branch, number, cause, task, iteration, data) = {
            let tracked = self.tracked.get();
            let found = &tracked[&ticket];
            let task = match &found.given {
                Some(given) => given.bind(py).clone(),
                None => self.tasks.bind(py).get_item(found.node as usize)?,
            };
            let copy = |object: &Py<PyAny>| object.clone_ref(py);
            let iteration = found.iteration.as_ref().map(|name| name.clone_ref(py));
            (found.node, found.branch, found.number, found.cause, task, iteration, found.data.as_ref().map(copy))
        };
        let base = self.names.bind(py).get_item(node as usize)?.cast_into::<PyString>()?;
        let name = iteration.as_ref().map_or(&base, |name| name.bind(py)).clone();
        let slots = TaskSlots::of(self.plain.bind(py))?;
        let definition = slots.definition.of_object(&task)?;
        let place = {
            let mut plans = self.plans.get();
            let place = plans.find(&helper, &definition)?;
            plans.ensure_keys(&helper, place, name.as_any())?;
            place
        };
        let (filler, inject, is_bare) = {
            let mut plans = self.plans.get();
            let plan = plans.get(place);
            let filler = plan.filler.clone_ref(py);
            let is_bare = !plan.inject && filler.get().parameters.is_empty();
            (filler, plan.inject, is_bare)
        };
        let mut held = Vec::new();
        let bound = Self::bound(&task)?;
        let packed = match &bound {
            None => None,
            Some(bound) => Some(self.packed_bound(&helper, &name, bound, branch)?),
        };
        let has_record = {
            let is_known = self.branches().records.get().contains_key(&branch);
            let running = self.branches().root.running.bind(py);
            (branch != 0 && (is_known || !self.knows(branch)))
                || (self.versions.is_some() && branch == 0 && !running.is_empty() && running.contains(ticket)?)
        };
        let stand = Stand { ticket, branch, has_record };
        let view = self.view(py, &helper, branch)?;
        let mut work = Work { retries: number, ..Work::default() };
        let mut values: Option<Vec<ToldValue>> = None;
        let mut previous = None;
        if !is_bare {
            let sees_more = branch == 0 || has_record || self.branches().ledger.get().has_done(branch);
            if sees_more {
                values = Some(self.values(py, stand, &filler, bound.as_ref())?);
            }
            if inject && branch == 0 && !has_record {
                self.add_results_before(py, node, values.get_or_insert_with(Vec::new))?;
            }
            if cause >= 0 && filler.get().needs_previous(bound.as_ref())? {
                previous = self.previous(py, stand, cause as u32)?;
            }
            self.add_counts(py, &helper, stand, (node, place), &name, inject, &mut work)?;
        }
        let member = if branch != 0 { self.member(py, &helper, branch)? } else { None };
        let member = member.filter(|member| !member.is(&name) && !member.as_any().eq(&name).unwrap_or(false));
        let data = match data {
            None => None,
            Some(data) => Some(helper.call_method1(intern!(py, "packed_data"), (data,))?.extract::<PyBackedBytes>()?),
        };
        let payload = {
            let mut plans = self.plans.get();
            work.key = plans.get(place).keys_with(view)[0];
            work.view = view;
            work.name = name.to_str()?;
            work.bound = packed.as_ref().map_or(&[][..], |packed| packed.bytes());
            work.base = if iteration.is_some() { Some(base.to_str()?) } else { None };
            work.member = member.as_ref().map(|member| member.to_str()).transpose()?;
            work.call = data.as_deref();
            work.previous = previous.as_ref().map(|previous| previous.bytes());
            if let Some(values) = &values {
                let told: PyResult<Vec<_>> = values
                    .iter()
                    .map(|(key, value)| Ok((key.bind(py).to_str()?, value.as_ref().map(|value| value.bytes()))))
                    .collect();
                work.values = Some(told?);
            }
            work.write()
        };
        let told_values = values.into_iter().flatten().filter_map(|(_, value)| value);
        held.extend(packed.into_iter().chain(previous).chain(told_values).filter_map(Outgoing::held));
        held.extend(data.filter(|data| data.first() == Some(&SHARED_MARK)));
        if let Some(tracked) = self.tracked.get().get_mut(&ticket) {
            tracked.held = held;
        }
        Ok((payload, place, view))
    }

    fn packed_bound(
        &self,
        helper: &Bound<'_, PyAny>,
        name: &Bound<'_, PyString>,
        bound: &Bound<'_, PyDict>,
        branch: u64,
    ) -> PyResult<Outgoing> {
        let mut plain = PlainPickle::default();
        if let Some(packed) = plain.of_dictionary(bound)? {
            return Ok(Outgoing::Own(packed.to_vec()));
        }
        let packed = helper.call_method1(intern!(helper.py(), "pack_bound"), (name, bound, branch == 0))?;
        Ok(Outgoing::Python(packed.extract()?))
    }

    /// The key of what workers are told of the channel for a branch.
    fn view(&self, py: Python<'_>, helper: &Bound<'_, PyAny>, branch: u64) -> PyResult<u64> {
        if branch != 0 {
            let groups = self.groups.get();
            let group = groups.iter().rev().find(|group| group.first <= branch && branch < group.last);
            let view = group.map(|group| group.view);
            drop(groups);
            if let Some(view) = view.filter(|view| *view != 0) {
                return Ok(view);
            }
        } else if let known @ 1.. = self.root_view.load(Ordering::Relaxed) {
            return Ok(known);
        }
        let view = helper.call_method1(intern!(py, "view"), (branch,))?.extract()?;
        if branch == 0 {
            self.root_view.store(view, Ordering::Relaxed);
        }
        Ok(view)
    }

    /// The member whose branch this is.
    fn member<'py>(
        &self,
        py: Python<'py>,
        helper: &Bound<'py, PyAny>,
        branch: u64,
    ) -> PyResult<Option<Bound<'py, PyString>>> {
        let node = self.branches().ledger.get().fork_of(branch).map(|(fork, index)| fork.members[index as usize]);
        match node {
            Some(node) => Ok(Some(self.names.bind(py).get_item(node as usize)?.cast_into()?)),
            None => Ok(helper.call_method1(intern!(py, "member"), (branch,))?.extract()?),
        }
    }

    /// What the channel has for the parameters that are not bound.
    fn values(
        &self,
        py: Python<'_>,
        stand: Stand,
        filler: &Py<crate::body::filling::Filler>,
        bound: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Vec<ToldValue>> {
        let filler = filler.get();
        let mut values = Vec::new();
        for parameter in filler.parameters.iter().filter(|_| filler.looks_up) {
            if let Some(bound) = bound {
                if bound.contains(&parameter.name)? {
                    continue;
                }
            }
            for key in [&parameter.result_key, &parameter.name] {
                let value = self.value(py, stand, key.bind(py))?;
                let is_there = value.is_some();
                values.push((key.clone_ref(py), value));
                if is_there {
                    break; // nobody asks for the second
                }
            }
        }
        Ok(values)
    }

    fn previous(&self, py: Python<'_>, stand: Stand, cause: u32) -> PyResult<Option<Outgoing>> {
        let before = self.tasks.bind(py).get_item(cause as usize)?;
        if !before.get_type().is(&self.plain) && before.getattr(intern!(py, "is_group"))?.is_truthy()? {
            return Ok(None);
        }
        let name = self.names.bind(py).get_item(cause as usize)?.cast_into::<PyString>()?;
        self.value(py, stand, &result_key(&name)?)
    }

    /// Adds what the tasks before a task returned, which its body may well ask for, as far as that is at hand as bytes.
    fn add_results_before(&self, py: Python<'_>, node: u32, values: &mut Vec<ToldValue>) -> PyResult<()> {
        let before = self.scheduler.get().core.get().predecessors(node).map_err(mistake)?;
        if before.len() > MOST_BEFORE || !self.branches().root.live.bind(py).is_empty() {
            return Ok(());
        }
        for node in before {
            let name = self.names.bind(py).get_item(node as usize)?.cast_into::<PyString>()?;
            let key = result_key(&name)?;
            if values.iter().any(|(known, _)| known.bind(py).as_any().eq(&key).unwrap_or(false)) {
                continue;
            }
            let Ok(Some(raw)) = self.branches().root.raw(key.as_any())? else {
                continue;
            };
            if let Some(value) = self.at_hand(&raw)?.filter(|value| value.bytes().len() <= LARGEST_BEFORE) {
                values.push((key.unbind(), Some(value)));
            }
        }
        Ok(())
    }

    /// A value of the channel as bytes, if that takes no pickling.
    fn at_hand(&self, raw: &Bound<'_, PyAny>) -> PyResult<Option<Outgoing>> {
        if raw.get_type().is(&self.branches().loading.packed) {
            let data = raw.getattr(intern!(raw.py(), "data"))?;
            return Ok(Some(Outgoing::Python(data.extract()?)));
        }
        Ok(ScalarPickle::default().of(raw)?.map(|packed| Outgoing::Own(packed.to_vec())))
    }

    /// What an attempt sees under a key, as bytes; None for nothing.
    fn value(&self, py: Python<'_>, stand: Stand, key: &Bound<'_, PyString>) -> PyResult<Option<Outgoing>> {
        let mut branch = stand.branch;
        let mut is_known = !stand.has_record && self.branches().root.live.bind(py).is_empty();
        while is_known && branch != 0 {
            if self.branches().records.get().contains_key(&branch) {
                is_known = false;
                break;
            }
            let ledger = self.branches().ledger.get();
            match ledger.look(branch, key.to_str()?, &NodeNames(self.names.bind(py))) {
                Found::Value(value) => match Outgoing::of(value, py)? {
                    Some(found) => return Ok(Some(found)),
                    None => is_known = false,
                },
                Found::Absent => return Ok(None),
                Found::Unclear => is_known = false,
                Found::Below => match ledger.fork_of(branch) {
                    Some((fork, _)) => branch = fork.parent,
                    None => is_known = false,
                },
            }
        }
        if is_known && (self.versions.is_none() || stand.branch == 0) {
            match self.branches().root.raw(key.as_any())? {
                Ok(None) => return Ok(None),
                Ok(Some(raw)) => {
                    if let Some(value) = self.at_hand(&raw)? {
                        return Ok(Some(value));
                    }
                }
                Err(()) => {}
            }
        }
        let helper = self.helper(py)?;
        let found = if is_known && (self.versions.is_none() || stand.branch == 0) {
            helper.call_method1(intern!(py, "root_value"), (key,))?
        } else {
            helper.call_method1(intern!(py, "value"), (stand.ticket, stand.branch, key))?
        };
        let bytes: Option<PyBackedBytes> = found.extract()?;
        Ok(bytes.map(Outgoing::Python))
    }

    /// How often the task has started, the limits set by hand, and how many groups there are without a name.
    #[allow(clippy::too_many_arguments)] // one place, one call
    fn add_counts(
        &self,
        py: Python<'_>,
        helper: &Bound<'_, PyAny>,
        stand: Stand,
        (node, place): (u32, usize),
        name: &Bound<'_, PyString>,
        inject: bool,
        work: &mut Work<'_>,
    ) -> PyResult<()> {
        if stand.has_record && stand.branch != 0 {
            let told: (u32, Option<i64>, Option<i64>) =
                helper.call_method1(intern!(py, "counts"), (stand.branch, node, name))?.extract()?;
            (work.cycles, work.max_cycles, work.max_retries) = told;
            return Ok(());
        }
        if stand.branch != 0 {
            work.cycles = self.branches().ledger.get().count(stand.branch, node);
            return Ok(());
        }
        let base = self.names.bind(py).get_item(node as usize)?.cast_into::<PyString>()?;
        work.cycles = self.branches().root.count_of(node, &base)?;
        if inject {
            work.group_count = helper.getattr(intern!(py, "group_count"))?.extract()?;
        }
        let (max_cycles, max_retries) = {
            let mut plans = self.plans.get();
            let plan = plans.get(place);
            (plan.max_cycles, plan.max_retries)
        };
        let (cycles, retries) =
            (self.branches().root.cycle_limits.bind(py), self.branches().root.retry_limits.bind(py));
        if (!max_cycles && !cycles.is_empty()) || (!max_retries && !retries.is_empty()) {
            let told: (u32, Option<i64>, Option<i64>) =
                helper.call_method1(intern!(py, "counts"), (0, node, name))?.extract()?;
            (_, work.max_cycles, work.max_retries) = told;
        }
        Ok(())
    }
}

/// The payload of a chunk of a map.
#[pyfunction]
pub(crate) fn pack_chunk<'py>(
    py: Python<'py>,
    key: u64,
    view: u64,
    name: &str,
    bound: &[u8],
    chunk: &[u8],
) -> Bound<'py, pyo3::types::PyBytes> {
    let work = Work { key, view, name, bound, chunk: Some(chunk), ..Work::default() };
    pyo3::types::PyBytes::new(py, &work.write())
}
