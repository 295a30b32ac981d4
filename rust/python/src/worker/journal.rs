//! `_core.Journal`: what the running task has said, kept where it survives the worker. The file's format is the pool's.
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::locked::Locked;

/// The journal of this worker.
#[pyclass(frozen, module = "graflow_fast._core")]
pub struct Journal {
    file: Locked<graflow_pool::Journal>,
}

#[pymethods]
impl Journal {
    #[new]
    fn new(descriptor: i32) -> PyResult<Self> {
        Ok(Self { file: Locked::new(graflow_pool::Journal::new(descriptor)?) })
    }

    /// Adds one piece of a task's output: a text, or bytes.
    fn write(&self, ticket: u64, kind: u8, content: &Bound<'_, PyAny>) -> PyResult<()> {
        let encoded;
        let bytes = match content.cast::<PyString>() {
            Ok(text) => match text.to_str() {
                Ok(text) => text.as_bytes(),
                Err(_) => {
                    let py = content.py();
                    encoded = text.call_method1(intern!(py, "encode"), ("utf-8", "surrogatepass"))?;
                    encoded.cast::<PyBytes>()?.as_bytes()
                }
            },
            Err(_) => content.cast::<PyBytes>()?.as_bytes(),
        };
        self.file.get().write(ticket, kind, bytes);
        Ok(())
    }
}
