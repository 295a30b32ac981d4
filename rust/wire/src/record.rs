//! The record of a body's effects: writes to the channel, what it asked for, what it said, and how it failed.
//!
//! Owns the layout of the bytes, used on both sides; values in it are bytes as `_wire/crossing.py` reads them.
//! Must not know Python, nor what an effect means.
use crate::bytes::{Read, Write as _};

/// The flag of a report that a body failed.
pub const FAILED: u32 = 1;
/// The flag of a report that has a record.
pub const EFFECTS: u32 = 2;

/// Operations on the channel, by their number.
pub const OPERATIONS: [&str; 5] = ["set", "append", "prepend", "delete", "clear"];
/// Gives a key a value.
pub const SET: u8 = 0;
/// Adds to the end of a list.
pub const APPEND: u8 = 1;
/// Adds to the start of a list.
pub const PREPEND: u8 = 2;
/// Takes a key away.
pub const DELETE: u8 = 3;
/// Takes all keys away.
pub const CLEAR: u8 = 4;

const EXPIRES: u8 = 0x80;
const ODD_KEY: u8 = 0x40;

/// A key of the channel.
#[derive(Debug, PartialEq, Clone, Copy)]
pub enum Key<'a> {
    /// A text, as nearly all are.
    Text(&'a str),
    /// The pickle of what is no text (or none that UTF-8 knows).
    Odd(&'a [u8]),
}

/// One write to the channel.
#[derive(Debug, PartialEq)]
pub struct Write<'a> {
    /// One of the numbers of `OPERATIONS`.
    pub operation: u8,
    /// What is written to.
    pub key: Key<'a>,
    /// Empty for `delete` and `clear`.
    pub value: &'a [u8],
    /// Seconds since the epoch.
    pub expires: Option<f64>,
}

/// One thing that a body asked for.
#[derive(Debug, PartialEq)]
pub enum Asked<'a> {
    /// To run a task of a definition that has a key; without edges.
    Next {
        /// Whether the normal successors are skipped.
        goto: bool,
        /// Its key.
        definition: u64,
        /// The task's.
        name: &'a str,
        /// The dictionary of bound arguments; empty for none.
        bound: &'a [u8],
    },
    /// To run a task that the body made itself: the pickled task, without edges.
    Made {
        /// Whether the normal successors are skipped.
        goto: bool,
        /// The task's.
        name: &'a str,
        /// The pickle.
        task: &'a [u8],
    },
    /// To run itself again.
    Iterate {
        /// What the iteration runs under.
        name: &'a str,
        /// What it is given.
        data: Option<&'a [u8]>,
    },
    /// Anything else: a pickled tuple, as `_wire/effects.py` makes and reads it.
    Other(&'a [u8]),
}

/// What a record says.
#[derive(Debug, Default, PartialEq)]
pub struct Record<'a> {
    /// In their order.
    pub writes: Vec<Write<'a>>,
    /// In their order.
    pub asked: Vec<Asked<'a>>,
    /// Pieces of output: kind and content.
    pub said: Vec<(u8, &'a [u8])>,
    /// The exception, and its traceback.
    pub error: Option<(&'a [u8], &'a [u8])>,
}

const WRITES: u8 = 1;
const ASKED: u8 = 2;
const SAID: u8 = 4;
const ERROR: u8 = 8;

const NEXT: u8 = 0;
const GOTO: u8 = 1;
const ITERATE: u8 = 2;
const ITERATE_WITH: u8 = 3;
const OTHER: u8 = 4;
const MADE: u8 = 5;
const MADE_GOTO: u8 = 6;

impl<'a> Record<'a> {
    /// What these bytes say; None if they are no record.
    pub fn read(record: &'a [u8]) -> Option<Self> {
        let mut rest = Read(record);
        let mut found = Record::default();
        if record.is_empty() {
            return Some(found);
        }
        let sections = rest.byte()?;
        if sections & WRITES != 0 {
            for _ in 0..rest.number()? {
                found.writes.push(read_write(&mut rest)?);
            }
        }
        if sections & ASKED != 0 {
            for _ in 0..rest.number()? {
                found.asked.push(read_asked(&mut rest)?);
            }
        }
        if sections & SAID != 0 {
            for _ in 0..rest.number()? {
                found.said.push((rest.byte()?, rest.bytes()?));
            }
        }
        if sections & ERROR != 0 {
            found.error = Some((rest.bytes()?, rest.bytes()?));
        }
        rest.0.is_empty().then_some(found)
    }
}

fn read_write<'a>(rest: &mut Read<'a>) -> Option<Write<'a>> {
    let head = rest.byte()?;
    let operation = head & !(EXPIRES | ODD_KEY);
    if usize::from(operation) >= OPERATIONS.len() {
        return None;
    }
    let key = if head & ODD_KEY != 0 { Key::Odd(rest.bytes()?) } else { Key::Text(rest.text()?) };
    let value = rest.bytes()?;
    let expires = if head & EXPIRES != 0 { Some(f64::from_le_bytes(rest.array()?)) } else { None };
    Some(Write { operation, key, value, expires })
}

fn read_asked<'a>(rest: &mut Read<'a>) -> Option<Asked<'a>> {
    Some(match rest.byte()? {
        kind @ (NEXT | GOTO) => {
            Asked::Next { goto: kind == GOTO, definition: rest.long()?, name: rest.text()?, bound: rest.bytes()? }
        }
        kind @ (MADE | MADE_GOTO) => Asked::Made { goto: kind == MADE_GOTO, name: rest.text()?, task: rest.bytes()? },
        ITERATE => Asked::Iterate { name: rest.text()?, data: None },
        ITERATE_WITH => Asked::Iterate { name: rest.text()?, data: Some(rest.bytes()?) },
        OTHER => Asked::Other(rest.bytes()?),
        _ => return None,
    })
}

/// Writes records, one after the other, in a buffer of its own.
#[derive(Default)]
pub struct RecordWriter {
    out: Vec<u8>,
    /// Where the count of the open section is.
    section: Option<(u8, usize)>,
}

impl RecordWriter {
    /// Begins a record.
    pub fn begin(&mut self) {
        self.out.clear();
        self.section = None;
    }

    /// The record; empty if it says nothing.
    pub fn bytes(&self) -> &[u8] {
        &self.out
    }

    /// Sections come in the order of their flags.
    fn open(&mut self, section: u8) {
        if self.out.is_empty() {
            self.out.push(0);
        }
        let at = match self.section {
            Some((open, at)) if open == section => at,
            _ => {
                debug_assert!(self.out[0] < section, "sections are written in order");
                self.out[0] |= section;
                let at = self.out.len();
                self.out.number(0);
                self.section = Some((section, at));
                at
            }
        };
        let count = u32::from_le_bytes([self.out[at], self.out[at + 1], self.out[at + 2], self.out[at + 3]]) + 1;
        self.out[at..at + 4].copy_from_slice(&count.to_le_bytes());
    }

    /// Adds a write.
    pub fn write(&mut self, write: &Write<'_>) {
        self.open(WRITES);
        let (odd, key) = match write.key {
            Key::Text(text) => (0, text.as_bytes()),
            Key::Odd(bytes) => (ODD_KEY, bytes),
        };
        self.out.push(write.operation | odd | if write.expires.is_some() { EXPIRES } else { 0 });
        self.out.bytes(key);
        self.out.bytes(write.value);
        if let Some(expires) = write.expires {
            self.out.extend_from_slice(&expires.to_le_bytes());
        }
    }

    /// Adds what a body asked for.
    pub fn ask(&mut self, asked: &Asked<'_>) {
        self.open(ASKED);
        match *asked {
            Asked::Next { goto, definition, name, bound } => {
                self.out.push(if goto { GOTO } else { NEXT });
                self.out.extend_from_slice(&definition.to_le_bytes());
                self.out.bytes(name.as_bytes());
                self.out.bytes(bound);
            }
            Asked::Made { goto, name, task } => {
                self.out.push(if goto { MADE_GOTO } else { MADE });
                self.out.bytes(name.as_bytes());
                self.out.bytes(task);
            }
            Asked::Iterate { name, data } => {
                self.out.push(if data.is_some() { ITERATE_WITH } else { ITERATE });
                self.out.bytes(name.as_bytes());
                if let Some(data) = data {
                    self.out.bytes(data);
                }
            }
            Asked::Other(bytes) => {
                self.out.push(OTHER);
                self.out.bytes(bytes);
            }
        }
    }

    /// Adds a piece of output.
    pub fn say(&mut self, kind: u8, content: &[u8]) {
        self.open(SAID);
        self.out.push(kind);
        self.out.bytes(content);
    }

    /// Adds how a body failed.
    pub fn fail(&mut self, error: &[u8], traceback: &[u8]) {
        if self.out.is_empty() {
            self.out.push(0);
        }
        self.out[0] |= ERROR;
        self.out.bytes(error);
        self.out.bytes(traceback);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> RecordWriter {
        let mut writer = RecordWriter::default();
        writer.begin();
        writer.write(&Write { operation: SET, key: Key::Text("k"), value: b"v", expires: Some(1.5) });
        writer.write(&Write { operation: CLEAR, key: Key::Text(""), value: b"", expires: None });
        writer.write(&Write { operation: APPEND, key: Key::Odd(b"\x80"), value: b"w", expires: None });
        writer.ask(&Asked::Next { goto: true, definition: 7, name: "n", bound: b"b" });
        writer.ask(&Asked::Iterate { name: "i", data: None });
        writer.ask(&Asked::Iterate { name: "i", data: Some(b"") });
        writer.ask(&Asked::Other(b"pickle"));
        writer.ask(&Asked::Made { goto: false, name: "m", task: b"task" });
        writer.say(0, b"text");
        writer.say(2, b"");
        writer.fail(b"error", b"trace");
        writer
    }

    #[test]
    fn all_that_can_be_said_is_read_again() {
        let writer = all();
        let record = Record::read(writer.bytes()).expect("it was written here");
        assert_eq!(record.writes.len(), 3);
        assert_eq!(record.writes[0].expires, Some(1.5));
        assert_eq!(record.writes[2].key, Key::Odd(b"\x80"));
        assert_eq!(record.asked[0], Asked::Next { goto: true, definition: 7, name: "n", bound: b"b" });
        assert_eq!(record.asked[2], Asked::Iterate { name: "i", data: Some(b"") });
        assert_eq!(record.asked[4], Asked::Made { goto: false, name: "m", task: b"task" });
        assert_eq!(record.said, [(0, &b"text"[..]), (2, &b""[..])]);
        assert_eq!(record.error, Some((&b"error"[..], &b"trace"[..])));
    }

    #[test]
    fn a_body_that_did_nothing_has_an_empty_record() {
        let mut writer = all();
        writer.begin();
        assert!(writer.bytes().is_empty());
        assert_eq!(Record::read(b""), Some(Record::default()));
    }

    #[test]
    fn no_prefix_of_a_record_and_nothing_longer_is_one() {
        let whole = all().bytes().to_vec();
        for end in 1..whole.len() {
            assert_eq!(Record::read(&whole[..end]), None, "{end}");
        }
        assert_eq!(Record::read(&[&whole[..], b"x"].concat()), None);
        assert_eq!(Record::read(&[WRITES, 1, 0, 0, 0, 9]), None);
    }
}
