//! The extension module `graflow_fast._core`: declares its surface, converts, and owns nothing else.
use pyo3::prelude::*;

mod lease;
mod link;
mod members;
mod pickle;
mod pool;
mod scheduler;
mod steps;

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<scheduler::PyScheduler>()?;
    module.add_class::<members::MemberFeed>()?;
    module.add_class::<steps::StepFeed>()?;
    module.add_class::<pool::Pool>()?;
    module.add_class::<link::WorkerLink>()?;
    module.add_function(wrap_pyfunction!(link::die_with_parent, module)?)?;
    Ok(())
}
