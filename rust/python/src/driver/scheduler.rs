//! `graflow_fast._core.Scheduler`: numbers in, numbers out. Decides nothing.
use graflow_progress::Display;
use graflow_record::Recorder;
use graflow_scheduler::{Config, End, Entry, Event, Micros, Scheduler, Standing, StopReason, Work};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::Arc;

use crate::driver::actions::{
    micros, mistake, optional, seconds, to_directives, to_tuple, ActionTuple, DirectiveTuple, ABANDON, BRANCH_ENDED,
    CANCEL, ENQUEUE, FINISHED, FORK, GOTO, ITERATE, JOIN, OVERRUN, RUN, TERMINATE,
};
use crate::locked::Locked;

/// Counts the blocks of tickets that the schedulers of this process took, so that no two runs share a ticket.
static BLOCK: AtomicU64 = AtomicU64::new(0);

/// The pure workflow scheduler; see `docs/design.md`, section 1.
#[pyclass(frozen, name = "Scheduler", module = "graflow_fast._core")]
pub struct PyScheduler {
    pub(crate) core: Locked<Scheduler>,
    /// Whether somebody in another thread waits for the driver to look around.
    pub(crate) is_called: AtomicBool,
    /// Whether there is a recorder or a display.
    is_recorded: AtomicBool,
    /// Whether there is a display, which must hear of a body before it begins.
    is_shown: AtomicBool,
    /// What makes the rows of the run's record, None when nobody wants one.
    recorder: Locked<Option<Recorder>>,
    /// Room for entries of the scheduler's history, empty between two takings.
    room: Locked<Vec<Entry>>,
    /// What shows the run while it goes, None when nobody looks.
    display: Locked<Option<Arc<Display>>>,
}

impl PyScheduler {
    /// Whether somebody wants to know of attempts.
    #[inline]
    pub(crate) fn is_recorded(&self) -> bool {
        self.is_recorded.load(Ordering::Relaxed)
    }

    /// Has what has happened become rows, and counts that are shown.
    #[inline]
    pub(crate) fn record(&self) {
        if self.is_recorded() {
            // Held before the history is taken: who takes the next part of it must not come first.
            let (mut recorder, display) = (self.recorder.get(), self.display.get());
            let mut room = self.room.get();
            let (mut entries, nodes) = {
                let mut core = self.core.get();
                (core.exchange_history(std::mem::take(&mut room)), core.node_count())
            };
            if let Some(recorder) = &mut *recorder {
                recorder.take_in(&entries);
            }
            if let Some(display) = &*display {
                let mut tally = display.tally();
                tally.take_in(&entries);
                tally.set_nodes(nodes, entries.last().map_or(0, |entry| entry.at));
            }
            entries.clear();
            *room = entries;
        }
    }

    /// Tells the display, if there is one, what has happened: a body is about to run for who knows how long.
    #[inline]
    pub(crate) fn show(&self) {
        if self.is_shown.load(Ordering::Relaxed) {
            self.record();
        }
    }

    /// An attempt was handed to the pool.
    #[inline]
    pub(crate) fn note_sent(&self, ticket: u64) {
        if self.is_shown.load(Ordering::Relaxed) {
            self.record();
            if let Some(display) = &*self.display.get() {
                display.tally().sent(ticket);
            }
        }
    }

    /// A display shows the run from now on, or (`None`) no longer.
    pub(crate) fn set_display(&self, display: Option<Arc<Display>>) {
        let is_shown = display.is_some();
        if is_shown {
            self.core.get().keep_history();
        }
        let before = std::mem::replace(&mut *self.display.get(), display);
        let is_recorded = is_shown || self.recorder.get().is_some();
        self.is_shown.store(is_shown, Ordering::Relaxed);
        self.is_recorded.store(is_recorded, Ordering::Relaxed);
        drop(before);
    }

    /// The body of an attempt has run on a worker between these times, in microseconds.
    #[inline]
    pub(crate) fn note_body(&self, ticket: u64, worker: i32, started: Micros, ended: Micros) {
        if self.is_recorded() {
            if let Some(recorder) = &mut *self.recorder.get() {
                recorder.ran(ticket, worker, started, ended);
            }
            if let Some(display) = &*self.display.get() {
                display.tally().ran(ticket, started, ended);
            }
        }
    }
}

#[pymethods]
impl PyScheduler {
    #[classattr]
    const RUN: i64 = RUN;
    #[classattr]
    const FORK: i64 = FORK;
    #[classattr]
    const BRANCH_ENDED: i64 = BRANCH_ENDED;
    #[classattr]
    const JOIN: i64 = JOIN;
    #[classattr]
    const ABANDON: i64 = ABANDON;
    #[classattr]
    const FINISHED: i64 = FINISHED;
    #[classattr]
    const OVERRUN: i64 = OVERRUN;
    #[classattr]
    const ENQUEUE: u8 = ENQUEUE;
    #[classattr]
    const GOTO: u8 = GOTO;
    #[classattr]
    const ITERATE: u8 = ITERATE;
    #[classattr]
    const TERMINATE: u8 = TERMINATE;
    #[classattr]
    const CANCEL: u8 = CANCEL;

    #[new]
    #[pyo3(signature = (*, parallel = false, max_steps = None, execution_limit = 10_000, cancel_grace = 0.2))]
    fn new(parallel: bool, max_steps: Option<u64>, execution_limit: u32, cancel_grace: f64) -> Self {
        let config = Config { parallel, max_steps, execution_limit, cancel_grace: micros(cancel_grace) };
        let mut core = Scheduler::new(config);
        core.take_ticket_blocks_from(|| BLOCK.fetch_add(1, Ordering::Relaxed));
        Self {
            core: Locked::new(core),
            is_called: AtomicBool::new(false),
            is_recorded: AtomicBool::new(false),
            is_shown: AtomicBool::new(false),
            recorder: Locked::new(None),
            room: Locked::new(Vec::new()),
            display: Locked::new(None),
        }
    }

    #[pyo3(signature = (*, group = false, priority = 0, lane = 0))]
    fn add_node(&self, group: bool, priority: i32, lane: u32) -> PyResult<u32> {
        self.core.get().add_node(group, priority, lane).map_err(mistake)
    }

    fn add_nodes(&self, count: u32) -> PyResult<u32> {
        self.core.get().add_nodes(count).map_err(mistake)
    }

    fn add_edge(&self, source: u32, target: u32) -> PyResult<()> {
        self.core.get().add_edge(source, target).map_err(mistake)
    }

    fn set_options(&self, node: u32, priority: i32, lane: u32) -> PyResult<()> {
        self.core.get().set_options(node, priority, lane).map_err(mistake)
    }

    fn set_members(&self, group: u32, members: Vec<u32>) -> PyResult<()> {
        self.core.get().set_members(group, &members).map_err(mistake)
    }

    fn set_lane_limit(&self, lane: u32, limit: u32) {
        self.core.get().set_lane_limit(lane, limit);
    }

    fn set_resource(&self, resource: u32, total: u64) {
        self.core.get().set_resource(resource, total);
    }

    fn set_lane_demand(&self, lane: u32, demand: Vec<(u32, u64)>) {
        self.core.get().set_lane_demand(lane, &demand);
    }

    fn renew_node(&self, node: u32) -> PyResult<bool> {
        self.core.get().renew_node(node).map_err(mistake)
    }

    fn start(&self, roots: Vec<u32>, now: f64) -> PyResult<()> {
        self.core.get().handle(Event::Start { roots: &roots }, micros(now)).map(drop).map_err(mistake)
    }

    fn resume(
        &self,
        queue: Vec<(u32, i64, i64)>,
        marks: Vec<(u32, u8)>,
        executions: Vec<(u32, u32)>,
        now: f64,
    ) -> PyResult<()> {
        let queue: Vec<Work> =
            queue.into_iter().map(|(node, tag, cause)| Work { node, tag, cause: u32::try_from(cause).ok() }).collect();
        let event = Event::Resume { queue: &queue, marks: &marks, executions: &executions };
        self.core.get().handle(event, micros(now)).map(drop).map_err(mistake)
    }

    fn next(&self, now: f64) -> Option<ActionTuple> {
        let action = self.core.get().next(micros(now)).map(to_tuple);
        self.show();
        action
    }

    fn complete(&self, ticket: i64, directives: Option<Vec<DirectiveTuple>>, now: f64) -> PyResult<bool> {
        let directives = to_directives(directives)?;
        self.core.get().complete(ticket as u64, &directives, micros(now)).map_err(mistake)
    }

    fn fail(&self, ticket: i64, retry_delay: Option<f64>, now: f64) -> bool {
        self.core.get().fail(ticket as u64, retry_delay.map(micros), micros(now))
    }

    /// Ends the run before anything else starts; false when it has ended, or is about to.
    fn stop(&self, cancels: bool) -> bool {
        self.core.get().stop(if cancels { StopReason::Cancelled } else { StopReason::Terminated })
    }

    /// Lets the driver, which may be waiting for the pool, look around.
    fn call(&self) {
        self.is_called.store(true, Ordering::SeqCst);
    }

    /// Rows are made of attempts from now on.
    fn begin_record(&self, now: f64) {
        self.core.get().keep_history();
        *self.recorder.get() = Some(Recorder::new(micros(now)));
        self.is_recorded.store(true, Ordering::Relaxed);
    }

    /// The body of an attempt has run on a worker (negative: another place) between these times.
    fn ran(&self, ticket: i64, worker: i32, started: f64, ended: f64) {
        self.note_body(ticket as u64, worker, micros(started), micros(ended));
    }

    /// Items of a map have run together, `ticket`, on a node in a branch; in this process they took so many seconds.
    fn chunk_ran(&self, ticket: i64, node: u32, branch: u64, failed: bool, seconds: f64, now: f64) {
        if let Some(recorder) = &mut *self.recorder.get() {
            let end = if failed { End::Retried } else { End::Completed };
            recorder.chunk(ticket as u64, (node, branch), end, micros(now - seconds), micros(now));
        }
    }

    /// The rows since the last call, as chunks for `read_rows`; `now`: the last ones, of what is under way too.
    #[pyo3(signature = (now = None))]
    fn take_rows<'py>(&self, py: Python<'py>, now: Option<f64>) -> Vec<Bound<'py, PyBytes>> {
        self.record();
        let chunks = match &mut *self.recorder.get() {
            None => Vec::new(),
            Some(recorder) => {
                if let Some(now) = now {
                    recorder.finish(micros(now));
                }
                recorder.take()
            }
        };
        chunks.iter().map(|chunk| PyBytes::new(py, chunk)).collect()
    }

    /// How many rows were made so far; None when nobody wants a record.
    fn rows_made(&self) -> Option<u64> {
        self.record();
        self.recorder.get().as_ref().map(Recorder::made)
    }

    /// How many attempts have completed, failed for good, failed to be tried again, been abandoned, and are under way.
    fn record_counts(&self) -> Option<(u64, u64, u64, u64, usize)> {
        self.record();
        let held = self.recorder.get();
        let recorder = held.as_ref()?;
        let [completed, failed, retried, abandoned] = recorder.counts();
        Some((completed, failed, retried, abandoned, recorder.under_way()))
    }

    fn deadline(&self) -> Option<f64> {
        self.core.get().deadline().map(seconds)
    }

    /// Whether a report on this ticket would count.
    fn knows(&self, ticket: i64) -> bool {
        self.core.get().knows(ticket as u64)
    }

    fn in_flight(&self) -> usize {
        self.core.get().in_flight()
    }

    fn finished(&self) -> bool {
        self.core.get().finished()
    }

    #[getter]
    fn steps(&self) -> u64 {
        self.core.get().steps()
    }

    fn executions(&self, node: u32) -> PyResult<u32> {
        self.core.get().executions(node).map_err(mistake)
    }

    #[pyo3(signature = (first=0))]
    fn pending_work(&self, first: usize) -> Vec<(u32, i64, i64)> {
        let waiting = self.core.get().pending_from(first);
        waiting.into_iter().map(|work| (work.node, work.tag, optional(work.cause))).collect()
    }

    #[getter]
    fn pending_count(&self) -> usize {
        self.core.get().pending_count()
    }

    fn edges(&self) -> Vec<(u32, u32)> {
        self.core.get().edges()
    }

    fn edges_from(&self, first: u32) -> Vec<(u32, u32)> {
        self.core.get().edges_from(first)
    }

    fn skipped(&self) -> Vec<u32> {
        self.core.get().skipped()
    }

    fn edge_marks(&self) -> Vec<(u32, u32)> {
        self.core.get().edge_marks().into_iter().map(|(edge, mark)| (edge, mark.into())).collect()
    }

    fn reaches(&self, branch: u64, node: u32) -> PyResult<bool> {
        self.core.get().reaches(branch, node).map_err(mistake)
    }

    fn successors(&self, node: u32) -> PyResult<Vec<u32>> {
        self.core.get().successors(node).map_err(mistake)
    }

    fn predecessors(&self, node: u32) -> PyResult<Vec<u32>> {
        self.core.get().predecessors(node).map_err(mistake)
    }

    fn explain(&self, node: u32) -> PyResult<(&'static str, Vec<u32>)> {
        self.core.get().explain(node).map(|(reason, related)| (reason.code(), related)).map_err(mistake)
    }

    fn standing(&self, node: u32) -> PyResult<&'static str> {
        self.core.get().standing(node).map(Standing::code).map_err(mistake)
    }

    fn check(&self) -> PyResult<()> {
        self.core.get().check().map_err(|broken| PyRuntimeError::new_err(broken.to_string()))
    }
}
