//! Any bytes on a worker's link: frames or an error, the same however the bytes are cut. See `rust/pool/src/fuzz.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| graflow_pool::fuzz::check(bytes));
