//! Reports applied: what a body said, wrote and asked for, in one step with its result, and then the scheduler hears of it.
//!
//! The place where effects of bodies in the pool take effect. What needs the user's objects or policies is Python's part.
use graflow_ledger::{Effects, Operation, Write};
use graflow_pool::Reactor;
use graflow_scheduler::Directive;
use pyo3::exceptions::{PyException, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};

use crate::driver::actions::mistake;
use crate::driver::feed::{Feed, Tracked};
use crate::driver::next_tasks::add_tasks;
use crate::driver::root::{now, write_to};
use crate::driver::value::Value;
use crate::tables::values::result_key;
use crate::worker::packing::TEXT_KINDS;
use graflow_wire::record::{Asked, Record, FAILED};

fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok()
}

/// When a body began and ended, in seconds of the monotonic clock.
type Times = (f64, f64);

impl Feed {
    /// Applies a report; false if nobody knows the attempt any more.
    pub(crate) fn applied(
        slf: &Bound<'_, Self>,
        ticket: u64,
        flags: u32,
        times: Times,
        result: &[u8],
        record: &[u8],
        written: Option<Bound<'_, PyAny>>,
    ) -> PyResult<bool> {
        let py = slf.py();
        let this = slf.get();
        let Some((branch, node)) = this.tracked.get().get(&ticket).map(|found| (found.branch, found.node)) else {
            return Ok(false);
        };
        let Some(record) = Record::read(record) else {
            return Err(PyValueError::new_err(format!("the report of ticket {ticket} can't be read")));
        };
        let result = this.branches().loading.value(py, result)?;
        let writes = match this.writes(py, &record) {
            Ok(writes) => writes,
            Err(error) if error.is_instance_of::<PyException>(py) && flags & FAILED == 0 => {
                this.helper(py)?.call_method1(intern!(py, "unreadable"), (ticket, error.value(py)))?;
                return Ok(true);
            }
            Err(error) => return Err(error),
        };
        if !record.said.is_empty() || written.is_some() {
            this.say(py, (ticket, branch), &record, written)?;
        }
        if flags & FAILED != 0 {
            this.fail(py, ticket, times, &writes, &record)?;
            return Ok(true);
        }
        let attempt = (ticket, node, branch);
        let directives =
            if this.is_pythons(py, ticket, branch)? { None } else { this.directives(py, attempt, &record)? };
        match directives {
            Some((directives, added)) => this.complete(py, ticket, times, result, writes, &directives, added)?,
            None => this.complete_in_python(py, ticket, times, &result, &writes, &record)?,
        }
        Ok(true)
    }

    /// The writes of a record. Items that lists grow by are loaded before anything is written: all of a log or nothing.
    fn writes(&self, py: Python<'_>, record: &Record<'_>) -> PyResult<Vec<Write<Value>>> {
        record
            .writes
            .iter()
            .map(|write| {
                let mut write = self.branches().loading.write(py, write)?;
                if matches!(write.operation, Operation::Append | Operation::Prepend) {
                    if let Some(value) = &mut write.value {
                        self.branches().loading.load_now(py, value)?;
                    }
                }
                Ok(write)
            })
            .collect()
    }

    /// Whether Python completes an attempt: results are forgotten, or there is a record of it or of its branch.
    fn is_pythons(&self, py: Python<'_>, ticket: u64, branch: u64) -> PyResult<bool> {
        if self.settings.forgets && branch == 0 {
            return Ok(true);
        }
        if branch != 0 {
            return Ok(self.branches().records.get().contains_key(&branch) || !self.knows(branch));
        }
        let is_other = self.tracked.get().get(&ticket).is_some_and(|tracked| tracked.given.is_some());
        if is_other && !self.branches().root.limited_by.bind(py).is_empty() {
            return Ok(true); // it may leave limits behind that are not those of the name's own task
        }
        let running = self.branches().root.running.bind(py);
        let may_be_known = self.settings.listens || self.versions.is_some();
        Ok(may_be_known && !running.is_empty() && running.contains(ticket)?)
    }

    fn say(
        &self,
        py: Python<'_>,
        (ticket, branch): (u64, u64),
        record: &Record<'_>,
        written: Option<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let pieces = PyList::empty(py);
        let mut rest = record.said.iter().peekable();
        while let Some((kind, content)) = rest.next() {
            let content = match std::str::from_utf8(content) {
                Ok(text) if *kind < TEXT_KINDS => {
                    // What was printed in a row is one piece, unless the pieces were counted that have been shown.
                    let mut text = std::borrow::Cow::Borrowed(text);
                    while let Some((_, more)) =
                        rest.next_if(|(next, more)| !self.settings.counts_pieces && next == kind && is_text(more))
                    {
                        text.to_mut().push_str(std::str::from_utf8(more).unwrap_or_default());
                    }
                    PyString::new(py, &text).into_any()
                }
                _ => self.branches().loading.load.bind(py).call1((PyBytes::new(py, content),))?,
            };
            pieces.append((kind, content))?;
        }
        self.helper(py)?.call_method1(intern!(py, "say"), (ticket, branch, pieces, written)).map(drop)
    }

    /// An attempt has failed: what it wrote stays visible to its own next one; what becomes of it is a matter of policies.
    fn fail(
        &self,
        py: Python<'_>,
        ticket: u64,
        times: Times,
        writes: &[Write<Value>],
        record: &Record<'_>,
    ) -> PyResult<()> {
        let helper = self.helper(py)?;
        let attempt = self.write_in_python(py, &helper, ticket, times, writes)?;
        self.untrack(py, ticket);
        let (error, trace) = record.error.unwrap_or_default();
        let error = (PyBytes::new(py, error), PyBytes::new(py, trace));
        helper.call_method1(intern!(py, "failed"), (attempt, error)).map(drop)
    }

    fn complete_in_python(
        &self,
        py: Python<'_>,
        ticket: u64,
        times: Times,
        result: &Value,
        writes: &[Write<Value>],
        record: &Record<'_>,
    ) -> PyResult<()> {
        let helper = self.helper(py)?;
        let attempt = self.write_in_python(py, &helper, ticket, times, writes)?;
        self.untrack(py, ticket);
        let asked = PyList::empty(py);
        for wish in &record.asked {
            match wish {
                Asked::Next { goto, definition, name, bound } => {
                    let bound = (!bound.is_empty()).then(|| PyBytes::new(py, bound));
                    asked.append(("next", (definition, name, bound), goto))?;
                }
                Asked::Made { goto, task, .. } => asked.append(("next", PyBytes::new(py, task), goto))?,
                Asked::Iterate { name, data } => {
                    asked.append(("iterate", name, data.map(|data| PyBytes::new(py, data))))?;
                }
                Asked::Other(bytes) => asked.append(PyBytes::new(py, bytes))?,
            }
        }
        let result = self.branches().loading.kept(py, result)?;
        helper.call_method1(intern!(py, "returned"), (attempt, result, asked)).map(drop)
    }

    /// Does writes on the channel that Python has for an attempt; returns the attempt.
    fn write_in_python<'py>(
        &self,
        py: Python<'py>,
        helper: &Bound<'py, PyAny>,
        ticket: u64,
        times: Times,
        writes: &[Write<Value>],
    ) -> PyResult<Bound<'py, PyAny>> {
        let attempt = helper.call_method1(intern!(py, "ended"), (ticket, times))?;
        if !writes.is_empty() {
            let channel = attempt.getattr(intern!(py, "branch"))?.getattr(intern!(py, "channel"))?;
            for write in writes {
                let key = self.branches().loading.key(py, &write.key)?;
                if write.operation == Operation::Clear || !self.branches().root.is_live(&key)? {
                    write_to(py, &channel, &self.branches().root.live, &self.branches().loading, write, key)?;
                }
            }
        }
        Ok(attempt)
    }

    fn untrack(&self, py: Python<'_>, ticket: u64) -> Option<Tracked> {
        let found = self.tracked.get().remove(&ticket);
        if let (Some(versions), Some(version)) = (&self.versions, found.as_ref().and_then(|found| found.version)) {
            versions.bind(py).get().release(version);
        }
        let running = self.branches().root.running.bind(py);
        if !running.is_empty() {
            let _ = running.del_item(ticket); // it is there only if Python knows of it
        }
        found
    }

    /// What a body asked for, in the scheduler's terms, and the nodes that it added; None if Python has to look at it.
    #[allow(clippy::type_complexity)]
    fn directives(
        &self,
        py: Python<'_>,
        (ticket, node, branch): (u64, u32, u64),
        record: &Record<'_>,
    ) -> PyResult<Option<(Vec<Directive>, Vec<u32>)>> {
        if record.asked.is_empty() {
            return Ok(Some((Vec::new(), Vec::new())));
        }
        if self.settings.listens {
            return Ok(None); // a tracer is told what was asked for
        }
        let is_given = self.tracked.get().get(&ticket).is_some_and(|found| found.given.is_some());
        let is_simple = record.asked.iter().all(|wish| match wish {
            Asked::Next { goto, .. } | Asked::Made { goto, .. } => !goto,
            Asked::Iterate { .. } => !is_given,
            Asked::Other(_) => false,
        });
        if !is_simple {
            return Ok(None);
        }
        let names = self.names.bind(py);
        let around = {
            let groups = self.groups.get();
            let group = groups.iter().rev().find(|group| group.first <= branch && branch < group.last);
            group.map(|group| group.around.clone_ref(py))
        };
        let own = self.branches().ledger.get().added(branch);
        let made =
            self.next.get().make(py, &record.asked, around.as_ref().map(|around| around.bind(py)), &own, names)?;
        let Some(made) = made else {
            return Ok(None);
        };
        let tasks = self.tasks.bind(py);
        let added = add_tasks(self.scheduler.get(), names, tasks, made)?;
        if branch == 0 {
            added.iter().try_for_each(|node| self.branches().adopt(py, *node))?;
        }
        let mut nodes = added.iter();
        let mut directives = Vec::with_capacity(record.asked.len());
        for wish in &record.asked {
            if let Asked::Iterate { name, data } = wish {
                let cause = self.tracked.get().get(&ticket).map_or(-1, |found| found.cause);
                let data = match data {
                    None => None,
                    Some(data) => Some(self.branches().loading.boxed(py, data)?),
                };
                let tag = self.helper(py)?.call_method1(intern!(py, "new_tag"), (name, data, cause))?.extract()?;
                directives.push(Directive::Iterate { tag });
            } else if let Some(node) = nodes.next() {
                directives.push(Directive::Enqueue { node: *node, tag: 0 });
            }
        }
        let _ = node;
        Ok(Some((directives, added)))
    }

    #[allow(clippy::too_many_arguments)] // all that there is to an end
    fn complete(
        &self,
        py: Python<'_>,
        ticket: u64,
        times: Times,
        result: Value,
        writes: Vec<Write<Value>>,
        directives: &[Directive],
        added: Vec<u32>,
    ) -> PyResult<()> {
        let Some(tracked) = self.untrack(py, ticket) else {
            return Ok(());
        };
        let iteration = tracked.iteration.as_ref().map(|name| name.bind(py).to_str().map(Box::from)).transpose()?;
        if tracked.tag != 0 {
            self.helper(py)?.call_method1(intern!(py, "drop_tag"), (tracked.tag,))?;
        }
        if tracked.branch == 0 {
            self.complete_in_root(py, &tracked, times, &result, &writes)?;
        } else {
            let effects = Effects { result, iteration, writes, added };
            self.branches().ledger.get().apply(tracked.branch, tracked.node, effects);
        }
        if self.settings.listens {
            self.helper(py)?.call_method1(intern!(py, "shown_end"), (tracked.node, tracked.branch, times))?;
        }
        let now = Reactor::now() / 1000;
        self.scheduler.get().core.get().complete(ticket, directives, now).map(drop).map_err(mistake)
    }

    fn complete_in_root(
        &self,
        py: Python<'_>,
        tracked: &Tracked,
        (started, ended): Times,
        result: &Value,
        writes: &[Write<Value>],
    ) -> PyResult<()> {
        let versions = self.versions.as_ref().map(|versions| versions.bind(py).get());
        for write in writes {
            if let Some(versions) = versions {
                versions.note(
                    crate::driver::value::name_of(write.operation),
                    &self.branches().loading.key(py, &write.key)?,
                )?;
            }
            self.branches().root.write(py, &self.branches().loading, write)?;
        }
        let base = self.names.bind(py).get_item(tracked.node as usize)?.cast_into::<PyString>()?;
        let name = tracked.iteration.as_ref().map_or(&base, |name| name.bind(py)).clone();
        let value = self.branches().loading.kept(py, result)?;
        for name in std::iter::once(&name).chain(tracked.iteration.is_some().then_some(&base)) {
            if let Some(versions) = versions {
                versions.note("set", result_key(name)?.as_any())?;
            }
            self.branches().root.result(name, value.clone())?;
        }
        let helper = self.helper(py)?;
        if tracked.iteration.is_some() {
            helper.call_method1(intern!(py, "mark_completed"), (&name,))?;
        } else {
            self.branches().root.complete(tracked.node, &name)?;
        }
        helper.getattr(intern!(py, "run"))?.setattr(intern!(py, "last_result"), value)?;
        if let Some(times) = &self.branches().root.times {
            let offset = now() - Reactor::now() as f64 / 1e9;
            let (started, ended) = (started + offset, ended + offset);
            if tracked.has_handler {
                helper.call_method1(intern!(py, "note"), (&name, started, ended, tracked.node))?;
            } else {
                times.get().note(name.as_any(), started, ended);
            }
        }
        Ok(())
    }
}
