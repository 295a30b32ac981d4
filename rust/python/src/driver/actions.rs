//! The scheduler's actions and directives as numbers, which Python reads and writes. Decides nothing; holds no state.
use graflow_scheduler::{Action, CallError, Directive, Micros};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Kind, ticket, node, branch, and what else the kind has; see `_actions.py`.
pub(crate) type ActionTuple = (i64, i64, i64, i64, i64, i64, i64);
/// Kind, node, tag.
pub(crate) type DirectiveTuple = (u8, i64, i64);

pub(crate) const RUN: i64 = 0;
pub(crate) const FORK: i64 = 1;
pub(crate) const BRANCH_ENDED: i64 = 2;
pub(crate) const JOIN: i64 = 3;
pub(crate) const ABANDON: i64 = 4;
pub(crate) const FINISHED: i64 = 5;
pub(crate) const OVERRUN: i64 = 6;

pub(crate) const ENQUEUE: u8 = 0;
pub(crate) const GOTO: u8 = 1;
pub(crate) const ITERATE: u8 = 2;
pub(crate) const TERMINATE: u8 = 3;
pub(crate) const CANCEL: u8 = 4;

pub(crate) fn mistake(error: CallError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

pub(crate) fn micros(seconds: f64) -> Micros {
    (seconds * 1e6).round() as Micros
}

pub(crate) fn seconds(micros: Micros) -> f64 {
    micros as f64 / 1e6
}

pub(crate) fn optional(node: Option<u32>) -> i64 {
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

pub(crate) fn to_directives(directives: Option<Vec<DirectiveTuple>>) -> PyResult<Vec<Directive>> {
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
