//! Numbers, texts and byte strings in a row: how `work.rs` and `effects.rs` lay out what they write.
//!
//! Owns that layout. Must not know what it is used for.

/// Appends parts to a buffer.
pub trait Write {
    /// Four bytes, little endian.
    fn number(&mut self, number: usize);
    /// Their length, and they.
    fn bytes(&mut self, bytes: &[u8]);
}

impl Write for Vec<u8> {
    fn number(&mut self, number: usize) {
        self.extend_from_slice(&(number as u32).to_le_bytes());
    }

    /// With its length before it.
    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len());
        self.extend_from_slice(bytes);
    }
}

/// What is left to read; None wherever the bytes end too soon.
pub struct Read<'a>(pub &'a [u8]);

impl<'a> Read<'a> {
    /// So many bytes.
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// As many bytes as the array has.
    pub fn array<const COUNT: usize>(&mut self) -> Option<[u8; COUNT]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    /// One byte.
    pub fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// A number of four bytes.
    pub fn number(&mut self) -> Option<usize> {
        self.array().map(|bytes| u32::from_le_bytes(bytes) as usize)
    }

    /// A number of eight bytes.
    pub fn long(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Bytes with their length before them.
    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let count = self.number()?;
        self.take(count)
    }

    /// The same, if they are UTF-8.
    pub fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again_and_nothing_behind_it() {
        let mut out = Vec::new();
        out.number(7);
        out.bytes("ü".as_bytes());
        out.bytes(b"");
        let mut rest = Read(&out);
        assert_eq!((rest.number(), rest.text(), rest.bytes()), (Some(7), Some("ü"), Some(&b""[..])));
        assert_eq!((rest.byte(), rest.number(), rest.long(), rest.bytes()), (None, None, None, None));
    }

    #[test]
    fn a_length_that_the_bytes_do_not_have_is_refused() {
        assert_eq!(Read(&[9, 0, 0, 0, 1]).bytes(), None);
        assert_eq!(Read(&[1, 0, 0, 0, 0xff]).text(), None);
    }
}
