//! `Work`: what a worker is told of one task. One struct, one writer, one reader.
//!
//! What most tasks don't need is absent from the bytes. Owns that form, used on both sides. Must not know what a task means.
use crate::bytes::{Read, Write};

/// The first byte of a payload in this form.
const MARK: u8 = 0x02;
/// Mark, flags, key, view and the length of the name.
const HEAD: usize = 1 + 2 + 8 + 8 + 4;

const BASE: u16 = 1;
const MEMBER: u16 = 1 << 1;
const CALL: u16 = 1 << 2;
const CYCLES: u16 = 1 << 3;
const RETRIES: u16 = 1 << 4;
const GROUPS: u16 = 1 << 5;
const MAX_CYCLES: u16 = 1 << 6;
const MAX_RETRIES: u16 = 1 << 7;
const PREVIOUS: u16 = 1 << 8;
const VALUES: u16 = 1 << 9;
const CHUNK: u16 = 1 << 10;

/// A key that a body may look for, and what it finds: nothing, or a value as bytes.
pub type Told<'a> = (&'a str, Option<&'a [u8]>);

/// What a worker is told of one task. Values are bytes as `_wire/crossing.py` reads them.
#[derive(Debug, Default, PartialEq)]
pub struct Work<'a> {
    /// The definition's key.
    pub key: u64,
    /// The key of the view of the channel.
    pub view: u64,
    /// What the task runs under.
    pub name: &'a str,
    /// The dictionary of bound arguments; empty for none.
    pub bound: &'a [u8],
    /// The task's own name, if this is an iteration of it.
    pub base: Option<&'a str>,
    /// The member whose branch it runs in, if that has another name.
    pub member: Option<&'a str>,
    /// What the iteration was given.
    pub call: Option<&'a [u8]>,
    /// How often the task has started in its branch, this time included; 0 for once.
    pub cycles: u32,
    /// How many attempts have failed before.
    pub retries: u32,
    /// How many groups without a name the workflow has made.
    pub group_count: u32,
    /// Limits that the definition does not know of.
    pub max_cycles: Option<i64>,
    /// As above.
    pub max_retries: Option<i64>,
    /// The value of the task before.
    pub previous: Option<&'a [u8]>,
    /// What the channel has under these keys (None: nothing), in place of what the view says.
    pub values: Option<Vec<Told<'a>>>,
    /// Items of a map, as `_worker/items.py` reads them.
    pub chunk: Option<&'a [u8]>,
}

impl<'a> Work<'a> {
    fn flags(&self) -> u16 {
        [
            (self.base.is_some(), BASE),
            (self.member.is_some(), MEMBER),
            (self.call.is_some(), CALL),
            (self.cycles > 1, CYCLES),
            (self.retries > 0, RETRIES),
            (self.group_count > 0, GROUPS),
            (self.max_cycles.is_some(), MAX_CYCLES),
            (self.max_retries.is_some(), MAX_RETRIES),
            (self.previous.is_some(), PREVIOUS),
            (self.values.is_some(), VALUES),
            (self.chunk.is_some(), CHUNK),
        ]
        .iter()
        .filter(|(is_there, _)| *is_there)
        .fold(0, |flags, (_, flag)| flags | flag)
    }

    /// The payload.
    pub fn write(&self) -> Vec<u8> {
        let flags = self.flags();
        let mut out =
            Vec::with_capacity(HEAD + self.name.len() + 4 + self.bound.len() + if flags == 0 { 0 } else { 64 });
        out.push(MARK);
        out.extend_from_slice(&flags.to_le_bytes());
        out.extend_from_slice(&self.key.to_le_bytes());
        out.extend_from_slice(&self.view.to_le_bytes());
        out.bytes(self.name.as_bytes());
        out.bytes(self.bound);
        if flags != 0 {
            self.write_more(&mut out);
        }
        out
    }

    fn write_more(&self, out: &mut Vec<u8>) {
        for text in [self.base, self.member].into_iter().flatten() {
            out.bytes(text.as_bytes());
        }
        if let Some(call) = self.call {
            out.bytes(call);
        }
        for (number, least) in [(self.cycles, 2), (self.retries, 1), (self.group_count, 1)] {
            if number >= least {
                out.number(number as usize);
            }
        }
        for limit in [self.max_cycles, self.max_retries].into_iter().flatten() {
            out.extend_from_slice(&limit.to_le_bytes());
        }
        if let Some(previous) = self.previous {
            out.bytes(previous);
        }
        if let Some(values) = &self.values {
            out.number(values.len());
            for (key, value) in values {
                out.bytes(key.as_bytes());
                out.push(u8::from(value.is_some()));
                if let Some(value) = value {
                    out.bytes(value);
                }
            }
        }
        if let Some(chunk) = self.chunk {
            out.bytes(chunk);
        }
    }

    /// What a payload says; None if it has not this form.
    pub fn read(payload: &'a [u8]) -> Option<Self> {
        let mut rest = Read(payload);
        if rest.byte()? != MARK {
            return None;
        }
        let flags = u16::from_le_bytes(rest.array()?);
        let mut work = Work { key: rest.long()?, view: rest.long()?, name: rest.text()?, ..Work::default() };
        work.bound = rest.bytes()?;
        if flags != 0 {
            work.read_more(flags, &mut rest)?;
        }
        rest.0.is_empty().then_some(work)
    }

    fn read_more(&mut self, flags: u16, rest: &mut Read<'a>) -> Option<()> {
        let has = |flag| flags & flag != 0;
        if has(BASE) {
            self.base = Some(rest.text()?);
        }
        if has(MEMBER) {
            self.member = Some(rest.text()?);
        }
        if has(CALL) {
            self.call = Some(rest.bytes()?);
        }
        for (flag, number) in
            [(CYCLES, &mut self.cycles), (RETRIES, &mut self.retries), (GROUPS, &mut self.group_count)]
        {
            if has(flag) {
                *number = rest.number()? as u32;
            }
        }
        for (flag, limit) in [(MAX_CYCLES, &mut self.max_cycles), (MAX_RETRIES, &mut self.max_retries)] {
            if has(flag) {
                *limit = Some(i64::from_le_bytes(rest.array()?));
            }
        }
        if has(PREVIOUS) {
            self.previous = Some(rest.bytes()?);
        }
        if has(VALUES) {
            let mut values = Vec::new();
            for _ in 0..rest.number()? {
                let key = rest.text()?;
                let value = if rest.byte()? == 0 { None } else { Some(rest.bytes()?) };
                values.push((key, value));
            }
            self.values = Some(values);
        }
        if has(CHUNK) {
            self.chunk = Some(rest.bytes()?);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_without_anything_special_takes_no_more_than_its_parts() {
        let work = Work { key: 1, view: 2, name: "é", bound: b"xyz", ..Work::default() };
        let written = work.write();
        assert_eq!(written.len(), HEAD + 2 + 4 + 3);
        assert_eq!(Work::read(&written), Some(work));
    }

    #[test]
    fn all_that_can_be_said_is_read_again() {
        let work = Work {
            key: u64::MAX,
            view: 3,
            name: "loop_cycle_2_00ff",
            bound: b"",
            base: Some("loop"),
            member: Some("m1"),
            call: Some(b""),
            cycles: 3,
            retries: 1,
            group_count: 9,
            max_cycles: Some(i64::MAX),
            max_retries: Some(-1),
            previous: Some(b"p"),
            values: Some(vec![("a", None), ("b.__result__", Some(b"v"))]),
            chunk: Some(b"items"),
        };
        assert_eq!(Work::read(&work.write()), Some(work));
    }

    #[test]
    fn no_prefix_of_a_payload_and_nothing_longer_is_one() {
        let work = Work { name: "n", values: Some(vec![("a", Some(b"v"))]), cycles: 2, ..Work::default() };
        let mut written = work.write();
        for end in 0..written.len() {
            assert_eq!(Work::read(&written[..end]), None, "{end}");
        }
        written.push(0);
        assert_eq!(Work::read(&written), None);
    }
}
