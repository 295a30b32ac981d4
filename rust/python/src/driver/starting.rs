//! Attempts on their way into the pool: counted, told of, handed over.
use std::sync::atomic::Ordering;

use graflow_pool::{Lane, Limits, Payload};
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::driver::actions::mistake;
use crate::driver::feed::{Feed, Tracked};
use crate::driver::pool::refused;
use crate::tables::slots::TaskSlots;

/// What a tag says of an activation: the task to run in place of the node's, an iteration's id and data, and the cause.
type Tag = (Option<Py<PyAny>>, Option<Py<PyString>>, Option<Py<PyAny>>, i64);

impl Feed {
    /// Starts an attempt `(ticket, node, branch)`, `(number, tag, cause)` if it runs in the pool; says whether it does.
    pub(crate) fn started(
        slf: &Bound<'_, Self>,
        (ticket, node, branch): (u64, u32, u64),
        (number, tag, cause): (u32, i64, Option<u32>),
    ) -> PyResult<bool> {
        let py = slf.py();
        let this = slf.get();
        let slots = TaskSlots::of(this.plain.bind(py))?;
        let (given, iteration, data, cause) = this.tag(py, tag, cause)?;
        let task = match &given {
            Some(given) => given.bind(py).clone(),
            None => this.tasks.bind(py).get_item(node as usize)?,
        };
        if !slots.is_plain(&task) {
            return Ok(false);
        }
        let definition = slots.definition.of_object(&task)?;
        let helper = this.helper(py)?;
        let place = this.plans.get().find(&helper, &definition)?;
        let group = this.group_place(py, &helper, branch)?;
        if !this.plans.get().get(place).is_in_pool(branch == 0, group) {
            return Ok(false);
        }
        let version = match &this.versions {
            Some(versions) if branch == 0 => Some(versions.bind(py).get().hold()),
            _ => None,
        };
        let tracked = Tracked {
            node,
            branch,
            cause,
            number,
            tag,
            given,
            iteration,
            data,
            version,
            has_handler: this.plans.get().get(place).has_handler,
            held: Vec::new(),
            is_attended: false,
            has_asked: false,
        };
        this.tracked.get().insert(ticket, tracked);
        this.count(py, &helper, place, (node, branch, number, tag))?;
        let listens = this.settings.listens;
        if (listens && (tag != 0 || number > 0)) || (version.is_some() && number > 0) {
            // A tracer is shown the attempt; one that is repeated beside others sees what it wrote before.
            helper.call_method1(intern!(py, "begun"), (ticket,))?;
        } else if listens {
            helper.call_method1(intern!(py, "shown"), (node, branch))?;
        }
        Self::sent(slf, ticket)?;
        Ok(true)
    }

    pub(crate) fn tag(&self, py: Python<'_>, tag: i64, cause: Option<u32>) -> PyResult<Tag> {
        if tag == 0 {
            return Ok((None, None, None, cause.map_or(-1, i64::from)));
        }
        let (given, iteration, data, caused): (_, _, _, Option<i64>) =
            self.helper(py)?.call_method1(intern!(py, "tag"), (tag,))?.extract()?;
        Ok((given, iteration, data, caused.unwrap_or_else(|| cause.map_or(-1, i64::from))))
    }

    /// Whether the group of a branch says that its members run in the pool.
    fn group_place(&self, py: Python<'_>, helper: &Bound<'_, PyAny>, branch: u64) -> PyResult<Option<bool>> {
        if branch == 0 {
            return Ok(None);
        }
        let known = {
            let groups = self.groups.get();
            groups.iter().rev().find(|group| group.first <= branch && branch < group.last).map(|group| group.in_pool)
        };
        match known {
            Some(in_pool) => Ok(in_pool),
            // A group that began before there was a pool.
            None => helper.call_method1(intern!(py, "group_in_pool"), (branch,))?.extract(),
        }
    }

    /// Counts the start of an attempt, and sets its definition's limits where somebody may ask for them.
    fn count(
        &self,
        py: Python<'_>,
        helper: &Bound<'_, PyAny>,
        place: usize,
        (node, branch, number, tag): (u32, u64, u32, i64),
    ) -> PyResult<()> {
        let failed = self.branches().root.failed.bind(py);
        if !failed.is_empty() && failed.contains(node)? {
            failed.del_item(node)?;
        }
        let has_record = branch != 0 && {
            let is_known = self.branches().records.get().contains_key(&branch);
            is_known || !self.knows(branch)
        };
        if has_record {
            return helper.call_method1(intern!(py, "count"), (branch, node, number, tag)).map(drop);
        }
        if branch != 0 {
            if number == 0 {
                self.branches().ledger.get().begin(branch, node);
            }
            return Ok(());
        }
        let name = self.names.bind(py).get_item(node as usize)?.cast_into::<PyString>()?;
        if self.plans.get().get(place).has_limits || !self.branches().root.limited_by.bind(py).is_empty() {
            helper.call_method1(intern!(py, "limit"), (node, tag))?;
        }
        let retries = self.branches().root.retry_counts.bind(py);
        if number == 0 {
            self.branches().root.start(node, &name)?;
            if !retries.is_empty() && retries.contains(&name)? {
                retries.del_item(&name)?;
            }
        } else {
            helper.call_method1(intern!(py, "count"), (branch, node, number, tag))?;
        }
        Ok(())
    }

    /// Hands a tracked attempt to the pool; what can't be sent fails the attempt.
    pub(crate) fn sent(slf: &Bound<'_, Self>, ticket: u64) -> PyResult<()> {
        let py = slf.py();
        let this = slf.get();
        match this.told(py, ticket) {
            Ok((payload, place, view)) => {
                let lane = this.lane(ticket)?;
                let mut plans = this.plans.get();
                let plan = plans.get(place);
                let limits = Limits { lane, ..plan.limits };
                let keys = plan.keys_with(view);
                this.scheduler.get().note_sent(ticket);
                let mut reactor = this.pool.get().lock()?;
                reactor.submit(ticket, Payload::from_vec(payload), keys, limits).map_err(refused)?;
                if let Some(Lane { number, workers }) = lane {
                    // As far ahead as keeps busy those who may run them, and no further: others need room as well.
                    let ahead = workers.saturating_mul(reactor.ahead(keys[0]) as u32 + 1);
                    this.scheduler.get().core.get().send_ahead(number, ahead);
                }
                Ok(())
            }
            Err(error) if error.is_instance_of::<PyException>(py) => {
                this.helper(py)?.call_method1(intern!(py, "unsendable"), (ticket, error.value(py))).map(drop)
            }
            Err(error) => Err(error),
        }
    }

    /// The lane of an attempt, if the pool may see to its limit: then as many wait in workers as keep these busy.
    ///
    /// Only a member's: what a task of the workflow's own branch sees is fixed when it is sent, and it may have to see what
    /// the one before it in its lane has written.
    fn lane(&self, ticket: u64) -> PyResult<Option<Lane>> {
        let member = self.tracked.get().get(&ticket).filter(|tracked| tracked.branch != 0).map(|tracked| tracked.node);
        let Some(node) = member.filter(|_| self.sends_ahead.load(Ordering::Relaxed)) else {
            return Ok(None);
        };
        let found = self.scheduler.get().core.get().lane_limit(node).map_err(mistake)?;
        Ok(found.map(|(number, limit)| Lane { number, workers: limit }))
    }

    /// The bound arguments of a task, if it has any.
    pub(crate) fn bound<'py>(task: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let bound = crate::tables::arguments::bound_of(task)?;
        Ok((!bound.is_empty()).then_some(bound))
    }
}
