//! How a plain task travels: its name, its definition's key, its view's key and its packed arguments, without a pickle.
//!
//! Owns that form, used on both sides. Must not know what a task means.
use std::ops::Range;

/// The first byte of a payload in this form; a pickle starts with 0x80.
pub(crate) const MARK: u8 = 0x02;

pub(crate) const HEAD: usize = 1 + 8 + 8 + 4;

/// A plain task as read from its payload.
pub(crate) struct PlainTask<'a> {
    pub key: u64,
    pub view: u64,
    pub name: &'a str,
    /// The pickled dictionary of bound arguments; empty for none.
    pub bound: &'a [u8],
}

impl<'a> PlainTask<'a> {
    /// The payload of a task.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEAD + self.name.len() + self.bound.len());
        out.push(MARK);
        out.extend_from_slice(&self.key.to_le_bytes());
        out.extend_from_slice(&self.view.to_le_bytes());
        out.extend_from_slice(&(self.name.len() as u32).to_le_bytes());
        out.extend_from_slice(self.name.as_bytes());
        out.extend_from_slice(self.bound);
        out
    }

    /// The task in a payload, if it has this form.
    pub(crate) fn read(payload: &'a [u8]) -> Option<Self> {
        if payload.first() != Some(&MARK) {
            return None;
        }
        let head = payload.get(..HEAD)?;
        let number = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().unwrap_or_default());
        let length = u32::from_le_bytes(head[17..21].try_into().unwrap_or_default()) as usize;
        let name = std::str::from_utf8(payload.get(HEAD..HEAD + length)?).ok()?;
        Some(Self { key: number(1), view: number(9), name, bound: &payload[HEAD + length..] })
    }

    /// Where the name is in a payload of this form.
    pub(crate) fn name_in(payload: &'a [u8]) -> Range<usize> {
        Self::read(payload).map_or(0..0, |task| HEAD..HEAD + task.name.len())
    }
}
