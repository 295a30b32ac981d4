//! Whether a store is whole.
//!
//! Owns the order in which all of it is read. Must not mend anything.
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::reader;
use crate::runs::{self, Run};
use crate::store::Store;
use crate::STREAMS;

/// Something that is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The run concerned, if it is one.
    pub run: Option<u64>,
    /// What is wrong, in words.
    pub what: String,
}

/// What was read, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// How many runs there are.
    pub runs: u64,
    /// How many records could be read.
    pub records: u64,
    /// How many bytes these have.
    pub bytes: u64,
    /// What is damaged; nothing if the store is whole.
    pub findings: Vec<Finding>,
}

/// Reads everything.
pub fn check(store: &Store) -> Result<Checked> {
    let mut checked = Checked::default();
    for what in pages(store)? {
        checked.findings.push(Finding { run: None, what });
    }
    for run in store.runs()? {
        checked.runs += 1;
        // Removed since the runs were listed, it is nobody's.
        let is_whole = runs::is_whole(&*store.inner().connection()?, run.id).unwrap_or(true);
        if !is_whole {
            let what = format!("run {}: its row has texts that are none; what it wrote is not concerned", run.id);
            checked.findings.push(Finding { run: Some(run.id), what });
        }
        for stream in 0..STREAMS {
            if let Err(error) = read_stream(store, &run, stream, &mut checked) {
                // Removed since the runs were listed.
                if error != (Error::NoRun { run: run.id }) {
                    checked.findings.push(Finding { run: Some(run.id), what: error.to_string() });
                }
            }
        }
        let tail = reader::read_tail(store.path(), run.id, run.epoch)?;
        // A live one may be read in the middle of a record.
        if !run.live && tail.is_some_and(|tail| tail.damaged()) {
            let what = format!(
                "run {}: what was appended last is damaged in {}; all before that is whole, and resuming goes on from there",
                run.id,
                tail_of(store, &run).display()
            );
            checked.findings.push(Finding { run: Some(run.id), what });
        }
    }
    Ok(checked)
}

fn tail_of(store: &Store, run: &Run) -> PathBuf {
    crate::takeover::tail_path(store.path(), run.id)
}

/// What the database itself says of its pages.
fn pages(store: &Store) -> Result<Vec<String>> {
    let connection = store.inner().connection()?;
    let read = || -> rusqlite::Result<Vec<String>> {
        let mut statement = connection.prepare("PRAGMA quick_check(20)")?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
        rows.collect()
    };
    match read() {
        Ok(lines) => Ok(lines.into_iter().filter(|line| line != "ok").collect()),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseCorrupt) => {
            Ok(vec![error.to_string()])
        }
        Err(error) => Err(store.failed(&error)),
    }
}

fn read_stream(store: &Store, run: &Run, stream: u8, checked: &mut Checked) -> Result<()> {
    let mut records = store.read(run.id, stream, 0)?;
    while let Some((_, places)) = records.next_batch()? {
        checked.records += places.len() as u64;
        checked.bytes += places.iter().map(|(begin, end)| (end - begin) as u64).sum::<u64>();
    }
    Ok(())
}
