//! Reading slots of the user's tasks: a class that defines `__getattr__` has all its attributes looked up the long way.
//!
//! Owns the descriptors of the class of plain tasks. Must not know what is in the slots.
use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

/// One attribute of a class, read by its descriptor.
pub(crate) struct Slot {
    descriptor: Py<PyAny>,
    get: ffi::descrgetfunc,
}

impl Slot {
    fn of(class: &Bound<'_, PyType>, name: &str) -> PyResult<Self> {
        let descriptor = class.getattr("__dict__")?.get_item(name)?;
        // SAFETY: the type of a living object is alive, and `Py_tp_descr_get` is the number of a slot.
        let get = unsafe { ffi::PyType_GetSlot(ffi::Py_TYPE(descriptor.as_ptr()), ffi::Py_tp_descr_get) };
        if get.is_null() {
            return Err(PyTypeError::new_err(format!("'{name}' is no descriptor")));
        }
        // SAFETY: what stands in that slot is such a function, and it is not null.
        let get = unsafe { std::mem::transmute::<*mut std::ffi::c_void, ffi::descrgetfunc>(get) };
        Ok(Self { descriptor: descriptor.unbind(), get })
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

/// The slots of the class of plain tasks.
pub(crate) struct TaskSlots {
    pub class: Py<PyType>,
    pub task_id: Slot,
    pub definition: Slot,
}

static SLOTS: PyOnceLock<TaskSlots> = PyOnceLock::new();

impl TaskSlots {
    /// Those of `class`, `graflow_fast.core.task.TaskWrapper`, the only one there is.
    pub(crate) fn of(class: &Bound<'_, PyType>) -> PyResult<&'static TaskSlots> {
        SLOTS.get_or_try_init(class.py(), || {
            let (task_id, definition) = (Slot::of(class, "_task_id")?, Slot::of(class, "_definition")?);
            Ok(TaskSlots { class: class.clone().unbind(), task_id, definition })
        })
    }

    pub(crate) fn is_plain(&self, task: &Bound<'_, PyAny>) -> bool {
        task.get_type().is(&self.class)
    }
}
