//! What is between the head of a run and stations: the trunk, the head's copies of claims, a station's workers.
pub mod ends;
pub mod trunk;
