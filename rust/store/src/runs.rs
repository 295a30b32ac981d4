//! The table of runs: one row each, which listing reads without looking at what a run wrote.
//!
//! Owns what is known of a run and its queries. Must not know chunks, tails and locks.
use std::time::{SystemTime, UNIX_EPOCH};

use rusqlite::types::ValueRef;
use rusqlite::{params, Connection, OptionalExtension, Row};

/// The number of a run; counted from 1 and never used again in its store.
pub type RunId = u64;

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has not ended: it is being written, or its writer died.
    Running,
    /// It ended well.
    Finished,
    /// It ended with an error.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl State {
    /// All of them.
    pub const ALL: [State; 4] = [State::Running, State::Finished, State::Failed, State::Cancelled];

    /// As a word.
    pub fn word(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Finished => "finished",
            State::Failed => "failed",
            State::Cancelled => "cancelled",
        }
    }

    /// From a word.
    pub fn from_word(word: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// What is told of a run when it begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Begin {
    /// Its name, which no other run of the store has; or none.
    pub name: Option<String>,
    /// The workflow's name.
    pub workflow: String,
    /// How the program was called; the store doesn't look into it.
    pub program: String,
    /// The run that this one comes from.
    pub parent: Option<RunId>,
}

/// What is known of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The workflow's name.
    pub workflow: String,
    /// How it stands.
    pub state: State,
    /// When it began, in seconds since 1970.
    pub started: f64,
    /// When it ended, if it has.
    pub ended: Option<f64>,
    /// How many writers it had: one more for each time it was taken over.
    pub epoch: u64,
    /// How the program was called.
    pub program: String,
    /// What its writer counted last, in the writer's own form.
    pub counts: String,
    /// The run that it comes from.
    pub parent: Option<RunId>,
    /// Whether a process writes it at the moment.
    pub live: bool,
}

const COLUMNS: &str = "id, name, workflow, state, started, ended, epoch, program, counts, parent";

/// A text, also one that is damaged: what can be read of it, for a run that can't be shown would hide all others.
fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<String>> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        _ => None,
    })
}

/// Whether all texts of a run are texts.
pub fn is_whole(connection: &Connection, run: RunId) -> rusqlite::Result<bool> {
    let query = format!("SELECT {COLUMNS} FROM runs WHERE id = ?");
    connection.query_row(&query, [run as i64], |row| {
        let is_text = |column| match row.get_ref(column)? {
            ValueRef::Text(bytes) => Ok(std::str::from_utf8(bytes).is_ok()),
            ValueRef::Null => Ok(true),
            _ => Ok::<bool, rusqlite::Error>(false),
        };
        Ok(is_text(1)? && is_text(2)? && is_text(3)? && is_text(7)? && is_text(8)?)
    })
}

fn read(row: &Row<'_>) -> rusqlite::Result<Run> {
    let state = text(row, 3)?.unwrap_or_default();
    Ok(Run {
        id: row.get::<_, i64>(0)? as RunId,
        name: text(row, 1)?,
        workflow: text(row, 2)?.unwrap_or_default(),
        // A newer version's word: what it means isn't known here, but it isn't under way.
        state: State::from_word(&state).unwrap_or(State::Failed),
        started: row.get(4)?,
        ended: row.get(5)?,
        epoch: row.get::<_, i64>(6)? as u64,
        program: text(row, 7)?.unwrap_or_default(),
        counts: text(row, 8)?.unwrap_or_default(),
        parent: row.get::<_, Option<i64>>(9)?.map(|id| id as RunId),
        live: false,
    })
}

/// Seconds since 1970.
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |passed| passed.as_secs_f64())
}

/// All runs, the newest first.
pub fn all(connection: &Connection) -> rusqlite::Result<Vec<Run>> {
    let mut statement = connection.prepare(&format!("SELECT {COLUMNS} FROM runs ORDER BY id DESC"))?;
    let rows = statement.query_map([], read)?;
    rows.collect()
}

/// One run.
pub fn one(connection: &Connection, run: RunId) -> rusqlite::Result<Option<Run>> {
    let query = format!("SELECT {COLUMNS} FROM runs WHERE id = ?");
    connection.query_row(&query, [run as i64], read).optional()
}

/// The run of a name.
pub fn named(connection: &Connection, name: &str) -> rusqlite::Result<Option<Run>> {
    let query = format!("SELECT {COLUMNS} FROM runs WHERE name = ?");
    connection.query_row(&query, [name], read).optional()
}

/// Adds a run, and gives its number.
pub fn insert(connection: &Connection, begin: &Begin) -> rusqlite::Result<RunId> {
    connection.execute(
        "INSERT INTO runs (name, workflow, state, started, epoch, program, counts, parent)
         VALUES (?, ?, 'running', ?, 1, ?, '', ?)",
        params![begin.name, begin.workflow, now(), begin.program, begin.parent.map(|id| id as i64)],
    )?;
    Ok(connection.last_insert_rowid() as RunId)
}

/// Raises the epoch of a run, which is under way again; gives the new epoch, if there is such a run.
pub fn take_over(connection: &Connection, run: RunId) -> rusqlite::Result<Option<u64>> {
    let query = "UPDATE runs SET epoch = epoch + 1, state = 'running', ended = NULL WHERE id = ? RETURNING epoch";
    connection
        .query_row(query, [run as i64], |row| row.get::<_, i64>(0))
        .optional()
        .map(|found| found.map(|epoch| epoch as u64))
}

/// Notes how a run stands, if it is this epoch's still; says whether it is.
pub fn note(
    connection: &Connection,
    run: RunId,
    epoch: u64,
    counts: Option<&str>,
    end: Option<State>,
) -> rusqlite::Result<bool> {
    let changed = connection.execute(
        "UPDATE runs SET counts = coalesce(?, counts), state = coalesce(?, state), ended = coalesce(?, ended)
         WHERE id = ? AND epoch = ?",
        params![counts, end.map(State::word), end.map(|_| now()), run as i64, epoch as i64],
    )?;
    Ok(changed == 1)
}
