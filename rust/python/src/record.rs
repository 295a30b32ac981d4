//! Parts of a run's record that are long: rows as columns that Python's `array` takes, nodes and members as JSON.
//! Owns these conversions only; what parts there are is `_run/recording.py`'s, what they mean `_record/reading.py`'s.
use graflow_record::{read, NO_NODE};
use pyo3::exceptions::{PyUnicodeEncodeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use pyo3::types::{PyBytes, PyList, PyString, PyType};

use crate::tables::slots::TaskSlots;

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

/// What a record says of the nodes from the first up to the second of `some`, as JSON, and which of these are groups.
///
/// `describe` gives (kind, function's name) of a task; of those of exactly the class `plain` one of each definition is
/// asked for, since they differ in their names only.
#[pyfunction]
pub(crate) fn nodes_as_json<'py>(
    names: &Bound<'py, PyList>,
    tasks: &Bound<'py, PyList>,
    some: (usize, usize),
    plain: &Bound<'py, PyType>,
    describe: &Bound<'py, PyAny>,
) -> PyResult<(Bound<'py, PyBytes>, Vec<usize>)> {
    let (py, (first, last)) = (names.py(), some);
    let slots = TaskSlots::of(plain)?;
    let mut kinds = String::with_capacity(last - first);
    let mut numbers = Vec::with_capacity(2 * (last - first));
    let (mut functions, mut groups) = (Vec::<PyBackedStr>::new(), Vec::new());
    let (mut latest, mut number) = (std::ptr::null_mut(), String::new());
    let mut json = format!("{{\"first\":{first},\"names\":[").into_bytes();
    json.reserve(32 * (last - first));
    for node in first..last {
        separate(&mut json, node == first);
        write_string(&mut json, names.get_item(node)?.cast::<PyString>()?)?;
        let task = tasks.get_item(node)?;
        let is_plain = slots.is_plain(&task);
        let definition = if is_plain { slots.definition.of_object(&task)?.as_ptr() } else { task.as_ptr() };
        if definition != latest || !is_plain {
            let (kind, function): (char, PyBackedStr) = describe.call1((&task,))?.extract()?;
            if kind == 'g' {
                groups.push(node);
            }
            let known = functions.iter().rposition(|known| *known == function);
            latest = definition;
            number = known.unwrap_or(functions.len()).to_string();
            if known.is_none() {
                functions.push(function);
            }
            kinds.push(kind);
        } else {
            kinds.push('t');
        }
        separate(&mut numbers, node == first);
        numbers.extend_from_slice(number.as_bytes());
    }
    json.extend_from_slice(format!("],\"kinds\":\"{kinds}\",\"functions\":[").as_bytes());
    for (at, function) in functions.iter().enumerate() {
        separate(&mut json, at == 0);
        write_text(&mut json, function.as_bytes());
    }
    json.extend_from_slice(b"],\"function\":[");
    json.extend_from_slice(&numbers);
    json.extend_from_slice(b"]}");
    Ok((PyBytes::new(py, &json), groups))
}

/// Whole numbers as (first, how many) of those that follow each other: `[3, 4, 5, 9]` is `[(3, 3), (9, 1)]`.
#[pyfunction]
pub(crate) fn runs_of(numbers: Vec<u32>) -> Vec<(u32, u32)> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((first, count)) if u64::from(*first) + u64::from(*count) == u64::from(number) => *count += 1,
            _ => runs.push((number, 1)),
        }
    }
    runs
}

fn separate(json: &mut Vec<u8>, is_first: bool) {
    if !is_first {
        json.push(b',');
    }
}

/// A text in quotes. Halves of surrogate pairs, which are no text of UTF-8, are as `surrogatepass` has them.
fn write_string(json: &mut Vec<u8>, text: &Bound<'_, PyString>) -> PyResult<()> {
    match text.to_cow() {
        Ok(text) => write_text(json, text.as_bytes()),
        Err(error) if error.is_instance_of::<PyUnicodeEncodeError>(text.py()) => {
            let bytes: PyBackedBytes = text.call_method1("encode", ("utf-8", "surrogatepass"))?.extract()?;
            write_text(json, &bytes);
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

fn write_text(json: &mut Vec<u8>, text: &[u8]) {
    json.push(b'"');
    if text.iter().any(|byte| *byte < b' ' || *byte == b'"' || *byte == b'\\') {
        for byte in text {
            match byte {
                b'"' | b'\\' => json.extend_from_slice(&[b'\\', *byte]),
                0..=0x1f => json.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
                _ => json.push(*byte),
            }
        }
    } else {
        json.extend_from_slice(text);
    }
    json.push(b'"');
}
