//! Errors of the store as exceptions: what the system or a place refuses is an `OSError`, all else a `ValueError`.
use graflow_store::Error;
use pyo3::create_exception;
use pyo3::exceptions::{PyBlockingIOError, PyOSError, PyPermissionError, PyValueError};
use pyo3::prelude::*;

create_exception!(graflow_fast._core, RunHeldError, PyBlockingIOError, "Another writer has this run at the moment.");
create_exception!(graflow_fast._core, RunNameTakenError, PyValueError, "There is a run of this name already.");
create_exception!(
    graflow_fast._core,
    StoreDamagedError,
    PyValueError,
    "Records of a run are not as they were written."
);

/// The exception for an error.
pub(super) fn raised(error: Error) -> PyErr {
    let text = error.to_string();
    match error {
        Error::System { what, path, code, text: said } if code != 0 => {
            PyOSError::new_err((code, format!("cannot {what} it: {said}"), path.into_os_string()))
        }
        Error::System { .. } | Error::Overtaken { .. } => PyOSError::new_err(text),
        Error::Refused { .. } => PyPermissionError::new_err(text),
        Error::Held { .. } => RunHeldError::new_err(text),
        Error::NameTaken { .. } => RunNameTakenError::new_err(text),
        Error::Damaged { .. } => StoreDamagedError::new_err(text),
        Error::NoRun { .. } | Error::TooLong { .. } | Error::NoStream { .. } | Error::Forked | Error::Ended => {
            PyValueError::new_err(text)
        }
    }
}
