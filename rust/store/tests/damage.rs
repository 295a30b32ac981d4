//! Damage on disk: what is read is a prefix, or the error names run and record. Never something else.
mod common;

use std::fs;
use std::path::PathBuf;

use common::*;
use graflow_store::{Error, Store};

/// A store with a run of 600 records: 400 in the database, 200 in the tail.
fn store(place: &Place) -> (Store, u64) {
    let store = open(place, lazy());
    let mut writer = store.begin(&begin("flow")).unwrap();
    for number in 0..400 {
        writer.append(0, &record(number)).unwrap();
    }
    writer.flush().unwrap();
    // Nothing gets into the database meanwhile, so neither half is freed before the tail is kept.
    let connection = rusqlite::Connection::open(place.store()).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    (400..460).for_each(|number| assert_eq!(writer.append(0, &record(number)).unwrap(), number));
    let run = writer.run();
    let kept = fs::read(tail(place, run)).unwrap();
    connection.execute_batch("ROLLBACK").unwrap();
    drop(writer);
    // As it was before the writer ended in order.
    connection.execute("DELETE FROM chunks WHERE first >= 400", []).unwrap();
    fs::write(tail(place, run), kept).unwrap();
    assert_eq!(read(&store, run, 0).unwrap(), records(460));
    (store, run)
}

fn tail(place: &Place, run: u64) -> PathBuf {
    place.directory().join(format!("runs.db-tail-{run}"))
}

#[test]
fn a_damaged_tail_is_read_up_to_the_damage_found_by_check_and_resumed_from_there() {
    let mut random = Random(5);
    let place = Place::new();
    let (store, run) = store(&place);
    let whole = fs::read(tail(&place, run)).unwrap();
    let (mut shorter, mut found) = (0, 0);
    for case in 0..60 {
        let mut bytes = whole.clone();
        // The half that is in use; 60 records have some 7000 bytes.
        let at = (random.below(2) * 16384 + 4096 + random.below(9000)) as usize;
        match case % 3 {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at..at + 512].fill(0),
            _ => bytes.truncate(at),
        }
        fs::write(tail(&place, run), bytes).unwrap();
        match read(&store, run, 0) {
            Ok(these) => {
                assert!(these.len() >= 400 && these == records(these.len() as u64), "case {case}");
                shorter += usize::from(these.len() < 460);
                found += store.check().unwrap().findings.len();
            }
            Err(error) => assert!(matches!(error, Error::Damaged { record: 400, .. }), "case {case}: {error}"),
        }
    }
    assert!(shorter > 10 && found > 5, "{shorter} were shorter, check found {found}");
    let mut bytes = whole;
    let last = bytes.windows(8).rposition(|eight| *eight == 459u64.to_le_bytes()).unwrap();
    bytes[last] ^= 1;
    fs::write(tail(&place, run), bytes).unwrap();
    let findings = store.check().unwrap().findings;
    assert!(findings[0].what.contains("what was appended last is damaged in "), "{findings:?}");
    let mut writer = store.resume(run).unwrap();
    assert_eq!(writer.next(0).unwrap(), 459);
    writer.append(0, &record(459)).unwrap();
    assert_eq!(read(&store, run, 0).unwrap(), records(460));
}

#[test]
fn a_tail_with_another_first_page_is_read_all_the_same() {
    let place = Place::new();
    let (store, run) = store(&place);
    let mut bytes = fs::read(tail(&place, run)).unwrap();
    bytes[..4096].fill(0);
    fs::write(tail(&place, run), bytes).unwrap();
    assert_eq!(read(&store, run, 0).unwrap(), records(460));
}

#[test]
fn a_chunk_that_is_damaged_is_refused_and_the_rest_of_the_store_goes_on() {
    let place = Place::new();
    let store = open(&place, graflow_store::Options { half: 1 << 20, ..lazy() });
    for run in 1..=2 {
        let mut writer = store.begin(&named(&format!("run {run}"))).unwrap();
        for number in 0..300 {
            writer.append(3, &record(number)).unwrap();
            if number % 100 == 99 {
                writer.flush().unwrap();
            }
        }
        writer.finish(graflow_store::State::Finished, String::new()).unwrap();
    }
    let connection = rusqlite::Connection::open(place.store()).unwrap();
    let damage = "UPDATE chunks SET data = CAST(data || x'00' AS BLOB) WHERE run = 1 AND seq = 1";
    connection.execute(damage, []).unwrap();
    let mut found = store.read(1, 3, 0).unwrap();
    let good: Vec<Vec<u8>> = found.by_ref().take(100).map(Result::unwrap).collect();
    assert_eq!(good, records(100));
    let words =
        "run 1 is damaged at record 100 of stream 3: the checksum is another one in chunk 1 (records 100 to 199)";
    assert_eq!(found.next().unwrap().unwrap_err().to_string(), words);
    assert_eq!(found.next(), None);
    let checked = store.check().unwrap();
    assert_eq!(checked.findings.iter().map(|found| found.what.as_str()).collect::<Vec<_>>(), [words]);
    connection.execute("DELETE FROM chunks WHERE run = 1 AND seq = 1", []).unwrap();
    let words = "run 1 is damaged at record 100 of stream 3: the records before record 200 are missing";
    assert_eq!(read(&store, 1, 3).unwrap_err().to_string(), words);
    assert_eq!(read(&store, 2, 3).unwrap(), records(300));
    assert_eq!(store.runs().unwrap().len(), 2);
}

#[test]
fn whatever_byte_of_the_database_is_damaged_records_are_right_or_an_error_is_given() {
    let place = Place::new();
    let store = open(&place, lazy());
    let mut writer = store.begin(&begin("flow")).unwrap();
    for number in 0..200 {
        writer.append(0, &record(number)).unwrap();
        if number % 20 == 0 {
            writer.flush().unwrap();
        }
    }
    writer.finish(graflow_store::State::Finished, String::new()).unwrap();
    drop(store);
    let database = rusqlite::Connection::open(place.store()).unwrap();
    database.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_row| Ok(())).unwrap(); // so that all is in one file
    drop(database);
    let whole = fs::read(place.store()).unwrap();
    let mut random = Random(3);
    let (mut good, mut errors) = (0, 0);
    for case in 0..150 {
        let mut bytes = whole.clone();
        let at = random.below(bytes.len() as u64) as usize;
        match case % 3 {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => {
                let page = at / 4096 * 4096;
                bytes[page..page + 4096].fill(0);
            }
            _ => bytes.truncate(at / 512 * 512),
        }
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(place.directory().join(format!("runs.db{suffix}")));
        }
        fs::write(place.store(), bytes).unwrap();
        let found = Store::open_read_only(place.store()).and_then(|store| read(&store, 1, 0));
        match found {
            // A chunk at the end that is gone can't be told from one that never was, but what is there is right.
            Ok(found) => {
                assert_eq!(found, records(found.len() as u64), "case {case}");
                good += 1;
            }
            Err(_) => errors += 1,
        }
    }
    assert!(good > 10 && errors > 30, "{good} were read, {errors} refused");
}
