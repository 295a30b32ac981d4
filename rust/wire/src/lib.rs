//! How work and effects are written and read on a link between two processes.
//!
//! Owns the layout of the bytes. Values of the user are bytes here; must not know Python, who is at the link's ends, nor
//! what an effect means.
pub mod bytes;
pub mod record;
pub mod work;
