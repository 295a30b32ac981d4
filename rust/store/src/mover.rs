//! The thread of a writer: it moves what is in the tail into the database.
//!
//! Owns the database's side of a run that is being written. Must not know who appends, nor what a record means.
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;

use crate::chunk::{self, Builder, Chunk};
use crate::database;
use crate::error::{Error, Result};
use crate::runs::{self, RunId, State};
use crate::tail::{space, Map, Memory, Next, Walk, HALF_HEADER, PAGE, RECORD_HEADER};
use crate::writer::Shared;
use crate::STREAMS;

/// What moves.
pub struct Mover {
    /// The store's file.
    pub path: PathBuf,
    /// Its own connection.
    pub connection: Connection,
    /// The run.
    pub run: RunId,
    /// Which of its writers this is.
    pub epoch: u64,
    /// The tail.
    pub map: Arc<Map>,
    /// Bytes of each half.
    pub half: usize,
    /// How long records may stay out of the database.
    pub interval: Duration,
    /// What the writer asks for and is told.
    pub shared: Arc<Shared>,
    /// The numbers of the next chunk of each stream.
    pub chunks: Next,
    /// The numbers of the next record of each stream.
    pub records: Next,
}

/// How far the open half has been moved.
struct Place {
    half: usize,
    generation: u64,
    position: usize,
    chain: u32,
}

/// What goes into the database in one step.
struct Load {
    chunks: Vec<(u8, Chunk)>,
    numbers: Next,
    records: Next,
    counts: Option<String>,
    end: Option<State>,
}

impl Mover {
    /// Works until the writer closes, or something fails.
    pub fn work(mut self) {
        let mut place = Place { half: 0, generation: 1, position: HALF_HEADER, chain: 0 };
        loop {
            let phase = self.shared.wait_for_work(self.interval);
            let (flushes, closing, surely) = (phase.flushes, phase.closing, phase.surely);
            drop(phase);
            let drained = if closing && !surely { self.wait_for_disk(false) } else { Ok(()) };
            if let Err(error) = drained.and_then(|()| self.drain(&mut place)) {
                self.shared.tell(|phase| (phase.error, phase.settled) = (Some(error), true));
                return;
            }
            self.shared.tell(|phase| (phase.flushed, phase.ended) = (flushes, closing));
            if closing {
                break;
            }
        }
        // Nobody is there to be told of an error: it is as if the power had been lost.
        let _ = database::sync_log(&self.path);
        self.shared.tell(|phase| phase.settled = true);
    }

    /// Whether what is committed from now on is waited for.
    fn wait_for_disk(&self, waits: bool) -> Result<()> {
        let set = database::wait_for_disk(&self.connection, waits);
        set.map_err(|error| Error::sqlite("set up", &self.path, &error))
    }

    /// Moves all that is there.
    fn drain(&mut self, place: &mut Place) -> Result<()> {
        loop {
            // Asked first: what is sealed or ended gets nothing more, so all of it is seen below.
            let mut phase = self.shared.lock();
            let sealed = phase.sealed[place.half];
            let counts = phase.counts.take();
            let end = if sealed { None } else { phase.end.take() };
            drop(phase);
            let load = Load { counts, end, ..self.load(place)? };
            self.commit(load)?;
            if !sealed {
                return Ok(());
            }
            let half = place.half;
            self.map.publish_number(PAGE + half * self.half, 0);
            *place = Place { half: 1 - half, generation: place.generation + 1, position: HALF_HEADER, chain: 0 };
            self.shared.tell(|phase| phase.sealed[half] = false);
        }
    }

    /// What the open half has beyond what was moved, checked.
    fn load(&self, place: &mut Place) -> Result<Load> {
        let base = PAGE + place.half * self.half;
        let mut load =
            Load { chunks: Vec::new(), numbers: self.chunks, records: self.records, counts: None, end: None };
        // Until the writer has opened it, a half has what it was used for before.
        let opened = self.map.number(base) == place.generation;
        let end = if opened { self.published(base, place.position) } else { place.position };
        if end == place.position {
            return Ok(load);
        }
        // SAFETY: what is published isn't stored to until this thread frees the half.
        let bytes = unsafe { self.map.published(base, end) };
        if place.position == HALF_HEADER {
            let checksum = bytes[8..12].try_into().map_err(|_| self.spoilt(0, load.records[0]))?;
            place.chain = u32::from_le_bytes(checksum);
        }
        let mut walk = Walk::new(bytes, place.position, place.chain);
        let mut builders: [Option<Builder>; STREAMS as usize] = Default::default();
        for (stream, record) in walk.by_ref() {
            let at = usize::from(stream);
            let builder = builders[at].get_or_insert_with(|| Builder::new(load.records[at]));
            if builder.full(record) {
                close(builder, &mut load, self.run, stream, self.epoch);
            }
            builder.add(record);
            load.records[at] += 1;
        }
        if walk.position() != end {
            let stream = bytes.get(walk.position() + 3).map_or(0, |byte| byte & 0x7F);
            let at = usize::from(stream.min(STREAMS - 1));
            return Err(self.spoilt(stream, load.records[at]));
        }
        for (stream, builder) in builders.iter_mut().enumerate() {
            if let Some(builder) = builder {
                close(builder, &mut load, self.run, stream as u8, self.epoch);
            }
        }
        (place.position, place.chain) = (walk.position(), walk.checksum());
        Ok(load)
    }

    /// Where the records that were published end.
    fn published(&self, base: usize, mut position: usize) -> usize {
        while position + RECORD_HEADER <= self.half {
            let word = self.map.word(base + position);
            let length = (word & 0xFF_FFFF) as usize;
            if word == 0 || position + space(length) > self.half {
                break;
            }
            position += space(length);
        }
        position
    }

    fn spoilt(&self, stream: u8, record: u64) -> Error {
        let what = "it changed in memory before it could be stored, so something writes where it must not; what came before is stored";
        Error::Damaged { run: self.run, stream, record, what: what.to_owned() }
    }

    /// Puts it into the database, if this is the run's writer still.
    fn commit(&mut self, load: Load) -> Result<()> {
        if load.chunks.is_empty() && load.counts.is_none() && load.end.is_none() {
            return Ok(());
        }
        let failed = |error: rusqlite::Error| Error::sqlite("write", &self.path, &error);
        let transaction = database::writing(&self.connection).map_err(failed)?;
        let counts = load.counts.as_deref();
        if !runs::note(&transaction, self.run, self.epoch, counts, load.end).map_err(failed)? {
            return Err(Error::Overtaken { run: self.run, epoch: self.epoch as i64 });
        }
        insert(&transaction, self.run, &load.chunks).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        (self.chunks, self.records) = (load.numbers, load.records);
        database::cut_long_log(&self.connection, &self.path).map_err(failed)
    }
}

fn close(builder: &mut Builder, load: &mut Load, run: RunId, stream: u8, epoch: u64) {
    let number = &mut load.numbers[usize::from(stream)];
    if let Some(chunk) = builder.close(run, stream, *number, epoch) {
        load.chunks.push((stream, chunk));
        *number += 1;
    }
}

/// Adds chunks to a run.
pub fn insert(connection: &Connection, run: RunId, chunks: &[(u8, Chunk)]) -> rusqlite::Result<()> {
    let mut statement = chunk::inserting(connection)?;
    chunks.iter().try_for_each(|(stream, chunk)| chunk::insert(&mut statement, run, *stream, chunk))
}
