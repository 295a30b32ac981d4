//! How a run gets its writer: a new run, or one that is taken over from a writer that is gone.
//!
//! Owns the steps and their order, such that a death between any two loses nothing. Must not know how records are moved.
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use rusqlite::Connection;

use crate::access;
use crate::chunk::{self, Builder, Chunk};
use crate::database;
use crate::error::{Error, Result};
use crate::locks::{Held, Holder};
use crate::mover::{self, Mover};
use crate::reader;
use crate::runs::{self, Begin, RunId};
use crate::store::Inner;
use crate::tail::{Appender, Header, Map, Next, PAGE};
use crate::writer::{Parts, Shared, SharedMap, Writer};
use crate::STREAMS;

/// Where the tail of a run is.
pub fn tail_path(store: &Path, run: RunId) -> PathBuf {
    access::beside(store, &format!("-tail-{run}"))
}

/// A writer for a new run.
pub fn begin(store: &Inner, begin: &Begin) -> Result<Writer> {
    let failed = |error: rusqlite::Error| Error::sqlite("write", &store.path, &error);
    let connection = database::again(&store.path)?;
    // It is on the disk with the first records of the run.
    database::wait_for_disk(&connection, false).map_err(failed)?;
    let transaction = database::writing(&connection).map_err(failed)?;
    if let Some(name) = &begin.name {
        if let Some(other) = runs::named(&transaction, name).map_err(failed)? {
            return Err(Error::NameTaken { name: name.clone(), run: other.id });
        }
    }
    let run = runs::insert(&transaction, begin).map_err(failed)?;
    // Locked before others can see it, so nobody takes it over at once.
    let held = hold(store, run)?;
    let mut tail = NewTail::make(store, run, 1)?;
    tail.settle()?;
    transaction.commit().map_err(failed)?;
    database::wait_for_disk(&connection, true).map_err(failed)?;
    let nothing = [0; STREAMS as usize];
    start(store, connection, held, tail, From { run, epoch: 1, chunks: nothing, records: nothing })
}

/// A writer for a run whose writer is gone.
pub fn resume(store: &Inner, run: RunId) -> Result<Writer> {
    let failed = |error: rusqlite::Error| Error::sqlite("write", &store.path, &error);
    let held = hold(store, run)?;
    let connection = database::again(&store.path)?;
    let transaction = database::writing(&connection).map_err(failed)?;
    let (mut chunks, mut records) = chunk::next_numbers(&transaction, run).map_err(failed)?;
    let before = runs::one(&transaction, run).map_err(failed)?.ok_or(Error::NoRun { run })?;
    let left = rescue(store, run, before.epoch, &mut chunks, &mut records)?;
    mover::insert(&transaction, run, &left).map_err(failed)?;
    let epoch = runs::take_over(&transaction, run).map_err(failed)?.ok_or(Error::NoRun { run })?;
    let mut tail = NewTail::make(store, run, epoch)?;
    // From here on the old tail is another epoch's, and all that was in it is in the database.
    transaction.commit().map_err(failed)?;
    tail.settle()?;
    start(store, connection, held, tail, From { run, epoch, chunks, records })
}

/// What the last writer left in its tail, as chunks.
fn rescue(store: &Inner, run: RunId, epoch: u64, chunks: &mut Next, records: &mut Next) -> Result<Vec<(u8, Chunk)>> {
    let Some(tail) = reader::read_tail(&store.path, run, epoch)? else { return Ok(Vec::new()) };
    let mut left = Vec::new();
    let mut builders: Vec<Builder> = records.iter().map(|next| Builder::new(*next)).collect();
    let mut close = |builder: &mut Builder, stream: u8| {
        let number = &mut chunks[usize::from(stream)];
        if let Some(chunk) = builder.close(run, stream, *number, epoch) {
            left.push((stream, chunk));
            *number += 1;
        }
    };
    let joined = tail.join(records, |stream, _number, record| {
        let builder = &mut builders[usize::from(stream)];
        if builder.full(record) {
            close(builder, stream);
        }
        builder.add(record);
    });
    joined.map_err(|gap| reader::missing(run, gap))?;
    for (stream, builder) in builders.iter_mut().enumerate() {
        close(builder, stream as u8);
    }
    Ok(left)
}

fn hold(store: &Inner, run: RunId) -> Result<Held> {
    store.locks.hold(run)?.ok_or_else(|| Error::Held { run, holder: holder(store, run) })
}

/// Who writes a run, in words.
fn holder(store: &Inner, run: RunId) -> String {
    match store.locks.holder(run) {
        Ok(Some(Holder::Here)) => return format!("this process ({})", std::process::id()),
        Ok(Some(Holder::Process(pid))) if pid > 0 => return format!("process {pid}"),
        Ok(_) | Err(_) => {}
    }
    // A process in another container can't be seen, but it has said who it is.
    let page = fs::read(tail_path(&store.path, run)).unwrap_or_default();
    match page.get(..PAGE).and_then(Header::read) {
        Some(header) => format!("process {} on {}", header.pid, header.host),
        None => "another process".to_owned(),
    }
}

/// A tail under another name, which is removed unless it gets its place.
struct Draft {
    path: PathBuf,
    settled: bool,
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.settled {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A tail that has no place yet; until it is settled the old one stays.
struct NewTail {
    file: File,
    map: Map,
    path: PathBuf,
    draft: Draft,
}

impl NewTail {
    fn make(store: &Inner, run: RunId, epoch: u64) -> Result<NewTail> {
        let path = tail_path(&store.path, run);
        let draft = Draft { path: access::beside(&path, "-new"), settled: false };
        // Left by a writer that died right here; this run's lock is ours.
        let _ = fs::remove_file(&draft.path);
        let file = access::open_private(&draft.path)?;
        let half = store.options.half;
        let map = Map::new(&file, PAGE + 2 * half);
        let map = map.map_err(|error| Error::system("make room for what is appended in", &draft.path, &error))?;
        let written = file.write_all_at(&Header::own(run, epoch, half).page(), 0);
        written.map_err(|error| Error::system("write", &draft.path, &error))?;
        Ok(NewTail { file, map, path, draft })
    }

    /// Takes the place of the run's tail.
    fn settle(&mut self) -> Result<()> {
        let renamed = fs::rename(&self.draft.path, &self.path);
        renamed.map_err(|error| Error::system("rename", &self.draft.path, &error))?;
        self.draft.settled = true;
        Ok(())
    }
}

/// Starts the thread, and with it the writer.
fn start(store: &Inner, connection: Connection, held: Held, tail: NewTail, from: From) -> Result<Writer> {
    let From { run, epoch, chunks, records } = from;
    let (map, half) = (Arc::new(tail.map), store.options.half);
    // Opens the first half before the thread looks at it.
    let appender = Appender::new(SharedMap(map.clone()), run, epoch, half, records);
    let shared = Arc::new(Shared::default());
    let path = store.path.clone();
    let (interval, told) = (store.options.interval, shared.clone());
    let mover = Mover { path, connection, run, epoch, map, half, interval, shared: told, chunks, records };
    let thread = thread::Builder::new().name("graflow-store".to_owned()).spawn(move || mover.work());
    let thread = thread.map_err(|error| Error::system("start the thread that writes", &store.path, &error))?;
    Ok(Writer::new(Parts { run, epoch, appender, shared, thread, file: tail.file, tail: tail.path, held }))
}

/// Where a writer goes on.
struct From {
    run: RunId,
    epoch: u64,
    chunks: Next,
    records: Next,
}
