//! Rows of a run's record as columns that Python's `array` takes. Owns this conversion only.
use graflow_record::{read, NO_NODE};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// The columns of a record's rows, in the machine's own order of bytes.
///
/// Returns: (node u32, branch u64, attempt u32, outcome u8, worker i16, released_by i32, ready f64, start f64, end f64);
/// times are seconds since the run began.
#[pyfunction]
#[allow(clippy::type_complexity)] // nine columns
pub(crate) fn read_rows<'py>(py: Python<'py>, chunks: Vec<Vec<u8>>) -> PyResult<Vec<Bound<'py, PyBytes>>> {
    let mut columns: [Vec<u8>; 9] = Default::default();
    for (number, chunk) in chunks.iter().enumerate() {
        let rows =
            read(chunk).ok_or_else(|| PyValueError::new_err(format!("chunk {number} of the record is damaged")))?;
        for row in rows {
            let seconds = |time: u64| (time as f64 / 1e6).to_ne_bytes();
            let by = if row.released_by == NO_NODE { -1 } else { row.released_by as i32 };
            columns[0].extend_from_slice(&row.node.to_ne_bytes());
            columns[1].extend_from_slice(&row.branch.to_ne_bytes());
            columns[2].extend_from_slice(&row.attempt.to_ne_bytes());
            columns[3].push(row.outcome);
            columns[4].extend_from_slice(&(row.worker as i16).to_ne_bytes());
            columns[5].extend_from_slice(&by.to_ne_bytes());
            columns[6].extend_from_slice(&seconds(row.ready));
            columns[7].extend_from_slice(&seconds(row.start));
            columns[8].extend_from_slice(&seconds(row.end));
        }
    }
    Ok(columns.iter().map(|column| PyBytes::new(py, column)).collect())
}
