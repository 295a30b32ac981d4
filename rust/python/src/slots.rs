//! Slots of the user's tasks: a class that defines `__getattr__` has all its attributes looked up the long way.
//!
//! Owns the descriptors of the class of plain tasks, and making an empty task. Must not know what is in the slots.
use std::ffi::{c_int, c_void};

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyType, PyTypeMethods};

/// One attribute of a class, read by its descriptor.
pub(crate) struct Slot {
    descriptor: Py<PyAny>,
    get: ffi::descrgetfunc,
    set: ffi::descrsetfunc,
}

impl Slot {
    fn of(class: &Bound<'_, PyType>, name: &str) -> PyResult<Self> {
        let descriptor = class.getattr("__dict__")?.get_item(name)?;
        let kind = descriptor.get_type();
        let (get, set) = (function(&kind, ffi::Py_tp_descr_get)?, function(&kind, ffi::Py_tp_descr_set)?);
        // SAFETY: what stands in these places of a type are such functions, and they are not null.
        let (get, set) = unsafe {
            (
                std::mem::transmute::<*mut c_void, ffi::descrgetfunc>(get),
                std::mem::transmute::<*mut c_void, ffi::descrsetfunc>(set),
            )
        };
        Ok(Self { descriptor: descriptor.unbind(), get, set })
    }

    /// Puts a value there; a `TypeError` if the object is of another class.
    #[inline]
    pub(crate) fn put(&self, object: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        // SAFETY: all three are alive, and a descriptor looks itself whether the object is of its class.
        match unsafe { (self.set)(self.descriptor.as_ptr(), object.as_ptr(), value.as_ptr()) } {
            0 => Ok(()),
            _ => Err(PyErr::fetch(object.py())),
        }
    }

    /// What the object has there; a `TypeError` if it is of another class.
    #[inline]
    pub(crate) fn of_object<'py>(&self, object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let (py, object) = (object.py(), object.as_ptr());
        // SAFETY: all three are alive, and a descriptor looks itself whether the object is of its class. It gives a new
        // reference, or null with an exception set.
        unsafe {
            let found = (self.get)(self.descriptor.as_ptr(), object, ffi::Py_TYPE(object).cast());
            Bound::from_owned_ptr_or_err(py, found)
        }
    }
}

/// What stands in a place of a type.
fn function(class: &Bound<'_, PyType>, place: c_int) -> PyResult<*mut c_void> {
    // SAFETY: the type is alive, and the place is one of those that the interpreter's interface names.
    let found = unsafe { ffi::PyType_GetSlot(class.as_type_ptr(), place) };
    if found.is_null() {
        return Err(PyTypeError::new_err(format!("{class} has nothing in place {place}")));
    }
    Ok(found)
}

/// The slots of the class of plain tasks.
pub(crate) struct TaskSlots {
    class: Py<PyType>,
    alloc: ffi::allocfunc,
    pub task_id: Slot,
    pub owner: Slot,
    pub definition: Slot,
    pub names: Slot,
    pub values: Slot,
}

static SLOTS: PyOnceLock<TaskSlots> = PyOnceLock::new();

impl TaskSlots {
    /// Those of `class`, `graflow_fast.core.task.TaskWrapper`, the only one there is.
    pub(crate) fn of(class: &Bound<'_, PyType>) -> PyResult<&'static TaskSlots> {
        SLOTS.get_or_try_init(class.py(), || {
            // SAFETY: what stands there is such a function, and it is not null.
            let alloc =
                unsafe { std::mem::transmute::<*mut c_void, ffi::allocfunc>(function(class, ffi::Py_tp_alloc)?) };
            Ok(TaskSlots {
                class: class.clone().unbind(),
                alloc,
                task_id: Slot::of(class, "_task_id")?,
                owner: Slot::of(class, "_owner")?,
                definition: Slot::of(class, "_definition")?,
                names: Slot::of(class, "_names")?,
                values: Slot::of(class, "_values")?,
            })
        })
    }

    /// Those of a task, if it is a plain one and they have been asked for before.
    pub(crate) fn of_task(task: &Bound<'_, PyAny>) -> Option<&'static TaskSlots> {
        SLOTS.get(task.py()).filter(|slots| slots.is_plain(task))
    }

    /// An empty task, as `object.__new__` makes it.
    pub(crate) fn new_task<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: the class is alive and can be instantiated; the function gives a new object of it, or null with an
        // exception set.
        unsafe { Bound::from_owned_ptr_or_err(py, (self.alloc)(self.class.bind(py).as_type_ptr(), 0)) }
    }

    pub(crate) fn is_plain(&self, task: &Bound<'_, PyAny>) -> bool {
        task.get_type().is(&self.class)
    }
}
