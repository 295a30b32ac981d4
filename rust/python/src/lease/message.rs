//! What the worker of a step is told, as `graflow_fast._worker.tasks` reads it.
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::Value;
use crate::pickle::{self, Writer};

/// A step that goes with another one.
pub(super) struct FollowUp {
    pub name: Py<PyString>,
    pub key: u64,
    pub bound: Option<Vec<u8>>,
    pub count: i64,
}

/// A step, and those that go with it.
pub(super) struct Message<'a> {
    pub name: &'a str,
    pub key: u64,
    pub view: u64,
    /// The pickle of what is bound, None for nothing.
    pub bound: Option<&'a [u8]>,
    /// The task's own id when this is an iteration of it.
    pub base: Option<&'a str>,
    /// What the iteration was given.
    pub call: Option<&'a [u8]>,
    /// How often the task has started, this time included.
    pub count: i64,
    pub group_count: i64,
    pub values: &'a [(Py<PyString>, Value)],
    /// The result of the task before.
    pub previous: Option<&'a [u8]>,
    pub inject: bool,
    /// Those that go with it, when it is a lease.
    pub follow_ups: Option<&'a Vec<FollowUp>>,
}

impl Message<'_> {
    pub fn write(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        let mut out = Writer::new(64 + 48 * self.follow_ups.map_or(0, Vec::len));
        out.open_tuple();
        out.text(self.name);
        out.number(pickle::signed(self.key)?);
        out.number(pickle::signed(self.view)?);
        out.optional(self.bound);
        if self.says_more() {
            out.open_dict();
            self.write_more(py, &mut out)?;
            out.close_dict();
        } else {
            out.none();
        }
        out.close_tuple();
        Ok(out.finish())
    }

    fn says_more(&self) -> bool {
        self.inject
            || self.follow_ups.is_some()
            || self.group_count > 0
            || !self.values.is_empty()
            || self.previous.is_some()
            || self.base.is_some()
    }

    fn write_more(&self, py: Python<'_>, out: &mut Writer) -> PyResult<()> {
        if let Some(base) = self.base {
            out.text("base");
            out.text(base);
        }
        if let Some(call) = self.call {
            out.text("call");
            out.bytes(call);
        }
        if self.count > 1 {
            out.text("cycles");
            out.number(self.count);
        }
        if self.group_count > 0 {
            out.text("group_count");
            out.number(self.group_count);
        }
        out.text("values");
        out.open_dict();
        for (key, value) in self.values {
            out.text(key.bind(py).to_str()?);
            match value {
                Value::Packed(bytes) => out.bytes(bytes),
                Value::Absent | Value::Unfit => out.none(),
            }
        }
        out.close_dict();
        if let Some(previous) = self.previous {
            out.text("previous");
            out.bytes(previous);
        }
        if let Some(steps) = self.follow_ups {
            out.text("lease");
            out.open_list();
            for step in steps {
                out.open_tuple();
                out.text(step.name.bind(py).to_str()?);
                out.number(pickle::signed(step.key)?);
                out.optional(step.bound.as_deref());
                out.number(step.count);
                out.close_tuple();
            }
            out.close_list();
        }
        Ok(())
    }
}
