//! The pure scheduler of `graflow_fast`.
#![forbid(unsafe_code)]
