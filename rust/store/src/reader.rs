//! Reading what a run has written, also while it is written, and after its writer was killed.
//!
//! Owns the joint of chunks and tail. The tail is looked at first, the database then: a record leaves the tail only when
//! it is in the database, so none is missed. Must not know what a record means.
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, ErrorCode};

use crate::chunk::{self, Batch};
use crate::error::{Error, Result};
use crate::runs::{self, RunId};
use crate::store::Inner;
use crate::tail::{Gap, Half, Header, Tail, HALF_HEADER, PAGE};
use crate::takeover::tail_path;
use crate::STREAMS;

/// Halves larger than this are nobody's.
const LARGEST_HALF: usize = 1 << 28;

/// The records of one stream of a run, in order: those that were there when the reading began.
#[derive(Debug)]
pub struct Records {
    store: Arc<Inner>,
    run: RunId,
    stream: u8,
    /// The number of the next record.
    record: u64,
    /// The number of the next chunk, and of the first that came later.
    seq: u64,
    end: u64,
    tail: Option<Batch>,
    /// What `next` gives one by one.
    batch: std::vec::IntoIter<(usize, usize)>,
    bytes: Vec<u8>,
}

impl Records {
    pub(crate) fn begin(store: &Arc<Inner>, run: RunId, stream: u8, first: u64) -> Result<Records> {
        if stream >= STREAMS {
            return Err(Error::NoStream { stream });
        }
        let connection = store.connection()?;
        let epoch = epoch(&connection, store, run)?;
        let tail = read_tail(&store.path, run, epoch)?;
        // Who took the run over in between has moved all that was in the tail.
        let tail = tail.filter(|_| epoch_is(&connection, store, run, epoch));
        let found = chunk::next_numbers(&connection, run);
        let (chunks, mut records) = found.map_err(|error| broken(store, run, stream, first, &error))?;
        let committed = records[usize::from(stream)];
        let mut batch = Batch::default();
        if let Some(tail) = tail {
            let joined = tail.join(&mut records, |which, number, bytes| {
                if which == stream && number >= first {
                    let begin = batch.0.len();
                    batch.0.extend_from_slice(bytes);
                    batch.1.push((begin, begin + bytes.len()));
                }
            });
            joined.map_err(|gap| missing(run, gap))?;
        }
        let end = if first < committed { chunks[usize::from(stream)] } else { 0 };
        Ok(Records {
            store: store.clone(),
            run,
            stream,
            record: first,
            seq: 0,
            end,
            tail: Some(batch),
            batch: Vec::new().into_iter(),
            bytes: Vec::new(),
        })
    }

    /// The next records that lie together, checked; nothing at the end. Those that were taken one by one are not in it.
    pub fn next_batch(&mut self) -> Result<Option<Batch>> {
        let begun: Vec<(usize, usize)> = std::mem::take(&mut self.batch).collect();
        if !begun.is_empty() {
            return Ok(Some((std::mem::take(&mut self.bytes), begun)));
        }
        if self.seq >= self.end {
            let batch = self.tail.take().filter(|(_, places)| !places.is_empty());
            self.record += batch.as_ref().map_or(0, |(_, places)| places.len() as u64);
            return Ok(batch);
        }
        let connection = self.store.connection()?;
        let found = chunk::next(&connection, self.run, self.stream, self.seq, self.record);
        let found = found.map_err(|error| broken(&self.store, self.run, self.stream, self.record, &error))?;
        drop(connection);
        // It was there when the reading began, so the run was removed since.
        let chunk = found.ok_or(Error::NoRun { run: self.run })?;
        let (seq, first) = (chunk.seq, chunk.first);
        let (bytes, mut places) = chunk.open(self.run, self.stream)?;
        if first > self.record || (first < self.record && self.seq > 0) {
            return Err(missing(self.run, Gap { stream: self.stream, first: self.record, after: first }));
        }
        places.drain(..(self.record - first) as usize);
        self.record += places.len() as u64;
        self.seq = seq + 1;
        Ok(Some((bytes, places)))
    }
}

impl Iterator for Records {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Result<Vec<u8>>> {
        loop {
            if let Some((begin, end)) = self.batch.next() {
                return Some(Ok(self.bytes[begin..end].to_vec()));
            }
            match self.next_batch() {
                Ok(Some((bytes, places))) => (self.bytes, self.batch) = (bytes, places.into_iter()),
                Ok(None) => return None,
                Err(error) => {
                    // Nothing behind what is damaged is given.
                    (self.seq, self.end, self.tail) = (0, 0, None);
                    return Some(Err(error));
                }
            }
        }
    }
}

fn epoch(connection: &Connection, store: &Inner, run: RunId) -> Result<u64> {
    let found = runs::one(connection, run).map_err(|error| Error::sqlite("read", &store.path, &error))?;
    found.map(|run| run.epoch).ok_or(Error::NoRun { run })
}

fn epoch_is(connection: &Connection, store: &Inner, run: RunId, expected: u64) -> bool {
    epoch(connection, store, run).is_ok_and(|epoch| epoch == expected)
}

/// What is in the tail of a run's writer of this epoch; nothing if there is none.
pub fn read_tail(store: &Path, run: RunId, epoch: u64) -> Result<Option<Tail>> {
    let path = tail_path(store, run);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::system("open", &path, &error)),
    };
    let read = || -> io::Result<Tail> {
        let length = file.metadata()?.len() as usize;
        let mut page = vec![0; PAGE.min(length)];
        file.read_exact_at(&mut page, 0)?;
        // The first page may be damaged: the halves say themselves whose they are.
        let half = Header::read(&page).map_or(length.saturating_sub(PAGE) / 2, |header| header.half);
        if !(HALF_HEADER..=LARGEST_HALF).contains(&half) {
            return Ok(Tail::default());
        }
        let mut halves = Vec::new();
        for which in 0..2 {
            halves.extend(read_half(&file, PAGE + which * half, half)?.and_then(|bytes| Half::read(bytes, run, epoch)));
        }
        Ok(Tail::new(halves))
    };
    read().map(Some).map_err(|error| Error::system("read", &path, &error))
}

/// The bytes of a half at one moment, though its writer may be using it.
fn read_half(file: &File, base: usize, half: usize) -> io::Result<Option<Vec<u8>>> {
    // Each time, the writer has filled a whole half meanwhile.
    for _ in 0..100 {
        let mut bytes = vec![0; half];
        let length = read_up_to(file, &mut bytes, base)?;
        bytes.truncate(length);
        let generation = Half::generation(&bytes);
        let mut again = [0; 8];
        read_up_to(file, &mut again, base)?;
        if generation == 0 {
            return Ok(None);
        }
        if generation == u64::from_le_bytes(again) {
            return Ok(Some(bytes));
        }
    }
    Err(io::Error::other("it changes faster than it can be read"))
}

fn read_up_to(file: &File, bytes: &mut [u8], offset: usize) -> io::Result<usize> {
    let mut length = 0;
    while length < bytes.len() {
        match file.read_at(&mut bytes[length..], (offset + length) as u64) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// An error that says which records are in neither place.
pub fn missing(run: RunId, gap: Gap) -> Error {
    let Gap { stream, first, after } = gap;
    let what = format!("the records before record {after} are missing");
    Error::Damaged { run, stream, record: first, what }
}

/// An error of the database that was met on the way to a record.
fn broken(store: &Inner, run: RunId, stream: u8, record: u64, error: &rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt) => {
            Error::Damaged { run, stream, record, what: format!("{} has a damaged page", store.path.display()) }
        }
        _ => Error::sqlite("read", &store.path, error),
    }
}
