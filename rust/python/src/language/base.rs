//! `_core.Composable` and `_core.Instances`: the bases of all executables and of tasks made from functions.
//!
//! Owns their memory: a dictionary of attributes, made when it is needed, and weak references; nothing else, so an object of a
//! subclass begins with nothing but zeros. Written down for the interpreter by hand, since the collector of garbage looks
//! at each of a million tasks several times, and `#[pyclass]` takes ten times as long for that. Must not know what the
//! operators do.
use std::ffi::{c_char, c_int, c_void, CStr};
use std::mem::{offset_of, size_of};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr;

use pyo3::exceptions::PySystemError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};

use crate::language::{composing, instances};

#[repr(C)]
struct Layout {
    object: ffi::PyObject,
    dictionary: *mut ffi::PyObject,
    references: *mut ffi::PyObject,
}

static COMPOSABLE: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// Whether something is an executable. Its class is asked, not the metaclass, which would cost more than all the rest.
#[inline]
pub(crate) fn is_composable(object: &Bound<'_, PyAny>) -> bool {
    COMPOSABLE.get(object.py()).is_some_and(|class| {
        // SAFETY: both are alive.
        unsafe { ffi::PyObject_TypeCheck(object.as_ptr(), class.as_ptr().cast()) != 0 }
    })
}

/// Makes both classes, once.
pub(crate) fn add_classes(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let base = COMPOSABLE.get_or_try_init(py, || {
        let offset = |name: &'static CStr, offset: usize| ffi::PyMemberDef {
            name: name.as_ptr(),
            type_code: ffi::Py_T_PYSSIZET,
            offset: offset as ffi::Py_ssize_t,
            flags: ffi::Py_READONLY,
            doc: ptr::null(),
        };
        // SAFETY: all zeros end such a list.
        let (no_member, no_property) = unsafe { std::mem::zeroed::<(ffi::PyMemberDef, ffi::PyGetSetDef)>() };
        // The interpreter keeps pointers to both lists for as long as the class lives.
        let members = Box::leak(Box::new([
            offset(c"__dictoffset__", offset_of!(Layout, dictionary)),
            offset(c"__weaklistoffset__", offset_of!(Layout, references)),
            no_member,
        ]));
        let dictionary = ffi::PyGetSetDef {
            name: c"__dict__".as_ptr(),
            get: Some(ffi::PyObject_GenericGetDict),
            set: Some(ffi::PyObject_GenericSetDict),
            doc: ptr::null(),
            closure: ptr::null_mut(),
        };
        let properties = Box::leak(Box::new([dictionary, no_property]));
        let slots = [
            slot(ffi::Py_tp_doc, c"What can be composed by >> and <<.".as_ptr() as *mut c_void),
            slot(ffi::Py_tp_dealloc, deallocate as *mut c_void),
            slot(ffi::Py_tp_traverse, traverse as *mut c_void),
            slot(ffi::Py_tp_clear, clear as *mut c_void),
            slot(ffi::Py_tp_members, members.as_mut_ptr().cast()),
            slot(ffi::Py_tp_getset, properties.as_mut_ptr().cast()),
            slot(ffi::Py_nb_rshift, shift_right as *mut c_void),
            slot(ffi::Py_nb_lshift, shift_left as *mut c_void),
        ];
        make_class(py, c"graflow_fast._core.Composable", &slots, None)
    })?;
    let slots = [
        slot(
            ffi::Py_tp_doc,
            c"What makes an instance of itself when it is called with keywords.".as_ptr() as *mut c_void,
        ),
        slot(ffi::Py_tp_call, call as *mut c_void),
    ];
    let instances = make_class(py, c"graflow_fast._core.Instances", &slots, Some(base.bind(py)))?;
    module.add("Composable", base.bind(py))?;
    module.add("Instances", instances)
}

fn slot(number: c_int, what: *mut c_void) -> ffi::PyType_Slot {
    ffi::PyType_Slot { slot: number, pfunc: what }
}

fn make_class(
    py: Python<'_>,
    name: &'static CStr,
    slots: &[ffi::PyType_Slot],
    base: Option<&Bound<'_, PyType>>,
) -> PyResult<Py<PyType>> {
    let name: *const c_char = name.as_ptr();
    let mut slots: Vec<ffi::PyType_Slot> = slots.iter().map(|each| slot(each.slot, each.pfunc)).collect();
    slots.push(slot(0, ptr::null_mut()));
    let own = if base.is_none() { ffi::Py_TPFLAGS_HAVE_GC } else { 0 }; // inherited with the functions for it
    let mut specification = ffi::PyType_Spec {
        name,
        basicsize: size_of::<Layout>() as c_int,
        itemsize: 0,
        flags: (ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_BASETYPE | own) as _,
        slots: slots.as_mut_ptr(),
    };
    let bases = base.map_or(ptr::null_mut(), |base| base.as_ptr());
    // SAFETY: the specification is complete, and what its slots point to lives as long as the class; it gives a new
    // reference to a class, or null with an exception set.
    unsafe {
        let made = ffi::PyType_FromSpecWithBases(&raw mut specification, bases);
        Ok(Bound::from_owned_ptr_or_err(py, made)?.cast_into_unchecked::<PyType>().unbind())
    }
}

unsafe extern "C" fn traverse(object: *mut ffi::PyObject, visit: ffi::visitproc, arg: *mut c_void) -> c_int {
    // SAFETY: the interpreter passes an object of this class, or a subclass, and its own function.
    unsafe {
        let dictionary = (*object.cast::<Layout>()).dictionary;
        if !dictionary.is_null() {
            let found = visit(dictionary, arg);
            if found != 0 {
                return found;
            }
        }
        visit(ffi::Py_TYPE(object).cast(), arg)
    }
}

unsafe extern "C" fn clear(object: *mut ffi::PyObject) -> c_int {
    // SAFETY: the interpreter passes an object of this class, or a subclass.
    unsafe { ffi::Py_CLEAR(&raw mut (*object.cast::<Layout>()).dictionary) };
    0
}

unsafe extern "C" fn deallocate(object: *mut ffi::PyObject) {
    // SAFETY: the interpreter passes an object of this class, or a subclass, that nobody holds any more. A subclass has
    // done its part before; what it is made of is freed by its own function, and its class was held by the object.
    unsafe {
        ffi::PyObject_GC_UnTrack(object.cast());
        if !(*object.cast::<Layout>()).references.is_null() {
            ffi::PyObject_ClearWeakRefs(object);
        }
        clear(object);
        let class = ffi::Py_TYPE(object);
        let free = ffi::PyType_GetSlot(class, ffi::Py_tp_free);
        std::mem::transmute::<*mut c_void, ffi::freefunc>(free)(object.cast());
        ffi::Py_DECREF(class.cast());
    }
}

unsafe extern "C" fn shift_right(left: *mut ffi::PyObject, right: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the interpreter passes two living objects and is attached.
    unsafe { operator(left, right, composing::follow) }
}

unsafe extern "C" fn shift_left(left: *mut ffi::PyObject, right: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: the interpreter passes two living objects and is attached.
    unsafe { operator(left, right, composing::precede) }
}

type Operator = for<'py> fn(&Bound<'py, PyAny>, &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>>;

/// # Safety
/// Both are alive, and the thread is attached.
unsafe fn operator(left: *mut ffi::PyObject, right: *mut ffi::PyObject, apply: Operator) -> *mut ffi::PyObject {
    answer(|py| {
        // SAFETY: both are alive, says who calls.
        let (left, right) = unsafe { (Bound::from_borrowed_ptr(py, left), Bound::from_borrowed_ptr(py, right)) };
        if is_composable(&left) {
            apply(&left, &right)
        } else {
            Ok(py.NotImplemented().into_bound(py)) // the interpreter also asks the class of the right one
        }
    })
}

unsafe extern "C" fn call(
    task: *mut ffi::PyObject,
    args: *mut ffi::PyObject,
    kwargs: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    answer(|py| {
        // SAFETY: the interpreter passes living objects: a tuple, and a dictionary or null.
        let (task, args, kwargs) = unsafe {
            (
                Bound::from_borrowed_ptr(py, task),
                Bound::from_borrowed_ptr(py, args).cast_into_unchecked::<PyTuple>(),
                Bound::from_borrowed_ptr_or_opt(py, kwargs).map(|kwargs| kwargs.cast_into_unchecked::<PyDict>()),
            )
        };
        instances::called(&task, &args, kwargs)
    })
}

/// What the interpreter wants of a function: a new reference, or null with an exception set.
///
/// The thread is attached already, but PyO3 keeps count of that, and puts off what is dropped without.
fn answer(compute: impl for<'py> FnOnce(Python<'py>) -> PyResult<Bound<'py, PyAny>>) -> *mut ffi::PyObject {
    Python::attach(|py| {
        let found = catch_unwind(AssertUnwindSafe(|| compute(py)))
            .unwrap_or_else(|_| Err(PySystemError::new_err("graflow_fast: a broken invariant, see standard error")));
        match found {
            Ok(object) => object.into_ptr(),
            Err(error) => {
                error.restore(py);
                ptr::null_mut()
            }
        }
    })
}
