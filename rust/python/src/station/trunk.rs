//! `_core.Trunk`: one end of a trunk for Python. What messages mean is Python's.
use graflow_trunk::{End, Message, TrunkError};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use crate::locked::Locked;

fn refused(error: TrunkError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// One end of the trunk between a head and one life of a station.
#[pyclass(frozen, module = "graflow_fast._core")]
pub struct Trunk {
    end: Locked<End>,
}

#[pymethods]
impl Trunk {
    #[new]
    fn new(incarnation: u64) -> Trunk {
        Trunk { end: Locked::new(End::new(incarnation)) }
    }

    /// Adds a message to be sent.
    fn push(&self, kind: u8, worker: u32, content: &[u8]) {
        self.end.get().push(Message { kind, worker, content: content.to_vec() });
    }

    fn has_outgoing(&self) -> bool {
        self.end.get().has_outgoing()
    }

    /// Whether the other end waits for an acknowledgement.
    fn owes(&self) -> bool {
        self.end.get().owes()
    }

    /// Whether the last blob that was accepted had come before.
    fn was_repeated(&self) -> bool {
        self.end.get().was_repeated()
    }

    /// Bytes that are kept until they are acknowledged.
    fn unacknowledged(&self) -> usize {
        self.end.get().bytes()
    }

    fn take<'py>(&self, py: Python<'py>, most: usize) -> Bound<'py, PyBytes> {
        let blob = self.end.get().take(most);
        PyBytes::new(py, &blob)
    }

    fn rewind(&self) {
        self.end.get().rewind();
    }

    fn accept<'py>(&self, py: Python<'py>, blob: &[u8]) -> PyResult<Bound<'py, PyList>> {
        let messages = self.end.get().accept(blob).map_err(refused)?;
        let told = messages.iter().map(|message| (message.kind, message.worker, PyBytes::new(py, &message.content)));
        PyList::new(py, told.collect::<Vec<_>>())
    }
}
