//! What code objects do to names, read from their instructions, for CPython 3.10 to 3.14.
//!
//! Owns how instructions are read: raw, since taking a function apart with `dis` takes a millisecond. Must not know functions
//! or values.
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PySet, PyTuple, PyType};

/// What an instruction does to a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    LoadGlobal,
    LoadName,
    /// Of a class's body that has parameters of types.
    LoadNested,
    StoreGlobal,
    DeleteGlobal,
    LoadAttribute,
    StoreAttribute,
    DeleteAttribute,
    LoadCell,
    StoreCell,
    DeleteCell,
    /// Room for what the interpreter notes.
    Cache,
    /// The argument of the next one begins with this one's.
    Extends,
    Other,
}

const NAMED: [(&str, Does); 14] = [
    ("LOAD_GLOBAL", Does::LoadGlobal),
    ("LOAD_NAME", Does::LoadName),
    ("LOAD_FROM_DICT_OR_GLOBALS", Does::LoadNested),
    ("STORE_GLOBAL", Does::StoreGlobal),
    ("DELETE_GLOBAL", Does::DeleteGlobal),
    ("LOAD_ATTR", Does::LoadAttribute),
    ("LOAD_METHOD", Does::LoadAttribute),
    ("STORE_ATTR", Does::StoreAttribute),
    ("DELETE_ATTR", Does::DeleteAttribute),
    ("LOAD_DEREF", Does::LoadCell),
    ("STORE_DEREF", Does::StoreCell),
    ("DELETE_DEREF", Does::DeleteCell),
    ("CACHE", Does::Cache),
    ("EXTENDED_ARG", Does::Extends),
];

/// The instructions of this interpreter.
struct Instructions {
    does: [Does; 256],
    /// By how many bits arguments are shifted that have flags in their lowest ones: of globals and of attributes.
    global_shift: u32,
    attribute_shift: u32,
    /// Whether variables are counted together with cells.
    counts_all: bool,
    code_type: Py<PyType>,
}

static INSTRUCTIONS: PyOnceLock<Instructions> = PyOnceLock::new();

impl Instructions {
    /// Read when somebody first asks: `opcode` is slow to import.
    fn of(py: Python<'_>) -> PyResult<&Self> {
        INSTRUCTIONS.get_or_try_init(py, || {
            let numbers = py.import("opcode")?.getattr("opmap")?.cast_into::<PyDict>()?;
            let mut does = [Does::Other; 256];
            for (name, what) in NAMED {
                if let Some(number) = numbers.get_item(name)? {
                    if let Some(place) = does.get_mut(number.extract::<usize>()?) {
                        *place = what;
                    }
                }
            }
            let version = py.version_info();
            Ok(Self {
                does,
                global_shift: u32::from(version >= (3, 11)),
                attribute_shift: u32::from(version >= (3, 12)),
                counts_all: version >= (3, 11),
                code_type: py.import("types")?.getattr("CodeType")?.cast_into()?.unbind(),
            })
        })
    }

    /// Calls `each` with what every instruction does, and its argument.
    fn walk(&self, code: &Bound<'_, PyAny>, mut each: impl FnMut(Does, usize) -> PyResult<()>) -> PyResult<()> {
        let instructions = code.getattr(intern!(code.py(), "co_code"))?.cast_into::<PyBytes>()?;
        let mut argument = 0_usize;
        for pair in instructions.as_bytes().chunks_exact(2) {
            argument = argument << 8 | usize::from(pair[1]);
            match self.does[usize::from(pair[0])] {
                Does::Extends => {}
                does => each(does, std::mem::take(&mut argument))?,
            }
        }
        Ok(())
    }

    /// The code that stands among the constants of code.
    fn inner<'py>(&self, code: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let constants = code.getattr(intern!(code.py(), "co_consts"))?.cast_into::<PyTuple>()?;
        Ok(constants.iter().filter(|constant| constant.get_type().is(&self.code_type)).collect())
    }

    fn add_global_names(&self, code: &Bound<'_, PyAny>, found: &Bound<'_, PyDict>) -> PyResult<()> {
        let py = code.py();
        let names = names_of(code)?;
        if !names.is_empty() {
            self.walk(code, |does, argument| {
                let place = match does {
                    Does::LoadGlobal => argument >> self.global_shift,
                    Does::LoadName | Does::LoadNested | Does::StoreGlobal | Does::DeleteGlobal => argument,
                    _ => return Ok(()),
                };
                let name = names.get_item(place)?;
                // Each class has annotations of its own.
                if does == Does::LoadName && name.eq(intern!(py, "__annotations__"))? {
                    return Ok(());
                }
                found.set_item(name, py.None())
            })?;
        }
        self.inner(code)?.iter().try_for_each(|code| self.add_global_names(code, found))
    }

    fn add_operations(&self, code: &Bound<'_, PyAny>, found: &Found<'_, '_>) -> PyResult<()> {
        let names = names_of(code)?;
        let cells = self.cell_names(code)?;
        let read = PySet::empty(code.py())?;
        let mut before: Option<Bound<'_, PyAny>> = None;
        self.walk(code, |does, argument| {
            let name = match does {
                Does::Cache => return Ok(()),
                Does::Other | Does::LoadNested | Does::Extends => {
                    before = None;
                    return Ok(());
                }
                Does::LoadCell | Does::StoreCell | Does::DeleteCell => cells.get_item(argument)?,
                Does::LoadGlobal => names.get_item(argument >> self.global_shift)?,
                Does::LoadAttribute => names.get_item(argument >> self.attribute_shift)?,
                _ => names.get_item(argument)?,
            };
            match does {
                Does::StoreGlobal | Does::DeleteGlobal | Does::StoreCell | Does::DeleteCell => {
                    found.rebound.add(&name)?;
                }
                Does::StoreAttribute | Does::DeleteAttribute => {
                    found.stored.add(&name)?;
                    if let Some(before) = &before {
                        found.stored_in.add((before, &name))?;
                    }
                }
                _ => read.add(&name)?,
            }
            let stores = matches!(does, Does::StoreGlobal | Does::StoreCell | Does::StoreAttribute);
            if stores && read.contains(&name)? {
                found.lazy.add(&name)?;
            }
            before = matches!(does, Does::LoadGlobal | Does::LoadName | Does::LoadCell).then_some(name);
            Ok(())
        })?;
        self.inner(code)?.iter().try_for_each(|code| self.add_operations(code, found))
    }

    /// The names of the variables that instructions of cells mean by number.
    fn cell_names<'py>(&self, code: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let py = code.py();
        let names = PyList::empty(py);
        let of = |attribute| -> PyResult<Bound<'py, PyTuple>> { Ok(code.getattr(attribute)?.cast_into()?) };
        let variables = of(intern!(py, "co_varnames"))?;
        let (cells, free) = (of(intern!(py, "co_cellvars"))?, of(intern!(py, "co_freevars"))?);
        if cells.is_empty() && free.is_empty() {
            return Ok(names);
        }
        if self.counts_all {
            variables.iter().try_for_each(|name| names.append(name))?;
        }
        for name in cells {
            if !self.counts_all || !variables.contains(&name)? {
                names.append(name)?;
            }
        }
        free.iter().try_for_each(|name| names.append(name))?;
        Ok(names)
    }
}

/// What is found of some code; see `_worker/operations.py`.
struct Found<'a, 'py> {
    rebound: &'a Bound<'py, PySet>,
    stored: &'a Bound<'py, PySet>,
    stored_in: &'a Bound<'py, PySet>,
    lazy: &'a Bound<'py, PySet>,
}

fn names_of<'py>(code: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyTuple>> {
    Ok(code.getattr(intern!(code.py(), "co_names"))?.cast_into()?)
}

/// The names of the globals that code may read or set, inner functions and classes included, in order.
#[pyfunction]
pub(crate) fn global_names<'py>(code: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
    let found = PyDict::new(code.py());
    Instructions::of(code.py())?.add_global_names(code, &found)?;
    Ok(found)
}

/// Adds what code does, inner functions and classes included, to these sets.
#[pyfunction]
pub(crate) fn add_operations(
    code: &Bound<'_, PyAny>,
    rebound: &Bound<'_, PySet>,
    stored: &Bound<'_, PySet>,
    stored_in: &Bound<'_, PySet>,
    lazy: &Bound<'_, PySet>,
) -> PyResult<()> {
    Instructions::of(code.py())?.add_operations(code, &Found { rebound, stored, stored_in, lazy })
}
