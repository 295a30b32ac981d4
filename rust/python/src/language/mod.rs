//! What the language does a million times: composing tasks and making instances of them.
//!
//! Only the plain cases; the rest is handed to the Python functions that `learn` was told of. Must not know runs.
pub(crate) mod base;
pub(crate) mod classes;
pub(crate) mod composing;
pub(crate) mod instances;
pub(crate) mod running;
