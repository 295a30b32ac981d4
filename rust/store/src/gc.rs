//! Removing old runs, such that the file shrinks and no writer waits for long.
//!
//! Owns which runs go, and the small steps in which they do. Must not know what is in them.
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{params, Connection};

use crate::database;
use crate::error::{Error, Result};
use crate::runs::{self, Run, State};
use crate::store::Store;
use crate::takeover::tail_path;
use crate::values;

/// Chunks that are removed in one step: 8 MiB.
const STEP: i64 = 32;

/// Pages that are given back in one step: 4 MiB.
const PAGES: i64 = 1024;

/// Which runs go. A run goes if all that is set of `older` and `keep` says so, or if it is needed for `max_bytes`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Runs that ended (or, unfinished, began) longer ago than this.
    pub older: Option<Duration>,
    /// Runs beyond so many of the newest, which stay in any case.
    pub keep: Option<usize>,
    /// The oldest, until no more bytes than this are in use.
    pub max_bytes: Option<u64>,
    /// Also runs that have not ended, if nobody writes them.
    pub unfinished: bool,
    /// Only say what would go.
    pub dry: bool,
}

/// What went, or would go.
#[derive(Clone, Debug, PartialEq)]
pub struct Collected {
    /// The runs, the newest first.
    pub removed: Vec<Run>,
    /// Bytes of the file before.
    pub before: u64,
    /// Bytes of the file after; the same as before if nothing was removed.
    pub after: u64,
}

/// Removes what is over the limits.
pub fn collect(store: &Store, limits: &Limits) -> Result<Collected> {
    let writing = |error: rusqlite::Error| Error::sqlite("clean up", store.path(), &error);
    let before = sizes(store)?.0;
    let removed = choose(store, limits)?;
    if limits.dry {
        return Ok(Collected { removed, before, after: before });
    }
    // Its own, so that nobody who lists runs waits for all of this.
    let connection = database::again(store.path())?;
    // What is lost of it with the power is removed the next time.
    database::wait_for_disk(&connection, false).map_err(writing)?;
    let mut gone = Vec::new();
    for run in removed {
        // Taken up since, or being written: it stays.
        let Some(_held) = store.inner().locks.hold(run.id)? else { continue };
        connection.execute("DELETE FROM runs WHERE id = ?", [run.id as i64]).map_err(writing)?;
        let tail = tail_path(store.path(), run.id);
        let _ = fs::remove_file(tail);
        gone.push(run);
    }
    remove_values(&connection, store).map_err(writing)?;
    remove_chunks(&connection, store).map_err(writing)?;
    give_back(&connection, store).map_err(writing)?;
    Ok(Collected { removed: gone, before, after: sizes(store)?.0 })
}

fn sizes(store: &Store) -> Result<(u64, u64)> {
    database::sizes(&*store.inner().connection()?).map_err(|error| store.failed(&error))
}

/// The runs that go, the newest first.
fn choose(store: &Store, limits: &Limits) -> Result<Vec<Run>> {
    let now = runs::now();
    let all = store.runs()?;
    let may_go = |run: &Run| !run.live && (limits.unfinished || run.state != State::Running);
    let old =
        |run: &Run| limits.older.is_some_and(|older| now - run.ended.unwrap_or(run.started) > older.as_secs_f64());
    let kept = limits.keep.unwrap_or(0);
    let goes = |place: usize, run: &Run| match (limits.older, limits.keep) {
        (Some(_), _) => place >= kept && old(run),
        (None, Some(keep)) => place >= keep,
        (None, None) => false,
    };
    let mut chosen: Vec<bool> = all.iter().enumerate().map(|(place, run)| may_go(run) && goes(place, run)).collect();
    if let Some(most) = limits.max_bytes {
        let (whole, free) = sizes(store)?;
        let mut used = whole - free + all.iter().map(|run| values::bytes(store.path(), run.id)).sum::<u64>();
        for (place, run) in all.iter().enumerate().rev() {
            let goes = chosen[place] || (used > most && place >= kept && may_go(run));
            if goes {
                chosen[place] = true;
                used = used.saturating_sub(bytes(store, run)?);
            }
        }
    }
    Ok(all.into_iter().zip(chosen).filter_map(|(run, goes)| goes.then_some(run)).collect())
}

/// About how many bytes a run has, in the database and beside it.
fn bytes(store: &Store, run: &Run) -> Result<u64> {
    // The length is in the row's header, so the data isn't read.
    let query = "SELECT coalesce(sum(length(data) + 64), 0) FROM chunks WHERE run = ?";
    let found = store.inner().connection()?.query_row(query, [run.id as i64], |row| row.get::<_, i64>(0));
    let values = values::bytes(store.path(), run.id);
    found.map(|bytes| bytes as u64 + values).map_err(|error| store.failed(&error))
}

/// Removes the large values of runs that are gone, likewise.
fn remove_values(connection: &Connection, store: &Store) -> rusqlite::Result<()> {
    // Looked at first: a run has its row before it has a value.
    let found = values::all(store.path());
    let left = runs::all(connection)?;
    for (_, path) in found.iter().filter(|(run, _)| left.iter().all(|other| other.id != *run)) {
        // What can't be removed now is the next time.
        let _ = fs::remove_dir_all(path);
    }
    Ok(())
}

/// Removes the chunks of runs that are gone, also those that were left by who died while removing.
fn remove_chunks(connection: &Connection, store: &Store) -> rusqlite::Result<()> {
    let mut after = -1;
    loop {
        let next = "SELECT min(run) FROM chunks WHERE run > ?";
        let Some(run) = connection.query_row(next, [after], |row| row.get::<_, Option<i64>>(0))? else { return Ok(()) };
        after = run;
        let gone = "DELETE FROM chunks WHERE rowid IN (SELECT rowid FROM chunks WHERE run = ?1 LIMIT ?2)
            AND NOT EXISTS (SELECT 1 FROM runs WHERE id = ?1)";
        while in_turn(|| connection.execute(gone, params![run, STEP]))? > 0 {
            database::cut_long_log(connection, store.path())?;
        }
    }
}

/// Does a step, and leaves the store to others for as long as that took: who waits looks from time to time only.
fn in_turn<T>(step: impl FnOnce() -> rusqlite::Result<T>) -> rusqlite::Result<T> {
    let begun = Instant::now();
    let done = step();
    thread::sleep(begun.elapsed());
    done
}

/// Gives free pages back to the system.
fn give_back(connection: &Connection, store: &Store) -> rusqlite::Result<()> {
    loop {
        let (_, free) = database::sizes(connection)?;
        if free == 0 {
            break;
        }
        in_turn(|| connection.execute_batch(&format!("PRAGMA incremental_vacuum({PAGES})")))?;
        if database::sizes(connection)?.1 >= free {
            break;
        }
        database::cut_long_log(connection, store.path())?;
    }
    database::cut_log(connection)
}
