//! The extension module `graflow_fast._core`: declares its surface, converts, and owns nothing else.
use pyo3::exceptions::PyImportError;
use pyo3::ffi;
use pyo3::prelude::*;

mod body;
mod driver;
mod language;
mod locked;
mod progress;
mod record;
mod station;
mod store;
mod tables;
mod wire;
mod worker;

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    // From 3.12 on the interpreter says the same before it comes here. Statics here hold objects of one interpreter.
    // SAFETY: the thread is attached, so there is an interpreter.
    if unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) } != 0 {
        return Err(PyImportError::new_err("module graflow_fast._core does not support loading in subinterpreters"));
    }
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<driver::scheduler::PyScheduler>()?;
    module.add_class::<driver::plain_journal::PlainJournal>()?;
    module.add_class::<driver::plain_steps::PlainSteps>()?;
    module.add_class::<body::filling::Filler>()?;
    module.add_class::<driver::branches::Branches>()?;
    module.add_class::<driver::feed::Feed>()?;
    module.add_class::<driver::versions::Versions>()?;
    language::base::add_classes(module)?;
    module.add_class::<language::running::Running>()?;
    module.add_class::<tables::graph::table::GraphTable>()?;
    module.add_class::<tables::values::Values>()?;
    module.add_class::<tables::node_ids::NodeIds>()?;
    module.add_class::<tables::step_counts::StepCounts>()?;
    module.add_class::<tables::step_times::StepTimes>()?;
    store::add_classes(module)?;
    module.add_class::<driver::pool::Pool>()?;
    module.add_class::<station::trunk::Trunk>()?;
    module.add_class::<station::ends::FarWorker>()?;
    module.add_class::<station::ends::ClaimCopy>()?;
    module.add_class::<progress::Progress>()?;
    module.add_class::<worker::journal::Journal>()?;
    module.add_class::<worker::link::WorkerLink>()?;
    module.add_class::<worker::output::OutputWatch>()?;
    module.add_class::<worker::runner::RunningTask>()?;
    module.add_function(wrap_pyfunction!(wire::code::global_names, module)?)?;
    module.add_function(wrap_pyfunction!(wire::code::add_operations, module)?)?;
    module.add_function(wrap_pyfunction!(wire::plain::pack_plain, module)?)?;
    module.add_function(wrap_pyfunction!(wire::plain::pack_call, module)?)?;
    module.add_function(wrap_pyfunction!(worker::link::die_with_parent, module)?)?;
    module.add_function(wrap_pyfunction!(worker::link::say_progress, module)?)?;
    module.add_function(wrap_pyfunction!(worker::output::gather_output, module)?)?;
    module.add_function(wrap_pyfunction!(worker::packing::pack_failure, module)?)?;
    module.add_function(wrap_pyfunction!(driver::value::read_failure, module)?)?;
    module.add_function(wrap_pyfunction!(driver::telling::pack_chunk, module)?)?;
    module.add_function(wrap_pyfunction!(driver::memory::give_back_memory, module)?)?;
    module.add_function(wrap_pyfunction!(record::read_rows, module)?)?;
    module.add_function(wrap_pyfunction!(record::nodes_as_json, module)?)?;
    module.add_function(wrap_pyfunction!(record::runs_of, module)?)?;
    module.add_function(wrap_pyfunction!(language::composing::are_unlinked_tasks, module)?)?;
    module.add_function(wrap_pyfunction!(language::classes::learn, module)?)?;
    module.add_function(wrap_pyfunction!(language::classes::learn_workflow, module)?)?;
    module.add_function(wrap_pyfunction!(tables::load::load_tasks, module)?)?;
    module.add_function(wrap_pyfunction!(tables::load::load_edges, module)?)?;
    module.add_function(wrap_pyfunction!(tables::load::load_members, module)?)?;
    module.add_function(wrap_pyfunction!(tables::load::by_definition, module)?)?;
    module.add_function(wrap_pyfunction!(tables::load::is_member, module)?)?;
    Ok(())
}
