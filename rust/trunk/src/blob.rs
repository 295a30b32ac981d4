//! The layout of a blob: a head with a checksum over all, and messages that are numbered from the first one on.
//!
//! Owns the bytes. What a number means is the end's.
use std::fmt;

const MAGIC: u32 = 0x4754_0001; // the last digits are the layout's version
/// Magic, checksum, incarnation, serial, acknowledged, first number, count, flags.
const HEAD: usize = 48;
/// Kind, worker, length.
const MESSAGE_HEAD: usize = 9;

/// What travels: a kind, a worker's number and bytes, whose meaning is others'.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub kind: u8,
    /// Whom it is about.
    pub worker: u32,
    /// What it says.
    pub content: Vec<u8>,
}

impl Message {
    /// Bytes that it takes in a blob.
    pub(crate) fn size(&self) -> usize {
        MESSAGE_HEAD + self.content.len()
    }

    pub(crate) fn append(&self, out: &mut Vec<u8>) {
        out.push(self.kind);
        out.extend_from_slice(&self.worker.to_le_bytes());
        out.extend_from_slice(&(self.content.len() as u32).to_le_bytes());
        out.extend_from_slice(&self.content);
    }
}

/// Why a blob is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrunkError {
    /// It was damaged, or is something else.
    Damaged,
    /// It is of another life of the station.
    OtherIncarnation(u64),
    /// It acknowledges what was never sent.
    BadAcknowledgement(u64),
}

impl fmt::Display for TrunkError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TrunkError::Damaged => write!(out, "not a blob, or a damaged one"),
            TrunkError::OtherIncarnation(other) => write!(out, "a blob of another incarnation, {other:#018x}"),
            TrunkError::BadAcknowledgement(number) => write!(out, "{number} is acknowledged and was never sent"),
        }
    }
}

impl std::error::Error for TrunkError {}

/// What a head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub incarnation: u64,
    /// The number of the blob.
    pub serial: u64,
    /// All messages below this number have arrived.
    pub acknowledged: u64,
    /// The number of the first message in here.
    pub first: u64,
    pub count: u32,
    /// The other side should send all again that it does not see acknowledged.
    pub rewind: bool,
}

pub(crate) fn write(head: Head, messages: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEAD + messages.len());
    out.extend_from_slice(&MAGIC.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&head.incarnation.to_le_bytes());
    out.extend_from_slice(&head.serial.to_le_bytes());
    out.extend_from_slice(&head.acknowledged.to_le_bytes());
    out.extend_from_slice(&head.first.to_le_bytes());
    out.extend_from_slice(&head.count.to_le_bytes());
    out.extend_from_slice(&u32::from(head.rewind).to_le_bytes());
    out.extend_from_slice(messages);
    let sum = crc32fast::hash(&out[8..]);
    out[4..8].copy_from_slice(&sum.to_le_bytes());
    out
}

pub(crate) fn read(blob: &[u8]) -> Result<(Head, Vec<Message>), TrunkError> {
    let mut rest = blob;
    let (magic, sum) = (number(&mut rest, 4)?, number(&mut rest, 4)?);
    if magic != u64::from(MAGIC) || u64::from(crc32fast::hash(rest)) != sum {
        return Err(TrunkError::Damaged);
    }
    let head = Head {
        incarnation: number(&mut rest, 8)?,
        serial: number(&mut rest, 8)?,
        acknowledged: number(&mut rest, 8)?,
        first: number(&mut rest, 8)?,
        count: number(&mut rest, 4)? as u32,
        rewind: number(&mut rest, 4)? & 1 == 1,
    };
    let mut messages = Vec::new();
    for _ in 0..head.count {
        let kind = number(&mut rest, 1)? as u8;
        let worker = number(&mut rest, 4)? as u32;
        let length = number(&mut rest, 4)? as usize;
        messages.push(Message { kind, worker, content: split(&mut rest, length)?.to_vec() });
    }
    if rest.is_empty() {
        Ok((head, messages))
    } else {
        Err(TrunkError::Damaged)
    }
}

fn split<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], TrunkError> {
    if rest.len() < length {
        return Err(TrunkError::Damaged);
    }
    let (part, behind) = rest.split_at(length);
    *rest = behind;
    Ok(part)
}

fn number(rest: &mut &[u8], length: usize) -> Result<u64, TrunkError> {
    let mut bytes = [0; 8];
    bytes[..length].copy_from_slice(split(rest, length)?);
    Ok(u64::from_le_bytes(bytes))
}
