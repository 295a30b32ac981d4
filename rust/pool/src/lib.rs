//! The process pool of `graflow_fast`.
