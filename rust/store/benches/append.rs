//! Nanoseconds per appended record of 100 bytes, and megabytes a second into the database.
//! `cargo bench -p graflow-store`; the last argument may be a directory on the disk to be measured.
use std::path::PathBuf;
use std::time::Instant;

use graflow_store::{Begin, Options, State, Store};

fn main() {
    let given = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let place =
        given.map_or_else(std::env::temp_dir, PathBuf::from).join(format!("graflow-bench-{}", std::process::id()));
    let store = Store::open_with(place.join("runs.db"), Options::default()).expect("a store");
    burst(&store);
    for (what, seed) in [("that compress", 0), ("that don't", 0x9E37_79B9)] {
        stream(&store, what, seed);
    }
    lists(&store);
    drop(store);
    std::fs::remove_dir_all(place).expect("the place was made above");
}

/// A record of 100 bytes; with another seed than 0, of bytes that look random.
fn record(number: u64, seed: u64) -> [u8; 100] {
    let mut bytes = [0; 100];
    let mut mixed = number;
    for eight in bytes.chunks_exact_mut(8) {
        eight.copy_from_slice(&mixed.to_le_bytes());
        mixed = mixed.wrapping_mul(seed | 1).rotate_left(31) ^ number;
    }
    bytes
}

/// What fits into the tail, so nobody waits for the disk: the price for the run.
fn burst(store: &Store) {
    let mut writer = store.begin(&Begin::default()).expect("a run");
    let count = 30_000;
    for round in 0..4 {
        let records: Vec<_> = (0..count).map(|number| record(number, 1)).collect();
        let clock = Instant::now();
        for bytes in &records {
            writer.append(0, bytes).expect("room");
        }
        let passed = clock.elapsed();
        println!("append, 100 bytes, round {round}: {:.1} ns", passed.as_nanos() as f64 / count as f64);
        writer.flush().expect("written");
    }
    let clock = Instant::now();
    for number in 0..200 {
        writer.append(0, &record(number, 1)).expect("room");
        writer.sync().expect("synced");
    }
    println!("append and sync: {:.1} µs", clock.elapsed().as_micros() as f64 / 200.0);
    writer.finish(State::Finished, String::new()).expect("written");
}

/// A run that writes without a pause.
fn stream(store: &Store, what: &str, seed: u64) {
    let mut writer = store.begin(&Begin::default()).expect("a run");
    let run = writer.run();
    let count = 2_000_000;
    let clock = Instant::now();
    for number in 0..count {
        writer.append(0, &record(number, seed)).expect("written");
    }
    writer.finish(State::Finished, String::new()).expect("written");
    let passed = clock.elapsed().as_secs_f64();
    println!("{count} records {what}: {:.0} a second, {:.0} MB/s", count as f64 / passed, count as f64 / 1e4 / passed);
    let clock = Instant::now();
    let mut records = store.read(run, 0, 0).expect("a run");
    let mut found = 0;
    while let Some((_, places)) = records.next_batch().expect("whole") {
        found += places.len();
    }
    assert_eq!(found as u64, count);
    println!("  read: {:.0} MB/s", count as f64 / 1e4 / clock.elapsed().as_secs_f64());
}

fn lists(store: &Store) {
    let clock = Instant::now();
    for _ in 0..1000 {
        let writer = store.begin(&Begin::default()).expect("a run");
        writer.finish(State::Finished, String::new()).expect("written");
    }
    println!("begin and finish a run: {:.0} µs", clock.elapsed().as_micros() as f64 / 1000.0);
    let clock = Instant::now();
    let count = store.runs().expect("a list").len();
    println!("list {count} runs: {:.1} ms", clock.elapsed().as_secs_f64() * 1e3);
}
