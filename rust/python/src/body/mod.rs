//! What a body is given, wherever it runs. Must not know places.
pub(crate) mod awaited;
pub(crate) mod filling;
pub(crate) mod parameters;
