//! How values and code cross: short pickles, and what code names. Must not know who is at the ends of a link.
pub(crate) mod code;
pub(crate) mod loading;
pub(crate) mod pickle;
pub(crate) mod plain;
pub(crate) mod scalars;
