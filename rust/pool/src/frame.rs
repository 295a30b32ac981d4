//! What travels on a link: frames and the records inside them, as bytes.
//!
//! Owns the wire format. Must not know sockets, workers or what a payload means. Decoding is total: any bytes give
//! either a value or a [`FrameError`], never a panic and never an allocation larger than the bytes at hand.
//!
//! A frame is `magic u16, kind u8, flags u8, length u32, crc32 u32` (little endian) and `length` bytes of body. The
//! checksum covers the first eight bytes and the body.
use std::fmt;

/// Bytes before the body.
pub const HEADER: usize = 12;
/// The largest body of one frame.
pub const MAX_BODY: usize = 1 << 30;
const MAGIC: u16 = 0x4647;
/// Fixed part of a record in a `Tasks` body: ticket, slot, payload length.
pub const TASK_HEAD: usize = 16;
/// Fixed part of a record in a `Reports` body: ticket, flags, start, end, result length, effects length.
pub const REPORT_HEAD: usize = 36;

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// To the worker: a key and the blob it stands for.
    Define = 1,
    /// To the worker: a key that is not needed any more.
    Forget = 2,
    /// To the worker: tasks, in order.
    Tasks = 3,
    /// To the worker: the answer to its request.
    Reply = 4,
    /// To the worker: end when everything before this is done.
    Stop = 5,
    /// From the worker: finished tasks, in order.
    Reports = 6,
    /// From the worker: a question of the running task.
    Request = 7,
    /// To a station, for one of its workers: tasks that should not be begun any more (ticket and slot of each).
    Recall = 8,
    /// From a station, for one of its workers: the tickets of those among them that never will be.
    Returned = 9,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Kind> {
        Some(match byte {
            1 => Kind::Define,
            2 => Kind::Forget,
            3 => Kind::Tasks,
            4 => Kind::Reply,
            5 => Kind::Stop,
            6 => Kind::Reports,
            7 => Kind::Request,
            8 => Kind::Recall,
            9 => Kind::Returned,
            _ => return None,
        })
    }
}

/// Why bytes are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The first two bytes are something else.
    BadMagic(u16),
    /// No frame has this kind.
    UnknownKind(u8),
    /// Flags that this version does not know.
    UnknownFlags(u8),
    /// A body over [`MAX_BODY`].
    TooLarge(usize),
    /// The checksum does not match.
    BadChecksum,
    /// The body ends in the middle of a record, or has bytes left over.
    BadRecord(Kind),
    /// A frame that this side never receives.
    Unexpected(Kind),
}

impl fmt::Display for FrameError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::BadMagic(magic) => write!(out, "not a frame: starts with {magic:#06x}"),
            FrameError::UnknownKind(kind) => write!(out, "a frame of unknown kind {kind}"),
            FrameError::UnknownFlags(flags) => {
                write!(out, "a frame with unknown flags {flags:#04x}")
            }
            FrameError::TooLarge(size) => {
                write!(out, "{size} bytes in one frame; the limit is {MAX_BODY} (1 GiB)")
            }
            FrameError::BadChecksum => write!(out, "a frame whose checksum does not match"),
            FrameError::BadRecord(kind) => write!(out, "a {kind:?} frame with a malformed record"),
            FrameError::Unexpected(kind) => write!(out, "an unexpected {kind:?} frame"),
        }
    }
}

impl std::error::Error for FrameError {}

/// The header of a frame whose body is `parts`, one after the other.
pub fn header(kind: Kind, parts: &[&[u8]]) -> Result<[u8; HEADER], FrameError> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    if length > MAX_BODY {
        return Err(FrameError::TooLarge(length));
    }
    let mut head = [0_u8; HEADER];
    head[..2].copy_from_slice(&MAGIC.to_le_bytes());
    head[2] = kind as u8;
    head[4..8].copy_from_slice(&(length as u32).to_le_bytes());
    let mut sum = crc32fast::Hasher::new();
    sum.update(&head[..8]);
    for part in parts {
        sum.update(part);
    }
    head[8..].copy_from_slice(&sum.finalize().to_le_bytes());
    Ok(head)
}

/// Appends a whole frame.
pub fn append(out: &mut Vec<u8>, kind: Kind, parts: &[&[u8]]) -> Result<(), FrameError> {
    out.extend_from_slice(&header(kind, parts)?);
    for part in parts {
        out.extend_from_slice(part);
    }
    Ok(())
}

/// Kind and body length, from the first [`HEADER`] bytes; `None` when there are fewer.
pub fn peek(bytes: &[u8]) -> Result<Option<(Kind, usize)>, FrameError> {
    // Whatever is there is judged at once, so that garbage shorter than a header is not waited on for ever.
    if let [low, high, ..] = bytes {
        let magic = u16::from_le_bytes([*low, *high]);
        if magic != MAGIC {
            return Err(FrameError::BadMagic(magic));
        }
    }
    let Some(head) = bytes.get(..HEADER) else {
        return Ok(None);
    };
    let kind = Kind::from_byte(head[2]).ok_or(FrameError::UnknownKind(head[2]))?;
    if head[3] != 0 {
        return Err(FrameError::UnknownFlags(head[3]));
    }
    let length = read_u32(head, 4) as usize;
    if length > MAX_BODY {
        return Err(FrameError::TooLarge(length));
    }
    Ok(Some((kind, length)))
}

/// Checks a complete frame (header and body) against its checksum.
pub fn verify(frame: &[u8]) -> Result<(), FrameError> {
    let (Some(head), Some(body)) = (frame.get(..HEADER), frame.get(HEADER..)) else {
        return Err(FrameError::BadChecksum);
    };
    let mut sum = crc32fast::Hasher::new();
    sum.update(&head[..8]);
    sum.update(body);
    if sum.finalize() == read_u32(head, 8) {
        Ok(())
    } else {
        Err(FrameError::BadChecksum)
    }
}

/// The fixed part of a task record.
pub fn task_head(ticket: u64, slot: u32, payload: usize) -> [u8; TASK_HEAD] {
    let mut head = [0; TASK_HEAD];
    head[..8].copy_from_slice(&ticket.to_le_bytes());
    head[8..12].copy_from_slice(&slot.to_le_bytes());
    head[12..].copy_from_slice(&(payload as u32).to_le_bytes());
    head
}

/// One record of a `Tasks` body; `payload` is a range of the bytes it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRecord {
    pub ticket: u64,
    pub slot: u32,
    pub payload: std::ops::Range<usize>,
}

/// Reads the task record at `at`; the next one starts where its payload ends.
pub fn read_task(bytes: &[u8], at: usize) -> Result<TaskRecord, FrameError> {
    let bad = FrameError::BadRecord(Kind::Tasks);
    let head = bytes.get(at..).and_then(|rest| rest.get(..TASK_HEAD)).ok_or(bad)?;
    let start = at + TASK_HEAD;
    let end = start + read_u32(head, 12) as usize;
    if end > bytes.len() {
        return Err(bad);
    }
    Ok(TaskRecord { ticket: read_u64(head, 0), slot: read_u32(head, 8), payload: start..end })
}

/// One record of a `Reports` body; times are nanoseconds of the monotonic clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportRecord {
    pub ticket: u64,
    pub flags: u32,
    pub started: u64,
    pub ended: u64,
    pub result: std::ops::Range<usize>,
    pub effects: std::ops::Range<usize>,
}

/// Appends a report record.
pub fn append_report(out: &mut Vec<u8>, ticket: u64, flags: u32, times: (u64, u64), result: &[u8], effects: &[u8]) {
    out.extend_from_slice(&ticket.to_le_bytes());
    out.extend_from_slice(&flags.to_le_bytes());
    out.extend_from_slice(&times.0.to_le_bytes());
    out.extend_from_slice(&times.1.to_le_bytes());
    out.extend_from_slice(&(result.len() as u32).to_le_bytes());
    out.extend_from_slice(&(effects.len() as u32).to_le_bytes());
    out.extend_from_slice(result);
    out.extend_from_slice(effects);
}

/// Reads the report record at `at`; the next one starts where its effects end.
pub fn read_report(bytes: &[u8], at: usize) -> Result<ReportRecord, FrameError> {
    let bad = FrameError::BadRecord(Kind::Reports);
    let head = bytes.get(at..).and_then(|rest| rest.get(..REPORT_HEAD)).ok_or(bad)?;
    let result = at + REPORT_HEAD;
    let effects = result + read_u32(head, 28) as usize;
    let end = effects + read_u32(head, 32) as usize;
    if end > bytes.len() {
        return Err(bad);
    }
    Ok(ReportRecord {
        ticket: read_u64(head, 0),
        flags: read_u32(head, 8),
        started: read_u64(head, 12),
        ended: read_u64(head, 20),
        result: result..effects,
        effects: effects..end,
    })
}

/// The fixed part of a record in a `Recall` body.
pub const RECALL_HEAD: usize = 12;

/// One record of a `Recall` body.
pub fn recall(ticket: u64, slot: u32) -> [u8; RECALL_HEAD] {
    let mut head = [0; RECALL_HEAD];
    head[..8].copy_from_slice(&ticket.to_le_bytes());
    head[8..].copy_from_slice(&slot.to_le_bytes());
    head
}

/// The records of a `Recall` body: ticket and slot of each.
pub fn read_recalls(body: &[u8]) -> impl Iterator<Item = (u64, u32)> + '_ {
    body.chunks_exact(RECALL_HEAD).map(|record| (read_u64(record, 0), read_u32(record, 8)))
}

/// The tickets of a `Returned` body.
pub fn read_tickets(body: &[u8]) -> impl Iterator<Item = u64> + '_ {
    body.chunks_exact(8).map(|record| read_u64(record, 0))
}

/// A body that is one number and a blob (`Define`, `Forget`, `Request`): the number and where the blob starts.
pub fn read_numbered(kind: Kind, bytes: &[u8], at: usize) -> Result<(u64, usize), FrameError> {
    let head = bytes.get(at..).and_then(|rest| rest.get(..8)).ok_or(FrameError::BadRecord(kind))?;
    Ok((read_u64(head, 0), at + 8))
}

fn read_u32(bytes: &[u8], at: usize) -> u32 {
    let mut raw = [0; 4];
    raw.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(raw)
}

fn read_u64(bytes: &[u8], at: usize) -> u64 {
    let mut raw = [0; 8];
    raw.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(seed: &mut u64) -> u64 {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        *seed
    }

    #[test]
    fn a_frame_survives_the_way_there() {
        let mut wire = Vec::new();
        append(&mut wire, Kind::Tasks, &[&task_head(7, 3, 5), b"hello"]).unwrap();
        let (kind, length) = peek(&wire).unwrap().unwrap();
        assert_eq!((kind, length), (Kind::Tasks, TASK_HEAD + 5));
        verify(&wire).unwrap();
        let record = read_task(&wire, HEADER).unwrap();
        assert_eq!((record.ticket, record.slot, &wire[record.payload]), (7, 3, &b"hello"[..]));
    }

    #[test]
    fn a_report_survives_the_way_there() {
        let mut body = Vec::new();
        append_report(&mut body, 9, 2, (10, 20), b"result", b"fx");
        let report = read_report(&body, 0).unwrap();
        assert_eq!((report.ticket, report.flags, report.started, report.ended), (9, 2, 10, 20));
        assert_eq!((&body[report.result], &body[report.effects]), (&b"result"[..], &b"fx"[..]));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let mut wire = Vec::new();
        append(&mut wire, Kind::Reply, &[b"some bytes"]).unwrap();
        for bit in 0..wire.len() * 8 {
            let mut broken = wire.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            let noticed = match peek(&broken) {
                Err(_) => true,
                Ok(None) => false,
                Ok(Some((_, length))) => length + HEADER != broken.len() || verify(&broken).is_err(),
            };
            assert!(noticed, "bit {bit}");
        }
    }

    #[test]
    fn over_a_gigabyte_is_refused() {
        let mut head = header(Kind::Reply, &[]).unwrap();
        head[4..8].copy_from_slice(&(MAX_BODY as u32 + 1).to_le_bytes());
        assert_eq!(peek(&head), Err(FrameError::TooLarge(MAX_BODY + 1)));
    }

    #[test]
    fn any_bytes_give_a_value_or_an_error() {
        let mut seed = 0x9E37_79B9_7F4A_7C15;
        for round in 0..20_000 {
            let length = (random(&mut seed) % 200) as usize;
            let mut bytes: Vec<u8> = (0..length).map(|_| random(&mut seed) as u8).collect();
            if round % 2 == 0 && length >= 2 {
                bytes[..2].copy_from_slice(&MAGIC.to_le_bytes());
            }
            let at = (random(&mut seed) % 220) as usize;
            let _ = peek(&bytes);
            let _ = verify(&bytes);
            for result in [read_task(&bytes, at).map(|r| r.payload), read_report(&bytes, at).map(|r| r.effects)] {
                assert!(result.map_or(true, |range| range.start <= range.end && range.end <= length));
            }
            let _ = read_numbered(Kind::Define, &bytes, at);
        }
    }
}
