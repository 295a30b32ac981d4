//! Slots of the user's tasks: a class that defines `__getattr__` has all its attributes looked up the long way.
//!
//! Owns the descriptors of classes with slots, those of plain tasks above all, and making empty objects. Must not know what is in the slots.
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
    /// The slot of that name, which the class itself defines.
    pub(crate) fn of(class: &Bound<'_, PyType>, name: &str) -> PyResult<Self> {
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

/// A class of which empty objects are made, as `object.__new__` makes them.
pub(crate) struct Empty {
    class: Py<PyType>,
    alloc: ffi::allocfunc,
}

impl Empty {
    /// For a class whose objects may begin with nothing but zeros.
    pub(crate) fn of(class: &Bound<'_, PyType>) -> PyResult<Self> {
        // SAFETY: what stands there is such a function, and it is not null.
        let alloc = unsafe { std::mem::transmute::<*mut c_void, ffi::allocfunc>(function(class, ffi::Py_tp_alloc)?) };
        Ok(Self { class: class.clone().unbind(), alloc })
    }

    /// An object of it.
    #[inline]
    pub(crate) fn make<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        // SAFETY: the class is alive and can be instantiated; the function gives a new object of it, or null with an
        // exception set.
        unsafe { Bound::from_owned_ptr_or_err(py, (self.alloc)(self.class.bind(py).as_type_ptr(), 0)) }
    }

    /// Whether the object is exactly of this class.
    #[inline]
    pub(crate) fn is_class_of(&self, object: &Bound<'_, PyAny>) -> bool {
        // SAFETY: the object is alive; a type is compared, not used.
        std::ptr::eq(unsafe { ffi::Py_TYPE(object.as_ptr()) }.cast(), self.class.as_ptr())
    }
}

/// The slots of the class of plain tasks.
pub(crate) struct TaskSlots {
    empty: Empty,
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
            Ok(TaskSlots {
                empty: Empty::of(class)?,
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
        self.empty.make(py)
    }

    pub(crate) fn is_plain(&self, task: &Bound<'_, PyAny>) -> bool {
        self.empty.is_class_of(task)
    }
}
