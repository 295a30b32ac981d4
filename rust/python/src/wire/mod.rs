//! How values cross: short pickles of scalars. Must not know who is at the ends of a link.
pub(crate) mod pickle;
pub(crate) mod scalars;
