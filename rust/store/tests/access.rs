//! Whose a store is, and what is refused.
mod common;

use std::fs::{self, Permissions};
use std::os::unix::fs::{chown, MetadataExt, PermissionsExt};
use std::path::Path;

use common::*;
use graflow_store::{Limits, Store};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

#[test]
fn all_files_are_their_owners_alone() {
    let place = Place::new();
    let path = place.directory().join("new/deep/runs.db");
    let store = Store::open(&path).unwrap();
    let mut writer = store.begin(&begin("flow")).unwrap();
    writer.append(0, b"secret").unwrap();
    writer.flush().unwrap();
    let directory = path.parent().unwrap();
    assert_eq!((mode(directory), mode(directory.parent().unwrap())), (0o700, 0o700));
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(mode(&entry.path()), 0o600, "{:?}", entry.path());
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["runs.db", "runs.db-lock", "runs.db-shm", "runs.db-tail-1", "runs.db-wal"]);
}

#[test]
fn a_store_that_others_may_write_is_refused() {
    let place = Place::new();
    drop(Store::open(place.store()).unwrap());
    for (name, bad) in [("runs.db", 0o620), ("runs.db", 0o666), ("runs.db-lock", 0o602)] {
        let path = place.directory().join(name);
        fs::set_permissions(&path, Permissions::from_mode(bad)).unwrap();
        for opened in [Store::open(place.store()), Store::open_read_only(place.store())] {
            let words = opened.unwrap_err().to_string();
            let begin = format!("{} is refused: others may write to it (mode {bad:04o})", path.display());
            assert!(words.starts_with(&begin), "{words}");
        }
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }
    fs::set_permissions(place.directory(), Permissions::from_mode(0o777)).unwrap();
    let words = Store::open(place.store()).unwrap_err().to_string();
    assert!(words.contains("others may write there"), "{words}");
    fs::set_permissions(place.directory(), Permissions::from_mode(0o1777)).unwrap();
    assert!(Store::open(place.store()).is_ok(), "as in /tmp, where nobody can move others' files");
}

#[test]
fn a_store_of_another_user_is_refused() {
    let place = Place::new();
    drop(Store::open(place.store()).unwrap());
    // Only an administrator can give files away.
    if chown(place.store(), Some(12345), None).is_err() {
        return;
    }
    let words = Store::open_read_only(place.store()).unwrap_err().to_string();
    assert!(words.contains("it belongs to another user (uid 12345, you are "), "{words}");
}

#[test]
fn what_is_no_store_is_refused_and_left_as_it_is() {
    let place = Place::new();
    let text = vec![b'x'; 10_000];
    fs::write(place.store(), &text).unwrap();
    fs::set_permissions(place.store(), Permissions::from_mode(0o600)).unwrap();
    let words = Store::open(place.store()).unwrap_err().to_string();
    assert!(words.ends_with("is refused: it is not a store of runs; give another path"), "{words}");
    assert_eq!(fs::read(place.store()).unwrap(), text);
    fs::remove_file(place.store()).unwrap();
    rusqlite::Connection::open(place.store()).unwrap().execute_batch("CREATE TABLE other (x)").unwrap();
    fs::set_permissions(place.store(), Permissions::from_mode(0o600)).unwrap();
    let words = Store::open(place.store()).unwrap_err().to_string();
    assert!(words.contains("it is a database, but not a store of runs"), "{words}");
    let words = Store::open(place.directory()).unwrap_err().to_string();
    assert!(words.contains("it is not a file"), "{words}");
}

#[test]
fn a_store_of_a_newer_format_is_refused_with_both_formats() {
    let place = Place::new();
    drop(Store::open(place.store()).unwrap());
    rusqlite::Connection::open(place.store()).unwrap().pragma_update(None, "user_version", 9).unwrap();
    for opened in [Store::open(place.store()), Store::open_read_only(place.store())] {
        let words = opened.unwrap_err().to_string();
        assert!(words.contains("it has format 9, and this version of graflow_fast reads format 1"), "{words}");
    }
}

#[test]
fn many_may_open_a_new_store_at_once() {
    let place = Place::new();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                Store::open_with(place.store(), small())
                    .unwrap()
                    .begin(&begin("flow"))
                    .unwrap()
                    .append(0, b"x")
                    .unwrap()
            });
        }
    });
    let store = Store::open(place.store()).unwrap();
    assert_eq!(store.runs().unwrap().len(), 8);
    assert_eq!(store.gc(&Limits { keep: Some(0), unfinished: true, ..Limits::default() }).unwrap().removed.len(), 8);
    let names = fs::read_dir(place.directory()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.contains("tail")).count(), 0, "the tails are gone as well");
}

#[test]
fn the_database_is_set_up_to_keep_what_is_committed_and_to_shrink() {
    let place = Place::new();
    drop(Store::open(place.store()).unwrap());
    let connection = rusqlite::Connection::open(place.store()).unwrap();
    let text =
        |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0)).unwrap();
    assert_eq!(text("journal_mode"), "wal".to_owned().into());
    assert_eq!(text("auto_vacuum"), 2.into(), "incremental");
    assert_eq!(text("application_id"), 0x6766_7374.into());
    assert_eq!(text("user_version"), 1.into());
}
