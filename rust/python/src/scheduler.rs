//! `graflow_fast._core.Scheduler`: numbers in, numbers out. Decides nothing.
use graflow_scheduler::{Action, CallError, Config, Directive, Event, Micros, Scheduler, Standing, Work};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the schedulers of this process, so that no two runs of a warm pool share a ticket.
static SERIAL: AtomicU64 = AtomicU64::new(0);

pub(crate) type ActionTuple = (i64, i64, i64, i64, i64, i64, i64);
type DirectiveTuple = (u8, i64, i64);

const RUN: i64 = 0;
const FORK: i64 = 1;
const BRANCH_ENDED: i64 = 2;
const JOIN: i64 = 3;
const ABANDON: i64 = 4;
const FINISHED: i64 = 5;
const OVERRUN: i64 = 6;

const ENQUEUE: u8 = 0;
const GOTO: u8 = 1;
const ITERATE: u8 = 2;
const TERMINATE: u8 = 3;
const CANCEL: u8 = 4;

pub(crate) fn mistake(error: CallError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

pub(crate) fn micros(seconds: f64) -> Micros {
    (seconds * 1e6).round() as Micros
}

fn seconds(micros: Micros) -> f64 {
    micros as f64 / 1e6
}

fn optional(node: Option<u32>) -> i64 {
    node.map_or(-1, i64::from)
}

pub(crate) fn to_tuple(action: Action) -> ActionTuple {
    match action {
        Action::Run { ticket, node, branch, attempt, tag, cause } => {
            (RUN, ticket as i64, node.into(), branch as i64, attempt.into(), tag, optional(cause))
        }
        Action::Fork { ticket, node, branch, members, first, cause } => {
            (FORK, ticket as i64, node.into(), branch as i64, members.into(), first as i64, optional(cause))
        }
        Action::BranchEnded { ticket, node, branch, index, outcome } => {
            (BRANCH_ENDED, ticket as i64, node.into(), branch as i64, index.into(), outcome as i64, -1)
        }
        Action::Join { ticket, node, branch, members, first, stopped } => {
            (JOIN, ticket as i64, node.into(), branch as i64, members.into(), first as i64, stopped.into())
        }
        Action::Abandon { ticket, node, branch, attempt } => {
            (ABANDON, ticket as i64, node.into(), branch as i64, attempt.into(), 0, -1)
        }
        Action::Finished { reason, node, branch, ticket } => {
            (FINISHED, -1, optional(node), branch as i64, reason as i64, ticket as i64, -1)
        }
        Action::Overrun { node, branch } => (OVERRUN, -1, node.into(), branch as i64, 0, 0, -1),
    }
}

fn to_node(node: i64) -> PyResult<u32> {
    u32::try_from(node).map_err(|_| PyValueError::new_err(format!("there is no node {node}")))
}

fn to_directives(directives: Option<Vec<DirectiveTuple>>) -> PyResult<Vec<Directive>> {
    let convert = |(kind, node, tag): DirectiveTuple| match kind {
        ENQUEUE => Ok(Directive::Enqueue { node: to_node(node)?, tag }),
        GOTO => Ok(Directive::Goto { node: to_node(node)?, tag }),
        ITERATE => Ok(Directive::Iterate { tag }),
        TERMINATE => Ok(Directive::Terminate),
        CANCEL => Ok(Directive::Cancel),
        other => Err(PyValueError::new_err(format!("there is no directive {other}"))),
    };
    directives.unwrap_or_default().into_iter().map(convert).collect()
}

/// The pure workflow scheduler; see `docs/design.md`, section 1.
#[pyclass(name = "Scheduler", module = "graflow_fast._core")]
pub struct PyScheduler {
    pub(crate) core: Scheduler,
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
        core.set_serial(SERIAL.fetch_add(1, Ordering::Relaxed));
        Self { core }
    }

    #[pyo3(signature = (*, group = false, priority = 0, lane = 0))]
    fn add_node(&mut self, group: bool, priority: i32, lane: u32) -> PyResult<u32> {
        self.core.add_node(group, priority, lane).map_err(mistake)
    }

    fn add_nodes(&mut self, count: u32) -> PyResult<u32> {
        self.core.add_nodes(count).map_err(mistake)
    }

    fn add_edge(&mut self, source: u32, target: u32) -> PyResult<()> {
        self.core.add_edge(source, target).map_err(mistake)
    }

    fn set_options(&mut self, node: u32, priority: i32, lane: u32) -> PyResult<()> {
        self.core.set_options(node, priority, lane).map_err(mistake)
    }

    fn set_members(&mut self, group: u32, members: Vec<u32>) -> PyResult<()> {
        self.core.set_members(group, &members).map_err(mistake)
    }

    fn set_lane_limit(&mut self, lane: u32, limit: u32) {
        self.core.set_lane_limit(lane, limit);
    }

    fn renew_node(&mut self, node: u32) -> PyResult<bool> {
        self.core.renew_node(node).map_err(mistake)
    }

    fn start(&mut self, roots: Vec<u32>, now: f64) -> PyResult<()> {
        self.core.handle(Event::Start { roots: &roots }, micros(now)).map(drop).map_err(mistake)
    }

    fn resume(
        &mut self,
        queue: Vec<(u32, i64, i64)>,
        marks: Vec<(u32, u8)>,
        executions: Vec<(u32, u32)>,
        now: f64,
    ) -> PyResult<()> {
        let queue: Vec<Work> =
            queue.into_iter().map(|(node, tag, cause)| Work { node, tag, cause: u32::try_from(cause).ok() }).collect();
        let event = Event::Resume { queue: &queue, marks: &marks, executions: &executions };
        self.core.handle(event, micros(now)).map(drop).map_err(mistake)
    }

    fn next(&mut self, now: f64) -> Option<ActionTuple> {
        self.core.next(micros(now)).map(to_tuple)
    }

    fn complete(&mut self, ticket: i64, directives: Option<Vec<DirectiveTuple>>, now: f64) -> PyResult<bool> {
        let directives = to_directives(directives)?;
        self.core.complete(ticket as u64, &directives, micros(now)).map_err(mistake)
    }

    fn fail(&mut self, ticket: i64, retry_delay: Option<f64>, now: f64) -> bool {
        self.core.fail(ticket as u64, retry_delay.map(micros), micros(now))
    }

    fn deadline(&self) -> Option<f64> {
        self.core.deadline().map(seconds)
    }

    fn in_flight(&self) -> usize {
        self.core.in_flight()
    }

    fn finished(&self) -> bool {
        self.core.finished()
    }

    #[getter]
    fn steps(&self) -> u64 {
        self.core.steps()
    }

    fn executions(&self, node: u32) -> PyResult<u32> {
        self.core.executions(node).map_err(mistake)
    }

    fn pending_work(&self) -> Vec<(u32, i64, i64)> {
        self.core.pending_work().into_iter().map(|work| (work.node, work.tag, optional(work.cause))).collect()
    }

    fn edges(&self) -> Vec<(u32, u32)> {
        self.core.edges()
    }

    fn edge_marks(&self) -> Vec<(u32, u32)> {
        self.core.edge_marks().into_iter().map(|(edge, mark)| (edge, mark.into())).collect()
    }

    fn reaches(&self, branch: u64, node: u32) -> PyResult<bool> {
        self.core.reaches(branch, node).map_err(mistake)
    }

    fn successors(&self, node: u32) -> PyResult<Vec<u32>> {
        self.core.successors(node).map_err(mistake)
    }

    fn predecessors(&self, node: u32) -> PyResult<Vec<u32>> {
        self.core.predecessors(node).map_err(mistake)
    }

    fn explain(&self, node: u32) -> PyResult<(&'static str, Vec<u32>)> {
        self.core.explain(node).map(|(reason, related)| (reason.code(), related)).map_err(mistake)
    }

    fn standing(&self, node: u32) -> PyResult<&'static str> {
        self.core.standing(node).map(Standing::code).map_err(mistake)
    }

    fn check(&self) -> PyResult<()> {
        self.core.check().map_err(|broken| PyRuntimeError::new_err(broken.to_string()))
    }

    fn memory_bytes(&self) -> usize {
        self.core.memory_bytes()
    }
}
