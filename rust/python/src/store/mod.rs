//! The store of runs for Python. Owns conversion only; nothing here is made before somebody opens a store.
mod errors;
mod reader;
mod rows;
mod stores;
pub(crate) mod writer;

use pyo3::prelude::*;

/// Adds the classes to the module.
pub(crate) fn add_classes(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<stores::Store>()?;
    module.add_class::<writer::RunWriter>()?;
    module.add_class::<reader::RunReader>()?;
    let py = module.py();
    module.add("RunHeldError", py.get_type::<errors::RunHeldError>())?;
    module.add("RunNameTakenError", py.get_type::<errors::RunNameTakenError>())?;
    module.add("StoreDamagedError", py.get_type::<errors::StoreDamagedError>())
}
