//! `_core.FarWorker` and `_core.ClaimCopy`: a worker at its station, and the copy of its claims at the head.
use graflow_pool::{ClaimTable, FarWorker as Far, FrameError};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::locked::Locked;

fn refused(error: FrameError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// A station's side of one of its workers.
#[pyclass(frozen, module = "graflow_fast._core")]
pub struct FarWorker {
    far: Locked<Far>,
}

#[pymethods]
impl FarWorker {
    #[new]
    fn new(socket_fd: i32, claims_fd: i32, shift: i64) -> PyResult<FarWorker> {
        Ok(FarWorker { far: Locked::new(Far::new(socket_fd, claims_fd, shift)?) })
    }

    fn fileno(&self) -> i32 {
        self.far.get().link()
    }

    fn set_live_epoch(&self, epoch: u64) {
        self.far.get().set_live_epoch(epoch);
    }

    /// Takes frames from the head; whether the worker's socket took all that waits.
    fn deliver(&self, data: &[u8]) -> PyResult<bool> {
        self.far.get().deliver(data).map_err(refused)
    }

    fn flush(&self) -> bool {
        self.far.get().flush()
    }

    /// Frames for the head, and whether the worker is gone.
    fn take<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyBytes>, bool)> {
        let taken = self.far.get().take().map_err(refused)?;
        Ok((PyBytes::new(py, &taken.frames), taken.has_ended))
    }

    /// Notes how much memory its process has.
    fn measure(&self, pid: i32) {
        self.far.get().measure(pid);
    }

    fn changes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let changes = self.far.get().changes();
        PyBytes::new(py, &changes)
    }

    fn last_changes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let changes = self.far.get().last_changes();
        PyBytes::new(py, &changes)
    }
}

/// The head's copy of the claims of a worker elsewhere.
#[pyclass(frozen, module = "graflow_fast._core")]
pub struct ClaimCopy {
    table: ClaimTable,
}

#[pymethods]
impl ClaimCopy {
    #[new]
    fn new(claims_fd: i32) -> PyResult<ClaimCopy> {
        Ok(ClaimCopy { table: ClaimTable::map(graflow_pool::own(claims_fd)?)? })
    }

    fn take_changes(&self, changes: &[u8]) {
        self.table.take_changes(changes);
    }

    /// The epoch of live keys that the pool has announced.
    fn live_epoch(&self) -> u64 {
        self.table.live_epoch()
    }
}
