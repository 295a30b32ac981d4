//! What is known of runs, as dictionaries that JSON takes.
use graflow_store::{Checked, Collected, Run};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// A run.
pub(super) fn run<'py>(py: Python<'py>, run: &Run) -> PyResult<Bound<'py, PyDict>> {
    let row = PyDict::new(py);
    row.set_item("id", run.id)?;
    row.set_item("name", run.name.as_deref())?;
    row.set_item("workflow", &run.workflow)?;
    row.set_item("state", run.state.word())?;
    row.set_item("started", run.started)?;
    row.set_item("ended", run.ended)?;
    row.set_item("epoch", run.epoch)?;
    row.set_item("program", &run.program)?;
    row.set_item("counts", &run.counts)?;
    row.set_item("parent", run.parent)?;
    row.set_item("live", run.live)?;
    Ok(row)
}

/// Several of them.
pub(super) fn runs<'py>(py: Python<'py>, runs: &[Run]) -> PyResult<Vec<Bound<'py, PyDict>>> {
    runs.iter().map(|each| run(py, each)).collect()
}

/// What was removed.
pub(super) fn collected<'py>(py: Python<'py>, collected: &Collected) -> PyResult<Bound<'py, PyDict>> {
    let row = PyDict::new(py);
    row.set_item("removed", runs(py, &collected.removed)?)?;
    row.set_item("before", collected.before)?;
    row.set_item("after", collected.after)?;
    Ok(row)
}

/// What was found.
pub(super) fn checked<'py>(py: Python<'py>, checked: &Checked) -> PyResult<Bound<'py, PyDict>> {
    let mut findings = Vec::new();
    for finding in &checked.findings {
        let row = PyDict::new(py);
        row.set_item("run", finding.run)?;
        row.set_item("what", &finding.what)?;
        findings.push(row);
    }
    let row = PyDict::new(py);
    row.set_item("runs", checked.runs)?;
    row.set_item("records", checked.records)?;
    row.set_item("bytes", checked.bytes)?;
    row.set_item("findings", findings)?;
    Ok(row)
}
