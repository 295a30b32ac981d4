//! Pickles of plain values: scalars, lists, tuples and dictionaries of them, and objects of the program's own classes.
//!
//! Owns which values these are, and that what is one object in a value stays one. The opcodes are `pickle.rs`'s. All other
//! values are Python's to pickle (`_wire/pickling.py`); what either writes loads to the same.
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyInt, PyList, PyString, PyTuple, PyType};
use rustc_hash::FxHashMap as HashMap;

use crate::wire::pickle::Writer;
use crate::wire::scalars::push_scalar;

/// How deep a value may be nested.
const DEEPEST: u32 = 32;
/// Longer bytes may go through shared memory.
const LONGEST_BYTES: usize = 4096;

/// A value as bytes that `pickle.loads` takes, in a buffer of its own.
#[derive(Default)]
pub(crate) struct PlainPickle {
    out: Writer,
    /// By address: where it stands in the memo of the pickle.
    memo: HashMap<usize, u32>,
    /// What the addresses are of.
    held: Vec<Py<PyAny>>,
    /// The addresses of the tuples that are being written.
    open: Vec<usize>,
    depth: u32,
    /// Whether any process shall be able to load it: one that has no numbers of classes.
    is_portable: bool,
}

impl PlainPickle {
    /// One whose pickles any later process of the program can load.
    pub(crate) fn portable() -> Self {
        Self { is_portable: true, ..Self::default() }
    }

    /// The pickle of a value; `None` for one that has something else in it, which Python pickles.
    pub(crate) fn of(&mut self, value: &Bound<'_, PyAny>) -> PyResult<Option<&[u8]>> {
        self.restart();
        let is_plain = self.push(value);
        self.let_go();
        Ok(if is_plain? { Some(self.out.end()) } else { None })
    }

    /// The pickle of a dictionary of such values, as `scalars::scalar_dictionary` reads it if all are scalars.
    pub(crate) fn of_dictionary(&mut self, items: &Bound<'_, PyDict>) -> PyResult<Option<&[u8]>> {
        self.restart();
        let is_plain = self.push_arguments(items);
        self.let_go();
        Ok(if is_plain? { Some(self.out.end()) } else { None })
    }

    fn of_call(&mut self, module: &str, name: &str, arguments: &Bound<'_, PyTuple>) -> PyResult<Option<&[u8]>> {
        self.restart();
        self.out.global(module, name);
        let is_plain = self.tuple(arguments);
        self.let_go();
        if !is_plain? {
            return Ok(None);
        }
        self.out.call();
        Ok(Some(self.out.end()))
    }

    fn restart(&mut self) {
        self.out.restart();
        self.depth = 0;
    }

    fn let_go(&mut self) {
        self.memo.clear();
        self.held.clear();
        self.open.clear();
    }

    fn push_arguments(&mut self, items: &Bound<'_, PyDict>) -> PyResult<bool> {
        self.out.open_dict();
        for pair in items.items() {
            let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair.extract()?;
            if !self.push(&key)? || !self.push(&value)? {
                return Ok(false);
            }
        }
        self.out.close_dict();
        Ok(true)
    }

    fn push(&mut self, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        if push_scalar(&mut self.out, value)? {
            return Ok(true);
        }
        if let Ok(bytes) = value.cast_exact::<PyBytes>() {
            let bytes = bytes.as_bytes();
            if bytes.len() < LONGEST_BYTES {
                self.out.bytes(bytes);
            }
            return Ok(bytes.len() < LONGEST_BYTES);
        }
        if value.is_exact_instance_of::<PyString>() || value.is_exact_instance_of::<PyInt>() || self.depth == DEEPEST {
            return Ok(false); // too long, too large
        }
        if let Some(place) = self.memo.get(&(value.as_ptr() as usize)) {
            self.out.again(*place);
            return Ok(true);
        }
        self.depth += 1;
        let is_plain = if let Ok(list) = value.cast_exact::<PyList>() {
            self.list(list)
        } else if let Ok(dictionary) = value.cast_exact::<PyDict>() {
            self.out.empty_dict();
            self.remember(value.as_any());
            self.items(dictionary, false)
        } else if let Ok(tuple) = value.cast_exact::<PyTuple>() {
            self.tuple(tuple)
        } else if self.is_portable {
            Ok(false)
        } else {
            self.object(value)
        };
        self.depth -= 1;
        is_plain
    }

    fn list(&mut self, list: &Bound<'_, PyList>) -> PyResult<bool> {
        self.out.empty_list();
        self.remember(list.as_any());
        self.out.mark(); // also without items, so that it is easily read
        for item in list {
            if !self.push(&item)? {
                return Ok(false);
            }
        }
        self.out.close_list();
        Ok(true)
    }

    /// A tuple is there only when all that is in it is; one that holds itself is Python's.
    fn tuple(&mut self, tuple: &Bound<'_, PyTuple>) -> PyResult<bool> {
        let address = tuple.as_ptr() as usize;
        if self.open.contains(&address) {
            return Ok(false);
        }
        self.open.push(address);
        self.out.mark();
        for item in tuple {
            if !self.push(&item)? {
                return Ok(false);
            }
        }
        self.open.pop();
        self.out.close_tuple();
        self.remember(tuple.as_any());
        Ok(true)
    }

    /// The items of a dictionary that was opened; of an object's attributes each name is written once.
    fn items(&mut self, dictionary: &Bound<'_, PyDict>, are_attributes: bool) -> PyResult<bool> {
        self.out.mark();
        for pair in dictionary.items() {
            // a list: other threads may change the dictionary meanwhile
            let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = pair.extract()?;
            let is_plain = if are_attributes { self.attribute(&key)? } else { self.push(&key)? };
            if !is_plain || !self.push(&value)? {
                return Ok(false);
            }
        }
        self.out.close_dict();
        Ok(true)
    }

    fn attribute(&mut self, name: &Bound<'_, PyAny>) -> PyResult<bool> {
        if let Some(place) = self.memo.get(&(name.as_ptr() as usize)) {
            self.out.again(*place);
            return Ok(true);
        }
        let is_plain =
            name.cast_exact::<PyString>().is_ok_and(|name| name.to_str().is_ok_and(|n| !n.starts_with("__")));
        if !is_plain || !push_scalar(&mut self.out, name)? {
            return Ok(false);
        }
        self.remember(name);
        Ok(true)
    }

    fn object(&mut self, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        let kind = value.get_type();
        match self.memo.get(&(kind.as_ptr() as usize)) {
            Some(place) => self.out.again(*place),
            None => {
                let Some(number) = own_number(&kind)? else {
                    return Ok(false);
                };
                self.out.part(number);
                self.remember(kind.as_any());
            }
        }
        self.out.object();
        self.remember(value);
        let attributes = value.getattr(intern!(value.py(), "__dict__"))?;
        let Ok(attributes) = attributes.cast_exact::<PyDict>() else {
            return Ok(false);
        };
        self.out.empty_dict();
        if !self.items(attributes, true)? {
            return Ok(false);
        }
        self.out.build();
        Ok(true)
    }

    /// Notes what was just written, which may come again.
    fn remember(&mut self, value: &Bound<'_, PyAny>) {
        self.out.memoize();
        self.memo.insert(value.as_ptr() as usize, self.held.len() as u32);
        self.held.push(value.clone().unbind());
    }
}

/// A value as bytes, or None if it is not plain.
#[pyfunction]
pub(crate) fn pack_plain<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyBytes>>> {
    Ok(PlainPickle::default().of(value)?.map(|packed| PyBytes::new(value.py(), packed)))
}

/// A call of a function of a module with plain arguments as bytes, which load to what it returns; None if one is not plain.
#[pyfunction]
pub(crate) fn pack_call<'py>(
    module: &str,
    name: &str,
    arguments: &Bound<'py, PyTuple>,
) -> PyResult<Option<Bound<'py, PyBytes>>> {
    Ok(PlainPickle::default().of_call(module, name, arguments)?.map(|packed| PyBytes::new(arguments.py(), packed)))
}

/// The number under which a class of the program's own crosses, if its objects are what their attributes say.
fn own_number(kind: &Bound<'_, PyType>) -> PyResult<Option<u64>> {
    let py = kind.py();
    static CROSSING: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let crossing = CROSSING
        .get_or_try_init(py, || py.import("graflow_fast._wire.crossing").map(|module| module.into_any().unbind()))?;
    if !Rules::of(py)?.are_default(kind)? {
        return Ok(None);
    }
    crossing.bind(py).call_method1(intern!(py, "number_of_class"), (kind,))?.extract()
}

/// What `pickle` asks of an object, and what it is told of one whose class says nothing about it.
struct Rules {
    /// A class without anything of its own.
    bare: Py<PyType>,
    object: Py<PyAny>,
    /// `copyreg.dispatch_table`
    reducers: Py<PyDict>,
    /// What a class must not define; see `are_default`.
    names: [Py<PyString>; 7],
}

static RULES: PyOnceLock<Rules> = PyOnceLock::new();

impl Rules {
    fn of(py: Python<'_>) -> PyResult<&Self> {
        RULES.get_or_try_init(py, || {
            let types = py.import("builtins")?;
            let bare = types.getattr("type")?.call1(("bare", PyTuple::empty(py), PyDict::new(py)))?;
            let names = [
                "__reduce_ex__",
                "__reduce__",
                "__getstate__",
                "__getnewargs__",
                "__getnewargs_ex__",
                "__getattribute__",
                "__class__",
            ];
            Ok(Self {
                bare: bare.cast_into()?.unbind(),
                object: types.getattr("object")?.unbind(),
                reducers: py.import("copyreg")?.getattr("dispatch_table")?.cast_into()?.unbind(),
                names: names.map(|name| PyString::intern(py, name).unbind()),
            })
        })
    }

    /// Whether nobody has said how objects of a class are pickled, and they have nothing but attributes.
    fn are_default(&self, kind: &Bound<'_, PyType>) -> PyResult<bool> {
        let py = kind.py();
        let bare = self.bare.bind(py);
        for size in [intern!(py, "__basicsize__"), intern!(py, "__dictoffset__"), intern!(py, "__itemsize__")] {
            if !kind.getattr(size)?.eq(bare.getattr(size)?)? {
                return Ok(false);
            }
        }
        for base in kind.mro().iter().filter(|base| !base.is(&self.object)) {
            let defined = base.getattr(intern!(py, "__dict__"))?;
            for name in &self.names {
                if defined.contains(name)? {
                    return Ok(false);
                }
            }
        }
        Ok(!self.reducers.bind(py).contains(kind)?)
    }
}
