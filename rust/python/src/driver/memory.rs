//! Memory that nobody uses goes back to the system.
use pyo3::prelude::*;

/// Gives pages back that the C library keeps between what is in use: what grew by the million leaves holes of megabytes.
#[pyfunction]
pub fn give_back_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes a number and may be called at any time, from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}
