//! The extension module `graflow_fast._core`: declares its surface, converts, and owns nothing else.
use pyo3::prelude::*;

mod scheduler;

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<scheduler::PyScheduler>()?;
    Ok(())
}
