//! What can be wrong at the worker's end of a link.
use std::{fmt, io};

use crate::frame::FrameError;

/// What is wrong.
#[derive(Debug)]
pub enum EndError {
    /// The coordinator sent something that is not a frame.
    Frame(FrameError),
    /// The system refused.
    Io(io::Error),
    /// The ticket is not the running one.
    NotRunning(u64),
}

impl fmt::Display for EndError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EndError::Frame(error) => write!(out, "{error}"),
            EndError::Io(error) => write!(out, "{error}"),
            EndError::NotRunning(ticket) => write!(out, "ticket {ticket} is not running here"),
        }
    }
}

impl std::error::Error for EndError {}

impl From<FrameError> for EndError {
    fn from(error: FrameError) -> EndError {
        EndError::Frame(error)
    }
}

impl From<io::Error> for EndError {
    fn from(error: io::Error) -> EndError {
        EndError::Io(error)
    }
}
