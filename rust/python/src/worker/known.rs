//! What a worker knows of one definition, seen with one view of the channel.
//!
//! Owns that knowledge, as `_worker/tasks.py` gives it once for each. Must not know single tasks.
use std::sync::Arc;

use graflow_pool::ClaimTable;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};

use crate::body::filling::Filler;
use crate::worker::sight::Sight;
use graflow_wire::work::Work;

/// What holds for all bodies of this process.
pub(crate) struct Common {
    /// `crossing.loads`
    pub loads: Py<PyAny>,
    /// `(ticket, task id, start, definition's key, view's key, told)`: makes the full context of a body.
    pub make_context: Py<PyAny>,
    /// `graflow_fast._worker.tasks.Tasks`
    side: Py<PyAny>,
    classes: PyOnceLock<Classes>,
}

/// The classes that stand-ins stand for; imported when somebody asks.
#[derive(FromPyObject)]
pub(crate) struct Classes {
    /// The class of tasks made by `@task`.
    pub plain: Py<PyType>,
    pub context_class: Py<PyAny>,
    pub channel_class: Py<PyAny>,
}

/// One definition, seen with one view.
pub(crate) struct Known {
    pub view: u64,
    pub function: Py<PyAny>,
    pub inject: bool,
    pub filler: Py<Filler>,
    /// Whether it captures what it could change.
    pub is_watched: bool,
    /// Whether it captures generators of random numbers, which each task is to have for itself.
    pub has_streams: bool,
    /// How often its tasks may iterate; None for the run's default.
    max_cycles: Option<i64>,
    default_max_cycles: i64,
    /// Whether all tasks of the view see the same, so what is told with the view is told to each.
    pub is_shared: bool,
    scope_name: String,
    pub sight: Arc<Sight>,
    pub common: Arc<Common>,
}

/// As `_worker.tasks.Tasks.known` returns it.
#[derive(FromPyObject)]
pub(crate) struct Answer {
    function: Py<PyAny>,
    inject: bool,
    filler: Py<Filler>,
    watched: bool,
    has_streams: bool,
    max_cycles: Option<i64>,
    default_max_cycles: i64,
    shared: bool,
    scope_name: String,
    values: Py<PyDict>,
}

impl Answer {
    /// What bodies see of the values that were told with the view: definitions of one view share it.
    pub(crate) fn sight(
        &self,
        py: Python<'_>,
        latest: &mut Option<Arc<Sight>>,
        claims: Arc<ClaimTable>,
        common: &Common,
    ) -> Arc<Sight> {
        let known = latest.take().filter(|sight| sight.values.is(&self.values));
        let made = || Arc::new(Sight::new(py, claims, self.values.clone_ref(py), common.loads.clone_ref(py)));
        Arc::clone(latest.insert(known.unwrap_or_else(made)))
    }
}

impl Known {
    pub(crate) fn new(answer: Answer, view: u64, sight: Arc<Sight>, common: Arc<Common>) -> Self {
        Self {
            view,
            function: answer.function,
            inject: answer.inject,
            filler: answer.filler,
            is_watched: answer.watched,
            has_streams: answer.has_streams,
            max_cycles: answer.max_cycles,
            default_max_cycles: answer.default_max_cycles,
            is_shared: answer.shared,
            scope_name: answer.scope_name,
            sight,
            common,
        }
    }

    /// The id of the next iteration of a task; None at its limit. As `task_context.iteration_id` makes it.
    pub(crate) fn next_iteration(&self, work: &Work<'_>) -> Option<String> {
        let cycle = i64::from(work.cycles.max(1));
        let limit = self.max_cycles.or(work.max_cycles).unwrap_or(self.default_max_cycles);
        if cycle >= limit {
            return None;
        }
        let base = work.base.unwrap_or(work.name);
        let mut scope = self.scope_name.clone();
        if self.is_shared {
            scope.push('/');
            scope.push_str(work.member.unwrap_or(work.name));
        }
        let sum = crc32fast::hash(format!("{scope}/{base}/{cycle}/0").as_bytes());
        Some(format!("{base}_cycle_{cycle}_{sum:08x}"))
    }
}

impl Common {
    pub(crate) fn of(side: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self {
            loads: side.getattr("loads")?.unbind(),
            make_context: side.getattr("make_context")?.unbind(),
            side: side.clone().unbind(),
            classes: PyOnceLock::new(),
        })
    }

    pub(crate) fn classes(&self, py: Python<'_>) -> PyResult<&Classes> {
        self.classes.get_or_try_init(py, || self.side.bind(py).call_method0(intern!(py, "classes"))?.extract())
    }
}
