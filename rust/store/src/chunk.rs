//! Chunks: many records of one stream as one row of the database.
//!
//! Owns their form, size and checksum. Must not know tails, locks, nor what a record means.
use rusqlite::{params, Connection, OptionalExtension, Row, Statement};

use crate::error::{Error, Result};
use crate::runs::RunId;
use crate::tail::Next;
use crate::STREAMS;

/// A chunk is closed before it gets longer than this, so only one that has a single record may be longer.
pub const LARGEST: usize = 256 * 1024;

/// Records that lie together: bytes, and where in them each record begins and ends.
pub type Batch = (Vec<u8>, Vec<(usize, usize)>);

/// A row of the table of chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its number in the stream, from 0.
    pub seq: u64,
    /// Which of the run's writers it comes from.
    pub epoch: u64,
    /// The number of its first record.
    pub first: u64,
    /// How many records it has.
    pub count: u64,
    /// How many bytes its records take, each with a length of 4 bytes in front.
    pub size: usize,
    /// These bytes, compressed if that is shorter.
    pub data: Vec<u8>,
    /// The checksum of all this.
    pub crc: u32,
}

/// Records of one stream that become a chunk.
#[derive(Debug)]
pub struct Builder {
    /// The number of the first record.
    first: u64,
    count: u64,
    bytes: Vec<u8>,
}

impl Builder {
    /// Nothing yet; the next record has this number.
    pub fn new(first: u64) -> Builder {
        Builder { first, count: 0, bytes: Vec::new() }
    }

    /// Whether the chunk has to be closed before this record.
    pub fn full(&self, record: &[u8]) -> bool {
        self.count > 0 && self.bytes.len() + 4 + record.len() > LARGEST
    }

    /// Adds a record.
    pub fn add(&mut self, record: &[u8]) {
        self.bytes.extend_from_slice(&(record.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(record);
        self.count += 1;
    }

    /// Makes a chunk of what is there, if anything is, and begins anew behind it.
    pub fn close(&mut self, run: RunId, stream: u8, seq: u64, epoch: u64) -> Option<Chunk> {
        if self.count == 0 {
            return None;
        }
        let size = self.bytes.len();
        let packed = lz4_flex::block::compress(&self.bytes);
        let shorter = packed.len() < size - size / 8;
        let data = if shorter { packed } else { self.bytes.clone() };
        let mut chunk = Chunk { seq, epoch, first: self.first, count: self.count, size, data, crc: 0 };
        chunk.crc = chunk.checksum(run, stream);
        self.first += self.count;
        self.count = 0;
        self.bytes.clear();
        Some(chunk)
    }
}

impl Chunk {
    fn checksum(&self, run: RunId, stream: u8) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        for number in [run, u64::from(stream), self.seq, self.epoch, self.first, self.count, self.size as u64] {
            hasher.update(&number.to_le_bytes());
        }
        hasher.update(&self.data);
        hasher.finalize()
    }

    /// Its records, checked.
    pub fn open(self, run: RunId, stream: u8) -> Result<Batch> {
        let last = (self.first + self.count).saturating_sub(1);
        let bad = |what: &str| {
            let what = format!("{what} in chunk {} (records {} to {last})", self.seq, self.first);
            Error::Damaged { run, stream, record: self.first, what }
        };
        if self.checksum(run, stream) != self.crc {
            return Err(bad("the checksum is another one"));
        }
        // From here on only a faulty writer could be to blame.
        let bytes = match self.data.len() == self.size {
            true => self.data.clone(),
            false => lz4_flex::block::decompress(&self.data, self.size).map_err(|_| bad("bytes don't unpack"))?,
        };
        let mut places = Vec::with_capacity(self.count as usize);
        let mut at = 0;
        while at < bytes.len() {
            let length = bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_le_bytes);
            let end = at + 4 + length.ok_or_else(|| bad("a length is cut off"))? as usize;
            if end > bytes.len() {
                return Err(bad("a record is cut off"));
            }
            places.push((at + 4, end));
            at = end;
        }
        if places.len() as u64 != self.count {
            return Err(bad("records are missing"));
        }
        Ok((bytes, places))
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<Chunk> {
    Ok(Chunk {
        seq: row.get::<_, i64>(0)? as u64,
        epoch: row.get::<_, i64>(1)? as u64,
        first: row.get::<_, i64>(2)? as u64,
        count: row.get::<_, i64>(3)? as u64,
        size: row.get::<_, i64>(4)? as usize,
        data: row.get(5)?,
        crc: row.get::<_, i64>(6)? as u32,
    })
}

/// The first chunk of a stream that has number `seq` or a later one, and a record of number `first` or a later one.
pub fn next(connection: &Connection, run: RunId, stream: u8, seq: u64, first: u64) -> rusqlite::Result<Option<Chunk>> {
    let query = "SELECT seq, epoch, first, count, size, data, crc FROM chunks
         WHERE run = ? AND stream = ? AND seq >= ? AND first + count > ? ORDER BY seq LIMIT 1";
    let values = params![run as i64, stream, seq as i64, first as i64];
    connection.query_row(query, values, read).optional()
}

/// The numbers of the next chunk and of the next record of each stream.
pub fn next_numbers(connection: &Connection, run: RunId) -> rusqlite::Result<(Next, Next)> {
    let mut chunks = [0; STREAMS as usize];
    let mut records = [0; STREAMS as usize];
    let query = "SELECT seq + 1, first + count FROM chunks WHERE run = ? AND stream = ? ORDER BY seq DESC LIMIT 1";
    let mut statement = connection.prepare(query)?;
    for stream in 0..STREAMS {
        let found =
            statement.query_row(params![run as i64, stream], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)));
        if let Some((chunk, record)) = found.optional()? {
            chunks[usize::from(stream)] = chunk as u64;
            records[usize::from(stream)] = record as u64;
        }
    }
    Ok((chunks, records))
}

/// What adds chunks to a run.
pub fn inserting(connection: &Connection) -> rusqlite::Result<Statement<'_>> {
    connection.prepare(
        "INSERT INTO chunks (run, stream, seq, epoch, first, count, size, data, crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
}

/// Adds one.
pub fn insert(statement: &mut Statement<'_>, run: RunId, stream: u8, chunk: &Chunk) -> rusqlite::Result<()> {
    statement.execute(params![
        run as i64,
        stream,
        chunk.seq as i64,
        chunk.epoch as i64,
        chunk.first as i64,
        chunk.count as i64,
        chunk.size as i64,
        chunk.data,
        chunk.crc,
    ])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(records: &[&[u8]]) -> Chunk {
        let mut builder = Builder::new(10);
        records.iter().for_each(|record| builder.add(record));
        builder.close(7, 2, 3, 1).unwrap()
    }

    fn records(chunk: Chunk) -> Result<Vec<Vec<u8>>> {
        let (bytes, places) = chunk.open(7, 2)?;
        Ok(places.into_iter().map(|(begin, end)| bytes[begin..end].to_vec()).collect())
    }

    #[test]
    fn what_goes_in_comes_out_packed_or_not() {
        let (long, short) = (vec![5; 100_000], (0..=255).collect::<Vec<u8>>());
        for these in [vec![&long[..]], vec![&short[..]], vec![b"", b"", b"x"], vec![&long, b"", &short]] {
            assert_eq!(records(chunk(&these)).unwrap(), these);
        }
        assert!(chunk(&[&long]).data.len() < 1000, "compressed");
        assert_eq!(chunk(&[&short]).data.len(), 260, "as it is");
    }

    #[test]
    fn a_chunk_with_any_bit_changed_is_refused_and_says_which_records() {
        let whole = chunk(&[b"one", b"two"]);
        for bit in 0..whole.data.len() * 8 {
            let mut damaged = whole.clone();
            damaged.data[bit / 8] ^= 1 << (bit % 8);
            let error = records(damaged).unwrap_err();
            assert_eq!(
                error.to_string(),
                "run 7 is damaged at record 10 of stream 2: the checksum is another one in chunk 3 (records 10 to 11)"
            );
        }
        let Chunk { seq, epoch, first, count, size, .. } = whole;
        for damaged in [
            Chunk { seq: seq + 1, ..whole.clone() },
            Chunk { epoch: epoch + 1, ..whole.clone() },
            Chunk { first: first + 1, ..whole.clone() },
            Chunk { count: count + 1, ..whole.clone() },
            Chunk { size: size + 1, ..whole.clone() },
        ] {
            assert!(records(damaged).is_err());
        }
        assert!(whole.open(8, 2).is_err(), "another run's");
    }

    #[test]
    fn a_chunk_is_closed_before_it_gets_too_long_but_takes_one_long_record() {
        let mut builder = Builder::new(0);
        assert!(!builder.full(&vec![0; LARGEST * 2]));
        builder.add(b"x");
        assert!(builder.full(&vec![0; LARGEST]));
        assert!(!builder.full(b"y"));
    }
}
