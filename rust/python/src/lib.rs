//! The extension module `graflow_fast._core`: declares its surface, converts, and owns nothing else.
use pyo3::prelude::*;

mod arguments;
mod bodies;
mod columns;
mod effects;
mod fed_branches;
mod inline_steps;
mod lease;
mod link;
mod load;
mod members;
mod memory;
mod next_tasks;
mod node_ids;
mod pickle;
mod plain;
mod pool;
mod scheduler;
mod step_counts;
mod step_times;
mod steps;
mod values;

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<scheduler::PyScheduler>()?;
    module.add_class::<inline_steps::InlineSteps>()?;
    module.add_class::<members::MemberFeed>()?;
    module.add_class::<steps::StepFeed>()?;
    module.add_class::<values::Values>()?;
    module.add_class::<node_ids::NodeIds>()?;
    module.add_class::<step_counts::StepCounts>()?;
    module.add_class::<step_times::StepTimes>()?;
    module.add_class::<pool::Pool>()?;
    module.add_class::<link::WorkerLink>()?;
    module.add_class::<bodies::RunningTask>()?;
    module.add_function(wrap_pyfunction!(link::die_with_parent, module)?)?;
    module.add_function(wrap_pyfunction!(effects::pack_effects, module)?)?;
    module.add_function(wrap_pyfunction!(effects::unpack_effects, module)?)?;
    module.add_function(wrap_pyfunction!(memory::give_back_memory, module)?)?;
    module.add_function(wrap_pyfunction!(load::load_tasks, module)?)?;
    module.add_function(wrap_pyfunction!(load::load_edges, module)?)?;
    module.add_function(wrap_pyfunction!(load::load_members, module)?)?;
    module.add_function(wrap_pyfunction!(load::by_definition, module)?)?;
    Ok(())
}
